//===- MovementOps.cpp - reshapes, joins, slices and padding -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Build.h"

#include <cstring>
#include <numeric>

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

/// The same elements under another shape; constants stay constants.
static void setReshaped(Node &node, const Shape &shape) {
  int64_t before = checkedElements(node.shape(0), "the input");
  if (checkedElements(shape, "the result") != before)
    failInvalid("{} elements of shape {} cannot take the shape {}", before,
                shapeString(node.shape(0)), shapeString(shape));
  if (const Constant *c = node.constant(0)) {
    Constant result = *c;
    result.shape = shape;
    return node.setResult(std::move(result));
  }
  node.setResult(node.reshape(node.value(0), shape));
}

void onnx_import::importReshape(Node &node) {
  Shape from = node.shape(0);
  Shape to = node.opset < 5 ? node.getInts("shape").value_or(Shape())
                            : node.integers(1, "the shape");
  bool allowZero = node.getInt("allowzero", 0);
  int64_t open = -1, known = 1;
  for (size_t i = 0; i < to.size(); ++i) {
    if (to[i] == 0 && !allowZero) {
      if (i >= from.size())
        failInvalid("the shape {} copies dimension {} of {}, which does not "
                    "exist",
                    shapeString(to), i, shapeString(from));
      to[i] = from[i];
    }
    if (to[i] == -1 && open < 0) {
      open = i;
      continue;
    }
    if (to[i] < 0)
      failInvalid("the shape {} has the dimension {}", shapeString(to), to[i]);
    if (__builtin_mul_overflow(known, to[i], &known))
      failInvalid("the shape {} is too large", shapeString(to));
  }
  if (open >= 0) {
    int64_t count = checkedElements(from, "the input");
    if (known == 0 || count % known)
      failInvalid("{} elements of shape {} cannot take the shape {}", count,
                  shapeString(from), shapeString(to));
    to[open] = count / known;
  }
  setReshaped(node, to);
}

void onnx_import::importFlatten(Node &node) {
  Shape from = node.shape(0);
  int64_t rank = from.size(), axis = node.getInt("axis", 1);
  if (axis < -rank || axis > rank)
    failInvalid("axis {} does not exist in a tensor with {} axes", axis, rank);
  if (axis < 0)
    axis += rank;
  Shape to{1, 1};
  for (int64_t i = 0; i < rank; ++i)
    to[i < axis ? 0 : 1] *= from[i];
  setReshaped(node, to);
}

/// The axes of Squeeze and Unsqueeze: an attribute before version 13.
static std::optional<Shape> readAxes(Node &node) {
  if (node.opset < 13)
    return node.getInts("axes");
  if (!node.hasInput(1))
    return std::nullopt;
  return node.integers(1, "the axes");
}

void onnx_import::importSqueeze(Node &node) {
  Shape from = node.shape(0), to;
  std::optional<Shape> axes = readAxes(node);
  std::vector<bool> removed(from.size(), false);
  for (int64_t axis : axes.value_or(Shape())) {
    axis = node.axis(axis, from.size());
    if (from[axis] != 1)
      failInvalid("axis {} of shape {} is not 1", axis, shapeString(from));
    removed[axis] = true;
  }
  for (size_t i = 0; i < from.size(); ++i)
    if (axes ? !removed[i] : from[i] != 1)
      to.push_back(from[i]);
  setReshaped(node, to);
}

void onnx_import::importUnsqueeze(Node &node) {
  Shape from = node.shape(0);
  std::optional<Shape> axes = readAxes(node);
  if (!axes)
    failInvalid("the axes are missing");
  size_t rank = from.size() + axes->size();
  if (rank > kMaxRank)
    failInvalid("the result would have {} axes; at most {} are possible", rank,
                kMaxRank);
  Shape to(rank, 0);
  for (int64_t axis : *axes) {
    axis = node.axis(axis, rank);
    if (to[axis])
      failInvalid("axis {} is given twice", axis);
    to[axis] = 1;
  }
  size_t next = 0;
  // Inserted axes are marked 1, the others still 0.
  for (int64_t &dim : to)
    if (!dim)
      dim = from[next++];
  setReshaped(node, to);
}

void onnx_import::importTranspose(Node &node) {
  Value input = node.value(0);
  int64_t rank = tensorType(input).getRank();
  Shape perm(rank);
  std::iota(perm.rbegin(), perm.rend(), 0);
  perm = node.getInts("perm").value_or(perm);
  if (isa<quant::UniformQuantizedPerAxisType>(elementType(input)))
    failUnsupported("a tensor with scales along an axis cannot be transposed");
  node.setResult(node.emit<nn::TransposeOp>(elementType(input), input,
                                            node.attr("perm", perm)));
}

