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
  };

  Id add(const Step &step) {
    steps.push_back(step);
    return static_cast<Id>(steps.size() - 1);
  }
  /// Sums the part of the chain that ends in `last` between times `begin` and
  /// `end`.
  void walk(Id last, double begin, double end);
  const std::vector<PathPart> &parts() const { return sums; }

private:
  std::vector<Step> steps;
  std::vector<PathPart> sums;
};

} // namespace cimc::sim

#endif // CIMC_LIB_SIM_CRITICALPATH_H
