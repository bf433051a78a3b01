//===- NNRecoverRotaryEmbedding.cpp - pairs of channels rotated ---------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Matchers.h"

#include "cimc/Transforms/Passes.h"

namespace cimc {
#define GEN_PASS_DEF_NNRECOVERROTARYEMBEDDING
#include "cimc/Transforms/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

namespace {

/// `count` elements of the last axis, each `step` from the one before.
struct Part {
  Value input;
  int64_t start, count, step;
};

/// Both members of each rotated pair, and cosines and sines.
struct Rotation {
  Value cosine, sine;
};

} // namespace

static std::optional<Part> asPart(Value value) {
  auto slice = value.getDefiningOp<nn::SliceOp>();
  if (!slice)
    return std::nullopt;
  ArrayRef<int64_t> from = shapeOf(slice.getInput()), to = shapeOf(slice);
  size_t last = from.size() - 1;
  for (size_t i = 0; i < last; ++i)
    if (from[i] != to[i] || slice.getSteps()[i] != 1)
      return std::nullopt;
  return Part{slice.getInput(), slice.getStarts()[last], to[last],
              slice.getSteps()[last]};
}

/// Whether `part` is the half of its input's last axis that begins at `start`.
static bool isHalf(const std::optional<Part> &part, bool second) {
  return part && part->step == 1 &&
         2 * part->count == shapeOf(part->input).back() &&
         part->start == (second ? part->count : 0);
}

/// The first half of the last axis where the second is known to repeat it:
/// of a concatenation of a value with itself, or a function, reshape, gather or
/// part of one, or of a constant.
static Value repeatedHalf(Value value, OpBuilder &builder, int depth = 0) {
  auto type = cast<RankedTensorType>(value.getType());
  Operation *op = value.getDefiningOp();
  if (!op || depth > 8 || type.getRank() == 0 || type.getShape().back() % 2)
    return {};
  SmallVector<int64_t> shape(type.getShape());
  int64_t half = shape.back() / 2;
  shape.back() = half;
  if (auto concat = dyn_cast<nn::ConcatOp>(op)) {
    auto axis = static_cast<int64_t>(concat.getAxis());
    if (op->getNumOperands() == 2 && op->getOperand(0) == op->getOperand(1) &&
        (axis == type.getRank() - 1 || axis == -1))
      return op->getOperand(0);
    return {};
  }
  if (auto constant = dyn_cast<nn::ConstantOp>(op)) {
    std::optional<HostTensor> all = floatConstant(value);
    if (!all)
      return {};
    HostTensor first(DType::F32,
                     std::vector<int64_t>(shape.begin(), shape.end()));
    for (int64_t i = 0; i < first.size(); ++i) {
      const float *row = all->as<float>() + i / half * 2 * half;
      if (row[i % half] != row[half + i % half])
        return {};
      first.as<float>()[i] = row[i % half];
    }
    return createConstant(builder, value.getLoc(), first, builder.getF32Type(),
                          "rotary");
  }
  bool gathers = isa<nn::GatherOp>(op) &&
                 cast<nn::GatherOp>(op).getAxis() == 0 &&
                 shapeOf(op->getOperand(0)).size() > 1;
  bool unary = isa<nn::ElementwiseOpInterface>(op) && op->getNumOperands() == 1;
  bool scaled = isa<nn::MulOp>(op) && scalarOf(op->getOperand(1)) &&
                op->getOperand(0).getType() == value.getType();
  bool reshapes = isa<nn::ReshapeOp>(op) &&
                  !shapeOf(op->getOperand(0)).empty() &&
                  shapeOf(op->getOperand(0)).back() == 2 * half;
  if (!gathers && !unary && !scaled && !reshapes)
    return {};
  Value inner = repeatedHalf(op->getOperand(0), builder, depth + 1);
  if (!inner)
    return {};
  OperationState state(op->getLoc(), op->getName());
  state.addOperands(inner);
  state.addOperands(op->getOperands().drop_front());
  state.addAttributes(op->getAttrs());
  state.addTypes(type.clone(shape));
  return builder.create(state)->getResult(0);
}

/// nn.rotary_embedding of a value of any rank from 2 on, with cosines and sines
/// that broadcast to the half of it.
static Value createRotation(Value x, Value cosine, Value sine, bool interleaved,
                            Location loc, OpBuilder &builder) {
  auto type = cast<RankedTensorType>(x.getType());
  ArrayRef<int64_t> shape = type.getShape();
  if (shape.size() < 2 || shape.back() % 2)
    return {};
  // Axes of the table that are missing in front are 1; x becomes [B, 1, S, E]
  // with all leading axes but the last in B where there are not 4.
  SmallVector<int64_t> wide(shape);
  auto adapt = [&](Value table) -> Value {
    SmallVector<int64_t> own(shapeOf(table));
    if (own.size() > shape.size() || own.empty() ||
        own.back() != shape.back() / 2)
      return {};
    if (shape.size() == 4)
      return table;
    // Only tables without batch fit another split of the axes.
    for (size_t i = 0; i + 2 < own.size(); ++i)
      if (own[i] != 1)
        return {};
    SmallVector<int64_t> kept(
        ArrayRef<int64_t>(own).take_back(std::min<size_t>(own.size(), 2)));
    auto tableType = cast<RankedTensorType>(table.getType());
    if (kept.size() == own.size())
      return table;
    return nn::ReshapeOp::create(builder, loc, tableType.clone(kept), table);
  };
  cosine = adapt(cosine);
  sine = adapt(sine);
  if (!cosine || !sine)
    return {};
  if (shape.size() != 4) {
    int64_t batch = 1;
    for (int64_t extent : shape.drop_back(2))
      batch *= extent;
    wide = {batch, 1, shape[shape.size() - 2], shape.back()};
    x = nn::ReshapeOp::create(builder, loc, type.clone(wide), x);
  }
  Value result = nn::RotaryEmbeddingOp::create(builder, loc, type.clone(wide),
                                               x, cosine, sine, interleaved);
  if (shape.size() != 4)
    result = nn::ReshapeOp::create(builder, loc, type, result);
  return result;
}

/// x * cosine + concat(-x2, x1) * sine for x = concat(x1, x2), as Llama writes
/// it, with tables whose halves are equal.
static Value matchRotateHalf(nn::AddOp op, OpBuilder &builder) {
  Value result;
  eitherOrder(op, [&](Value straight, Value turned) {
    auto first = straight.getDefiningOp<nn::MulOp>();
    auto second = turned.getDefiningOp<nn::MulOp>();
    if (!first || !second)
      return false;
    return eitherOrder(second, [&](Value rotated, Value sine) {
      auto concat = rotated.getDefiningOp<nn::ConcatOp>();
      if (!concat || concat->getNumOperands() != 2 ||
          rotated.getType() != op.getType())
        return false;
      auto negated = concat->getOperand(0).getDefiningOp<nn::NegOp>();
      if (!negated)
        return false;
      auto high = asPart(negated.getInput());
      auto low = asPart(concat->getOperand(1));
      if (!isHalf(high, true) || !isHalf(low, false) ||
          high->input != low->input)
        return false;
      return eitherOrder(first, [&](Value x, Value cosine) {
        if (x != low->input || x.getType() != op.getType())
          return false;
        Value c = repeatedHalf(cosine, builder);
        Value s = c ? repeatedHalf(sine, builder) : Value();
        if (c && s)
          result = createRotation(x, c, s, false, op.getLoc(), builder);
        return static_cast<bool>(result);
      });
    });
  });
  return result;
}

/// a * cosine - b * sine and a * sine + b * cosine.
static std::optional<Rotation> matchPair(Value real, Value imaginary, Value a,
                                         Value b) {
  auto sub = real.getDefiningOp<nn::SubOp>();
  auto add = imaginary.getDefiningOp<nn::AddOp>();
  if (!sub || !add)
    return std::nullopt;
  auto factorOf = [](Value product, Value x) -> Value {
    auto mul = product.getDefiningOp<nn::MulOp>();
    if (!mul || mul.getType() != x.getType())
      return {};
    return mul.getLhs() == x   ? mul.getRhs()
           : mul.getRhs() == x ? mul.getLhs()
                               : Value();
  };
  Rotation rotation{factorOf(sub.getLhs(), a), factorOf(sub.getRhs(), b)};
  if (!rotation.cosine || !rotation.sine)
    return std::nullopt;
  bool fits = eitherOrder(add, [&](Value first, Value second) {
    return factorOf(first, a) == rotation.sine &&
           factorOf(second, b) == rotation.cosine;
  });
  return fits ? std::optional(rotation) : std::nullopt;
}

/// concat(a c - b s, a s + b c) of the halves a and b of x; or of its even and
/// odd channels, which are split off and joined by an axis of extent 2.
static Value matchPairs(nn::ConcatOp op, OpBuilder &builder) {
  ArrayRef<int64_t> shape = shapeOf(op);
  auto axis = static_cast<int64_t>(op.getAxis());
  auto rank = static_cast<int64_t>(shape.size());
  if (op->getNumOperands() != 2 || (axis != rank - 1 && axis != -1))
    return {};
  auto sub = op->getOperand(0).getDefiningOp<nn::SubOp>();
  if (!sub)
    return {};
  for (Value a : sub.getLhs().getDefiningOp()
                     ? sub.getLhs().getDefiningOp()->getOperands()
                     : ValueRange()) {
    auto low = asPart(a);
    if (!isHalf(low, false) || low->input.getType() != op.getType())
      continue;
    Value b;
    if (Operation *product = sub.getRhs().getDefiningOp())
      for (Value operand : product->getOperands()) {
        auto high = asPart(operand);
        if (isHalf(high, true) && high->input == low->input)
          b = operand;
      }
    auto rotation = b ? matchPair(op->getOperand(0), op->getOperand(1), a, b)
                      : std::nullopt;
    if (!rotation)
      continue;
    if (low->count > 1)
      return createRotation(low->input, rotation->cosine, rotation->sine, false,
                            op.getLoc(), builder);
    // Pairs side by side: the last two axes are one.
    auto merged = [&](Value value, bool isTable) -> Value {
      auto type = cast<RankedTensorType>(value.getType());
      SmallVector<int64_t> own(type.getShape());
      if (own.size() < 2 || (isTable && own.back() != 1))
        return {};
      int64_t last = own.pop_back_val();
      own.back() *= last;
      return nn::ReshapeOp::create(builder, op.getLoc(), type.clone(own),
                                   value);
    };
    Value x = merged(low->input, false);
    Value cosine = merged(rotation->cosine, true);
    Value sine = merged(rotation->sine, true);
    Value result = x && cosine && sine ? createRotation(x, cosine, sine, true,
                                                        op.getLoc(), builder)
                                       : Value();
    if (result)
      return nn::ReshapeOp::create(builder, op.getLoc(), op.getType(), result);
  }
  return {};
}

namespace {
struct NNRecoverRotaryEmbedding
    : cimc::impl::NNRecoverRotaryEmbeddingBase<NNRecoverRotaryEmbedding> {
  void runOnOperation() override {
    recoverComposites<nn::AddOp>(getOperation(), "rotary_embedding",
                                 matchRotateHalf);
    recoverComposites<nn::ConcatOp>(getOperation(), "rotary_embedding",
                                    matchPairs);
  }
};
} // namespace
