//===- MemoryTests.cpp - banks and DRAM -------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Network.h"
#include "Timing.h"

#include "cimc/Sim/Simulator.h"
#include "cimc/Target/CostModel.h"

#include <catch2/catch.hpp>

#include <numeric>

using namespace cimc;
using namespace cimc::test;

namespace {

/// Cycles by bank; 16 banks of the core, then 32 of the tile, 32 bytes each.
std::vector<double> cycles(const sim::BankLoad &load) {
  std::vector<double> result = load.ns();
  for (double &ns : result)
    ns /= 2;
  return result;
}

/// A stream on each core of `cores`; what it does is in `emit`, with a row of
/// 4096 bytes at `address`, which is sent to the host at last.
template <typename Emit>
Program rows(const std::vector<uint32_t> &cores, uint32_t address, Emit emit) {
  Program p;
  for (uint32_t core : cores) {
    CoreBuilder b(core);
    b.nextAddress = address;
    uint16_t row = b.buffer({1, 64, 64}, U8, 1);
    uint32_t out = addChannel(p, -1, 0, 4096, 1, 1);
    addIO(p, ("y" + std::to_string(core)).c_str(), true, DType::U8, {4096}, {0},
          {out});
    Stream &s = b.stream("row");
    emit(s, row, core);
    emitSend(s, out, row, constant(0), 64);
    p.cores.push_back(b.core);
  }
  return p;
}

isa::Fill fill(uint16_t row, int value) {
  isa::Fill r;
  r.dst = row;
  r.value = value;
  return r;
}
isa::Store store(uint16_t row, int line) {
  isa::Store r;
  r.src = row;
  r.line = constant(line);
  return r;
}
isa::Load load(uint16_t row, int line) {
  isa::Load r;
  r.dst = row;
  r.line = constant(line);
  return r;
}

/// Fills, stores and loads the row; 64 lines a core.
void throughDram(Stream &s, uint16_t row, uint32_t core) {
  int line = static_cast<int>(core) * 64;
  s.instructions = {fill(row, 7), store(row, line), fill(row, 1),
                    load(row, line)};
}

} // namespace

TEST_CASE("accesses are spread over banks") {
  ChipSpec chip;
  {
    sim::BankLoad banks(chip, 0);
    CHECK(banks.ns().empty());
    banks.add(0, 1024);
    CHECK(cycles(banks) == std::vector<double>(16, 2));
  }
  {
    // Bytes 30 to 65 lie in three words.
    sim::BankLoad banks(chip, 0);
    banks.add(30, 36);
    CHECK(cycles(banks) == std::vector<double>{1, 1, 1});
  }
  {
    // 16 pieces a row of banks apart: the shift keeps them in different banks.
    sim::BankLoad banks(chip, 0);
    banks.add(0, 512, 32, 16, 1);
    CHECK(cycles(banks) == std::vector<double>(16, 1));
  }
  {
    // Pieces of one word are one access of it: 8 bytes of every 16.
    sim::BankLoad banks(chip, 0);
    banks.add(0, 16, 8, 8, 1);
    CHECK(cycles(banks) == std::vector<double>{1, 1, 1, 1});
  }
  {
    // 15 words apart they meet in a few.
    sim::BankLoad banks(chip, 0);
    banks.add(0, 15 * 32, 32, 15, 2);
    std::vector<double> c = cycles(banks);
    CHECK(std::accumulate(c.begin(), c.end(), 0.0) == 30);
    CHECK(*std::max_element(c.begin(), c.end()) >= 28);
  }
  {
    // Half in the core's own memory, half in its part of the tile's, for core 1
    // from 64 KB on.
    sim::BankLoad banks(chip, 1);
    banks.add(chip.coreBytes() - 64, 128);
    std::vector<double> c = cycles(banks);
    CHECK(std::accumulate(c.begin(), c.begin() + 16, 0.0) == 2);
    CHECK(std::accumulate(c.begin() + 16, c.end(), 0.0) == 2);
  }
}

TEST_CASE("a memory with one narrow bank decides the time") {
  auto tenFills = [](Stream &s, uint16_t row, uint32_t) {
    s.instructions.assign(10, fill(row, 3));
  };
  Program p = rows({0}, 0, tenFills);
  // 64 cycles and 4 of latency each.
  CHECK((*Simulator(p).time()).layers[0].busy_ns >= 10 * 68 * 2);
  p.chip.core.sram_banks = 1;
  p.chip.core.sram_bank_bytes = 4;
  // 1024 words each; sending reads them once more.
  CostReport slow = *Simulator(p).time();
  CHECK(slow.latency_ns >= 11 * 1024 * 2 - 2);
  CHECK(slow.latency_ns <= 11 * 1024 * 2 + 2000);
}

TEST_CASE("cores of a tile share its memory") {
  auto fills = [](Stream &s, uint16_t row, uint32_t) {
    s.instructions.assign(10, fill(row, 3));
  };
  // In the tile's part of memory: 1024 words of 4 bytes, two banks.
  auto latency = [&](const std::vector<uint32_t> &cores) {
    Program p = rows(cores, 32768, fills);
    p.chip.tile.sram_banks = 2;
    p.chip.tile.sram_bank_bytes = 4;
    return (*Simulator(p).time()).latency_ns;
  };
  double alone = latency({0}), apart = latency({0, 4}),
         together = latency({0, 1});
  CHECK(apart < alone + 1000);
  CHECK(together > 1.8 * alone);
}

