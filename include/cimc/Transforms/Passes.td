//===- Passes.td - passes on the nn level ------------------*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_TRANSFORMS_PASSES_TD
#define CIMC_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def NNCanonicalize : Pass<"nn-canonicalize", "::mlir::ModuleOp"> {
  let summary = "brings a float or QDQ graph into its canonical form";
  let description = [{
    One form for what models spell in many ways, so that later passes see few
    patterns:

    * operations on constants become constants; reshaped weights share their
      bytes. Dequantized weights stay quantized;
    * batch normalization and per-channel factors and summands behind a weighted
      sum go into its weight and bias; elsewhere batch normalization becomes a
      multiply and an add;
    * zero padding goes into the window of a following convolution or average;
    * an average over the whole map is `nn.global_avg_pool`, a clamp to
      [0, inf) is `nn.relu`;
    * transposes that move no element are reshapes; inverse pairs, repeated
      activations and operations that change nothing disappear.

    What stays has the same values as before: exact, except where factors are
    folded into weights (single-precision rounding).
  }];
  let dependentDialects = ["::cimc::nn::NNDialect"];
}

#endif // CIMC_TRANSFORMS_PASSES_TD
