//===- Counters.h - the counters of a scheduled program ---------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_SCHEDULING_COUNTERS_H
#define CIMC_LIB_SCHEDULING_COUNTERS_H

#include "Sched/Sched.h"
#include "cimc/Program/CounterMachine.h"

namespace cimc::sched {

/// A program's streams reduced to counters, with the host's: one for every
/// channel that it feeds or reads.
struct ProgramCounters {
  explicit ProgramCounters(ProgramOp program);

  /// After a failed run: reports what a stream does wrong, or `deadlock` and
  /// the streams that wait ("'conv1' waits for rows of @c3, ..."). Fails.
  mlir::LogicalResult fail(const char *deadlock);

  ProgramOp program;
  std::vector<ChannelOp> channels; ///< by number
  std::vector<StreamOp> streams;   ///< null: a stream of the host
  CounterMachine machine;
};

} // namespace cimc::sched

#endif // CIMC_LIB_SCHEDULING_COUNTERS_H
