//===- FuseMovement.cpp - pairs past data movement --------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fuse.h"

#include "cimc/Reference/Evaluator.h"

#include <limits>
#include <utility>

using namespace mlir;

namespace cimc::quantization {

bool movesElements(Operation *op) {
  return isa<nn::ReshapeOp, nn::TransposeOp, nn::SliceOp, nn::PadOp,
             nn::MaxPoolOp>(op);
}

bool isUnaryFunction(Operation *op) {
  return isa<nn::ElementwiseOpInterface>(op) && op->getNumOperands() == 1;
}

bool isIntegerOnly(Operation *op) {
  return isa<nn::ConvOp, nn::MatMulOp, nn::AvgPoolOp, nn::GlobalAvgPoolOp>(op);
}

int64_t weightAxis(Operation *op) {
  auto matmul = dyn_cast<nn::MatMulOp>(op);
  if (!matmul)
    return 0;
  int64_t rank = cast<ShapedType>(matmul.getB().getType()).getRank();
  return matmul.getTransposeB() ? rank - 2 : rank - 1;
}

Value quantizedSource(Value value) {
  auto dequantize = value.getDefiningOp<nn::DequantizeOp>();
  return dequantize ? dequantize.getInput() : Value();
}

bool mustBeInteger(Value value) {
  Operation *op = value.getDefiningOp();
  while (op && (movesElements(op) || isa<nn::ReluOp, nn::ClipOp>(op)))
    op = op->getOperand(0).getDefiningOp();
  return op && isIntegerOnly(op) && quantizedSource(op->getOperand(0));
}

Operation *rebuild(RewriterBase &rewriter, Operation *op, ValueRange operands,
                   Type resultElement) {
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(op);
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  Operation *copy = op->cloneWithoutRegions();
  copy->setOperands(operands);
  copy->getResult(0).setType(
      RankedTensorType::get(type.getShape(), resultElement));
  rewriter.insert(copy);
  return copy;
}

bool hasFloatUsers(Operation *op, nn::QuantizeOp quantize) {
  for (Operation *user : op->getUsers()) {
    auto other = dyn_cast<nn::QuantizeOp>(user);
    if (!other || other.getType() != quantize.getType())
      return true;
  }
  return false;
}

void replaceWithInteger(RewriterBase &rewriter, Operation *op,
                        nn::QuantizeOp quantize, Value integer) {
  Value result = op->getResult(0);
  Type type = quantize.getType();
  SmallVector<Operation *> same;
  for (Operation *user : result.getUsers())
    if (isa<nn::QuantizeOp>(user) && user->getResult(0).getType() == type)
      same.push_back(user);
  for (Operation *user : same)
    rewriter.replaceOp(user, integer);
  if (!result.use_empty()) {
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointAfterValue(integer);
    Value real = nn::DequantizeOp::create(rewriter, op->getLoc(),
                                          result.getType(), integer);
    rewriter.replaceAllUsesWith(result, real);
  }
}

namespace {

// The limits that a relu or clip keeps its result in.
std::optional<std::pair<float, float>> clampLimits(Operation *op) {
  if (isa<nn::ReluOp>(op))
    return std::pair(0.0f, std::numeric_limits<float>::infinity());
  if (auto clip = dyn_cast<nn::ClipOp>(op))
    return std::pair(clip.getMin().convertToFloat(),
                     clip.getMax().convertToFloat());
  return std::nullopt;
}

int32_t quantizeNumber(float value, quant::UniformQuantizedType type) {
  return numerics::quantize(value, static_cast<float>(type.getScale()),
                            static_cast<int32_t>(type.getZeroPoint()),
                            storageRange(type));
}

// A pad value that the type does not hold would change.
bool holdsPadValue(Operation *op, Type element) {
  auto pad = dyn_cast<nn::PadOp>(op);
  if (!pad)
    return true;
  auto type = dyn_cast<quant::UniformQuantizedType>(element);
  if (!type)
    return false;
  float value = pad.getValue().convertToFloat();
  float held = numerics::dequantize(quantizeNumber(value, type),
                                    static_cast<float>(type.getScale()),
                                    static_cast<int32_t>(type.getZeroPoint()));
  return held == value;
}

// The axis that a per-axis type has behind the operation; nothing where it is
// torn apart.
std::optional<int64_t> movedAxis(Operation *op, int64_t axis) {
  if (auto transpose = dyn_cast<nn::TransposeOp>(op)) {
    for (auto [i, from] : llvm::enumerate(transpose.getPerm()))
      if (from == axis)
        return static_cast<int64_t>(i);
    return std::nullopt;
  }
  if (!isa<nn::ReshapeOp>(op))
    return std::nullopt;
  auto from = cast<ShapedType>(op->getOperand(0).getType()).getShape();
  auto to = cast<ShapedType>(op->getResult(0).getType()).getShape();
  int64_t before = 1, reached = 1;
  for (int64_t extent : from.take_front(axis))
    before *= extent;
  for (auto [i, extent] : llvm::enumerate(to)) {
    if (reached == before && extent == from[axis])
      return static_cast<int64_t>(i);
    reached *= extent;
  }
  return std::nullopt;
}

Type movedType(Operation *op, Type element) {
  auto axisType = dyn_cast<quant::UniformQuantizedPerAxisType>(element);
  if (!axisType)
    return isa<quant::UniformQuantizedType>(element) ? element : Type();
  std::optional<int64_t> axis = movedAxis(op, axisType.getQuantizedDimension());
  if (!axis)
    return {};
  return quant::UniformQuantizedPerAxisType::get(
      axisType.getFlags(), axisType.getStorageType(),
      axisType.getExpressedType(), axisType.getScales(),
      axisType.getZeroPoints(), *axis, axisType.getStorageTypeMin(),
      axisType.getStorageTypeMax());
}

// move(dequantize(x)) = dequantize(move(x)).
struct PushDequantize : RewritePattern {
  PushDequantize(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}
  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Value> sources;
    Type element;
    if (movesElements(op)) {
      Value source = quantizedSource(op->getOperand(0));
      if (!source || !holdsPadValue(op, elementType(source)))
        return failure();
      sources.push_back(source);
      element = movedType(op, elementType(source));
    } else if (isa<nn::ConcatOp>(op)) {
      for (Value operand : op->getOperands()) {
        Value source = quantizedSource(operand);
        if (!source || (element && elementType(source) != element))
          return failure();
        sources.push_back(source);
        element = elementType(source);
      }
      if (!isa_and_nonnull<quant::UniformQuantizedType>(element))
        return failure();
    }
    if (!element)
      return failure();
    Operation *moved = rebuild(rewriter, op, sources, element);
    rewriter.replaceOpWithNewOp<nn::DequantizeOp>(
        op, op->getResult(0).getType(), moved->getResult(0));
    return success();
  }
};

// Movement of constants, such as weights behind a transpose.
struct FoldMovedConstant : RewritePattern {
  FoldMovedConstant(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}
  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!isa<nn::ReshapeOp, nn::TransposeOp, nn::SliceOp>(op))
      return failure();
    nn::ConstantOp constant = constantOf(op->getOperand(0));
    if (!constant)
      return failure();
    auto moved = evaluateNNOp(op, {toHostTensor(constant.getValue())});
    if (!moved)
      return failure();
    rewriter.replaceOpWithNewOp<nn::ConstantOp>(
        op, op->getResult(0).getType(),
        toElementsAttr(moved->front(), op->getContext(), "moved"));
    return success();
  }
};

