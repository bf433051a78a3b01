//===- LayoutOps.cpp - splitting, repeating and rearranging -*- C++ -*-===//
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

/// Elements a constant may have that this file computes from a few numbers.
static constexpr int64_t kMaxComputed = int64_t(1) << 24;

void onnx_import::importSplit(Node &node) {
  Shape shape = node.shape(0);
  int64_t axis = node.axis(node.getInt("axis", 0), shape.size());
  int64_t outputs = node.proto.output_size(), extent = shape[axis];
  std::optional<Shape> sizes;
  if (node.opset < 13)
    sizes = node.getInts("split");
  if ((node.opset < 2 || node.opset >= 13) && node.hasInput(1))
    sizes = node.integers(1, "the sizes");
  bool counts = node.opset >= 18 && node.getAttribute("num_outputs");
  if (int64_t stated = counts ? node.getInt("num_outputs", 0) : outputs;
      (counts && sizes) || stated != outputs)
    failInvalid("num_outputs is {}, but the node has {} outputs{}", stated,
                outputs, sizes ? " and sizes" : "");
  if (!sizes) {
    // The last part is smaller where the axis does not divide evenly.
    int64_t part = (extent + outputs - 1) / std::max<int64_t>(outputs, 1);
    sizes = Shape(outputs, part);
    if (outputs)
      sizes->back() = extent - part * (outputs - 1);
  }
  int64_t total = 0;
  for (int64_t size : *sizes)
    if (size < 0 || __builtin_add_overflow(total, size, &total))
      failInvalid("a part has the size {}", size);
  if (static_cast<int64_t>(sizes->size()) != outputs || total != extent)
    failInvalid("axis {} of {} cannot be split into {} outputs of sizes {}",
                axis, shapeString(shape), outputs, shapeString(*sizes));
  Value input = node.value(0);
  int64_t start = 0;
  for (int64_t i = 0; i < outputs; ++i) {
    if (node.hasOutput(i))
      node.setResult(slice(node, input, axis, start, (*sizes)[i]), i);
    start += (*sizes)[i];
  }
}

/// The shape two shapes broadcast to.
static Shape broadcastShapes(const Shape &a, const Shape &b) {
  Shape result(std::max(a.size(), b.size()));
  for (size_t i = 1; i <= result.size(); ++i) {
    int64_t x = i <= a.size() ? a[a.size() - i] : 1;
    int64_t y = i <= b.size() ? b[b.size() - i] : 1;
    if (x != y && x != 1 && y != 1)
      failInvalid("shapes {} and {} cannot be broadcast together",
                  shapeString(a), shapeString(b));
    result[result.size() - i] = x == 1 ? y : x;
  }
  return result;
}

void onnx_import::importExpand(Node &node) {
  Shape shape = broadcastShapes(node.shape(0), node.integers(1, "the shape"));
  checkedElements(shape, "the result");
  node.setResult(expand(node, node.value(0), shape));
}

/// A whole number that may be given as a float; -1 for others.
static int64_t wholeAt(const Constant &constant, int64_t i) {
  double value = realAt(constant, i);
  return value >= 0 && value <= INT32_MAX && value == std::floor(value)
             ? static_cast<int64_t>(value)
             : -1;
}

void onnx_import::importTile(Node &node) {
  Value value = node.value(0);
  Shape shape = node.shape(0), repeats;
  if (node.opset < 6) {
    // One number, of one axis, both of the input's type.
    const Constant &times = node.requireConstant(1, "the repeats");
    const Constant &along = node.requireConstant(2, "the axis");
    if (times.size() != 1 || along.size() != 1)
      failInvalid("there are {} repeats and {} axes; before opset 6 there is "
                  "one of each",
                  times.size(), along.size());
    int64_t axis = node.axis(wholeAt(along, 0), shape.size());
    repeats.assign(shape.size(), 1);
    repeats[axis] = wholeAt(times, 0);
  } else {
    repeats = node.integers(1, "the repeats");
  }
  if (repeats.size() != shape.size())
    failInvalid("there are {} repeats for the {} axes of {}", repeats.size(),
                shape.size(), shapeString(shape));
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    int64_t times = repeats[axis];
    if (times < 0 || times > INT32_MAX)
      failInvalid("axis {} is repeated {} times", axis, times);
    if (times == 1)
      continue;
    // [outer, inner] -> [outer, times, inner]
    Shape split(2, 1);
    for (size_t i = 0; i < shape.size(); ++i)
      split[i < axis ? 0 : 1] *= shape[i];
    Shape repeated{split[0], times, split[1]};
    shape[axis] *= times;
    checkedElements(shape, "the result");
    value = node.reshape(value, {split[0], 1, split[1]});
    value = node.reshape(expand(node, value, repeated), shape);
  }
  node.setResult(value);
}

