//===- FuseOperations.cpp - integer operations ------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fuse.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace cimc::quantization {

namespace {

constexpr double int32Limit = 2147483647.0;

// The first quantize of a result decides; with it all of the same type.
bool isFirstQuantize(nn::QuantizeOp op) {
  for (Operation *user : op.getInput().getUsers())
    if (isa<nn::QuantizeOp>(user) && user != op &&
        user->getBlock() == op->getBlock() && user->isBeforeInBlock(op))
      return false;
  return true;
}

// A float weight is quantized like ONNX Runtime does when it loads a model:
// int8 per tensor, asymmetric (docs/numerics.md, float weights).
Value quantizeFloatWeight(PatternRewriter &rewriter, nn::ConstantOp constant) {
  std::vector<float> values = readFloats(constant);
  if (values.empty())
    return {};
  float low = 0, high = 0;
  for (float value : values) {
    if (!std::isfinite(value))
      return {};
    low = std::min(low, value);
    high = std::max(high, value);
  }
  Scales scales;
  float span = high - low;
  float scale = span / 255.0f;
  if (!(scale > 0) || !std::isfinite(scale))
    scale = 1;
  float ratio = low / scale;
  float zero = std::min(127.0f, std::max(-128.0f, -128.0f - ratio));
  scales.scale = {scale};
  scales.zero = {static_cast<int32_t>(numerics::roundHalfEven(zero))};
  std::vector<int32_t> integers(values.size());
  for (size_t i = 0; i < values.size(); ++i)
    integers[i] =
        numerics::quantize(values[i], scale, scales.zero[0], {-128, 127});
  Type element = signedType(rewriter.getContext(), 8, -128, 127, scales);
  auto shape = cast<ShapedType>(constant.getResult().getType()).getShape();
  return makeIntegers(rewriter, constant.getLoc(),
                      RankedTensorType::get(shape, element), integers,
                      "weight");
}

// Weights whose distances from their zero points fit int8 get zero point 0.
Value rebase(PatternRewriter &rewriter, Value weight) {
  nn::ConstantOp constant = constantOf(weight);
  std::optional<Scales> scales = scalesOf(elementType(weight));
  if (!constant || !scales ||
      llvm::all_of(scales->zero, [](int32_t zero) { return zero == 0; }))
    return weight;
  auto type = cast<RankedTensorType>(weight.getType());
  std::vector<int32_t> integers = readIntegers(constant);
  bool fits = true;
  forEachOnAxis(type.getShape(), scales->axis, [&](int64_t i, int64_t at) {
    integers[i] -= scales->zeroAt(at);
    fits &= integers[i] >= -128 && integers[i] <= 127;
  });
  if (!fits)
    return weight;
  std::fill(scales->zero.begin(), scales->zero.end(), 0);
  Type element = signedType(rewriter.getContext(), 8, -128, 127, *scales);
  return makeIntegers(rewriter, constant.getLoc(),
                      RankedTensorType::get(type.getShape(), element), integers,
                      "weight");
}

// The int32 bias of scale sx * sw[c] for a bias in any form: float constant,
// dequantized integers of that scale, or of another. Null where it is not
// known at compile time.
Value integerBias(PatternRewriter &rewriter, Operation *op, Value bias,
                  float scaleX, const Scales &weight) {
  Value source = quantizedSource(bias);
  nn::ConstantOp constant = constantOf(source ? source : bias);
  if (!constant)
    return {};
  auto shape = cast<ShapedType>(bias.getType()).getShape();
  auto type = RankedTensorType::get(shape, rewriter.getI32Type());
  if (source) {
    std::optional<Scales> scales = scalesOf(elementType(source));
    auto quantized = dyn_cast<quant::QuantizedType>(elementType(source));
    if (!scales || !quantized)
      return {};
    bool agrees = quantized.getStorageTypeIntegralWidth() == 32;
    int64_t worst = -1;
    for (int64_t c = 0; c < shape[0]; ++c) {
      double expected = scaleX * weight.scaleAt(c);
      double off = std::fabs(scales->scaleAt(c) - expected);
      // ONNX Runtime's tolerance, inside of which it ignores the given scale.
      if (off > 1e-6 + 0.01 * expected || scales->zeroAt(c) != 0) {
        agrees = false;
        if (worst < 0)
          worst = c;
      }
    }
    if (agrees)
      return makeIntegers(rewriter, constant.getLoc(), type,
                          readIntegers(constant), "bias");
    if (worst >= 0 && quantized.getStorageTypeIntegralWidth() == 32)
      op->emitWarning() << "'" << nodeName(op) << "': the bias of channel "
                        << worst << " has scale " << scales->scaleAt(worst)
                        << " and zero point " << scales->zeroAt(worst)
                        << ", but input scale times weight scale is "
                        << scaleX * weight.scaleAt(worst)
                        << "; the bias is rescaled";
  }
  std::vector<float> reals = readReals(constant);
  if (static_cast<int64_t>(reals.size()) != shape[0])
    return {};
  std::vector<int32_t> integers(reals.size());
  for (size_t c = 0; c < reals.size(); ++c) {
    integers[c] = numerics::quantizeBias(reals[c], scaleX, weight.scaleAt(c));
    double exact = static_cast<double>(reals[c]) /
                   (static_cast<double>(scaleX) * weight.scaleAt(c));
    if (!(std::fabs(exact) <= int32Limit))
      op->emitWarning() << "'" << nodeName(op) << "': the bias of channel " << c
                        << ", " << reals[c] << ", does not fit int32 at scale "
                        << scaleX * weight.scaleAt(c)
                        << " and is cut; quantize its weight with a larger "
                           "scale";
  }
  return makeIntegers(rewriter, constant.getLoc(), type, integers, "bias");
}

// A weight: quantized to at most 8 bits, per tensor or along `axis`.
bool isWeightType(Type type, int64_t axis) {
  auto quantized = dyn_cast<quant::QuantizedType>(type);
  std::optional<Scales> scales = scalesOf(type);
  return quantized && scales && quantized.getStorageTypeIntegralWidth() <= 8 &&
         (scales->axis < 0 || scales->axis == axis);
}

struct FuseOperation : OpRewritePattern<nn::QuantizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nn::QuantizeOp quantize,
                                PatternRewriter &rewriter) const override {
    Operation *op = quantize.getInput().getDefiningOp();
    auto type = activationType(elementType(quantize.getResult()));
    if (!op || !type)
      return failure();
    rewriter.setInsertionPoint(op);
    Operation *integer = nullptr;
    if (isa<nn::ConvOp, nn::MatMulOp>(op))
      integer = fuseWeighted(rewriter, quantize, op, type);
    else if (isa<nn::AddOp, nn::MulOp>(op))
      integer = fuseBinary(rewriter, op, type);
    else if (isa<nn::AvgPoolOp, nn::GlobalAvgPoolOp, nn::SoftmaxOp>(op) ||
             isUnaryFunction(op))
      integer = fuseOneInput(rewriter, quantize, op, type);
    if (!integer)
      return failure();
    if (isIntegerOnly(op))
      replaceWithInteger(rewriter, op, quantize, integer->getResult(0));
    else
      rewriter.replaceOp(quantize, integer->getResults());
    return success();
  }

