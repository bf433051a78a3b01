//===- NNSplitHeads.cpp - attention head by head --------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CutColumns.h"

#include "cimc/Mapping/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

#include <array>

namespace cimc {
#define GEN_PASS_DEF_NNSPLITHEADS
#include "cimc/Mapping/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc;

namespace {

using Dims = SmallVector<int64_t, 4>;

Dims shapeOf(Value value) {
  return Dims(cast<RankedTensorType>(value.getType()).getShape());
}

bool swapsHeads(nn::TransposeOp op) {
  return op && op.getPerm() == ArrayRef<int64_t>{0, 2, 1, 3};
}

Value reshape(OpBuilder &builder, Location loc, Value value,
              ArrayRef<int64_t> shape) {
  if (shapeOf(value) == Dims(shape))
    return value;
  auto type = cast<RankedTensorType>(value.getType());
  return nn::ReshapeOp::create(builder, loc, type.clone(shape), value);
}

/// The weighted operation whose columns are the heads of `operand`, head by
/// head, and which has no other reader; or null.
nn::WeightMatrixOpInterface projection(Value operand) {
  auto transpose = operand.getDefiningOp<nn::TransposeOp>();
  if (!swapsHeads(transpose) || !operand.hasOneUse())
    return {};
  auto apart = transpose.getInput().getDefiningOp<nn::ReshapeOp>();
  if (!apart || !apart->hasOneUse() || !apart.getInput().hasOneUse())
    return {};
  Dims shape = shapeOf(apart.getResult()), from = shapeOf(apart.getInput());
  auto weighted = apart.getInput().getDefiningOp<nn::WeightMatrixOpInterface>();
  if (!weighted || from.back() != shape[2] * shape[3])
    return {};
  std::optional<nn::WeightMatrix> matrix = weighted.getWeightMatrix();
  if (!matrix || matrix->windowed || matrix->isLeft)
    return {};
  return weighted;
}

/// The pieces of a projection after it was cut, or nothing.
SmallVector<Value> cut(Value operand) {
  Value apart = operand.getDefiningOp<nn::TransposeOp>().getInput();
  Value whole = apart.getDefiningOp<nn::ReshapeOp>().getInput();
  auto weighted = whole.getDefiningOp<nn::WeightMatrixOpInterface>();
  if (!mapping::cutColumns(weighted, shapeOf(apart)[3]))
    return {};
  whole = apart.getDefiningOp<nn::ReshapeOp>().getInput();
  return SmallVector<Value>(whole.getDefiningOp<nn::ConcatOp>().getInputs());
}

void split(nn::AttentionOp op) {
  Dims query = shapeOf(op.getQuery()), key = shapeOf(op.getKey());
  int64_t heads = query[1], groups = key[1];
  if (query[0] != 1 || heads == 1 || groups == 1 || !op->hasOneUse())
    return;
  // One bias for all heads.
  if (Value bias = op.getBias()) {
    Dims shape = shapeOf(bias);
    if (shape.size() > 2 && shape[shape.size() - 3] != 1)
      return;
  }
  auto together = dyn_cast<nn::TransposeOp>(*op->user_begin());
  if (!swapsHeads(together) || !together->hasOneUse())
    return;
  auto merged = dyn_cast<nn::ReshapeOp>(*together->user_begin());
  int64_t width = shapeOf(op.getResult())[3];
  if (!merged || shapeOf(merged.getResult()).back() != heads * width)
    return;
  std::array<Value, 3> operands = {op.getQuery(), op.getKey(), op.getValue()};
  for (Value operand : operands)
    if (!projection(operand))
      return;
  std::array<SmallVector<Value>, 3> pieces;
  for (auto [operand, its] : llvm::zip(operands, pieces))
    if (its = cut(operand); its.empty())
      return;

  OpBuilder builder(merged);
  Dims shape = shapeOf(merged.getResult());
  shape.back() = width;
  auto type = cast<RankedTensorType>(op.getResult().getType());
  SmallVector<Value> results;
  for (int64_t head = 0; head < heads; ++head) {
    std::array<Value, 3> own;
    for (size_t i = 0; i < own.size(); ++i) {
      Dims form = shapeOf(operands[i]);
      int64_t at = i == 0 ? head : head * groups / heads;
      own[i] = reshape(builder, op.getLoc(), pieces[i][at],
                       {1, 1, form[2], form[3]});
    }
    Value result = nn::AttentionOp::create(
        builder, op.getLoc(), type.clone({1, 1, query[2], width}), own[0],
        own[1], own[2], op.getBias(), op.getScaleAttr(), op.getSoftcapAttr());
    results.push_back(reshape(builder, op.getLoc(), result, shape));
  }
  auto joined = nn::ConcatOp::create(builder, merged.getLoc(),
                                     merged.getResult().getType(), results,
                                     static_cast<int64_t>(shape.size()) - 1);
  merged.getResult().replaceAllUsesWith(joined.getResult());
  for (Operation *dead :
       {merged.getOperation(), together.getOperation(), op.getOperation()})
    dead->erase();
  for (Value operand : operands)
    for (Operation *dead = operand.getDefiningOp();
         dead && dead->use_empty();) {
      Operation *before = isa<nn::ConcatOp>(dead)
                              ? nullptr
                              : dead->getOperand(0).getDefiningOp();
      dead->erase();
      dead = before;
    }
}

struct NNSplitHeads : cimc::impl::NNSplitHeadsBase<NNSplitHeads> {
  void runOnOperation() override {
    SmallVector<nn::AttentionOp> ops;
    getOperation().walk([&](nn::AttentionOp op) { ops.push_back(op); });
    for (nn::AttentionOp op : ops)
      split(op);
  }
};

} // namespace
