//===- VerifyCounters.cpp - channels, by their counters alone -------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Only what touches counters is run, by the counter machine; two samples show
// that the second can follow.
//
//===----------------------------------------------------------------------===//

#include "Verifier.h"

#include "cimc/Program/CounterMachine.h"

using namespace cimc;
using namespace cimc::verifier;

namespace {

/// Far above what compiled programs need (about a million for a large network);
/// a file must not keep the verifier busy for hours.
constexpr int64_t maxSteps = INT64_C(1) << 28;
constexpr int64_t samples = 2;

/// Where a stream comes from.
struct Source {
  int64_t core; ///< -1: the host
  uint32_t number;
  std::string layer;
  std::vector<uint32_t> instructions; ///< of each step

  std::string name() const {
    return core < 0
               ? fmt::format("the host ({})", layer)
               : fmt::format("core {}, stream {} ('{}')", core, number, layer);
  }
};

class Counters {
public:
  explicit Counters(const Tables &tables)
      : tables(tables), machine(collectChannels(), collectStreams()) {}
  Status run();

private:
  std::vector<CounterChannel> collectChannels() const;
  std::vector<CounterStream> collectStreams();
  void addCore(const CoreProgram &core, std::vector<CounterStream> &streams);
  void addHost(std::vector<CounterStream> &streams);
  Status checkParties() const;
  Status checkSteps() const;
  Error faulty(const CounterMachine::Fault &fault) const;
  Error deadlock() const;
  uint32_t id(uint32_t channel) const {
    return tables.program->channels[channel].id;
  }
  Error at(uint32_t stream, size_t step, const std::string &what) const {
    return invalid(fmt::format("{}, instruction {}: {}", sources[stream].name(),
                               sources[stream].instructions[step], what));
  }

