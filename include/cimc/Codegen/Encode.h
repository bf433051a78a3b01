//===- Encode.h - isa operations to a program -------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_CODEGEN_ENCODE_H
#define CIMC_CODEGEN_ENCODE_H

#include "cimc/Program/Program.h"
#include "cimc/Support/Status.h"

#include "mlir/IR/BuiltinOps.h"

namespace cimc {

/// The records of a module at the isa level (after --convert-sched-to-isa), for
/// the chip in its `cim.chip`. Fails where a number does not fit its field.
Result<Program> encodeProgram(mlir::ModuleOp module);

} // namespace cimc

#endif // CIMC_CODEGEN_ENCODE_H
