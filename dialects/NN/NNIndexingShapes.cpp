//===- NNIndexingShapes.cpp - shapes of picking and placing by index -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NNShapes.h"

using namespace mlir;
using namespace cimc;
using namespace cimc::nn;
using namespace cimc::nn::shapes;

namespace {

/// Says that an axis does not exist, unless it does.
LogicalResult checkAxis(std::optional<Location> loc, StringRef op,
                        ArrayRef<int64_t> shape, int64_t axis) {
  if (axis < 0 || axis >= static_cast<int64_t>(shape.size()))
    return fail(loc, op, "the input ", text(shape), " has no axis ", axis);
  return success();
}

Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

/// Indices, positions and lengths are signed integers.
LogicalResult verifyIndices(Operation *op, Value indices, StringRef what) {
  Type type = elementOf(indices);
  if (!type.isInteger(32) && !type.isInteger(64))
    return op->emitOpError("has ")
           << what << " of type " << type << "; they are i32 or i64";
  return success();
}

/// Both are quantized or both of one type.
LogicalResult verifyAlike(Operation *op, Value a, Value b) {
  Type left = elementOf(a), right = elementOf(b);
  if (isQuantized(left) ? isQuantized(right) : left == right)
    return success();
  return op->emitOpError("mixes element types: ")
         << left << " and " << right << "; data is all quantized or all of one "
         << "type";
}

LogicalResult verifyReduction(Operation *op, StringRef reduction) {
  if (!llvm::is_contained({"none", "add", "mul", "max", "min"}, reduction))
    return op->emitOpError("has the reduction '")
           << reduction << "'; none, add, mul, max and min exist";
  return success();
}

} // namespace

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

CIMC_INFER(GatherOp) {
  ArrayRef<int64_t> data = shapeOf(adaptor.getData());
  ArrayRef<int64_t> indices = shapeOf(adaptor.getIndices());
  int64_t axis = adaptor.getAxis();
  if (failed(checkAxis(loc, getOperationName(), data, axis)))
    return failure();
  Shape result(data.take_front(axis));
  result.append(indices.begin(), indices.end());
  result.append(data.begin() + axis + 1, data.end());
  return give(out, result);
}

LogicalResult GatherOp::verify() {
  return success(succeeded(verifyIndices(*this, getIndices(), "indices")) &&
                 succeeded(verifyAlike(*this, getData(), getResult())));
}

/// Whether `shape` has the axes of `data` and is nowhere longer, `axis`
/// excepted.
static bool fitsElements(ArrayRef<int64_t> data, ArrayRef<int64_t> shape,
                         int64_t axis) {
  if (shape.size() != data.size())
    return false;
  for (size_t i = 0; i < data.size(); ++i)
    if (static_cast<int64_t>(i) != axis && shape[i] > data[i])
      return false;
  return true;
}

CIMC_INFER(GatherElementsOp) {
  ArrayRef<int64_t> data = shapeOf(adaptor.getData());
  ArrayRef<int64_t> indices = shapeOf(adaptor.getIndices());
  int64_t axis = adaptor.getAxis();
  if (failed(checkAxis(loc, getOperationName(), data, axis)))
    return failure();
  if (!fitsElements(data, indices, axis))
    return fail(loc, getOperationName(), "the indices ", text(indices),
                " do not fit the data ", text(data), " along axis ", axis);
  return give(out, indices);
}

LogicalResult GatherElementsOp::verify() {
  return success(succeeded(verifyIndices(*this, getIndices(), "indices")) &&
                 succeeded(verifyAlike(*this, getData(), getResult())));
}

CIMC_INFER(GatherNdOp) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> data = shapeOf(adaptor.getData());
  ArrayRef<int64_t> indices = shapeOf(adaptor.getIndices());
  int64_t batch = adaptor.getBatchDims();
  int64_t rank = data.size(), indexRank = indices.size();
  if (batch < 0 || indexRank < 1 || batch >= std::min(rank, indexRank))
    return fail(loc, op, "the data ", text(data), " and the indices ",
                text(indices), " do not have ", batch,
                " batch axes and one more");
  if (data.take_front(batch) != indices.take_front(batch))
    return fail(loc, op, "the first ", batch, " axes of the data ", text(data),
                " and the indices ", text(indices), " differ");
  int64_t tuple = indices.back();
  if (tuple < 1 || batch + tuple > rank)
    return fail(loc, op, "the indices ", text(indices), " are tuples of ",
                tuple, "; the data ", text(data), " has ", rank - batch,
                " axes for them");
  Shape result(indices.drop_back());
  result.append(data.begin() + batch + tuple, data.end());
  return give(out, result);
}

LogicalResult GatherNdOp::verify() {
  return success(succeeded(verifyIndices(*this, getIndices(), "indices")) &&
                 succeeded(verifyAlike(*this, getData(), getResult())));
}

//===----------------------------------------------------------------------===//
// Scatter
//===----------------------------------------------------------------------===//

