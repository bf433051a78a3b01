//===- SinkTransposes.cpp - transposes move down until they cancel --------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Graphs converted from NHWC frameworks have a pair of transposes around every
// convolution. A transpose goes below every operation that can as well be
// computed before it, until it meets its inverse, an output, or an operation
// that needs this order of axes. It moves towards the results only, so this
// ends; and only where all its users let it through, so transposes do not
// become more.
//
//===----------------------------------------------------------------------===//

#include "Patterns.h"

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

/// Transposes with more users stay: whether all let them through is asked for
/// each.
static constexpr unsigned maxUsers = 16;

using Permutation = ArrayRef<int64_t>;

static SmallVector<int64_t> inverted(Permutation perm) {
  SmallVector<int64_t> inverse(perm.size());
  for (auto [i, axis] : llvm::enumerate(perm))
    inverse[axis] = i;
  return inverse;
}

static SmallVector<int64_t> permuted(ArrayRef<int64_t> values,
                                     Permutation perm) {
  SmallVector<int64_t> result;
  for (int64_t axis : perm)
    result.push_back(values[axis]);
  return result;
}

/// Whether permuting the axes of a shape leaves all elements in their order.
static bool movesNothing(ArrayRef<int64_t> shape, Permutation perm) {
  int64_t last = -1;
  for (int64_t axis : perm) {
    if (shape[axis] == 1)
      continue;
    if (axis < last)
      return false;
    last = axis;
  }
  return true;
}

static bool isPerAxis(Value value) {
  return isa<quant::UniformQuantizedPerAxisType>(elementTypeOf(value));
}

/// What all operations that let transposes through have in common: operands
/// that broadcast to the result.
static bool isPointwise(Operation *op) {
  return isa<nn::ElementwiseOpInterface, nn::WhereOp, nn::CastOp,
             nn::QuantizeOp, nn::DequantizeOp>(op);
}

/// A reduction that keeps the axes it is over.
static bool isReduction(Operation *op) {
  return isa<nn::ReductionOpInterface>(op) && op->hasAttr("keep_dims") &&
         op->getAttrOfType<DenseI64ArrayAttr>("axes");
}

/// Whether `operand` of `op` is transposed by `perm`, a constant, or a value
/// that the inverse only reshapes.
static bool isBehind(Value operand, Operation *op, Permutation perm) {
  if (isPerAxis(operand))
    return false;
  if (auto transpose = operand.getDefiningOp<nn::TransposeOp>())
    if (transpose.getPerm() == perm)
      return true;
  ArrayRef<int64_t> shape = shapeOf(operand);
  if (shape.size() > perm.size() ||
      (!isPointwise(op) && shape.size() != perm.size()))
    return false;
  if (operand.getDefiningOp<nn::ConstantOp>())
    return true;
  SmallVector<int64_t> full(perm.size() - shape.size(), 1);
  full.append(shape.begin(), shape.end());
  return movesNothing(full, inverted(perm));
}

/// Whether `op` can be computed before a transpose by `perm` of its operands.
static bool letsThrough(Operation *op, Permutation perm) {
  if (isa<nn::TransposeOp>(op))
    return true;
  if (!isPointwise(op) && !isReduction(op) &&
      !isa<nn::SoftmaxOp, nn::LogSoftmaxOp, nn::ConcatOp, nn::PadOp,
           nn::SliceOp>(op))
    return false;
  if (op->getNumResults() != 1 || isPerAxis(op->getResult(0)) ||
      shapeOf(op->getResult(0)).size() != perm.size())
    return false;
  return llvm::all_of(op->getOperands(), [&](Value operand) {
    return isBehind(operand, op, perm);
  });
}

/// The value that `perm` makes `operand` of: where it is a transpose its
/// input, else a constant or a reshape.
static Value before(Value operand, Permutation perm, OpBuilder &builder,
                    Location loc) {
  if (auto transpose = operand.getDefiningOp<nn::TransposeOp>())
    if (transpose.getPerm() == perm)
      return transpose.getInput();
  auto type = cast<RankedTensorType>(operand.getType());
  SmallVector<int64_t> full(perm.size() - type.getRank(), 1);
  full.append(type.getShape().begin(), type.getShape().end());
  SmallVector<int64_t> inverse = inverted(perm);
  auto moved = type.clone(permuted(full, inverse));
  if (llvm::all_of(full, [](int64_t extent) { return extent == 1; }) &&
      type.getRank() < static_cast<int64_t>(perm.size()))
    return operand;
  if (movesNothing(full, inverse))
    return nn::ReshapeOp::create(builder, loc, moved, operand);
  if (full.size() != type.getShape().size())
    operand = nn::ReshapeOp::create(builder, loc, type.clone(full), operand);
  return nn::TransposeOp::create(builder, loc, moved, operand,
                                 builder.getDenseI64ArrayAttr(inverse));
}

/// Attributes that name axes or list a number for each.
static void renameAxes(OperationState &state, Permutation perm) {
  SmallVector<int64_t> inverse = inverted(perm);
  auto rank = static_cast<int64_t>(perm.size());
  for (StringRef name : {"low", "high", "starts", "sizes", "steps"})
    if (auto list =
            dyn_cast_or_null<DenseI64ArrayAttr>(state.attributes.get(name)))
      state.attributes.set(
          name, DenseI64ArrayAttr::get(list.getContext(),
                                       permuted(list.asArrayRef(), inverse)));
  if (auto axes =
          dyn_cast_or_null<DenseI64ArrayAttr>(state.attributes.get("axes"))) {
    SmallVector<int64_t> renamed;
    for (int64_t axis : axes.asArrayRef())
      renamed.push_back(perm[axis]);
    llvm::sort(renamed);
    state.attributes.set("axes",
                         DenseI64ArrayAttr::get(axes.getContext(), renamed));
  }
  if (auto axis = dyn_cast_or_null<IntegerAttr>(state.attributes.get("axis"))) {
    int64_t number = axis.getInt() < 0 ? axis.getInt() + rank : axis.getInt();
    state.attributes.set("axis",
                         IntegerAttr::get(axis.getType(), perm[number]));
  }
}

