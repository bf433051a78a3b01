//===- VerifyCounters.cpp - channels, by their counters alone -------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Streams and bounded channels are a Kahn process network: whether all streams
// end does not depend on timing, so one run in any order decides for all. Only
// what touches counters is run; two samples show that the second can follow.
//
//===----------------------------------------------------------------------===//

#include "Verifier.h"

#include <algorithm>

using namespace cimc;
using namespace cimc::verifier;

namespace {

/// Far above what compiled programs need (about a million for a large network);
/// a file must not keep the verifier busy for hours.
constexpr int64_t maxSteps = INT64_C(1) << 28;
constexpr int64_t samples = 2;

enum class StepKind : uint8_t { Loop, Next, Wait, Free, Acquire, Post, Send };

struct Step {
  StepKind kind;
  uint32_t channel = 0, party = 0; ///< channel by index
  isa::Affine rows;                ///< Wait, Free
  int64_t count = 0;               ///< Loop
  uint32_t instruction = 0;
};

constexpr uint32_t nobody = UINT32_MAX;

struct ChannelState {
  int64_t rows, slots;
  std::vector<uint32_t> writers, readers; ///< stream of each party
  std::vector<int64_t> posted, freed;     ///< per party, over all samples
  std::vector<bool> acquired;             ///< per producer
  int64_t arrived = 0, released = 0;      ///< least of posted and freed
};

struct StreamState {
  /// Where it comes from; core -1 is the host.
  int64_t core;
  uint32_t number;
  std::string layer;
  std::vector<Step> steps;
  size_t next = 0;
  int64_t sample = 0;
  int depth = 0;
  size_t loopStart[2] = {0, 0};
  int64_t iteration[2] = {0, 0}, count[2] = {0, 0};
  bool isReady = true;

  std::string name() const {
    return core < 0
               ? fmt::format("the host ({})", layer)
               : fmt::format("core {}, stream {} ('{}')", core, number, layer);
  }
};

class Counters {
public:
  explicit Counters(const Tables &tables) : tables(tables) {}
  Status run();

private:
  void collectChannels();
  void collectStreams();
  void addHost();
  Status assignParties();
  Status checkSteps();
  Status advance(uint32_t index);
  Status endSample(StreamState &stream, uint32_t index);
  Error deadlock() const;
  bool isFull(const ChannelState &channel, int64_t row) const;
  void wake(const std::vector<uint32_t> &parties);
  void post(ChannelState &channel, uint32_t party);
  uint32_t id(uint32_t channel) const {
    return tables.program->channels[channel].id;
  }
  Error at(const StreamState &stream, const Step &step,
           const std::string &what) const {
    return invalid(fmt::format("{}, instruction {}: {}", stream.name(),
                               step.instruction, what));
  }

