//===- RowTimes.h - when rows of a channel were passed ----------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_SIM_ROWTIMES_H
#define CIMC_LIB_SIM_ROWTIMES_H

#include "CriticalPath.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace cimc::sim {

/// When something is so, and what made it so; negative where not known yet.
struct Ready {
  double time;
  CriticalPath::Id cause = CriticalPath::none;
};

/// The times at which all parties of a channel passed its rows: its producers
/// made them, or its consumers freed them. Every party passes its rows in
/// order; rows count through all samples. Rows that nobody asks for any more
/// are forgotten, so that what is in use stays small: a ring, which grows where
/// the parties are further apart.
class RowTimes {
public:
  /// Each row is passed by `parties`; where `perRow` is not empty, row r of a
  /// sample by perRow[r].
  RowTimes(uint32_t parties, std::vector<uint32_t> perRow, int64_t capacity);

  /// Rows [0, complete()) were passed by all their parties.
  int64_t complete() const { return done; }
  /// When all rows up to `row` had been passed, for a row before complete();
  /// 0 for those forgotten.
  Ready at(int64_t row) const {
    if (row < top - static_cast<int64_t>(ring.size()))
      return {0};
    const Entry &entry = ring[static_cast<size_t>(row) & mask];
    return {entry.time, entry.cause};
  }
  /// Calls `fn` with each row from `from` on that a party has passed, the time
  /// and the number of parties.
  template <typename Fn> void visit(int64_t from, Fn fn) const {
    int64_t oldest = top - static_cast<int64_t>(ring.size());
    for (int64_t row = std::max({from, oldest, int64_t{0}}); row < top; ++row)
      if (const Entry &e = ring[static_cast<size_t>(row) & mask]; e.passed)
        fn(row, e.time, e.passed);
  }
  /// A party passes a row. Rows before `kept` may be forgotten.
  void pass(int64_t row, double time, CriticalPath::Id cause, int64_t kept) {
    if (row - kept >= static_cast<int64_t>(ring.size()))
      grow(row, kept);
    for (; top <= row; ++top)
      ring[static_cast<size_t>(top) & mask].passed = 0;
    Entry &entry = ring[static_cast<size_t>(row) & mask];
    if (entry.passed++ == 0 || time >= entry.time) {
      entry.time = time;
      entry.cause = cause;
    }
    if (row == done)
      advance();
  }

private:
  struct Entry {
    double time;
    CriticalPath::Id cause;
    uint32_t passed; ///< parties
  };
  void advance();
  void grow(int64_t row, int64_t kept);

  std::vector<Entry> ring; ///< of rows [top - size, top); a power of two
  size_t mask;
  int64_t done = 0, top = 0;
  Ready last{0}; ///< of row done - 1
  uint32_t parties;
  uint32_t row = 0; ///< `done` within its sample, where perRow is in use
  /// Null where all rows have as many parties.
  std::unique_ptr<const std::vector<uint32_t>> perRow;
};

} // namespace cimc::sim

#endif // CIMC_LIB_SIM_ROWTIMES_H
