//===- NNPooling.td - windows without weights --------------*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_NN_POOLING_TD
#define CIMC_DIALECTS_NN_POOLING_TD

include "NNBase.td"

class NN_PoolOp<string mnemonic> : NN_UniformOp<mnemonic>;

def NN_MaxPoolOp : NN_PoolOp<"max_pool"> {
  let summary = "maximum over a sliding window; padding never wins";
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations, UnitAttr:$ceil_mode);
}

def NN_AvgPoolOp : NN_PoolOp<"avg_pool"> {
  let summary = "mean over a sliding window (quantized: rule R9)";
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations, UnitAttr:$ceil_mode,
                       UnitAttr:$count_include_pad);
}

def NN_GlobalAvgPoolOp : NN_PoolOp<"global_avg_pool"> {
  let summary = "mean over all spatial axes of [N, C, spatial...] (quantized: rule R9)";
  let arguments = (ins NN_Tensor:$input);
}

def NN_MaxPoolIndicesOp : NN_Op<"max_pool_indices", [InferShapedTypeOpAdaptor, NN_VerifyShape]> {
  let summary = "nn.max_pool, and where in the input each maximum is";
  let description = [{
    `indices` is i64 and counts the elements of the input in row-major order,
    with `column_major` those of a map in column-major order; of equal elements
    the first one of the window counts.

    ```mlir
    %y, %i = nn.max_pool_indices %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>,
           pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
       : (tensor<1x3x8x8xf32>) -> (tensor<1x3x4x4xf32>, tensor<1x3x4x4xi64>)
    ```
  }];
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations, UnitAttr:$ceil_mode,
                       UnitAttr:$column_major);
  let results = (outs NN_Tensor:$result, NN_Tensor:$indices);
  let hasVerifier = 1;
}

#endif // CIMC_DIALECTS_NN_POOLING_TD