void onnx_import::importConcat(Node &node) {
  Shape first = node.shape(0);
  if (first.empty())
    failInvalid("scalars cannot be joined");
  const onnx::AttributeProto *stated = node.getAttribute("axis");
  if (!stated && node.opset >= 4)
    failInvalid("attribute 'axis' is missing");
  int64_t axis = node.axis(node.getInt("axis", 1), first.size());
  bool constants = first.size() == 1;
  for (size_t i = 0; i < node.inputCount(); ++i)
    constants &= node.constant(i) && node.shape(i).size() == 1 &&
                 node.dtype(i) == node.dtype(0);
  if (constants) {
    std::string bytes;
    int64_t count = 0;
    for (size_t i = 0; i < node.inputCount(); ++i) {
      const Constant &c = *node.constant(i);
      node.checkFolded({count + c.size()}, c.type);
      bytes.append(c.bytes.data(), c.bytes.size());
      count += c.size();
    }
    return node.setResult(
        makeConstant(node.constant(0)->type, {count}, std::move(bytes)));
  }
  SmallVector<Value> inputs;
  for (size_t i = 0; i < node.inputCount(); ++i) {
    inputs.push_back(node.value(i));
    // Floats of all widths are f32 by now; the model must not mix them.
    if (elementType(inputs[i]) != elementType(inputs[0]) ||
        node.dtype(i) != node.dtype(0))
      failInvalid("inputs of different element types ({} and {}) cannot be "
                  "joined",
                  name(node.dtype(0)), name(node.dtype(i)));
  }
  node.setResult(node.emit<nn::ConcatOp>(elementType(inputs[0]), inputs,
                                         node.attr("axis", axis)));
}

//===----------------------------------------------------------------------===//
// Slice and Pad
//===----------------------------------------------------------------------===//

void onnx_import::importSlice(Node &node) {
  Shape from = node.shape(0);
  Shape starts, ends;
  std::optional<Shape> axes, steps;
  if (node.opset < 10) {
    starts = node.getInts("starts").value_or(Shape());
    ends = node.getInts("ends").value_or(Shape());
    axes = node.getInts("axes");
  } else {
    starts = node.integers(1, "the starts");
    ends = node.integers(2, "the ends");
    if (node.hasInput(3))
      axes = node.integers(3, "the axes");
    if (node.hasInput(4))
      steps = node.integers(4, "the steps");
  }
  size_t count = starts.size();
  if (!axes) {
    axes = Shape(count);
    std::iota(axes->begin(), axes->end(), 0);
  }
  if (ends.size() != count || axes->size() != count ||
      (steps && steps->size() != count))
    failInvalid("there are {} starts, {} ends, {} axes and {} steps", count,
                ends.size(), axes->size(), steps ? steps->size() : count);
  Shape low(from.size(), 0), size = from, step(from.size(), 1);
  std::vector<bool> seen(from.size(), false);
  for (size_t i = 0; i < count; ++i) {
    int64_t axis = node.axis((*axes)[i], from.size());
    if (seen[axis])
      failInvalid("axis {} is given twice", axis);
    seen[axis] = true;
    int64_t extent = from[axis], s = steps ? (*steps)[i] : 1;
    if (s == 0)
      failInvalid("step 0 along axis {}", axis);
    // Numbers far outside mean "to the end"; clamping first avoids overflow.
    auto resolve = [&](int64_t v, int64_t least, int64_t most) {
      if (v < 0)
        v = v < -extent ? -1 - extent : v;
      v = v < 0 ? v + extent : v;
      return std::clamp(v, least, most);
    };
    int64_t start, end;
    if (s > 0) {
      s = std::min(s, std::max<int64_t>(extent, 1));
      start = resolve(starts[i], 0, extent);
      end = resolve(ends[i], 0, extent);
      size[axis] = start < end ? (end - start - 1) / s + 1 : 0;
    } else {
      s = std::max(s, -std::max<int64_t>(extent, 1));
      start = resolve(starts[i], 0, std::max<int64_t>(extent - 1, 0));
      end = resolve(ends[i], -1, extent - 1);
      size[axis] = start > end ? (start - end - 1) / -s + 1 : 0;
    }
    low[axis] = start;
    step[axis] = s;
  }
  const Constant *c = node.constant(0);
  if (c && from.size() == 1) {
    size_t width = byteSize(c->type);
    std::string bytes;
    for (int64_t i = 0; i < size[0]; ++i)
      bytes.append(c->bytes.data() + (low[0] + i * step[0]) * width, width);
    return node.setResult(makeConstant(c->type, size, std::move(bytes)));
  }
  Value input = node.value(0);
  node.setResult(node.emit<nn::SliceOp>(elementType(input), input,
                                        {node.attr("starts", low),
                                         node.attr("sizes", size),
                                         node.attr("steps", step)}));
}

