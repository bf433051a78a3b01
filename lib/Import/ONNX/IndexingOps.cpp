//===- IndexingOps.cpp - gather, scatter and sorting -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Build.h"

#include <cstring>
#include <map>
#include <numeric>

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

/// Elements a constant may have that this file computes from a few bytes.
static constexpr int64_t kMaxComputed = int64_t(1) << 24;

/// An operand of indices: i32 or i64.
static Value indices(Node &node, size_t i) {
  DType type = node.dtype(i);
  if (type != DType::I64 && type != DType::I32)
    failInvalid("the indices '{}' are {}; they must be int32 or int64",
                node.inputName(i), name(type));
  return node.value(i);
}

/// Says at import that constant indices are outside; others are checked when
/// they are known.
static void checkIndices(Node &node, size_t i, int64_t extent, int64_t axis) {
  const Constant *c = node.constant(i);
  for (int64_t k = 0, e = c ? c->size() : 0; k < e; ++k)
    if (int64_t index = integerAt(*c, k); index < -extent || index >= extent)
      failInvalid("index {} is outside axis {} of {}", index, axis,
                  shapeString(node.shape(0)));
}

void onnx_import::importGather(Node &node) {
  Shape shape = node.shape(0);
  if (shape.empty())
    failInvalid("the data is a scalar");
  int64_t axis = node.axis(node.getInt("axis", 0), shape.size());
  checkIndices(node, 1, shape[axis], axis);
  Value index = indices(node, 1), data = node.value(0);
  node.setResult(node.emit<nn::GatherOp>(elementType(data), {data, index},
                                         node.attr("axis", axis)));
}

void onnx_import::importGatherElements(Node &node) {
  Shape shape = node.shape(0);
  int64_t axis = node.axis(node.getInt("axis", 0), shape.size());
  Value index = indices(node, 1), data = node.value(0);
  checkIndices(node, 1, shape[axis], axis);
  node.setResult(node.emit<nn::GatherElementsOp>(
      elementType(data), {data, index}, node.attr("axis", axis)));
}

void onnx_import::importGatherND(Node &node) {
  Value index = indices(node, 1), data = node.value(0);
  node.setResult(node.emit<nn::GatherNdOp>(
      elementType(data), {data, index},
      node.attr("batch_dims", node.getInt("batch_dims", 0))));
}

static NamedAttribute reduction(Node &node) {
  std::string kind = node.getString("reduction", "none");
  return node.builder().getNamedAttr("reduction",
                                     node.builder().getStringAttr(kind));
}

void onnx_import::importScatterElements(Node &node) {
  Shape shape = node.shape(0);
  int64_t axis = node.axis(node.getInt("axis", 0), shape.size());
  Value data = node.value(0), index = indices(node, 1), update = node.value(2);
  checkIndices(node, 1, shape[axis], axis);
  node.setResult(node.emit<nn::ScatterElementsOp>(
      elementType(data), {data, index, update},
      {node.attr("axis", axis), reduction(node)}));
}

void onnx_import::importScatterND(Node &node) {
  Value data = node.value(0), index = indices(node, 1), update = node.value(2);
  node.setResult(node.emit<nn::ScatterNdOp>(
      elementType(data), {data, index, update}, reduction(node)));
}

void onnx_import::importTensorScatter(Node &node) {
  Shape shape = node.shape(0);
  int64_t axis = node.axis(node.getInt("axis", -2), shape.size());
  std::string mode = node.getString("mode", "linear");
  if (mode != "linear" && mode != "circular")
    failInvalid("mode is '{}'; linear and circular exist", mode);
  SmallVector<Value> operands{node.value(0), node.value(1)};
  if (node.hasInput(2))
    operands.push_back(indices(node, 2));
  SmallVector<NamedAttribute> attributes{node.attr("axis", axis)};
  if (mode == "circular")
    attributes.push_back(node.unit("circular"));
  node.setResult(node.emit<nn::CacheUpdateOp>(elementType(operands[0]),
                                              operands, attributes));
}

