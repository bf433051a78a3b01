//===- Passes.td - passes of lib/Scheduling ----------------*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_SCHEDULING_PASSES_TD
#define CIMC_SCHEDULING_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertCIMToSched : Pass<"convert-cim-to-sched", "::mlir::ModuleOp"> {
  let summary = "make every cim operation a stream and every value a channel";
  let description = [{
    Needs every operation on a core. The entry function becomes a
    `sched.program`; `cim.weights` stay. Channels get one slot, or all rows
    where a consumer reads them as a whole; `wanted_slots` is what `cim.rings`
    planned.
  }];
  let dependentDialects = ["::cimc::sched::SchedDialect"];
}

def SchedSizeRings : Pass<"sched-size-rings", "::mlir::ModuleOp"> {
  let summary = "give every channel enough slots to never deadlock, and some to overlap";
  let description = [{
    Runs the counters of one sample and adds a slot wherever all streams wait
    for each other; then gives every ring as many again, or what placement
    planned (`wanted_slots`) where that is more, so that producers can run
    ahead, and proves two samples back to back.
  }];
}

def SchedAllocate : Pass<"sched-allocate", "::mlir::ModuleOp"> {
  let summary = "assign an address in its core's memory to every channel, buffer and constant";
  let description = [{
    What instructions touch most, byte by byte, comes first, so that it lies in
    the core's own SRAM. Where a core overflows, slack slots of its rings go;
    what still does not fit is an error for every such core. What is left of the
    core's own SRAM goes to rings, up to twice their slots.
  }];
}

#endif // CIMC_SCHEDULING_PASSES_TD
