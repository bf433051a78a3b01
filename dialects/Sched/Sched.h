//===- Sched.h - the sched dialect ------------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_SCHED_SCHED_H
#define CIMC_DIALECTS_SCHED_SCHED_H

#include "CIM/CIM.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"

#include "Sched/SchedDialect.h.inc"
#define GET_OP_CLASSES
#include "Sched/SchedOps.h.inc"

namespace cimc::sched {

/// The module's program; emits an error where it has none.
mlir::FailureOr<ProgramOp> findProgram(mlir::ModuleOp module);

/// The core whose memory a channel, buffer, constant or a view of one is in.
/// The symbol must exist.
int64_t coreOf(const mlir::SymbolTable &symbols, llvm::StringRef name);

/// Bytes a memory operation occupies; slots x row bytes for a channel.
int64_t bytesOf(mlir::Operation *memory);

/// Bytes of one element of a machine type.
inline int64_t elementBytes(mlir::Type type) {
  return type.getIntOrFloatBitWidth() / 8;
}

} // namespace cimc::sched

#endif // CIMC_DIALECTS_SCHED_SCHED_H