CIMC_INFER(ScatterElementsOp) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> data = shapeOf(adaptor.getData());
  ArrayRef<int64_t> indices = shapeOf(adaptor.getIndices());
  ArrayRef<int64_t> updates = shapeOf(adaptor.getUpdates());
  int64_t axis = adaptor.getAxis();
  if (failed(checkAxis(loc, op, data, axis)))
    return failure();
  if (indices != updates || !fitsElements(data, indices, axis))
    return fail(loc, op, "the indices ", text(indices), " and the updates ",
                text(updates), " do not fit the data ", text(data),
                " along axis ", axis);
  return give(out, data);
}

LogicalResult ScatterElementsOp::verify() {
  return success(succeeded(verifyIndices(*this, getIndices(), "indices")) &&
                 succeeded(verifyReduction(*this, getReduction())) &&
                 succeeded(verifyAlike(*this, getData(), getUpdates())) &&
                 succeeded(verifyAlike(*this, getData(), getResult())));
}

CIMC_INFER(ScatterNdOp) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> data = shapeOf(adaptor.getData());
  ArrayRef<int64_t> indices = shapeOf(adaptor.getIndices());
  ArrayRef<int64_t> updates = shapeOf(adaptor.getUpdates());
  int64_t rank = data.size();
  if (indices.empty() || indices.back() < 1 || indices.back() > rank)
    return fail(loc, op, "the indices ", text(indices),
                " are no tuples for the data ", text(data));
  Shape expected(indices.drop_back());
  expected.append(data.begin() + indices.back(), data.end());
  if (updates != ArrayRef<int64_t>(expected))
    return fail(loc, op, "the updates ", text(updates), " must be ",
                text(expected), " for the data ", text(data),
                " and the indices ", text(indices));
  return give(out, data);
}

LogicalResult ScatterNdOp::verify() {
  return success(succeeded(verifyIndices(*this, getIndices(), "indices")) &&
                 succeeded(verifyReduction(*this, getReduction())) &&
                 succeeded(verifyAlike(*this, getData(), getUpdates())) &&
                 succeeded(verifyAlike(*this, getData(), getResult())));
}

CIMC_INFER(CacheUpdateOp) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> cache = shapeOf(adaptor.getCache());
  ArrayRef<int64_t> update = shapeOf(adaptor.getUpdate());
  int64_t axis = adaptor.getAxis();
  if (failed(checkAxis(loc, op, cache, axis)))
    return failure();
  bool fits = axis > 0 && update.size() == cache.size();
  for (size_t i = 0; fits && i < cache.size(); ++i)
    fits = static_cast<int64_t>(i) == axis ? update[i] <= cache[i]
                                           : update[i] == cache[i];
  if (!fits)
    return fail(loc, op, "the update ", text(update),
                " does not fit into the cache ", text(cache), " along axis ",
                axis, ", which comes after the batch axis");
  if (Value position = adaptor.getPosition())
    if (shapeOf(position) != cache.take_front(1))
      return fail(loc, op, "the positions ", text(shapeOf(position)),
                  " must be one for each of the ", cache[0], " samples of ",
                  text(cache));
  return give(out, cache);
}

LogicalResult CacheUpdateOp::verify() {
  if (getPosition() && failed(verifyIndices(*this, getPosition(), "positions")))
    return failure();
  return success(succeeded(verifyAlike(*this, getCache(), getUpdate())) &&
                 succeeded(verifyAlike(*this, getCache(), getResult())));
}

CIMC_INFER(ReverseSequenceOp) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  int64_t time = adaptor.getTimeAxis(), batch = adaptor.getBatchAxis();
  if (failed(checkAxis(loc, op, input, time)) ||
      failed(checkAxis(loc, op, input, batch)))
    return failure();
  if (time == batch)
    return fail(loc, op, "axis ", time, " cannot be both time and batch");
  ArrayRef<int64_t> lengths = shapeOf(adaptor.getLengths());
  if (lengths != input.slice(batch, 1))
    return fail(loc, op, "the lengths ", text(lengths),
                " must be one for each of the ", input[batch], " samples of ",
                text(input));
  return give(out, input);
}

LogicalResult ReverseSequenceOp::verify() {
  return success(succeeded(verifyIndices(*this, getLengths(), "lengths")) &&
                 succeeded(verifyAlike(*this, getInput(), getResult())));
}

CIMC_INFER(TopKOp) {
  StringRef op = getOperationName();
  Shape result(shapeOf(adaptor.getInput()));
  int64_t axis = adaptor.getAxis(), k = adaptor.getK();
  if (failed(checkAxis(loc, op, result, axis)))
    return failure();
  if (k < 0 || k > result[axis])
    return fail(loc, op, "cannot take ", k, " elements along axis ", axis,
                " of ", text(result));
  result[axis] = k;
  return success(succeeded(give(out, result)) && succeeded(give(out, result)));
}

LogicalResult TopKOp::verify() {
  if (!elementOf(getIndices()).isInteger(64))
    return emitOpError("gives indices of type ")
           << elementOf(getIndices()) << "; they are i64";
  return verifyAlike(*this, getInput(), getValues());
}
