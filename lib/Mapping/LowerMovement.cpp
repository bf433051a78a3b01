//===- LowerMovement.cpp - reshapes, transpositions, joins and cuts -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include <cstring>

using namespace mlir;

namespace cimc::mapping {

LogicalResult Lowering::lowerReshape(nn::ReshapeOp op) {
  Value input = op.getInput(), output = op.getResult();
  if (!maps.count(input))
    maps[input] = use(input);
  Map map = maps.find(input)->second;
  FailureOr<Value> value =
      moved(op, map.value, input.getType(), output.getType());
  if (failed(value))
    return failure();
  map.value = *value;
  Dims shape = shapeOf(output), identity = identityPerm(shape.size());
  if (sameOrder(map.shape, map.perm, identityPerm(map.shape.size()))) {
    define(output, map.value, identity);
    return success();
  }
  // Axes of length 1 that come or go leave the order of the others.
  Dims from, to;
  for (size_t axis = 0; axis < map.shape.size(); ++axis)
    if (map.shape[axis] != 1)
      from.push_back(static_cast<int64_t>(axis));
  for (size_t axis = 0; axis < shape.size(); ++axis)
    if (shape[axis] != 1)
      to.push_back(static_cast<int64_t>(axis));
  bool sameSizes = from.size() == to.size();
  for (size_t i = 0; sameSizes && i < from.size(); ++i)
    sameSizes = map.shape[from[i]] == shape[to[i]];
  if (sameSizes) {
    Dims order;
    for (int64_t axis : identity)
      if (shape[axis] == 1)
        order.push_back(axis);
    for (int64_t axis : map.perm)
      if (map.shape[axis] != 1)
        order.push_back(to[llvm::find(from, axis) - from.begin()]);
    for (const Dims &usual : {channelsLast(shape.size()), identity})
      if (sameOrder(shape, order, usual))
        order = usual;
    define(output, map.value, order);
    return success();
  }
  // Left pending: a matrix product may read the map as it is.
  maps[output] = map;
  return success();
}

LogicalResult Lowering::lowerTranspose(nn::TransposeOp op) {
  Map map = use(op.getInput());
  FailureOr<Value> value =
      moved(op, map.value, op.getInput().getType(), op.getResult().getType());
  if (failed(value))
    return failure();
  // Nothing moves: input axis perm[i] is now called i.
  Dims called(map.perm.size());
  for (size_t i = 0; i < called.size(); ++i)
    called[op.getPerm()[i]] = static_cast<int64_t>(i);
  define(op.getResult(), *value, permuted(called, map.perm));
  return success();
}

LogicalResult Lowering::lowerConcat(nn::ConcatOp op) {
  Location loc = op.getLoc();
  Dims shape = shapeOf(op.getResult());
  auto rank = static_cast<int64_t>(shape.size());
  auto axis = static_cast<int64_t>(op.getAxis());
  if (axis < 0)
    axis += rank;
  if (axis < 0 || axis >= rank)
    return fail(op, "axis " + Twine(axis) + " is not one of " + Twine(rank));
  // The layout of the first operand that has one.
  Dims perm = identityPerm(rank);
  for (Value operand : op.getInputs())
    if (maps.count(operand)) {
      perm = use(operand).perm;
      break;
    }
  auto place = [&](ArrayRef<int64_t> order) -> int64_t {
    int64_t position = llvm::find(order, axis) - order.begin();
    if (position == rank - 1)
      return 2;
    if (rank >= 4 && position == rank - 2)
      return 1;
    for (int64_t i = 0; i < position; ++i)
      if (shape[order[i]] != 1)
        return -1;
    return 0;
  };
  int64_t where = place(perm);
  if (where < 0) {
    // Make it the channels: those can always be joined.
    perm.erase(llvm::find(perm, axis));
    perm.push_back(axis);
    where = 2;
  }
  // Axes of the rows inside `axis` are part of its rows.
  SmallVector<Value> parts;
  for (Value operand : op.getInputs()) {
    Map map = inLayout(operand, perm);
    FailureOr<Value> value =
        moved(op, map.value, operand.getType(), op.getResult().getType());
    if (failed(value))
      return failure();
    parts.push_back(*value);
  }
  Value joined = parts.front();
  if (parts.size() > 1) {
    RankedTensorType type =
        mapType(shape, perm, getElementTypeOrSelf(parts.front().getType()));
    joined =
        cim::ConcatOp::create(builder, loc, type, parts, where, IntegerAttr());
  }
  define(op.getResult(), joined, perm);
  return success();
}

LogicalResult Lowering::lowerPad(nn::PadOp op) {
  Map map = use(op.getInput());
  Dims shape = shapeOf(op.getResult());
  Type machine = getElementTypeOrSelf(map.value.getType());
  int64_t fill = 0;
  float real = op.getValue().convertToFloat();
  if (std::optional<Quant> quant = getQuant(op.getInput().getType())) {
    fill = numerics::quantize(real, quant->scale, quant->zero, quant->range);
  } else if (machine.isF32()) {
    int32_t bits;
    std::memcpy(&bits, &real, sizeof(bits));
    fill = bits;
  } else {
    fill = static_cast<int64_t>(real);
  }
  Dims counts = permuted(map.shape, map.perm);
  Dims dst = rowMajorStrides(permuted(shape, map.perm));
  Dims low = permuted(op.getLow(), map.perm);
  int64_t offset = 0;
  for (size_t i = 0; i < dst.size(); ++i)
    offset += low[i] * dst[i];
  Value padded = move(op.getLoc(), map.value, mapType(shape, map.perm, machine),
                      counts, rowMajorStrides(counts), dst, 0, offset, fill);
  FailureOr<Value> value =
      moved(op, padded, op.getInput().getType(), op.getResult().getType());
  if (failed(value))
    return failure();
  define(op.getResult(), *value, map.perm);
  return success();
}

LogicalResult Lowering::lowerSlice(nn::SliceOp op) {
  Map map = use(op.getInput());
  Dims shape = shapeOf(op.getResult());
  Type machine = getElementTypeOrSelf(map.value.getType());
  Dims counts = permuted(shape, map.perm);
  Dims src = rowMajorStrides(permuted(map.shape, map.perm));
  Dims starts = permuted(op.getStarts(), map.perm);
  Dims steps = permuted(op.getSteps(), map.perm);
  int64_t offset = 0;
  for (size_t i = 0; i < src.size(); ++i) {
    offset += starts[i] * src[i];
    src[i] *= steps[i];
  }
  Value cut = move(op.getLoc(), map.value, mapType(shape, map.perm, machine),
                   counts, src, rowMajorStrides(counts), offset);
  FailureOr<Value> value =
      moved(op, cut, op.getInput().getType(), op.getResult().getType());
  if (failed(value))
    return failure();
  define(op.getResult(), *value, map.perm);
  return success();
}

} // namespace cimc::mapping
