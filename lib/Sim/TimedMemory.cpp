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
  if (isNew) {
    auto count = static_cast<int64_t>(ns.size());
    it->second = {it->first.data(), std::min(chip.core.sram_banks, count),
                  std::max<int64_t>(count - chip.core.sram_banks, 0)};
  }
  return &it->second;
}

double TimedRun::useBanks(int64_t core, const BankTimes *banks, double time,
                          const std::string &name, uint32_t sample) {
  if (!banks)
    return time;
  auto cores = static_cast<int64_t>(machine.cores.size());
  double done = time;
  // `count` banks of one memory; `memory` is its number, for traces.
  auto use = [&](double *free, const double *ns, int64_t count,
                 int64_t memory) {
    double end = time;
    for (int64_t b = 0; b < count; ++b) {
      if (ns[b] <= 0)
        continue;
      free[b] = std::max(free[b], time) + ns[b];
      end = std::max(end, free[b]);
    }
    // The last word's cycle overlaps with what the unit or the port does next.
    done = std::max(done, end - cycle);
    if (!trace || end == time)
      return;
    // One track for all banks: what the busiest does.
    double &traced = memoryTraced[memory];
    double from = std::max(traced, end - *std::max_element(ns, ns + count));
    if (end > from)
      trace->push_back({memory < cores ? coreId(core) : TraceEvent::memories,
                        memory < cores
                            ? std::string("memory")
                            : "tile " + std::to_string(memory - cores),
                        name, from, end - from, sample});
    traced = std::max(traced, end);
  };
  if (banks->own)
    use(&bankFree[core * chip.core.sram_banks], banks->ns, banks->own, core);
  if (banks->shared) {
    int64_t tile = coreId(core) / chip.hierarchy.cores_per_tile;
    use(&bankFree[cores * chip.core.sram_banks + tile * chip.tile.sram_banks],
        banks->ns + banks->own, banks->shared, cores + tile);
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
