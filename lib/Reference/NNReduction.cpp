//===- NNReduction.cpp - folds along axes -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Broadcast.h"
#include "NNOperations.h"

#include <limits>

using namespace mlir;

namespace cimc::reference {

using numerics::Function;

namespace {

/// What a fold starts with.
template <typename T> T neutral(Function function) {
  using Limits = std::numeric_limits<T>;
  switch (function) {
  case Function::Mul:
    return T(1);
  case Function::Max:
    return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  case Function::Min:
    return Limits::has_infinity ? Limits::infinity() : Limits::max();
  default:
    return T(0);
  }
}

/// One step of a fold. NaN wins, integers wrap.
template <typename T> T fold(Function function, T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (function == Function::Add)
      return static_cast<T>(static_cast<uint64_t>(a) +
                            static_cast<uint64_t>(b));
    if (function == Function::Mul)
      return static_cast<T>(static_cast<uint64_t>(a) *
                            static_cast<uint64_t>(b));
  }
  switch (function) {
  case Function::Add:
    return a + b;
  case Function::Mul:
    return a * b;
  case Function::Max:
    return b > a || b != b ? b : a;
  case Function::Min:
    return b < a || b != b ? b : a;
  default:
    return a;
  }
}

/// Calls fn with a value of the C++ type of f32 and plain integers.
template <typename Fn> bool visitNumber(const TensorInfo &info, Fn fn) {
  if (info.isFloat())
    return fn(float()), true;
  return !info.quant && visitInteger(info.dtype, fn);
}

/// Where an axis lies in memory.
struct Lines {
  int64_t length, inner, outer;
  Lines(const TensorInfo &info, int64_t axis)
      : length(info.shape[axis]), inner(1), outer(1) {
    for (int64_t i = 0; i < info.rank(); ++i)
      (i < axis ? outer : inner) *= i == axis ? 1 : info.shape[i];
  }
  /// Calls fn(number of the line, offset of its first element); elements are
  /// `inner` apart.
  template <typename Fn> void forEach(Fn fn) const {
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t i = 0; i < inner; ++i)
        fn(o * inner + i, o * length * inner + i);
  }
};

/// Real numbers where the operand is quantized: the result is quantized again
/// (R4).
struct Widened {
  std::vector<float> values;
  Operand operand;
  TensorInfo out;
  Widened(const Operand &in, const TensorInfo &result)
      : operand(in), out(result) {
    if (!in.info.quant || !result.quant)
      return;
    values = toReal(in);
    operand.info.quant.reset();
    operand.info.dtype = out.dtype = DType::F32;
    operand.data = reinterpret_cast<const std::byte *>(values.data());
    out.quant.reset();
  }
  HostTensor finish(HostTensor tensor, const TensorInfo &result) const {
    if (!result.quant)
      return tensor;
    return fromReal({tensor.as<float>(), tensor.as<float>() + tensor.size()},
                    result);
  }
};

Error wrongType(Operation *op) {
  return failure(op, "takes f32, quantized numbers or plain integers");
}

} // namespace

static Evaluated reduce(nn::ReductionOpInterface op, Operands in,
                        const TensorInfo &result) {
  Widened wide(in[0], result);
  const TensorInfo &input = wide.operand.info, &out = wide.out;
  Function function = op.getFunction();
  // The result with its reduced axes, which broadcast to the input.
  TensorInfo kept = out;
  kept.shape = input.shape;
  int64_t count = 1;
  for (int64_t axis : op.getAxes()) {
    count *= input.shape[axis];
    kept.shape[axis] = 1;
  }
  HostTensor tensor(out.dtype, out.shape);
  bool known = visitNumber(out, [&](auto tag) {
    using T = decltype(tag);
    const T *x = wide.operand.as<T>();
    T *y = tensor.as<T>();
    std::fill(y, y + out.size(), neutral<T>(function));
    forBroadcast(input, kept, kept, [&](int64_t i, int64_t o, int64_t) {
      y[o] = fold(function, y[o], x[i]);
    });
    if (isa<nn::ReduceMeanOp>(op.getOperation()))
      for (int64_t o = 0; o < out.size(); ++o)
        y[o] = std::is_integral_v<T> && count == 0
                   ? T(0)
                   : static_cast<T>(y[o] / static_cast<T>(count));
    if (out.dtype == DType::Bool)
      for (int64_t o = 0; o < out.size(); ++o)
        y[o] = y[o] != T(0);
  });
  if (!known)
    return wrongType(op);
  return wide.finish(std::move(tensor), result);
}

template <typename OpT>
static Evaluated argument(OpT op, Operands in, const TensorInfo &out) {
  constexpr bool isMax = std::is_same_v<OpT, nn::ArgMaxOp>;
  // The order of quantized numbers is that of their integers.
  TensorInfo input = in[0].info;
  input.quant.reset();
  Lines lines(input, static_cast<int64_t>(op.getAxis()));
  bool last = op.getLast();
  HostTensor tensor(out.dtype, out.shape);
  bool known = visitNumber(input, [&](auto tag) {
    const auto *x = in[0].as<decltype(tag)>();
    lines.forEach([&](int64_t line, int64_t offset) {
      int64_t best = 0;
      for (int64_t k = 1; k < lines.length; ++k) {
        auto value = x[offset + k * lines.inner];
        auto held = x[offset + best * lines.inner];
        bool better = isMax ? value > held : value < held;
        if (better || (last && value == held))
          best = k;
      }
      tensor.as<int64_t>()[line] = best;
    });
  });
  if (!known || out.dtype != DType::I64)
    return wrongType(op);
  return tensor;
}

template <typename OpT>
static Evaluated scan(OpT op, Operands in, const TensorInfo &result) {
  constexpr Function function =
      std::is_same_v<OpT, nn::CumSumOp> ? Function::Add : Function::Mul;
  Widened wide(in[0], result);
  const TensorInfo &input = wide.operand.info;
  Lines lines(input, static_cast<int64_t>(op.getAxis()));
  bool exclusive = op.getExclusive(), reverse = op.getReverse();
  HostTensor tensor(wide.out.dtype, wide.out.shape);
  bool known = visitNumber(wide.out, [&](auto tag) {
    using T = decltype(tag);
    const T *x = wide.operand.as<T>();
    lines.forEach([&](int64_t, int64_t offset) {
      T sum = neutral<T>(function);
      for (int64_t k = 0; k < lines.length; ++k) {
        int64_t i = offset + (reverse ? lines.length - 1 - k : k) * lines.inner;
        T next = fold(function, sum, x[i]);
        tensor.as<T>()[i] = exclusive ? sum : next;
        sum = next;
      }
    });
  });
  if (!known)
    return wrongType(op);
  return wide.finish(std::move(tensor), result);
}

std::optional<EvaluatedAll> evaluateReduction(Operation *op, Operands in,
                                              Outputs out) {
  return Family{op, in, out}
      .add<nn::ReductionOpInterface>(reduce)
      .add<nn::ArgMaxOp>(argument<nn::ArgMaxOp>)
      .add<nn::ArgMinOp>(argument<nn::ArgMinOp>)
      .add<nn::CumSumOp>(scan<nn::CumSumOp>)
      .add<nn::CumProdOp>(scan<nn::CumProdOp>)
      .take();
}

} // namespace cimc::reference
