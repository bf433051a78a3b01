//===- QuantizedOps.cpp - quantization -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// QDQ pairs are taken as they are. An operator with integer operands (QLinear*)
// becomes the same thing: dequantize, the float operation, quantize, which
// --nn-fuse-qdq fuses back.
//
//===----------------------------------------------------------------------===//

#include "QuantizedTypes.h"

#include <cmath>

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

/// What quantized types can be stored as.
static bool isStorage(DType type) {
  switch (type) {
  case DType::I8:
  case DType::U8:
  case DType::I16:
  case DType::U16:
  case DType::I32:
  case DType::I4:
  case DType::U4:
  case DType::I2:
  case DType::U2:
    return true;
  default:
    return false;
  }
}

/// Storage width and limits in MLIR's terms.
static Type uniformType(Node &node, DType storage, ArrayRef<double> scales,
                        ArrayRef<int64_t> zeros, std::optional<int64_t> axis) {
  bool isSigned = storage != DType::U8 && storage != DType::U16 &&
                  storage != DType::U4 && storage != DType::U2;
  unsigned width =
      elementTypeOf(node.context(), storage).getIntOrFloatBitWidth();
  unsigned flags = isSigned ? quant::QuantizationFlags::Signed : 0;
  auto integer = IntegerType::get(node.context(), width);
  int64_t min =
      quant::QuantizedType::getDefaultMinimumForInteger(isSigned, width);
  int64_t max =
      quant::QuantizedType::getDefaultMaximumForInteger(isSigned, width);
  auto emit = [&] { return emitError(node.loc); };
  Type type;
  if (axis)
    type = quant::UniformQuantizedPerAxisType::getChecked(
        emit, flags, integer, node.f32(), scales, zeros, *axis, min, max);
  else
    type = quant::UniformQuantizedType::getChecked(
        emit, flags, integer, node.f32(), scales[0], zeros[0], min, max);
  if (!type)
    throw Failure{{ExitCode::Unsupported, ""}};
  return type;
}

Type onnx_import::quantizedType(Node &node, size_t scaleInput, DType storage,
                                ArrayRef<int64_t> shape, int64_t axis) {
  const Constant &scale = node.requireConstant(scaleInput, "the scale");
  if (!isFloat(scale.type))
    failInvalid("the scale '{}' is {}, not a float", node.inputName(scaleInput),
                name(scale.type));
  if (scale.shape.size() > 1)
    failUnsupported("the scale '{}' has shape {}; quantization in blocks is "
                    "not supported",
                    node.inputName(scaleInput), shapeString(scale.shape));
  if (!isStorage(storage))
    failUnsupported("quantization to {} is not supported", name(storage));
  int64_t count = scale.size();
  SmallVector<double> scales;
  for (int64_t i = 0; i < count; ++i) {
    auto value = static_cast<float>(realAt(scale, i));
    if (!std::isfinite(value) || !(value > 0))
      failInvalid("the scale '{}' holds {}; scales are positive and finite",
                  node.inputName(scaleInput), value);
    scales.push_back(value);
  }
  SmallVector<int64_t> zeros(count, 0);
  if (node.hasInput(scaleInput + 1)) {
    const Constant &zero =
        node.requireConstant(scaleInput + 1, "the zero point");
    if (zero.type != storage)
      failInvalid("the zero point '{}' is {} but the integers are {}",
                  node.inputName(scaleInput + 1), name(zero.type),
                  name(storage));
    if (zero.size() != count && zero.size() != 1)
      failInvalid("there are {} scales but {} zero points", count, zero.size());
    for (int64_t i = 0; i < count; ++i)
      zeros[i] = integerAt(zero, zero.size() == 1 ? 0 : i);
  }
  if (count == 1)
    return uniformType(node, storage, scales, zeros, std::nullopt);
  axis = node.axis(axis, shape.size());
  if (shape[axis] != count)
    failInvalid("there are {} scales along axis {} of shape {}; it needs {}",
                count, axis, shapeString(Shape(shape.begin(), shape.end())),
                shape[axis]);
  return uniformType(node, storage, scales, zeros, axis);
}

