//===- Passes.td - passes of the quantization station ------*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_QUANTIZE_PASSES_TD
#define CIMC_QUANTIZE_PASSES_TD

include "mlir/Pass/PassBase.td"

def NNFuseQDQ : Pass<"nn-fuse-qdq", "::mlir::ModuleOp"> {
  let summary = "makes integer operations of dequantize-op-quantize groups";
  let description = [{
    Turns a float graph with `nn.quantize` and `nn.dequantize` into one whose
    operations work on quantized types, by the rules of docs/numerics.md:

    * `nn.dequantize` moves down and `nn.quantize` up past data movement and
      maximum pooling, where both are exact;
    * a relu or clip in front of `nn.quantize` disappears where the quantized
      range implies it, else it becomes a clamp of integers;
    * an operation between dequantized operands and a quantized result is
      rebuilt on the quantized types. Weights, and constants that are the same
      number everywhere, may still be float; biases become int32 of scale
      `s_input * s_weight`. Weights are moved to zero point 0 where they then
      fit int8;
    * quantize after dequantize with other parameters becomes an `nn.reshape`
      to the same shape, which is a table (rule R10);
    * a result that has further users beside the quantize is computed once, in
      integers, when only the arrays can compute it; the other users read its
      dequantized value.

    What stays float: the operations with a float operand that is no such
    constant, and those for which there is no integer rule (sub, div, pow, ...).
  }];
  let dependentDialects = ["::cimc::nn::NNDialect"];
}

def NNDynamicRanges : Pass<"nn-dynamic-ranges", "::mlir::ModuleOp"> {
  let summary = "gives sums of products in float integer weights, and ranges that are taken while running";
  let description = [{
    Convolutions, matrix products and recurrent layers that are still float
    after `nn-fuse-qdq` and have constant weights get these as integers, with a
    scale for each output channel: the integers behind an `nn.dequantize`, or
    the nearest. Their activations become integers while they run (rule R14);
    `nonnegative` is set where they cannot be below 0. Depthwise convolutions
    stay float. Where the input is quantized already, its integers are used and
    only the result is float. Dequantized constants that are left become float
    constants. A remark names what stays in wide fixed point (rule R13).
  }];
  let options = [
    Option<"precision", "precision", "std::string", "\"int8\"",
           "what --precision says; with float nothing becomes an integer">
  ];
  let dependentDialects = ["::cimc::nn::NNDialect"];
}

#endif // CIMC_QUANTIZE_PASSES_TD
