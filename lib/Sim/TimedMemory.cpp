//===- TimedMemory.cpp - banks and DRAM in time -----------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TimedRun.h"

#include <algorithm>

namespace cimc::sim {

const BankTimes *TimedRun::bankTimes(const std::vector<double> &ns) {
  if (ns.empty())
    return nullptr;
  auto [it, isNew] = bankPatterns.try_emplace(ns);
  BankTimes &banks = it->second;
  if (isNew) {
    auto middle =
        ns.begin() + std::min<int64_t>(chip.core.sram_banks,
                                       static_cast<int64_t>(ns.size()));
    banks.own.assign(ns.begin(), middle);
    banks.shared.assign(middle, ns.end());
    for (std::vector<double> *part : {&banks.own, &banks.shared})
      while (part->size() % BankTimes::together)
        part->push_back(0);
  }
  return &banks;
}

/// Lets each bank work for its `ns` from `time` on, or from when it is free;
/// when the last is done. Written so that compilers take `together` at once.
static double useEach(double *free, const std::vector<double> &ns,
                      double time) {
  constexpr size_t lanes = BankTimes::together;
  double end[lanes];
  std::fill(end, end + lanes, time);
  for (size_t b = 0; b < ns.size(); b += lanes)
    for (size_t i = 0; i < lanes; ++i) {
      double before = free[b + i];
      double after = (before > time ? before : time) + ns[b + i];
      bool works = ns[b + i] > 0;
      free[b + i] = works ? after : before;
      double last = works ? after : time;
      end[i] = last > end[i] ? last : end[i];
    }
  return *std::max_element(end, end + lanes);
}

double TimedRun::useBanks(int64_t core, const BankTimes *banks, double time,
                          const std::string &name, uint32_t sample) {
  if (!banks)
    return time;
  auto cores = static_cast<int64_t>(machine.cores.size());
  double done = time;
  // The banks of one memory; `memory` is its number, for traces.
  auto use = [&](int64_t first, const std::vector<double> &ns, int64_t memory) {
    double end = useEach(&bankFree[first], ns, time);
    // The last word's cycle overlaps with what the unit or the port does next.
    done = std::max(done, end - cycle);
    if (!trace || end == time)
      return;
    // One track for all banks: what the busiest does.
    double &traced = memoryTraced[memory];
    double from =
        std::max(traced, end - *std::max_element(ns.begin(), ns.end()));
    if (end > from)
      trace->push_back({memory < cores ? coreId(core) : TraceEvent::memories,
                        memory < cores
                            ? std::string("memory")
                            : "tile " + std::to_string(memory - cores),
                        name, from, end - from, sample});
    traced = std::max(traced, end);
  };
  if (!banks->own.empty())
    use(core * chip.core.sram_banks, banks->own, core);
  if (!banks->shared.empty()) {
    int64_t tile = coreId(core) / chip.hierarchy.cores_per_tile;
    use(cores * chip.core.sram_banks + tile * chip.tile.sram_banks,
        banks->shared, cores + tile);
  }
  return done;
}

void TimedRun::dram(uint32_t index, const Op &op) {
  const StreamInfo &stream = machine.streams[index];
  Actor &actor = actors[index];
  const auto *load = std::get_if<isa::Load>(op.record);
  uint16_t id = load ? load->dst : std::get<isa::Store>(*op.record).src;
  int64_t bytes = rowBytes(machine.cores[stream.core].views[id]);
  int64_t core = coreId(stream.core);
  const Route *&route = actor.works[actor.at.pc].route;
  if (!route)
    route = load ? network.route(CostModel::dram, core, bytes)
                 : network.route(core, CostModel::dram, bytes);
  Message message(network, actor.time);
  // A load's request goes there first, and behind what was stored.
  if (load)
    message.delay =
        std::max(network.route(core, CostModel::dram, creditBytes)->idleNs,
                 actor.stored - actor.time);
  Network::Times times = network.reserve(*route, message);
  if (trace)
    traceLinks(*route, stream.source->layer, actor.sample);
  const Work &w = costed(index, op);
  double served = useBanks(stream.core, w.banks, actor.time,
                           stream.source->layer, actor.sample);
  Energy energy = route->share(times.taken);
  energy += accounts[index].costs[actor.at.pc].energy;
  double end = std::max(load ? times.arrived : times.sent, served);
  if (!load)
    actor.stored = std::max(actor.stored, times.arrived);
  if (actor.sample == 0)
    accounts[index].energy += energy;
  spend(withClock(energy), actor.time, std::max(end, times.arrived));
  occupy(index, portUnit(stream.core), actor.time, end,
         load ? "load" : "store");
  if (path)
    actor.cause =
        path->add({actor.cause, stream.source, "dram", actor.time, end});
  actor.time = end;
}

} // namespace cimc::sim
