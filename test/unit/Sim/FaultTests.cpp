//===- FaultTests.cpp - running with faults, and wear ---------------------===//
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

static TensorBytes outputOf(const Simulator &simulator, const HostTensor &input,
                            bool bitPlanes = false) {
  RunOptions options;
  options.bitPlanes = bitPlanes;
  auto outputs = simulator.run({input}, options);
  REQUIRE(outputs);
  return (*outputs)[0].data;
}

TEST_CASE("with faults, fast and bit planes still agree") {
  SmallNetwork net;
  std::mt19937 random(5);
  HostTensor input = randomTensor(random, DType::U8, {1, 3, 8, 9});
  auto right = outputOf(Simulator(net.program), input);
  FaultModel faults;
  faults.stuck0 = faults.stuck1 = 0.01;
  faults.raw = 0.01;
  faults.transient = 0.001;
  faults.seed = 4;
  Simulator broken(net.program, faults);
  auto wrong = outputOf(broken, input);
  CHECK(wrong != right);
  CHECK(outputOf(broken, input, true) == wrong);
  // Also in time, whatever ran before.
  CostReport report;
  outputOf(broken, randomTensor(random, DType::U8, {1, 3, 8, 9}));
  auto timed = broken.runTimed({input}, report);
  REQUIRE(timed);
  CHECK((*timed)[0].data == wrong);
  CHECK(broken.faultReport().macros == 2);
  CHECK(broken.faultReport().macrosWrong == 2);
  CHECK(broken.faultReport().bitsWrong > 0);
  CHECK(broken.faultReport().rawErrors > 0);
  CHECK(report.latency_ns == Simulator(net.program).time()->latency_ns);
  // Another die.
  faults.seed = 5;
  CHECK(outputOf(Simulator(net.program, faults), input) != wrong);
}

TEST_CASE("a repaired program computes what a sound chip does") {
  SmallNetwork net;
  std::mt19937 random(5);
  HostTensor input = randomTensor(random, DType::U8, {1, 3, 8, 9});
  auto right = outputOf(Simulator(net.program), input);
  FaultModel faults;
  faults.stuck0 = faults.stuck1 = 0.01;
  CHECK(outputOf(Simulator(net.program, faults), input) != right);
  RepairReport repaired = repair(net.program, faults);
  CHECK(repaired.macrosDefective == 2);
  CHECK(repaired.macrosRepaired == 2);
  Simulator mended(net.program, faults);
  CHECK(mended.faultReport().bitsWrong == 0);
  CHECK(outputOf(mended, input) == right);
}

/// Products of `vectors` x `depth` u8 or i8 inputs with `weights`.
static Program products(int depth, int columns, int vectors, int reuse,
                        DType type, int bits,
                        const std::vector<int8_t> &weights) {
  Program p;
  CoreBuilder b(0);
  uint32_t in = b.allocate(depth * vectors);
  addChannel(p, 0, in, depth * vectors, 1, 1);
  addChannel(p, -1, 0, columns * vectors * 4, 1, 1);
  addIO(p, "x", false, type, {vectors, depth}, {0, 1}, {0});
  addIO(p, "y", true, DType::I32, {vectors, columns}, {0, 1}, {1});
  b.cells(0, 0, 0, depth, columns, bits, weights);
  isa::Mvm mvm;
  mvm.macros = 1;
  mvm.columns = static_cast<uint16_t>(columns);
  mvm.weight_bits = static_cast<uint8_t>(bits);
  mvm.src = b.view(in, {1, vectors, depth}, type == DType::U8 ? U8 : I8, 1);
  mvm.window = b.window(1, 1, 1, 0);
  mvm.k_size = static_cast<uint16_t>(depth);
  mvm.dst = b.buffer({1, vectors, columns}, I32, 1);
  mvm.count = mvm.end = static_cast<uint32_t>(vectors);
  mvm.reuse = static_cast<uint8_t>(reuse);
  Stream &s = b.stream("dense");
  emitWait(s, 0, constant(1));
  s.instructions.push_back(mvm);
  emitFree(s, 0, constant(1));
  emitSend(s, 1, mvm.dst, constant(0), static_cast<uint32_t>(columns * 4));
  emitHalt(s);
  p.cores.push_back(b.core);
  return p;
}

