//===- VectorTests.cpp - instructions of the vector unit --------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Builder.h"
#include "Machine.h"

#include "cimc/Support/Numerics.h"

#include <catch2/catch.hpp>

using namespace cimc;
using namespace cimc::test;

namespace {
/// Runs one instruction on one core whose memory the caller fills.
class Bench {
public:
  CoreBuilder b{0};
  std::unique_ptr<sim::State> state;

  void run(const isa::Instruction &instruction,
           const std::vector<uint8_t> &memory) {
    Stream &s = b.stream("test");
    s.instructions.push_back(instruction);
    Program p;
    p.cores.push_back(b.core);
    sim::Machine machine(p);
    state = machine.makeState();
    REQUIRE(state->memory[0].size() >= memory.size());
    std::copy(memory.begin(), memory.end(), state->memory[0].begin());
    REQUIRE(machine.runUntimed(*state));
  }
  template <typename T> T at(uint16_t view, int64_t r, int64_t p, int64_t c) {
    const isa::View &v = b.core.views[view];
    T value;
    std::memcpy(&value,
                state->memory[0].data() + v.address +
                    r % v.slots * v.row_pitch + p * v.pixel_pitch +
                    c * static_cast<int64_t>(sizeof(T)),
                sizeof(T));
    return value;
  }
};
} // namespace

static std::vector<uint8_t> noise(size_t n, unsigned seed = 7) {
  std::mt19937 random(seed);
  std::vector<uint8_t> bytes(n);
  for (uint8_t &b : bytes)
    b = static_cast<uint8_t>(random());
  return bytes;
}

TEST_CASE("depthwise pads, strides and wraps around its ring") {
  for (int multiplier : {1, 2}) {
    Bench t;
    uint16_t src = t.b.buffer({9, 7, 5}, I8, 4, -3);
    uint16_t dst = t.b.buffer({1, 4, 5 * multiplier}, I32, 1);
    isa::Depthwise r;
    r.src = src;
    r.dst = dst;
    r.src_row = constant(4); // input rows 7, 8 and the padding below
    r.window = t.b.window(3, 3, 2, 1);
    r.weights = t.b.allocate(9 * 5 * multiplier);
    t.b.buffer({1, 1, 1}, I8, 1);
    std::vector<uint8_t> memory = noise(t.b.nextAddress - 16);
    t.run(r, memory);
    for (int p = 0; p < 4; ++p)
      for (int c = 0; c < 5 * multiplier; ++c) {
        int32_t sum = 0;
        for (int k = 0; k < 9; ++k) {
          int row = 7 + k / 3, x = 2 * p - 1 + k % 3;
          int value = -3;
          if (row < 9 && x >= 0 && x < 7)
            value = int8_t(memory[row % 4 * 35 + x * 5 + c / multiplier]);
          sum += value * int8_t(memory[r.weights + k * 5 * multiplier + c]);
        }
        CHECK(t.at<int32_t>(dst, 0, p, c) == sum);
      }
  }
}

TEST_CASE("a maximum ignores what lies outside") {
  Bench t;
  uint16_t src = t.b.buffer({3, 3, 2}, I8, 3, 127);
  uint16_t dst = t.b.buffer({2, 2, 2}, I8, 2);
  isa::MaxPool r;
  r.src = src;
  r.dst = dst;
  r.dst_row = constant(1);
  r.window = t.b.window(2, 2, 2, 1);
  std::vector<uint8_t> memory(32, 0x80); // -128 everywhere
  memory[0] = 0xf0;                      // row 0, pixel 0, channel 0: -16
  t.run(r, memory);
  CHECK(t.at<int8_t>(dst, 1, 0, 0) == -16);
  CHECK(t.at<int8_t>(dst, 1, 0, 1) == -128);
  CHECK(t.at<int8_t>(dst, 1, 1, 0) == -128);
}

TEST_CASE("an average divides by what it saw, or by the whole window") {
  for (bool whole : {false, true}) {
    Bench t;
    uint16_t src = t.b.buffer({2, 2, 1}, U8, 2);
    uint16_t dst = t.b.buffer({1, 1, 1}, U8, 1);
    isa::AvgPool r;
    r.src = src;
    r.dst = dst;
    r.window = t.b.window(2, 2, 1, 1);
    r.scale_in = r.scale_out = 0.5f;
    r.zero_in = 10;
    r.zero_out = 20;
    r.include_pad = whole;
    t.run(r, {50});
    CHECK(t.at<uint8_t>(dst, 0, 0, 0) == (whole ? 30 : 60));
  }
}

TEST_CASE("sums over rows, of sums, and fills") {
  Bench t;
  uint16_t src = t.b.buffer({1, 3, 2}, U8, 1);
  uint16_t dst = t.b.buffer({1, 1, 2}, I32, 1);
  isa::RowSum r;
  r.src = src;
  r.dst = dst;
  r.clear = 1;
  std::vector<uint8_t> memory = {1, 2, 3, 4, 250, 6};
  memory.resize(24, 9);
  t.run(r, memory);
  CHECK(t.at<int32_t>(dst, 0, 0, 0) == 254);
  CHECK(t.at<int32_t>(dst, 0, 0, 1) == 12);

  Bench f;
  uint16_t real = f.b.buffer({2, 1, 3}, F32, 2);
  isa::Fill fill;
  fill.dst = real;
  fill.dst_row = constant(1);
  float half = 0.5f;
  std::memcpy(&fill.value, &half, 4);
  f.run(fill, {});
  CHECK(f.at<float>(real, 1, 0, 2) == 0.5f);
  CHECK(f.at<float>(real, 0, 0, 2) == 0.0f);
}

