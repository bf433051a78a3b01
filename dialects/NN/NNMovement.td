//===- NNMovement.td - data movement -----------------------*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_NN_MOVEMENT_TD
#define CIMC_DIALECTS_NN_MOVEMENT_TD

include "NNBase.td"

// Quantized operands and results have the same type parameters (integers move)
// or differ (a table requantizes, rule R10).

def NN_ReshapeOp : NN_Op<"reshape"> {
  let summary = "the same elements in row-major order under another shape";
  let arguments = (ins NN_Tensor:$input);
  let results = (outs NN_Tensor:$result);
  let hasVerifier = 1;
  let hasFolder = 1;
}

def NN_TransposeOp : NN_UniformOp<"transpose"> {
  let summary = "permutes axes: result axis i is input axis perm[i]";
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$perm);
  let hasFolder = 1;
}

def NN_ConcatOp : NN_UniformOp<"concat"> {
  let summary = "joins tensors along one axis";
  let arguments = (ins Variadic<NN_Tensor>:$inputs, I64Attr:$axis);
}

def NN_PadOp : NN_UniformOp<"pad"> {
  let summary = "extends a tensor with a constant at both ends of each axis";
  let description = [{
    `value` is in real units; a quantized tensor is padded with the value's
    quantized integer. Negative `low`/`high` are not allowed (see `nn.slice`).
  }];
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$low, DenseI64ArrayAttr:$high,
                       F32Attr:$value);
}

def NN_SliceOp : NN_UniformOp<"slice"> {
  let summary = "strided sub-tensor: start, size and step for every axis";
  let description = [{
    Result index i along an axis reads input index `start + i * step`; steps
    may be negative, never zero; every index read must exist.
  }];
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$starts, DenseI64ArrayAttr:$sizes,
                       DenseI64ArrayAttr:$steps);
}

def NN_ExpandOp : NN_UniformOp<"expand"> {
  let summary = "repeats a tensor along axes of extent 1 and new ones: numpy broadcasting";
  let description = [{
    ```mlir
    %y = nn.expand %x {shape = array<i64: 2, 4, 5>} : (tensor<4x1xf32>) -> tensor<2x4x5xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$shape);
}

#endif // CIMC_DIALECTS_NN_MOVEMENT_TD
