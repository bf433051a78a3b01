//===- NNConversion.td - constants and element types -------*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_NN_CONVERSION_TD
#define CIMC_DIALECTS_NN_CONVERSION_TD

include "NNBase.td"

def NN_ConstantOp : NN_Op<"constant", [ConstantLike]> {
  let summary = "a tensor known at compile time";
  let description = [{
    Weights are `dense_resource` attributes over the bytes of the model file
    and are never copied into uniqued attributes. Where the result type is
    quantized, the attribute holds the storage integers.

    ```mlir
    %w = nn.constant dense<[1, -2]> : tensor<2xi8> : tensor<2x!quant.uniform<i8:f32, 0.5>>
    ```
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "attr-dict $value `:` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def NN_QuantizeOp : NN_ShapedOp<"quantize"> {
  let summary = "float to quantized (rule R4)";
  let description = [{
    `q = roundHalfEven(clamp(x / s)) + z` in single precision, a true
    division; NaN gives qmin. The scale and zero point are those of the result
    type, per tensor or per axis.

    ```mlir
    %q = nn.quantize %x : (tensor<4xf32>) -> tensor<4x!quant.uniform<u8:f32, 0.5:3>>
    ```
  }];
  let arguments = (ins NN_Tensor:$input);
  let hasVerifier = 1;
}

def NN_DequantizeOp : NN_ShapedOp<"dequantize"> {
  let summary = "quantized to float (rule R4): `(q - z) * s`";
  let arguments = (ins NN_Tensor:$input);
  let hasVerifier = 1;
}

def NN_CastOp : NN_ShapedOp<"cast"> {
  let summary = "numeric conversion between unquantized element types";
  let description = [{
    Floats become integers toward zero and saturate, NaN becomes 0; integers
    wrap, those of 4 and 2 bits also floats' int32; everything but 0 is true. Floats of 8 and 4 bits saturate with
    `saturate`, else become infinity or NaN. The only operation on floats other
    than f32: models in float16, bfloat16 or float64 keep those types at their
    inputs, outputs and constants and are computed in f32.
  }];
  let arguments = (ins NN_Tensor:$input, DefaultValuedAttr<BoolAttr, "true">:$saturate);
}

def NN_BitCastOp : NN_ShapedOp<"bit_cast"> {
  let summary = "the same 32 bits as f32, or as an integer";
  let description = [{
    Between integers of one width it is `nn.cast`, which wraps.

    ```mlir
    %bits = nn.bit_cast %x : (tensor<4xf32>) -> tensor<4xi32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input);
  let hasVerifier = 1;
}

#endif // CIMC_DIALECTS_NN_CONVERSION_TD
