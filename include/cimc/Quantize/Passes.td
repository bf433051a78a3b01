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

def NNVerifyQuantized : Pass<"nn-verify-quantized", "::mlir::ModuleOp"> {
  let summary = "checks that a chip can compute every operation";
  let description = [{
    The rule of the boundary after quantization: an operation is integer, or a
    conversion between float and integer, or moves data, or is one of the float
    functions of the vector unit (elementwise, softmax). Reports all
    violations, each with what is missing. With precision `float`, products
    with constant weights may be float too (rule R13).
  }];
  let options = [
    Option<"precision", "precision", "std::string", "\"int8\"",
           "what --precision says: int8 or float">
  ];
  let dependentDialects = ["::cimc::nn::NNDialect"];
}

#endif // CIMC_QUANTIZE_PASSES_TD