  const Tables &tables;
  std::vector<ChannelState> channels;
  std::vector<StreamState> streams;
  std::vector<uint32_t> ready;
};

void Counters::collectChannels() {
  for (const isa::Channel &record : tables.program->channels) {
    ChannelState channel;
    channel.rows = record.rows;
    channel.slots = record.slots;
    channel.writers.assign(record.producers, nobody);
    channel.readers.assign(record.consumers, nobody);
    channel.posted.assign(record.producers, 0);
    channel.freed.assign(record.consumers, 0);
    channel.acquired.assign(record.producers, false);
    channels.push_back(std::move(channel));
  }
}

void Counters::collectStreams() {
  for (const CoreProgram &core : tables.program->cores)
    for (uint32_t s = 0; s < core.streams.size(); ++s) {
      StreamState stream;
      stream.core = core.id;
      stream.number = s;
      stream.layer = core.streams[s].layer;
      const auto &instructions = core.streams[s].instructions;
      for (uint32_t i = 0; i < instructions.size(); ++i) {
        Step step;
        step.instruction = i;
        auto touch = [&](StepKind kind, uint32_t channel, uint32_t party) {
          step.kind = kind;
          step.channel = tables.channels.at(channel);
          step.party = party;
          stream.steps.push_back(step);
        };
        if (auto *loop = std::get_if<isa::Loop>(&instructions[i])) {
          step.kind = StepKind::Loop;
          step.count = loop->count;
          stream.steps.push_back(step);
        } else if (std::holds_alternative<isa::Next>(instructions[i])) {
          // Loops that only compute need not be run.
          if (stream.steps.back().kind == StepKind::Loop) {
            stream.steps.pop_back();
            continue;
          }
          step.kind = StepKind::Next;
          stream.steps.push_back(step);
        } else if (auto *wait = std::get_if<isa::Wait>(&instructions[i])) {
          step.rows = wait->rows;
          touch(StepKind::Wait, wait->channel, wait->consumer);
        } else if (auto *free = std::get_if<isa::Free>(&instructions[i])) {
          step.rows = free->rows;
          touch(StepKind::Free, free->channel, free->consumer);
        } else if (auto *acquire =
                       std::get_if<isa::Acquire>(&instructions[i])) {
          touch(StepKind::Acquire, acquire->channel, acquire->producer);
        } else if (auto *post = std::get_if<isa::Post>(&instructions[i])) {
          touch(StepKind::Post, post->channel, post->producer);
        } else if (auto *send = std::get_if<isa::Send>(&instructions[i])) {
          touch(StepKind::Send, send->channel, send->producer);
        }
      }
      streams.push_back(std::move(stream));
    }
}

void Counters::addHost() {
  // The host sends or takes the rows of each of its channels in order.
  for (uint32_t c = 0; c < channels.size(); ++c)
    for (bool feeds : {true, false}) {
      if (!(feeds ? tables.fed : tables.collected)[c])
        continue;
      StreamState host;
      host.core = -1;
      host.number = 0;
      host.layer = fmt::format("{} channel {}",
                               feeds ? "feeding" : "taking from", id(c));
      Step step;
      step.kind = StepKind::Loop;
      step.count = channels[c].rows;
      host.steps.push_back(step);
      step.channel = c;
      step.rows = {1, 1, 0};
      if (feeds) {
        step.kind = StepKind::Send;
        host.steps.push_back(step);
      } else {
        step.kind = StepKind::Wait;
        host.steps.push_back(step);
        step.kind = StepKind::Free;
        host.steps.push_back(step);
      }
      step.kind = StepKind::Next;
      host.steps.push_back(step);
      streams.push_back(std::move(host));
    }
}

Status Counters::assignParties() {
  for (uint32_t s = 0; s < streams.size(); ++s)
    for (const Step &step : streams[s].steps) {
      if (step.kind == StepKind::Loop || step.kind == StepKind::Next)
        continue;
      bool reads = step.kind == StepKind::Wait || step.kind == StepKind::Free;
      ChannelState &channel = channels[step.channel];
      uint32_t &owner = (reads ? channel.readers : channel.writers)[step.party];
      if (owner != nobody && owner != s)
        return at(streams[s], step,
                  fmt::format("{} {} of channel {} is {} already",
                              reads ? "consumer" : "producer", step.party,
                              id(step.channel), streams[owner].name()));
      owner = s;
    }
  for (uint32_t c = 0; c < channels.size(); ++c)
    for (bool reads : {false, true}) {
      const auto &parties = reads ? channels[c].readers : channels[c].writers;
      for (size_t p = 0; p < parties.size(); ++p)
        if (parties[p] == nobody)
          return invalid(
              fmt::format("channel {}: no stream is its {} {} (of {})", id(c),
                          reads ? "consumer" : "producer", p, parties.size()));
    }
  return {};
}

Status Counters::checkSteps() {
  Wide total = 0;
  for (const StreamState &stream : streams) {
    // Nested at most two deep, by verifyStream.
    Wide times = 1;
    std::vector<Wide> outer;
    for (const Step &step : stream.steps) {
      total += times;
      if (step.kind == StepKind::Loop) {
        outer.push_back(times);
        times *= step.count;
      } else if (step.kind == StepKind::Next) {
        times = outer.back();
        outer.pop_back();
      }
      if (total > maxSteps)
        return invalid(
            fmt::format("{} waits, frees and sends more than {} times "
                        "a sample",
                        stream.name(), maxSteps));
    }
  }
  return {};
}

bool Counters::isFull(const ChannelState &channel, int64_t row) const {
  // Row r of a sample lies in slot r mod slots, so the slot's last owner is
  // `slots` rows back, or the last row in that slot of the sample before.
  int64_t r = row % channel.rows, owner = row - channel.slots;
  if (r < channel.slots) {
    if (row < channel.rows)
      return false;
    owner = row - channel.rows +
            (channel.rows - 1 - r) / channel.slots * channel.slots;
  }
  return channel.released <= owner;
}

void Counters::wake(const std::vector<uint32_t> &parties) {
  for (uint32_t s : parties)
    if (!streams[s].isReady) {
      streams[s].isReady = true;
      ready.push_back(s);
    }
}

void Counters::post(ChannelState &channel, uint32_t party) {
  if (channel.posted[party]++ != channel.arrived)
    return;
  int64_t least =
      *std::min_element(channel.posted.begin(), channel.posted.end());
  if (least == channel.arrived)
    return;
  channel.arrived = least;
  wake(channel.readers);
}

Status Counters::endSample(StreamState &stream, uint32_t index) {
  ++stream.sample;
  stream.next = 0;
  for (const Step &step : stream.steps) {
    const ChannelState &channel = channels[step.channel];
    int64_t due = stream.sample * channel.rows;
    switch (step.kind) {
    case StepKind::Send:
    case StepKind::Post:
    case StepKind::Acquire:
      if (channel.posted[step.party] != due || channel.acquired[step.party])
        return at(stream, step,
                  fmt::format("producer {} writes {} rows to channel {}, which "
                              "takes {} a sample",
                              step.party,
                              channel.posted[step.party] - due + channel.rows,
                              id(step.channel), channel.rows));
      break;
    case StepKind::Wait:
    case StepKind::Free:
      if (channel.freed[step.party] != due)
        return at(
            stream, step,
            fmt::format("consumer {} frees {} rows of channel {}, which has "
                        "{} a sample",
                        step.party,
                        channel.freed[step.party] - due + channel.rows,
                        id(step.channel), channel.rows));
      break;
    case StepKind::Loop:
    case StepKind::Next:
      break;
    }
  }
  return {};
}

/// Runs a stream until it ends or blocks.
Status Counters::advance(uint32_t index) {
  StreamState &s = streams[index];
  while (s.sample < samples) {
    if (s.next == s.steps.size()) {
      if (Status status = endSample(s, index); !status)
        return status;
      continue;
    }
    const Step &step = s.steps[s.next];
    if (step.kind == StepKind::Loop) {
      s.loopStart[s.depth] = s.next;
      s.iteration[s.depth] = 0;
      s.count[s.depth++] = step.count;
      ++s.next;
      continue;
    }
    if (step.kind == StepKind::Next) {
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
    ChannelState &channel = channels[step.channel];
    auto rows = [&] {
      return s.sample * channel.rows +
             std::clamp<int64_t>(step.rows.at(s.iteration[0], s.iteration[1]),
                                 0, channel.rows);
    };
    switch (step.kind) {
    case StepKind::Wait:
      if (channel.arrived < rows())
        return {};
      break;
    case StepKind::Free: {
      int64_t &freed = channel.freed[step.party], old = freed;
      freed = std::max(freed, rows());
      if (freed == old || old != channel.released)
        break;
      int64_t least =
          *std::min_element(channel.freed.begin(), channel.freed.end());
      if (least != channel.released) {
        channel.released = least;
        wake(channel.writers);
      }
      break;
    }
    case StepKind::Acquire:
    case StepKind::Send:
      if (channel.posted[step.party] == (s.sample + 1) * channel.rows)
        return at(s, step,
                  fmt::format("producer {} writes more than the {} rows that "
                              "channel {} takes a sample",
                              step.party, channel.rows, id(step.channel)));
      if (isFull(channel, channel.posted[step.party]))
        return {};
      if (step.kind == StepKind::Send)
        post(channel, step.party);
      else
        channel.acquired[step.party] = true;
      break;
    case StepKind::Post:
      if (!channel.acquired[step.party])
        return at(s, step,
                  fmt::format("producer {} posts a row of channel {} without "
                              "having acquired it",
                              step.party, id(step.channel)));
      channel.acquired[step.party] = false;
      post(channel, step.party);
      break;
    case StepKind::Loop:
    case StepKind::Next:
      break;
    }
    ++s.next;
  }
  return {};
}

Error Counters::deadlock() const {
  std::string message = "the program deadlocks:";
  int shown = 0, blocked = 0;
  for (const StreamState &s : streams) {
    if (s.sample >= samples || s.next >= s.steps.size())
      continue;
    if (++blocked > 6)
      continue;
    const Step &step = s.steps[s.next];
    const ChannelState &channel = channels[step.channel];
    int64_t base = s.sample * channel.rows;
    if (step.kind == StepKind::Wait) {
      int64_t rows = std::clamp<int64_t>(
          step.rows.at(s.iteration[0], s.iteration[1]), 0, channel.rows);
      message += fmt::format(
          "{} {}, instruction {}, waits for {} rows of channel {} ({} arrived)",
          shown++ ? ";" : "", s.name(), step.instruction, rows,
          id(step.channel), std::max<int64_t>(channel.arrived - base, 0));
    } else {
      message += fmt::format("{} {}, instruction {}, waits for one of the {} "
                             "slots of channel {} to "
                             "write row {}",
                             shown++ ? ";" : "", s.name(), step.instruction,
                             channel.slots, id(step.channel),
                             channel.posted[step.party] - base);
    }
  }
  if (blocked > shown)
    message += fmt::format("; and {} more", blocked - shown);
  return invalid(message);
}

Status Counters::run() {
  collectChannels();
  collectStreams();
  addHost();
  if (Status status = assignParties(); !status)
    return status;
  if (Status status = checkSteps(); !status)
    return status;
  for (uint32_t s = static_cast<uint32_t>(streams.size()); s-- > 0;)
    ready.push_back(s);
  while (!ready.empty()) {
    uint32_t s = ready.back();
    ready.pop_back();
    streams[s].isReady = false;
    if (Status status = advance(s); !status)
      return status;
  }
  for (const StreamState &stream : streams)
    if (stream.sample < samples)
      return deadlock();
  return {};
}

} // namespace

Status verifier::verifyCounters(const Tables &tables) {
  return Counters(tables).run();
}
