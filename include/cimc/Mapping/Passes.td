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

def CIMReplicate : Pass<"cim-replicate", "::mlir::ModuleOp"> {
  let summary = "copies the weights of slow layers, so that copies share the pixels";
  let description = [{
    A row of a layer's result is cut along its pixels; each part is computed by
    a copy of the layer's weight tiles on other macros (`cim.mvm` with another
    `x_begin`, sum and requantization), and `cim.concat` joins the parts. Every
    copy reads the same input, which its producer sends to each of them.

    Copies are given one by one, by a model of each stream's busy time per
    sample (products, vector operations, and sends to every reader):

    - `throughput`: always to the slowest layer, until the slowest stream is
      one that cannot be cut (vector operations, the host's link, rows of one
      pixel, a producer that would have to send more than the layer gains).
      Copies that turn out not to matter are taken back.
    - `latency`: the same first; then to whichever layer shortens the way of a
      sample through the pipeline most, while that is at least 0.2 % for each macro.
    - `none`: changes nothing.

    Only cores that would stay empty are used, an eighth of the chip is left to
    vector operations, and a chip too full to give every tile a core of its
    own gets no copies. Remarks say how many copies a layer has and what bounds
    the network; `cim.copies` on the concatenation says it too.
  }];
  let options = [
    Option<"mode", "mode", "std::string", "\"throughput\"",
           "what copies are for: throughput, latency, or none">
  ];
  let dependentDialects = ["::cimc::cim::CIMDialect"];
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