TEST_CASE("when every bit flips in every read, weights are complements") {
  std::mt19937 random(9);
  for (DType type : {DType::U8, DType::I8})
    for (int bits : {1, 4, 8}) {
      const int depth = 70, columns = 9, vectors = 5;
      std::vector<int8_t> weights =
          randomWeights(random, depth * columns, bits);
      Program p = products(depth, columns, vectors, 3, type, bits, weights);
      REQUIRE(verify(p));
      HostTensor x = randomTensor(random, type, {vectors, depth});
      FaultModel faults;
      faults.transient = 1;
      auto y = Simulator(p, faults).run({x});
      REQUIRE(y);
      for (int v = 0; v < vectors; ++v)
        for (int c = 0; c < columns; ++c) {
          int32_t sum = 0;
          for (int k = 0; k < depth; ++k) {
            int value = type == DType::U8 ? x.as<uint8_t>()[v * depth + k]
                                          : x.as<int8_t>()[v * depth + k];
            sum += value * (-1 - weights[k * columns + c]);
          }
          CHECK((*y)[0].as<int32_t>()[v * columns + c] == sum);
        }
    }
}

TEST_CASE("single errors of reading are corrected, in sound words") {
  std::mt19937 random(9);
  const int depth = 1000, columns = 64, vectors = 16;
  std::vector<int8_t> weights = randomWeights(random, depth * columns, 8);
  Program p = products(depth, columns, vectors, 4, DType::U8, 8, weights);
  HostTensor x = randomTensor(random, DType::U8, {vectors, depth});
  auto right = outputOf(Simulator(p), x);
  FaultModel faults;
  faults.transient = 1e-5; // about 20 flips in 2 million reads of bits
  CHECK(outputOf(Simulator(p, faults), x) != right);
  p.chip.macro.secded_word_bits = 64;
  CHECK(outputOf(Simulator(p, faults), x) == right);
  // Words that a defect has used up do not help any more.
  faults.stuck0 = faults.stuck1 = 0.05;
  CHECK(outputOf(Simulator(p, faults), x) != right);
}

TEST_CASE("wear counts reads of the cell read most, and what rewrites it") {
  std::vector<int8_t> weights(1024 * 64, 1);
  Program p = products(1024, 64, 16, 4, DType::U8, 8, weights);
  CostReport cost = *Simulator(p).time();
  CHECK(cost.reads_per_cell == 4);
  CHECK(cost.setup.writing_ns == Approx(1024 * 512 / 64 * 3000.0));
  CHECK(cost.fast_setup.writing_ns == Approx(1024 * 512 / 64 * 360.0));
  CHECK(cost.fast_setup.writing_nj == Approx(1024 * 512 * 0.064));
  // 1000 samples a second: 1.26e11 reads a year, 7.9 years to 1e12.
  Wear wear = wearAt(p.chip, cost, 1000);
  CHECK(wear.reads_per_cell_year == Approx(4000 * 365.25 * 86400));
  CHECK(wear.reads_limit);
  CHECK(wear.refresh_years == Approx(7.922).epsilon(0.001));
  CHECK(wear.warn_years == Approx(7922).epsilon(0.001));
  CHECK(wear.lifetime_years == Approx(79220).epsilon(0.001));
  // Seldom read: retention decides.
  wear = wearAt(p.chip, cost, 1);
  CHECK(!wear.reads_limit);
  CHECK(wear.refresh_years == 10);
  CHECK(wearAt(p.chip, cost, 0).refresh_years == 10);
}
