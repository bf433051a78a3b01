//===- PoolingOps.cpp - windows and pooling -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Node.h"

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

/// A list attribute with one positive entry for each of `axes`.
static Shape readExtents(Node &node, const char *name, size_t axes,
                         std::optional<int64_t> otherwise) {
  std::optional<Shape> values = node.getInts(name);
  if (!values && !otherwise)
    failInvalid("attribute '{}' is missing", name);
  if (!values)
    return Shape(axes, *otherwise);
  if (values->size() != axes)
    failInvalid("attribute '{}' has {} entries; the input has {} spatial axes",
                name, values->size(), axes);
  for (int64_t value : *values)
    if (value < 1 || value > INT32_MAX)
      failInvalid("attribute '{}' has the entry {}; it must be positive", name,
                  value);
  return *values;
}

WindowAttributes onnx_import::readWindow(Node &node, ArrayRef<int64_t> input,
                                         Shape kernel) {
  if (input.size() < 3 || input.size() > 5)
    failUnsupported("an input of shape {} has {} axes; 3 to 5 are supported",
                    shapeString(Shape(input.begin(), input.end())),
                    input.size());
  size_t axes = input.size() - 2;
  WindowAttributes w;
  if (kernel.empty()) {
    w.kernel = readExtents(node, "kernel_shape", axes, std::nullopt);
  } else {
    w.kernel = kernel;
    std::optional<Shape> stated = node.getInts("kernel_shape");
    if (stated && *stated != kernel)
      failInvalid("kernel_shape is {} but the weight has kernel {}",
                  shapeString(*stated), shapeString(kernel));
  }
  if (w.kernel.size() != axes)
    failInvalid("the kernel {} does not fit the input {}",
                shapeString(w.kernel),
                shapeString(Shape(input.begin(), input.end())));
  w.strides = readExtents(node, "strides", axes, 1);
  w.dilations = readExtents(node, "dilations", axes, 1);
  std::optional<Shape> pads = node.getInts("pads");
  std::string autoPad = node.getString("auto_pad", "NOTSET");
  if (autoPad == "NOTSET" || autoPad.empty()) {
    w.pads = pads ? *pads : Shape(2 * axes, 0);
    if (w.pads.size() != 2 * axes)
      failInvalid("attribute 'pads' has {} entries; the input needs {}",
                  w.pads.size(), 2 * axes);
    for (int64_t pad : w.pads)
      if (pad < 0 || pad > INT32_MAX)
        failUnsupported("negative or huge padding ({}) is not supported", pad);
    return w;
  }
  w.pads = Shape(2 * axes, 0);
  if (autoPad == "VALID")
    return w;
  if (autoPad != "SAME_UPPER" && autoPad != "SAME_LOWER")
    failInvalid("auto_pad is '{}'; NOTSET, VALID, SAME_UPPER and SAME_LOWER "
                "exist",
                autoPad);
  for (size_t i = 0; i < axes; ++i) {
    int64_t extent = input[2 + i], stride = w.strides[i];
    if (w.kernel[i] < 1 || w.kernel[i] > INT32_MAX)
      failInvalid("the kernel {} is not positive", shapeString(w.kernel));
    int64_t span = w.dilations[i] * (w.kernel[i] - 1) + 1;
    int64_t outputs = (extent + stride - 1) / stride;
    int64_t total =
        std::max<int64_t>((outputs - 1) * stride + span - extent, 0);
    int64_t smaller = total / 2;
    bool upper = autoPad == "SAME_UPPER";
    w.pads[i] = upper ? smaller : total - smaller;
    w.pads[axes + i] = total - w.pads[i];
  }
  return w;
}

//===----------------------------------------------------------------------===//
// Pooling
//===----------------------------------------------------------------------===//

SmallVector<NamedAttribute> onnx_import::poolAttributes(Node &node,
                                                        Value input) {
  WindowAttributes w = readWindow(node, tensorType(input).getShape(), {});
  SmallVector<NamedAttribute> attributes{
      node.attr("kernel", w.kernel), node.attr("strides", w.strides),
      node.attr("pads", w.pads), node.attr("dilations", w.dilations)};
  if (node.getInt("ceil_mode", 0))
    attributes.push_back(node.unit("ceil_mode"));
  return attributes;
}

void onnx_import::importMaxPool(Node &node) {
  Value input = node.value(0);
  Type element = elementType(input);
  if (!element.isF32() && !nn::isQuantized(element) &&
      !isa<IntegerType>(element))
    failUnsupported(
        "only float32, integers and quantized inputs are supported");
  bool columnMajor = node.getInt("storage_order", 0); // of the indices
  if (node.hasOutput(1)) {
    SmallVector<NamedAttribute> attributes = poolAttributes(node, input);
    if (columnMajor)
      attributes.push_back(node.unit("column_major"));
    SmallVector<Value> both = node.emitAll<nn::MaxPoolIndicesOp>(
        {element, node.builder().getI64Type()}, input, attributes);
    node.setResult(both[0], 0);
    node.setResult(both[1], 1);
    return;
  }
  node.setResult(
      node.emit<nn::MaxPoolOp>(element, input, poolAttributes(node, input)));
}

void onnx_import::importAveragePool(Node &node) {
  Value input = node.real(0);
  SmallVector<NamedAttribute> attributes = poolAttributes(node, input);
  if (node.getInt("count_include_pad", 0))
    attributes.push_back(node.unit("count_include_pad"));
  node.setResult(node.emit<nn::AvgPoolOp>(node.f32(), input, attributes));
}

void onnx_import::importGlobalAveragePool(Node &node) {
  Value input = node.real(0);
  node.setResult(node.emit<nn::GlobalAvgPoolOp>(node.f32(), input));
}
