//===- CostModelTest.cpp - figures of the reference chip ------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Target/CostModel.h"
#include "cimc/Target/LinkNames.h"

#include <catch2/catch.hpp>

using namespace cimc;

static const ChipSpec card;
static const CostModel model(card);
static const double cycle = 2; // ns at 500 MHz

TEST_CASE("a full-height product takes 132 cycles, 128 in steady state") {
  CHECK(model.mvm(1, 1024, 64, 1, 8, 8, 1).ns == Approx(132 * cycle));
  CHECK(model.mvm(1000, 1024, 64, 1, 8, 8, 1).ns ==
        Approx((128 * 1000 + 4) * cycle));
  // 64 vectors on one macro: 8,192 array cycles.
  CHECK(model.mvm(64, 1024, 64, 1, 8, 8, 1).ns - 4 * cycle ==
        Approx(8192 * cycle));
  // Time depends on rows in groups, not on columns, macros or R.
  CHECK(model.mvm(1, 1, 1, 1, 8, 8, 1).ns == Approx(12 * cycle));
  CHECK(model.mvm(1, 64, 1, 1, 8, 8, 1).ns == Approx(12 * cycle));
  CHECK(model.mvm(1, 65, 128, 2, 8, 8, 1).ns == Approx(20 * cycle));
  CHECK(model.mvm(7, 1024, 64, 1, 8, 8, 4).ns == Approx((7 * 128 + 4) * cycle));
  // 16-bit inputs are two passes.
  CHECK(model.mvm(1, 1024, 64, 1, 8, 16, 1).ns == Approx(260 * cycle));
}

TEST_CASE("a row group's read is hidden from 5 input bits on") {
  auto group = [&](int64_t bits) {
    return (model.mvm(1, 1024, 64, 1, 8, bits, 1).ns - 4 * cycle) / 16;
  };
  CHECK(group(1) == Approx(10));
  CHECK(group(4) == Approx(10));
  CHECK(group(5) == Approx(10));
  CHECK(group(6) == Approx(12));
  // Serving two vectors hides it sooner.
  CHECK(model.mvm(2, 64, 64, 1, 8, 3, 2).ns == Approx(12 + 4 * cycle));
}

TEST_CASE("peak throughput") {
  CHECK(card.peakTops() == Approx(524.288));
  CHECK(card.peakTops() / static_cast<double>(card.macros()) == Approx(0.512));
  CHECK(card.weightBytes() == 64.0 * 1024 * 1024);
}

TEST_CASE("power of the card at its peak, by reads per vector") {
  // The 10.4 W and 12.3 W for movement, clocks and rest are the reference's.
  double macs = 262.144e12;
  auto power = [&](double read, int64_t reuse) {
    ChipSpec chip = card;
    chip.macro.read_fj_per_bit = read;
    CostModel m(chip);
    int64_t vectors = 64;
    Cost cost = m.mvm(vectors, 1024, 64, 1, 8, 8, reuse);
    double joulePerMac = cost.nj * 1e-9 / (vectors * 1024.0 * 64);
    return m.withRegulator(macs * joulePerMac + 10.4 + 12.3);
  };
  struct Row {
    double read;
    double watts[4];
  };
  for (const Row &row :
       {Row{10, {73.4, 62.5, 56.8, 54.0}}, Row{30, {118.7, 85.1, 68.1, 59.6}},
        Row{100, {277, 164, 108, 79.5}}})
    for (int i = 0; i < 4; ++i) {
      INFO(row.read << " fJ/bit, R = " << (1 << i));
      CHECK(power(row.read, 1 << i) == Approx(row.watts[i]).epsilon(0.005));
    }
}

namespace {
/// A convolution as its matrix: output pixels, window elements, channels.
struct Layer {
  int64_t pixels, depth, columns;
};
} // namespace

/// ResNet-18 and ResNet-50 (the stride on the 3x3, v1.5) at 224 x 224.
static std::vector<Layer> resnet(bool bottleneck) {
  std::vector<Layer> layers = {{112 * 112, 147, 64}};
  const int64_t blocks18[] = {2, 2, 2, 2}, blocks50[] = {3, 4, 6, 3};
  int64_t in = 64, size = 56;
  for (int stage = 0; stage < 4; ++stage) {
    int64_t width = INT64_C(64) << stage, out = bottleneck ? 4 * width : width;
    for (int64_t b = 0; b < (bottleneck ? blocks50 : blocks18)[stage]; ++b) {
      int64_t before = size;
      if (stage > 0 && b == 0)
        size /= 2;
      if (bottleneck) {
        layers.push_back({before * before, in, width});
        layers.push_back({size * size, 9 * width, width});
        layers.push_back({size * size, width, out});
      } else {
        layers.push_back({size * size, 9 * in, width});
        layers.push_back({size * size, 9 * width, width});
      }
      if (in != out)
        layers.push_back({size * size, in, out});
      in = out;
    }
  }
  layers.push_back({1, in, 1000});
  return layers;
}

