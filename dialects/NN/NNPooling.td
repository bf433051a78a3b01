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

#endif // CIMC_DIALECTS_NN_POOLING_TD