Type onnx_import::peekQuantizedType(Node &node, size_t i, DType storage) {
  try {
    const Constant *scale =
        node.hasInput(i + 1) ? node.constant(i + 1) : nullptr;
    if (!scale || scale->size() != 1)
      return {};
    return quantizedType(node, i + 1, storage, {}, 0);
  } catch (const Failure &) {
    // The node itself will say so, or its scale is computed later.
    return {};
  }
}

//===----------------------------------------------------------------------===//
// Reading and writing integers
//===----------------------------------------------------------------------===//

/// The integer input `i` with the type `type`; constants take it, computed
/// values must have it.
static Value integersAs(Node &node, size_t i, Type type) {
  if (const Constant *c = node.constant(i)) {
    if (c->size() == 0)
      failUnsupported("'{}' has no elements", node.inputName(i));
    return node.emitConstant(*c, type, node.inputName(i));
  }
  Value value = node.value(i);
  if (elementType(value) == type)
    return value;
  if (!isa<quant::QuantizedType>(elementType(value)))
    failUnsupported("'{}' holds integers of unknown scale", node.inputName(i));
  failUnsupported("'{}' is read with another scale or zero point than it was "
                  "quantized with",
                  node.inputName(i));
}

Value onnx_import::dequantized(Node &node, size_t i, int64_t axis) {
  Shape shape = node.shape(i);
  Type type = quantizedType(node, i + 1, node.dtype(i), shape, axis);
  return node.emit<nn::DequantizeOp>(node.f32(), integersAs(node, i, type));
}

/// The type of zero point input `i`, or `otherwise` without one.
static DType zeroType(Node &node, size_t i, DType otherwise) {
  return node.hasInput(i) ? node.dtype(i) : otherwise;
}

void onnx_import::quantizeResult(Node &node, Value real, size_t scaleInput,
                                 DType otherwise) {
  DType storage = zeroType(node, scaleInput + 1, otherwise);
  Shape shape(tensorType(real).getShape());
  Type type = quantizedType(node, scaleInput, storage, shape, 0);
  if (isa<quant::UniformQuantizedPerAxisType>(type))
    failUnsupported("the result has several scales");
  node.setResult(node.emit<nn::QuantizeOp>(type, real));
}

/// Whether scale and zero point are those of a quantized type: constants, per
/// tensor or axis, positive.
static bool hasUniformScale(Node &node, size_t i, DType storage) {
  const Constant *scale = node.constant(i);
  if (!scale || scale->shape.size() > 1 || !isStorage(storage) ||
      node.getInt("block_size", 0))
    return false;
  return !node.hasInput(i + 1) || node.constant(i + 1);
}

/// Scale or zero point as a tensor that broadcasts to an input of shape
/// `shape`: one number, one for each index along `axis`, or one for each block
/// of `block` indices.
static Value spread(Node &node, Value value, const Shape &shape, int64_t axis,
                    int64_t block) {
  Shape own(tensorType(value).getShape());
  int64_t rank = shape.size();
  if (tensorType(value).getNumElements() == 1)
    return node.reshape(value, {});
  axis = node.axis(axis, rank);
  if (own.size() == 1) {
    if (own[0] != shape[axis])
      failInvalid("there are {} scales or zero points along axis {} of shape "
                  "{}; it needs {}",
                  own[0], axis, shapeString(shape), shape[axis]);
    Shape along(rank, 1);
    along[axis] = own[0];
    return node.reshape(value, along);
  }
  if (block < 1 || static_cast<int64_t>(own.size()) != rank ||
      own[axis] != (shape[axis] + block - 1) / block)
    failInvalid("scales of shape {} do not fit an input of shape {} in blocks "
                "of {} along axis {}",
                shapeString(own), shapeString(shape), block, axis);
  // [.., blocks, ..] to [.., blocks, block, ..]: every number block times.
  Shape split = own;
  split.insert(split.begin() + axis + 1, 1);
  Shape ones(rank + 1, 1);
  ones[axis + 1] = block;
  Value repeated = node.like<nn::AddOp>(
      {node.reshape(value, split),
       node.emitConstant(
           makeConstant(DType::F32, ones, std::string(4 * block, '\0')),
           node.f32(), "")});
  own[axis] *= block;
  repeated = node.reshape(repeated, own);
  if (own[axis] == shape[axis])
    return repeated;
  return node.like<nn::SliceOp>(repeated, {node.attr("starts", Shape(rank, 0)),
                                           node.attr("sizes", shape),
                                           node.attr("steps", Shape(rank, 1))});
}

