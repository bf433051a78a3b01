//===- NNRecoverLayerNorm.cpp - rows with mean 0 and variance 1 ---------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Matchers.h"

#include "cimc/Transforms/Passes.h"

namespace cimc {
#define GEN_PASS_DEF_NNRECOVERLAYERNORM
#include "cimc/Transforms/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

namespace {

/// (input - mean) / sqrt(variance + epsilon) over the last `count` axes, or
/// without the mean; times `scale` where that is not null.
struct Normalized {
  Value input, scale;
  int64_t count = 0;
  double epsilon = 0;
};

} // namespace

/// A parameter: known at compile time, and one number for each place in a row.
static bool isParameter(Value value, Value input, int64_t count) {
  Operation *op = value.getDefiningOp();
  bool known = isa_and_nonnull<nn::ConstantOp>(op) ||
               (isa_and_nonnull<nn::DequantizeOp>(op) &&
                op->getOperand(0).getDefiningOp<nn::ConstantOp>());
  return known && elementTypeOf(value).isF32() &&
         spansTrailing(value, shapeOf(input), count);
}

/// x, where `variance` is the mean of (x - mean(x))^2.
static std::optional<TrailingMean> varianceOf(Value variance, Value &mean) {
  std::optional<TrailingMean> outer = asTrailingMean(variance);
  Value centered = outer ? squareRootOf(outer->input) : Value();
  auto sub = centered ? centered.getDefiningOp<nn::SubOp>() : nullptr;
  std::optional<TrailingMean> inner =
      sub ? asTrailingMean(sub.getRhs()) : std::nullopt;
  if (!inner || inner->count != outer->count || inner->input != sub.getLhs())
    return std::nullopt;
  mean = sub.getRhs();
  return inner;
}

/// 1 / sqrt(variance + epsilon), or its product with a parameter.
static std::optional<Normalized> asFactor(Value factor, Value &mean) {
  auto plain = [&](Value value) -> std::optional<Normalized> {
    std::optional<Root> root = asRoot(value, /*inverse=*/true);
    auto moments = root ? varianceOf(root->argument, mean) : std::nullopt;
    if (!moments)
      return std::nullopt;
    return Normalized{moments->input, {}, moments->count, root->epsilon};
  };
  if (auto result = plain(factor))
    return result;
  auto mul = factor.getDefiningOp<nn::MulOp>();
  std::optional<Normalized> result;
  if (mul)
    eitherOrder(mul, [&](Value root, Value scale) {
      result = plain(root);
      if (!result || !isParameter(scale, result->input, result->count)) {
        result.reset();
        return false;
      }
      result->scale = scale;
      return true;
    });
  return result;
}

/// The normalization that `value` is, with a scale or without.
static std::optional<Normalized> asNormalized(Value value) {
  Value mean;
  auto centers = [&](Value centered, const Normalized &n) {
    auto sub = centered.getDefiningOp<nn::SubOp>();
    return sub && sub.getLhs() == n.input && sub.getRhs() == mean;
  };
  if (auto div = value.getDefiningOp<nn::DivOp>()) {
    std::optional<Root> root = asRoot(div.getRhs(), /*inverse=*/false);
    auto moments = root ? varianceOf(root->argument, mean) : std::nullopt;
    if (!moments)
      return std::nullopt;
    Normalized n{moments->input, {}, moments->count, root->epsilon};
    if (centers(div.getLhs(), n))
      return n;
    return std::nullopt;
  }
  auto mul = value.getDefiningOp<nn::MulOp>();
  std::optional<Normalized> result;
  if (mul)
    eitherOrder(mul, [&](Value left, Value right) {
      if (auto factor = asFactor(right, mean); factor && centers(left, *factor))
        result = factor;
      // A scale behind the normalization.
      else if (auto inner = left.getDefiningOp<nn::DivOp>();
               inner || left.getDefiningOp<nn::MulOp>()) {
        result = asNormalized(left);
        if (result && (result->scale ||
                       !isParameter(right, result->input, result->count)))
          result.reset();
        if (result)
          result->scale = right;
      }
      return result.has_value();
    });
  return result;
}

static Value create(const Normalized &n, Value bias, Type type, Location loc,
                    OpBuilder &builder) {
  if (n.input.getType() != type)
    return {};
  auto rank = static_cast<int64_t>(shapeOf(n.input).size());
  return nn::LayerNormOp::create(
      builder, loc, type, n.input, n.scale, bias,
      builder.getI64IntegerAttr(rank - n.count),
      builder.getF32FloatAttr(static_cast<float>(n.epsilon)));
}

/// normalized + bias; or x f + (bias - mean f) with the factor f of the
/// normalization, as TensorFlow writes it.
static Value matchShifted(nn::AddOp op, OpBuilder &builder) {
  Value result;
  eitherOrder(op, [&](Value left, Value right) {
    if (auto n = asNormalized(left);
        n && isParameter(right, n->input, n->count)) {
      result = create(*n, right, op.getType(), op.getLoc(), builder);
      return static_cast<bool>(result);
    }
    auto scaled = left.getDefiningOp<nn::MulOp>();
    auto shift = right.getDefiningOp<nn::SubOp>();
    auto shifted = shift ? shift.getRhs().getDefiningOp<nn::MulOp>() : nullptr;
    if (!scaled || !shifted)
      return false;
    return eitherOrder(scaled, [&](Value x, Value factor) {
      Value mean;
      std::optional<Normalized> n = asFactor(factor, mean);
      if (!n || n->input != x ||
          !isParameter(shift.getLhs(), n->input, n->count) ||
          !eitherOrder(shifted, [&](Value a, Value b) {
            return a == mean && b == factor;
          }))
        return false;
      result = create(*n, shift.getLhs(), op.getType(), op.getLoc(), builder);
      return static_cast<bool>(result);
    });
  });
  return result;
}

template <typename OpT>
static Value matchUnshifted(OpT op, OpBuilder &builder) {
  std::optional<Normalized> n = asNormalized(op);
  return n ? create(*n, {}, op.getType(), op.getLoc(), builder) : Value();
}

namespace {
struct NNRecoverLayerNorm
    : cimc::impl::NNRecoverLayerNormBase<NNRecoverLayerNorm> {
  void runOnOperation() override {
    Operation *module = getOperation();
    recoverComposites<nn::AddOp>(module, "layer_norm", matchShifted);
    recoverComposites<nn::MulOp>(module, "layer_norm",
                                 matchUnshifted<nn::MulOp>);
    recoverComposites<nn::DivOp>(module, "layer_norm",
                                 matchUnshifted<nn::DivOp>);
  }
};
} // namespace
