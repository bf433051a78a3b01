//===- NNRecoverGelu.cpp - x * the normal distribution function ---------===//
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
#define GEN_PASS_DEF_NNRECOVERGELU
#include "cimc/Transforms/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

/// value = a * G(P(x)) + a with a = `half` for the function of one operand G,
/// where P is a polynomial of `x`.
template <typename FunctionOp>
static std::optional<Polynomial> argumentOf(Value value, double half, Value x) {
  Affine1 sum = asAffine(value);
  auto function = sum.base.getDefiningOp<FunctionOp>();
  if (!function || !isClose(sum.factor, half) || !isClose(sum.summand, half))
    return std::nullopt;
  return asPolynomial(function.getInput(), x);
}

static bool areClose(const Polynomial &a, const Polynomial &b) {
  for (size_t i = 0; i < a.size(); ++i)
    if (!isClose(a[i], b[i]))
      return false;
  return true;
}

/// x * (1 + erf(x / sqrt(2))) / 2, or x * (1 + tanh(sqrt(2 / pi) (x + 0.044715
/// x^3))) / 2, with the half anywhere.
template <typename OpT> static Value matchGelu(OpT op, OpBuilder &builder) {
  Product product = asProduct(op);
  if (product.factors.size() != 2)
    return {};
  const double slope = std::sqrt(2 / M_PI);
  const Polynomial erf{0, std::sqrt(0.5)}, tanh{0, slope, 0, slope * 0.044715};
  double half = 0.5 / product.coefficient;
  for (auto [x, gate] :
       {std::make_pair(product.factors[0], product.factors[1]),
        std::make_pair(product.factors[1], product.factors[0])}) {
    if (auto argument = argumentOf<nn::ErfOp>(gate, half, x))
      if (areClose(*argument, erf))
        return nn::GeluOp::create(builder, op.getLoc(), op.getType(), x);
    if (auto argument = argumentOf<nn::TanhOp>(gate, half, x))
      if (areClose(*argument, tanh))
        return nn::GeluTanhOp::create(builder, op.getLoc(), op.getType(), x);
  }
  return {};
}

namespace {
struct NNRecoverGelu : cimc::impl::NNRecoverGeluBase<NNRecoverGelu> {
  void runOnOperation() override {
    recoverComposites<nn::DivOp>(getOperation(), "gelu", matchGelu<nn::DivOp>);
    recoverComposites<nn::MulOp>(getOperation(), "gelu", matchGelu<nn::MulOp>);
  }
};
} // namespace
