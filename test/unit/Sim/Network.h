//===- Network.h - a small network by hand ----------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_TEST_UNIT_SIM_NETWORK_H
#define CIMC_TEST_UNIT_SIM_NETWORK_H

#include "Builder.h"

#include "cimc/Support/Numerics.h"

#include <algorithm>

namespace cimc::test {

/// u8 [1, 3, 8, 9] -> 3x3 convolution to 16 channels, computed as two halves
/// on core 0 -> on core 70 (another chiplet): x + table[x] -> 2x2 maximum ->
/// u8 [1, 16, 4, 4].
struct SmallNetwork {
  static constexpr int rows = 8, pixels = 9, channels = 3, outputs = 16;
  static constexpr int depth = 27, half = 8;
  static constexpr float ra = 0.5f, rb = 0.75f, f = 1.5f;
  static constexpr int pad = 7;
  Program program;
  std::vector<int8_t> weights;
  std::vector<int32_t> bias;
  std::vector<float> multiplier;
  std::array<uint8_t, 256> table;

  explicit SmallNetwork(int ringSlots = 3) {
    std::mt19937 random(4);
    weights = randomWeights(random, depth * outputs, 8);
    for (int c = 0; c < outputs; ++c) {
      bias.push_back(static_cast<int32_t>(random() % 2000));
      multiplier.push_back(0.001f * static_cast<float>(1 + c));
    }
    for (uint8_t &t : table)
      t = static_cast<uint8_t>(random());

    CoreBuilder a(0), b(70);
    uint32_t in = a.allocate(ringSlots * pixels * channels);
    uint32_t joined = b.allocate(2 * pixels * outputs);
    uint32_t looked = b.allocate(pixels * outputs);
    uint32_t added = b.allocate(2 * pixels * outputs);
    addChannel(program, 0, in, pixels * channels, ringSlots, rows, 1, 2);
    addChannel(program, 70, joined, pixels * outputs, 2, rows, 2, 2);
    addChannel(program, 70, looked, pixels * outputs, 1, rows);
    addChannel(program, 70, added, pixels * outputs, 2, rows);
    addChannel(program, -1, 0, 4 * outputs, 2, rows / 2);
    addIO(program, "x", false, DType::U8, {1, channels, rows, pixels},
          {0, 2, 3, 1}, {0});
    addIO(program, "y", true, DType::U8, {1, outputs, rows / 2, 4},
          {0, 2, 3, 1}, {4});

    uint16_t src = a.view(in, {rows, pixels, channels}, U8, ringSlots, pad);
    uint16_t window = a.window(3, 3, 1, 1);
    for (int h = 0; h < 2; ++h) {
      uint16_t sums = a.buffer({1, pixels, half}, I32, 1);
      uint16_t bytes = a.buffer({1, pixels, half}, U8, 1);
      std::vector<int8_t> part;
      for (int k = 0; k < depth; ++k)
        for (int c = 0; c < half; ++c)
          part.push_back(weights[k * outputs + h * half + c]);
      a.cells(h, 100, 2, depth, half, 8, part);
      std::vector<uint8_t> constants(half * 8);
      for (int c = 0; c < half; ++c) {
        std::memcpy(&constants[c * 8], &bias[h * half + c], 4);
        std::memcpy(&constants[c * 8 + 4], &multiplier[h * half + c], 4);
      }
      auto consumer = static_cast<uint16_t>(h);
      Stream &s = a.stream("conv");
      emitLoop(s, rows);
      emitWait(s, 0, affine(2, 1), consumer);
      isa::Mvm mvm;
      mvm.macros = static_cast<uint8_t>(1 << h);
      mvm.columns = half;
      mvm.cell_row = 100;
      mvm.column = 2;
      mvm.weight_bits = 8;
      mvm.src = src;
      mvm.window = window;
      mvm.k_size = depth;
      mvm.dst = sums;
      mvm.row = affine(0, 1);
      mvm.count = mvm.end = pixels;
      mvm.reuse = 1;
      s.instructions.push_back(mvm);
      isa::Requantize r;
      r.src = sums;
      r.dst = bytes;
      r.count = pixels;
      r.constants = a.data(constants.data(), constants.size());
      r.zero = 3;
      r.low = 0;
      r.high = 255;
      s.instructions.push_back(r);
      emitFree(s, 0, affine(0, 1), consumer);
      emitSend(s, 1, bytes, constant(0), outputs,
               static_cast<uint32_t>(h * half), consumer);
      emitNext(s);
      emitFree(s, 0, constant(rows), consumer);
      emitHalt(s);
    }

    uint16_t x = b.view(joined, {rows, pixels, outputs}, U8, 2);
    uint16_t t = b.view(looked, {rows, pixels, outputs}, U8, 1);
    uint16_t sum = b.view(added, {rows, pixels, outputs}, U8, 2);
    {
      Stream &s = b.stream("table");
      isa::Lookup r;
      r.src = x;
      r.dst = t;
      r.src_row = r.dst_row = affine(0, 1);
      r.table = b.data(table.data(), table.size());
      emitLoop(s, rows);
      emitWait(s, 1, affine(1, 1), 0);
      emitAcquire(s, 2);
      s.instructions.push_back(r);
      emitPost(s, 2);
      emitFree(s, 1, affine(1, 1), 0);
      emitNext(s);
      emitHalt(s);
    }
    {
      Stream &s = b.stream("add");
      isa::AddQ r;
      r.a = x;
      r.b = t;
      r.dst = sum;
      r.a_row = r.b_row = r.dst_row = affine(0, 1);
      r.ra = ra;
      r.rb = rb;
      r.f = f;
      r.low = 0;
      r.high = 255;
      emitLoop(s, rows);
      emitWait(s, 1, affine(1, 1), 1);
      emitWait(s, 2, affine(1, 1));
      emitAcquire(s, 3);
      s.instructions.push_back(r);
      emitPost(s, 3);
      emitFree(s, 1, affine(1, 1), 1);
      emitFree(s, 2, affine(1, 1));
      emitNext(s);
      emitHalt(s);
    }
    {
      Stream &s = b.stream("pool");
      uint16_t out = b.buffer({1, 4, outputs}, U8, 1);
      isa::MaxPool r;
      r.src = sum;
      r.dst = out;
      r.src_row = affine(0, 1);
      r.window = b.window(2, 2, 2, 0);
      emitLoop(s, rows / 2);
      emitWait(s, 3, affine(2, 2));
      s.instructions.push_back(r);
      emitFree(s, 3, affine(2, 2));
      emitSend(s, 4, out, constant(0), outputs);
      emitNext(s);
      emitHalt(s);
    }
    program.cores.push_back(a.core);
    program.cores.push_back(b.core);
  }

