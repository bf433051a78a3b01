//===- FoldWindows.cpp - padding and pooling -*- C++ -*-===//
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

/// The padding of `pad` added to the window padding `pads`, where `pad` leaves
/// batch and channels alone; nothing otherwise.
static std::optional<SmallVector<int64_t>> joined(nn::PadOp pad,
                                                  ArrayRef<int64_t> pads) {
  ArrayRef<int64_t> low = pad.getLow(), high = pad.getHigh();
  size_t axes = pads.size() / 2;
  if (low.size() != axes + 2 || low[0] || low[1] || high[0] || high[1])
    return std::nullopt;
  SmallVector<int64_t> result(pads);
  for (size_t i = 0; i < axes; ++i) {
    result[i] += low[2 + i];
    result[axes + i] += high[2 + i];
  }
  return result;
}

static bool allZero(ArrayRef<int64_t> values) {
  return llvm::all_of(values, [](int64_t v) { return v == 0; });
}

/// Pooling windows must be wider than their padding.
static bool fitsKernel(ArrayRef<int64_t> pads, ArrayRef<int64_t> kernel) {
  for (auto [i, pad] : llvm::enumerate(pads))
    if (pad >= kernel[i % kernel.size()])
      return false;
  return true;
}

/// Values that are never negative.
static bool isNonNegative(Value value) {
  if (value.getDefiningOp<nn::ReluOp>() || value.getDefiningOp<nn::SigmoidOp>())
    return true;
  auto clip = value.getDefiningOp<nn::ClipOp>();
  return clip && !clip.getMin().isNegative();
}

namespace {

/// Zero padding is what a convolution does itself.
struct PadIntoConv : OpRewritePattern<nn::ConvOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nn::ConvOp op,
                                PatternRewriter &rewriter) const override {
    auto pad = op.getInput().getDefiningOp<nn::PadOp>();
    if (!pad || !pad.getValue().isZero() ||
        elementTypeOf(pad.getInput()) != elementTypeOf(pad))
      return failure();
    auto pads = joined(pad, op.getPads());
    if (!pads)
      return failure();
    rewriter.modifyOpInPlace(op, [&] {
      op.getInputMutable().assign(pad.getInput());
      op.setPads(*pads);
    });
    return success();
  }
};

/// An average over zero padding counts it.
struct PadIntoAvgPool : OpRewritePattern<nn::AvgPoolOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nn::AvgPoolOp op,
                                PatternRewriter &rewriter) const override {
    auto pad = op.getInput().getDefiningOp<nn::PadOp>();
    if (!pad || !pad.getValue().isZero() || op.getCeilMode() ||
        !elementTypeOf(pad).isF32() ||
        (!op.getCountIncludePad() && !allZero(op.getPads())))
      return failure();
    auto pads = joined(pad, op.getPads());
    if (!pads || !fitsKernel(*pads, op.getKernel()))
      return failure();
    rewriter.modifyOpInPlace(op, [&] {
      op.getInputMutable().assign(pad.getInput());
      op.setPads(*pads);
      op.setCountIncludePad(true);
    });
    return success();
  }
};

/// Padding that never wins: the lowest number, or zero beside values that are
/// not negative.
struct PadIntoMaxPool : OpRewritePattern<nn::MaxPoolOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nn::MaxPoolOp op,
                                PatternRewriter &rewriter) const override {
    auto pad = op.getInput().getDefiningOp<nn::PadOp>();
    if (!pad || op.getCeilMode() || !elementTypeOf(pad).isF32())
      return failure();
    float value = pad.getValue().convertToFloat();
    bool lowest = value <= std::numeric_limits<float>::lowest();
    if (!lowest && !(value == 0 && isNonNegative(pad.getInput())))
      return failure();
    auto pads = joined(pad, op.getPads());
    bool dense =
        llvm::all_of(op.getDilations(), [](int64_t d) { return d == 1; });
    if (!pads || !dense || !fitsKernel(*pads, op.getKernel()))
      return failure();
    rewriter.modifyOpInPlace(op, [&] {
      op.getInputMutable().assign(pad.getInput());
      op.setPads(*pads);
    });
    return success();
  }
};

/// An average over the whole map, whatever its strides.
struct AverageOfWholeMap : OpRewritePattern<nn::AvgPoolOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nn::AvgPoolOp op,
                                PatternRewriter &rewriter) const override {
    if (shapeOf(op.getInput()).drop_front(2) != op.getKernel() ||
        !allZero(op.getPads()))
      return failure();
    for (int64_t extent : shapeOf(op).drop_front(2))
      if (extent != 1)
        return failure();
    rewriter.replaceOpWithNewOp<nn::GlobalAvgPoolOp>(op, op.getType(),
                                                     op.getInput());
    return success();
  }
};

} // namespace

void transforms::addWindowPatterns(RewritePatternSet &patterns) {
  patterns.add<PadIntoConv, PadIntoAvgPool, PadIntoMaxPool, AverageOfWholeMap>(
      patterns.getContext());
}
