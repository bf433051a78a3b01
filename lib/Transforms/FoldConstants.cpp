//===- FoldConstants.cpp - operations on constants -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Patterns.h"

#include "cimc/Reference/Evaluator.h"
#include "cimc/Support/Permute.h"

#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

/// Larger results stay operations: transformed copies live as long as the
/// context.
static constexpr int64_t kMaxFolded = int64_t(1) << 24;

std::optional<HostTensor> transforms::floatConstant(Value value) {
  auto constant = value.getDefiningOp<nn::ConstantOp>();
  if (!constant || !elementTypeOf(value).isF32())
    return std::nullopt;
  return toHostTensor(constant.getValue());
}

Value transforms::createConstant(OpBuilder &builder, Location loc,
                                 const HostTensor &tensor, Type elementType,
                                 StringRef name) {
  ElementsAttr value = toElementsAttr(tensor, builder.getContext(), name);
  return nn::ConstantOp::create(
      builder, loc, RankedTensorType::get(tensor.shape, elementType), value);
}

/// What a transformed constant is called: after its source.
static StringRef nameOf(Operation *op) {
  for (Value operand : op->getOperands())
    if (Operation *source = operand.getDefiningOp())
      if (auto name = dyn_cast<NameLoc>(source->getLoc()))
        return name.getName();
  return "folded";
}

static HostTensor transposed(const HostTensor &from, ArrayRef<int64_t> perm) {
  std::vector<int64_t> shape;
  for (int64_t axis : perm)
    shape.push_back(from.shape[axis]);
  HostTensor to(from.type, std::move(shape));
  permute(from.shape, perm.vec(), byteSize(from.type), from.data.data(),
          to.data.data());
  return to;
}

namespace {

/// nn.op(constants) becomes its value.
struct FoldOperation : RewritePattern {
  FoldOperation(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!isa_and_nonnull<nn::NNDialect>(op->getDialect()) ||
        op->getNumOperands() == 0)
      return failure();
    // Weighted sums of constants are not worth their time; dequantized
    // weights are wanted as integers.
    if (isa<nn::DequantizeOp, nn::ConvOp, nn::MatMulOp, nn::MaxPoolOp,
            nn::AvgPoolOp, nn::GlobalAvgPoolOp, nn::ReshapeOp>(op) &&
        llvm::none_of(op->getOperands(), isEmpty))
      return failure();
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    if (type.getNumElements() > kMaxFolded || type.getNumElements() == 0)
      return failure();
    SmallVector<nn::ConstantOp> constants;
    for (Value operand : op->getOperands()) {
      auto constant = operand.getDefiningOp<nn::ConstantOp>();
      if (!constant)
        return failure();
      constants.push_back(constant);
    }
    std::vector<HostTensor> operands;
    for (nn::ConstantOp constant : constants)
      operands.push_back(toHostTensor(constant.getValue()));
    Result<std::vector<HostTensor>> results = evaluateNNOp(op, operands);
    if (!results || results->size() != 1)
      return failure();
    rewriter.replaceOp(op,
                       createConstant(rewriter, op->getLoc(), results->front(),
                                      type.getElementType(), nameOf(op)));
    return success();
  }
};

/// A reshaped constant shares the bytes of the original.
struct FoldReshape : OpRewritePattern<nn::ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nn::ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto constant = op.getInput().getDefiningOp<nn::ConstantOp>();
    if (!constant)
      return failure();
    auto type = cast<RankedTensorType>(op.getType());
    Type element = type.getElementType();
    if (element != elementTypeOf(op.getInput()) ||
        isa<quant::UniformQuantizedPerAxisType>(element))
      return failure();
    auto held = RankedTensorType::get(type.getShape(),
                                      constant.getValue().getElementType());
    ElementsAttr value;
    if (auto resource =
            dyn_cast<DenseResourceElementsAttr>(constant.getValue()))
      value = DenseResourceElementsAttr::get(held, resource.getRawHandle());
    else if (auto dense = dyn_cast<DenseElementsAttr>(constant.getValue()))
      value = dense.reshape(held);
    else
      return failure();
    auto replacement =
        nn::ConstantOp::create(rewriter, constant.getLoc(), type, value);
    rewriter.replaceOp(op, replacement);
    return success();
  }
};

/// transpose(dequantize(constant)) becomes dequantize(transposed constant), so
/// that the weighted sum behind it sees its weight.
struct FoldDequantizedTranspose : OpRewritePattern<nn::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nn::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    auto dequantize = op.getInput().getDefiningOp<nn::DequantizeOp>();
    if (!dequantize)
      return failure();
    auto constant = dequantize.getInput().getDefiningOp<nn::ConstantOp>();
    if (!constant)
      return failure();
    Type type = elementTypeOf(dequantize.getInput());
    if (auto axes = dyn_cast<quant::UniformQuantizedPerAxisType>(type)) {
      int32_t axis = 0;
      for (auto [i, source] : llvm::enumerate(op.getPerm()))
        if (source == axes.getQuantizedDimension())
          axis = i;
      type = quant::UniformQuantizedPerAxisType::get(
          axes.getFlags(), axes.getStorageType(), axes.getExpressedType(),
          axes.getScales(), axes.getZeroPoints(), axis,
          axes.getStorageTypeMin(), axes.getStorageTypeMax());
    }
    Value moved = createConstant(
        rewriter, constant.getLoc(),
        transposed(toHostTensor(constant.getValue()), op.getPerm()), type,
        nameOf(dequantize));
    auto replacement = nn::createInferred<nn::DequantizeOp>(
        rewriter, dequantize.getLoc(), elementTypeOf(op), moved);
    if (!replacement)
      return failure();
    rewriter.replaceOp(op, replacement);
    return success();
  }
};

/// reshape(dequantize(constant)) likewise, with one scale.
struct FoldDequantizedReshape : OpRewritePattern<nn::ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nn::ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto dequantize = op.getInput().getDefiningOp<nn::DequantizeOp>();
    if (!dequantize || !dequantize.getInput().getDefiningOp<nn::ConstantOp>())
      return failure();
    auto type = cast<RankedTensorType>(dequantize.getInput().getType());
    if (!isa<quant::UniformQuantizedType>(type.getElementType()))
      return failure();
    Value reshaped = nn::ReshapeOp::create(
        rewriter, op.getLoc(), type.clone(shapeOf(op)), dequantize.getInput());
    rewriter.replaceOpWithNewOp<nn::DequantizeOp>(op, op.getType(), reshaped);
    return success();
  }
};

} // namespace

void transforms::addConstantPatterns(RewritePatternSet &patterns) {
  patterns.add<FoldOperation, FoldReshape, FoldDequantizedTranspose,
               FoldDequantizedReshape>(patterns.getContext());
}