  const Tables &tables;
  std::vector<Source> sources; ///< before the machine, whose making fills it
  CounterMachine machine;
};

std::vector<CounterChannel> Counters::collectChannels() const {
  std::vector<CounterChannel> channels;
  for (const isa::Channel &record : tables.program->channels)
    channels.push_back({record.rows, record.slots, record.row_bytes,
                        record.producers, record.consumers});
  return channels;
}

std::vector<CounterStream> Counters::collectStreams() {
  std::vector<CounterStream> streams;
  for (const CoreProgram &core : tables.program->cores)
    addCore(core, streams);
  addHost(streams);
  return streams;
}

void Counters::addCore(const CoreProgram &core,
                       std::vector<CounterStream> &streams) {
  for (uint32_t s = 0; s < core.streams.size(); ++s) {
    Source source{core.id, s, core.streams[s].layer, {}};
    CounterStream steps;
    auto touch = [&](CounterStep::Kind kind, uint32_t channel, uint32_t party,
                     const isa::Affine &rows) {
      steps.push_back({kind, tables.channels.at(channel), party, rows.add,
                       rows.mul0, rows.mul1});
    };
    const auto &instructions = core.streams[s].instructions;
    for (uint32_t i = 0; i < instructions.size(); ++i) {
      if (auto *loop = std::get_if<isa::Loop>(&instructions[i]))
        steps.push_back({CounterStep::Loop, 0, 0, loop->count});
      else if (std::holds_alternative<isa::Next>(instructions[i]))
        endLoop(steps);
      else if (auto *wait = std::get_if<isa::Wait>(&instructions[i]))
        touch(CounterStep::Wait, wait->channel, wait->consumer, wait->rows);
      else if (auto *free = std::get_if<isa::Free>(&instructions[i]))
        touch(CounterStep::Free, free->channel, free->consumer, free->rows);
      else if (auto *acquire = std::get_if<isa::Acquire>(&instructions[i]))
        touch(CounterStep::Acquire, acquire->channel, acquire->producer, {});
      else if (auto *post = std::get_if<isa::Post>(&instructions[i]))
        touch(CounterStep::Post, post->channel, post->producer, {});
      else if (auto *send = std::get_if<isa::Send>(&instructions[i]))
        touch(CounterStep::Send, send->channel, send->producer,
              {send->first, send->skipped, 0});
      source.instructions.resize(steps.size(), i);
    }
    sources.push_back(std::move(source));
    streams.push_back(std::move(steps));
  }
}

void Counters::addHost(std::vector<CounterStream> &streams) {
  // The host sends or takes the rows of each of its channels in order.
  for (uint32_t c = 0; c < tables.program->channels.size(); ++c)
    for (bool feeds : {true, false}) {
      if (!(feeds ? tables.fed : tables.collected)[c])
        continue;
      int64_t rows = tables.program->channels[c].rows;
      streams.push_back(feeds ? feedingStream(c, rows) : takingStream(c, rows));
      sources.push_back({-1, 0,
                         fmt::format("{} channel {}",
                                     feeds ? "feeding" : "taking from", id(c)),
                         std::vector<uint32_t>(streams.back().size(), 0)});
    }
}

Status Counters::checkParties() const {
  for (uint32_t s = 0; s < sources.size(); ++s)
    for (size_t i = 0; i < machine.streams()[s].size(); ++i) {
      const CounterStep &step = machine.streams()[s][i];
      if (!step.touchesChannel())
        continue;
      uint32_t owner = machine.owner(step.channel, step.consumes(), step.party);
      if (owner != s)
        return at(s, i,
                  fmt::format("{} {} of channel {} is {} already",
                              step.consumes() ? "consumer" : "producer",
                              step.party, id(step.channel),
                              sources[owner].name()));
    }
  for (uint32_t c = 0; c < machine.channels().size(); ++c)
    for (bool consumes : {false, true}) {
      const CounterChannel &channel = machine.channels()[c];
      uint32_t parties = consumes ? channel.consumers : channel.producers;
      for (uint32_t p = 0; p < parties; ++p)
        if (machine.owner(c, consumes, p) == CounterMachine::nobody)
          return invalid(
              fmt::format("channel {}: no stream is its {} {} (of {})", id(c),
                          consumes ? "consumer" : "producer", p, parties));
    }
  return {};
}

Status Counters::checkSteps() const {
  Wide total = 0;
  for (uint32_t s = 0; s < sources.size(); ++s) {
    // Nested at most two deep, by verifyStream.
    Wide times = 1;
    std::vector<Wide> outer;
    for (const CounterStep &step : machine.streams()[s]) {
      total += times;
      if (step.kind == CounterStep::Loop) {
        outer.push_back(times);
        times *= step.add;
      } else if (step.kind == CounterStep::Next) {
        times = outer.back();
        outer.pop_back();
      }
      if (total > maxSteps)
        return invalid(
            fmt::format("{} waits, frees and sends more than {} times "
                        "a sample",
                        sources[s].name(), maxSteps));
    }
  }
  return {};
}

Error Counters::faulty(const CounterMachine::Fault &fault) const {
  const CounterStep &step = machine.streams()[fault.stream][fault.step];
  return at(fault.stream, fault.step,
            machine.describeFault(fmt::format("channel {}", id(step.channel))));
}

Error Counters::deadlock() const {
  constexpr size_t most = 6;
  std::string message = "the program deadlocks:";
  const auto &blocked = machine.blocked();
  for (size_t b = 0; b < blocked.size() && b < most; ++b) {
    const CounterMachine::Blocked &wait = blocked[b];
    message += fmt::format("{} {}, instruction {}, waits for ", b ? ";" : "",
                           sources[wait.stream].name(),
                           sources[wait.stream].instructions[wait.step]);
    if (wait.full)
      message += fmt::format(
          "one of the {} slots of channel {} to write row {}",
          machine.channels()[wait.channel].slots, id(wait.channel), wait.rows);
    else
      message += fmt::format("{} rows of channel {} ({} arrived)", wait.rows,
                             id(wait.channel), wait.arrived);
  }
  if (blocked.size() > most)
    message += fmt::format("; and {} more", blocked.size() - most);
  return invalid(message);
}

Status Counters::run() {
  if (Status status = checkParties(); !status)
    return status;
  if (Status status = checkSteps(); !status)
    return status;
  if (machine.run(samples))
    return {};
  if (machine.fault())
    return faulty(*machine.fault());
  return deadlock();
}

} // namespace

Status verifier::verifyCounters(const Tables &tables) {
  return Counters(tables).run();
}