void onnx_import::importReverseSequence(Node &node) {
  Shape shape = node.shape(0);
  int64_t time = node.axis(node.getInt("time_axis", 0), shape.size());
  int64_t batch = node.axis(node.getInt("batch_axis", 1), shape.size());
  Value input = node.value(0), lengths = indices(node, 1);
  node.setResult(node.emit<nn::ReverseSequenceOp>(
      elementType(input), {input, lengths},
      {node.attr("time_axis", time), node.attr("batch_axis", batch)}));
}

void onnx_import::importTopK(Node &node) {
  Value input = node.value(0);
  Shape shape = node.shape(0);
  int64_t axis = node.axis(node.getInt("axis", -1), shape.size());
  int64_t k;
  if (node.opset < 10) {
    k = node.getInt("k", -1);
  } else {
    Shape values = node.integers(1, "k");
    if (values.size() != 1)
      failInvalid("k ('{}') must be one number", node.inputName(1));
    k = values[0];
  }
  if (k < 0 || k > shape[axis])
    failInvalid("cannot take {} elements along axis {} of {}", k, axis,
                shapeString(shape));
  // Sorted is a valid unsorted order.
  node.ignore("sorted");
  SmallVector<NamedAttribute> attributes{node.attr("k", k),
                                         node.attr("axis", axis)};
  if (!node.getInt("largest", 1))
    attributes.push_back(node.unit("smallest"));
  SmallVector<Value> results = node.emitAll<nn::TopKOp>(
      {elementType(input), node.builder().getI64Type()}, input, attributes);
  node.setResult(results[0], 0);
  node.setResult(results[1], 1);
}

void onnx_import::importOneHot(Node &node) {
  const Constant &stated = node.requireConstant(1, "the depth");
  // Any type of number counts the classes.
  int64_t depth = stated.size() == 1 ? integerAt(stated, 0) : 0;
  if (depth < 1 || depth > kMaxComputed)
    failInvalid("the depth ('{}') must be one positive number",
                node.inputName(1));
  Shape shape = node.shape(0);
  int64_t axis = node.axis(node.getInt("axis", -1), shape.size() + 1);
  if (node.shape(2) != Shape{2})
    failInvalid("the values ('{}') must be two numbers, off and on",
                node.inputName(2));
  Value index = node.value(0), values = node.value(2);
  Type type = elementType(index);
  // One more axis, along which the number of the class is counted.
  Shape row(shape.size() + 1, 1);
  row[axis] = depth;
  std::vector<int64_t> classes(depth), wrapped(depth);
  std::iota(classes.begin(), classes.end(), 0);
  std::iota(wrapped.begin(), wrapped.end(), -depth);
  shape.insert(shape.begin() + axis, 1);
  index = node.reshape(index, shape);
  Type i64 = node.builder().getI64Type();
  if (type != i64)
    index = node.emit<nn::CastOp>(i64, index);
  auto matches = [&](ArrayRef<int64_t> numbers) {
    Value list =
        constantValue(node, makeConstant<int64_t>(DType::I64, row, numbers));
    return node.emit<nn::EqualOp>(node.builder().getI1Type(), {index, list});
  };
  Value on = node.emit<nn::OrOp>(node.builder().getI1Type(),
                                 {matches(classes), matches(wrapped)});
  auto value = [&](int64_t i) {
    return node.reshape(slice(node, values, 0, i, 1), {});
  };
  node.setResult(
      node.emit<nn::WhereOp>(elementType(values), {on, value(1), value(0)}));
}

//===----------------------------------------------------------------------===//
// Results whose size depends on values
//===----------------------------------------------------------------------===//

void onnx_import::importCompress(Node &node) {
  const Constant &condition = node.requireConstant(
      1, "the condition, which decides the size of the result,");
  Shape shape = node.shape(0);
  const onnx::AttributeProto *stated = node.getAttribute("axis");
  Value input = node.value(0);
  int64_t axis = 0;
  if (stated) {
    axis = node.axis(node.getInt("axis", 0), shape.size());
  } else {
    shape = {checkedElements(shape, "the input")};
    input = node.reshape(input, shape);
  }
  if (condition.shape.size() != 1 || condition.size() > shape[axis])
    failInvalid("the condition of shape {} does not fit axis {} of {}",
                shapeString(condition.shape), axis, shapeString(shape));
  std::vector<int64_t> chosen;
  for (int64_t i = 0; i < condition.size(); ++i)
    if (integerAt(condition, i))
      chosen.push_back(i);
  node.setResult(select(node, input, axis, chosen));
}

