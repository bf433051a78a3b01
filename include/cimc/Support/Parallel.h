//===- Parallel.h - work on several threads -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_SUPPORT_PARALLEL_H
#define CIMC_SUPPORT_PARALLEL_H

#include <cstdint>
#include <functional>

namespace cimc {

/// Calls `fn(i)` for every i in [0, n) on up to `threads` threads (0: one per
/// processor). Thread t takes one contiguous range that depends on n and
/// `threads` alone. Returns when all are done; `fn` must not throw and writes
/// only what belongs to its index.
void parallelFor(int64_t n, unsigned threads,
                 const std::function<void(int64_t index)> &fn);

/// The same by ranges: `fn(t, begin, end)`, once per thread, for state that a
/// thread keeps between indices. Empty ranges are not called.
void parallelForRanges(
    int64_t n, unsigned threads,
    const std::function<void(unsigned thread, int64_t begin, int64_t end)> &fn);

} // namespace cimc

#endif // CIMC_SUPPORT_PARALLEL_H
