//===- NN.td - the nn dialect: what is computed ------------*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_NN_TD
#define CIMC_DIALECTS_NN_TD

include "mlir/Dialect/Quant/IR/QuantBase.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "NNInterfaces.td"

def NN_Dialect : Dialect {
  let name = "nn";
  let cppNamespace = "::cimc::nn";
  let summary = "what a network computes: canonical tensor operations";
  let description = [{
    The `nn` dialect holds a network independently of any chip. Tensors are
    ranked and static and keep the ONNX axis order (NCHW). The element type
    decides the arithmetic of an operation:

    * float (`f32`): the operation is computed in single precision;
    * quantized (`!quant.uniform<...>`): the operation is computed in integers
      by the rules of docs/numerics.md, which are those of ONNX Runtime's
      integer kernels, bit for bit.

    A module at this level is *float* when only `nn.quantize` and
    `nn.dequantize` mention quantized types, and *quantized* after
    `--nn-fuse-qdq`.
  }];
  let dependentDialects = ["::mlir::quant::QuantDialect"];
  let hasConstantMaterializer = 1;
}

//===----------------------------------------------------------------------===//
// Types and base classes
//===----------------------------------------------------------------------===//

def NN_Tensor : Type<
    And<[IsRankedTensorTypePred, CPred<"::llvm::cast<::mlir::ShapedType>($_self).hasStaticShape()">]>,
    "statically shaped tensor", "::mlir::RankedTensorType">;

// The result shape follows from operands and attributes: one function,
// `inferReturnTypeComponents`, serves builders and the verifier.
def NN_VerifyShape : NativeOpTrait<"VerifyInferredShape"> {
  let cppNamespace = "::cimc::nn";
}

class NN_Op<string mnemonic, list<Trait> traits = []>
    : Op<NN_Dialect, mnemonic, !listconcat([Pure], traits)> {
  let assemblyFormat =
      "operands attr-dict `:` functional-type(operands, results)";
}

class NN_ShapedOp<string mnemonic, list<Trait> traits = []>
    : NN_Op<mnemonic, !listconcat([InferShapedTypeOpAdaptor, NN_VerifyShape], traits)> {
  let results = (outs NN_Tensor:$result);
}

//===----------------------------------------------------------------------===//
// Constants and conversions
//===----------------------------------------------------------------------===//

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
  let arguments = (ins NN_Tensor:$input);
}

//===----------------------------------------------------------------------===//
// Weighted sums
//===----------------------------------------------------------------------===//

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

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

class NN_BinaryOp<string mnemonic, string what> : NN_ShapedOp<mnemonic> {
  let summary = "elementwise " # what # " with numpy broadcasting";
  let arguments = (ins NN_Tensor:$lhs, NN_Tensor:$rhs);
}
def NN_AddOp : NN_BinaryOp<"add", "sum (quantized: rule R5)">;
def NN_SubOp : NN_BinaryOp<"sub", "difference">;
def NN_MulOp : NN_BinaryOp<"mul", "product (quantized: rule R6)">;
def NN_DivOp : NN_BinaryOp<"div", "quotient">;
def NN_PowOp : NN_BinaryOp<"pow", "power">;
def NN_MaxOp : NN_BinaryOp<"max", "maximum">;
def NN_MinOp : NN_BinaryOp<"min", "minimum">;

