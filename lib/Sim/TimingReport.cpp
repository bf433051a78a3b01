//===- TimingReport.cpp - what a timed run comes to -------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TimedRun.h"

#include <algorithm>

namespace cimc::sim {

void TimedRun::fill(CostReport &report) {
  const CostModel &model = costs.costModel();
  report = CostReport();
  report.finished_ns.assign(finished.begin(), finished.begin() + left);
  size_t samples = left;
  report.samples_simulated = left;
  report.samples_timed = left + skippedSamples;
  if (period.times().size() < 2) {
    // So few were fed that the end shows in all.
    period = Period();
    for (uint32_t n = 0; n < left; ++n)
      period.add(finished[n], n);
  }
  report.steady_cycle = period.cycle();
  report.latency_ns = samples ? report.finished_ns.front() : 0;
  report.simulated_ns = samples ? report.finished_ns.back() + skippedNs : 0;
  report.period_ns = period.ns();
  report.instructions_executed = instructions;
  report.macs = macs;
  report.array_switching = state && state->activity && macs > 0
                               ? switched / static_cast<double>(macs)
                               : assumedSwitching;
  for (const auto &[tile, count] : reads)
    report.reads_per_cell = std::max(report.reads_per_cell, count);

  Energy total = feeding;
  std::map<std::string, size_t> layerIndex;
  std::vector<std::map<int64_t, double>> busy;
  for (size_t i = 0; i < machine.streams.size(); ++i) {
    const std::string &name = machine.streams[i].source->layer;
    auto [it, isNew] = layerIndex.emplace(name, report.layers.size());
    if (isNew) {
      report.layers.push_back({});
      report.layers.back().layer = name;
      busy.emplace_back();
    }
    LayerCost &layer = report.layers[it->second];
    const Account &account = accounts[i];
    total += account.energy;
    layer.energy_nj += model.withRegulator(
        account.energy.arrays() + model.withClock(account.energy.others()));
    for (const auto &[unit, ns] : account.busy)
      busy[it->second][unit] += ns;
    StreamCost cost = account.cost;
    cost.core = machine.streams[i].core;
    const auto &streams = machine.cores[cost.core].source->streams;
    cost.stream =
        static_cast<size_t>(machine.streams[i].source - streams.data());
    report.streams.push_back(cost);
  }
  std::vector<char> used(units.size(), false);
  int64_t macros = 0;
  for (size_t l = 0; l < busy.size(); ++l) {
    LayerCost &layer = report.layers[l];
    int64_t previous = -1;
    for (const auto &[unit, ns] : busy[l]) {
      layer.busy_ns = std::max(layer.busy_ns, ns);
      if (unit / unitsPerCore() != previous)
        ++layer.cores;
      previous = unit / unitsPerCore();
      if (unit % unitsPerCore() >= chip.hierarchy.macros_per_core)
        continue;
      ++layer.macros;
      macros += !used[unit];
      used[unit] = true;
    }
  }

  // A chip that would exceed its power budget runs slower. Losses are linear,
  // so power is (energy + static power * period) * loss / period.
  double dynamic = total.arrays() + model.withClock(total.others());
  double loss = model.withRegulator(1.0);
  double budget = chip.power.tdp_w / loss - model.staticPower();
  report.unthrottled_period_ns = report.period_ns;
  if (report.period_ns > 0 && dynamic / report.period_ns > budget) {
    report.throttled = true;
    if (budget > 0)
      report.period_ns = dynamic / budget;
  }
  if (fixedSamples) {
    double all = spent + skippedNj;
    report.makespan_ns = report.simulated_ns;
    if (report.throttled && budget > 0)
      report.makespan_ns = std::max(report.makespan_ns, all / budget);
    report.makespan_nj =
        model.withRegulator(all + model.staticPower() * report.makespan_ns);
  }
  auto &components = report.energy_by_component_nj;
  for (int i = 0; i < componentCount; ++i)
    components[componentName(i)] = total.nj[i];
  components["clock"] = model.withClock(total.others()) - total.others();
  components["static"] = model.staticPower() * report.period_ns;
  double sum = 0;
  for (const auto &[name, nj] : components)
    sum += nj;
  components["regulator"] = model.withRegulator(sum) - sum;
  report.energy_nj = sum + components["regulator"];
  if (report.period_ns > 0)
    report.average_power_w = report.energy_nj / report.period_ns;
  double peak = 0;
  for (double nj : window)
    peak = std::max(peak, nj);
  report.peak_power_w =
      std::max(report.average_power_w,
               model.withRegulator(peak / powerWindowNs + model.staticPower()));

  // 8-bit products a macro finishes in a nanosecond.
  double perMacro = static_cast<double>(chip.macro.active_rows) *
                    static_cast<double>(chip.weightColumns(8)) / 8 *
                    chip.core.clock_mhz / 1e3;
  if (macros > 0 && report.period_ns > 0)
    report.utilization =
        static_cast<double>(macs) /
        (perMacro * static_cast<double>(macros) * report.period_ns);
  report.setup = setupCost(machine, costs, WriteProfile::Foundry);
  report.fast_setup = setupCost(machine, costs, WriteProfile::Fast);
  // The chain is looked at as long before its end as a sample takes: by then
  // it has come to what holds up all that is behind it.
  if (path && samples >= 2) {
    double end = std::max(report.simulated_ns - report.latency_ns,
                          report.unthrottled_period_ns);
    path->walk(finishedBy, end - report.unthrottled_period_ns, end);
    for (auto [channel, waits] : path->rings())
      report.fullRings.emplace_back(machine.channels[channel].record.id, waits);
  }
}

} // namespace cimc::sim
