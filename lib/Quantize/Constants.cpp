//===- Constants.cpp - quantized types and constants ------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Constants.h"

#include "llvm/ADT/StringMap.h"

#include "cimc/Reference/Evaluator.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"

#include <cmath>

using namespace mlir;

namespace cimc::quantization {

Type elementType(Value value) { return getElementTypeOrSelf(value.getType()); }

quant::UniformQuantizedType activationType(Type type) {
  auto uniform = dyn_cast<quant::UniformQuantizedType>(type);
  if (!uniform || uniform.getStorageTypeIntegralWidth() != 8 ||
      !uniform.getExpressedType().isF32())
    return {};
  return uniform;
}

bool isInputType(Type type) {
  auto uniform = dyn_cast<quant::UniformQuantizedType>(type);
  return uniform && uniform.getStorageTypeIntegralWidth() <= 16 &&
         uniform.getStorageTypeIntegralWidth() >= 8 &&
         uniform.getExpressedType().isF32();
}

std::optional<Scales> scalesOf(Type type) {
  Scales result;
  if (auto uniform = dyn_cast<quant::UniformQuantizedType>(type)) {
    result.scale = {static_cast<float>(uniform.getScale())};
    result.zero = {static_cast<int32_t>(uniform.getZeroPoint())};
    return result;
  }
  if (auto axis = dyn_cast<quant::UniformQuantizedPerAxisType>(type)) {
    for (double scale : axis.getScales())
      result.scale.push_back(static_cast<float>(scale));
    for (int64_t zero : axis.getZeroPoints())
      result.zero.push_back(static_cast<int32_t>(zero));
    result.axis = axis.getQuantizedDimension();
    return result;
  }
  return std::nullopt;
}

Type signedType(MLIRContext *context, unsigned storageBits, int64_t minimum,
                int64_t maximum, const Scales &scales) {
  auto storage = IntegerType::get(context, storageBits);
  Type expressed = Float32Type::get(context);
  if (scales.axis < 0)
    return quant::UniformQuantizedType::get(quant::QuantizationFlags::Signed,
                                            storage, expressed, scales.scale[0],
                                            scales.zero[0], minimum, maximum);
  std::vector<double> factors(scales.scale.begin(), scales.scale.end());
  std::vector<int64_t> zeros(scales.zero.begin(), scales.zero.end());
  return quant::UniformQuantizedPerAxisType::get(
      quant::QuantizationFlags::Signed, storage, expressed, factors, zeros,
      scales.axis, minimum, maximum);
}

quant::UniformQuantizedType unsignedType(MLIRContext *context, float scale,
                                         int32_t zero) {
  return quant::UniformQuantizedType::get(0, IntegerType::get(context, 8),
                                          Float32Type::get(context), scale,
                                          zero, 0, 255);
}

numerics::Range storageRange(quant::QuantizedType type) {
  return {static_cast<int32_t>(type.getStorageTypeMin()),
          static_cast<int32_t>(type.getStorageTypeMax())};
}

nn::ConstantOp constantOf(Value value) {
  return value.getDefiningOp<nn::ConstantOp>();
}

std::vector<int32_t> readIntegers(nn::ConstantOp op) {
  HostTensor tensor = toHostTensor(op.getValue());
  // Signless bytes may hold unsigned integers: the type decides.
  bool isUnsigned = tensor.type == DType::U8 || tensor.type == DType::U16 ||
                    tensor.type == DType::Bool;
  if (auto type = dyn_cast<quant::QuantizedType>(elementType(op.getResult())))
    isUnsigned = !type.isSigned();
  std::vector<int32_t> values(tensor.size());
  for (size_t i = 0; i < values.size(); ++i) {
    switch (byteSize(tensor.type)) {
    case 1:
      values[i] = isUnsigned ? tensor.as<uint8_t>()[i] : tensor.as<int8_t>()[i];
      break;
    case 2:
      values[i] =
          isUnsigned ? tensor.as<uint16_t>()[i] : tensor.as<int16_t>()[i];
      break;
    case 4:
      values[i] = tensor.as<int32_t>()[i];
      break;
    default:
      values[i] = static_cast<int32_t>(tensor.as<int64_t>()[i]);
    }
  }
  return values;
}

std::vector<float> readFloats(nn::ConstantOp op) {
  if (!elementType(op.getResult()).isF32())
    return {};
  HostTensor tensor = toHostTensor(op.getValue());
  const float *values = tensor.as<float>();
  return std::vector<float>(values, values + tensor.size());
}

std::vector<float> readReals(nn::ConstantOp op) {
  std::optional<Scales> scales = scalesOf(elementType(op.getResult()));
  if (!scales)
    return readFloats(op);
  std::vector<int32_t> integers = readIntegers(op);
  std::vector<float> reals(integers.size());
  forEachOnAxis(cast<ShapedType>(op.getResult().getType()).getShape(),
                scales->axis, [&](int64_t i, int64_t position) {
                  reals[i] = numerics::dequantize(integers[i],
                                                  scales->scaleAt(position),
                                                  scales->zeroAt(position));
                });
  return reals;
}

Value makeIntegers(OpBuilder &builder, Location loc, RankedTensorType type,
                   const std::vector<int32_t> &values, StringRef name) {
  Type element = type.getElementType();
  unsigned bits = 32;
  if (auto quantized = dyn_cast<quant::QuantizedType>(element))
    bits = quantized.getStorageTypeIntegralWidth();
  HostTensor tensor(
      bits == 8 ? DType::I8 : DType::I32,
      std::vector<int64_t>(type.getShape().begin(), type.getShape().end()));
  for (size_t i = 0; i < values.size(); ++i) {
    if (bits == 8)
      tensor.as<int8_t>()[i] = static_cast<int8_t>(values[i]);
    else
      tensor.as<int32_t>()[i] = values[i];
  }
  return nn::ConstantOp::create(
      builder, loc, type, toElementsAttr(tensor, builder.getContext(), name));
}

Value quantizeSplat(OpBuilder &builder, Value value, bool isSigned) {
  nn::ConstantOp constant = constantOf(value);
  if (!constant)
    return {};
  std::vector<float> values = readFloats(constant);
  if (values.empty() || !std::isfinite(values[0]))
    return {};
  for (float other : values)
    if (other != values[0])
      return {};
  float number = values[0];
  float scale = number == 0 ? 1.0f : std::fabs(number);
  int32_t zero = !isSigned && number < 0 ? 1 : 0;
  int32_t integer = (number > 0 ? 1 : number < 0 ? -1 : 0) + zero;
  if (!std::isnormal(scale))
    return {};
  Scales scales;
  scales.scale = {scale};
  scales.zero = {zero};
  Type element = isSigned
                     ? signedType(builder.getContext(), 8, -128, 127, scales)
                     : Type(unsignedType(builder.getContext(), scale, zero));
  auto shape = cast<ShapedType>(value.getType()).getShape();
  return makeIntegers(builder, constant.getLoc(),
                      RankedTensorType::get(shape, element),
                      std::vector<int32_t>(values.size(), integer), "number");
}

namespace {
std::string nameIn(Location loc) {
  if (auto named = dyn_cast<NameLoc>(loc))
    return named.getName().str();
  if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations()) {
      std::string name = nameIn(part);
      if (!name.empty())
        return name;
    }
  return "";
}
} // namespace

std::string nodeName(Operation *op) {
  std::string name = nameIn(op->getLoc());
  return name.empty() ? op->getName().getStringRef().str() : name;
}

NodeNames::NodeNames(func::FuncOp entry) : entry(entry) {
  llvm::StringMap<int> seen;
  for (Operation &op : entry.front()) {
    if (isa<nn::ConstantOp>(op))
      continue;
    std::string name = nodeName(&op);
    int count = ++seen[name];
    names[&op] = count == 1 ? name : name + "#" + std::to_string(count);
  }
}

std::string NodeNames::of(Value value) const {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto name =
        entry.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "nn.name");
    return name ? name.getValue().str()
                : "input " + std::to_string(argument.getArgNumber());
  }
  auto result = cast<OpResult>(value);
  std::string name = of(result.getOwner());
  return result.getResultNumber() == 0
             ? name
             : name + ":" + std::to_string(result.getResultNumber());
}

} // namespace cimc::quantization
