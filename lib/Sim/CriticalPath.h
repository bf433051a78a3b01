//===- CriticalPath.h - what decides the period -----------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every piece of work in a timed run began when the last of the things it
// waited for was there. Recording which one that was makes a tree; from the end
// of a sample back it is the chain that would have to get shorter for the
// sample to end sooner.
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_SIM_CRITICALPATH_H
#define CIMC_LIB_SIM_CRITICALPATH_H

#include "cimc/Sim/Simulator.h"

#include <cstdint>
#include <map>
#include <vector>

namespace cimc::sim {

class CriticalPath {
public:
  using Id = uint32_t;
  static constexpr Id none = ~Id{0};

  struct Step {
    Id before;            ///< what it waited for last
    const Stream *stream; ///< null: the host
    const char *what;
    double begin, end; ///< ns
    int64_t ring = -1; ///< the channel in which a slot was waited for, if any
  };

  Id add(const Step &step) {
    steps.push_back(step);
    return static_cast<Id>(steps.size() - 1);
  }
  /// Sums the part of the chain that ends in `last` between times `begin` and
  /// `end`.
  void walk(Id last, double begin, double end);
  const std::vector<PathPart> &parts() const { return sums; }
  /// Channels in which the chain waited for a slot, and how often.
  const std::map<int64_t, int64_t> &rings() const { return ringWaits; }

private:
  std::vector<Step> steps;
  std::vector<PathPart> sums;
  std::map<int64_t, int64_t> ringWaits;
};

} // namespace cimc::sim

#endif // CIMC_LIB_SIM_CRITICALPATH_H
