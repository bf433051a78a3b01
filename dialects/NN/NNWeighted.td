//===- NNWeighted.td - sums of products --------------------*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_NN_WEIGHTED_TD
#define CIMC_DIALECTS_NN_WEIGHTED_TD

include "NNBase.td"

def NN_ConvOp : NN_ShapedOp<"conv", [DeclareOpInterfaceMethods<NN_WeightMatrixOpInterface>]> {
  let summary = "convolution with 1 to 3 spatial axes";
  let description = [{
    `input` is [N, C, spatial...], `weight` is [M, C/group, kernel...], the
    optional `bias` is [M]. `pads` lists the begins, then the ends, of the
    spatial axes. Quantized (rules R1 to R3): accumulate in int32, padding
    contributes the input's zero point, `bias` has element type i32 with scale
    `s_input * s_weight[m]`.

    ```mlir
    %y = nn.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>,
           dilations = array<i64: 1, 1>, group = 1 : i64}
       : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input, NN_Tensor:$weight, Optional<NN_Tensor>:$bias,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads,
                       DenseI64ArrayAttr:$dilations, DefaultValuedAttr<I64Attr, "1">:$group);
  let hasVerifier = 1;
}

def NN_MatMulOp : NN_ShapedOp<"matmul", [DeclareOpInterfaceMethods<NN_WeightMatrixOpInterface>]> {
  let summary = "matrix product, batched by broadcasting, with optional bias";
  let description = [{
    `a` is [batch..., M, K] ([..., K, M] with `transpose_a`), `b` is
    [batch..., K, N] ([..., N, K] with `transpose_b`), `bias` is [N]. One-axis
    operands follow numpy's matmul. Quantized like `nn.conv`; both operands may
    be activations.
  }];
  let arguments = (ins NN_Tensor:$a, NN_Tensor:$b, Optional<NN_Tensor>:$bias,
                       UnitAttr:$transpose_a, UnitAttr:$transpose_b);
  let hasVerifier = 1;
}

#endif // CIMC_DIALECTS_NN_WEIGHTED_TD
