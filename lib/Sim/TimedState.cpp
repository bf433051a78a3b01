//===- TimedState.cpp - whether the chip was so before ----------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TimedRun.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cimc::sim {

namespace {

/// Times are told apart by a picosecond: sums of the same steps from another
/// time on differ by their rounding.
constexpr double stepsPerNs = 1024;

class Hash {
public:
  void add(int64_t value) {
    state = (state ^ static_cast<uint64_t>(value)) * 0x9e3779b97f4a7c15;
    state ^= state >> 29;
  }
  uint64_t value() const { return state; }

private:
  uint64_t state = 0x84222325cbf29ce4;
};

} // namespace

uint64_t TimedRun::stateHash(int64_t sample, double now) const {
  Hash hash;
  // Nothing that is over before any actor goes on makes a difference.
  double first = now;
  for (const Actor &actor : actors)
    if (!actor.at.done)
      first = std::min(first, actor.time);
  auto addTime = [&](double time) {
    hash.add(std::llround((std::max(time, first) - now) * stepsPerNs));
  };
  for (const Actor &actor : actors) {
    hash.add(actor.at.pc);
    hash.add(actor.at.depth);
    for (int level = 0; level < 2; ++level) {
      hash.add(actor.at.iteration[level]);
      hash.add(actor.at.remaining[level]);
    }
    hash.add(actor.sample - sample);
    addTime(actor.time);
    addTime(actor.stored);
  }
  for (const Unit &unit : units)
    addTime(unit.free);
  for (double free : bankFree)
    addTime(free);
  network.visitReserved([&](size_t link, double begin, double end) {
    hash.add(static_cast<int64_t>(link));
    addTime(begin);
    addTime(end);
  });
  for (const Channel &c : channels) {
    int64_t begin = sample * c.rows;
    auto addRows = [&](const RowTimes &rows, int64_t from) {
      hash.add(rows.complete() - begin);
      rows.visit(from, [&](int64_t row, double time, uint32_t parties) {
        hash.add(row - begin);
        hash.add(parties);
        addTime(time);
      });
    };
    addRows(c.arrived, c.consumers ? c.freed.complete() : c.arrived.complete());
    addRows(c.freed, oldestAsked(c));
    for (uint32_t p = 0; p < c.producers; ++p)
      hash.add(producers[c.firstProducer + p].next - begin);
    for (uint32_t p = 0; p < c.consumers; ++p)
      hash.add(consumed[c.firstConsumer + p] - begin);
    hash.add(static_cast<int64_t>(c.waiting.size()));
  }
  return hash.value();
}

} // namespace cimc::sim
