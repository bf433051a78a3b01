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

def NNUnfoldConvolutions : Pass<"nn-unfold-convolutions", "::mlir::ModuleOp"> {
  let summary = "convolutions with computed weights become matrix products";
  let description = [{
    Arrays hold constants. Where the weights of an `nn.conv` or
    `nn.conv_transpose` of floats or plain integers are computed or an input of the network, the windows
    become the columns of a matrix, by slices of the padded input, and the
    vector unit multiplies it with the weights.
  }];
  let dependentDialects = ["::cimc::nn::NNDialect"];
}

def NNSplitHeads : Pass<"nn-split-heads", "::mlir::ModuleOp"> {
  let summary = "attention over several heads becomes one operation a head";
  let description = [{
    Where queries, keys and values are the results of weighted operations whose
    columns are the heads, reshaped and transposed for an `nn.attention` alone, and
    its result is put together the same way, every head gets columns of its own and an
    `nn.attention` of its own: what makes it is next to it, and it passes row by row.
    Putting the heads apart behind one matrix would copy the whole feature map in
    the memory of one core.
  }];
  let dependentDialects = ["::cimc::nn::NNDialect"];
}

def NNPartition : Pass<"nn-partition", "::mlir::ModuleOp"> {
  let summary = "cuts a network larger than the chip into parts that fit it";
  let description = [{
    The network becomes modules inside the module, each a network of its own with
    the module's attributes. Values that go from part to part are results of one
    and arguments of others, with one name (`nn.name`); constants are in every part
    that reads them. The parts are ranges of the network's operations in their
    order, as `nn.operations` on each says.

    A weighted operation that takes more than half of the chip becomes several
    first that make some of its columns each, and an `nn.concat` of their results:
    pieces of a quarter of the chip, or of one array's width where that is more.

    A part's weights take at most the row groups of all arrays of the module's
    chip. There are as few parts as can be, or as many as `parts` says, and of all
    ways to cut that many that one is taken, by dynamic programming,

    - for `reprogram` where the fewest bytes go into and out of parts, and then
      the slowest part is fastest;
    - for `cards` the other way round: the slowest stage of a pipeline decides.

    Cells and times are estimates from the weights' shapes; whether a part fits
    is known when it has been placed and scheduled, and what did not is kept
    `apart` then.
  }];
  let options = [
    Option<"chip", "chip", "std::string", "\"\"",
           "preset or chip file for a module that does not name its chip">,
    Option<"parts", "parts", "int64_t", "1", "cut into so many parts at least">,
    Option<"goal", "goal", "std::string", "\"reprogram\"",
           "what parts are for: reprogram (one chip in turn) or cards (a pipeline)">,
    ListOption<"apart", "apart", "int64_t",
               "ranges of operations, begin and end each, that no part may contain">,
    Option<"name", "name", "std::string", "\"part\"",
           "what modules are called, with a number, and values between them, with their node">
  ];
  let dependentDialects = ["::cimc::cim::CIMDialect", "::cimc::nn::NNDialect",
                           "::mlir::func::FuncDialect"];
}

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
  let summary = "cuts slow layers along their pixels, and copies their weights";
  let description = [{
    A layer is a weight matrix's tiles or a window's operation, with what
    follows pixel by pixel. A row of its result is cut along its pixels; each
    part is computed by a copy of the layer on other macros and vector units,
    from a `cim.slice` of what it reads, and `cim.concat` joins the parts. An
    input that is read in parts passes a relay (a reshape with `cim.copy`), so
    that the host sends each row once. `cim.part` says which pixels a part
    makes, so that parts of the same pixels come to lie near each other.

    How often is decided by a target for the time a stream works on one
    sample: every layer gets the fewest copies that reach it. Targets are tried
    from that of the uncut network down, in fixed steps; each is cut, placed
    and measured with the cost model: the busiest macro, vector unit, stream,
    port, link of the networks, and the host's link. Rings are planned for each
    (see `cim-place`), as the rows that wait for others take memory.

    - `throughput`: the target with the shortest period.
    - `latency`: the one with the shortest way of a sample through the
      pipeline, plus the period.
    - `none`: changes nothing.

    `cim.copies` on the function notes for every layer how often it is cut. A
    function that has it already is cut as it says, and nothing is searched for.

    Remarks say how many copies a layer has, what bounds the network, the
    predicted period and the lower bound that no mapping can beat.
  }];
  let options = [
    Option<"mode", "mode", "std::string", "\"throughput\"",
           "what copies are for: throughput, latency, or none">,
    Option<"memory", "memory", "int64_t", "100",
           "percent of a core's memory that streams are planned to take">,
    Option<"seed", "seed", "uint64_t", "0",
           "of the search for places of cores that suit the links">,
    Option<"slack", "slack", "int64_t", "-1",
           "rows that rings are planned with beyond what an even flow needs, in percent of one; -1: none">
  ];
  let dependentDialects = ["::cimc::cim::CIMDialect"];
}

def CIMPlace : Pass<"cim-place", "::mlir::ModuleOp"> {
  let summary = "puts every operation on a core, and weight tiles on its macros";
  let description = [{
    First the rows that every operand's ring holds at the network's period are
    planned (`cim.rings`): the time from when a row is begun until its last
    reader is done with it, and `slack`, as streams that share arrays or ports
    do not make rows as evenly as that.

    Vector bin packing: a core's macros, vector unit, ports, memory, cells and
    streams are asked for no more than they have in a period, and the shortest
    period that can be kept is found by bisection. In graph order along a walk
    over the chip on which neighbours are near: cores of a tile, tiles of a
    chiplet, chiplets. Tiles get a core of their own, else a macro, else a
    macro holds tiles of several layers that take turns, one below the other
    (`macro_row`). Vector operations run where their input is produced, or as
    near as there is room. Where links would be busy, whole cores then change
    places. Says the smallest preset that would hold a network
    too large for the chip.
  }];
  let options = [
    Option<"memory", "memory", "int64_t", "100",
           "percent of a core's memory that streams are planned to take">,
    Option<"seed", "seed", "uint64_t", "0",
           "of the search for places of cores that suit the links">,
    Option<"slack", "slack", "int64_t", "-1",
           "rows that rings are planned with beyond what an even flow needs, in percent of one; -1: 25 where there is memory for it">
  ];
}

#endif // CIMC_MAPPING_PASSES_TD