// quantize(dequantize(x)) = x for equal types.
struct CancelPair : OpRewritePattern<nn::QuantizeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::QuantizeOp op,
                                PatternRewriter &rewriter) const override {
    Value source = quantizedSource(op.getInput());
    if (!source || source.getType() != op.getType())
      return failure();
    rewriter.replaceOp(op, source);
    return success();
  }
};

// quantize(dequantize(x)) between different types is one table: movement of no
// element that changes the type.
struct RequantizeByTable : OpRewritePattern<nn::QuantizeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::QuantizeOp op,
                                PatternRewriter &rewriter) const override {
    Value source = quantizedSource(op.getInput());
    if (!source || source.getType() == op.getType() || constantOf(source) ||
        !activationType(elementType(source)) ||
        !activationType(elementType(op.getResult())))
      return failure();
    rewriter.replaceOpWithNewOp<nn::ReshapeOp>(op, op.getType(), source);
    return success();
  }
};

// quantize(move(x)) = move(quantize(x)).
struct PullQuantize : OpRewritePattern<nn::QuantizeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::QuantizeOp op,
                                PatternRewriter &rewriter) const override {
    Operation *move = op.getInput().getDefiningOp();
    Type element = elementType(op.getResult());
    if (!move || !isa<quant::UniformQuantizedType>(element))
      return failure();
    if (!movesElements(move) && !isa<nn::ConcatOp>(move))
      return failure();
    // A dequantize in front comes down instead.
    if (movesElements(move))
      if (Value source = quantizedSource(move->getOperand(0)))
        if (holdsPadValue(move, elementType(source)))
          return failure();
    if (hasFloatUsers(move, op) && !mustBeInteger(move->getResult(0)))
      return failure();
    SmallVector<Value> operands;
    rewriter.setInsertionPoint(move);
    for (Value operand : move->getOperands()) {
      auto type = cast<RankedTensorType>(operand.getType());
      operands.push_back(nn::QuantizeOp::create(
          rewriter, op.getLoc(),
          RankedTensorType::get(type.getShape(), element), operand));
    }
    Operation *moved = rebuild(rewriter, move, operands, element);
    replaceWithInteger(rewriter, move, op, moved->getResult(0));
    return success();
  }
};

// quantize(relu(x)) and quantize(clip(x)) are a clamp of quantize(x), because
// rounding is monotone; no clamp at all where the range ends there anyway.
struct AbsorbClamp : OpRewritePattern<nn::QuantizeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::QuantizeOp op,
                                PatternRewriter &rewriter) const override {
    Operation *clamp = op.getInput().getDefiningOp();
    auto type =
        dyn_cast<quant::UniformQuantizedType>(elementType(op.getResult()));
    if (!clamp || !type)
      return failure();
    auto limits = clampLimits(clamp);
    if (!limits)
      return failure();
    bool harmless =
        quantizeNumber(limits->first, type) == type.getStorageTypeMin() &&
        quantizeNumber(limits->second, type) == type.getStorageTypeMax();
    Value input = clamp->getOperand(0);
    // A table does both at once.
    if (!harmless &&
        (quantizedSource(input) || type.getStorageTypeIntegralWidth() != 8))
      return failure();
    if (hasFloatUsers(clamp, op) && !mustBeInteger(input))
      return failure();
    rewriter.setInsertionPoint(clamp);
    Value integer =
        nn::QuantizeOp::create(rewriter, op.getLoc(), op.getType(), input);
    if (!harmless)
      integer = rebuild(rewriter, clamp, integer, type)->getResult(0);
    replaceWithInteger(rewriter, clamp, op, integer);
    return success();
  }
};

} // namespace

void populateMovementPatterns(RewritePatternSet &patterns) {
  patterns.add<PushDequantize, FoldMovedConstant, CancelPair, RequantizeByTable,
               PullQuantize, AbsorbClamp>(patterns.getContext());
}

} // namespace cimc::quantization
