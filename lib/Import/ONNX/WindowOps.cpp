//===- WindowOps.cpp - transposed and moved convolutions, pooling norms -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Build.h"

#include <cmath>
#include <numeric>

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

//===----------------------------------------------------------------------===//
// Convolutions
//===----------------------------------------------------------------------===//

/// An attribute with one entry for each spatial axis, from `least` on.
static Shape perAxis(Node &node, const char *name, size_t axes,
                     int64_t otherwise, int64_t least) {
  Shape values = node.getInts(name).value_or(Shape(axes, otherwise));
  if (values.size() != axes)
    failInvalid("attribute '{}' has {} entries; the input has {} spatial axes",
                name, values.size(), axes);
  for (int64_t value : values)
    if (value < least || value > INT32_MAX)
      failInvalid("attribute '{}' has the entry {}; it must be at least {}",
                  name, value, least);
  return values;
}

void onnx_import::importConvTranspose(Node &node) {
  Value input = node.real(0), weight = node.real(1);
  Shape shape = node.shape(0), kernel = node.shape(1);
  if (shape.size() < 3 || shape.size() > 5 || kernel.size() != shape.size())
    failInvalid("the input {} and the weight {} must have the same number of "
                "axes, 3 to 5",
                shapeString(shape), shapeString(kernel));
  size_t axes = shape.size() - 2;
  kernel.erase(kernel.begin(), kernel.begin() + 2);
  if (std::optional<Shape> stated = node.getInts("kernel_shape");
      stated && *stated != kernel)
    failInvalid("kernel_shape is {} but the weight has kernel {}",
                shapeString(*stated), shapeString(kernel));
  Shape strides = perAxis(node, "strides", axes, 1, 1);
  Shape dilations = perAxis(node, "dilations", axes, 1, 1);
  Shape more = perAxis(node, "output_padding", axes, 0, 0);
  Shape pads = node.getInts("pads").value_or(Shape(2 * axes, 0));
  if (pads.size() != 2 * axes)
    failInvalid("attribute 'pads' has {} entries; the input needs {}",
                pads.size(), 2 * axes);
  std::optional<Shape> size = node.getInts("output_shape");
  // Some files state the whole shape.
  if (size && size->size() == axes + 2)
    size->erase(size->begin(), size->begin() + 2);
  std::string automatic = node.getString("auto_pad", "NOTSET");
  bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  if (!same && automatic != "NOTSET" && automatic != "VALID" &&
      !automatic.empty())
    failInvalid("auto_pad is '{}'; NOTSET, VALID, SAME_UPPER and SAME_LOWER "
                "exist",
                automatic);
  if (automatic == "VALID")
    pads.assign(2 * axes, 0);
  if (size && size->size() != axes)
    failInvalid("output_shape has {} entries; the input has {} spatial axes",
                size->size(), axes);
  if (size || same) {
    for (size_t i = 0; i < axes; ++i) {
      int64_t wanted = size ? (*size)[i] : shape[2 + i] * strides[i];
      int64_t total = strides[i] * (shape[2 + i] - 1) + more[i] +
                      (kernel[i] - 1) * dilations[i] + 1 - wanted;
      // Too small a map is extended at its end.
      more[i] += std::max<int64_t>(-total, 0);
      total = std::max<int64_t>(total, 0);
      int64_t smaller = total / 2;
      bool upper = automatic == "SAME_UPPER";
      pads[i] = upper ? smaller : total - smaller;
      pads[axes + i] = total - pads[i];
    }
  }
  SmallVector<Value> operands{input, weight};
  if (node.hasInput(2))
    operands.push_back(node.real(2));
  node.setResult(node.emit<nn::ConvTransposeOp>(
      node.f32(), operands,
      {node.attr("strides", strides), node.attr("pads", pads),
       node.attr("dilations", dilations), node.attr("output_padding", more),
       node.attr("group", node.getInt("group", 1))}));
}

void onnx_import::importDeformConv(Node &node) {
  Value input = node.real(0), weight = node.real(1), offset = node.real(2);
  Shape shape = node.shape(1);
  if (shape.size() != 4 || node.shape(0).size() != 4)
    failUnsupported("an input of shape {} and a weight of shape {}; only two "
                    "spatial axes are supported",
                    shapeString(node.shape(0)), shapeString(shape));
  WindowAttributes w =
      readWindow(node, tensorType(input).getShape(), {shape[2], shape[3]});
  SmallVector<Value> operands{input, weight, offset};
  SmallVector<int32_t> segments{1, 1, 1, 0, 0};
  for (size_t i : {3, 4})
    if (node.hasInput(i)) {
      operands.push_back(node.real(i));
      segments[i] = 1;
    }
  OpBuilder &b = node.builder();
  node.setResult(node.emit<nn::DeformConvOp>(
      node.f32(), operands,
      {b.getNamedAttr("operandSegmentSizes", b.getDenseI32ArrayAttr(segments)),
       node.attr("strides", w.strides), node.attr("pads", w.pads),
       node.attr("dilations", w.dilations),
       node.attr("group", node.getInt("group", 1)),
       node.attr("offset_group", node.getInt("offset_group", 1))}));
}