/// A number of any plain type as f32.
static Value asFloat(Node &node, size_t i) {
  return node.cast(node.number(i), node.f32());
}

/// The integers of a value computed in f32.
static Value saturated(Node &node, Value rounded, DType storage) {
  Type type = elementTypeOf(node.context(), storage);
  if (isFloat(storage))
    return node.cast(rounded, type, node.getInt("saturate", 1));
  unsigned width = type.getIntOrFloatBitWidth();
  bool isUnsigned = type.isUnsignedInteger();
  float most = std::ldexp(1.0f, static_cast<int>(width - !isUnsigned)) - 1;
  float least = isUnsigned ? 0 : -most - 1;
  Value clipped = node.like<nn::ClipOp>(
      rounded, {node.attr("min", least), node.attr("max", most)});
  return node.cast(clipped, type);
}

void onnx_import::importQuantizeLinear(Node &node) {
  Value input = node.number(0);
  int64_t axis = node.getInt("axis", 1);
  node.ignore("saturate");  // for 8-bit floats
  node.ignore("precision"); // the division is always one of single precision
  int64_t block = node.getInt("block_size", 0);
  int64_t stated = node.getInt("output_dtype", 0);
  DType storage = stated ? fromOnnxType(stated, "the result") : DType::U8;
  storage = zeroType(node, 2, storage);
  if (stated && fromOnnxType(stated, "the result") != storage)
    failInvalid("output_dtype is {} but the zero point is {}",
                onnxTypeName(stated), name(storage));
  if (storage == DType::I32)
    failInvalid("the result cannot be int32");
  node.resultFloat = DType::F32;
  input = node.cast(input, node.f32());
  if (hasUniformScale(node, 1, storage)) {
    Type type = quantizedType(node, 1, storage, node.shape(0), axis);
    return node.setResult(node.emit<nn::QuantizeOp>(type, input));
  }
  Shape shape = node.shape(0);
  Value scaled = node.like<nn::DivOp>(
      {input, spread(node, asFloat(node, 1), shape, axis, block)});
  if (!isFloat(storage))
    scaled = node.like<nn::RoundOp>(scaled);
  if (node.hasInput(2))
    scaled = node.like<nn::AddOp>(
        {scaled, spread(node, asFloat(node, 2), shape, axis, block)});
  node.setResult(saturated(node, scaled, storage));
}

void onnx_import::importDequantizeLinear(Node &node) {
  int64_t axis = node.getInt("axis", 1);
  int64_t block = node.getInt("block_size", 0);
  int64_t stated = node.getInt("output_dtype", 0);
  node.resultFloat =
      stated ? fromOnnxType(stated, "the result") : node.dtype(1);
  // Integers that are computed have no quantized type.
  bool isTyped =
      node.constant(0) || nn::isQuantized(elementType(node.value(0)));
  if (isTyped && hasUniformScale(node, 1, node.dtype(0)))
    return node.setResult(dequantized(node, 0, axis));
  if (node.hasInput(2) && node.dtype(2) != node.dtype(0))
    failInvalid("the zero point '{}' is {} but the integers are {}",
                node.inputName(2), name(node.dtype(2)), name(node.dtype(0)));
  Shape shape = node.shape(0);
  Value value = asFloat(node, 0);
  if (node.hasInput(2))
    value = node.like<nn::SubOp>(
        {value, spread(node, asFloat(node, 2), shape, axis, block)});
  node.setResult(node.like<nn::MulOp>(
      {value, spread(node, asFloat(node, 1), shape, axis, block)}));
}

