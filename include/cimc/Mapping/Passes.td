//===- Passes.td - passes of the mapping station -----------*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_MAPPING_PASSES_TD
#define CIMC_MAPPING_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertNNToCIM : Pass<"convert-nn-to-cim", "::mlir::ModuleOp"> {
  let summary = "a quantized nn network as operations on feature maps and weight tiles";
  let description = [{
    Every value becomes a feature map of machine integers or floats; weighted
    operations become `cim.weights` and one `cim.mvm` for each tile of the
    matrix that fits the macros of a core. The function's arguments and results
    say in `cim.shape` and `cim.perm` how the host finds the model's tensors:
    a feature map is the tensor transposed by `cim.perm`, in row-major order.
    Operations without a lowering are reported together.
  }];
  let options = [
    Option<"chip", "chip", "std::string", "\"\"",
           "preset or chip file for a module that does not name its chip">
  ];
  let dependentDialects = ["::cimc::cim::CIMDialect", "::mlir::func::FuncDialect"];
}

def CIMVerifyMapped : Pass<"cim-verify-mapped", "::mlir::ModuleOp"> {
  let summary = "checks the boundary rule of the cim level";
  let description = [{
    Only cim operations between feature maps, arguments and results that name
    the model's shape, and weight tiles that fit the macros of one core.
  }];
}

def CIMPlace : Pass<"cim-place", "::mlir::ModuleOp"> {
  let summary = "puts every operation on a core, and weight tiles on its macros";
  let description = [{
    In graph order along a walk over the chip on which neighbours are near:
    cores of a tile, tiles of a chiplet, chiplets. While there are as many
    cores as weight tiles, each tile gets a core of its own; otherwise they
    share. Vector operations run where their input is produced, while that core
    has streams and memory. Says the smallest preset that would hold a network
    too large for the chip.
  }];
}

#endif // CIMC_MAPPING_PASSES_TD
