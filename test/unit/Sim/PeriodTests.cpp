//===- PeriodTests.cpp - the time between samples ---------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Network.h"
#include "Period.h"

#include "cimc/Sim/Simulator.h"
#include "cimc/Target/CostModel.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace cimc;
using namespace cimc::test;

namespace {

/// A chain of streams on a few cores of two tiles, in the order and with the
/// work, rings and rows that `seed` gives; streams of a core share its vector
/// unit, port and memory.
Program pipeline(unsigned seed, int stages) {
  std::mt19937 random(seed);
  Program p;
  uint32_t rows = 1 + random() % 5, pixels = 1 + random() % 16;
  auto rowBytes = static_cast<int>(pixels * 16);
  std::vector<CoreBuilder> cores;
  for (int id : {0, 1, 5})
    cores.emplace_back(id);
  std::vector<size_t> place;
  for (int s = 0; s < stages; ++s) {
    place.push_back(random() % cores.size());
    uint32_t slots = 1 + random() % 3;
    CoreBuilder &core = cores[place.back()];
    addChannel(p, static_cast<int>(core.core.id),
               core.allocate(static_cast<int>(slots) * rowBytes), rowBytes,
               slots, rows);
  }
  addChannel(p, -1, 0, rowBytes, 2, rows);
  std::vector<int64_t> shape = {1, 16, rows, pixels};
  addIO(p, "x", false, DType::U8, shape, {0, 2, 3, 1}, {0});
  addIO(p, "y", true, DType::U8, shape, {0, 2, 3, 1},
        {static_cast<uint32_t>(stages)});
  for (int s = 0; s < stages; ++s) {
    CoreBuilder &core = cores[place[s]];
    isa::Fill fill;
    fill.dst = core.buffer({1, static_cast<int>(pixels), 16}, U8, 1);
    auto channel = static_cast<uint32_t>(s);
    Stream &stream = core.stream("stage");
    emitLoop(stream, rows);
    emitWait(stream, channel, affine(1, 1));
    for (unsigned i = random() % 9; i > 0; --i)
      stream.instructions.push_back(fill);
    emitSend(stream, channel + 1, fill.dst, constant(0), 16);
    emitFree(stream, channel, affine(1, 1));
    emitNext(stream);
  }
  for (CoreBuilder &core : cores)
    if (!core.core.streams.empty())
      p.cores.push_back(core.core);
  return p;
}

} // namespace

TEST_CASE("samples that found the chip filling do not count") {
  // Nine or ten samples on the chip at once; the first eight leave sooner.
  sim::Period period;
  double now = 1000;
  for (uint64_t n = 0; !period.isEnough(1'000'000); ++n) {
    period.add(now, n);
    now += n < 8 ? 100 : 120;
  }
  CHECK(period.times().size() == 27);
  CHECK(period.ns() == 120);
  // Where few are on the chip twelve will do.
  sim::Period quick;
  for (uint64_t n = 0; n < 12; ++n) {
    CHECK(!quick.isEnough(1'000'000));
    quick.add(100 + 100 * static_cast<double>(n), n);
  }
  CHECK(quick.isEnough(1'000'000));
  CHECK(quick.ns() == 100);
}

TEST_CASE("a period is that of samples after which the state comes back") {
  for (int64_t cycle : {1, 2, 3, 7}) {
    sim::Period period;
    double now = 100;
    for (int64_t n = 0; period.cycle() == 0; ++n) {
      REQUIRE(n < 20);
      // Five samples while buffers fill, then steps that repeat.
      now += n < 5 ? 3.0 * static_cast<double>(n)
                   : 10 + static_cast<double>((n - 5) % cycle);
      period.add(now, static_cast<uint64_t>(n < 5 ? n : 5 + (n - 5) % cycle));
    }
    CHECK(period.cycle() == cycle);
    CHECK(period.ns() == 10 + static_cast<double>(cycle - 1) / 2);
  }
}

TEST_CASE("equal steps in different states are no proof of a period") {
  sim::Period period;
  for (int n = 0; n < 12; ++n)
    period.add(10 * n, static_cast<uint64_t>(n));
  for (int n = 0; n < 4; ++n)
    period.add(120 + 14 * n, static_cast<uint64_t>(12 + n));
  CHECK(period.cycle() == 0);
  // From the fourth of sixteen on.
  CHECK(period.ns() == Approx((162.0 - 30) / 12));
}

TEST_CASE("a period of few samples") {
  sim::Period period;
  CHECK(period.ns() == 0);
  period.add(5, 0);
  CHECK(period.ns() == 0);
  period.add(12, 1);
  CHECK(period.ns() == 7);
  CHECK(sim::Period::samples(1) == sim::Period::most);
  CHECK(sim::Period::samples(sim::Period::instructionsOfRun / 40) == 40);
  CHECK(sim::Period::samples(int64_t{1} << 40) == sim::Period::fewest);
}

