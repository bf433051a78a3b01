//===- Period.h - the time between samples ----------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_SIM_PERIOD_H
#define CIMC_LIB_SIM_PERIOD_H

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace cimc::sim {

/// How far apart samples leave a chip that is fed without end.
///
/// Where the chip's state after a sample is that after an earlier one, all that
/// follows repeats, and the period is exact. Large networks do not come to
/// that: who is first at a link or a bank changes from sample to sample, for as
/// long as one looks. Then it is a mean, over as many samples as are cheap to
/// run, at least three times those that are on the chip at once, without the
/// first quarter and those that found it filling.
class Period {
public:
  /// Samples of a run in which nothing repeats: as many as take
  /// `instructionsOfRun`, but not fewer or more than these.
  static constexpr int64_t instructionsOfRun = 4'000'000;
  static constexpr int64_t fewest = 12, most = 256;
  static int64_t samples(int64_t instructionsOfSample) {
    return std::clamp(instructionsOfRun /
                          std::max<int64_t>(instructionsOfSample, 1),
                      fewest, most);
  }

  /// The next sample left at `ns`; `state` tells apart states of the chip then,
  /// relative to that time and sample.
  void add(double ns, uint64_t state) {
    auto [same, isNew] = latest.try_emplace(state, finished.size());
    if (!isNew) {
      repeats = static_cast<int64_t>(finished.size() - same->second);
      same->second = finished.size();
    }
    finished.push_back(ns);
  }
  /// Whether a run without end may stop here.
  bool isEnough(int64_t instructionsOfSample) const {
    auto n = static_cast<int64_t>(finished.size());
    return repeats > 0 || n >= most ||
           (n >= samples(instructionsOfSample) && n >= 3 * atOnce());
  }
  /// Samples after which the state comes back; 0 where it did not.
  int64_t cycle() const { return repeats; }
  /// 0 where fewer than two samples left.
  double ns() const {
    size_t n = finished.size();
    size_t filling = std::min(static_cast<size_t>(atOnce()), n / 2);
    size_t first = repeats ? n - 1 - static_cast<size_t>(repeats)
                           : std::max<size_t>({n / 4, filling, 1}) - 1;
    return n < 2 ? 0
                 : (finished[n - 1] - finished[first]) /
                       static_cast<double>(n - 1 - first);
  }
  const std::vector<double> &times() const { return finished; }

private:
  /// Samples on the chip at once: as many as leave in the time of the first.
  int64_t atOnce() const {
    size_t n = finished.size();
    double span = n < 2 ? 0 : finished[n - 1] - finished[0];
    return span > 0 ? static_cast<int64_t>(std::ceil(
                          finished[0] * static_cast<double>(n - 1) / span))
                    : 1;
  }

  std::vector<double> finished;
  std::unordered_map<uint64_t, size_t> latest; ///< sample with a state
  int64_t repeats = 0;
};

} // namespace cimc::sim

#endif // CIMC_LIB_SIM_PERIOD_H
