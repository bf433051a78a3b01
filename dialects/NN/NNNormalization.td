//===- NNNormalization.td - softmax, normalizations --------*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_NN_NORMALIZATION_TD
#define CIMC_DIALECTS_NN_NORMALIZATION_TD

include "NNBase.td"

def NN_SoftmaxOp : NN_UniformOp<"softmax"> {
  let summary = "softmax along one axis (quantized: QLinearSoftmax, docs/numerics.md)";
  let arguments = (ins NN_Tensor:$input, I64Attr:$axis);
}

def NN_BatchNormOp : NN_UniformOp<"batch_norm"> {
  let summary = "inference batch normalization over axis 1, in float";
  let description = [{
    `(x - mean) / sqrt(variance + epsilon) * scale + bias`, per channel.
    Canonicalization folds it into a preceding convolution or turns it into a
    multiply and an add.
  }];
  let arguments = (ins NN_Tensor:$input, NN_Tensor:$scale, NN_Tensor:$bias,
                       NN_Tensor:$mean, NN_Tensor:$variance, F32Attr:$epsilon);
}

#endif // CIMC_DIALECTS_NN_NORMALIZATION_TD