TEST_CASE("pipelines, also deep ones and such that oscillate, keep their "
          "period for long") {
  int64_t oscillate = 0, longest = 0;
  for (unsigned seed = 0; seed < 120; ++seed) {
    int stages = seed % 3 == 0 ? 24 : 2 + static_cast<int>(seed % 5);
    Program program = pipeline(seed, stages);
    Simulator simulator(program);
    CostReport r = *simulator.time();
    INFO("seed " << seed << ", " << r.samples_timed << " samples, cycle "
                 << r.steady_cycle);
    constexpr int64_t many = 512;
    CostReport all =
        *simulator.time(/*criticalPath=*/false, many, /*skips=*/false);
    REQUIRE(all.finished_ns.size() == many);
    if (r.steady_cycle == 0)
      continue;
    CHECK(r.samples_timed < sim::Period::most);
    for (size_t n = 0; n < r.finished_ns.size(); ++n)
      CHECK(r.finished_ns[n] == all.finished_ns[n]);
    // From there on, every cycle takes as long, until no more samples come.
    auto cycle = static_cast<size_t>(r.steady_cycle);
    constexpr size_t last = many - 128; // rings hold 24 x 3 rows at most
    for (size_t n = r.finished_ns.size(); n < last; ++n)
      REQUIRE(std::abs(all.finished_ns[n] - all.finished_ns[n - cycle] -
                       r.unthrottled_period_ns * static_cast<double>(cycle)) <
              0.01);
    oscillate += cycle > 1;
    longest = std::max(longest, r.steady_cycle);
  }
  UNSCOPED_INFO(oscillate << " oscillate, the longest cycle is " << longest);
  CHECK(oscillate >= 1);
  CHECK(longest >= 3);
}

TEST_CASE("a run that leaves out cycles is the run") {
  int64_t skipped = 0, drained = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    Program program = pipeline(seed, seed % 3 == 0 ? 24 : 2 + seed % 5);
    Simulator simulator(program);
    for (int64_t samples : {1, 2, 7, 40, 257, 900}) {
      INFO("seed " << seed << ", " << samples << " samples");
      CostReport r = *simulator.time(/*criticalPath=*/false, samples);
      CostReport all =
          *simulator.time(/*criticalPath=*/false, samples, /*skips=*/false);
      REQUIRE(all.samples_simulated == samples);
      CHECK(r.samples_timed == samples);
      CHECK(all.samples_timed == samples);
      skipped += r.samples_simulated < samples;
      CHECK(r.steady_cycle == all.steady_cycle);
      CHECK(r.latency_ns == all.latency_ns);
      CHECK(r.simulated_ns == Approx(all.simulated_ns).epsilon(1e-9));
      CHECK(r.makespan_ns == Approx(all.makespan_ns).epsilon(1e-9));
      CHECK(r.makespan_nj == Approx(all.makespan_nj).epsilon(1e-9));
      CHECK(r.period_ns == Approx(all.period_ns).epsilon(1e-9));
      CHECK(r.energy_nj == Approx(all.energy_nj).epsilon(1e-9));
      CHECK(r.average_power_w == Approx(all.average_power_w).epsilon(1e-9));
      CHECK(r.utilization == Approx(all.utilization).epsilon(1e-9));
      CHECK(r.throttled == all.throttled);
      CHECK(r.macs == all.macs);
      CHECK(r.instructions_executed == all.instructions_executed);
      // The last samples have nothing behind them: what a run takes beyond
      // its first sample is no more than so many periods.
      drained +=
          r.makespan_ns < r.latency_ns + static_cast<double>(samples - 1) *
                                             r.period_ns * (1 - 1e-9);
    }
  }
  CHECK(skipped > 100);
  UNSCOPED_INFO(drained << " runs end earlier than their period says");
  CHECK(drained > 0);
}

TEST_CASE("a million samples in no time") {
  Program program = SmallNetwork().program;
  Simulator simulator(program);
  constexpr int64_t many = 1000000;
  CostReport r = *simulator.time(/*criticalPath=*/false, many);
  CHECK(r.samples_timed == many);
  CHECK(r.samples_simulated < 200);
  CHECK(r.steady_cycle > 0);
  CHECK(r.makespan_ns == Approx(r.period_ns * many).epsilon(1e-4));
  CHECK(r.makespan_nj == Approx(r.energy_nj * many).epsilon(1e-4));
  // Without end there is no such time.
  CHECK(simulator.time()->makespan_ns == 0);
}

TEST_CASE("the power limit stretches a run") {
  Program program = SmallNetwork().program;
  CostReport fast = *Simulator(program).time(/*criticalPath=*/false, 1000);
  program.chip.power.tdp_w =
      (fast.average_power_w + 1.08 * CostModel(program.chip).staticPower()) / 2;
  CostReport slow = *Simulator(program).time(/*criticalPath=*/false, 1000);
  REQUIRE(slow.throttled);
  CHECK(slow.simulated_ns == fast.simulated_ns);
  CHECK(slow.makespan_ns == Approx(slow.period_ns * 1000).epsilon(0.01));
  CHECK(slow.makespan_nj / slow.makespan_ns ==
        Approx(program.chip.power.tdp_w).epsilon(0.01));
}