namespace {

/// op(transpose(x), ...) becomes transpose(op(x, ...)).
struct SinkTranspose : OpRewritePattern<nn::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nn::TransposeOp transpose,
                                PatternRewriter &rewriter) const override {
    Permutation perm = transpose.getPerm();
    if (elementTypeOf(transpose) != elementTypeOf(transpose.getInput()) ||
        movesNothing(shapeOf(transpose.getInput()), perm))
      return failure();
    unsigned users = 0;
    Operation *op = nullptr;
    for (Operation *user : transpose->getUsers()) {
      if (++users > maxUsers || !letsThrough(user, perm))
        return failure();
      // The first in the block: operands of the others may depend on it.
      if (!isa<nn::TransposeOp>(user) && (!op || user->isBeforeInBlock(op)))
        op = user;
    }
    if (!op)
      return failure();
    rewriter.setInsertionPoint(op);
    OperationState state(op->getLoc(), op->getName());
    for (Value operand : op->getOperands())
      state.addOperands(before(operand, perm, rewriter, op->getLoc()));
    state.addAttributes(op->getAttrs());
    renameAxes(state, perm);
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    state.addTypes(type.clone(permuted(type.getShape(), inverted(perm))));
    Operation *moved = rewriter.create(state);
    rewriter.replaceOpWithNewOp<nn::TransposeOp>(
        op, type, moved->getResult(0), rewriter.getDenseI64ArrayAttr(perm));
    return success();
  }
};

/// matmul(a, transpose(b)) with the inner axes swapped is a flag of the
/// product; what else the transpose does stays.
struct TransposeIntoMatMul : OpRewritePattern<nn::MatMulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nn::MatMulOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getB().getDefiningOp<nn::TransposeOp>();
    if (!transpose || !elementTypeOf(op).isF32())
      return failure();
    // Weights are transposed themselves.
    if (isa_and_nonnull<nn::ConstantOp, nn::DequantizeOp>(
            transpose.getInput().getDefiningOp()))
      return failure();
    SmallVector<int64_t> perm(transpose.getPerm());
    size_t rank = perm.size();
    if (rank < 2 || perm[rank - 1] > perm[rank - 2])
      return failure();
    std::swap(perm[rank - 1], perm[rank - 2]);
    Value b = transpose.getInput();
    if (!llvm::is_sorted(perm)) {
      auto type = cast<RankedTensorType>(b.getType());
      b = nn::TransposeOp::create(rewriter, transpose.getLoc(),
                                  type.clone(permuted(type.getShape(), perm)),
                                  b, rewriter.getDenseI64ArrayAttr(perm));
    }
    rewriter.modifyOpInPlace(op, [&] {
      op.getBMutable().assign(b);
      op.setTransposeB(!op.getTransposeB());
    });
    return success();
  }
};

/// reshape(transpose(x)) where the transpose has axes of extent 1, or axes
/// that stay side by side: one axis for each run that moves as a whole.
struct SimplifyTranspose : OpRewritePattern<nn::ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nn::ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getInput().getDefiningOp<nn::TransposeOp>();
    if (!transpose || isPerAxis(transpose) ||
        !transpose.getInput().getDefiningOp<nn::ReshapeOp>() ||
        !transpose->hasOneUse() ||
        elementTypeOf(transpose) != elementTypeOf(transpose.getInput()))
      return failure();
    ArrayRef<int64_t> shape = shapeOf(transpose.getInput());
    // Runs of axes in the order of the result, each by its first axis.
    SmallVector<std::pair<int64_t, int64_t>> runs; // first axis, elements
    int64_t last = -2;
    for (int64_t axis : transpose.getPerm()) {
      if (shape[axis] == 1)
        continue;
      bool follows = last >= 0 && axis > last &&
                     llvm::all_of(shape.slice(last + 1, axis - last - 1),
                                  [](int64_t extent) { return extent == 1; });
      if (follows)
        runs.back().second *= shape[axis];
      else
        runs.push_back({axis, shape[axis]});
      last = axis;
    }
    if (runs.size() >= shape.size() || runs.size() < 2)
      return failure();
    SmallVector<std::pair<int64_t, int64_t>> ordered(runs);
    llvm::sort(ordered);
    SmallVector<int64_t> from, to, perm;
    for (auto [axis, extent] : ordered)
      from.push_back(extent);
    for (const auto &run : runs) {
      to.push_back(run.second);
      perm.push_back(llvm::find(ordered, run) - ordered.begin());
    }
    auto type = cast<RankedTensorType>(transpose.getType());
    Value x = nn::ReshapeOp::create(rewriter, transpose.getLoc(),
                                    type.clone(from), transpose.getInput());
    x = nn::TransposeOp::create(rewriter, transpose.getLoc(), type.clone(to), x,
                                rewriter.getDenseI64ArrayAttr(perm));
    rewriter.replaceOpWithNewOp<nn::ReshapeOp>(op, op.getType(), x);
    return success();
  }
};

} // namespace

void transforms::addTransposePatterns(RewritePatternSet &patterns) {
  patterns.add<SinkTranspose, TransposeIntoMatMul, SimplifyTranspose>(
      patterns.getContext());
}
