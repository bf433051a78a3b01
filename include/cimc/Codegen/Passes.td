//===- Passes.td - passes of lib/Codegen -------------------*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_CODEGEN_PASSES_TD
#define CIMC_CODEGEN_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertSchedToISA : Pass<"convert-sched-to-isa", "::mlir::ModuleOp"> {
  let summary = "turn streams into machine records";
  let description = [{
    Symbols become numbers and addresses, loops become `loop` and `next`,
    weights are cut into the tiles that go into cells. One isa operation is one
    record afterwards.
  }];
  let dependentDialects = ["::cimc::isa::ISADialect"];
}

#endif // CIMC_CODEGEN_PASSES_TD
