//===- FoldIdentities.cpp - arithmetic that does nothing ------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Matchers.h"

#include <cmath>

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

namespace {

/// x + 0, x - 0, x * 1, x / 1 and x ^ 1 are x; x ^ 2 is x * x, and a division
/// by a power of two the product with its inverse, which has the same bits.
struct DropNeutralOperand : RewritePattern {
  explicit DropNeutralOperand(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!isa<nn::AddOp, nn::SubOp, nn::MulOp, nn::DivOp, nn::PowOp>(op))
      return failure();
    bool commutes = isa<nn::AddOp, nn::MulOp>(op);
    double neutral = isa<nn::AddOp, nn::SubOp>(op) ? 0 : 1;
    Type type = op->getResult(0).getType();
    for (unsigned i : {1u, 0u}) {
      if (i == 0 && !commutes)
        continue;
      Value x = op->getOperand(1 - i);
      std::optional<double> scalar = scalarOf(op->getOperand(i));
      if (!scalar || x.getType() != type)
        continue;
      if (*scalar == neutral) {
        rewriter.replaceOp(op, x);
        return success();
      }
      if (isa<nn::PowOp>(op) && *scalar == 2) {
        rewriter.replaceOpWithNewOp<nn::MulOp>(op, type, x, x);
        return success();
      }
      int exponent;
      double inverse = 1 / *scalar;
      if (isa<nn::DivOp>(op) && std::isfinite(*scalar) && *scalar != 0 &&
          std::abs(std::frexp(*scalar, &exponent)) == 0.5 &&
          std::abs(exponent) < 100) {
        HostTensor factor(DType::F32, shapeOf(op->getOperand(1)));
        std::fill_n(factor.as<float>(), factor.size(),
                    static_cast<float>(inverse));
        Value constant =
            createConstant(rewriter, op->getLoc(), factor,
                           elementTypeOf(op->getOperand(1)), "folded");
        rewriter.replaceOpWithNewOp<nn::MulOp>(op, type, x, constant);
        return success();
      }
    }
    return failure();
  }
};

/// neg(neg(x)) is x; a + neg(b) is a - b, and a - neg(b) is a + b.
struct FoldNegation : RewritePattern {
  explicit FoldNegation(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!isa<nn::NegOp, nn::AddOp, nn::SubOp>(op) ||
        !elementTypeOf(op->getResult(0)).isF32())
      return failure();
    unsigned last = op->getNumOperands() - 1;
    Type type = op->getResult(0).getType();
    auto negated = op->getOperand(last).getDefiningOp<nn::NegOp>();
    if (isa<nn::NegOp>(op)) {
      if (!negated)
        return failure();
      rewriter.replaceOp(op, negated.getInput());
      return success();
    }
    Value other = op->getOperand(0);
    if (!negated && isa<nn::AddOp>(op)) {
      negated = op->getOperand(0).getDefiningOp<nn::NegOp>();
      other = op->getOperand(1);
    }
    if (!negated)
      return failure();
    if (isa<nn::AddOp>(op))
      rewriter.replaceOpWithNewOp<nn::SubOp>(op, type, other,
                                             negated.getInput());
    else
      rewriter.replaceOpWithNewOp<nn::AddOp>(op, type, other,
                                             negated.getInput());
    return success();
  }
};

} // namespace

void transforms::addIdentityPatterns(RewritePatternSet &patterns) {
  patterns.add<DropNeutralOperand, FoldNegation>(patterns.getContext());
}
