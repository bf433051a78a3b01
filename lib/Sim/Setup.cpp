//===- Setup.cpp - what comes before the first sample -----------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EventQueue.h"
#include "Timing.h"

#include <algorithm>
#include <functional>
#include <queue>

namespace cimc::sim {

namespace {

/// Runs the setups of all cores in time, an event list of cores: each executes
/// its instructions in order, and they meet at the links and at what writes the
/// macros of a chiplet.
class SetupRun {
public:
  /// `bringsData`: bits and constants come over links, else they are there.
  SetupRun(const Machine &machine, const Costs &costs, WriteProfile profile,
           bool bringsData)
      : machine(machine), costs(costs), model(costs.costModel()),
        network(costs), profile(profile), bringsData(bringsData),
        writers(static_cast<size_t>(model.chip().chiplets())) {}

  /// Sets `writing_ns` and `writing_nj` to what the cells take, `ns` to the end
  /// of all, `nj` to the dynamic energy of bringing the data.
  SetupCost run();

private:
  /// The next instruction of a core at `now`; when the core goes on. Not done
  /// where it has to wait.
  bool step(uint32_t core, double now, double &next);
  bool operator()(const isa::LoadData &r, uint32_t core, double now,
                  double &next);
  bool operator()(const isa::ProgramMacro &r, uint32_t core, double now,
                  double &next);
  /// When the first and the last byte of `bytes` are at a core.
  struct Arrival {
    double first, last;
  };
  Arrival bring(int64_t from, uint32_t core, int64_t bytes, double now);

  const Machine &machine;
  const Costs &costs;
  const CostModel &model;
  Network network;
  WriteProfile profile;
  bool bringsData;
  using Ends = std::priority_queue<double, std::vector<double>, std::greater<>>;
  /// By chiplet: when each of the macros that are being written is done.
  std::vector<Ends> writers;
  std::vector<size_t> at; ///< by core: the next instruction
  Energy way;             ///< of what was brought
  SetupCost cost;
};

SetupRun::Arrival SetupRun::bring(int64_t from, uint32_t core, int64_t bytes,
                                  double now) {
  if (!bringsData || bytes == 0)
    return {now, now};
  const Route &route =
      *network.route(from, machine.cores[core].source->id, bytes);
  Message message(network, now);
  Network::Times times = network.reserve(route, message);
  way += route.share(times.taken);
  double longest = 0;
  for (const Hop &hop : route.hops)
    longest = std::max(longest, hop.ns);
  return {times.arrived - longest, times.arrived};
}

bool SetupRun::operator()(const isa::LoadData &r, uint32_t core, double now,
                          double &next) {
  const CoreProgram &source = *machine.cores[core].source;
  int64_t bytes = 0;
  for (size_t b = r.block; b < size_t{r.block} + r.blocks; ++b) {
    auto size = static_cast<int64_t>(source.data[b].bytes.size());
    bytes += size;
    way.nj[Sram] += costs.sram(source.data[b].address, size);
  }
  int64_t from =
      model.chip().dram.size_mb > 0 ? CostModel::dram : CostModel::host;
  next = bring(from, core, bytes, now).last;
  cost.ns = std::max(cost.ns, next);
  return true;
}

bool SetupRun::operator()(const isa::ProgramMacro &r, uint32_t core, double now,
                          double &next) {
  const CoreProgram &source = *machine.cores[core].source;
  Ends &ends = writers[static_cast<size_t>(model.position(source.id).chiplet)];
  if (static_cast<int64_t>(ends.size()) ==
      model.chip().macro.write_parallel_macros) {
    if (ends.top() > now) {
      next = ends.top();
      return false;
    }
    ends.pop();
  }
  int64_t cells = 0;
  for (size_t b = r.block; b < size_t{r.block} + r.blocks; ++b)
    cells += source.cells[b].cells();
  Cost writing = model.program(cells, profile);
  Arrival arrival = bring(CostModel::host, core, (cells + 7) / 8, now);
  double end = std::max(arrival.first + writing.ns, arrival.last);
  ends.push(end);
  cost.writing_ns = std::max(cost.writing_ns, end);
  cost.writing_nj += writing.nj;
  cost.ns = std::max(cost.ns, end);
  next = now;
  return true;
}

bool SetupRun::step(uint32_t core, double now, double &next) {
  return std::visit([&](const auto &r) { return (*this)(r, core, now, next); },
                    machine.cores[core].source->setup[at[core]]);
}

SetupCost SetupRun::run() {
  EventQueue queue;
  at.assign(machine.cores.size(), 0);
  std::vector<double> times(machine.cores.size());
  for (uint32_t core = 0; core < machine.cores.size(); ++core)
    if (!machine.cores[core].source->setup.empty())
      queue.push({0, core});
  while (!queue.empty()) {
    uint32_t core = queue.begin();
    double next = 0;
    at[core] += step(core, times[core], next);
    times[core] = next;
    if (at[core] < machine.cores[core].source->setup.size())
      queue.replaceTop({next, core});
    else
      queue.pop();
  }
  cost.nj = model.withClock(way.others());
  return cost;
}

} // namespace

SetupCost setupCost(const Machine &machine, const Costs &costs,
                    WriteProfile profile) {
  const CostModel &model = costs.costModel();
  SetupCost alone = SetupRun(machine, costs, profile, false).run();
  SetupCost cost = SetupRun(machine, costs, profile, true).run();
  // Writing pulses come from the arrays' own supply. W times ns are nJ.
  cost.nj = cost.writing_nj +
            model.withRegulator(cost.nj + model.staticPower() * cost.ns);
  cost.writing_ns = alone.writing_ns;
  return cost;
}

} // namespace cimc::sim
