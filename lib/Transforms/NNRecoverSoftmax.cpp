//===- NNRecoverSoftmax.cpp - exponentials divided by their sum ---------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Matchers.h"

#include "cimc/Transforms/Passes.h"

namespace cimc {
#define GEN_PASS_DEF_NNRECOVERSOFTMAX
#include "cimc/Transforms/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

/// The one axis that a reduction of `input` keeps as 1; nothing where `value`
/// is no such reduction.
template <typename ReduceOp>
static std::optional<int64_t> reducedAxis(Value value, Value input) {
  auto reduce = value.getDefiningOp<ReduceOp>();
  if (!reduce || reduce.getInput() != input || !reduce.getKeepDims() ||
      reduce.getAxes().size() != 1)
    return std::nullopt;
  return reduce.getAxes()[0];
}

/// e / sum(e) with e = exp(x) or exp(x - max(x)).
static Value createSoftmax(Value exponential, Value sum, Operation *op,
                           OpBuilder &builder) {
  auto exp = exponential.getDefiningOp<nn::ExpOp>();
  std::optional<int64_t> axis =
      exp ? reducedAxis<nn::ReduceSumOp>(sum, exponential) : std::nullopt;
  if (!axis || exponential.getType() != op->getResult(0).getType())
    return {};
  Value x = exp.getInput();
  if (auto sub = x.getDefiningOp<nn::SubOp>())
    if (reducedAxis<nn::ReduceMaxOp>(sub.getRhs(), sub.getLhs()) == axis)
      x = sub.getLhs();
  return nn::SoftmaxOp::create(builder, op->getLoc(), x.getType(), x,
                               builder.getI64IntegerAttr(*axis));
}

static Value matchQuotient(nn::DivOp op, OpBuilder &builder) {
  return createSoftmax(op.getLhs(), op.getRhs(), op, builder);
}

static Value matchProduct(nn::MulOp op, OpBuilder &builder) {
  Value result;
  eitherOrder(op, [&](Value exponential, Value inverse) {
    if (auto reciprocal = inverse.getDefiningOp<nn::ReciprocalOp>())
      result = createSoftmax(exponential, reciprocal.getInput(), op, builder);
    return static_cast<bool>(result);
  });
  return result;
}

namespace {
struct NNRecoverSoftmax : cimc::impl::NNRecoverSoftmaxBase<NNRecoverSoftmax> {
  void runOnOperation() override {
    recoverComposites<nn::DivOp>(getOperation(), "softmax", matchQuotient);
    recoverComposites<nn::MulOp>(getOperation(), "softmax", matchProduct);
  }
};
} // namespace