  HostTensor expected(const HostTensor &input) const {
    std::vector<int32_t> y(rows * pixels * outputs);
    numerics::Range range{0, 255};
    for (int r = 0; r < rows; ++r)
      for (int p = 0; p < pixels; ++p)
        for (int c = 0; c < outputs; ++c) {
          int32_t acc = bias[c];
          for (int k = 0; k < depth; ++k) {
            int in = k % 3, i = r - 1 + k / 9, j = p - 1 + k / 3 % 3;
            int value = pad;
            if (i >= 0 && i < rows && j >= 0 && j < pixels)
              value = input.as<uint8_t>()[(in * rows + i) * pixels + j];
            acc += value * weights[k * outputs + c];
          }
          int32_t q = numerics::requantize(acc, multiplier[c], 3, range);
          y[(r * pixels + p) * outputs + c] =
              numerics::add(q, table[q], {ra, rb, f}, range);
        }
    HostTensor out(DType::U8, {1, outputs, rows / 2, 4});
    for (int c = 0; c < outputs; ++c)
      for (int r = 0; r < rows / 2; ++r)
        for (int p = 0; p < 4; ++p) {
          int32_t top = 0;
          for (int t = 0; t < 4; ++t)
            top = std::max(
                top,
                y[((2 * r + t / 2) * pixels + 2 * p + t % 2) * outputs + c]);
          out.as<uint8_t>()[(c * rows / 2 + r) * 4 + p] =
              static_cast<uint8_t>(top);
        }
    return out;
  }
};

/// The host sends one row to core 0; one mvm; one row back.
/// All weights are `weight`.
inline Program oneMvm(int depth, int columns, int vectors, int reuse = 1,
                      int8_t weight = 1) {
  Program p;
  CoreBuilder b(0);
  uint32_t in = b.allocate(depth * vectors);
  addChannel(p, 0, in, depth * vectors, 1, 1);
  addChannel(p, -1, 0, columns * vectors * 4, 1, 1);
  addIO(p, "x", false, DType::U8, {vectors, depth}, {0, 1}, {0});
  addIO(p, "y", true, DType::I32, {vectors, columns}, {0, 1}, {1});
  b.cells(0, 0, 0, depth, columns, 8,
          std::vector<int8_t>(static_cast<size_t>(depth) * columns, weight));
  isa::Mvm mvm;
  mvm.macros = 1;
  mvm.columns = static_cast<uint16_t>(columns);
  mvm.weight_bits = 8;
  mvm.src = b.view(in, {1, vectors, depth}, U8, 1);
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

} // namespace cimc::test

#endif // CIMC_TEST_UNIT_SIM_NETWORK_H
