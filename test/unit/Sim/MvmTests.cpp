//===- MvmTests.cpp - mvm fast and bit plane by bit plane -------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Builder.h"
#include "Machine.h"

#include <catch2/catch.hpp>

using namespace cimc;
using namespace cimc::test;

namespace {
struct Case {
  Shape in;
  int kernelRows, kernelPixels, stride, pad, dilation, bits, columns;
  int kBegin, kSize, cellRow, column;
  uint8_t type;
  int64_t outPixels;
  int row, pixel, count;
};
} // namespace

// Instrumented code is an order of magnitude slower.
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
constexpr int macros = 1000;
#else
constexpr int macros = 10000;
#endif

TEST_CASE("mvm equals its definition, also as bit planes, on random macros") {
  std::mt19937 random(3);
  auto pick = [&](int low, int high) {
    return low + static_cast<int>(random() % (high - low + 1));
  };
  for (int round = 0; round < macros; ++round) {
    Case c;
    c.in = {pick(1, 7), pick(1, 12), pick(1, 40)};
    c.kernelRows = pick(1, 4);
    c.kernelPixels = pick(1, 4);
    c.stride = pick(1, 3);
    c.pad = pick(0, 2);
    c.dilation = pick(1, 2);
    c.bits = pick(1, 8);
    constexpr uint8_t types[] = {I8, U8, U8, I16, U16};
    c.type = types[random() % 5];
    Program p;
    p.chip.macro.active_rows = pick(1, 100);
    p.chip.macro.columns = 256;
    int64_t depth = c.kernelRows * c.kernelPixels * c.in.channels;
    c.kBegin = pick(0, static_cast<int>(depth) - 1);
    c.kSize = pick(1, static_cast<int>(depth) - c.kBegin);
    c.cellRow = pick(0, static_cast<int>(p.chip.macro.rows) - c.kSize);
    c.column = pick(0, 3);
    // Up to two macros.
    int perMacro = 256 / c.bits - c.column;
    c.columns = pick(1, std::min(2 * perMacro, 150));
    c.row = pick(0, 4);
    c.pixel = pick(0, 3);
    c.count = pick(1, 17);

    CoreBuilder b(0);
    uint16_t src = b.buffer(c.in, c.type, c.in.rows, pick(-3, 120));
    // A pixel pitch with a gap, sometimes.
    if (random() & 1) {
      isa::View &v = b.core.views[src];
      v.pixel_pitch += 8;
      v.row_pitch = v.pixel_pitch * v.pixels;
      b.allocate(v.row_pitch * v.slots);
    }
    uint16_t window =
        b.window(c.kernelRows, c.kernelPixels, c.stride, c.pad, c.dilation);
    uint16_t dst = b.buffer({1, c.count, c.columns}, I32, 1);
    std::vector<int8_t> weights =
        randomWeights(random, int64_t{c.kSize} * c.columns, c.bits);
    for (int first = 0, m = 0; first < c.columns; first += perMacro, ++m) {
      int n = std::min(perMacro, c.columns - first);
      std::vector<int8_t> part(int64_t{c.kSize} * n);
      for (int k = 0; k < c.kSize; ++k)
        for (int i = 0; i < n; ++i)
          part[k * n + i] = weights[k * c.columns + first + i];
      b.cells(m, c.cellRow, c.column, c.kSize, n, c.bits, part);
    }
    isa::Mvm mvm;
    mvm.macros = c.columns > perMacro ? 3 : 1;
    mvm.columns = static_cast<uint16_t>(c.columns);
    mvm.cell_row = static_cast<uint16_t>(c.cellRow);
    mvm.column = static_cast<uint16_t>(c.column);
    mvm.weight_bits = static_cast<uint8_t>(c.bits);
    mvm.src = src;
    mvm.window = window;
    mvm.k_begin = static_cast<uint32_t>(c.kBegin);
    mvm.k_size = static_cast<uint16_t>(c.kSize);
    mvm.dst = dst;
    mvm.row = constant(c.row);
    mvm.dst_row = constant(0);
    mvm.pixel = constant(c.pixel);
    mvm.count = static_cast<uint32_t>(c.count);
    mvm.end = static_cast<uint32_t>(c.pixel + c.count);
    mvm.reuse = static_cast<uint8_t>(pick(1, 20));
    mvm.accumulate = random() & 1;
    Stream &s = b.stream("conv");
    s.instructions.push_back(mvm);
    emitHalt(s);
    p.cores.push_back(b.core);

    sim::Machine machine(p);
    std::unique_ptr<sim::State> state = machine.makeState();
    for (uint8_t &x : state->memory[0])
      x = static_cast<uint8_t>(random());
    const std::vector<uint8_t> before(state->memory[0].begin(),
                                      state->memory[0].end());

    // By the definition.
    const isa::View &v = b.core.views[src], &d = b.core.views[dst];
    int size = c.type < I16 ? 1 : 2;
    auto expected = before;
    for (int x = 0; x < c.count; ++x)
      for (int n = 0; n < c.columns; ++n) {
        uint32_t sum = 0;
        uint8_t *out = expected.data() + d.address + x * d.pixel_pitch + n * 4;
        if (mvm.accumulate)
          std::memcpy(&sum, out, 4);
        for (int i = 0; i < c.kSize; ++i) {
          int64_t k = c.kBegin + i, tap = k / c.in.channels;
          int64_t r =
              c.row * c.stride - c.pad + tap / c.kernelPixels * c.dilation;
          int64_t q = (c.pixel + x) * c.stride - c.pad +
                      tap % c.kernelPixels * c.dilation;
          int64_t value = v.pad;
          if (c.type == U8)
            value &= 0xff;
          if (c.type == U16)
            value &= 0xffff;
          if (r >= 0 && r < c.in.rows && q >= 0 && q < c.in.pixels) {
            const uint8_t *e = before.data() + v.address + r * v.row_pitch +
                               q * v.pixel_pitch + k % c.in.channels * size;
            value = c.type == I8    ? int8_t(e[0])
                    : c.type == U8  ? e[0]
                    : c.type == U16 ? e[0] + 256 * e[1]
                                    : e[0] + 256 * int8_t(e[1]);
          }
          sum += static_cast<uint32_t>(value * weights[i * c.columns + n]);
        }
        std::memcpy(out, &sum, 4);
      }

    for (int mode = 0; mode < 4; ++mode) {
      INFO("round " << round << " mode " << mode);
      if (mode < 3) {
        auto isa = static_cast<HostIsa>(mode);
        if (isa > bestHostIsa())
          continue;
        machine.setHost(isa);
      }
      state->bitPlanes = mode == 3;
      std::copy(before.begin(), before.end(), state->memory[0].begin());
      machine.restart(*state);
      REQUIRE(machine.runUntimed(*state));
      REQUIRE(std::vector<uint8_t>(state->memory[0].begin(),
                                   state->memory[0].end()) == expected);
    }
  }
}
