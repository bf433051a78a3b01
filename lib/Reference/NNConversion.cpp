//===- NNConversion.cpp - types, conversions between them -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NNOperations.h"

#include "cimc/Reference/Elements.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"

#include <algorithm>
#include <cstring>
#include <limits>

using namespace mlir;

namespace cimc::reference {

int64_t TensorInfo::size() const {
  int64_t n = 1;
  for (int64_t extent : shape)
    n *= extent;
  return n;
}

std::optional<TensorInfo> describe(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.hasStaticShape())
    return std::nullopt;
  TensorInfo info;
  info.shape = tensor.getShape().vec();
  Type element = tensor.getElementType();
  std::optional<DType> dtype = hostDType(element);
  if (!dtype)
    return std::nullopt;
  info.dtype = *dtype;
  auto quantized = dyn_cast<quant::QuantizedType>(element);
  if (!quantized)
    return info;
  Quantization q;
  q.range = {static_cast<int32_t>(quantized.getStorageTypeMin()),
             static_cast<int32_t>(quantized.getStorageTypeMax())};
  if (auto uniform = dyn_cast<quant::UniformQuantizedType>(element)) {
    q.scales = {static_cast<float>(uniform.getScale())};
    q.zeros = {static_cast<int32_t>(uniform.getZeroPoint())};
  } else if (auto perAxis =
                 dyn_cast<quant::UniformQuantizedPerAxisType>(element)) {
    q.axis = perAxis.getQuantizedDimension();
    for (double scale : perAxis.getScales())
      q.scales.push_back(static_cast<float>(scale));
    for (int64_t zero : perAxis.getZeroPoints())
      q.zeros.push_back(static_cast<int32_t>(zero));
    if (q.axis >= info.rank() ||
        static_cast<int64_t>(q.scales.size()) != info.shape[q.axis])
      return std::nullopt;
  } else {
    return std::nullopt;
  }
  info.quant = std::move(q);
  return info;
}

Error failure(Operation *op, const std::string &what, ExitCode code) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  op->getLoc().print(stream);
  stream << ": '" << op->getName() << "': " << what;
  return {code, text};
}

/// Calls fn(element, scale, zero) for all elements; channels only where needed.
template <typename Fn> static void forElements(const TensorInfo &info, Fn fn) {
  const Quantization &q = *info.quant;
  int64_t n = info.size();
  if (!q.perAxis()) {
    for (int64_t i = 0; i < n; ++i)
      fn(i, q.scales[0], q.zeros[0]);
    return;
  }
  int64_t inner = 1;
  for (int64_t axis = q.axis + 1; axis < info.rank(); ++axis)
    inner *= info.shape[axis];
  int64_t channels = info.shape[q.axis];
  for (int64_t begin = 0; begin < n; begin += inner) {
    int64_t channel = begin / inner % channels;
    for (int64_t i = begin; i < begin + inner; ++i)
      fn(i, q.scales[channel], q.zeros[channel]);
  }
}

std::vector<float> toReal(const Operand &operand) {
  int64_t n = operand.info.size();
  std::vector<float> values(n);
  if (!operand.info.quant) {
    if (operand.info.dtype == DType::F32 && n)
      std::memcpy(values.data(), operand.data, n * sizeof(float));
    return values;
  }
  visitInteger(operand.info.dtype, [&](auto tag) {
    const auto *q = operand.as<decltype(tag)>();
    forElements(operand.info, [&](int64_t i, float scale, int32_t zero) {
      values[i] = numerics::dequantize(static_cast<int32_t>(q[i]), scale, zero);
    });
  });
  return values;
}

HostTensor fromReal(const std::vector<float> &values, const TensorInfo &out) {
  HostTensor tensor(out.dtype, out.shape);
  if (!out.quant) {
    if (out.dtype == DType::F32 && !values.empty())
      std::memcpy(tensor.data.data(), values.data(), tensor.data.size());
    return tensor;
  }
  visitInteger(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    T *q = tensor.as<T>();
    forElements(out, [&](int64_t i, float scale, int32_t zero) {
      q[i] = static_cast<T>(
          numerics::quantize(values[i], scale, zero, out.quant->range));
    });
  });
  return tensor;
}