/// Rule R11.
DynamicallyQuantized onnx_import::quantizeDynamically(Node &node, Value input) {
  Value zero = node.scalar(0, node.f32());
  Shape axes;
  for (int64_t i = 0, e = tensorType(input).getRank(); i < e; ++i)
    axes.push_back(i);
  Value low = input, high = input;
  if (!axes.empty()) {
    low = node.like<nn::ReduceMinOp>(input, node.attr("axes", axes));
    high = node.like<nn::ReduceMaxOp>(input, node.attr("axes", axes));
  }
  low = node.like<nn::MinOp>({low, zero});
  high = node.like<nn::MaxOp>({high, zero});
  Value range = node.like<nn::SubOp>({high, low});
  Value scale = node.like<nn::DivOp>({range, node.scalar(255, node.f32())});
  // A tensor of zeros only has scale 1.
  Value empty =
      node.emit<nn::EqualOp>(node.builder().getI1Type(), {range, zero});
  scale = node.emit<nn::WhereOp>(node.f32(),
                                 {empty, node.scalar(1, node.f32()), scale});
  Value offset = node.like<nn::DivOp>({node.like<nn::NegOp>(low), scale});
  offset = node.like<nn::RoundOp>(node.like<nn::ClipOp>(
      offset, {node.attr("min", 0.0f), node.attr("max", 255.0f)}));
  Value scaled = node.like<nn::RoundOp>(node.like<nn::DivOp>({input, scale}));
  return {saturated(node, node.like<nn::AddOp>({scaled, offset}), DType::U8),
          scale, saturated(node, offset, DType::U8)};
}

void onnx_import::importDynamicQuantizeLinear(Node &node) {
  auto [integers, scale, zero] = quantizeDynamically(node, node.real(0));
  node.setResult(integers);
  node.setResult(scale, 1);
  node.setResult(zero, 2);
}

//===----------------------------------------------------------------------===//
// Products of integers
//===----------------------------------------------------------------------===//

Value onnx_import::centered(Node &node, size_t i, size_t zero, int64_t axis) {
  Type i32 = node.builder().getI32Type();
  if (!node.hasInput(zero))
    return node.number(i);
  Value value = node.cast(node.number(i), i32);
  Value offset =
      spread(node, node.cast(node.number(zero), i32), node.shape(i), axis, 0);
  return node.like<nn::SubOp>({value, offset});
}

void onnx_import::importMatMulInteger(Node &node) {
  int64_t rank = node.shape(0).size();
  Value a = centered(node, 0, 2, rank > 1 ? rank - 2 : 0);
  Value b = centered(node, 1, 3, -1);
  node.setResult(node.emit<nn::MatMulOp>(node.builder().getI32Type(), {a, b}));
}

/// Padding is the zero point, which is 0 behind the difference.
void onnx_import::importConvInteger(Node &node) {
  Value input = centered(node, 0, 2, 0), weight = centered(node, 1, 3, 0);
  Shape shape = node.shape(1);
  if (shape.size() < 3)
    failInvalid("the weight '{}' of shape {} needs at least 3 axes",
                node.inputName(1), shapeString(shape));
  WindowAttributes w = readWindow(node, tensorType(input).getShape(),
                                  Shape(shape.begin() + 2, shape.end()));
  node.setResult(node.emit<nn::ConvOp>(
      node.builder().getI32Type(), {input, weight},
      {node.attr("strides", w.strides), node.attr("pads", w.pads),
       node.attr("dilations", w.dilations),
       node.attr("group", node.getInt("group", 1))}));
}

