//===- NNConversion.cpp - types, conversions between them -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NNOperations.h"

#include "cimc/Reference/Elements.h"
#include "cimc/Support/SmallFloat.h"

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

/// Bits of the integer types that do not fill their bytes; 0 for others.
static int narrowBits(DType type) {
  switch (type) {
  case DType::I4:
  case DType::U4:
    return 4;
  case DType::I2:
  case DType::U2:
    return 2;
  default:
    return 0;
  }
}

/// Toward zero; what does not fit saturates, NaN becomes 0.
template <typename To, typename From> static To truncated(From value) {
  constexpr double high = static_cast<double>(std::numeric_limits<To>::max());
  constexpr double low = static_cast<double>(std::numeric_limits<To>::min());
  if (!(value == value))
    return 0;
  if (value >= high)
    return std::numeric_limits<To>::max();
  if (value <= low)
    return std::numeric_limits<To>::min();
  return static_cast<To>(value);
}

template <typename To, typename From>
static To castValue(From value, DType type) {
  if (type == DType::Bool)
    return static_cast<To>(value != 0);
  if constexpr (!std::is_integral_v<To>) {
    return static_cast<To>(value);
  } else {
    int bits = narrowBits(type);
    if (!bits) {
      if constexpr (std::is_floating_point_v<From>)
        return truncated<To>(value);
      else
        return static_cast<To>(value);
    }
    // The low bits of an integer; of a float, those of its int32.
    int64_t wide;
    if constexpr (std::is_floating_point_v<From>)
      wide = truncated<int32_t>(value);
    else
      wide = static_cast<int64_t>(value);
    wide &= (1 << bits) - 1;
    if (std::is_signed_v<To> && wide >> (bits - 1))
      wide -= 1 << bits;
    return static_cast<To>(wide);
  }
}

static float smallFloatAt(const Operand &operand, int64_t i) {
  DType type = operand.info.dtype;
  return fromSmallFloat(type, byteSize(type) == 2 ? operand.as<uint16_t>()[i]
                                                  : operand.as<uint8_t>()[i]);
}

static Evaluated cast(nn::CastOp op, Operands in, const TensorInfo &out) {
  Operand source = in[0];
  if (source.info.quant || out.quant)
    return failure(op, "does not convert quantized types");
  int64_t n = out.size();
  std::vector<float> wide;
  if (isSmallFloat(source.info.dtype)) {
    wide.resize(n);
    for (int64_t i = 0; i < n; ++i)
      wide[i] = smallFloatAt(source, i);
    source.info.dtype = DType::F32;
    source.data = reinterpret_cast<const std::byte *>(wide.data());
  }
  HostTensor tensor(out.dtype, out.shape);
  bool saturate = op.getSaturate();
  visitNumber(source.info.dtype, [&](auto fromTag) {
    const auto *from = source.as<decltype(fromTag)>();
    if (isSmallFloat(out.dtype)) {
      size_t width = byteSize(out.dtype);
      for (int64_t i = 0; i < n; ++i) {
        uint16_t bits =
            toSmallFloat(out.dtype, static_cast<float>(from[i]), saturate);
        std::memcpy(tensor.data.data() + i * width, &bits, width);
      }
      return;
    }
    visitNumber(out.dtype, [&](auto toTag) {
      using To = decltype(toTag);
      To *to = tensor.as<To>();
      for (int64_t i = 0; i < n; ++i)
        to[i] = castValue<To>(from[i], out.dtype);
    });
  });
  return tensor;
}

static Evaluated bitCast(nn::BitCastOp, Operands in, const TensorInfo &out) {
  HostTensor tensor(out.dtype, out.shape);
  std::memcpy(tensor.data.data(), in[0].data, tensor.data.size());
  return tensor;
}

std::optional<EvaluatedAll> evaluateConversion(Operation *op, Operands in,
                                               Outputs out) {
  return Family{op, in, out}
      .add<nn::QuantizeOp>(quantize)
      .add<nn::DequantizeOp>(dequantize)
      .add<nn::CastOp>(cast)
      .add<nn::BitCastOp>(bitCast)
      .take();
}

} // namespace cimc::reference
