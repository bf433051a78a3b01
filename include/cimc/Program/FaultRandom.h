//===- FaultRandom.h - where faults fall ------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_PROGRAM_FAULTRANDOM_H
#define CIMC_PROGRAM_FAULTRANDOM_H

#include <cmath>
#include <cstdint>
#include <initializer_list>

namespace cimc {

/// Random numbers that are the same on every machine (splitmix64).
class FaultRandom {
public:
  /// A stream of its own for every list of numbers.
  FaultRandom(std::initializer_list<uint64_t> stream) {
    for (uint64_t number : stream) {
      state ^= number;
      next();
    }
  }
  uint64_t next() {
    state += 0x9e3779b97f4a7c15;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return state ^= z ^ (z >> 31);
  }
  /// In (0, 1].
  double uniform() { return static_cast<double>((next() >> 11) + 1) * 0x1p-53; }

  /// Calls fn(i) for every i in [0, n) that an event of probability `rate`
  /// hits, in order, without looking at the others.
  template <typename Fn> void hits(int64_t n, double rate, Fn fn) {
    if (!(rate > 0))
      return;
    if (rate >= 1) {
      for (int64_t i = 0; i < n; ++i)
        fn(i);
      return;
    }
    double scale = 1 / std::log1p(-rate);
    for (int64_t i = -1;;) {
      double skip = std::floor(std::log(uniform()) * scale);
      if (skip >= static_cast<double>(n - i))
        return;
      i += 1 + static_cast<int64_t>(skip);
      if (i >= n)
        return;
      fn(i);
    }
  }

private:
  uint64_t state = 0x2545f4914f6cdd1d;
};

} // namespace cimc

#endif // CIMC_PROGRAM_FAULTRANDOM_H