class NN_UnaryOp<string mnemonic, string what> : NN_ShapedOp<mnemonic> {
  let summary = "elementwise " # what # " (quantized, 8 bits: a 256-entry table, rule R8)";
  let arguments = (ins NN_Tensor:$input);
}
def NN_ReluOp : NN_UnaryOp<"relu", "max(x, 0)">;
def NN_SigmoidOp : NN_UnaryOp<"sigmoid", "logistic function">;
def NN_TanhOp : NN_UnaryOp<"tanh", "hyperbolic tangent">;
def NN_ExpOp : NN_UnaryOp<"exp", "exponential">;
def NN_LogOp : NN_UnaryOp<"log", "natural logarithm">;
def NN_SqrtOp : NN_UnaryOp<"sqrt", "square root">;
def NN_ReciprocalOp : NN_UnaryOp<"reciprocal", "1/x">;
def NN_NegOp : NN_UnaryOp<"neg", "negation">;
def NN_AbsOp : NN_UnaryOp<"abs", "absolute value">;
def NN_ErfOp : NN_UnaryOp<"erf", "error function">;
def NN_HardSwishOp : NN_UnaryOp<"hard_swish", "x * max(0, min(1, x/6 + 1/2))">;
def NN_LeakyReluOp : NN_UnaryOp<"leaky_relu", "x >= 0 ? x : alpha * x"> {
  let arguments = (ins NN_Tensor:$input, F32Attr:$alpha);
}
def NN_HardSigmoidOp : NN_UnaryOp<"hard_sigmoid", "max(0, min(1, alpha * x + beta))"> {
  let arguments = (ins NN_Tensor:$input, F32Attr:$alpha, F32Attr:$beta);
}
def NN_ClipOp : NN_UnaryOp<"clip", "clamp to [min, max]"> {
  let arguments = (ins NN_Tensor:$input, F32Attr:$min, F32Attr:$max);
}

//===----------------------------------------------------------------------===//
// Normalization and pooling
//===----------------------------------------------------------------------===//

def NN_SoftmaxOp : NN_ShapedOp<"softmax"> {
  let summary = "softmax along one axis (quantized: QLinearSoftmax, docs/numerics.md)";
  let arguments = (ins NN_Tensor:$input, I64Attr:$axis);
}

def NN_BatchNormOp : NN_ShapedOp<"batch_norm"> {
  let summary = "inference batch normalization over axis 1, in float";
  let description = [{
    `(x - mean) / sqrt(variance + epsilon) * scale + bias`, per channel.
    Canonicalization folds it into a preceding convolution or turns it into a
    multiply and an add.
  }];
  let arguments = (ins NN_Tensor:$input, NN_Tensor:$scale, NN_Tensor:$bias,
                       NN_Tensor:$mean, NN_Tensor:$variance, F32Attr:$epsilon);
}

class NN_PoolOp<string mnemonic> : NN_ShapedOp<mnemonic>;

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

//===----------------------------------------------------------------------===//
// Data movement. Quantized operands and results have the same type parameters
// (integers move) or differ (a table requantizes, rule R10).
//===----------------------------------------------------------------------===//

def NN_ReshapeOp : NN_Op<"reshape"> {
  let summary = "the same elements in row-major order under another shape";
  let arguments = (ins NN_Tensor:$input);
  let results = (outs NN_Tensor:$result);
  let hasVerifier = 1;
  let hasFolder = 1;
}

def NN_TransposeOp : NN_ShapedOp<"transpose"> {
  let summary = "permutes axes: result axis i is input axis perm[i]";
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$perm);
  let hasFolder = 1;
}

def NN_ConcatOp : NN_ShapedOp<"concat"> {
  let summary = "joins tensors along one axis";
  let arguments = (ins Variadic<NN_Tensor>:$inputs, I64Attr:$axis);
}

def NN_PadOp : NN_ShapedOp<"pad"> {
  let summary = "extends a tensor with a constant at both ends of each axis";
  let description = [{
    `value` is in real units; a quantized tensor is padded with the value's
    quantized integer. Negative `low`/`high` are not allowed (see `nn.slice`).
  }];
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$low, DenseI64ArrayAttr:$high,
                       F32Attr:$value);
}

def NN_SliceOp : NN_ShapedOp<"slice"> {
  let summary = "strided sub-tensor: start, size and step for every axis";
  let description = [{
    Result index i along an axis reads input index `start + i * step`; steps
    may be negative, never zero; every index read must exist.
  }];
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$starts, DenseI64ArrayAttr:$sizes,
                       DenseI64ArrayAttr:$steps);
}

#endif // CIMC_DIALECTS_NN_TD