TEST_CASE("array cycles of whole networks are those of ZigZag 3.9.1") {
  // One macro, one tile after the other, R = 1.
  auto cycles = [&](const std::vector<Layer> &layers) {
    double total = 0;
    for (const Layer &l : layers)
      for (int64_t k = 0; k < l.depth; k += 1024)
        for (int64_t n = 0; n < l.columns; n += 64) {
          Cost cost =
              model.mvm(l.pixels, std::min<int64_t>(1024, l.depth - k),
                        std::min<int64_t>(64, l.columns - n), 1, 8, 8, 1);
          total += cost.ns / cycle - 4;
        }
    return total;
  };
  CHECK(cycles(resnet(false)) == Approx(3613696).epsilon(1e-9));
  CHECK(cycles(resnet(true)) == Approx(8061440).epsilon(1e-3));
}

TEST_CASE("one product lies inside the bracket of 28 nm INT8 silicon") {
  // digital CIM macros at 28 nm: 54.6 to 102.6 fJ; calibrated to +-30 %.
  CHECK(card.macro.mac_fj > 54.6);
  CHECK(card.macro.mac_fj < 102.6);
  // Adder tree, AND gates, accumulator, register, pipeline.
  CHECK(59.6 + 4.5 + 10.2 + 5.1 + 13.2 ==
        Approx(card.macro.mac_fj).margin(0.2));
}

TEST_CASE("partial sums beyond the file are charged") {
  // R = 8 fits the file. Of 16, half go to memory: 3 bytes each way per output
  // and row group.
  double fits = model.mvm(16, 1024, 64, 1, 8, 8, 8).nj;
  double beyond = model.mvm(16, 1024, 64, 1, 8, 8, 16).nj;
  double saved = 1024 * 64 * 8 * 30e-6; // one read of all cells
  CHECK(beyond - fits == Approx(8 * 64 * 16 * 6 * 1e-3 - saved));
  // The shallower the file, the more goes to memory.
  ChipSpec shallow = card;
  shallow.macro.partial_sum_depth = 1;
  CostModel m(shallow);
  double spill = (m.mvm(64, 1024, 64, 1, 8, 8, 64).nj -
                  model.mvm(64, 1024, 64, 1, 8, 8, 64).nj) /
                 (1024 * 64 * 64) * 1e6;
  CHECK(spill == Approx(7.0 / 64 * 6 * 1000 / 64).epsilon(1e-6));
}

TEST_CASE("energy of one product") {
  // R = 1: 92.7 fJ and 8 bits read at 30 fJ.
  double macs = 1024 * 64;
  CHECK(model.mvm(1, 1024, 64, 1, 8, 8, 1).nj ==
        Approx(macs * (92.7 + 240) * 1e-6));
  // 4-bit weights switch and are read half as much.
  CHECK(model.mvm(1, 1024, 128, 1, 4, 8, 1).nj ==
        Approx(2 * macs * (46.35 + 120) * 1e-6));
  // With a register file for one vector alone, R > 1 costs more than it saves
  // at 10 fJ per bit.
  ChipSpec shallow = card;
  shallow.macro.partial_sum_depth = 1;
  shallow.macro.read_fj_per_bit = 10;
  CostModel m(shallow);
  CHECK(m.mvm(64, 1024, 64, 1, 8, 8, 8).nj >
        m.mvm(64, 1024, 64, 1, 8, 8, 1).nj);
  // No sum crosses a group where there is one group only.
  CHECK(m.mvm(64, 64, 64, 1, 8, 8, 8).nj < m.mvm(64, 64, 64, 1, 8, 8, 1).nj);
  CHECK(model.mvm(0, 64, 64, 1, 8, 8, 1).ns == 0);
}

TEST_CASE("writing the card") {
  double cells = 1024 * 512;
  CHECK(model.program(1024 * 512).ns == Approx(cells / 64 * 3000));
  CHECK(model.program(1).ns == Approx(3000));
  std::vector<std::vector<int64_t>> all(8,
                                        std::vector<int64_t>(128, 1024 * 512));
  Cost cost = model.program(all);
  CHECK(cost.ns * 1e-9 == Approx(0.20).epsilon(0.02));
  CHECK(cost.nj * 1e-9 == Approx(0.32).epsilon(0.02));
  // The faster write of the same cells.
  ChipSpec fast = card;
  fast.macro.write_pulse_ns = 120;
  fast.macro.write_pj_per_bit = 64;
  cost = CostModel(fast).program(all);
  CHECK(cost.ns * 1e-6 == Approx(23.6).epsilon(0.01));
  CHECK(cost.nj * 1e-6 == Approx(34).epsilon(0.02));
}

