//===- Timing.cpp - runs a program in time ----------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TimedRun.h"

#include "cimc/Target/LinkNames.h"

#include <algorithm>
#include <cmath>

namespace cimc::sim {

void TimedRun::spend(Actor *actor, const Energy &energy, double begin,
                     double end, bool isFirstSample) {
  if (isFirstSample)
    (actor ? actor->energy : feeding) += energy;
  double nj = energy.arrays() + costs.costModel().withClock(energy.others());
  auto first = static_cast<size_t>(begin / powerWindowNs);
  auto last = static_cast<size_t>(end / powerWindowNs);
  if (window.size() <= last)
    window.resize(last + 1);
  if (first == last || end <= begin) {
    window[first] += nj;
    return;
  }
  double density = nj / (end - begin);
  for (size_t w = first; w <= last; ++w) {
    double from = std::max(begin, static_cast<double>(w) * powerWindowNs);
    double to = std::min(end, static_cast<double>(w + 1) * powerWindowNs);
    window[w] += density * (to - from);
  }
}

void TimedRun::occupy(Actor &actor, int64_t unit, double begin, double end,
                      const StreamInfo &stream, const char *name) {
  if (actor.sample == 0)
    actor.busy[unit] += end - begin;
  if (!trace)
    return;
  int64_t within = unit % unitsPerCore();
  std::string unitName = within < chip.hierarchy.macros_per_core
                             ? "macro " + std::to_string(within)
                         : within == chip.hierarchy.macros_per_core ? "vector"
                                                                    : "port";
  trace->push_back({coreId(stream.core), unitName,
                    stream.source->layer + " " + name, begin, end - begin,
                    actor.sample});
}

void TimedRun::traceLinks(const Route &route, const std::string &name,
                          uint32_t sample) {
  if (!trace)
    return;
  for (size_t i = 0; i < route.hops.size(); ++i)
    if (network.begins()[i] >= 0)
      trace->push_back({TraceEvent::networks,
                        linkName(chip, route.hops[i].link), name,
                        network.begins()[i], route.hops[i].ns, sample});
}

const OpCost &TimedRun::cost(Actor &actor, const StreamInfo &stream,
                             const Op &op) {
  OpCost &cached = actor.costs[actor.at.pc];
  if (cached.pixels != Costs::pixels(machine, stream, op, actor.at))
    cached = costs.instruction(machine, stream, op, actor.at);
  return cached;
}

void TimedRun::work(Actor &actor, const StreamInfo &stream, const Op &op) {
  const OpCost &c = cost(actor, stream, op);
  double begin = actor.time;
  auto waitFor = [&](int64_t unit) {
    if (unitFree[unit] <= begin)
      return;
    begin = unitFree[unit];
    actor.cause = unitBy[unit];
  };
  bool onArrays = std::holds_alternative<isa::Mvm>(*op.record);
  if (onArrays && chip.tile.issue_ns > 0)
    waitFor(issueUnit(stream.core));
  if (onArrays) {
    for (int64_t m = 0; m < chip.hierarchy.macros_per_core; ++m)
      if (c.macros >> m & 1)
        waitFor(macroUnit(stream.core, m));
  } else {
    waitFor(vectorUnit(stream.core));
  }
  // Whichever takes longer, the unit or the memory it works on. Banks take
  // accesses in the order in which they are asked for, which is that of time;
  // an access that waits for its unit too must not hold up those before it.
  double end = begin + c.ns;
  double served = useBanks(stream.core, c.bankNs, actor.time,
                           stream.source->layer, actor.sample);
  const char *what = served > end ? "memory"
                     : onArrays   ? "arrays"
                                  : "vector unit";
  if (actor.sample == 0) {
    (onArrays ? actor.cost.arrayNs : actor.cost.vectorNs) += c.ns;
    actor.cost.memoryNs += std::max(served - end, 0.0);
  }
  end = std::max(end, served);
  if (path)
    actor.cause = path->add({actor.cause, stream.source, what, begin, end});
  if (onArrays && chip.tile.issue_ns > 0) {
    unitFree[issueUnit(stream.core)] =
        begin + static_cast<double>(c.pixels) * chip.tile.issue_ns;
    unitBy[issueUnit(stream.core)] = actor.cause;
  }
  if (onArrays) {
    for (int64_t m = 0; m < chip.hierarchy.macros_per_core; ++m)
      if (c.macros >> m & 1) {
        unitFree[macroUnit(stream.core, m)] = end;
        unitBy[macroUnit(stream.core, m)] = actor.cause;
        occupy(actor, macroUnit(stream.core, m), begin, end, stream, "mvm");
      }
  } else {
    unitFree[vectorUnit(stream.core)] = end;
    unitBy[vectorUnit(stream.core)] = actor.cause;
    occupy(actor, vectorUnit(stream.core), begin, end, stream, "vector");
  }
  spend(&actor, activeEnergy(actor, stream, op, c), begin, end,
        actor.sample == 0);
  if (actor.sample == 0) {
    macs += c.macs;
    if (const auto *mvm = std::get_if<isa::Mvm>(op.record))
      reads[{stream.core, mvm->macros, mvm->cell_row, mvm->column}] +=
          (c.pixels + mvm->reuse - 1) / mvm->reuse;
  }
  actor.time = end;
}

void TimedRun::send(Actor &actor, const StreamInfo &stream, const Op &op,
                    Message &message) {
  const auto &record = std::get<isa::Send>(*op.record);
  const isa::View &view = machine.cores[stream.core].views[record.src];
  const ChannelInfo &channel = machine.channels[op.channel];
  int64_t bytes =
      int64_t{view.pixels} * view.channels * elementBytes(view.type);
  const Route *&route = actor.routes[actor.at.pc];
  if (!route)
    route = network.route(coreId(stream.core), coreId(channel.core), bytes);
  bool isFirst = message.isNew;
  Energy energy;
  Network::Times times = network.reserve(*route, message, energy);
  traceLinks(*route, stream.source->layer, actor.sample);
  const OpCost &c = cost(actor, stream, op);
  if (isFirst) {
    energy += c.energy; // reads
    message.sent = times.sent =
        std::max(times.sent, useBanks(stream.core, c.bankNs, message.start,
                                      stream.source->layer, actor.sample));
    occupy(actor, portUnit(stream.core), message.start, times.sent, stream,
           "send");
  }
  times.arrived =
      std::max({times.arrived, times.sent,
                useBanks(channel.core, c.targetBankNs, message.start,
                         stream.source->layer, actor.sample)});
  if (channel.core >= 0)
    energy.nj[Sram] += costs.sram(channel.record.address, bytes);
  spend(&actor, energy, message.start, times.arrived, actor.sample == 0);
  CriticalPath::Id cause = actor.cause;
  if (path)
    cause = path->add(
        {cause, stream.source, "networks", message.start, times.arrived});
  actor.time = times.sent;
  arrive(op.channel, op.port, times.arrived, cause);
}

Energy TimedRun::activeEnergy(Actor &actor, const StreamInfo &stream,
                              const Op &op, const OpCost &c) {
  const auto *mvm = std::get_if<isa::Mvm>(op.record);
  if (!state || !state->activity || !mvm || c.macs == 0)
    return c.energy;
  // Later samples have no data; they are taken for like the first.
  actor.activity.resize(stream.ops.size());
  Activity &mean = actor.activity[actor.at.pc];
  double share;
  if (actor.sample == 0) {
    share = switchedGates(machine, *state, stream, *mvm, *op.mvm, actor.at);
    mean.switched += share;
    ++mean.count;
    switched += share * static_cast<double>(c.macs);
  } else {
    share = mean.count ? mean.switched / static_cast<double>(mean.count)
                       : assumedSwitching;
  }
  Energy energy = c.energy;
  double fraction = chip.macro.mac_switching_fraction;
  energy.nj[ArrayMac] *= 1 - fraction + fraction * share / assumedSwitching;
  return energy;
}

void TimedRun::sendAll(Actor &actor, const StreamInfo &stream) {
  Message message(network, actor.time);
  bool isFirst = actor.sample == 0;
  for (bool joins = false;; joins = true) {
    const Op &op = stream.ops[actor.at.pc];
    if (joins) {
      if (op.kind != Kind::Send || !std::get<isa::Send>(*op.record).joined)
        break;
      // One that has to wait for its ring is a message of its own.
      Ready ready = slotFree(op.channel, op.port);
      if (ready.time < 0 ||
          (ready.time > 0 &&
           ready.time + creditNs(op.channel, op.port, coreId(stream.core)) >
               message.start))
        break;
      instructions += isFirst;
    }
    if (state && isFirst) {
      machine.execute(*state, stream, op, actor.at);
      machine.produce(*state, op);
    }
    send(actor, stream, op, message);
    ++actor.at.pc;
  }
  if (isFirst)
    actor.cost.sendNs += actor.time - message.start;
  if (path)
    actor.cause = path->add(
        {actor.cause, stream.source, "sending", message.start, actor.time});
}

bool TimedRun::stepStream(uint32_t index) {
  const StreamInfo &stream = machine.streams[index];
  Actor &actor = actors[index];
  const Op &op = stream.ops[actor.at.pc];
  bool isFirst = actor.sample == 0;
  if (isFirst)
    ++instructions;
  if (stepControl(op, actor.at)) {
    if (actor.at.done && ++actor.sample < maxSamples)
      actor.at = StreamState();
    return !actor.at.done;
  }
  // A stream that must wait tries again when it may go on, so that units are
  // granted in the order of time.
  auto stall = [&](const Ready &ready) {
    if (isFirst)
      --instructions;
    if (ready.time < 0) {
      block(op.channel, index);
      return false;
    }
    actor.time = ready.time;
    actor.cause = ready.cause;
    return true;
  };
  switch (op.kind) {
  case Kind::Wait: {
    uint32_t rows =
        clampRows(op.rows, actor.at, machine.channels[op.channel].record.rows);
    Ready ready = rowsArrived(op.channel, actor.sample, rows);
    if (ready.time < 0 || ready.time > actor.time)
      return stall(ready);
    actor.time += cycle;
    break;
  }
  case Kind::Free:
    actor.time += cycle;
    release(
        op.channel, op.port, actor.sample,
        clampRows(op.rows, actor.at, machine.channels[op.channel].record.rows),
        actor.time, actor.cause);
    break;
  case Kind::Acquire:
  case Kind::Send: {
    Ready ready = slotFree(op.channel, op.port);
    if (ready.time > 0)
      ready.time += creditNs(op.channel, op.port, coreId(stream.core));
    if (ready.time < 0 || ready.time > actor.time)
      return stall(ready);
    if (op.kind == Kind::Acquire) {
      actor.time += cycle;
      break;
    }
    sendAll(actor, stream);
    return true;
  }
  case Kind::Post:
    actor.time += cycle;
    if (state && isFirst)
      machine.produce(*state, op);
    arrive(op.channel, op.port, actor.time, actor.cause);
    break;
  default:
    if (state && isFirst)
      machine.execute(*state, stream, op, actor.at);
    if (std::holds_alternative<isa::Load>(*op.record) ||
        std::holds_alternative<isa::Store>(*op.record))
      dram(actor, stream, op);
    else
      work(actor, stream, op);
    break;
  }
  ++actor.at.pc;
  return true;
}

bool TimedRun::stepPort(uint32_t index) {
  Actor &actor = actors[index];
  auto port = static_cast<uint32_t>(index - machine.streams.size());
  bool feeds = port < machine.feeders.size();
  const HostPort &end = feeds
                            ? machine.feeders[port]
                            : machine.collectors[port - machine.feeders.size()];
  const ChannelInfo &channel = machine.channels[end.channel];
  uint32_t row = actor.at.pc;
  Ready ready = feeds ? slotFree(end.channel, 0)
                      : rowsArrived(end.channel, actor.sample, row + 1);
  if (feeds && ready.time > 0)
    ready.time += creditNs(end.channel, 0, -1);
  if (ready.time < 0) {
    block(end.channel, index);
    return false;
  }
  if (ready.time > actor.time) {
    actor.time = ready.time;
    actor.cause = ready.cause;
    return true;
  }
  if (feeds) {
    const Route *route = network.route(-1, coreId(channel.core), end.rowBytes);
    Message message(network, actor.time);
    Energy energy;
    Network::Times times = network.reserve(*route, message, energy);
    traceLinks(*route, machine.program.ios[end.io].name, actor.sample);
    if (channel.core >= 0) {
      energy.nj[Sram] += costs.sram(channel.record.address, end.rowBytes);
      times.arrived =
          std::max(times.arrived,
                   useBanks(channel.core, feederBanks[port], actor.time,
                            machine.program.ios[end.io].name, actor.sample));
    }
    spend(nullptr, energy, actor.time, times.arrived, actor.sample == 0);
    if (state && actor.sample == 0) {
      machine.feedRow(*state, end, row);
      ++state->channels[end.channel].produced[0];
    }
    if (path)
      actor.cause =
          path->add({actor.cause, nullptr, "host", actor.time, times.arrived});
    actor.time = times.sent;
    arrive(end.channel, 0, times.arrived, actor.cause);
  } else {
    if (state && actor.sample == 0)
      machine.collectRow(*state, end, row);
    release(end.channel, 0, actor.sample, row + 1, actor.time, actor.cause);
  }
  if (++actor.at.pc == channel.record.rows) {
    actor.at.pc = 0;
    if (!feeds) {
      if (actor.time >= finished[actor.sample]) {
        finished[actor.sample] = actor.time;
        finishedBy = actor.cause;
      }
      ++collectorsDone[actor.sample];
    }
    return ++actor.sample < maxSamples;
  }
  return true;
}

bool TimedRun::isSteady() {
  size_t n = 0;
  while (n < maxSamples && collectorsDone[n] == machine.collectors.size())
    ++n;
  if (n == maxSamples)
    return true;
  if (n < 3)
    return false;
  double last = finished[n - 1] - finished[n - 2];
  double before = finished[n - 2] - finished[n - 3];
  return std::abs(last - before) <= 1e-6 * last;
}

Status TimedRun::run() {
  size_t ports = machine.feeders.size() + machine.collectors.size();
  actors.resize(machine.streams.size() + ports);
  for (size_t i = 0; i < machine.streams.size(); ++i) {
    actors[i].costs.resize(machine.streams[i].ops.size());
    actors[i].routes.resize(machine.streams[i].ops.size());
  }
  channels.resize(machine.channels.size());
  for (size_t c = 0; c < channels.size(); ++c) {
    channels[c].arrived.resize(machine.channels[c].record.producers);
    channels[c].freed.resize(machine.channels[c].record.consumers);
    channels[c].creditNs.resize(machine.channels[c].record.producers, -1);
    if (path) {
      channels[c].arrivedBy.resize(channels[c].arrived.size());
      channels[c].freedBy.resize(channels[c].freed.size());
    }
  }
  int64_t tiles = chip.cores() / chip.hierarchy.cores_per_tile;
  unitFree.resize(machine.cores.size() * unitsPerCore() + tiles);
  unitBy.resize(unitFree.size(), CriticalPath::none);
  auto cores = static_cast<int64_t>(machine.cores.size());
  bankFree.resize(cores * chip.core.sram_banks + tiles * chip.tile.sram_banks);
  memoryTraced.resize(cores + tiles);
  for (const HostPort &port : machine.feeders) {
    const ChannelInfo &channel = machine.channels[port.channel];
    BankLoad banks(chip, std::max<int64_t>(coreId(channel.core), 0));
    if (channel.core >= 0)
      banks.add(channel.record.address, port.rowBytes);
    feederBanks.push_back(banks.ns());
  }
  finished.assign(maxSamples, 0);
  collectorsDone.assign(maxSamples, 0);
  for (uint32_t i = 0; i < actors.size(); ++i)
    push(i);
  size_t collected = 0;
  while (!queue.empty()) {
    uint32_t index = queue.begin();
    const Actor &actor = actors[index];
    uint32_t sample = actor.sample;
    bool goesOn;
    // Units and links are granted in the order of time. What else a stream does
    // touches the histories of channels only, which tell when: it need not wait
    // for its turn.
    if (index < machine.streams.size())
      do
        goesOn = stepStream(index);
      while (goesOn &&
             (!takesTurn(index) || queue.isBeforeOthers({actor.time, index})));
    else
      goesOn = stepPort(index);
    if (goesOn)
      queue.replaceTop({actor.time, index});
    else
      queue.pop();
    bool isCollector = index >= machine.streams.size() + machine.feeders.size();
    if (isCollector && actor.sample != sample &&
        ++collected % machine.collectors.size() == 0 && isSteady())
      return {};
  }
  if (machine.collectors.empty() ||
      collectorsDone[maxSamples - 1] == machine.collectors.size())
    return {};
  State blocked;
  for (const Actor &actor : actors)
    blocked.streams.push_back(actor.at);
  return machine.deadlock(blocked);
}

Status runTimed(const Machine &machine, State *state, CostReport &report,
                std::vector<TraceEvent> *trace, CriticalPath *path) {
  TimedRun run(machine, state, trace, path);
  Status status = run.run();
  if (status)
    run.fill(report);
  return status;
}

} // namespace cimc::sim
