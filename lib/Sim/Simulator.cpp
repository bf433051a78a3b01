//===- Simulator.cpp - runs a program ---------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Sim/Simulator.h"

#include "CriticalPath.h"
#include "Machine.h"
#include "Timing.h"

#include <deque>

namespace cimc {

namespace sim {

Error Machine::deadlock(const State &state) const {
  std::string message = "no stream can go on before the sample is finished";
  for (size_t i = 0; i < streams.size(); ++i) {
    if (state.streams[i].done)
      continue;
    const Op &op = streams[i].ops[state.streams[i].pc];
    message += "; the first blocked one is layer '" + streams[i].source->layer +
               "' on core " +
               std::to_string(cores[streams[i].core].source->id) +
               " at instruction " + std::to_string(state.streams[i].pc) +
               ", channel " + std::to_string(channels[op.channel].record.id);
    break;
  }
  return {ExitCode::InvalidInput,
          message + "; the program is damaged or was not verified"};
}

namespace {

/// Streams in turn, each until it blocks. Any order gives the same results.
class UntimedRun {
public:
  UntimedRun(const Machine &machine, State &state)
      : machine(machine), state(state) {}

  Status run() {
    auto actors =
        static_cast<uint32_t>(machine.streams.size() + machine.feeders.size() +
                              machine.collectors.size());
    queued.assign(actors, true);
    for (uint32_t i = 0; i < actors; ++i)
      ready.push_back(i);
    while (!ready.empty()) {
      uint32_t actor = ready.front();
      ready.pop_front();
      queued[actor] = false;
      if (actor < machine.streams.size())
        runStream(actor);
      else
        runPort(actor);
    }
    for (const StreamState &s : state.streams)
      if (!s.done)
        return machine.deadlock(state);
    for (size_t i = 0; i < machine.collectors.size(); ++i)
      if (state.portRow[machine.feeders.size() + i] <
          machine.channels[machine.collectors[i].channel].record.rows)
        return machine.deadlock(state);
    return {};
  }

private:
  void block(uint32_t channel, uint32_t actor) {
    state.channels[channel].waiting.push_back(actor);
  }
  void wake(uint32_t channel) {
    for (uint32_t actor : state.channels[channel].waiting)
      if (!queued[actor]) {
        queued[actor] = true;
        ready.push_back(actor);
      }
    state.channels[channel].waiting.clear();
  }
  bool isFull(uint32_t channel, uint32_t producer) const {
    const ChannelState &c = state.channels[channel];
    // Rows may be freed before they arrive (a pool that skips the last ones).
    return c.produced[producer] >=
           uint64_t{c.released()} + machine.channels[channel].record.slots;
  }

  void runStream(uint32_t index) {
    const StreamInfo &stream = machine.streams[index];
    StreamState &at = state.streams[index];
    while (!at.done) {
      const Op &op = stream.ops[at.pc];
      if (stepControl(op, at))
        continue;
      ChannelState *channel =
          op.kind == Kind::Data ? nullptr : &state.channels[op.channel];
      switch (op.kind) {
      case Kind::Wait:
        if (channel->arrived() <
            clampRows(op.rows, at, machine.channels[op.channel].record.rows))
          return block(op.channel, index);
        break;
      case Kind::Free: {
        uint32_t rows =
            clampRows(op.rows, at, machine.channels[op.channel].record.rows);
        if (rows > channel->freed[op.port]) {
          channel->freed[op.port] = rows;
          wake(op.channel);
        }
        break;
      }
      case Kind::Acquire:
        if (isFull(op.channel, op.port))
          return block(op.channel, index);
        break;
      case Kind::Send:
        if (isFull(op.channel, op.port))
          return block(op.channel, index);
        machine.execute(state, stream, op, at);
        machine.produce(state, op);
        wake(op.channel);
        break;
      case Kind::Post:
        machine.produce(state, op);
        wake(op.channel);
        break;
      default:
        machine.execute(state, stream, op, at);
        break;
      }
      ++at.pc;
    }
  }