/// Overlapping blocks added to a map: a transposed convolution whose weights
/// put every row of a block to its tap.
void onnx_import::importCol2Im(Node &node) {
  Value input = node.real(0);
  Shape shape = node.shape(0);
  Shape image = node.integers(1, "the map's shape");
  Shape block = node.integers(2, "the block's shape");
  size_t axes = image.size();
  if (axes < 1 || axes > 3 || block.size() != axes || shape.size() != 3)
    failUnsupported("blocks {} of a map {} with {} axes; 1 to 3 are supported",
                    shapeString(block), shapeString(image), axes);
  Shape strides = perAxis(node, "strides", axes, 1, 1);
  Shape dilations = perAxis(node, "dilations", axes, 1, 1);
  Shape pads = node.getInts("pads").value_or(Shape(2 * axes, 0));
  int64_t taps = checkedElements(block, "the block");
  if (pads.size() != 2 * axes || taps < 1 || shape[1] % taps)
    failInvalid("the input {} does not hold blocks of {}", shapeString(shape),
                shapeString(block));
  int64_t channels = shape[1] / taps;
  Shape places{shape[0], shape[1]}, weightShape{shape[1], 1}, more;
  for (size_t i = 0; i < axes; ++i) {
    int64_t room =
        image[i] + pads[i] + pads[axes + i] - dilations[i] * (block[i] - 1) - 1;
    if (image[i] < 1 || image[i] > INT32_MAX || room < 0)
      failInvalid("blocks of {} do not fit the map {}", shapeString(block),
                  shapeString(image));
    places.push_back(room / strides[i] + 1);
    more.push_back(room % strides[i]);
    weightShape.push_back(block[i]);
  }
  if (checkedElements(weightShape, "the weight") > (int64_t(1) << 26))
    failUnsupported("blocks of {} are too large", shapeString(block));
  std::vector<float> weight(shape[1] * taps, 0.0f);
  for (int64_t row = 0; row < shape[1]; ++row)
    weight[row * taps + row % taps] = 1.0f;
  Value w =
      constantValue(node, makeConstant<float>(DType::F32, weightShape, weight));
  node.setResult(node.emit<nn::ConvTransposeOp>(
      node.f32(), {node.reshape(input, places), w},
      {node.attr("strides", strides), node.attr("pads", pads),
       node.attr("dilations", dilations), node.attr("output_padding", more),
       node.attr("group", channels)}));
}

//===----------------------------------------------------------------------===//
// Pooling
//===----------------------------------------------------------------------===//

/// A window over the whole map.
static SmallVector<NamedAttribute> globalWindow(Node &node,
                                                const Shape &shape) {
  if (shape.size() < 3 || shape.size() > 5)
    failUnsupported("an input of shape {}; 1 to 3 spatial axes are supported",
                    shapeString(shape));
  size_t axes = shape.size() - 2;
  Shape one(axes, 1);
  return {node.attr("kernel", Shape(shape.begin() + 2, shape.end())),
          node.attr("strides", one), node.attr("pads", Shape(2 * axes, 0)),
          node.attr("dilations", one)};
}

void onnx_import::importGlobalMaxPool(Node &node) {
  Value input = node.value(0);
  node.setResult(node.emit<nn::MaxPoolOp>(elementType(input), input,
                                          globalWindow(node, node.shape(0))));
}

/// |x|^p, its mean over windows times their size, and the root of that.
static Value poolNorm(Node &node, Value input, int64_t p, int64_t size,
                      ArrayRef<NamedAttribute> window) {
  if (p < 1)
    failInvalid("p is {}; it must be at least 1", p);
  auto power = [&](Value x, float exponent) {
    if (exponent == 1)
      return x;
    return node.emit<nn::PowOp>(node.f32(), {x, scalar(node, exponent)});
  };
  float exponent = static_cast<float>(p);
  Value sum = power(node.emit<nn::AbsOp>(node.f32(), input), exponent);
  sum = node.emit<nn::AvgPoolOp>(node.f32(), sum, window);
  sum = multiply(node, sum, scalar(node, static_cast<float>(size)));
  return power(sum, 1 / exponent);
}

/// A float before version 2.
static int64_t exponentOf(Node &node) {
  if (node.opset >= 2)
    return node.getInt("p", 2);
  float p = node.getFloat("p", 2);
  if (!(p >= 1 && p <= 1e6f) || p != std::floor(p))
    failUnsupported("p is {}; whole numbers of at least 1 are supported", p);
  return static_cast<int64_t>(p);
}

