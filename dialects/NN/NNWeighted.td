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
    `s_input * s_weight[m]`. With an f32 input and a quantized weight the range
    of the input is taken while running, for each row of windows (rule R14);
    `nonnegative` says that no element of the input is below 0. Plain integers
    (at most 16 bits each, also where their type is i32) give their exact sum as
    i32; there is no bias then, and padding is 0.

    ```mlir
    %y = nn.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>,
           dilations = array<i64: 1, 1>, group = 1 : i64}
       : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input, NN_Tensor:$weight, Optional<NN_Tensor>:$bias,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads,
                       DenseI64ArrayAttr:$dilations, DefaultValuedAttr<I64Attr, "1">:$group,
                       UnitAttr:$nonnegative);
  let hasVerifier = 1;
}

def NN_MatMulOp : NN_ShapedOp<"matmul", [DeclareOpInterfaceMethods<NN_WeightMatrixOpInterface>]> {
  let summary = "matrix product, batched by broadcasting, with optional bias";
  let description = [{
    `a` is [batch..., M, K] ([..., K, M] with `transpose_a`), `b` is
    [batch..., K, N] ([..., N, K] with `transpose_b`), `bias` is [N]. One-axis
    operands follow numpy's matmul. Quantized like `nn.conv`; both operands may
    be activations. Rows of an f32 `a` have ranges of their own (rule R14).
    Plain integers as for `nn.conv`.
  }];
  let arguments = (ins NN_Tensor:$a, NN_Tensor:$b, Optional<NN_Tensor>:$bias,
                       UnitAttr:$transpose_a, UnitAttr:$transpose_b, UnitAttr:$nonnegative);
  let hasVerifier = 1;
}

def NN_ConvTransposeOp : NN_UniformOp<"conv_transpose", [DeclareOpInterfaceMethods<NN_WeightMatrixOpInterface>]> {
  let summary = "transposed convolution with 1 to 3 spatial axes";
  let description = [{
    `input` is [N, C, spatial...], `weight` is [C, M/group, kernel...], the
    optional `bias` is [M]. Input pixel i adds `input[i] * weight[k]` to the
    pixel `i * stride - pad + k * dilation` of the result, which has
    `(n - 1) * stride + (kernel - 1) * dilation + 1 + output_padding - pads`
    pixels along an axis. `pads` lists the begins, then the ends.

    ```mlir
    %y = nn.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>,
           dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>, group = 1 : i64}
       : (tensor<1x4x8x8xf32>, tensor<4x3x2x2xf32>) -> tensor<1x3x16x16xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input, NN_Tensor:$weight, Optional<NN_Tensor>:$bias,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads,
                       DenseI64ArrayAttr:$dilations, DenseI64ArrayAttr:$output_padding,
                       DefaultValuedAttr<I64Attr, "1">:$group);
}

def NN_DeformConvOp : NN_ShapedOp<"deform_conv",
    [NN_SameElementType, AttrSizedOperandSegments]> {
  let summary = "2-D convolution whose taps are moved by a tensor";
  let description = [{
    `input` is [N, C, H, W], `weight` [M, C/group, kh, kw], `offset`
    [N, offset_group * kh * kw * 2, rows, columns]: how far every tap of every
    pixel is moved along y and x. Taps between pixels are interpolated
    linearly, with zeros around the map, and multiplied by `mask`
    [N, offset_group * kh * kw, rows, columns].

    ```mlir
    %y = nn.deform_conv %x, %w, %o {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>,
           dilations = array<i64: 1, 1>, group = 1 : i64, offset_group = 1 : i64,
           operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>}
       : (tensor<1x1x3x3xf32>, tensor<1x1x2x2xf32>, tensor<1x8x2x2xf32>) -> tensor<1x1x2x2xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input, NN_Tensor:$weight, NN_Tensor:$offset,
                       Optional<NN_Tensor>:$bias, Optional<NN_Tensor>:$mask,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads,
                       DenseI64ArrayAttr:$dilations, DefaultValuedAttr<I64Attr, "1">:$group,
                       DefaultValuedAttr<I64Attr, "1">:$offset_group);
}

#endif // CIMC_DIALECTS_NN_WEIGHTED_TD
