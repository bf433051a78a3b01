//===- Threads.h - the threads of one evaluation ----------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_REFERENCE_THREADS_H
#define CIMC_LIB_REFERENCE_THREADS_H

#include "cimc/Support/Parallel.h"

namespace cimc::reference {

/// How many threads the evaluation on this thread may use, while the object
/// lives. Without one it is 1: whoever evaluates many samples, or is itself one
/// of many threads, spreads samples and not operations.
class ThreadBudget {
public:
  explicit ThreadBudget(unsigned threads) : outer(current) {
    current = threads;
  }
  ~ThreadBudget() { current = outer; }
  ThreadBudget(const ThreadBudget &) = delete;
  ThreadBudget &operator=(const ThreadBudget &) = delete;

  static unsigned threads() { return current; }

private:
  static thread_local unsigned current;
  unsigned outer;
};

/// Calls fn(begin, end) for parts of [0, n) that together are all of it, on the
/// threads of this evaluation. `work` counts the multiply-adds or elements of
/// the whole; where it is small, one call does everything. What an index
/// computes must not depend on where the parts begin.
template <typename Fn> void inParallel(int64_t n, int64_t work, Fn fn) {
  constexpr int64_t worthAThread = 1 << 16;
  if (ThreadBudget::threads() == 1 || work < 2 * worthAThread || n < 2)
    return fn(int64_t(0), n);
  parallelForRanges(
      n, ThreadBudget::threads(),
      [&](unsigned, int64_t begin, int64_t end) { fn(begin, end); });
}

} // namespace cimc::reference

#endif // CIMC_LIB_REFERENCE_THREADS_H