//===----------------------------------------------------------------------===//
// Blocks of pixels
//===----------------------------------------------------------------------===//

static int64_t blockSize(Node &node, const Shape &shape) {
  int64_t block = node.getInt("blocksize", 0);
  if (shape.size() != 4)
    failInvalid("the input {} must be [N, C, H, W]", shapeString(shape));
  if (block < 1 || block > INT16_MAX)
    failInvalid("blocksize is {}; it must be positive", block);
  return block;
}

void onnx_import::importDepthToSpace(Node &node) {
  Shape s = node.shape(0);
  int64_t block = blockSize(node, s), depth = s.size() > 1 ? s[1] : 0;
  if (depth % (block * block))
    failInvalid("the {} channels of {} are no multiple of blocksize {} squared",
                depth, shapeString(s), block);
  std::string mode = node.getString("mode", "DCR");
  if (mode != "DCR" && mode != "CRD")
    failInvalid("mode is '{}'; DCR and CRD exist", mode);
  depth /= block * block;
  Value value = node.value(0);
  if (mode == "DCR") {
    value = node.reshape(value, {s[0], block, block, depth, s[2], s[3]});
    value = transpose(node, value, {0, 3, 4, 1, 5, 2});
  } else {
    value = node.reshape(value, {s[0], depth, block, block, s[2], s[3]});
    value = transpose(node, value, {0, 1, 4, 2, 5, 3});
  }
  node.setResult(
      node.reshape(value, {s[0], depth, s[2] * block, s[3] * block}));
}

void onnx_import::importSpaceToDepth(Node &node) {
  Shape s = node.shape(0);
  int64_t block = blockSize(node, s);
  if (s[2] % block || s[3] % block)
    failInvalid("the map of {} is no multiple of blocksize {}", shapeString(s),
                block);
  int64_t rows = s[2] / block, columns = s[3] / block;
  Value value =
      node.reshape(node.value(0), {s[0], s[1], rows, block, columns, block});
  value = transpose(node, value, {0, 3, 5, 1, 2, 4});
  node.setResult(
      node.reshape(value, {s[0], s[1] * block * block, rows, columns}));
}

