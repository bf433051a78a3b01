//===- NNBase.td - the nn dialect and what its operations share -*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_NN_BASE_TD
#define CIMC_DIALECTS_NN_BASE_TD

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

// One result whose shape is inferred.
class NN_ShapedOp<string mnemonic, list<Trait> traits = []>
    : NN_Op<mnemonic, !listconcat([InferShapedTypeOpAdaptor, NN_VerifyShape], traits)> {
  let results = (outs NN_Tensor:$result);
}

// All operands and results are quantized, or all have one element type.
def NN_SameElementType : NativeOpTrait<"VerifySameElementType"> {
  let cppNamespace = "::cimc::nn";
}

// The operands are alike as above, and the result is i1.
def NN_PredicateType : NativeOpTrait<"VerifyPredicateType"> {
  let cppNamespace = "::cimc::nn";
}

class NN_UniformOp<string mnemonic, list<Trait> traits = []>
    : NN_ShapedOp<mnemonic, !listconcat([NN_SameElementType], traits)>;

#endif // CIMC_DIALECTS_NN_BASE_TD
