//===- NNInterfaces.td - what nn operations say of themselves -*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_NN_INTERFACES_TD
#define CIMC_DIALECTS_NN_INTERFACES_TD

include "mlir/IR/OpBase.td"

def NN_WeightMatrixOpInterface : OpInterface<"WeightMatrixOpInterface"> {
  let cppNamespace = "::cimc::nn";
  let description = [{
    An operation that multiplies windows of an activation with matrices known
    at compile time. Mapping asks only this and has no switch over operations.
  }];
  let methods = [
    InterfaceMethod<[{
      How the operation is weight matrices; nothing where it is not, because
      the weights are no constant, or the input has more axes than a chip
      handles.
    }], "::std::optional<::cimc::nn::WeightMatrix>", "getWeightMatrix">
  ];
}

def NN_ElementwiseOpInterface : OpInterface<"ElementwiseOpInterface"> {
  let cppNamespace = "::cimc::nn";
  let description = [{
    A function of one element of each operand, which are broadcast. Evaluators,
    quantization and mapping ask only this.
  }];
  let methods = [
    InterfaceMethod<"The function of include/cimc/Support/Functions.def.",
                    "::cimc::numerics::Function", "getFunction">,
    InterfaceMethod<"Its alpha and beta; 0 where it has none.",
                    "::cimc::numerics::Parameters", "getParameters">
  ];
}

def NN_ReductionOpInterface : OpInterface<"ReductionOpInterface"> {
  let cppNamespace = "::cimc::nn";
  let description = [{
    A fold of elements along axes. A mean is a sum that is divided afterwards.
  }];
  let methods = [
    InterfaceMethod<"One step of the fold: Add, Mul, Max or Min.",
                    "::cimc::numerics::Function", "getFunction">,
    InterfaceMethod<"The folded axes, sorted.", "::llvm::ArrayRef<int64_t>", "getAxes">,
    InterfaceMethod<"Whether they stay, with length 1.", "bool", "getKeepDims">
  ];
}

#endif // CIMC_DIALECTS_NN_INTERFACES_TD
