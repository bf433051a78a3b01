//===- FoldEmpty.cpp - tensors without elements -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters' general formulas leave them where a part has the length 0: the
// half of a head that is not rotated, the state of a window of one. Whoever
// computes one, it is a constant; what reads them folds.
//
//===----------------------------------------------------------------------===//

#include "Patterns.h"

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

bool transforms::isEmpty(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.hasStaticShape() && type.getNumElements() == 0;
}

/// A constant of the value's type.
static Value emptyConstant(OpBuilder &builder, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  Type held = type.getElementType();
  if (auto quantized = dyn_cast<quant::QuantizedType>(held))
    held = quantized.getStorageType();
  return nn::ConstantOp::create(
      builder, value.getLoc(), type,
      DenseElementsAttr::get(type.clone(held), ArrayRef<Attribute>()));
}

namespace {

struct FoldEmptyResult : RewritePattern {
  FoldEmptyResult(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!isa_and_nonnull<nn::NNDialect>(op->getDialect()) ||
        isa<nn::ConstantOp>(op))
      return failure();
    bool changed = false;
    for (Value result : op->getResults()) {
      if (!isEmpty(result) || result.use_empty())
        continue;
      rewriter.replaceAllUsesWith(result, emptyConstant(rewriter, result));
      changed = true;
    }
    return success(changed);
  }
};

struct DropEmptyParts : OpRewritePattern<nn::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nn::ConcatOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Value> parts;
    for (Value part : op.getInputs())
      if (!isEmpty(part))
        parts.push_back(part);
    if (parts.empty() || parts.size() == op.getInputs().size())
      return failure();
    rewriter.modifyOpInPlace(op, [&] { op.getInputsMutable().assign(parts); });
    return success();
  }
};

/// Nothing written: the tensor as it is.
template <typename Op, unsigned Update>
struct DropEmptyUpdate : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    Value whole = op->getOperand(0);
    if (!isEmpty(op->getOperand(Update)) || whole.getType() != op.getType())
      return failure();
    rewriter.replaceOp(op, whole);
    return success();
  }
};

} // namespace

void transforms::replaceEmptyArguments(func::FuncOp function) {
  if (function.empty())
    return;
  OpBuilder builder(function.getBody());
  for (BlockArgument argument : function.getArguments())
    if (isEmpty(argument) && !argument.use_empty())
      argument.replaceAllUsesWith(emptyConstant(builder, argument));
}

void transforms::addEmptyPatterns(RewritePatternSet &patterns) {
  patterns.add<FoldEmptyResult, DropEmptyParts,
               DropEmptyUpdate<nn::ScatterElementsOp, 2>,
               DropEmptyUpdate<nn::ScatterNdOp, 2>,
               DropEmptyUpdate<nn::CacheUpdateOp, 1>>(patterns.getContext());
}