//===----------------------------------------------------------------------===//
// Weighted sums
//===----------------------------------------------------------------------===//

/// A constant int32 bias of scale sx * sw[c] (one fp32 product, as the kernels
/// compute it) as float; null where the node has none.
static Value dequantizedBias(Node &node, size_t i, Value input, Value weight,
                             int64_t channels) {
  if (!node.hasInput(i))
    return {};
  const Constant &bias = node.requireConstant(i, "the bias");
  if (bias.type != DType::I32 || bias.size() != channels)
    failInvalid("the bias '{}' must be {} int32 numbers, not {} of shape {}",
                node.inputName(i), channels, name(bias.type),
                shapeString(bias.shape));
  auto quantizedOf = [](Value value) {
    return elementType(value.getDefiningOp<nn::DequantizeOp>().getInput());
  };
  auto inputType = dyn_cast<quant::UniformQuantizedType>(quantizedOf(input));
  if (!inputType)
    failUnsupported("the input has several scales");
  float scaleX = static_cast<float>(inputType.getScale());
  SmallVector<double> scales;
  Type weightType = quantizedOf(weight);
  if (auto one = dyn_cast<quant::UniformQuantizedType>(weightType))
    scales.push_back(scaleX * static_cast<float>(one.getScale()));
  else
    for (double s :
         cast<quant::UniformQuantizedPerAxisType>(weightType).getScales())
      scales.push_back(scaleX * static_cast<float>(s));
  std::optional<int64_t> axis;
  if (scales.size() > 1)
    axis = 0;
  SmallVector<int64_t> zeros(scales.size(), 0);
  Type type = uniformType(node, DType::I32, scales, zeros, axis);
  Constant flat = bias;
  flat.shape = {channels};
  return node.emit<nn::DequantizeOp>(
      node.f32(), node.emitConstant(flat, type, node.inputName(i)));
}

void onnx_import::importQLinearConv(Node &node) {
  Value input = dequantized(node, 0);
  Value weight = dequantized(node, 3, 0);
  Shape weightShape = node.shape(3);
  if (weightShape.size() < 3)
    failInvalid("the weight '{}' of shape {} needs at least 3 axes",
                node.inputName(3), shapeString(weightShape));
  WindowAttributes w =
      readWindow(node, tensorType(input).getShape(),
                 Shape(weightShape.begin() + 2, weightShape.end()));
  SmallVector<Value> operands{input, weight};
  if (Value bias = dequantizedBias(node, 8, input, weight, weightShape[0]))
    operands.push_back(bias);
  Value result = node.emit<nn::ConvOp>(
      node.f32(), operands,
      {node.attr("strides", w.strides), node.attr("pads", w.pads),
       node.attr("dilations", w.dilations),
       node.attr("group", node.getInt("group", 1))});
  quantizeResult(node, result, 6, node.dtype(0));
}

void onnx_import::importQLinearMatMul(Node &node) {
  Value a = dequantized(node, 0);
  Value b = dequantized(node, 3, -1);
  Value result = node.emit<nn::MatMulOp>(node.f32(), {a, b});
  quantizeResult(node, result, 6, node.dtype(0));
}

