//===- NNRecoverSwish.cpp - x * a sigmoid of x --------------------------===//
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
#define GEN_PASS_DEF_NNRECOVERSWISH
#include "cimc/Transforms/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

/// The slope and offset of `gate` as max(0, min(1, slope * x + offset)) times
/// some factor; nothing where it is not that.
struct Ramp {
  double slope, offset, factor;
};
static std::optional<Ramp> asRamp(Value gate, Value x) {
  if (auto hard = gate.getDefiningOp<nn::HardSigmoidOp>()) {
    auto inner = asPolynomial(hard.getInput(), x);
    double alpha = hard.getAlpha().convertToFloat();
    if (!inner || (*inner)[2] != 0 || (*inner)[3] != 0 || (*inner)[4] != 0)
      return std::nullopt;
    return Ramp{alpha * (*inner)[1],
                alpha * (*inner)[0] + hard.getBeta().convertToFloat(), 1};
  }
  auto clip = gate.getDefiningOp<nn::ClipOp>();
  if (!clip || !clip.getMin().isZero())
    return std::nullopt;
  double top = clip.getMax().convertToFloat();
  auto inner = asPolynomial(clip.getInput(), x);
  if (!inner || top <= 0 || (*inner)[2] != 0 || (*inner)[3] != 0 ||
      (*inner)[4] != 0)
    return std::nullopt;
  return Ramp{(*inner)[1] / top, (*inner)[0] / top, top};
}

/// x * sigmoid(alpha * x), or x * max(0, min(1, x / 6 + 1 / 2)).
template <typename OpT> static Value matchSwish(OpT op, OpBuilder &builder) {
  Product product = asProduct(op);
  if (product.factors.size() != 2)
    return {};
  for (auto [x, gate] :
       {std::make_pair(product.factors[0], product.factors[1]),
        std::make_pair(product.factors[1], product.factors[0])}) {
    if (auto sigmoid = gate.getDefiningOp<nn::SigmoidOp>()) {
      Affine1 inner = asAffine(sigmoid.getInput());
      if (inner.base == x && inner.summand == 0 && product.coefficient == 1)
        return nn::SwishOp::create(
            builder, op.getLoc(), op.getType(), x,
            builder.getF32FloatAttr(static_cast<float>(inner.factor)));
    }
    std::optional<Ramp> ramp = asRamp(gate, x);
    if (ramp && isClose(ramp->slope, 1.0 / 6) && isClose(ramp->offset, 0.5) &&
        isClose(ramp->factor * product.coefficient, 1))
      return nn::HardSwishOp::create(builder, op.getLoc(), op.getType(), x);
  }
  return {};
}

namespace {
struct NNRecoverSwish : cimc::impl::NNRecoverSwishBase<NNRecoverSwish> {
  void runOnOperation() override {
    recoverComposites<nn::DivOp>(getOperation(), "swish",
                                 matchSwish<nn::DivOp>);
    recoverComposites<nn::MulOp>(getOperation(), "swish",
                                 matchSwish<nn::MulOp>);
  }
};
} // namespace
