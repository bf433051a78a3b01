//===- NNElementwise.cpp - functions of one and two values -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Broadcast.h"
#include "NNOperations.h"
#include "Threads.h"

#include "cimc/Support/IntegerFunctions.h"

#include <algorithm>
#include <cstring>
#include <limits>

using namespace mlir;

namespace cimc::reference {

// What Functions.def names.
using namespace numerics;

namespace {

/// The switch outside the loops.
template <typename Fn> void withFloatFunction(Function function, Fn fn) {
  switch (function) {
#define CIMC_FUNCTION_1(NAME, EXPRESSION)
#define CIMC_FUNCTION_2(NAME, EXPRESSION)                                      \
  case Function::NAME:                                                         \
    return fn([](float a, float b) { return EXPRESSION; });
#define CIMC_FUNCTION(NAME, MNEMONIC, ARITY, EXPRESSION)                       \
  CIMC_FUNCTION_##ARITY(NAME, EXPRESSION)
#include "cimc/Support/Functions.def"
#undef CIMC_FUNCTION_1
#undef CIMC_FUNCTION_2
  default:
    return;
  }
}

bool perTensor(const TensorInfo &info) {
  return info.quant && !info.quant->perAxis();
}

/// R5, with the roles of the operands as the kernel takes them.
HostTensor quantizedAdd(Operands in, const TensorInfo &out) {
  const TensorInfo &a = in[0].info, &b = in[1].info;
  std::vector<int32_t> x = toIntegers(in[0]), y = toIntegers(in[1]);
  bool swapped = numerics::firstIsSpanScalar(a.shape, b.shape);
  const Quantization &first = swapped ? *b.quant : *a.quant;
  const Quantization &second = swapped ? *a.quant : *b.quant;
  numerics::AddConstants constants = numerics::addConstants(
      first.scale(), first.zero(), second.scale(), second.zero(),
      out.quant->scale(), out.quant->zero());
  std::vector<int32_t> sums(out.size());
  forBroadcast(out, a, b, [&](int64_t i, int64_t ia, int64_t ib) {
    sums[i] = swapped
                  ? numerics::add(y[ib], x[ia], constants, out.quant->range)
                  : numerics::add(x[ia], y[ib], constants, out.quant->range);
  });
  return fromIntegers(sums, out);
}

/// R6.
HostTensor quantizedMul(Operands in, const TensorInfo &out) {
  const Quantization &a = *in[0].info.quant, &b = *in[1].info.quant;
  std::vector<int32_t> x = toIntegers(in[0]), y = toIntegers(in[1]);
  float product = a.scale() * b.scale();
  float r = product / out.quant->scale();
  std::vector<int32_t> values(out.size());
  forBroadcast(out, in[0].info, in[1].info,
               [&](int64_t i, int64_t ia, int64_t ib) {
                 values[i] = numerics::mul(x[ia], a.zero(), y[ib], b.zero(), r,
                                           out.quant->zero(), out.quant->range);
               });
  return fromIntegers(values, out);
}

/// The fp32 function of one or two broadcast operands.
void compute(Function function, numerics::Parameters parameters, Operands in,
             const float *x, const float *y, const TensorInfo &out, float *z) {
  int64_t n = out.size();
  if (in.size() == 1)
    return inParallel(n, n, [&](int64_t begin, int64_t end) {
      numerics::applyToAll(function, x + begin, z + begin, end - begin,
                           parameters.alpha, parameters.beta);
    });
  int64_t sizeX = in[0].info.size(), sizeY = in[1].info.size();
  withFloatFunction(function, [&](auto fn) {
    // The common cases without broadcasting, which compilers make vectors of.
    auto flat = [&](auto element) {
      inParallel(n, n, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          z[i] = element(i);
      });
    };
    if (sizeX == n && sizeY == n)
      flat([&](int64_t i) { return fn(x[i], y[i]); });
    else if (sizeX == n && sizeY == 1)
      flat([x, fn, value = *y](int64_t i) { return fn(x[i], value); });
    else if (sizeX == 1 && sizeY == n)
      flat([y, fn, value = *x](int64_t i) { return fn(value, y[i]); });
    else
      forBroadcast(
          out, in[0].info, in[1].info,
          [&](int64_t i, int64_t ia, int64_t ib) { z[i] = fn(x[ia], y[ib]); });
  });
}

/// Real numbers in, what the result type wants out: numbers or truth values.
HostTensor fromReals(const std::vector<float> &values, const TensorInfo &out) {
  if (out.quant || out.dtype == DType::F32)
    return fromReal(values, out);
  HostTensor tensor(out.dtype, out.shape);
  for (size_t i = 0; i < values.size(); ++i)
    tensor.as<uint8_t>()[i] = values[i] != 0.0f;
  return tensor;
}

/// R8.
std::optional<HostTensor> lookup(Function function,
                                 numerics::Parameters parameters,
                                 const Operand &in, const TensorInfo &out) {
  if (!in.info.isByteTensor() || !out.isByteTensor())
    return std::nullopt;
  const auto &range = out.quant->range;
  bool isSigned = out.dtype == DType::I8;
  if (range.min > (isSigned ? -128 : 0) || range.max < (isSigned ? 127 : 255))
    return std::nullopt;
  auto table = numerics::makeTable(
      function, parameters.alpha, parameters.beta, in.info.quant->scale(),
      in.info.quant->zero(), in.info.dtype == DType::I8, out.quant->scale(),
      out.quant->zero(), isSigned);
  HostTensor result(out.dtype, out.shape);
  for (int64_t i = 0, n = out.size(); i < n; ++i)
    result.as<int8_t>()[i] = table[in.as<uint8_t>()[i]];
  return result;
}

/// Plain integers and truth values.
Evaluated integers(Operation *op, Function function, Operands in,
                   const TensorInfo &out) {
  const Operand &a = in.front(), &b = in.back();
  HostTensor result(out.dtype, out.shape);
  bool exact = true;
  visitInteger(a.info.dtype, [&](auto tag) {
    using T = decltype(tag);
    // Truth values are bytes that are 0 or 1.
    T mask = a.info.dtype == DType::Bool ? T(1) : static_cast<T>(~T(0));
    bool isTruth = out.dtype == DType::Bool;
    forBroadcast(out, a.info, b.info, [&](int64_t i, int64_t ia, int64_t ib) {
      std::optional<T> value =
          numerics::integerFunction<T>(function, a.as<T>()[ia], b.as<T>()[ib]);
      exact &= value.has_value();
      T stored = static_cast<T>(value.value_or(T(0)) & mask);
      if (isTruth)
        result.as<uint8_t>()[i] = stored != 0;
      else
        result.as<T>()[i] = stored;
    });
  });
  if (!exact)
    return failure(op, "has no exact integer result (division by zero or a "
                       "function of real numbers)");
  return result;
}

} // namespace