TEST_CASE("dimensions of 1 are broadcast") {
  Bench t;
  uint16_t a = t.b.buffer({1, 2, 3}, U8, 1);
  uint16_t b = t.b.buffer({1, 1, 3}, U8, 1);
  uint16_t dst = t.b.buffer({5, 2, 3}, U8, 5);
  isa::AddQ r;
  r.a = a;
  r.b = b;
  r.dst = dst;
  r.a_row = r.b_row = r.dst_row = constant(4); // a and b have one row
  r.ra = r.rb = 1;
  r.high = 255;
  std::vector<uint8_t> memory(32);
  for (int i = 0; i < 6; ++i)
    memory[i] = static_cast<uint8_t>(i);
  for (int i = 0; i < 3; ++i)
    memory[16 + i] = static_cast<uint8_t>(100 * i);
  t.run(r, memory);
  for (int p = 0; p < 2; ++p)
    for (int c = 0; c < 3; ++c)
      CHECK(t.at<uint8_t>(dst, 4, p, c) == p * 3 + c + 100 * c);
}

TEST_CASE("move transposes through a padded view") {
  Bench t;
  uint16_t src = t.b.buffer({2, 3, 1}, U8, 2);
  uint16_t dst = t.b.buffer({3, 2, 1}, U8, 3);
  for (isa::View *v : {&t.b.core.views[dst]}) {
    v->pixel_pitch = 2;
    v->row_pitch = 8;
  }
  t.b.allocate(32);
  isa::Pattern p;
  p.element_bytes = 1;
  p.count0 = p.count1 = p.count2 = p.count3 = 1;
  p.count4 = 2;
  p.count5 = 3;
  p.src4 = 3;
  p.src5 = 1;
  p.dst4 = 1;
  p.dst5 = 2;
  t.b.core.patterns.push_back(p);
  isa::Move r;
  r.src = src;
  r.dst = dst;
  t.run(r, {1, 2, 3, 4, 5, 6});
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 2; ++j)
      CHECK(t.at<uint8_t>(dst, i, j, 0) == 1 + j * 3 + i);
}

TEST_CASE("products of activations subtract zero points") {
  for (bool transposed : {false, true}) {
    Bench t;
    constexpr int batch = 2, m = 3, k = 4, n = 5;
    uint16_t a = t.b.buffer({batch * m, 1, k}, U8, batch * m);
    uint16_t b =
        t.b.buffer({batch * (transposed ? n : k), 1, transposed ? k : n}, I8,
                   batch * (transposed ? n : k));
    uint16_t dst = t.b.buffer({batch * m, 1, n}, I32, batch * m);
    isa::Matmul r;
    r.a = a;
    r.b = b;
    r.dst = dst;
    r.batch = batch;
    r.m = m;
    r.k = k;
    r.n = n;
    r.transpose_b = transposed;
    r.za = 7;
    r.zb = -2;
    std::vector<uint8_t> memory = noise(t.b.core.views[dst].address);
    t.run(r, memory);
    const uint8_t *right = memory.data() + t.b.core.views[b].address;
    for (int i = 0; i < batch * m; ++i)
      for (int j = 0; j < n; ++j) {
        int32_t sum = 0;
        for (int x = 0; x < k; ++x) {
          int at = i / m * k * n + (transposed ? j * k + x : x * n + j);
          sum += (memory[i * k + x] - 7) * (int8_t(right[at]) + 2);
        }
        CHECK(t.at<int32_t>(dst, i, 0, j) == sum);
      }
  }
}

TEST_CASE("functions and softmax in fp32") {
  Bench t;
  uint16_t a = t.b.buffer({1, 2, 3}, F32, 1);
  uint16_t dst = t.b.buffer({1, 2, 3}, F32, 1);
  isa::Map r;
  r.function = static_cast<uint8_t>(numerics::Function::Clip);
  r.a = r.b = a;
  r.dst = dst;
  r.alpha = -1;
  r.beta = 2;
  std::vector<float> x = {-5, 0.5f, 9, -0.25f, 2, 1};
  std::vector<uint8_t> memory(24);
  std::memcpy(memory.data(), x.data(), 24);
  t.run(r, memory);
  for (int i = 0; i < 6; ++i)
    CHECK(t.at<float>(dst, 0, i / 3, i % 3) ==
          std::min(std::max(x[i], -1.0f), 2.0f));

  Bench s;
  s.b.buffer({1, 2, 3}, F32, 1);
  s.b.buffer({1, 2, 3}, F32, 1);
  isa::SoftmaxF32 softmax;
  softmax.src = 0;
  softmax.dst = 1;
  s.run(softmax, memory);
  for (int p = 0; p < 2; ++p) {
    float sum = 0;
    for (int c = 0; c < 3; ++c)
      sum += s.at<float>(1, 0, p, c);
    CHECK(sum == Approx(1.0f));
  }
}