private:
  // conv(x, w, b) and matmul(a, b, bias).
  Operation *fuseWeighted(PatternRewriter &rewriter, nn::QuantizeOp quantize,
                          Operation *op, Type type) const {
    if (!isFirstQuantize(quantize))
      return nullptr;
    int64_t axis = weightAxis(op);
    Value input = op->getOperand(0), weight = op->getOperand(1);
    Value x = quantizedSource(input), w = quantizedSource(weight);
    if (!x && !w)
      return nullptr;
    nn::ConstantOp floatX, floatW;
    if (!x && !(floatX = constantOf(input)))
      return nullptr;
    if (!w && !(floatW = constantOf(weight)))
      return nullptr;
    if (x && !activationType(elementType(x)))
      return nullptr;
    if (w && !isWeightType(elementType(w), axis))
      return nullptr;
    if (op->getNumOperands() > 2) {
      Value source = quantizedSource(op->getOperand(2));
      if (!constantOf(source ? source : op->getOperand(2)))
        return nullptr;
    }
    if (floatX && !(x = quantizeFloatWeight(rewriter, floatX)))
      return nullptr;
    if (floatW && !(w = quantizeFloatWeight(rewriter, floatW)))
      return nullptr;
    w = rebase(rewriter, w);
    SmallVector<Value> operands = {x, w};
    if (op->getNumOperands() > 2) {
      auto xType = cast<quant::UniformQuantizedType>(elementType(x));
      Value bias = integerBias(rewriter, op, op->getOperand(2),
                               static_cast<float>(xType.getScale()),
                               *scalesOf(elementType(w)));
      if (!bias)
        return nullptr;
      operands.push_back(bias);
    }
    return rebuild(rewriter, op, operands, type);
  }

  Operation *fuseBinary(PatternRewriter &rewriter, Operation *op,
                        quant::UniformQuantizedType type) const {
    SmallVector<Value> operands(2);
    bool anyActivation = false;
    for (int i : {0, 1})
      if (Value source = quantizedSource(op->getOperand(i))) {
        if (!activationType(elementType(source)))
          return nullptr;
        operands[i] = source;
        anyActivation |= !constantOf(source);
      }
    if (!anyActivation)
      return nullptr;
    for (int i : {0, 1})
      if (!operands[i] && !(operands[i] = quantizeSplat(
                                rewriter, op->getOperand(i), type.isSigned())))
        return nullptr;
    return rebuild(rewriter, op, operands, type);
  }

  Operation *fuseOneInput(PatternRewriter &rewriter, nn::QuantizeOp quantize,
                          Operation *op,
                          quant::UniformQuantizedType type) const {
    Value source = quantizedSource(op->getOperand(0));
    auto from = source ? activationType(elementType(source)) : nullptr;
    if (!from || (isIntegerOnly(op) && !isFirstQuantize(quantize)))
      return nullptr;
    // QLinearSoftmax knows one type.
    if (isa<nn::SoftmaxOp>(op) && from.isSigned() != type.isSigned())
      return nullptr;
    auto pool = dyn_cast<nn::AvgPoolOp>(op);
    auto shape = cast<ShapedType>(source.getType()).getShape();
    bool wholeImage =
        pool && llvm::equal(pool.getKernel(), shape.drop_front(2)) &&
        llvm::all_of(pool.getPads(), [](int64_t pad) { return pad == 0; }) &&
        llvm::all_of(pool.getDilations(), [](int64_t d) { return d == 1; });
    // One window that is the image is a global average (rule R9).
    if (wholeImage)
      return nn::GlobalAvgPoolOp::create(
          rewriter, op->getLoc(),
          cast<RankedTensorType>(quantize.getResult().getType()), source);
    return rebuild(rewriter, op, source, type);
  }
};

