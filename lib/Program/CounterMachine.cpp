//===- CounterMachine.cpp - streams reduced to their counters -------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Program/CounterMachine.h"

#include <fmt/format.h>

#include <algorithm>

using namespace cimc;

void cimc::endLoop(CounterStream &stream) {
  if (stream.back().kind == CounterStep::Loop)
    stream.pop_back();
  else
    stream.push_back({CounterStep::Next});
}

CounterStream cimc::feedingStream(uint32_t channel, int64_t rows) {
  return {{CounterStep::Loop, 0, 0, rows},
          {CounterStep::Send, channel},
          {CounterStep::Next}};
}

CounterStream cimc::takingStream(uint32_t channel, int64_t rows) {
  return {{CounterStep::Loop, 0, 0, rows},
          {CounterStep::Wait, channel, 0, 1, 1},
          {CounterStep::Free, channel, 0, 1, 1},
          {CounterStep::Next}};
}

CounterMachine::CounterMachine(std::vector<CounterChannel> channels,
                               std::vector<CounterStream> streams)
    : rings(std::move(channels)), program(std::move(streams)),
      states(rings.size()) {
  for (size_t c = 0; c < rings.size(); ++c) {
    states[c].writers.assign(rings[c].producers, nobody);
    states[c].readers.assign(rings[c].consumers, nobody);
    states[c].phases.assign(rings[c].producers, {});
  }
  for (uint32_t s = 0; s < program.size(); ++s)
    for (size_t i = 0; i < program[s].size(); ++i) {
      const CounterStep &step = program[s][i];
      if (!step.touchesChannel())
        continue;
      ChannelState &state = states[step.channel];
      uint32_t &owner =
          (step.consumes() ? state.readers : state.writers)[step.party];
      bool isFirst = owner == nobody;
      if (isFirst)
        owner = s;
      if (step.kind != CounterStep::Acquire && step.kind != CounterStep::Send)
        continue;
      RowPhase phase{step.add, step.mul0 + 1},
          &known = state.phases[step.party];
      if (phase.first >= rings[step.channel].rows)
        mixed = Fault{Fault::NoSuchRow, s, i, phase.first};
      else if (isFirst)
        known = phase;
      else if (!(phase == known))
        mixed = Fault{Fault::MixedRows, s, i, 0};
    }
}

void CounterMachine::reset() {
  for (size_t c = 0; c < rings.size(); ++c) {
    ChannelState &state = states[c];
    state.posted.clear();
    for (const RowPhase &phase : state.phases)
      state.posted.push_back(phase.first);
    state.freed.assign(rings[c].consumers, 0);
    state.acquired.assign(rings[c].producers, false);
    state.arrived = *std::min_element(state.posted.begin(), state.posted.end());
    state.released = 0;
  }
  streamStates.assign(program.size(), {});
  wrong = mixed;
  ready.clear();
  for (auto s = static_cast<uint32_t>(program.size()); s-- > 0;)
    ready.push_back(s);
}

bool CounterMachine::fail(Fault::Kind kind, uint32_t stream, size_t step,
                          int64_t rows) {
  wrong = Fault{kind, stream, step, rows};
  return false;
}

int64_t CounterMachine::rowsOf(const CounterStep &step,
                               const StreamState &stream) const {
  int64_t rows = step.add + step.mul0 * stream.iteration[0] +
                 step.mul1 * stream.iteration[1];
  return std::clamp<int64_t>(rows, 0, rings[step.channel].rows);
}

bool CounterMachine::isFull(const CounterChannel &ring,
                            const ChannelState &state, int64_t row) const {
  // Row r of a sample lies in slot r mod slots, so the slot's last owner is
  // `slots` rows back, or the last row in that slot of the sample before.
  int64_t r = row % ring.rows, owner = row - ring.slots;
  if (r < ring.slots) {
    if (row < ring.rows)
      return false;
    owner = row - ring.rows + (ring.rows - 1 - r) / ring.slots * ring.slots;
  }
  return state.released <= owner;
}

void CounterMachine::wake(const std::vector<uint32_t> &parties) {
  for (uint32_t s : parties)
    if (s != nobody && !streamStates[s].isReady) {
      streamStates[s].isReady = true;
      ready.push_back(s);
    }
}

void CounterMachine::post(uint32_t channel, uint32_t party) {
  ChannelState &state = states[channel];
  int64_t row = state.posted[party];
  state.posted[party] = state.phases[party].next(row, rings[channel].rows);
  if (row != state.arrived)
    return;
  int64_t least = *std::min_element(state.posted.begin(), state.posted.end());
  if (least == state.arrived)
    return;
  state.arrived = least;
  wake(state.readers);
}

bool CounterMachine::endSample(uint32_t index) {
  StreamState &stream = streamStates[index];
  ++stream.sample;
  stream.next = 0;
  for (size_t i = 0; i < program[index].size(); ++i) {
    const CounterStep &step = program[index][i];
    if (!step.touchesChannel())
      continue;
    const ChannelState &state = states[step.channel];
    int64_t rows = rings[step.channel].rows, due = stream.sample * rows;
    if (step.consumes()) {
      int64_t done = state.freed[step.party];
      if (done != due)
        return fail(Fault::WrongFrees, index, i, done - due + rows);
      continue;
    }
    const RowPhase &phase = state.phases[step.party];
    int64_t done = state.posted[step.party];
    if (done != due + phase.first || state.acquired[step.party])
      return fail(Fault::WrongWrites, index, i,
                  phase.before(done - due + rows, rows));
  }
  return true;
}