/// Float: the function. Quantized: R8 for one operand, R5 and R6 for sums and
/// products, else R4 around the fp32 function. Plain integers: exact.
static Evaluated elementwise(nn::ElementwiseOpInterface op, Operands in,
                             const TensorInfo &out) {
  Function function = op.getFunction();
  numerics::Parameters parameters = op.getParameters();
  const TensorInfo &a = in.front().info, &b = in.back().info;
  bool isPlain = !a.quant && !b.quant && !out.quant;
  bool isTruth = isPlain && out.dtype == DType::Bool;
  if (isPlain && a.dtype == b.dtype && a.dtype != DType::F32 &&
      (a.dtype == out.dtype || isTruth) && isInteger(a.dtype))
    return integers(op, function, in, out);
  bool floats = a.isFloat() && b.isFloat() && (out.isFloat() || isTruth);
  bool quantized = a.quant && b.quant && (out.quant || isTruth);
  if (!floats && !quantized)
    return failure(op, "operands and result must all be f32, all be "
                       "quantized, or all have the same integer type");
  bool uniform = perTensor(a) && perTensor(b) && perTensor(out);
  if (uniform && function == Function::Add)
    return quantizedAdd(in, out);
  if (uniform && function == Function::Mul)
    return quantizedMul(in, out);
  bool isUnary = in.size() == 1;
  if (isUnary && out.quant)
    if (std::optional<HostTensor> result =
            lookup(function, parameters, in[0], out))
      return std::move(*result);
  if (floats && out.isFloat()) {
    HostTensor result = resultIn(in, out);
    compute(function, parameters, in, in.front().as<float>(),
            in.back().as<float>(), out, result.as<float>());
    return result;
  }
  std::vector<float> x = toReal(in.front()), y, z(out.size());
  if (!isUnary)
    y = toReal(in.back());
  compute(function, parameters, in, x.data(), y.data(), out, z.data());
  return fromReals(z, out);
}

/// The bytes of one of two operands.
static Evaluated where(nn::WhereOp op, Operands in, const TensorInfo &out) {
  Operand x = in[1], y = in[2];
  HostTensor converted[2];
  for (int i : {0, 1}) {
    Operand &operand = i ? y : x;
    TensorInfo to = out;
    to.shape = operand.info.shape;
    HostTensor tensor(operand.info.dtype, operand.info.shape);
    if (!tensor.data.empty())
      std::memcpy(tensor.data.data(), operand.data, tensor.data.size());
    Result<HostTensor> same =
        requantized(op, std::move(tensor), operand.info, to);
    if (!same)
      return same.takeError();
    converted[i] = std::move(*same);
    operand = {to, converted[i].data.data()};
  }
  size_t width = byteSize(out.dtype);
  HostTensor result(out.dtype, out.shape);
  // Which operand first, then where in it.
  std::vector<uint8_t> first(out.size());
  TensorInfo scalar;
  forBroadcast(out, in[0].info, scalar, [&](int64_t i, int64_t ic, int64_t) {
    first[i] = in[0].as<uint8_t>()[ic];
  });
  forBroadcast(out, x.info, y.info, [&](int64_t i, int64_t ix, int64_t iy) {
    std::memcpy(result.data.data() + i * width,
                first[i] ? x.data + ix * width : y.data + iy * width, width);
  });
  return result;
}

std::optional<EvaluatedAll> evaluateElementwise(Operation *op, Operands in,
                                                Outputs out) {
  return Family{op, in, out}
      .add<nn::ElementwiseOpInterface>(elementwise)
      .add<nn::WhereOp>(where)
      .take();
}

} // namespace cimc::reference
