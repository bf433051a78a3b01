//===- NNRecoverSoftplus.cpp - log(1 + exp(x)), and x * tanh of it ------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Matchers.h"

#include "cimc/Transforms/Passes.h"

#include <cmath>

namespace cimc {
#define GEN_PASS_DEF_NNRECOVERSOFTPLUS
#include "cimc/Transforms/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

/// log(1 + exp(x)).
static Value matchSoftplus(nn::LogOp op, OpBuilder &builder) {
  Affine1 sum = asAffine(op.getInput());
  auto exp = sum.base.getDefiningOp<nn::ExpOp>();
  if (!exp || sum.factor != 1 || sum.summand != 1)
    return {};
  return nn::SoftplusOp::create(builder, op.getLoc(), op.getType(),
                                exp.getInput());
}

/// x * tanh(softplus(x)).
static Value matchMish(nn::MulOp op, OpBuilder &builder) {
  Value x;
  eitherOrder(op, [&](Value a, Value b) {
    auto tanh = b.getDefiningOp<nn::TanhOp>();
    auto softplus =
        tanh ? tanh.getInput().getDefiningOp<nn::SoftplusOp>() : nullptr;
    if (softplus && softplus.getInput() == a)
      x = a;
    return static_cast<bool>(x);
  });
  if (!x)
    return {};
  return nn::MishOp::create(builder, op.getLoc(), op.getType(), x);
}

namespace {
struct NNRecoverSoftplus
    : cimc::impl::NNRecoverSoftplusBase<NNRecoverSoftplus> {
  void runOnOperation() override {
    recoverComposites<nn::LogOp>(getOperation(), "softplus", matchSoftplus);
    recoverComposites<nn::MulOp>(getOperation(), "mish", matchMish);
  }
};
} // namespace
