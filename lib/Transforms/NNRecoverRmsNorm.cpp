//===- NNRecoverRmsNorm.cpp - rows with mean square 1 -------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Matchers.h"

#include "cimc/Transforms/Passes.h"

namespace cimc {
#define GEN_PASS_DEF_NNRECOVERRMSNORM
#include "cimc/Transforms/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

/// x / sqrt(mean(x^2) + epsilon) over the last `count` axes.
static Value normalizedInput(Value value, int64_t &count, double &epsilon) {
  Value result;
  auto accept = [&](Value x, Value factor, bool inverse) {
    std::optional<Root> root = asRoot(factor, inverse);
    auto mean = root ? asTrailingMean(root->argument) : std::nullopt;
    if (!mean || squareRootOf(mean->input) != x)
      return false;
    count = mean->count;
    epsilon = root->epsilon;
    result = x;
    return true;
  };
  if (auto div = value.getDefiningOp<nn::DivOp>())
    accept(div.getLhs(), div.getRhs(), false);
  else if (auto mul = value.getDefiningOp<nn::MulOp>())
    eitherOrder(mul,
                [&](Value x, Value factor) { return accept(x, factor, true); });
  return result;
}

static Value create(Value x, Value scale, int64_t count, double epsilon,
                    Location loc, OpBuilder &builder) {
  auto rank = static_cast<int64_t>(shapeOf(x).size());
  return nn::RMSNormOp::create(
      builder, loc, x.getType(), x, scale,
      builder.getI64IntegerAttr(rank - count),
      builder.getF32FloatAttr(static_cast<float>(epsilon)));
}

template <typename OpT> static Value matchPlain(OpT op, OpBuilder &builder) {
  int64_t count;
  double epsilon;
  Value x = normalizedInput(op, count, epsilon);
  if (!x || x.getType() != op.getType())
    return {};
  return create(x, {}, count, epsilon, op.getLoc(), builder);
}

/// The normalized value times one number for each place in a row.
static Value matchScaled(nn::MulOp op, OpBuilder &builder) {
  Value result;
  eitherOrder(op, [&](Value value, Value scale) {
    int64_t count;
    double epsilon;
    Value x = normalizedInput(value, count, epsilon);
    if (!x || x.getType() != op.getType() ||
        !scale.getDefiningOp<nn::ConstantOp>() ||
        !spansTrailing(scale, shapeOf(x), count))
      return false;
    result = create(x, scale, count, epsilon, op.getLoc(), builder);
    return true;
  });
  return result;
}

namespace {
struct NNRecoverRmsNorm : cimc::impl::NNRecoverRmsNormBase<NNRecoverRmsNorm> {
  void runOnOperation() override {
    Operation *module = getOperation();
    recoverComposites<nn::MulOp>(module, "rms_norm", matchScaled);
    recoverComposites<nn::MulOp>(module, "rms_norm", matchPlain<nn::MulOp>);
    recoverComposites<nn::DivOp>(module, "rms_norm", matchPlain<nn::DivOp>);
  }
};
} // namespace