TEST_CASE("rows come back from DRAM") {
  Program p = rows({0, 5, 64}, 0, throughDram);
  Status status = verify(p);
  INFO((status ? std::string() : status.error().message));
  REQUIRE(status);
  Simulator simulator(p);
  for (int sample = 0; sample < 2; ++sample) {
    auto y = simulator.run({});
    REQUIRE(y);
    REQUIRE(y->size() == 3);
    for (const HostTensor &t : *y)
      CHECK(t.data == TensorBytes(4096, std::byte{7}));
  }
  // Every sample finds zeros.
  Program early = rows({0}, 0, [](Stream &s, uint16_t row, uint32_t) {
    s.instructions = {fill(row, 7), load(row, 9), store(row, 9), fill(row, 5),
                      store(row, 9)};
    s.instructions.push_back(load(row, 9));
    s.instructions[3] = load(row, 9);
  });
  Simulator again(early);
  for (int sample = 0; sample < 3; ++sample) {
    auto y = again.run({});
    REQUIRE(y);
    CHECK((*y)[0].data == TensorBytes(4096, std::byte{0}));
  }
}

TEST_CASE("DRAM takes its time and energy") {
  Program p = rows({0}, 0, throughDram);
  CostModel model(p.chip);
  // A chiplet has an eighth of 102.4 GB/s: 320 ns for 4096 bytes, and 100 ns.
  Cost there = model.transfer(0, CostModel::dram, 4096);
  Cost back = model.transfer(CostModel::dram, 0, 4096);
  CHECK(there.ns == Approx(100 + 320 + 1 + 2));
  CHECK(back.ns == Approx(there.ns));
  CHECK(there.nj == Approx(4096 * 8 * (5 + 0.25) * 1e-3));
  CostReport r = *Simulator(p).time();
  CHECK(r.energy_by_component_nj.at("dram") == Approx(2 * 4096 * 8 * 5e-3));
  Program without = rows({0}, 0, [](Stream &s, uint16_t row, uint32_t) {
    s.instructions = {fill(row, 7), fill(row, 1)};
  });
  CostReport less = *Simulator(without).time();
  CHECK(less.energy_by_component_nj.at("dram") == 0);
  // What was stored is there before it is loaded; meanwhile the second fill,
  // of 136 ns, is done.
  CHECK(r.latency_ns - less.latency_ns >= there.ns + back.ns - 136);
  CHECK(r.latency_ns - less.latency_ns <= there.ns + 2 * back.ns);
  // Cores of a chiplet share its DRAM, those of two do not.
  double shared = (*Simulator(rows({0, 5}, 0, throughDram)).time()).latency_ns;
  double apart = (*Simulator(rows({0, 64}, 0, throughDram)).time()).latency_ns;
  CHECK(shared >= r.latency_ns + 300);
  CHECK(apart < shared - 200);
}

TEST_CASE("DRAM has links of its own") {
  ChipSpec chip;
  CostModel model(chip);
  // Core 70 is in tile 1 of chiplet 1; its DRAM is at tile 0.
  std::vector<Link> way = model.route(70, CostModel::dram);
  REQUIRE(way.size() == 3);
  CHECK(way.back().network == Link::Dram);
  CHECK(way.back().gbPerS == Approx(12.8));
  CHECK(way.back().id == model.links() - chip.chiplets() + 1);
  CHECK(model.route(CostModel::dram, 70).front().id == way.back().id);
}

TEST_CASE("traces show memories") {
  Program p = rows({0}, 32768, throughDram);
  Result<std::string> trace = Simulator(p).trace();
  REQUIRE(trace);
  for (const char *track : {"memories of tiles", "\"tile 0\"", "chiplet 0 dram",
                            "row store", "row load"})
    CHECK(trace->find(track) != std::string::npos);
  Result<std::string> own = Simulator(rows({0}, 0, throughDram)).trace();
  REQUIRE(own);
  CHECK(own->find("\"memory\"") != std::string::npos);
  CHECK(own->find("memories of tiles") == std::string::npos);
}

TEST_CASE("programs that misuse DRAM are refused") {
  auto message = [](const Program &p) {
    Status status = verify(p);
    return status ? std::string("accepted") : status.error().message;
  };
  auto beyond = [&](int line) {
    return message(rows({0}, 0, [&](Stream &s, uint16_t row, uint32_t) {
      s.instructions = {store(row, line)};
    }));
  };
  // 16 GB are 2^28 lines; a row takes 64.
  CHECK(beyond((1 << 28) - 64) == "accepted");
  CHECK_THAT(
      beyond((1 << 28) - 63),
      Catch::Contains("instruction 0 (store): 4096 bytes from line "
                      "268435393 to 268435393 on, but the chip has 16384 "
                      "MB of DRAM, lines 0 to 268435455"));
  CHECK_THAT(beyond(-1), Catch::Contains("from line -1 to -1 on"));
  CHECK_THAT(message(rows({0, 9}, 0,
                          [](Stream &s, uint16_t row, uint32_t core) {
                            s.instructions = {store(row, core ? 63 : 0)};
                          })),
             Catch::Contains("core 9, stream 0 ('row'): bytes 4032 to 8127 of "
                             "DRAM overlap bytes 0 to 4095, which belong to "
                             "core 0, stream 0 ('row')"));
}
