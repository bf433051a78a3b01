//===- LowerIndexing.cpp - gather, scatter, topk ----------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Indices of the nn level become int32 numbers of blocks of the map held
// whole: sums of scaled indices and of a constant that says where each index
// stands. Negative indices count from the end.
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
#include "Lowering.h"

#include <algorithm>

using namespace mlir;

namespace cimc::mapping {

using numerics::Function;

Value Lowering::integers(Location loc, std::array<int64_t, 3> form,
                         ArrayRef<int64_t> values) {
  auto type = RankedTensorType::get(form, builder.getI32Type());
  std::vector<int32_t> narrow(values.begin(), values.end());
  ArrayRef<char> bytes(reinterpret_cast<const char *>(narrow.data()),
                       narrow.size() * sizeof(int32_t));
  return cim::ConstantOp::create(
      builder, loc, type, makeElements(type, bytes, "indices"), IntegerAttr());
}

/// An index map in row-major order as `form`; entries are taken from the end of
/// an axis of `length` (one a channel, or one for all) where they are negative.
Value Lowering::wrapped(Location loc, Value indices,
                        std::array<int64_t, 3> form, ArrayRef<int64_t> length) {
  Map map = inLayout(indices, identityPerm(shapeOf(indices).size()));
  Value value = convert(loc, map.value, builder.getI32Type());
  value =
      regroup(loc, value, RankedTensorType::get(form, builder.getI32Type()));
  Value lengths =
      integers(loc, {1, 1, static_cast<int64_t>(length.size())}, length);
  Value zero = scalar(loc, builder.getI32Type(), 0);
  Value negative = this->map(loc, Function::Less, value, zero);
  Value fromEnd = this->map(loc, Function::Add, value, lengths);
  return cim::SelectOp::create(builder, loc, value.getType(), negative, fromEnd,
                               value, IntegerAttr());
}

/// `base` plus `indices` times `factor`; base's form is broadcast to.
Value Lowering::positions(Location loc, Value indices, int64_t factor,
                          std::array<int64_t, 3> form, ArrayRef<int64_t> base) {
  if (factor != 1)
    indices =
        map(loc, Function::Mul, indices,
            scalar(loc, builder.getI32Type(), static_cast<double>(factor)));
  if (llvm::all_of(base, [](int64_t b) { return b == 0; }))
    return indices;
  return map(loc, Function::Add, indices, integers(loc, form, base));
}

/// Blocks of a map in row-major order. A constant that one core cannot hold
/// lies in parts on several; what an index does not find in a part is 0 there.
Value Lowering::gather(Location loc, Value data, Value indices, int64_t block,
                       RankedTensorType result) {
  auto type = cast<RankedTensorType>(data.getType());
  int64_t width = type.getElementTypeBitWidth() / 8;
  int64_t most = std::max<int64_t>(1, chip.memoryBytes() / 2 /
                                          std::max<int64_t>(1, block * width));
  int64_t blocks = type.getNumElements() / block;
  auto constant = data.getDefiningOp<cim::ConstantOp>();
  if (!constant || blocks <= most)
    return cim::GatherOp::create(builder, loc, result, data, indices, block,
                                 IntegerAttr());
  std::optional<std::vector<char>> bytes = readBytes(constant.getValue());
  Value sum;
  for (int64_t first = 0; bytes && first < blocks; first += most) {
    int64_t count = std::min(most, blocks - first);
    auto part = RankedTensorType::get({count, 1, block}, type.getElementType());
    ArrayRef<char> slice(bytes->data() + first * block * width,
                         static_cast<size_t>(count * block * width));
    Value table = cim::ConstantOp::create(
        builder, loc, part, makeElements(part, slice, "table"), IntegerAttr());
    Value local = indices;
    if (first)
      local =
          map(loc, Function::Sub, indices,
              scalar(loc, builder.getI32Type(), static_cast<double>(first)));
    Value found = cim::GatherOp::create(builder, loc, result, table, local,
                                        block, IntegerAttr());
    sum = sum ? map(loc, Function::Add, sum, found) : found;
  }
  return sum;
}

/// Defines the result of `op` as the blocks of `data`, held whole in row-major
/// order, that `index` names.
LogicalResult Lowering::gathered(Operation *op, Value data, Value index,
                                 int64_t block) {
  Value result = op->getResult(0);
  Value input = inLayout(data, identityPerm(shapeOf(data).size())).value;
  Dims shape = shapeOf(result), perm = identityPerm(shape.size());
  RankedTensorType type =
      mapType(shape, perm, getElementTypeOrSelf(input.getType()));
  define(result, gather(op->getLoc(), input, index, block, type), perm);
  return success();
}

static int64_t normalAxis(int64_t axis, size_t rank) {
  return axis < 0 ? axis + static_cast<int64_t>(rank) : axis;
}

LogicalResult Lowering::lowerGather(nn::GatherOp op) {
  Location loc = op.getLoc();
  Dims data = shapeOf(op.getData());
  int64_t axis = normalAxis(op.getAxis(), data.size());
  int64_t outer = product(ArrayRef<int64_t>(data).take_front(axis));
  int64_t block = product(ArrayRef<int64_t>(data).drop_front(axis + 1));
  int64_t count = product(shapeOf(op.getIndices()));
  Value index = wrapped(loc, op.getIndices(), {1, 1, count}, {data[axis]});
  Dims base;
  for (int64_t p = 0; p < outer; ++p)
    base.push_back(p * data[axis]);
  index = positions(loc, index, 1, {outer, 1, 1}, base);
  return gathered(op, op.getData(), index, block);
}

/// Where element i of a tensor of `shape` stands in one of `data` when its
/// coordinate along `axis` is 0.
static Dims bases(ArrayRef<int64_t> shape, ArrayRef<int64_t> data,
                  int64_t axis) {
  Dims strides = rowMajorStrides(data), result;
  Dims at(shape.size(), 0);
  for (int64_t i = 0, n = product(shape); i < n; ++i) {
    int64_t base = 0;
    for (size_t d = 0; d < shape.size(); ++d)
      if (static_cast<int64_t>(d) != axis)
        base += at[d] * strides[d];
    result.push_back(base);
    for (size_t d = shape.size(); d-- > 0;) {
      if (++at[d] < shape[d])
        break;
      at[d] = 0;
    }
  }
  return result;
}

LogicalResult Lowering::lowerGatherElements(nn::GatherElementsOp op) {
  Location loc = op.getLoc();
  Dims data = shapeOf(op.getData()), shape = shapeOf(op.getResult());
  int64_t axis = normalAxis(op.getAxis(), data.size());
  std::array<int64_t, 3> form = grouped(shape);
  Value index = wrapped(loc, op.getIndices(), form, {data[axis]});
  index = positions(loc, index, rowMajorStrides(data)[axis], form,
                    bases(shape, data, axis));
  return gathered(op, op.getData(), index, /*block=*/1);
}

/// Tuples of indices into the axes of `data` from `batch` on, as numbers of
/// blocks of what follows those axes.
Value Lowering::tuples(Location loc, Value indices, ArrayRef<int64_t> data,
                       int64_t batch, int64_t &block) {
  Dims shape = shapeOf(indices);
  int64_t depth = shape.back(), count = product(shape) / depth;
  ArrayRef<int64_t> axes = data.slice(batch, depth);
  block = product(data.drop_front(batch + depth));
  auto i32 = builder.getI32Type();
  Value value = wrapped(loc, indices, {count, 1, depth}, axes);
  Dims strides = rowMajorStrides(axes);
  if (depth > 1) {
    value =
        map(loc, Function::Mul, value, integers(loc, {1, 1, depth}, strides));
    value = cim::ReduceOp::create(builder, loc,
                                  RankedTensorType::get({count, 1, 1}, i32),
                                  value, "sum", IntegerAttr());
  }
  int64_t batches = product(data.take_front(batch));
  Dims base;
  for (int64_t i = 0; i < count; ++i)
    base.push_back(i / (count / batches) * product(axes));
  return positions(loc, value, 1, {count, 1, 1}, base);
}

LogicalResult Lowering::lowerGatherNd(nn::GatherNdOp op) {
  int64_t block = 1;
  Value index = tuples(op.getLoc(), op.getIndices(), shapeOf(op.getData()),
                       op.getBatchDims(), block);
  return gathered(op, op.getData(), index, block);
}

LogicalResult Lowering::scattered(Operation *op, Value data, Value updates,
                                  Value index, int64_t block,
                                  StringRef reduction) {
  Location loc = op->getLoc();
  StringRef function = reduction == "none"  ? "set"
                       : reduction == "add" ? "sum"
                       : reduction == "mul" ? "prod"
                                            : reduction;
  Dims perm = identityPerm(shapeOf(data).size());
  Value input = inLayout(data, perm).value;
  Value source = inLayout(updates, identityPerm(shapeOf(updates).size())).value;
  define(op->getResult(0),
         cim::ScatterOp::create(builder, loc, input.getType(), input, index,
                                source, function, block, IntegerAttr()),
         perm);
  return success();
}

LogicalResult Lowering::lowerScatterElements(nn::ScatterElementsOp op) {
  Location loc = op.getLoc();
  Dims data = shapeOf(op.getData()), shape = shapeOf(op.getIndices());
  int64_t axis = normalAxis(op.getAxis(), data.size());
  std::array<int64_t, 3> form = grouped(shape);
  Value index = wrapped(loc, op.getIndices(), form, {data[axis]});
  index = positions(loc, index, rowMajorStrides(data)[axis], form,
                    bases(shape, data, axis));
  return scattered(op, op.getData(), op.getUpdates(), index, 1,
                   op.getReduction());
}

LogicalResult Lowering::lowerScatterNd(nn::ScatterNdOp op) {
  int64_t block = 1;
  Value index =
      tuples(op.getLoc(), op.getIndices(), shapeOf(op.getData()), 0, block);
  return scattered(op, op.getData(), op.getUpdates(), index, block,
                   op.getReduction());
}

LogicalResult Lowering::lowerCacheUpdate(nn::CacheUpdateOp op) {
  Location loc = op.getLoc();
  Dims cache = shapeOf(op.getCache()), update = shapeOf(op.getUpdate());
  int64_t axis = normalAxis(op.getAxis(), cache.size());
  int64_t rows = cache[axis], added = update[axis];
  int64_t block = product(ArrayRef<int64_t>(cache).drop_front(axis + 1));
  int64_t batch = axis == 0 ? 1 : cache[0];
  int64_t middle = product(ArrayRef<int64_t>(cache).take_front(axis)) / batch;
  Dims tokens, base;
  for (int64_t l = 0; l < added; ++l)
    tokens.push_back(l);
  for (int64_t m = 0; m < batch * middle; ++m)
    base.push_back(m * rows);
  // Row numbers, batch x 1 x tokens, then those of all rows of the cache.
  Value index = integers(loc, {1, 1, added}, tokens);
  if (op.getPosition()) {
    Value position = inLayout(op.getPosition(), {0}).value;
    position = convert(loc, position, builder.getI32Type());
    position = regroup(
        loc, position,
        RankedTensorType::get({product(shapeOf(op.getPosition())), 1, 1},
                              builder.getI32Type()));
    index = map(loc, Function::Add, index, position);
  }
  if (op.getCircular())
    index = map(loc, Function::Mod, index,
                scalar(loc, builder.getI32Type(), static_cast<double>(rows)));
  index =
      map(loc, Function::Add, index, integers(loc, {batch, middle, 1}, base));
  return scattered(op, op.getCache(), op.getUpdate(), index, block, "none");
}

LogicalResult Lowering::lowerTopK(nn::TopKOp op) {
  Location loc = op.getLoc();
  Dims shape = shapeOf(op.getInput());
  int64_t axis = normalAxis(op.getAxis(), shape.size());
  Map input = use(op.getInput());
  Dims perm;
  for (int64_t other : input.perm)
    if (other != axis)
      perm.push_back(other);
  perm.push_back(axis);
  input = relayout(loc, input, perm);
  for (Value result : op->getResults()) {
    bool indices = result == op.getIndices();
    Type element = indices ? builder.getI32Type()
                           : getElementTypeOrSelf(input.value.getType());
    define(result,
           cim::TopKOp::create(
               builder, loc, mapType(shapeOf(result), perm, element),
               input.value, op.getSmallest(), indices, IntegerAttr()),
           perm);
  }
  return success();
}

LogicalResult Lowering::lowerExpand(nn::ExpandOp op) {
  Location loc = op.getLoc();
  Dims shape = shapeOf(op.getResult()), have = shapeOf(op.getInput());
  Map input = use(op.getInput());
  // New axes are in front.
  auto added = static_cast<int64_t>(shape.size() - have.size());
  Dims perm = identityPerm(added);
  Dims stored = rowMajorStrides(permuted(have, input.perm));
  Dims strides(added, 0);
  for (auto [axis, stride] : llvm::zip(input.perm, stored)) {
    perm.push_back(axis + added);
    strides.push_back(have[axis] == 1 ? 0 : stride);
  }
  Dims counts = permuted(shape, perm);
  Value value =
      move(loc, input.value,
           mapType(shape, perm, getElementTypeOrSelf(input.value.getType())),
           counts, strides, rowMajorStrides(counts));
  define(op.getResult(), value, perm);
  return success();
}

} // namespace cimc::mapping