void onnx_import::importGlobalLpPool(Node &node) {
  Shape shape = node.shape(0);
  SmallVector<NamedAttribute> window = globalWindow(node, shape);
  int64_t size = 1;
  for (size_t i = 2; i < shape.size(); ++i)
    size *= shape[i];
  node.setResult(poolNorm(node, node.real(0), exponentOf(node), size, window));
}

void onnx_import::importLpPool(Node &node) {
  Value input = node.real(0);
  SmallVector<NamedAttribute> window = poolAttributes(node, input);
  // Padding counts as zeros, so every window has the whole kernel's size; a
  // last window that reaches past the padding is filled with zeros here.
  Shape kernel, shape = node.shape(0);
  kernel = node.getInts("kernel_shape").value_or(Shape());
  if (node.getInt("ceil_mode", 0)) {
    WindowAttributes w = readWindow(node, tensorType(input).getShape(), {});
    Shape low(shape.size(), 0), high(shape.size(), 0);
    for (size_t i = 0; i + 2 < shape.size(); ++i) {
      int64_t span = w.dilations[i] * (w.kernel[i] - 1) + 1;
      int64_t begin = w.pads[i], end = w.pads[w.kernel.size() + i];
      int64_t rest = (shape[2 + i] + begin + end - span) % w.strides[i];
      low[2 + i] = begin;
      high[2 + i] = end;
      int64_t outputs = (shape[2 + i] + begin + end - span) / w.strides[i] + 1;
      if (rest && outputs * w.strides[i] < shape[2 + i] + begin)
        high[2 + i] += w.strides[i] - rest;
    }
    input =
        node.emit<nn::PadOp>(node.f32(), input,
                             {node.attr("low", low), node.attr("high", high),
                              node.attr("value", 0.0f)});
    window = {node.attr("kernel", w.kernel), node.attr("strides", w.strides),
              node.attr("pads", Shape(w.pads.size(), 0)),
              node.attr("dilations", w.dilations)};
  }
  window.push_back(node.unit("count_include_pad"));
  node.setResult(poolNorm(node, input, exponentOf(node),
                          checkedElements(kernel, "the kernel"), window));
}

void onnx_import::importMaxUnpool(Node &node) {
  Value input = node.value(0), indices = node.value(1);
  Shape shape = node.shape(0);
  if (!elementType(indices).isInteger(64))
    failInvalid("the indices '{}' must be int64", node.inputName(1));
  if (shape.size() < 3 || shape.size() > 5)
    failUnsupported("an input of shape {}; 1 to 3 spatial axes are supported",
                    shapeString(shape));
  size_t axes = shape.size() - 2;
  Shape kernel = perAxis(node, "kernel_shape", axes, 1, 1);
  Shape strides = perAxis(node, "strides", axes, 1, 1);
  Shape pads = node.getInts("pads").value_or(Shape(2 * axes, 0));
  if (pads.size() != 2 * axes)
    failInvalid("attribute 'pads' has {} entries; the input needs {}",
                pads.size(), 2 * axes);
  // The indices count the elements of the map without output_shape.
  Shape inferred{shape[0], shape[1]};
  for (size_t i = 0; i < axes; ++i)
    inferred.push_back((shape[2 + i] - 1) * strides[i] - pads[i] -
                       pads[axes + i] + kernel[i]);
  Shape stated =
      node.hasInput(2) ? node.integers(2, "the result's shape") : inferred;
  if (stated.size() != shape.size())
    failInvalid("the result's shape {} does not fit the input {}",
                shapeString(stated), shapeString(shape));
  checkedElements(stated, "the result");
  int64_t count = checkedElements(inferred, "the result");
  if (count > (int64_t(1) << 28))
    failUnsupported("a result of shape {} is too large", shapeString(stated));
  DType type = node.dtype(0);
  int64_t elements = checkedElements(shape, "the input");
  Value zeros = expand(
      node,
      constantValue(node,
                    makeConstant(type, {1}, std::string(byteSize(type), '\0'))),
      {count});
  OpBuilder &b = node.builder();
  Value flat = node.emit<nn::ScatterElementsOp>(
      elementType(input),
      {zeros, node.reshape(indices, {elements}),
       node.reshape(input, {elements})},
      {node.attr("axis", int64_t(0)),
       b.getNamedAttr("reduction", b.getStringAttr("none"))});
  Value result = node.reshape(flat, inferred);
  // A larger map is filled from its beginning.
  for (size_t axis = 0; axis < stated.size(); ++axis) {
    if (stated[axis] < inferred[axis])
      failInvalid("the result's shape {} is smaller than {}",
                  shapeString(stated), shapeString(inferred));
    result = padZeros(node, result, axis, 0, stated[axis] - inferred[axis]);
  }
  node.setResult(result);
}
