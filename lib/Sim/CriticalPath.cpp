//===- CriticalPath.cpp - what decides the period ---------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CriticalPath.h"

#include <algorithm>
#include <limits>
#include <map>

namespace cimc::sim {

void CriticalPath::walk(Id last, double begin, double end) {
  std::map<std::pair<std::string, std::string>, double> ns;
  double until = std::numeric_limits<double>::infinity();
  for (Id at = last; at != none && until > begin; at = steps[at].before) {
    const Step &step = steps[at];
    if (step.ring >= 0)
      ++ringWaits[step.ring];
    // What lies between a step and the next is the time of its instructions
    // and of credits.
    double from = std::max(begin, step.begin), to = std::min(until, end);
    if (to > from)
      ns[{step.stream ? step.stream->layer : std::string(), step.what}] +=
          to - from;
    until = std::min(until, step.begin);
  }
  sums.clear();
  for (const auto &[key, time] : ns)
    sums.push_back({key.first, key.second, time});
  std::stable_sort(
      sums.begin(), sums.end(),
      [](const PathPart &a, const PathPart &b) { return a.ns > b.ns; });
}

} // namespace cimc::sim