  void runPort(uint32_t actor) {
    auto index = static_cast<uint32_t>(actor - machine.streams.size());
    bool feeds = index < machine.feeders.size();
    const HostPort &port =
        feeds ? machine.feeders[index]
              : machine.collectors[index - machine.feeders.size()];
    ChannelState &channel = state.channels[port.channel];
    uint32_t &row = state.portRow[index];
    for (; row < machine.channels[port.channel].record.rows; ++row) {
      if (feeds) {
        if (isFull(port.channel, 0))
          return block(port.channel, actor);
        machine.feedRow(state, port, row);
        ++channel.produced[0];
      } else {
        if (channel.arrived() <= row)
          return block(port.channel, actor);
        machine.collectRow(state, port, row);
        channel.freed[0] = row + 1;
      }
      wake(port.channel);
    }
  }

  const Machine &machine;
  State &state;
  std::deque<uint32_t> ready;
  std::vector<char> queued;
};

} // namespace

Status Machine::runUntimed(State &state) const {
  return UntimedRun(*this, state).run();
}

} // namespace sim

struct Simulator::Impl {
  Impl(const Program &program, const FaultModel &faults)
      : machine(program, faults) {}

  std::unique_ptr<sim::State> acquire() {
    {
      std::lock_guard<std::mutex> lock(mutex);
      if (!idle.empty()) {
        std::unique_ptr<sim::State> state = std::move(idle.back());
        idle.pop_back();
        machine.restart(*state);
        return state;
      }
    }
    return machine.makeState();
  }
  void release(std::unique_ptr<sim::State> state) {
    std::lock_guard<std::mutex> lock(mutex);
    idle.push_back(std::move(state));
  }

  const sim::Machine machine;
  std::mutex mutex;
  std::vector<std::unique_ptr<sim::State>> idle; ///< one a thread, reused
};

Simulator::Simulator(const Program &program)
    : impl(std::make_unique<Impl>(program, FaultModel())) {}
Simulator::Simulator(const Program &program, const FaultModel &faults)
    : impl(std::make_unique<Impl>(program, faults)) {}
Simulator::~Simulator() = default;

const FaultReport &Simulator::faultReport() const {
  return impl->machine.faultReport;
}

Result<std::vector<HostTensor>>
Simulator::run(const std::vector<HostTensor> &inputs,
               const RunOptions &options) const {
  std::unique_ptr<sim::State> state = impl->acquire();
  state->bitPlanes = options.bitPlanes;
  Status status = impl->machine.loadInputs(*state, inputs);
  if (status)
    status = impl->machine.runUntimed(*state);
  if (!status)
    return status.takeError();
  std::vector<HostTensor> outputs = impl->machine.takeOutputs(*state);
  impl->release(std::move(state));
  return outputs;
}

Result<std::vector<HostTensor>>
Simulator::runTimed(const std::vector<HostTensor> &inputs, CostReport &report,
                    bool activity) const {
  std::unique_ptr<sim::State> state = impl->acquire();
  state->bitPlanes = false;
  state->activity = activity;
  Status status = impl->machine.loadInputs(*state, inputs);
  if (status)
    status = sim::runTimed(impl->machine, state.get(), report);
  if (!status)
    return status.takeError();
  std::vector<HostTensor> outputs = impl->machine.takeOutputs(*state);
  impl->release(std::move(state));
  return outputs;
}

static Result<CostReport> timeOf(const sim::Machine &machine, bool criticalPath,
                                 int64_t samples, bool skips) {
  CostReport report;
  sim::CriticalPath path;
  Status status = sim::runTimed(machine, nullptr, report, nullptr,
                                criticalPath ? &path : nullptr, samples, skips);
  if (!status)
    return status.takeError();
  report.criticalPath = path.parts();
  return report;
}

Result<CostReport> Simulator::time(bool criticalPath, int64_t samples,
                                   bool skips) const {
  return timeOf(impl->machine, criticalPath, samples, skips);
}

Result<CostReport> timeProgram(const Program &program, bool criticalPath) {
  return timeOf(sim::Machine(program, {}, /*holdsWeights=*/false), criticalPath,
                /*samples=*/0, /*skips=*/true);
}

Result<std::string> Simulator::trace() const {
  // Enough to see samples overlap.
  constexpr int64_t tracedSamples = 8;
  CostReport report;
  std::vector<sim::TraceEvent> events;
  Status status = sim::runTimed(impl->machine, nullptr, report, &events,
                                /*path=*/nullptr, tracedSamples);
  if (!status)
    return status.takeError();
  return sim::traceJson(events);
}

} // namespace cimc