/// Padding with elements of the tensor itself, along one axis.
static Value padCopies(Node &node, Value input, int64_t axis, int64_t low,
                       int64_t high, const std::string &mode) {
  int64_t extent = shapeOf(input)[axis];
  if (low == 0 && high == 0)
    return input;
  if (extent == 0)
    failInvalid("axis {} has no elements to pad with", axis);
  std::vector<int64_t> places;
  int64_t total = checkedElements({low + extent + high}, "the result");
  if (total > (int64_t(1) << 24))
    failUnsupported("axis {} would be padded to {} elements, which are too "
                    "many in mode '{}'",
                    axis, total, mode);
  for (int64_t i = -low; i < total - low; ++i) {
    int64_t place = std::clamp<int64_t>(i, 0, extent - 1);
    if (mode == "wrap")
      place = (i % extent + extent) % extent;
    if (mode == "reflect" && extent > 1) {
      // There and back again, the ends once.
      int64_t period = 2 * (extent - 1);
      place = (i % period + period) % period;
      place = std::min(place, period - place);
    }
    places.push_back(place);
  }
  return select(node, input, axis, places);
}

void onnx_import::importPad(Node &node) {
  Value input = node.value(0);
  Shape from = node.shape(0);
  size_t rank = from.size();
  std::string mode = node.getString("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" &&
      mode != "wrap")
    failInvalid("mode is '{}'; constant, reflect, edge and wrap exist", mode);
  float value = 0;
  Shape pads, axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  if (node.opset < 11) {
    pads = node.getInts(node.opset < 2 ? "paddings" : "pads").value_or(Shape());
    value = node.getFloat("value", 0);
  } else {
    pads = node.integers(1, "the padding");
    if (node.hasInput(2)) {
      const Constant &c = node.requireConstant(2, "the padding value");
      if (c.size() != 1)
        failInvalid("the padding value '{}' must be one number",
                    node.inputName(2));
      value = static_cast<float>(realAt(c, 0));
      if (static_cast<double>(value) != realAt(c, 0) && c.isInteger())
        failUnsupported("the padding value {} has more than 24 bits",
                        integerAt(c, 0));
    }
    if (node.hasInput(3))
      axes = node.integers(3, "the axes");
  }
  if (pads.size() != 2 * axes.size())
    failInvalid("there are {} amounts of padding; the input {} needs {}",
                pads.size(), shapeString(from), 2 * axes.size());
  Shape low(rank, 0), high(rank, 0), start(rank, 0), size = from;
  bool cuts = false;
  for (size_t i = 0; i < axes.size(); ++i) {
    int64_t axis = node.axis(axes[i], rank);
    int64_t begin = pads[i], end = pads[axes.size() + i];
    if (std::abs(begin / 2) > INT32_MAX || std::abs(end / 2) > INT32_MAX)
      failInvalid("padding by {} and {} is too much", begin, end);
    // Negative padding removes elements.
    start[axis] = std::max<int64_t>(-begin, 0);
    size[axis] -= start[axis] + std::max<int64_t>(-end, 0);
    if (size[axis] < 0 || start[axis] > from[axis])
      failInvalid("padding by {} and {} removes more than axis {} of {} has",
                  begin, end, axis, shapeString(from));
    low[axis] = std::max<int64_t>(begin, 0);
    high[axis] = std::max<int64_t>(end, 0);
    cuts |= begin < 0 || end < 0;
  }
  if (nn::isQuantized(elementType(input)) && node.opset >= 11)
    failUnsupported("padding of integers is not supported");
  if (cuts)
    input = node.emit<nn::SliceOp>(elementType(input), input,
                                   {node.attr("starts", start),
                                    node.attr("sizes", size),
                                    node.attr("steps", Shape(rank, 1))});
  if (mode != "constant") {
    for (size_t axis = 0; axis < rank; ++axis)
      input = padCopies(node, input, axis, low[axis], high[axis], mode);
    return node.setResult(input);
  }
  node.setResult(
      node.emit<nn::PadOp>(elementType(input), input,
                           {node.attr("low", low), node.attr("high", high),
                            node.attr("value", value)}));
}