TEST_CASE("vector instructions") {
  CHECK(model.vector(64, false).ns == Approx(5 * cycle));
  CHECK(model.vector(65, false).ns == Approx(6 * cycle));
  CHECK(model.vector(17, true).ns == Approx(6 * cycle));
  CHECK(model.vector(64, false).nj == Approx(0.032));
  CHECK(model.vector(64, true).nj == Approx(0.128));
}

TEST_CASE("memory is the core's, then the tile's") {
  CHECK(model.sramAccess(0, 100).nj == Approx(0.1));
  CHECK(model.sramAccess(32 * 1024, 100).nj == Approx(0.3));
  CHECK(model.sramAccess(32 * 1024 - 50, 100).nj == Approx(0.2));
}

TEST_CASE("cores are numbered chiplet by chiplet, tile by tile") {
  CorePosition p = model.position(card.cores() - 1);
  CHECK(p.chiplet == 7);
  CHECK(p.chipletRow == 1);
  CHECK(p.chipletColumn == 3);
  CHECK(p.tile == 15);
  CHECK(p.tileRow == 3);
  CHECK(p.tileColumn == 3);
  CHECK(p.core == 3);
  CHECK(model.position(4).tile == 1);
  CHECK(model.position(64).chiplet == 1);
}

TEST_CASE("moving bytes") {
  CHECK(model.transfer(5, 5, 1000).ns == 0);
  // Same tile: one router. 16 bytes a cycle at 1 GHz.
  CHECK(model.transfer(0, 1, 160).ns == Approx(1 + 2 + 10));
  CHECK(model.transfer(0, 1, 161).ns == Approx(1 + 2 + 11));
  CHECK(model.transfer(0, 1, 160).nj == Approx(160 * 8 * 0.25e-3));
  // Tile 0 to tile 5 of a chiplet: one right, one down.
  CHECK(model.transfer(0, 20, 160).ns == Approx(1 + 4 + 10));
  CHECK(model.transfer(0, 20, 160).nj == Approx(160 * 8 * 0.5e-3));
  CHECK(model.transfer(20, 0, 160).ns == model.transfer(0, 20, 160).ns);
  // Chiplet 0 to 5: over two edges, 10 ns each, and six links of the meshes.
  CHECK(model.transfer(0, 64 * 5, 160).ns == Approx(1 + 12 + 20 + 10));
  // The host's link of 16 GB/s.
  CHECK(model.transfer(-1, 0, 16000).ns == Approx(500 + 3 + 1000));
  CHECK(model.transfer(20, -1, 16).ns == Approx(500 + 1 + 4 + 1));
}

TEST_CASE("a route is the ports, the mesh, and the edges of chiplets") {
  auto speeds = [](int64_t from, int64_t to) {
    std::vector<double> result;
    for (const Link &link : model.route(from, to)) {
      CHECK(link.id >= 0);
      CHECK(link.id < model.links());
      result.push_back(link.gbPerS);
    }
    return result;
  };
  CHECK(model.route(5, 5).empty());
  CHECK(speeds(0, 1) == std::vector<double>{16, 16});
  CHECK(speeds(-1, 4) == std::vector<double>{16, 16, 16});
  // Tile 3, at the right edge, to tile 0 of the next chiplet.
  CHECK(speeds(12, 64) == std::vector<double>{16, 64, 16});
  // The rows of tiles have links of their own, and share those of the edge.
  auto upper = model.route(12, 64), lower = model.route(28, 80);
  REQUIRE(lower.size() == 3);
  CHECK(upper[1].id == lower[1].id);
  auto left = model.route(0, 4), below = model.route(16, 20);
  REQUIRE(below.size() == 3);
  CHECK(left[1].id != below[1].id);
  // The way back has its own.
  CHECK(model.route(4, 0)[1].id != left[1].id);
}

TEST_CASE("links have names") {
  auto names = [](int64_t from, int64_t to) {
    std::vector<std::string> result;
    for (const Link &link : model.route(from, to))
      result.push_back(linkName(card, link.id));
    return result;
  };
  CHECK(names(-1, 20) ==
        std::vector<std::string>{"host out", "chiplet 0 tile 0 east",
                                 "chiplet 0 tile 1 south", "core 20 in"});
  CHECK(names(64, 12) == std::vector<std::string>{"core 64 out",
                                                  "chiplet 1 edge west",
                                                  "core 12 in"});
  CHECK(names(0, -1) == std::vector<std::string>{"core 0 out", "host in"});
}

TEST_CASE("power at rest") {
  CHECK(model.staticPower() == Approx(8 * 0.6 + 3));
  CHECK(model.withClock(100) == Approx(115));
}