bool CounterMachine::advance(uint32_t index, int64_t samples) {
  const CounterStream &steps = program[index];
  StreamState &s = streamStates[index];
  while (s.sample < samples) {
    if (s.next == steps.size()) {
      if (!endSample(index))
        return false;
      continue;
    }
    const CounterStep &step = steps[s.next];
    if (step.kind == CounterStep::Loop) {
      s.loopStart[s.depth] = s.next;
      s.iteration[s.depth] = 0;
      s.count[s.depth++] = step.add;
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
    ChannelState &state = states[step.channel];
    switch (step.kind) {
    case CounterStep::Wait:
      if (state.arrived < s.sample * ring.rows + rowsOf(step, s))
        return true;
      break;
    case CounterStep::Free: {
      int64_t &freed = state.freed[step.party], old = freed;
      freed = std::max(freed, s.sample * ring.rows + rowsOf(step, s));
      if (freed == old || old != state.released)
        break;
      int64_t least = *std::min_element(state.freed.begin(), state.freed.end());
      if (least != state.released) {
        state.released = least;
        wake(state.writers);
      }
      break;
    }
    case CounterStep::Acquire:
    case CounterStep::Send:
      if (state.posted[step.party] >= (s.sample + 1) * ring.rows)
        return fail(Fault::TooManyWrites, index, s.next, 0);
      if (isFull(ring, state, state.posted[step.party]))
        return true;
      if (step.kind == CounterStep::Send)
        post(step.channel, step.party);
      else
        state.acquired[step.party] = true;
      break;
    case CounterStep::Post:
      if (!state.acquired[step.party])
        return fail(Fault::PostWithoutAcquire, index, s.next, 0);
      state.acquired[step.party] = false;
      post(step.channel, step.party);
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
  stuck.clear();
  if (wrong)
    return false;
  while (!ready.empty()) {
    uint32_t s = ready.back();
    ready.pop_back();
    // Cleared first: freeing a channel it writes itself wakes it again.
    streamStates[s].isReady = false;
    if (!advance(s, samples))
      return false;
  }
  for (uint32_t s = 0; s < program.size(); ++s) {
    const StreamState &stream = streamStates[s];
    if (stream.sample >= samples)
      continue;
    const CounterStep &step = program[s][stream.next];
    const ChannelState &state = states[step.channel];
    int64_t base = stream.sample * rings[step.channel].rows;
    bool full = step.kind != CounterStep::Wait;
    stuck.push_back(
        {s, step.channel, full, stream.next,
         full ? state.posted[step.party] - base : rowsOf(step, stream),
         std::max<int64_t>(state.arrived - base, 0)});
  }
  return stuck.empty();
}

std::string
CounterMachine::describeFault(const std::string &channelName) const {
  const CounterStep &step = program[wrong->stream][wrong->step];
  int64_t rows = rings[step.channel].rows;
  if (!step.consumes())
    rows = states[step.channel].phases[step.party].own(rows);
  switch (wrong->kind) {
  case Fault::NoSuchRow:
    return fmt::format("producer {} begins with row {} of {}, which has {} a "
                       "sample",
                       step.party, wrong->rows, channelName,
                       rings[step.channel].rows);
  case Fault::MixedRows:
    return fmt::format("producer {} writes other rows of {} than before: its "
                       "first row and the rows it skips stay the same",
                       step.party, channelName);
  case Fault::TooManyWrites:
    return fmt::format("producer {} writes more than the {} rows that {} takes "
                       "a sample",
                       step.party, rows, channelName);
  case Fault::PostWithoutAcquire:
    return fmt::format("producer {} posts a row of {} without having acquired "
                       "it",
                       step.party, channelName);
  case Fault::WrongWrites:
    return fmt::format("producer {} writes {} rows to {}, which takes {} a "
                       "sample",
                       step.party, wrong->rows, channelName, rows);
  case Fault::WrongFrees:
    return fmt::format("consumer {} frees {} rows of {}, which has {} a sample",
                       step.party, wrong->rows, channelName, rows);
  }
  return {};
}

bool CounterMachine::run(int64_t samples) {
  reset();
  return runToStop(samples);
}

std::vector<CounterMachine::Blocked> CounterMachine::cycle() const {
  std::vector<int64_t> position(program.size(), -1);
  std::vector<const Blocked *> reason(program.size(), nullptr);
  for (const Blocked &b : stuck)
    reason[b.stream] = &b;
  for (const Blocked &first : stuck) {
    std::vector<Blocked> path;
    std::fill(position.begin(), position.end(), -1);
    const Blocked *at = &first;
    while (at) {
      if (position[at->stream] >= 0)
        return {path.begin() + position[at->stream], path.end()};
      position[at->stream] = static_cast<int64_t>(path.size());
      path.push_back(*at);
      // Whoever is behind on the channel holds it up.
      const ChannelState &state = states[at->channel];
      const auto &counts = at->full ? state.freed : state.posted;
      size_t slowest =
          std::min_element(counts.begin(), counts.end()) - counts.begin();
      uint32_t next = (at->full ? state.readers : state.writers)[slowest];
      at = next == nobody ? nullptr : reason[next];
    }
  }
  return {};
}

bool CounterMachine::runGrowing() {
  reset();
  while (!runToStop(1)) {
    if (wrong)
      return false;
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
    wake(states[channel].writers);
  }
  return true;
}