void onnx_import::importCenterCropPad(Node &node) {
  Value value = node.value(0);
  Shape shape = node.shape(0), target = node.integers(1, "the shape");
  Shape axes(shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  axes = node.getInts("axes").value_or(axes);
  if (axes.size() != target.size())
    failInvalid("the shape {} does not fit {} axes", shapeString(target),
                axes.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    int64_t axis = node.axis(axes[i], shape.size());
    int64_t extent = shapeOf(value)[axis];
    if (target[i] < 1 || target[i] > INT32_MAX)
      failInvalid("the shape {} has the size {}", shapeString(target),
                  target[i]);
    int64_t more = target[i] - extent;
    value = more < 0 ? slice(node, value, axis, -more / 2, target[i])
                     : padZeros(node, value, axis, more / 2, more - more / 2);
  }
  node.setResult(value);
}

//===----------------------------------------------------------------------===//
// Masks and constants
//===----------------------------------------------------------------------===//

void onnx_import::importTrilu(Node &node) {
  Value input = node.value(0);
  Shape shape = node.shape(0);
  if (shape.size() < 2)
    failInvalid("the input {} must have at least 2 axes", shapeString(shape));
  int64_t k = 0;
  if (node.hasInput(1)) {
    Shape values = node.integers(1, "k");
    if (values.size() != 1)
      failInvalid("k ('{}') must be one number", node.inputName(1));
    k = values[0];
  }
  bool upper = node.getInt("upper", 1);
  int64_t rows = shape[shape.size() - 2], columns = shape.back();
  if (checkedElements({rows, columns}, "the mask") > kMaxComputed)
    failUnsupported("a matrix of {}x{} is too large", rows, columns);
  std::string mask;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      mask.push_back(upper ? j - i >= k : j - i <= k);
  DType type = node.dtype(0);
  Value keep = constantValue(
      node, makeConstant(DType::Bool, {rows, columns}, std::move(mask)));
  Value zero = constantValue(
      node, makeConstant(type, {}, std::string(byteSize(type), '\0')));
  node.setResult(
      node.emit<nn::WhereOp>(elementType(input), {keep, input, zero}));
}

void onnx_import::importEyeLike(Node &node) {
  Shape shape = node.shape(0);
  if (shape.size() != 2)
    failInvalid("the input {} must have 2 axes", shapeString(shape));
  int64_t k = node.getInt("k", 0), number = node.getInt("dtype", 0);
  DType type = number ? fromOnnxType(static_cast<int32_t>(number), "dtype")
                      : node.dtype(0);
  if (checkedElements(shape, "the result") > kMaxComputed)
    failUnsupported("a constant of shape {} is too large", shapeString(shape));
  std::vector<int64_t> values(shape[0] * shape[1], 0);
  for (int64_t i = 0; i < shape[0]; ++i)
    if (int64_t j = i + k;
        k > -shape[0] && k < shape[1] && j >= 0 && j < shape[1])
      values[i * shape[1] + j] = 1;
  Value eye =
      constantValue(node, makeConstant<int64_t>(DType::I64, shape, values));
  Type element = elementTypeOf(node.context(), type);
  node.setResult(
      elementType(eye) == element ? eye : node.emit<nn::CastOp>(element, eye));
}

void onnx_import::importRange(Node &node) {
  const Constant &start = node.requireConstant(0, "the start");
  const Constant &limit = node.requireConstant(1, "the limit");
  const Constant &delta = node.requireConstant(2, "the step");
  for (const Constant *c : {&start, &limit, &delta})
    if (c->size() != 1 || c->type != start.type)
      failInvalid("start, limit and step must be numbers of one type");
  double first = realAt(start, 0), step = realAt(delta, 0);
  if (step == 0)
    failInvalid("the step is 0");
  double span = std::ceil((realAt(limit, 0) - first) / step);
  if (!(span <= static_cast<double>(kMaxComputed)))
    failUnsupported("a range of {} elements is too large", span);
  int64_t count = span > 0 ? static_cast<int64_t>(span) : 0;
  if (start.isInteger()) {
    std::vector<int64_t> values(count);
    for (int64_t i = 0; i < count; ++i)
      values[i] = integerAt(start, 0) + i * integerAt(delta, 0);
    if (start.type == DType::I64)
      return node.setResult(makeConstant<int64_t>(DType::I64, {count}, values));
    Value range =
        constantValue(node, makeConstant<int64_t>(DType::I64, {count}, values));
    return node.setResult(node.emit<nn::CastOp>(
        elementTypeOf(node.context(), start.type), range));
  }
  std::vector<double> values(count);
  for (int64_t i = 0; i < count; ++i)
    values[i] = first + static_cast<double>(i) * step;
  if (start.type == DType::F64)
    return node.setResult(makeConstant<double>(DType::F64, {count}, values));
  std::vector<float> narrow(values.begin(), values.end());
  if (start.type == DType::F32)
    return node.setResult(makeConstant<float>(DType::F32, {count}, narrow));
  Value range =
      constantValue(node, makeConstant<float>(DType::F32, {count}, narrow));
  node.setResult(
      node.emit<nn::CastOp>(elementTypeOf(node.context(), start.type), range));
}

void onnx_import::importSize(Node &node) {
  int64_t count = checkedElements(node.shape(0), "the input");
  node.setResult(makeConstant<int64_t>(DType::I64, {}, {count}));
}
