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

double TimedRun::useBanks(int64_t core, const std::vector<double> &ns,
                          double time, const std::string &name,
                          uint32_t sample) {
  if (ns.empty())
    return time;
  int64_t own = chip.core.sram_banks, shared = chip.tile.sram_banks;
  auto cores = static_cast<int64_t>(machine.cores.size());
  int64_t tile = coreId(core) / chip.hierarchy.cores_per_tile;
  double done = time;
  // The banks of one memory; `memory` is its number, for traces.
  auto use = [&](int64_t first, int64_t begin, int64_t count, int64_t memory) {
    double busy = 0, end = time;
    count = std::min(count, static_cast<int64_t>(ns.size()) - begin);
    for (int64_t b = 0; b < count; ++b) {
      if (ns[begin + b] <= 0)
        continue;
      double &free = bankFree[first + b];
      free = std::max(free, time) + ns[begin + b];
      busy = std::max(busy, ns[begin + b]);
      end = std::max(end, free);
    }
    // The last word's cycle overlaps with what the unit or the port does next.
    done = std::max(done, end - cycle);
    if (!trace || busy == 0)
      return;
    // One track for all banks: what the busiest does.
    double &traced = memoryTraced[memory];
    double from = std::max(traced, end - busy);
    if (end > from)
      trace->push_back(
          {begin ? TraceEvent::memories : coreId(core),
           begin ? "tile " + std::to_string(tile) : std::string("memory"), name,
           from, end - from, sample});
    traced = std::max(traced, end);
  };
  use(core * own, 0, own, core);
  use(cores * own + tile * shared, own, shared, cores + tile);
  return done;
}

void TimedRun::dram(Actor &actor, const StreamInfo &stream, const Op &op) {
  const auto *load = std::get_if<isa::Load>(op.record);
  uint16_t id = load ? load->dst : std::get<isa::Store>(*op.record).src;
  int64_t bytes = rowBytes(machine.cores[stream.core].views[id]);
  int64_t core = coreId(stream.core);
  const Route *&route = actor.routes[actor.at.pc];
  if (!route)
    route = load ? network.route(CostModel::dram, core, bytes)
                 : network.route(core, CostModel::dram, bytes);
  Message message(network, actor.time);
  // A load's request goes there first, and behind what was stored.
  if (load)
    message.delay =
        std::max(network.route(core, CostModel::dram, creditBytes)->idleNs,
                 actor.stored - actor.time);
  Energy energy;
  Network::Times times = network.reserve(*route, message, energy);
  traceLinks(*route, stream.source->layer, actor.sample);
  const OpCost &c = cost(actor, stream, op);
  double served = useBanks(stream.core, c.bankNs, actor.time,
                           stream.source->layer, actor.sample);
  energy += c.energy;
  double end = std::max(load ? times.arrived : times.sent, served);
  if (!load)
    actor.stored = std::max(actor.stored, times.arrived);
  spend(&actor, energy, actor.time, std::max(end, times.arrived),
        actor.sample == 0);
  occupy(actor, portUnit(stream.core), actor.time, end, stream,
         load ? "load" : "store");
  if (path)
    actor.cause =
        path->add({actor.cause, stream.source, "dram", actor.time, end});
  actor.time = end;
}

} // namespace cimc::sim
