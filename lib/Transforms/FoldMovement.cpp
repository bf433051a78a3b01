//===- FoldMovement.cpp - data movement and clamps -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Patterns.h"

#include <limits>

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

namespace {

/// Equal element types mean that a movement moves and does not requantize.
bool movesOnly(Operation *op) {
  return elementTypeOf(op->getOperand(0)) == elementTypeOf(op->getResult(0));
}

struct ReshapeOfReshape : OpRewritePattern<nn::ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nn::ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto first = op.getInput().getDefiningOp<nn::ReshapeOp>();
    if (!first || !movesOnly(first))
      return failure();
    rewriter.replaceOpWithNewOp<nn::ReshapeOp>(op, op.getType(),
                                               first.getInput());
    return success();
  }
};

struct TransposeOfTranspose : OpRewritePattern<nn::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nn::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    auto first = op.getInput().getDefiningOp<nn::TransposeOp>();
    if (!first || !movesOnly(first))
      return failure();
    SmallVector<int64_t> perm;
    for (int64_t axis : op.getPerm())
      perm.push_back(first.getPerm()[axis]);
    rewriter.replaceOpWithNewOp<nn::TransposeOp>(
        op, op.getType(), first.getInput(),
        rewriter.getDenseI64ArrayAttr(perm));
    return success();
  }
};

/// A transpose that keeps the order of all axes longer than 1.
struct TransposeToReshape : OpRewritePattern<nn::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nn::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    if (isa<quant::UniformQuantizedPerAxisType>(elementTypeOf(op)))
      return failure();
    int64_t last = -1;
    for (int64_t axis : op.getPerm()) {
      if (shapeOf(op.getInput())[axis] == 1)
        continue;
      if (axis < last)
        return failure();
      last = axis;
    }
    rewriter.replaceOpWithNewOp<nn::ReshapeOp>(op, op.getType(), op.getInput());
    return success();
  }
};

/// slice, pad, concat and cast that return their operand.
template <typename OpT> struct DropIdentity : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpT op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumOperands() != 1 ||
        op->getOperand(0).getType() != op->getResult(0).getType())
      return failure();
    if constexpr (std::is_same_v<OpT, nn::SliceOp>)
      if (llvm::any_of(op.getSteps(), [](int64_t step) { return step < 0; }))
        return failure();
    rewriter.replaceOp(op, op->getOperand(0));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Clamps
//===----------------------------------------------------------------------===//

struct Interval {
  float min, max;
};

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kLargest = std::numeric_limits<float>::max();

/// relu and clip as clamps; the limits of an absent clip bound count as none.
std::optional<Interval> clampOf(Operation *op) {
  if (isa_and_nonnull<nn::ReluOp>(op))
    return Interval{0, kInfinity};
  auto clip = dyn_cast_or_null<nn::ClipOp>(op);
  if (!clip)
    return std::nullopt;
  Interval i{clip.getMin().convertToFloat(), clip.getMax().convertToFloat()};
  if (i.min <= -kLargest)
    i.min = -kInfinity;
  if (i.max >= kLargest)
    i.max = kInfinity;
  // ONNX: where min > max, everything becomes max.
  i.min = std::min(i.min, i.max);
  return i;
}

/// A clamp of a clamp is one clamp; [0, inf) is relu; no limits is nothing.
template <typename OpT> struct SimplifyClamp : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpT op,
                                PatternRewriter &rewriter) const override {
    if (!elementTypeOf(op).isF32())
      return failure();
    Interval interval = *clampOf(op);
    Value input = op.getInput();
    if (std::optional<Interval> first = clampOf(input.getDefiningOp())) {
      interval = {std::min(std::max(first->min, interval.min), interval.max),
                  std::min(std::max(first->max, interval.min), interval.max)};
      input = input.getDefiningOp()->getOperand(0);
    }
    bool isRelu = interval.min == 0 && interval.max == kInfinity;
    if (input == op.getInput() && (isRelu == isa<nn::ReluOp>(*op)) &&
        (interval.min != -kInfinity || interval.max != kInfinity))
      return failure();
    if (interval.min == -kInfinity && interval.max == kInfinity)
      rewriter.replaceOp(op, input);
    else if (isRelu)
      rewriter.replaceOpWithNewOp<nn::ReluOp>(op, op.getType(), input);
    else
      rewriter.replaceOpWithNewOp<nn::ClipOp>(
          op, op.getType(), input, rewriter.getF32FloatAttr(interval.min),
          rewriter.getF32FloatAttr(interval.max));
    return success();
  }
};

} // namespace

void transforms::addMovementPatterns(RewritePatternSet &patterns) {
  patterns.add<ReshapeOfReshape, TransposeOfTranspose, TransposeToReshape,
               DropIdentity<nn::SliceOp>, DropIdentity<nn::PadOp>,
               DropIdentity<nn::ConcatOp>, DropIdentity<nn::CastOp>,
               SimplifyClamp<nn::ReluOp>, SimplifyClamp<nn::ClipOp>>(
      patterns.getContext());
}
