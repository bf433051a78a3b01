//===- SetupTests.cpp - what comes before the first sample ----------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Builder.h"
#include "Network.h"

#include "cimc/Sim/SplitSimulator.h"
#include "cimc/Target/CostModel.h"

#include <catch2/catch.hpp>

using namespace cimc;
using namespace cimc::test;

namespace {

constexpr double fullNs = 1024 * 512 / 64 * 3 * 1000.0;
constexpr double fullNj = 1024 * 512 * 0.6;
constexpr int64_t fullBytes = 1024 * 512 / 8;

/// Cores from `first` on, each of which writes so many of its macros in full.
Program writes(uint32_t first, uint32_t cores, int macros) {
  Program p;
  for (uint32_t c = 0; c < cores; ++c) {
    CoreBuilder b(first + c);
    for (int m = 0; m < macros; ++m)
      b.cells(m, 0, 0, 1024, 64, 8, std::vector<int8_t>(1024 * 64, 1));
    p.cores.push_back(b.core);
  }
  return p;
}

SetupCost setupOf(const Program &p) {
  REQUIRE(verify(p));
  return Simulator(p).time()->setup;
}

} // namespace

TEST_CASE(
    "both macros of a core are written at once, with bits from the host") {
  Program p = writes(0, 1, 2);
  SetupCost cost = setupOf(p);
  CHECK(cost.writing_ns == Approx(fullNs));
  CHECK(cost.writing_nj == Approx(2 * fullNj));
  // The second macro's bits follow the first's over the host's link.
  CostModel model(p.chip);
  Cost way = model.transfer(-1, 0, fullBytes);
  double onLink = static_cast<double>(fullBytes) / p.chip.host.gb_per_s;
  CHECK(cost.ns == Approx(way.ns - onLink + onLink + fullNs));
  double rest = 2 * model.withClock(way.nj) + model.staticPower() * cost.ns;
  CHECK(cost.nj == Approx(2 * fullNj + model.withRegulator(rest)));
}

TEST_CASE(
    "a chiplet writes so many macros at once, others do not wait for it") {
  // 20 macros of one chiplet take two turns of 16; of two chiplets one.
  CHECK(setupOf(writes(0, 10, 2)).writing_ns == Approx(2 * fullNs));
  CHECK(setupOf(writes(59, 10, 2)).writing_ns == Approx(fullNs));
  Program one = writes(0, 10, 2);
  one.chip.macro.write_parallel_macros = 1;
  CHECK(setupOf(one).writing_ns == Approx(20 * fullNs));
  // The next one begins when any of those before it is done.
  Program uneven = writes(0, 3, 1);
  uneven.chip.macro.write_parallel_macros = 2;
  for (int c : {1, 2}) {
    CellBlock &block = uneven.cores[c].cells[0];
    block.rows = 512;
    block.weights.resize(512 * 64);
  }
  CHECK(setupOf(uneven).writing_ns == Approx(fullNs));
}

TEST_CASE("the whole card as the cost model foresees it") {
  Program p = writes(0, 512, 2);
  CostModel model(p.chip);
  std::vector<std::vector<int64_t>> all(8,
                                        std::vector<int64_t>(128, 1024 * 512));
  REQUIRE(verify(p));
  CostReport cost = *Simulator(p).time();
  Cost own = model.program(all), fast = model.program(all, WriteProfile::Fast);
  CHECK(cost.setup.writing_ns == Approx(own.ns));
  CHECK(cost.setup.writing_nj == Approx(own.nj));
  CHECK(cost.fast_setup.writing_ns == Approx(fast.ns));
  CHECK(cost.fast_setup.writing_nj == Approx(fast.nj));
  // 64 MB over 16 GB/s take 4.2 ms and are mostly hidden.
  CHECK(cost.fast_setup.ns > fast.ns);
  CHECK(cost.fast_setup.ns < fast.ns + 4.2e6);
}

TEST_CASE("bits that come slower than they are written decide") {
  Program p = writes(0, 1, 1);
  p.chip.host.gb_per_s = 0.001;
  SetupCost cost = setupOf(p);
  CHECK(cost.writing_ns == Approx(fullNs));
  CHECK(cost.ns == Approx(CostModel(p.chip).transfer(-1, 0, fullBytes).ns));
}

TEST_CASE("constants come from DRAM, or from the host where there is none") {
  Program p;
  CoreBuilder b(5);
  std::vector<uint8_t> bytes(1000, 7);
  b.data(bytes.data(), bytes.size());
  p.cores.push_back(b.core);
  CostModel model(p.chip);
  for (int64_t from : {CostModel::dram, CostModel::host}) {
    if (from == CostModel::host)
      p.chip.dram.size_mb = 0;
    Cost way = model.transfer(from, 5, 1000);
    SetupCost cost = setupOf(p);
    CHECK(cost.writing_ns == 0);
    CHECK(cost.writing_nj == 0);
    CHECK(cost.ns == Approx(way.ns));
    double nj = way.nj + model.sramAccess(0, 1000).nj;
    CHECK(cost.nj == Approx(model.withRegulator(model.withClock(nj) +
                                                model.staticPower() * way.ns)));
  }
}

TEST_CASE("a program without weights and constants needs no setup") {
  Program p;
  p.cores.push_back(CoreBuilder(0).core);
  SetupCost cost = setupOf(p);
  CHECK(cost.ns == 0);
  CHECK(cost.nj == 0);
}
