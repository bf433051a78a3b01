//===- FoldChannels.cpp - per-channel factors and summands -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Patterns.h"

#include <cmath>

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

namespace {

/// y[c] = x[c] * factor[c] + summand[c].
struct Affine {
  std::vector<double> factor, summand;
};

/// A weighted sum whose bias, and for factors its weight, are float constants.
struct WeightedSum {
  Operation *op = nullptr;
  Value weight, bias;
  /// Axis of output channels in the result and in the weight.
  int64_t resultAxis = 0, weightAxis = 0;
  int64_t channels = 0;
};

} // namespace

/// The weighted sum that makes `value` for one user only.
static std::optional<WeightedSum> matchWeightedSum(Value value) {
  if (!value.hasOneUse() || !elementTypeOf(value).isF32())
    return std::nullopt;
  WeightedSum sum;
  if (auto conv = value.getDefiningOp<nn::ConvOp>()) {
    sum = {conv, conv.getWeight(), conv.getBias(), 1, 0, 0};
  } else if (auto matmul = value.getDefiningOp<nn::MatMulOp>()) {
    int64_t rank = shapeOf(matmul.getB()).size();
    if (rank < 2)
      return std::nullopt;
    sum = {matmul,
           matmul.getB(),
           matmul.getBias(),
           static_cast<int64_t>(shapeOf(value).size()) - 1,
           matmul.getTransposeB() ? rank - 2 : rank - 1,
           0};
  } else {
    return std::nullopt;
  }
  if (sum.bias && !floatConstant(sum.bias))
    return std::nullopt;
  sum.channels = shapeOf(value)[sum.resultAxis];
  return sum;
}

/// A float constant that is broadcast along every axis of `shape` but `axis`,
/// as one number for each of its entries.
static std::optional<std::vector<double>>
perChannel(Value value, ArrayRef<int64_t> shape, int64_t axis) {
  std::optional<HostTensor> tensor = floatConstant(value);
  if (!tensor || tensor->shape.size() > shape.size())
    return std::nullopt;
  int64_t offset = shape.size() - tensor->shape.size();
  bool single = true;
  for (size_t i = 0; i < tensor->shape.size(); ++i) {
    if (tensor->shape[i] == 1)
      continue;
    if (static_cast<int64_t>(i) + offset != axis ||
        tensor->shape[i] != shape[axis])
      return std::nullopt;
    single = false;
  }
  std::vector<double> result(shape[axis]);
  for (size_t c = 0; c < result.size(); ++c)
    result[c] = tensor->as<float>()[single ? 0 : c];
  return result;
}

static HostTensor toFloat(ArrayRef<double> values, std::vector<int64_t> shape) {
  HostTensor tensor(DType::F32, std::move(shape));
  for (size_t i = 0; i < values.size(); ++i)
    tensor.as<float>()[i] = static_cast<float>(values[i]);
  return tensor;
}

static StringRef nameOf(Value value) {
  if (auto name = dyn_cast<NameLoc>(value.getLoc()))
    return name.getName();
  return "folded";
}

/// Rebuilds `sum` with `affine` folded in; null where its weight is no
/// constant but would have to change. Everything is rounded once.
static Value fold(PatternRewriter &rewriter, const WeightedSum &sum,
                  const Affine &affine) {
  Value weight = sum.weight;
  if (!affine.factor.empty()) {
    std::optional<HostTensor> tensor = floatConstant(weight);
    if (!tensor)
      return {};
    int64_t inner = 1;
    for (size_t i = sum.weightAxis + 1; i < tensor->shape.size(); ++i)
      inner *= tensor->shape[i];
    float *data = tensor->as<float>();
    for (int64_t i = 0, e = tensor->size(); i < e; ++i)
      data[i] = static_cast<float>(data[i] *
                                   affine.factor[(i / inner) % sum.channels]);
    weight = createConstant(rewriter, weight.getLoc(), *tensor,
                            rewriter.getF32Type(), nameOf(weight));
  }
  std::optional<HostTensor> old;
  if (sum.bias)
    old = floatConstant(sum.bias);
  Value bias = sum.bias;
  if (old || !affine.summand.empty()) {
    std::vector<double> values(sum.channels, 0);
    for (int64_t c = 0; c < sum.channels; ++c) {
      if (old)
        values[c] = old->as<float>()[c];
      if (!affine.factor.empty())
        values[c] *= affine.factor[c];
      if (!affine.summand.empty())
        values[c] += affine.summand[c];
    }
    bias = createConstant(
        rewriter, sum.op->getLoc(), toFloat(values, {sum.channels}),
        rewriter.getF32Type(), bias ? nameOf(bias) : nameOf(weight));
  }
  SmallVector<Value> operands{sum.op->getOperand(0), weight};
  if (bias)
    operands.push_back(bias);
  OperationState state(sum.op->getLoc(), sum.op->getName());
  state.addOperands(operands);
  state.addAttributes(sum.op->getAttrs());
  state.addTypes(sum.op->getResultTypes());
  return rewriter.create(state)->getResult(0);
}

