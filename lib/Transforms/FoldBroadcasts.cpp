//===- FoldBroadcasts.cpp - repetition and shapes that later operations undo
//-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Patterns.h"

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

namespace {

/// f(expand(x), y) is f(x, y) where y alone gives the result its shape.
struct ExpandIntoElementwise
    : OpInterfaceRewritePattern<nn::ElementwiseOpInterface> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(nn::ElementwiseOpInterface op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumOperands() != 2)
      return failure();
    for (unsigned i : {0u, 1u}) {
      auto expand = op->getOperand(i).getDefiningOp<nn::ExpandOp>();
      Value other = op->getOperand(1 - i);
      if (!expand || shapeOf(other) != shapeOf(op->getResult(0)) ||
          elementTypeOf(expand) != elementTypeOf(expand.getInput()))
        continue;
      rewriter.modifyOpInPlace(op,
                               [&] { op->setOperand(i, expand.getInput()); });
      return success();
    }
    return failure();
  }
};

/// An expand to the shape that is there already.
struct DropExpand : OpRewritePattern<nn::ExpandOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nn::ExpandOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getType() != op.getInput().getType())
      return failure();
    rewriter.replaceOp(op, op.getInput());
    return success();
  }
};

/// softmax(reshape(x)) over rows that the reshape keeps is reshape(softmax(x)),
/// so that the reshape meets the one that undoes it.
struct SinkReshape : OpRewritePattern<nn::SoftmaxOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nn::SoftmaxOp op,
                                PatternRewriter &rewriter) const override {
    auto reshape = op.getInput().getDefiningOp<nn::ReshapeOp>();
    if (!reshape || !elementTypeOf(op).isF32() ||
        !elementTypeOf(reshape.getInput()).isF32())
      return failure();
    ArrayRef<int64_t> from = shapeOf(reshape.getInput()), to = shapeOf(op);
    if (from.empty() || from.back() != to.back() ||
        static_cast<size_t>(op.getAxis()) + 1 != to.size())
      return failure();
    Value rows = nn::SoftmaxOp::create(
        rewriter, op.getLoc(), reshape.getInput().getType(), reshape.getInput(),
        rewriter.getI64IntegerAttr(from.size() - 1));
    rewriter.replaceOpWithNewOp<nn::ReshapeOp>(op, op.getType(), rows);
    return success();
  }
};

} // namespace

void transforms::addBroadcastPatterns(RewritePatternSet &patterns) {
  patterns.add<ExpandIntoElementwise, DropExpand, SinkReshape>(
      patterns.getContext());
}