void onnx_import::importQGemm(Node &node) {
  Value a = dequantized(node, 0);
  bool transB = node.getInt("transB", 0);
  Value b = dequantized(node, 3, transB ? 0 : 1);
  Shape shape = node.shape(3);
  if (shape.size() != 2)
    failInvalid("B '{}' of shape {} must have 2 axes", node.inputName(3),
                shapeString(shape));
  if (node.getFloat("alpha", 1) != 1)
    failUnsupported("alpha other than 1 is not supported");
  SmallVector<Value> operands{a, b};
  int64_t columns = transB ? shape[0] : shape[1];
  if (Value bias = dequantizedBias(node, 6, a, b, columns))
    operands.push_back(bias);
  SmallVector<NamedAttribute> attributes;
  if (node.getInt("transA", 0))
    attributes.push_back(node.unit("transpose_a"));
  if (transB)
    attributes.push_back(node.unit("transpose_b"));
  Value result = node.emit<nn::MatMulOp>(node.f32(), operands, attributes);
  if (!node.hasInput(7))
    return node.setResult(result);
  quantizeResult(node, result, 7, node.dtype(0));
}

//===----------------------------------------------------------------------===//
// com.microsoft
//===----------------------------------------------------------------------===//

template <typename OpT> static void importQLinearBinary(Node &node) {
  Value a = dequantized(node, 0);
  Value b = dequantized(node, 3);
  quantizeResult(node, node.emit<OpT>(node.f32(), {a, b}), 6, node.dtype(0));
}

void onnx_import::importQLinearAdd(Node &node) {
  importQLinearBinary<nn::AddOp>(node);
}

void onnx_import::importQLinearMul(Node &node) {
  importQLinearBinary<nn::MulOp>(node);
}

void onnx_import::importQLinearSigmoid(Node &node) {
  Value result = node.emit<nn::SigmoidOp>(node.f32(), dequantized(node, 0));
  quantizeResult(node, result, 3, node.dtype(0));
}

void onnx_import::importQLinearLeakyRelu(Node &node) {
  Value result = node.emit<nn::LeakyReluOp>(
      node.f32(), dequantized(node, 0),
      node.attr("alpha", node.getFloat("alpha", 0.01f)));
  quantizeResult(node, result, 3, node.dtype(0));
}

void onnx_import::importQLinearSoftmax(Node &node) {
  Value input = dequantized(node, 0);
  int64_t rank = tensorType(input).getRank();
  int64_t axis = node.axis(node.getInt("axis", -1), rank);
  if (node.getInt("opset", 13) < 13 && axis != rank - 1)
    failUnsupported("softmax over several axes (opset below 13) is not "
                    "supported here");
  Value result =
      node.emit<nn::SoftmaxOp>(node.f32(), input, node.attr("axis", axis));
  quantizeResult(node, result, 3, node.dtype(0));
}

void onnx_import::importQLinearConcat(Node &node) {
  SmallVector<Value> inputs;
  if (node.inputCount() < 5 || (node.inputCount() - 2) % 3)
    failInvalid("needs a scale, a zero point and three inputs for each tensor");
  for (size_t i = 2; i < node.inputCount(); i += 3)
    inputs.push_back(dequantized(node, i));
  int64_t axis =
      node.axis(node.getInt("axis", 0), tensorType(inputs[0]).getRank());
  Value result =
      node.emit<nn::ConcatOp>(node.f32(), inputs, node.attr("axis", axis));
  quantizeResult(node, result, 0, node.dtype(2));
}

static void requireChannelsFirst(Node &node) {
  if (node.getInt("channels_last", 0))
    failUnsupported("channels_last is not supported");
}

void onnx_import::importQLinearAveragePool(Node &node) {
  requireChannelsFirst(node);
  Value input = dequantized(node, 0);
  SmallVector<NamedAttribute> attributes = poolAttributes(node, input);
  if (node.getInt("count_include_pad", 0))
    attributes.push_back(node.unit("count_include_pad"));
  Value result = node.emit<nn::AvgPoolOp>(node.f32(), input, attributes);
  quantizeResult(node, result, 3, node.dtype(0));
}

void onnx_import::importQLinearGlobalAveragePool(Node &node) {
  requireChannelsFirst(node);
  Value result =
      node.emit<nn::GlobalAvgPoolOp>(node.f32(), dequantized(node, 0));
  quantizeResult(node, result, 3, node.dtype(0));
}
