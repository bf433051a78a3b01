//===- NNElementwise.cpp - functions of one and two values -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NNOperations.h"

#include <algorithm>
#include <cstring>
#include <limits>

using namespace mlir;

namespace cimc::reference {

using numerics::Function;

/// Float: the function. Quantized at 8 bits: a table (R8). Other quantized
/// types: the same steps without a table.
Evaluated unary(Operation *op, Function function, float alpha, float beta,
                Operands in, const TensorInfo &out) {
  const TensorInfo &input = in[0].info;
  int64_t n = out.size();
  if (input.isFloat() && out.isFloat()) {
    HostTensor result(DType::F32, out.shape);
    numerics::applyToAll(function, in[0].as<float>(), result.as<float>(), n,
                         alpha, beta);
    return result;
  }
  if (!input.quant || !out.quant)
    return failure(op, "operand and result must both be f32 or both be "
                       "quantized");
  if (input.isByteTensor() && out.isByteTensor()) {
    auto table = numerics::makeTable(
        function, alpha, beta, input.quant->scale(), input.quant->zero(),
        input.dtype == DType::I8, out.quant->scale(), out.quant->zero(),
        out.dtype == DType::I8);
    HostTensor result(out.dtype, out.shape);
    const auto &range = out.quant->range;
    bool narrow = range.min > (out.dtype == DType::I8 ? -128 : 0) ||
                  range.max < (out.dtype == DType::I8 ? 127 : 255);
    if (!narrow) {
      const uint8_t *from = in[0].as<uint8_t>();
      int8_t *to = result.as<int8_t>();
      for (int64_t i = 0; i < n; ++i)
        to[i] = table[from[i]];
      return result;
    }
  }
  std::vector<float> values = toReal(in[0]);
  numerics::applyToAll(function, values.data(), values.data(), n, alpha, beta);
  return fromReal(values, out);
}

namespace {

/// Calls fn(i, a, b) with the flat indices of the result and of two operands
/// that broadcast to it like numpy's.
template <typename Fn>
void forBroadcast(const TensorInfo &out, const TensorInfo &a,
                  const TensorInfo &b, Fn fn) {
  size_t rank = out.shape.size();
  int64_t n = out.size();
  if (n == 0)
    return;
  auto stridesOf = [&](const TensorInfo &info) {
    std::vector<int64_t> strides(rank, 0);
    int64_t stride = 1;
    for (size_t i = 1; i <= info.shape.size() && i <= rank; ++i) {
      int64_t extent = info.shape[info.shape.size() - i];
      strides[rank - i] = extent == 1 ? 0 : stride;
      stride *= extent;
    }
    return strides;
  };
  std::vector<int64_t> strideA = stridesOf(a), strideB = stridesOf(b);
  int64_t inner = rank ? out.shape[rank - 1] : 1;
  int64_t stepA = rank ? strideA[rank - 1] : 0;
  int64_t stepB = rank ? strideB[rank - 1] : 0;
  std::vector<int64_t> index(rank, 0);
  int64_t baseA = 0, baseB = 0;
  for (int64_t i = 0; i < n; i += inner) {
    for (int64_t j = 0; j < inner; ++j)
      fn(i + j, baseA + j * stepA, baseB + j * stepB);
    for (size_t axis = rank; axis-- > 1;) {
      size_t outer = axis - 1;
      baseA += strideA[outer];
      baseB += strideB[outer];
      if (++index[outer] < out.shape[outer])
        break;
      baseA -= strideA[outer] * out.shape[outer];
      baseB -= strideB[outer] * out.shape[outer];
      index[outer] = 0;
    }
  }
}

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

/// Integer tensors without parameters: shape arithmetic in imported graphs.
/// Nothing for functions without an exact meaning.
template <typename T>
std::optional<T> integerFunction(Function function, T a, T b) {
  using U = std::make_unsigned_t<T>;
  switch (function) {
  case Function::Add:
    return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
  case Function::Sub:
    return static_cast<T>(static_cast<U>(a) - static_cast<U>(b));
  case Function::Mul:
    // In 64 bits: int would overflow for 16-bit operands.
    return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  case Function::Div:
    if (b == 0 || (std::is_signed_v<T> && b == T(-1) &&
                   a == std::numeric_limits<T>::min()))
      return std::nullopt;
    return static_cast<T>(a / b);
  case Function::Max:
    return std::max(a, b);
  case Function::Min:
    return std::min(a, b);
  default:
    return std::nullopt;
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

} // namespace

/// Float: the function. Quantized: R5 and R6 for sums and products, else R4
/// around the fp32 function. Integers without parameters: exact.
Evaluated binary(Operation *op, Function function, Operands in,
                 const TensorInfo &out) {
  const TensorInfo &a = in[0].info, &b = in[1].info;
  bool floats = a.isFloat() && b.isFloat() && out.isFloat();
  if (floats) {
    HostTensor result(DType::F32, out.shape);
    const float *x = in[0].as<float>(), *y = in[1].as<float>();
    float *z = result.as<float>();
    withFloatFunction(function, [&](auto fn) {
      forBroadcast(out, a, b, [&](int64_t i, int64_t ia, int64_t ib) {
        z[i] = fn(x[ia], y[ib]);
      });
    });
    return result;
  }
  if (a.quant && b.quant && out.quant) {
    bool uniform = perTensor(a) && perTensor(b) && perTensor(out);
    if (uniform && function == Function::Add)
      return quantizedAdd(in, out);
    if (uniform && function == Function::Mul)
      return quantizedMul(in, out);
    std::vector<float> x = toReal(in[0]), y = toReal(in[1]);
    std::vector<float> z(out.size());
    withFloatFunction(function, [&](auto fn) {
      forBroadcast(out, a, b, [&](int64_t i, int64_t ia, int64_t ib) {
        z[i] = fn(x[ia], y[ib]);
      });
    });
    return fromReal(z, out);
  }
  if (!a.quant && !b.quant && !out.quant && a.dtype == b.dtype &&
      a.dtype == out.dtype) {
    HostTensor result(out.dtype, out.shape);
    bool exact = true;
    bool integers = visitInteger(a.dtype, [&](auto tag) {
      using T = decltype(tag);
      forBroadcast(out, a, b, [&](int64_t i, int64_t ia, int64_t ib) {
        std::optional<T> value =
            integerFunction<T>(function, in[0].as<T>()[ia], in[1].as<T>()[ib]);
        exact &= value.has_value();
        result.as<T>()[i] = value.value_or(T(0));
      });
    });
    if (integers && exact)
      return result;
    if (integers)
      return failure(op, "has no exact integer result (division by zero or a "
                         "function of real numbers)");
  }
  return failure(op,
                 "operands and result must all be f32, all be quantized, or "
                 "all have the same integer type");
}

} // namespace cimc::reference
