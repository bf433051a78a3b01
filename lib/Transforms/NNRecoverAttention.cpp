//===- NNRecoverAttention.cpp - softmax(q k^T) v ------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Matchers.h"

#include "cimc/Transforms/Passes.h"

namespace cimc {
#define GEN_PASS_DEF_NNRECOVERATTENTION
#include "cimc/Transforms/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

namespace {

/// The parts of an attention that is written out.
struct Attention {
  Value query, key, value;
  /// Added to the scaled scores, each broadcast to them.
  SmallVector<Value> biases;
  double scale = 1, softcap = 0;
  bool transposedKey = false;
};

} // namespace

/// x * factor, below a transpose or not: moves the factor into `scale` and
/// returns the value without it.
static Value withoutScale(Value value, double &scale, OpBuilder &builder) {
  Affine1 affine = asAffine(value);
  if (affine.base != value && affine.summand == 0) {
    scale *= affine.factor;
    return affine.base;
  }
  auto transpose = value.getDefiningOp<nn::TransposeOp>();
  if (!transpose)
    return value;
  affine = asAffine(transpose.getInput());
  if (affine.base == transpose.getInput() || affine.summand != 0)
    return value;
  scale *= affine.factor;
  return nn::TransposeOp::create(builder, transpose.getLoc(),
                                 transpose.getType(), affine.base,
                                 transpose.getPermAttr());
}

/// What a mask adds where it chooses between scores and a number so low that
/// no score changes it: 0 and that number. Null where it is not such a mask.
static Value maskOf(nn::WhereOp where, Value &scores, OpBuilder &builder) {
  constexpr double absorbs = -1e30;
  for (bool keepsFirst : {true, false}) {
    Value kept = keepsFirst ? where.getLhs() : where.getRhs();
    Value low = keepsFirst ? where.getRhs() : where.getLhs();
    std::optional<double> number = scalarOf(low);
    if (!number || *number > absorbs || kept.getType() != where.getType())
      continue;
    scores = kept;
    HostTensor zero(DType::F32, {});
    Value none = createConstant(builder, where.getLoc(), zero,
                                builder.getF32Type(), "mask");
    auto type = cast<RankedTensorType>(where.getType());
    return nn::WhereOp::create(
        builder, where.getLoc(), type.clone(shapeOf(where.getCondition())),
        where.getCondition(), keepsFirst ? none : low, keepsFirst ? low : none);
  }
  return {};
}

/// Whether a reshape takes only the first axis apart: [A B, ...] to [A, B,
/// ...].
static bool splitsFirstAxis(ArrayRef<int64_t> narrow, ArrayRef<int64_t> wide) {
  return !narrow.empty() && wide.size() == narrow.size() + 1 &&
         wide[0] * wide[1] == narrow[0] &&
         wide.drop_front(2) == narrow.drop_front();
}

/// What a reshape that does so is given; null for another operation.
static Value beforeSplit(Value value) {
  auto reshape = value.getDefiningOp<nn::ReshapeOp>();
  return reshape && splitsFirstAxis(shapeOf(reshape.getInput()), shapeOf(value))
             ? reshape.getInput()
             : Value();
}

/// A bias that broadcasts to [A, B, ...] as one for [A B, ...].
static Value withMergedAxes(Value bias, ArrayRef<int64_t> wide,
                            OpBuilder &builder) {
  auto type = cast<RankedTensorType>(bias.getType());
  size_t missing = wide.size() - type.getRank();
  if (missing >= 2)
    return bias;
  SmallVector<int64_t> shape(missing, 1);
  llvm::append_range(shape, type.getShape());
  auto reshaped = [&](Value value, ArrayRef<int64_t> to) -> Value {
    return nn::ReshapeOp::create(builder, bias.getLoc(), type.clone(to), value);
  };
  if (missing)
    bias = reshaped(bias, shape);
  if (shape[0] * shape[1] != 1 &&
      ArrayRef(shape).take_front(2) != wide.take_front(2)) {
    shape[0] = wide[0];
    shape[1] = wide[1];
    bias = nn::ExpandOp::create(builder, bias.getLoc(), type.clone(shape), bias,
                                shape);
  }
  shape[1] *= shape[0];
  return reshaped(bias, ArrayRef(shape).drop_front());
}

/// The scores before softmax: masks, then the scale or softcap, then q k^T.
static nn::MatMulOp matchScores(Value logits, Attention &attention,
                                OpBuilder &builder) {
  for (int masks = 0; masks < 4; ++masks) {
    // Windows of a picture have an axis of their own while masks are added.
    if (Value narrow = beforeSplit(logits)) {
      for (Value &bias : attention.biases)
        bias = withMergedAxes(bias, shapeOf(logits), builder);
      logits = narrow;
      continue;
    }
    if (auto where = logits.getDefiningOp<nn::WhereOp>()) {
      Value bias = maskOf(where, logits, builder);
      if (!bias)
        return {};
      attention.biases.push_back(bias);
      continue;
    }
    auto add = logits.getDefiningOp<nn::AddOp>();
    if (!add)
      break;
    bool found = eitherOrder(add, [&](Value scores, Value bias) {
      Value base = asAffine(scores).base;
      if (scores.getType() != add.getType() ||
          (!isa_and_nonnull<nn::MatMulOp, nn::TanhOp, nn::AddOp, nn::WhereOp>(
               base.getDefiningOp()) &&
           !beforeSplit(base)))
        return false;
      logits = scores;
      attention.biases.push_back(bias);
      return true;
    });
    if (!found)
      return {};
  }
  Affine1 scores = asAffine(logits);
  if (scores.summand != 0)
    return {};
  attention.scale = scores.factor;
  if (auto tanh = scores.base.getDefiningOp<nn::TanhOp>()) {
    attention.softcap = scores.factor;
    scores = asAffine(tanh.getInput());
    if (scores.summand != 0)
      return {};
    attention.scale = scores.factor * attention.softcap;
  }
  auto product = scores.base.getDefiningOp<nn::MatMulOp>();
  if (!product || product.getTransposeA())
    return {};
  // A mask that is the same for all rows may have become the product's bias.
  if (Value bias = product.getBias()) {
    if (attention.scale != 1 || attention.softcap != 0)
      return {};
    attention.biases.push_back(bias);
  }
  return product;
}

/// Where all heads of a group share one key or value: the value before it is
/// repeated, [B, G, T, E] of [B, H, T, E]. Null where it is not repeated.
static Value withoutRepeats(Value value, OpBuilder &builder) {
  auto merge = value.getDefiningOp<nn::ReshapeOp>();
  auto expand =
      merge ? merge.getInput().getDefiningOp<nn::ExpandOp>() : nullptr;
  if (!expand)
    return {};
  ArrayRef<int64_t> full = shapeOf(value), wide = shapeOf(expand),
                    narrow = shapeOf(expand.getInput());
  if (full.size() != 4 || wide.size() != 5 || narrow.size() != 5 ||
      narrow[2] != 1 || wide[0] != full[0] || wide[1] * wide[2] != full[1] ||
      wide[3] != full[2] || wide[4] != full[3])
    return {};
  for (int axis : {0, 1, 3, 4})
    if (narrow[axis] != wide[axis])
      return {};
  auto type = cast<RankedTensorType>(value.getType());
  return nn::ReshapeOp::create(builder, expand.getLoc(),
                               type.clone({wide[0], wide[1], wide[3], wide[4]}),
                               expand.getInput());
}

/// A value of 2 to 4 axes as [B, H, S, E]: one head where heads are part of
/// the batch.
static Value withHeads(Value value, OpBuilder &builder) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getRank() == 4)
    return value;
  SmallVector<int64_t> shape(type.getShape());
  if (shape.size() == 2)
    shape.insert(shape.begin(), 1);
  shape.insert(shape.begin() + 1, 1);
  return nn::ReshapeOp::create(builder, value.getLoc(), type.clone(shape),
                               value);
}

