//===- NNReduction.td - folds along axes -------------------*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_NN_REDUCTION_TD
#define CIMC_DIALECTS_NN_REDUCTION_TD

include "NNBase.td"

// `axes` is sorted, without repetition; the axes keep length 1 or, without
// `keep_dims`, disappear. Elements are taken in row-major order, in fp32 or in
// the integer type (wrapping).
class NN_ReduceOp<string mnemonic, string function, string what>
    : NN_UniformOp<mnemonic, [DeclareOpInterfaceMethods<NN_ReductionOpInterface, ["getFunction"]>]> {
  let summary = what # " along axes";
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$axes, UnitAttr:$keep_dims);
  let extraClassDefinition = [{
    ::cimc::numerics::Function $cppClass::getFunction() {
      return ::cimc::numerics::Function::}] # function # [{;
    }
    ::llvm::LogicalResult $cppClass::inferReturnTypeComponents(
        ::mlir::MLIRContext *, std::optional<::mlir::Location> loc, Adaptor adaptor,
        ::llvm::SmallVectorImpl<::mlir::ShapedTypeComponents> &out) {
      return ::cimc::nn::inferReduction(loc, getOperationName(), adaptor.getInput(),
                                        adaptor.getAxes(), adaptor.getKeepDims(), out);
    }
  }];
}
def NN_ReduceSumOp : NN_ReduceOp<"reduce_sum", "Add", "sum">;
def NN_ReduceMeanOp : NN_ReduceOp<"reduce_mean", "Add", "mean, the sum divided by the number of elements,">;
def NN_ReduceProdOp : NN_ReduceOp<"reduce_prod", "Mul", "product">;
def NN_ReduceMaxOp : NN_ReduceOp<"reduce_max", "Max", "maximum, of nothing the least number,">;
def NN_ReduceMinOp : NN_ReduceOp<"reduce_min", "Min", "minimum, of nothing the largest number,">;

class NN_ArgOp<string mnemonic, string what> : NN_ShapedOp<mnemonic> {
  let summary = "position, as i64, of the " # what # " element along an axis";
  let description = [{ The first of equal elements, or the last with `last`. NaN is never found behind a number. }];
  let arguments = (ins NN_Tensor:$input, I64Attr:$axis, UnitAttr:$keep_dims, UnitAttr:$last);
  let hasVerifier = 1;
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::inferReturnTypeComponents(
        ::mlir::MLIRContext *, std::optional<::mlir::Location> loc, Adaptor adaptor,
        ::llvm::SmallVectorImpl<::mlir::ShapedTypeComponents> &out) {
      return ::cimc::nn::inferReduction(loc, getOperationName(), adaptor.getInput(),
                                        int64_t(adaptor.getAxis()), adaptor.getKeepDims(), out);
    }
  }];
}
def NN_ArgMaxOp : NN_ArgOp<"arg_max", "largest">;
def NN_ArgMinOp : NN_ArgOp<"arg_min", "smallest">;

class NN_ScanOp<string mnemonic, string what> : NN_UniformOp<mnemonic> {
  let summary = "running " # what # " along one axis";
  let description = [{
    Each result element folds the input elements up to it, without it where
    `exclusive`, from the end where `reverse`.
  }];
  let arguments = (ins NN_Tensor:$input, I64Attr:$axis, UnitAttr:$exclusive, UnitAttr:$reverse);
}
def NN_CumSumOp : NN_ScanOp<"cum_sum", "sum">;
def NN_CumProdOp : NN_ScanOp<"cum_prod", "product">;

#endif // CIMC_DIALECTS_NN_REDUCTION_TD
