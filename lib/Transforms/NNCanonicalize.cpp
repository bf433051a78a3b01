//===- NNCanonicalize.cpp - the canonical form of a float or QDQ graph -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Patterns.h"

#include "cimc/Transforms/Passes.h"

#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace cimc {
#define GEN_PASS_DEF_NNCANONICALIZE
#include "cimc/Transforms/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc;

namespace {

struct NNCanonicalize : cimc::impl::NNCanonicalizeBase<NNCanonicalize> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet set(context);
    transforms::addConstantPatterns(set);
    transforms::addChannelPatterns(set);
    transforms::addWindowPatterns(set);
    transforms::addMovementPatterns(set);
    transforms::addTransposePatterns(set);
    transforms::addIdentityPatterns(set);
    transforms::addBroadcastPatterns(set);
    transforms::addEmptyPatterns(set);
    patterns = std::move(set);
    return success();
  }

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      transforms::replaceEmptyArguments(function);
    GreedyRewriteConfig config;
    // Constants keep their places and names; CSE below joins equal ones.
    config.enableConstantCSE(false);
    if (failed(applyPatternsGreedily(getOperation(), patterns, config))) {
      getOperation().emitError("nn-canonicalize found no fixed point; this is "
                               "a defect of cimc");
      return signalPassFailure();
    }
    IRRewriter rewriter(&getContext());
    DominanceInfo dominance(getOperation());
    eliminateCommonSubExpressions(rewriter, dominance, getOperation());
  }

  FrozenRewritePatternSet patterns;
};

} // namespace