std::vector<int32_t> toIntegers(const Operand &operand) {
  std::vector<int32_t> values(operand.info.size());
  visitInteger(operand.info.dtype, [&](auto tag) {
    const auto *q = operand.as<decltype(tag)>();
    std::transform(q, q + values.size(), values.begin(),
                   [](auto v) { return static_cast<int32_t>(v); });
  });
  return values;
}

HostTensor fromIntegers(const std::vector<int32_t> &values,
                        const TensorInfo &out) {
  HostTensor tensor(out.dtype, out.shape);
  visitInteger(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    std::transform(values.begin(), values.end(), tensor.as<T>(),
                   [](int32_t v) { return static_cast<T>(v); });
  });
  return tensor;
}

Result<HostTensor> requantized(Operation *op, HostTensor tensor,
                               const TensorInfo &in, const TensorInfo &out) {
  if (in.quant.has_value() != out.quant.has_value() ||
      (!in.quant && in.dtype != out.dtype))
    return failure(op, "operand and result must both be quantized or have the "
                       "same element type");
  if (!in.quant ||
      (in.dtype == out.dtype && in.quant->sameParameters(*out.quant))) {
    tensor.shape = out.shape;
    return tensor;
  }
  if (in.quant->perAxis() || out.quant->perAxis())
    return failure(op, "cannot change the parameters of a tensor that is "
                       "quantized per axis");
  TensorInfo source = in;
  source.shape = out.shape;
  return fromReal(toReal({source, tensor.data.data()}), out);
}

/// R4, per tensor or per axis.
static Evaluated quantize(nn::QuantizeOp op, Operands in,
                          const TensorInfo &out) {
  if (!in[0].info.isFloat() || !out.quant)
    return failure(op, "takes f32 and gives a quantized type");
  return fromReal(toReal(in[0]), out);
}

/// R4, per tensor or per axis.
static Evaluated dequantize(nn::DequantizeOp op, Operands in,
                            const TensorInfo &out) {
  if (!in[0].info.quant || !out.isFloat())
    return failure(op, "takes a quantized type and gives f32");
  return fromReal(toReal(in[0]), out);
}

/// Calls fn with a value of the C++ type of an unquantized element type other
/// than f16.
template <typename Fn> static bool visitNumber(DType type, Fn &&fn) {
  if (type == DType::F32)
    return fn(float()), true;
  if (type == DType::F64)
    return fn(double()), true;
  return visitInteger(type, fn);
}

template <typename To, typename From> static To castValue(From value) {
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // Toward zero; what does not fit saturates, NaN becomes 0.
    if (!(value == value))
      return 0;
    constexpr double high = static_cast<double>(std::numeric_limits<To>::max());
    constexpr double low = static_cast<double>(std::numeric_limits<To>::min());
    if (value >= high)
      return std::numeric_limits<To>::max();
    if (value <= low)
      return std::numeric_limits<To>::min();
  }
  return static_cast<To>(value);
}

/// Numeric conversion: floats truncate toward zero and saturate, integers wrap,
/// booleans are "not zero".
static Evaluated cast(nn::CastOp op, Operands in, const TensorInfo &out) {
  const TensorInfo &from = in[0].info;
  if (from.quant || out.quant || from.dtype == DType::F16 ||
      out.dtype == DType::F16)
    return failure(op, std::string("cannot convert ") + name(from.dtype) +
                           " to " + name(out.dtype) +
                           " (f16 and quantized types are not handled)");
  HostTensor tensor(out.dtype, out.shape);
  int64_t n = out.size();
  visitNumber(from.dtype, [&](auto fromTag) {
    visitNumber(out.dtype, [&](auto toTag) {
      using To = decltype(toTag);
      const auto *source = in[0].as<decltype(fromTag)>();
      To *target = tensor.as<To>();
      for (int64_t i = 0; i < n; ++i)
        target[i] = out.dtype == DType::Bool ? static_cast<To>(source[i] != 0)
                                             : castValue<To>(source[i]);
    });
  });
  return tensor;
}

std::optional<EvaluatedAll> evaluateConversion(Operation *op, Operands in,
                                               Outputs out) {
  return Family{op, in, out}
      .add<nn::QuantizeOp>(quantize)
      .add<nn::DequantizeOp>(dequantize)
      .add<nn::CastOp>(cast)
      .result;
}

} // namespace cimc::reference
