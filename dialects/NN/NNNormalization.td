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

def NN_LogSoftmaxOp : NN_UniformOp<"log_softmax"> {
  let summary = "logarithm of the softmax along one axis";
  let arguments = (ins NN_Tensor:$input, I64Attr:$axis);
}

// `scale` and `bias` are broadcast to the input, or absent. A row is
// everything from `axis` on.
def NN_LayerNormOp : NN_ShapedOp<"layer_norm", [AttrSizedOperandSegments]> {
  let summary = "rows with mean 0 and variance 1, scaled and shifted, in float";
  let description = [{
    `(x - mean) * (1 / sqrt(variance + epsilon)) * scale + bias`; mean and
    variance of a row are summed in order and divided by its length.
  }];
  let arguments = (ins NN_Tensor:$input, Optional<NN_Tensor>:$scale, Optional<NN_Tensor>:$bias,
                       I64Attr:$axis, F32Attr:$epsilon);
  let assemblyFormat = [{ $input (`scale` $scale^ `:` type($scale))? (`bias` $bias^ `:` type($bias))?
                          attr-dict `:` functional-type($input, results) }];
  let hasVerifier = 1;
}

def NN_RMSNormOp : NN_ShapedOp<"rms_norm"> {
  let summary = "rows with mean square 1, scaled, in float";
  let description = [{
    `x * (1 / sqrt(mean(x^2) + epsilon)) * scale`; squares are summed in order.
  }];
  let arguments = (ins NN_Tensor:$input, Optional<NN_Tensor>:$scale, I64Attr:$axis, F32Attr:$epsilon);
  let hasVerifier = 1;
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
