//===- RowPhase.h - which rows of a channel a producer writes ---*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_PROGRAM_ROWPHASE_H
#define CIMC_PROGRAM_ROWPHASE_H

#include <cstdint>

namespace cimc {

/// A producer writes row `first` of every sample and each `step`-th after it;
/// 0 <= first < rows of a sample, step >= 1. Rows count on from sample to
/// sample.
struct RowPhase {
  int64_t first = 0, step = 1;

  bool operator==(const RowPhase &o) const {
    return first == o.first && step == o.step;
  }
  /// Its rows of a sample of `rows`.
  int64_t own(int64_t rows) const { return (rows - first + step - 1) / step; }
  /// The row it writes after row `row`.
  int64_t next(int64_t row, int64_t rows) const {
    int64_t end = (row / rows + 1) * rows;
    return row + step < end ? row + step : end + first;
  }
  /// The row it writes as number `n`, from 0.
  int64_t row(int64_t n, int64_t rows) const {
    return n / own(rows) * rows + first + n % own(rows) * step;
  }
  /// How many of rows [0, `row`) it writes.
  int64_t before(int64_t row, int64_t rows) const {
    int64_t within = row % rows;
    return row / rows * own(rows) +
           (within > first ? (within - first + step - 1) / step : 0);
  }
};

} // namespace cimc

#endif // CIMC_PROGRAM_ROWPHASE_H