// matmul + constant of one row is a matmul with bias.
struct MergeBias : OpRewritePattern<nn::AddOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::AddOp op,
                                PatternRewriter &rewriter) const override {
    for (int i : {0, 1}) {
      auto matmul = op->getOperand(i).getDefiningOp<nn::MatMulOp>();
      Value bias = op->getOperand(1 - i);
      if (!matmul || matmul.getBias() || !matmul->hasOneUse() ||
          matmul.getType() != op.getType() || !quantizedSource(matmul.getA()))
        continue;
      Value source = quantizedSource(bias);
      auto shape = cast<ShapedType>(bias.getType()).getShape();
      auto result = cast<RankedTensorType>(op.getType());
      if (!constantOf(source ? source : bias) || result.getRank() < 2 ||
          shape.empty() || shape.back() != result.getShape().back() ||
          llvm::any_of(shape.drop_back(), [](int64_t d) { return d != 1; }))
        continue;
      auto flat = RankedTensorType::get({shape.back()}, elementType(bias));
      if (bias.getType() != flat) {
        if (source)
          bias = nn::ReshapeOp::create(rewriter, op.getLoc(), flat, bias);
        else if (auto value =
                     dyn_cast<DenseElementsAttr>(constantOf(bias).getValue()))
          bias = nn::ConstantOp::create(rewriter, bias.getLoc(), flat,
                                        value.reshape(flat));
        else
          continue;
      }
      auto merged = nn::MatMulOp::create(
          rewriter, op.getLoc(), op.getType(), matmul.getA(), matmul.getB(),
          bias, matmul.getTransposeAAttr(), matmul.getTransposeBAttr());
      rewriter.replaceOp(op, merged.getOperation());
      return success();
    }
    return failure();
  }
};

} // namespace

void populateOperationPatterns(RewritePatternSet &patterns) {
  patterns.add<MergeBias>(patterns.getContext(), PatternBenefit(2));
  patterns.add<FuseOperation>(patterns.getContext());
}

} // namespace cimc::quantization