void onnx_import::importNonZero(Node &node) {
  const Constant &input = node.requireConstant(
      0, "the input, which decides the size of the result,");
  std::vector<int64_t> found;
  for (int64_t i = 0; i < input.size(); ++i)
    if (realAt(input, i) != 0)
      found.push_back(i);
  int64_t rank = input.shape.size(), count = found.size();
  std::vector<int64_t> values(rank * count);
  for (int64_t k = 0; k < count; ++k)
    for (int64_t axis = rank, rest = found[k]; axis-- > 0;) {
      values[axis * count + k] = rest % input.shape[axis];
      rest /= input.shape[axis];
    }
  node.setResult(makeConstant<int64_t>(DType::I64, {rank, count}, values));
}

void onnx_import::importUnique(Node &node) {
  Constant input = node.requireConstant(
      0, "the input, which decides the size of the result,");
  bool sorted = node.getInt("sorted", 1);
  int64_t axis = -1;
  if (node.getAttribute("axis"))
    axis = node.axis(node.getInt("axis", 0), input.shape.size());
  // One row for each element of the axis; without axis a row is an element.
  int64_t rows = axis < 0 ? input.size() : input.shape[axis];
  int64_t outer = 1, inner = 1;
  for (int64_t i = 0; i < static_cast<int64_t>(input.shape.size()); ++i)
    if (axis >= 0 && i != axis)
      (i < axis ? outer : inner) *= input.shape[i];
  auto at = [&](int64_t row, int64_t k) {
    return axis < 0 ? row : (k / inner * rows + row) * inner + k % inner;
  };
  int64_t width = axis < 0 ? 1 : outer * inner;
  auto less = [&](int64_t a, int64_t b) {
    for (int64_t k = 0; k < width; ++k) {
      int64_t x = at(a, k), y = at(b, k);
      bool integer = input.isInteger();
      auto order = integer ? (integerAt(input, x) < integerAt(input, y)) -
                                 (integerAt(input, y) < integerAt(input, x))
                           : (realAt(input, x) < realAt(input, y)) -
                                 (realAt(input, y) < realAt(input, x));
      if (order)
        return order > 0;
    }
    return false;
  };
  std::map<int64_t, int64_t, decltype(less)> classes(less);
  std::vector<int64_t> first, inverse(rows), counts;
  for (int64_t row = 0; row < rows; ++row) {
    auto [it, isNew] =
        classes.try_emplace(row, static_cast<int64_t>(first.size()));
    if (isNew) {
      first.push_back(row);
      counts.push_back(0);
    }
    inverse[row] = it->second;
    ++counts[it->second];
  }
  if (sorted) {
    std::vector<int64_t> rank(first.size()), oldFirst = first,
                                             oldCounts = counts;
    int64_t next = 0;
    for (auto &[row, number] : classes) {
      rank[number] = next;
      first[next] = oldFirst[number];
      counts[next++] = oldCounts[number];
    }
    for (int64_t &number : inverse)
      number = rank[number];
  }
  int64_t count = first.size();
  size_t bytes = byteSize(input.type);
  Shape shape = input.shape;
  if (axis < 0)
    shape = {count};
  else
    shape[axis] = count;
  std::string values(count * width * bytes, '\0');
  for (int64_t i = 0; i < count; ++i)
    for (int64_t k = 0; k < width; ++k) {
      int64_t to = axis < 0 ? i : (k / inner * count + i) * inner + k % inner;
      std::memcpy(values.data() + to * bytes,
                  input.bytes.data() + at(first[i], k) * bytes, bytes);
    }
  node.setResult(makeConstant(input.type, shape, std::move(values)), 0);
  node.setResult(makeConstant<int64_t>(DType::I64, {count}, first), 1);
  node.setResult(makeConstant<int64_t>(DType::I64, {rows}, inverse), 2);
  node.setResult(makeConstant<int64_t>(DType::I64, {count}, counts), 3);
}

void onnx_import::importNonMaxSuppression(Node &) {
  failUnsupported("the number of boxes depends on their values; cut the model "
                  "before this node and select boxes on the host");
}
