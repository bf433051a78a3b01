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
#include <utility>

namespace cimc::sim {

void TimedRun::spend(double nj, double begin, double end) {
  spent += nj;
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

void TimedRun::occupy(uint32_t index, int64_t unit, double begin, double end,
                      const char *name) {
  if (actors[index].sample == 0)
    accounts[index].busy[unit] += end - begin;
  if (!trace)
    return;
  const StreamInfo &stream = machine.streams[index];
  int64_t within = unit % unitsPerCore();
  std::string unitName = within < chip.hierarchy.macros_per_core
                             ? "macro " + std::to_string(within)
                         : within == chip.hierarchy.macros_per_core ? "vector"
                                                                    : "port";
  trace->push_back({coreId(stream.core), unitName,
                    stream.source->layer + " " + name, begin, end - begin,
                    actors[index].sample});
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

void TimedRun::computeCost(uint32_t index, const Op &op) {
  const StreamInfo &stream = machine.streams[index];
  const Actor &actor = actors[index];
  Work &work = actor.works[actor.at.pc];
  if (work.isKnown &&
      work.pixels == Costs::pixels(machine, stream, op, actor.at))
    return;
  OpCost &c = accounts[index].costs[actor.at.pc];
  c = costs.instruction(machine, stream, op, actor.at);
  work.isKnown = true;
  work.ns = c.ns;
  work.pixels = static_cast<uint32_t>(c.pixels);
  work.macros = c.macros;
  work.banks = bankTimes(c.bankNs);
  work.targetBanks = bankTimes(c.targetBankNs);
  Energy energy = c.energy;
  if (op.kind == Kind::Send) {
    const isa::View &view =
        machine.cores[stream.core].views[std::get<isa::Send>(*op.record).src];
    const ChannelInfo &channel = machine.channels[op.channel];
    int64_t bytes =
        int64_t{view.pixels} * view.channels * elementBytes(view.type);
    work.route =
        network.route(coreId(stream.core), coreId(channel.core), bytes);
    if (channel.core >= 0)
      c.targetNj = costs.sram(channel.record.address, bytes);
    energy = work.route->energy;
    energy += c.energy; // reads
    energy.nj[Sram] += c.targetNj;
  }
  work.nj = withClock(energy);
}

void TimedRun::work(uint32_t index, const Op &op) {
  const Work &w = costed(index, op);
  Actor &actor = actors[index];
  const std::string &layer = machine.streams[index].source->layer;
  double begin = actor.time;
  auto waitFor = [&](int64_t unit) {
    if (units[unit].free <= begin)
      return;
    begin = units[unit].free;
    actor.cause = units[unit].by;
  };
  auto eachMacro = [&](auto fn) {
    for (uint32_t macros = w.macros; macros; macros &= macros - 1)
      fn(macroUnit(actor.core, __builtin_ctz(macros)));
  };
  bool issues = w.onArrays && chip.tile.issue_ns > 0;
  if (issues)
    waitFor(issueUnit(actor.core));
  if (w.onArrays)
    eachMacro(waitFor);
  else
    waitFor(vectorUnit(actor.core));
  // Whichever takes longer, the unit or the memory it works on. Banks take
  // accesses in the order in which they are asked for, which is that of time;
  // an access that waits for its unit too must not hold up those before it.
  double end = begin + w.ns;
  double served =
      useBanks(actor.core, w.banks, actor.time, layer, actor.sample);
  const char *what = served > end ? "memory"
                     : w.onArrays ? "arrays"
                                  : "vector unit";
  bool isFirst = actor.sample == 0;
  if (isFirst) {
    StreamCost &cost = accounts[index].cost;
    (w.onArrays ? cost.arrayNs : cost.vectorNs) += w.ns;
    cost.memoryNs += std::max(served - end, 0.0);
  }
  end = std::max(end, served);
  if (path)
    actor.cause = path->add(
        {actor.cause, machine.streams[index].source, what, begin, end});
  if (issues)
    units[issueUnit(actor.core)] = {begin + static_cast<double>(w.pixels) *
                                                chip.tile.issue_ns,
                                    actor.cause};
  auto take = [&](int64_t unit) {
    units[unit] = {end, actor.cause};
    if (isFirst || trace)
      occupy(index, unit, begin, end, w.onArrays ? "mvm" : "vector");
  };
  if (w.onArrays)
    eachMacro(take);
  else
    take(vectorUnit(actor.core));
  if (state && state->activity && w.onArrays) {
    Energy energy = activeEnergy(index, op);
    if (isFirst)
      accounts[index].energy += energy;
    spend(withClock(energy), begin, end);
  } else {
    if (isFirst)
      accounts[index].energy += accounts[index].costs[actor.at.pc].energy;
    spend(w.nj, begin, end);
  }
  if (isFirst) {
    macs += accounts[index].costs[actor.at.pc].macs;
    if (w.onArrays) {
      const auto &mvm = std::get<isa::Mvm>(*op.record);
      reads[{actor.core, mvm.macros, mvm.cell_row, mvm.column}] +=
          (int64_t{w.pixels} + mvm.reuse - 1) / mvm.reuse;
    }
  }
  actor.time = end;
}

void TimedRun::send(uint32_t index, const Op &op, Message &message) {
  const Work &w = costed(index, op);
  Actor &actor = actors[index];
  const Stream *source = machine.streams[index].source;
  int64_t target = machine.channels[op.channel].core;
  bool isFirst = message.isNew;
  Network::Times times = network.reserve(*w.route, message, w.span);
  if (trace)
    traceLinks(*w.route, source->layer, actor.sample);
  if (isFirst) {
    message.sent = times.sent =
        std::max(times.sent, useBanks(actor.core, w.banks, message.start,
                                      source->layer, actor.sample));
    if (actor.sample == 0 || trace)
      occupy(index, portUnit(actor.core), message.start, times.sent, "send");
  }
  times.arrived = std::max({times.arrived, times.sent,
                            useBanks(target, w.targetBanks, message.start,
                                     source->layer, actor.sample)});
  if (actor.sample == 0 || !isFirst || times.taken != w.route->links) {
    const OpCost &c = accounts[index].costs[actor.at.pc];
    Energy energy = w.route->share(times.taken);
    if (isFirst)
      energy += c.energy; // reads
    energy.nj[Sram] += c.targetNj;
    if (actor.sample == 0)
      accounts[index].energy += energy;
    spend(withClock(energy), message.start, times.arrived);
  } else {
    spend(w.nj, message.start, times.arrived);
  }
  CriticalPath::Id cause = actor.cause;
  if (path)
    cause = path->add({cause, source,
                       w.route->links[NetworkOnPackage - NetworkOnChip]
                           ? "chiplet network"
                           : "networks",
                       message.start, times.arrived});
  actor.time = times.sent;
  arrive(op.channel, op.port, times.arrived, cause);
}

Energy TimedRun::activeEnergy(uint32_t index, const Op &op) {
  const StreamInfo &stream = machine.streams[index];
  const Actor &actor = actors[index];
  Account &account = accounts[index];
  const OpCost &c = account.costs[actor.at.pc];
  if (c.macs == 0)
    return c.energy;
  // Later samples have no data; they are taken for like the first.
  account.activity.resize(stream.ops.size());
  Activity &mean = account.activity[actor.at.pc];
  double share;
  if (actor.sample == 0) {
    share = switchedGates(machine, *state, stream,
                          std::get<isa::Mvm>(*op.record), *op.mvm, actor.at);
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

void TimedRun::sendAll(uint32_t index) {
  const StreamInfo &stream = machine.streams[index];
  Actor &actor = actors[index];
  Message message(network, actor.time);
  bool isFirst = actor.sample == 0;
  for (bool joins = false;; joins = true) {
    const Op &op = actor.ops[actor.at.pc];
    if (joins) {
      if (op.kind != Kind::Send || !actor.works[actor.at.pc].joined)
        break;
      // One that has to wait for its ring is a message of its own.
      Ready ready = slotFree(op.channel, op.port);
      if (ready.time < 0 ||
          (ready.time > 0 &&
           ready.time + creditNs(op.channel, op.port, coreId(actor.core)) >
               message.start))
        break;
      instructions += isFirst;
    }
    if (state && isFirst) {
      machine.execute(*state, stream, op, actor.at);
      machine.produce(*state, op);
    }
    send(index, op, message);
    ++actor.at.pc;
  }
  if (isFirst)
    accounts[index].cost.sendNs += actor.time - message.start;
  if (path)
    actor.cause = path->add(
        {actor.cause, stream.source, "sending", message.start, actor.time});
}

void TimedRun::waitedForSlot(uint32_t index, uint32_t channel) {
  Actor &actor = actors[index];
  if (path)
    actor.cause = path->add({actor.cause,
                             index < machine.streams.size()
                                 ? machine.streams[index].source
                                 : nullptr,
                             "ring", actor.time, actor.time, channel});
}

bool TimedRun::stepStream(uint32_t index) {
  Actor &actor = actors[index];
  const Op &op = actor.ops[actor.at.pc];
  bool isFirst = actor.sample == 0;
  if (stepControl(op, actor.at)) {
    instructions += isFirst;
    if (actor.at.done && nextSample(actor))
      actor.at = StreamState();
    return !actor.at.done;
  }
  auto rows = [&] {
    return clampRows(op.rows, actor.at,
                     static_cast<uint32_t>(channels[op.channel].rows));
  };
  switch (op.kind) {
  case Kind::Wait: {
    Ready ready = rowsArrived(op.channel, actor.sample, rows());
    if (ready.time < 0) {
      waitForRows(op.channel, index, actor.sample, rows());
      return false;
    }
    actor.waitUntil(ready);
    actor.time += cycle;
    break;
  }
  case Kind::Free:
    actor.time += cycle;
    release(op.channel, op.port, actor.sample, rows(), actor.time, actor.cause);
    break;
  case Kind::Acquire:
  case Kind::Send: {
    Ready ready = slotFree(op.channel, op.port);
    if (ready.time < 0) {
      waitForSlot(op.channel, index, op.port);
      return false;
    }
    if (ready.time > 0)
      ready.time += creditNs(op.channel, op.port, coreId(actor.core));
    bool isLate = ready.time > actor.time;
    actor.waitUntil(ready);
    if (isLate)
      waitedForSlot(index, op.channel);
    if (op.kind == Kind::Acquire) {
      actor.time += cycle;
      break;
    }
    // A stream that must wait tries again when it may go on, so that links are
    // granted in the order of time.
    if (isLate)
      return true;
    instructions += isFirst;
    sendAll(index);
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
      machine.execute(*state, machine.streams[index], op, actor.at);
    if (actor.works[actor.at.pc].usesDram)
      dram(index, op);
    else
      work(index, op);
    break;
  }
  instructions += isFirst;
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
  if (ready.time < 0) {
    if (feeds)
      waitForSlot(end.channel, index, 0);
    else
      waitForRows(end.channel, index, actor.sample, row + 1);
    return false;
  }
  if (feeds && ready.time > 0)
    ready.time += creditNs(end.channel, 0, -1);
  if (ready.time > actor.time) {
    actor.waitUntil(ready);
    if (feeds)
      waitedForSlot(index, end.channel);
    return true;
  }
  if (feeds) {
    const std::string &name = machine.program.ios[end.io].name;
    const Route &route = *portRoutes[port];
    Message message(network, actor.time);
    Network::Times times = network.reserve(route, message);
    if (trace)
      traceLinks(route, name, actor.sample);
    Energy energy = route.share(times.taken);
    if (channel.core >= 0) {
      energy.nj[Sram] += costs.sram(channel.record.address, end.rowBytes);
      times.arrived =
          std::max(times.arrived, useBanks(channel.core, portBanks[port],
                                           actor.time, name, actor.sample));
    }
    if (actor.sample == 0)
      feeding += energy;
    spend(withClock(energy), actor.time, times.arrived);
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
      hasLeft = ++collectorsDone[actor.sample] == machine.collectors.size();
    }
    return nextSample(actor);
  }
  return true;
}

bool TimedRun::nextSample(Actor &actor) {
  if (++actor.sample < maxSamples)
    return true;
  isEnding = fixedSamples > 0;
  return false;
}

bool TimedRun::finishSample() {
  double now = finished[left];
  if (!isEnding) {
    period.add(now, stateHash(left, now));
    spentAfter.push_back(spent);
  }
  ++left;
  if (!fixedSamples)
    return period.isEnough(instructions);
  if (skips && !isEnding && skippedSamples == 0 && period.cycle() > 0)
    skipCycles();
  // What is on its way still takes energy.
  return false;
}

void TimedRun::skipCycles() {
  uint32_t begun = 0;
  for (const Actor &actor : actors)
    begun = std::max(begun, actor.sample);
  int64_t cycles = (int64_t{maxSamples} - 1 - begun) / period.cycle();
  skippedSamples = cycles * period.cycle();
  maxSamples -= static_cast<uint32_t>(skippedSamples);
  auto perCycle = [&](const std::vector<double> &values) {
    size_t last = values.size() - 1;
    return values[last] - values[last - static_cast<size_t>(period.cycle())];
  };
  skippedNs = static_cast<double>(cycles) * perCycle(period.times());
  skippedNj = static_cast<double>(cycles) * perCycle(spentAfter);
}

void TimedRun::addActors() {
  actors.resize(machine.streams.size() + machine.feeders.size() +
                machine.collectors.size());
  accounts.resize(machine.streams.size());
  size_t count = 0;
  for (const StreamInfo &stream : machine.streams)
    count += stream.ops.size();
  works.resize(count);
  Work *next = works.data();
  for (size_t i = 0; i < machine.streams.size(); ++i) {
    const StreamInfo &stream = machine.streams[i];
    accounts[i].costs.resize(stream.ops.size());
    actors[i].core = stream.core;
    actors[i].ops = stream.ops.data();
    actors[i].works = next;
    const isa::View *message = nullptr; // all that it sends
    for (const Op &op : stream.ops) {
      Work &work = *next++;
      if (op.kind == Kind::Send) {
        const auto &send = std::get<isa::Send>(*op.record);
        const isa::View &view = machine.cores[stream.core].views[send.src];
        work.joined = send.joined;
        if (!work.joined || !message)
          message = &view;
        work.span =
            spanOf(view, *message).value_or(PixelSpan{0, view.pixels, 1});
      }
      if (op.kind != Kind::Data)
        continue;
      work.varies = Costs::hasVaryingPixels(op);
      work.onArrays = std::holds_alternative<isa::Mvm>(*op.record);
      work.usesDram = std::holds_alternative<isa::Load>(*op.record) ||
                      std::holds_alternative<isa::Store>(*op.record);
    }
  }
  for (const HostPort &port : machine.feeders) {
    const ChannelInfo &channel = machine.channels[port.channel];
    BankLoad banks(chip, std::max<int64_t>(coreId(channel.core), 0));
    if (channel.core >= 0)
      banks.add(channel.record.address, port.rowBytes);
    portBanks.push_back(bankTimes(banks.ns()));
    portRoutes.push_back(
        network.route(-1, coreId(channel.core), port.rowBytes));
  }
}

Status TimedRun::run() {
  addActors();
  addChannels();
  network.keepsBegins = trace;
  int64_t tiles = chip.cores() / chip.hierarchy.cores_per_tile;
  auto cores = static_cast<int64_t>(machine.cores.size());
  units.resize(cores * unitsPerCore() + tiles);
  bankFree.resize(cores * chip.core.sram_banks + tiles * chip.tile.sram_banks +
                  BankTimes::together);
  memoryTraced.resize(cores + tiles);
  finished.assign(maxSamples, 0);
  collectorsDone.assign(maxSamples, 0);
  for (uint32_t i = 0; i < actors.size(); ++i)
    push(i);
  while (!queue.empty()) {
    uint32_t index = queue.begin();
    // What comes next is mostly one of these: by then it is in the cache.
    queue.eachNext([&](uint32_t next) { prefetch(next); });
    const Actor &actor = actors[index];
    bool goesOn;
    // Units and links are granted in the order of time. What else a stream does
    // touches the histories of channels only, which tell when: it need not wait
    // for its turn.
    if (actor.ops)
      do
        goesOn = stepStream(index);
      while (goesOn &&
             (!takesTurn(actor) ||
              (woken.empty() && queue.isBeforeOthers({actor.time, index}))));
    else
      goesOn = stepPort(index);
    if (goesOn)
      queue.replaceTop({actor.time, index});
    else
      queue.pop();
    // Until they take a turn they need not wait for one.
    while (!woken.empty()) {
      uint32_t next = woken.back();
      woken.pop_back();
      bool isTurn = !actors[next].ops || takesTurn(actors[next]);
      while (!isTurn && stepStream(next))
        isTurn = takesTurn(actors[next]);
      if (isTurn)
        push(next);
    }
    if (std::exchange(hasLeft, false) && finishSample())
      return {};
  }
  if (machine.collectors.empty() || (fixedSamples && left == maxSamples))
    return {};
  State blocked;
  for (const Actor &actor : actors)
    blocked.streams.push_back(actor.at);
  return machine.deadlock(blocked);
}

Status runTimed(const Machine &machine, State *state, CostReport &report,
                std::vector<TraceEvent> *trace, CriticalPath *path,
                int64_t samples, bool skips) {
  TimedRun run(machine, state, trace, path, samples, skips);
  Status status = run.run();
  if (status)
    run.fill(report);
  return status;
}

} // namespace cimc::sim