/// Factor and summand of a batch normalization with constant parameters.
static std::optional<Affine> affineOf(nn::BatchNormOp op) {
  std::optional<HostTensor> scale = floatConstant(op.getScale()),
                            bias = floatConstant(op.getBias()),
                            mean = floatConstant(op.getMean()),
                            variance = floatConstant(op.getVariance());
  if (!scale || !bias || !mean || !variance)
    return std::nullopt;
  Affine affine;
  double epsilon = op.getEpsilon().convertToFloat();
  for (int64_t c = 0; c < scale->size(); ++c) {
    double factor =
        scale->as<float>()[c] / std::sqrt(variance->as<float>()[c] + epsilon);
    affine.factor.push_back(factor);
    affine.summand.push_back(bias->as<float>()[c] -
                             mean->as<float>()[c] * factor);
  }
  return affine;
}

namespace {

/// Batch normalization goes into the weighted sum before it, or becomes a
/// multiply and an add.
struct FoldBatchNorm : OpRewritePattern<nn::BatchNormOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nn::BatchNormOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<Affine> affine = affineOf(op);
    if (!affine)
      return failure();
    std::optional<WeightedSum> sum = matchWeightedSum(op.getInput());
    if (sum && sum->resultAxis == 1)
      if (Value folded = fold(rewriter, *sum, *affine)) {
        rewriter.replaceOp(op, folded);
        return success();
      }
    std::vector<int64_t> shape(shapeOf(op).size() - 1, 1);
    shape[0] = affine->factor.size();
    Type f32 = rewriter.getF32Type();
    Value factor = createConstant(rewriter, op.getScale().getLoc(),
                                  toFloat(affine->factor, shape), f32,
                                  nameOf(op.getScale()));
    Value summand = createConstant(rewriter, op.getBias().getLoc(),
                                   toFloat(affine->summand, shape), f32,
                                   nameOf(op.getBias()));
    auto product = nn::MulOp::create(rewriter, op.getLoc(), op.getType(),
                                     op.getInput(), factor);
    rewriter.replaceOpWithNewOp<nn::AddOp>(op, op.getType(), product, summand);
    return success();
  }
};

/// A product or sum with per-channel constants behind a weighted sum.
template <typename OpT> struct FoldBinary : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpT op,
                                PatternRewriter &rewriter) const override {
    for (bool swapped : {false, true}) {
      Value input = swapped ? op.getRhs() : op.getLhs();
      Value other = swapped ? op.getLhs() : op.getRhs();
      if (input.getType() != op.getType())
        continue;
      std::optional<WeightedSum> sum = matchWeightedSum(input);
      if (!sum)
        continue;
      auto values = perChannel(other, shapeOf(op), sum->resultAxis);
      if (!values)
        continue;
      Affine affine;
      (std::is_same_v<OpT, nn::MulOp> ? affine.factor : affine.summand) =
          *values;
      Value folded = fold(rewriter, *sum, affine);
      if (!folded)
        continue;
      rewriter.replaceOp(op, folded);
      return success();
    }
    return failure();
  }
};

} // namespace

void transforms::addChannelPatterns(RewritePatternSet &patterns) {
  patterns.add<FoldBatchNorm, FoldBinary<nn::MulOp>, FoldBinary<nn::AddOp>>(
      patterns.getContext());
}