static Value matchAttention(nn::MatMulOp op, OpBuilder &builder) {
  auto rank = static_cast<int64_t>(shapeOf(op).size());
  if (rank < 2 || rank > 4 || op.getBias() || op.getTransposeA() ||
      op.getTransposeB())
    return {};
  Value weights = op.getA();
  // PyTorch gives 0 to a row whose every key is masked, like nn.attention.
  if (auto where = weights.getDefiningOp<nn::WhereOp>())
    if (auto isNaN = where.getCondition().getDefiningOp<nn::IsNaNOp>())
      if (scalarOf(where.getLhs()) == 0 && isNaN.getInput() == where.getRhs())
        weights = where.getRhs();
  int64_t last = rank - 1;
  if (auto merge = weights.getDefiningOp<nn::ReshapeOp>())
    if (splitsFirstAxis(shapeOf(weights), shapeOf(merge.getInput()))) {
      weights = merge.getInput();
      ++last;
    }
  auto softmax = weights.getDefiningOp<nn::SoftmaxOp>();
  if (!softmax)
    return {};
  auto axis = static_cast<int64_t>(softmax.getAxis());
  if (axis != last && axis != -1)
    return {};
  Attention attention;
  nn::MatMulOp scores = matchScores(softmax.getInput(), attention, builder);
  if (!scores)
    return {};
  attention.value = op.getB();
  attention.query = withoutScale(scores.getA(), attention.scale, builder);
  attention.key = withoutScale(scores.getB(), attention.scale, builder);
  // Products that broadcast their batches, and constant matrices, are no
  // attention.
  for (Value part : {attention.query, attention.key, attention.value}) {
    ArrayRef<int64_t> shape = shapeOf(part);
    if (static_cast<int64_t>(shape.size()) != rank ||
        shape.drop_back(2) != shapeOf(op).drop_back(2) ||
        part.getDefiningOp<nn::ConstantOp>())
      return {};
  }
  for (Value bias : attention.biases)
    if (static_cast<int64_t>(shapeOf(bias).size()) > rank)
      return {};
  Location loc = op.getLoc();
  if (!scores.getTransposeB()) {
    SmallVector<int64_t> perm(llvm::to_vector(llvm::seq<int64_t>(0, rank)));
    std::swap(perm[rank - 1], perm[rank - 2]);
    auto type = cast<RankedTensorType>(attention.key.getType());
    SmallVector<int64_t> shape(type.getShape());
    std::swap(shape[rank - 1], shape[rank - 2]);
    attention.key =
        nn::TransposeOp::create(builder, loc, type.clone(shape), attention.key,
                                builder.getDenseI64ArrayAttr(perm));
  }
  Value bias;
  for (Value part : attention.biases) {
    if (shapeOf(part).size() == 3)
      part = withHeads(part, builder);
    if (bias) {
      bias = nn::createInferred<nn::AddOp>(builder, loc, builder.getF32Type(),
                                           {bias, part});
      if (!bias)
        return {};
    } else {
      bias = part;
    }
  }
  Value query = withHeads(attention.query, builder),
        key = withHeads(attention.key, builder),
        value = withHeads(attention.value, builder);
  Value oneKey = withoutRepeats(key, builder),
        oneValue = withoutRepeats(value, builder);
  if (oneKey && oneValue && shapeOf(oneKey)[1] == shapeOf(oneValue)[1]) {
    key = oneKey;
    value = oneValue;
  }
  SmallVector<int64_t> shape(shapeOf(query));
  shape[3] = shapeOf(value)[3];
  auto type = cast<RankedTensorType>(op.getType());
  Value result = nn::AttentionOp::create(
      builder, loc, type.clone(shape), query, key, value, bias,
      builder.getF32FloatAttr(static_cast<float>(attention.scale)),
      builder.getF32FloatAttr(static_cast<float>(attention.softcap)));
  if (rank != 4)
    result = nn::ReshapeOp::create(builder, loc, type, result);
  return result;
}

namespace {
struct NNRecoverAttention
    : cimc::impl::NNRecoverAttentionBase<NNRecoverAttention> {
  void runOnOperation() override {
    recoverComposites<nn::MatMulOp>(getOperation(), "attention",
                                    matchAttention);
  }
};
} // namespace
