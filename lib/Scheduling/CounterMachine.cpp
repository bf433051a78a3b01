//===- CounterMachine.cpp - streams reduced to their counters -------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Scheduling/CounterMachine.h"

#include <algorithm>

using namespace cimc;

CounterMachine::CounterMachine(std::vector<CounterChannel> channels,
                               std::vector<CounterStream> program)
    : rings(std::move(channels)), streams(std::move(program)),
      writers(rings.size()), readers(rings.size()) {
  for (size_t c = 0; c < rings.size(); ++c) {
    writers[c].assign(rings[c].producers, UINT32_MAX);
    readers[c].assign(rings[c].consumers, UINT32_MAX);
  }
  for (uint32_t s = 0; s < streams.size(); ++s)
    for (const CounterStep &step : streams[s]) {
      if (step.kind == CounterStep::Loop || step.kind == CounterStep::Next)
        continue;
      bool reads =
          step.kind == CounterStep::Wait || step.kind == CounterStep::Free;
      auto &parties = reads ? readers[step.channel] : writers[step.channel];
      if (step.party < parties.size())
        parties[step.party] = s;
    }
}

void CounterMachine::reset() {
  channelStates.assign(rings.size(), {});
  for (size_t c = 0; c < rings.size(); ++c) {
    channelStates[c].posted.assign(rings[c].producers, 0);
    channelStates[c].freed.assign(rings[c].consumers, 0);
  }
  streamStates.assign(streams.size(), {});
  stuck.clear();
  ready.clear();
  isReady.assign(streams.size(), true);
  for (uint32_t s = streams.size(); s-- > 0;)
    ready.push_back(s);
}

bool CounterMachine::isFull(const CounterChannel &ring,
                            const ChannelState &state, int64_t row) const {
  // Row r of a sample lies in slot r mod slots, so the slot's last owner is
  // `slots` rows back, or the last row in that slot of the sample before.
  int64_t r = row % ring.rows, owner = row - ring.slots;
  if (r < ring.slots) {
    if (row < ring.rows)
      return false;
    owner =
        row - r - ring.rows + r + (ring.rows - 1 - r) / ring.slots * ring.slots;
  }
  for (int64_t freed : state.freed)
    if (freed <= owner)
      return true;
  return false;
}

void CounterMachine::wake(uint32_t channel) {
  for (const auto *parties : {&writers[channel], &readers[channel]})
    for (uint32_t s : *parties)
      if (s != UINT32_MAX && !isReady[s]) {
        isReady[s] = true;
        ready.push_back(s);
      }
}

bool CounterMachine::advance(uint32_t index, int64_t samples, Blocked &why) {
  const CounterStream &program = streams[index];
  StreamState &s = streamStates[index];
  while (s.sample < samples) {
    if (s.next == program.size()) {
      s.next = 0;
      ++s.sample;
      continue;
    }
    const CounterStep &step = program[s.next];
    if (step.kind == CounterStep::Loop) {
      s.loopStart[s.depth] = s.next;
      s.iteration[s.depth] = 0;
      s.count[s.depth] = step.add;
      ++s.depth;
      ++s.next;
      continue;
    }
    if (step.kind == CounterStep::Next) {
      int level = s.depth - 1;
      if (++s.iteration[level] < s.count[level]) {
        s.next = s.loopStart[level] + 1;
      } else {
        s.iteration[level] = 0;
        --s.depth;
        ++s.next;
      }
      continue;
    }
    const CounterChannel &ring = rings[step.channel];
    ChannelState &state = channelStates[step.channel];
    auto rows = [&] {
      int64_t i0 = s.depth > 0 ? s.iteration[0] : 0;
      int64_t i1 = s.depth > 1 ? s.iteration[1] : 0;
      int64_t n = step.add + step.mul0 * i0 + step.mul1 * i1;
      return s.sample * ring.rows + std::clamp<int64_t>(n, 0, ring.rows);
    };
    switch (step.kind) {
    case CounterStep::Wait:
      for (int64_t posted : state.posted)
        if (posted < rows()) {
          why = {index, step.channel, false};
          return false;
        }
      break;
    case CounterStep::Free: {
      int64_t &freed = state.freed[step.party];
      if (rows() > freed) {
        freed = rows();
        wake(step.channel);
      }
      break;
    }
    case CounterStep::Acquire:
    case CounterStep::Send:
      if (isFull(ring, state, state.posted[step.party])) {
        why = {index, step.channel, true};
        return false;
      }
      if (step.kind == CounterStep::Acquire)
        break;
      [[fallthrough]];
    case CounterStep::Post:
      ++state.posted[step.party];
      wake(step.channel);
      break;
    case CounterStep::Loop:
    case CounterStep::Next:
      break;
    }
    ++s.next;
  }
  return true;
}

bool CounterMachine::runToStop(int64_t samples) {
  std::vector<Blocked> reasons(streams.size());
  for (const Blocked &b : stuck)
    reasons[b.stream] = b;
  while (!ready.empty()) {
    uint32_t s = ready.back();
    ready.pop_back();
    // Cleared first: freeing a channel it writes itself wakes it again.
    isReady[s] = false;
    advance(s, samples, reasons[s]);
  }
  stuck.clear();
  for (uint32_t s = 0; s < streams.size(); ++s)
    if (streamStates[s].sample < samples)
      stuck.push_back(reasons[s]);
  return stuck.empty();
}

bool CounterMachine::run(int64_t samples) {
  reset();
  return runToStop(samples);
}

std::vector<CounterMachine::Blocked> CounterMachine::cycle() const {
  std::vector<int64_t> position(streams.size(), -1);
  std::vector<const Blocked *> reason(streams.size(), nullptr);
  for (const Blocked &b : stuck)
    reason[b.stream] = &b;
  for (const Blocked &first : stuck) {
    std::vector<Blocked> path;
    std::fill(position.begin(), position.end(), -1);
    const Blocked *at = &first;
    while (at) {
      if (position[at->stream] >= 0)
        return {path.begin() + position[at->stream], path.end()};
      position[at->stream] = path.size();
      path.push_back(*at);
      // Whoever is behind on the channel holds it up.
      const ChannelState &state = channelStates[at->channel];
      const auto &counts = at->full ? state.freed : state.posted;
      const auto &parties =
          at->full ? readers[at->channel] : writers[at->channel];
      size_t slowest =
          std::min_element(counts.begin(), counts.end()) - counts.begin();
      uint32_t next = slowest < parties.size() ? parties[slowest] : UINT32_MAX;
      at = next == UINT32_MAX ? nullptr : reason[next];
    }
  }
  return {};
}

bool CounterMachine::runGrowing() {
  reset();
  while (!runToStop(1)) {
    CounterChannel *smallest = nullptr;
    uint32_t channel = 0;
    for (const Blocked &b : cycle())
      if (b.full &&
          (!smallest || rings[b.channel].rowBytes < smallest->rowBytes)) {
        smallest = &rings[b.channel];
        channel = b.channel;
      }
    if (!smallest || smallest->slots >= smallest->rows)
      return false;
    ++smallest->slots;
    wake(channel);
  }
  return true;
}
