//===- Build.cpp - operations that several handlers emit -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Build.h"

#include <numeric>

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

Shape onnx_import::shapeOf(Value value) {
  ArrayRef<int64_t> shape = tensorType(value).getShape();
  return Shape(shape.begin(), shape.end());
}

Value onnx_import::scalar(Node &node, float value) {
  return constantValue(node, makeConstant<float>(DType::F32, {}, {value}));
}

Value onnx_import::constantValue(Node &node, const Constant &constant) {
  return node.emitConstant(constant,
                           elementTypeOf(node.context(), constant.type), "");
}

Value onnx_import::indexValue(Node &node, ArrayRef<int64_t> values) {
  return constantValue(
      node, makeConstant<int64_t>(
                DType::I64, {static_cast<int64_t>(values.size())}, values));
}

Value onnx_import::transpose(Node &node, Value value, const Shape &perm) {
  bool same = true;
  for (size_t i = 0; i < perm.size(); ++i)
    same &= perm[i] == static_cast<int64_t>(i);
  if (same)
    return value;
  return node.emit<nn::TransposeOp>(elementType(value), value,
                                    node.attr("perm", perm));
}

Value onnx_import::slice(Node &node, Value value, int64_t axis, int64_t start,
                         int64_t size, int64_t step) {
  Shape sizes = shapeOf(value);
  if (start == 0 && size == sizes[axis] && step == 1)
    return value;
  Shape starts(sizes.size(), 0), steps(sizes.size(), 1);
  starts[axis] = start;
  sizes[axis] = size;
  steps[axis] = step;
  return node.emit<nn::SliceOp>(elementType(value), value,
                                {node.attr("starts", starts),
                                 node.attr("sizes", sizes),
                                 node.attr("steps", steps)});
}

Value onnx_import::concat(Node &node, ArrayRef<Value> values, int64_t axis) {
  if (values.size() == 1)
    return values.front();
  return node.emit<nn::ConcatOp>(elementType(values.front()), values,
                                 node.attr("axis", axis));
}

Value onnx_import::expand(Node &node, Value value, const Shape &shape) {
  if (shapeOf(value) == shape)
    return value;
  return node.emit<nn::ExpandOp>(elementType(value), value,
                                 node.attr("shape", shape));
}

Value onnx_import::select(Node &node, Value value, int64_t axis,
                          ArrayRef<int64_t> indices) {
  struct Run {
    int64_t start, size, step;
  };
  std::vector<Run> runs;
  constexpr size_t kMaxRuns = 16;
  for (size_t i = 0; i < indices.size() && runs.size() <= kMaxRuns;) {
    int64_t step = i + 1 < indices.size() ? indices[i + 1] - indices[i] : 1;
    // A repeated element, or one that nothing continues, stands alone.
    int64_t size = 1;
    if (step != 0)
      while (i + size < indices.size() &&
             indices[i + size] == indices[i] + size * step)
        ++size;
    runs.push_back({indices[i], size, size > 1 ? step : 1});
    i += size;
  }
  if (runs.empty() || runs.size() > kMaxRuns) {
    Value index = indexValue(node, indices);
    return node.emit<nn::GatherOp>(elementType(value), {value, index},
                                   node.attr("axis", axis));
  }
  SmallVector<Value> parts;
  for (const Run &run : runs)
    parts.push_back(slice(node, value, axis, run.start, run.size, run.step));
  return concat(node, parts, axis);
}

Value onnx_import::padZeros(Node &node, Value value, int64_t axis, int64_t low,
                            int64_t high) {
  if (low == 0 && high == 0)
    return value;
  Shape before(shapeOf(value).size(), 0), after = before;
  before[axis] = low;
  after[axis] = high;
  return node.emit<nn::PadOp>(elementType(value), value,
                              {node.attr("low", before),
                               node.attr("high", after),
                               node.attr("value", 0.0f)});
}

Value onnx_import::multiply(Node &node, Value a, Value b) {
  return node.emit<nn::MulOp>(elementType(a), {a, b});
}

Value onnx_import::add(Node &node, Value a, Value b) {
  return node.emit<nn::AddOp>(elementType(a), {a, b});
}
