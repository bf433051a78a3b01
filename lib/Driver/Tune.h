//===- Tune.h - the fastest of several programs -----------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_DRIVER_TUNE_H
#define CIMC_LIB_DRIVER_TUNE_H

#include "cimc/Driver/Compiler.h"

namespace cimc {

/// Takes the fastest of `options.effort` programs, which the chip model times:
/// by the period or, in latency mode, by the latency. Mapping estimates; how
/// streams that share arrays, ports and links wait for each other is only known
/// when they run.
///
/// `result` has finished Phase::Schedule, `mapped` is the module before
/// Phase::Place, with the copies that it chose. The first program is that of
/// `result`; then `mapped` is placed with more slack in rings, other copies and
/// seeds; then the rings of the best of these grow where the chain that decides
/// its period waits for them. Replaces the module and adds a remark.
/// Deterministic.
void tune(const CompileOptions &options, mlir::ModuleOp mapped,
          Compilation &result);

/// Notes on the functions of `mapped` how often `placed` has their layers.
void keepCopies(mlir::ModuleOp placed, mlir::ModuleOp mapped);

} // namespace cimc

#endif // CIMC_LIB_DRIVER_TUNE_H
