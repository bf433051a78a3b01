//===- EventQueue.h - what happens next -------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_SIM_EVENTQUEUE_H
#define CIMC_LIB_SIM_EVENTQUEUE_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace cimc::sim {

/// An actor that goes on at a time, not before 0. Of equal times the lower actor
/// is first.
class Event {
public:
  Event() = default;
  Event(double time, uint32_t actor) : low(actor) {
    std::memcpy(&high, &time, sizeof high);
  }
  uint32_t actor() const { return static_cast<uint32_t>(low); }
  // Bits of doubles that are not negative are in the order of their values.
  bool operator<(const Event &other) const {
    return (high < other.high) | ((high == other.high) & (low < other.low));
  }

private:
  uint64_t high = 0, low = 0;
};

/// A heap of four children a node. The first event stays in it while its actor
/// works, and mostly moves back by a few places only: that is cheaper than to
/// take it out and put it in again.
class EventQueue {
public:
  bool empty() const { return events.empty(); }
  /// The actor that goes on next. Until `replaceTop` or `pop` it stays first,
  /// also before actors that are pushed with earlier times.
  uint32_t begin() {
    uint32_t actor = events.front().actor();
    events.front() = Event();
    return actor;
  }
  /// Calls `fn` with the actors of which one is next behind the top.
  template <typename Fn> void eachNext(Fn fn) const {
    size_t end = std::min<size_t>(events.size(), arity + 1);
    for (size_t i = 1; i < end; ++i)
      fn(events[i].actor());
  }
  /// Whether `event` would be before all but the top.
  bool isBeforeOthers(const Event &event) const {
    size_t end = std::min<size_t>(events.size(), arity + 1);
    for (size_t i = 1; i < end; ++i)
      if (events[i] < event)
        return false;
    return true;
  }
  void push(const Event &event) {
    size_t at = events.size();
    events.push_back(event);
    while (at > 0 && event < events[(at - 1) / arity]) {
      events[at] = events[(at - 1) / arity];
      at = (at - 1) / arity;
    }
    events[at] = event;
  }
  void replaceTop(const Event &event) {
    size_t at = 0, size = events.size();
    while (true) {
      size_t child = at * arity + 1;
      if (child >= size)
        break;
      size_t best = child, end = std::min(child + arity, size);
      for (size_t i = child + 1; i < end; ++i)
        best = events[i] < events[best] ? i : best;
      if (!(events[best] < event))
        break;
      events[at] = events[best];
      at = best;
    }
    events[at] = event;
  }
  void pop() {
    Event last = events.back();
    events.pop_back();
    if (!events.empty())
      replaceTop(last);
  }

private:
  static constexpr size_t arity = 4;
  std::vector<Event> events;
};

} // namespace cimc::sim

#endif // CIMC_LIB_SIM_EVENTQUEUE_H
