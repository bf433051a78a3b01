//===- EnergyTests.cpp - energy by the activity of data ---------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Network.h"

#include "cimc/Sim/Simulator.h"

#include <catch2/catch.hpp>

using namespace cimc;
using namespace cimc::test;

namespace {

CostReport run(const Program &p, const std::vector<uint8_t> &values,
               bool activity = true) {
  HostTensor x(DType::U8, p.ios[0].shape);
  REQUIRE(values.size() == x.data.size());
  std::memcpy(x.data.data(), values.data(), values.size());
  CostReport report;
  REQUIRE(Simulator(p).runTimed({x}, report, activity));
  return report;
}

double mac(const CostReport &report) {
  return report.energy_by_component_nj.at("array_mac");
}

/// One vector of 64 inputs, all equal.
CostReport patternOf(uint8_t input, int8_t weight) {
  return run(oneMvm(64, 8, 1, 1, weight), std::vector<uint8_t>(64, input));
}

} // namespace

TEST_CASE("what switches follows from the bits") {
  double constant = mac(*Simulator(oneMvm(64, 8, 1)).time());
  CHECK(constant == Approx(64 * 8 * 92.7e-6));
  double fraction = ChipSpec().macro.mac_switching_fraction;
  CHECK(fraction * 92.7 == Approx(59.6 + 4.5).epsilon(1e-3));
  struct Case {
    uint8_t input;
    int8_t weight;
    double switching;
  };
  // Bits enter from the lowest on, after a 0; gates follow where the weight's
  // bit is 1.
  for (Case c :
       {Case{0x00, -1, 0}, Case{0x55, -1, 1}, Case{0x55, 1, 1 / 8.0},
        Case{0x55, 0, 0}, Case{0xff, -1, 1 / 8.0}, Case{0x33, -1, 1 / 2.0},
        Case{0xaa, -1, 7 / 8.0}, Case{0x33, 0x55, 1 / 4.0}}) {
    CostReport r = patternOf(c.input, c.weight);
    CHECK(r.array_switching == Approx(c.switching));
    CHECK(mac(r) ==
          Approx(constant * (1 - fraction + fraction * c.switching / 0.25)));
  }
  CostReport worst = patternOf(0x55, -1);
  CHECK(mac(worst) == Approx(64 * 8 * 1e-6 * (28.6 + 4 * 64.1)).epsilon(1e-3));
}

TEST_CASE("the order of vectors and row groups counts") {
  // Ones, then zeros: all inputs of the first vector are 255, of the second 0.
  auto switching = [](int depth, int reuse) {
    std::vector<uint8_t> x(2 * depth);
    std::fill_n(x.begin(), depth, uint8_t{255});
    return run(oneMvm(depth, 8, 2, reuse, -1), x).array_switching;
  };
  // One row group: up at the start, down with the second vector.
  CHECK(switching(64, 1) == Approx(2 / 16.0));
  CHECK(switching(64, 2) == Approx(2 / 16.0));
  // Two: the second group finds the lines where the first left them, or, with
  // both vectors for each group, where the second vector did.
  CHECK(switching(128, 1) == Approx(2 / 32.0));
  CHECK(switching(128, 2) == Approx(4 / 32.0));
}

TEST_CASE("random data cost what the constants assume") {
  std::mt19937 random(11);
  Program p = oneMvm(1024, 64, 32, 4);
  for (int8_t &w : p.cores[0].cells[0].weights)
    w = static_cast<int8_t>(random());
  std::vector<uint8_t> x(32 * 1024);
  for (uint8_t &v : x)
    v = static_cast<uint8_t>(random());
  CostReport r = run(p, x), constants = run(p, x, false);
  CHECK(r.array_switching == Approx(0.25).epsilon(0.01));
  CHECK(constants.array_switching == 0.25);
  CHECK(mac(r) == Approx(mac(constants)).epsilon(0.01));
  // Time never depends on data, nor does any other component.
  CHECK(r.latency_ns == constants.latency_ns);
  CHECK(r.period_ns == constants.period_ns);
  for (const char *name : {"array_read", "array_sums", "sram", "noc", "host"})
    CHECK(r.energy_by_component_nj.at(name) ==
          constants.energy_by_component_nj.at(name));
}

TEST_CASE("data that make everything toggle meet the power limit") {
  std::vector<uint8_t> x(64 * 1024, 0x55);
  Program p = oneMvm(1024, 64, 64, 1, -1);
  double usual = run(p, x, false).average_power_w;
  CostReport hot = run(p, x);
  CHECK_FALSE(hot.throttled);
  CHECK(hot.average_power_w > usual);
  p.chip.power.tdp_w = (usual + hot.average_power_w) / 2;
  CHECK_FALSE(run(p, x, false).throttled);
  CostReport limited = run(p, x);
  CHECK(limited.throttled);
  CHECK(limited.period_ns > limited.unthrottled_period_ns);
  CHECK(limited.average_power_w == Approx(p.chip.power.tdp_w));
}
