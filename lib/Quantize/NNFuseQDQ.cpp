//===- NNFuseQDQ.cpp - the pass nn-fuse-qdq ---------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fuse.h"

#include "cimc/Quantize/Passes.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace cimc {
#define GEN_PASS_DEF_NNFUSEQDQ
#include "cimc/Quantize/Passes.h.inc"
} // namespace cimc

using namespace mlir;

namespace cimc {
namespace {

struct NNFuseQDQ : impl::NNFuseQDQBase<NNFuseQDQ> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    quantization::populateMovementPatterns(patterns);
    quantization::populateOperationPatterns(patterns);
    GreedyRewriteConfig config;
    // Operands before users: a quantize meets its operation when the operands
    // have already come down to it.
    config.setUseTopDownTraversal(true);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns),
                                     config))) {
      getOperation().emitError(
          "nn-fuse-qdq: rewriting did not end; please report this model");
      signalPassFailure();
    }
  }
};

} // namespace
} // namespace cimc
