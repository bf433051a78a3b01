//===- Mvm.cpp - the mvm instruction ----------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include <algorithm>
#include <cstring>

namespace cimc::sim {

/// Copies pixels [first, first + count) of one row as adjacent bytes, byte
/// `byte` of each element xor `flip`; pixels outside are `pad`.
static void copyRow(const RowKernels &kernels, const isa::View &src,
                    const uint8_t *row, int64_t first, int64_t count,
                    int64_t byte, uint8_t flip, uint8_t pad, uint8_t *out) {
  int64_t channels = src.channels, size = elementBytes(src.type);
  int64_t begin = std::clamp<int64_t>(-first, 0, count);
  int64_t end = std::clamp<int64_t>(int64_t{src.pixels} - first, begin, count);
  if (!row)
    begin = end = count;
  std::memset(out, pad, begin * channels);
  std::memset(out + end * channels, pad, (count - end) * channels);
  if (begin == end)
    return;
  const uint8_t *from = row + (first + begin) * src.pixel_pitch;
  uint8_t *to = out + begin * channels;
  if (size == 1) {
    bool dense = src.pixel_pitch == src.channels;
    int64_t runs = dense ? 1 : end - begin;
    int64_t length = dense ? (end - begin) * channels : channels;
    for (int64_t i = 0; i < runs; ++i) {
      if (flip)
        kernels.flipSign(from, to, length);
      else
        std::memcpy(to, from, length);
      from += src.pixel_pitch;
      to += channels;
    }
    return;
  }
  for (int64_t p = begin; p < end; ++p, from += src.pixel_pitch)
    for (int64_t c = 0; c < channels; ++c)
      *to++ = from[c * size + byte] ^ flip;
}

void executeMvm(const Machine &machine, State &state, const StreamInfo &stream,
                const isa::Mvm &record, const MvmPlan &plan,
                const StreamState &at) {
  int64_t pixels = mvmPixels(record, at);
  if (pixels == 0)
    return;
  const CoreInfo &core = machine.cores[stream.core];
  uint8_t *memory = state.memory[stream.core].data();
  const isa::View &src = core.views[record.src];
  const isa::View &dst = core.views[record.dst];
  const isa::Window &window = core.windows[record.window];
  int64_t size = elementBytes(src.type);
  int64_t channels = src.channels;
  int64_t firstRow =
      evaluate(record.row, at) * window.stride_rows - window.pad_rows;
  int64_t firstPixel =
      evaluate(record.pixel, at) * window.stride_pixels - window.pad_pixels;
  int64_t needed = (pixels - 1) * window.stride_pixels + plan.pixelsRead;
  bool isSigned = isSignedType(src.type);

  Gemm gemm;
  gemm.tile = plan.tile.get();
  gemm.pixels = pixels;
  gemm.out = memory + dst.address +
             evaluate(record.dst_row, at) % dst.slots * dst.row_pitch;
  gemm.outPitch = dst.pixel_pitch;
  gemm.accumulate = record.accumulate;

  auto rowAt = [&](int64_t kernelRow) -> const uint8_t * {
    int64_t r = firstRow + kernelRow * window.dilation_rows;
    if (r < 0 || r >= src.rows)
      return nullptr;
    return memory + src.address + r % src.slots * src.row_pitch;
  };

  // In place: unsigned bytes that lie as the kernel wants them.
  bool inPlace = src.type == VU8 && firstPixel >= 0 &&
                 firstPixel + needed <= src.pixels &&
                 (src.pixel_pitch == src.channels || window.kernel_pixels == 1);
  if (inPlace)
    for (const Segment &s : plan.segments)
      inPlace &= rowAt(s.kernelRow) != nullptr;
  state.pointers.clear();
  if (inPlace) {
    for (const Segment &s : plan.segments)
      state.pointers.push_back(rowAt(s.kernelRow) +
                               (firstPixel + s.pixel) * src.pixel_pitch +
                               s.channel);
    gemm.segments = state.pointers.data();
    gemm.pixelStride = int64_t{window.stride_pixels} * src.pixel_pitch;
    machine.gemm(gemm);
    return;
  }

  // One pass for each byte of the elements. The highest byte of a signed type
  // is signed: 128 is added and its effect subtracted again.
  gemm.pixelStride = int64_t{window.stride_pixels} * channels;
  int64_t rowBytes = needed * channels;
  int64_t firstKernelRow = plan.segments.front().kernelRow;
  int64_t kernelRows = plan.segments.back().kernelRow - firstKernelRow + 1;
  state.rows.resize(kernelRows * rowBytes + 64);
  for (int64_t byte = 0; byte < size; ++byte) {
    bool top = byte == size - 1;
    uint8_t flip = top && isSigned ? 0x80 : 0;
    auto pad = static_cast<uint8_t>((src.pad >> (8 * byte)) & 0xff);
    for (int64_t i = 0; i < kernelRows; ++i)
      copyRow(*machine.kernels, src, rowAt(firstKernelRow + i), firstPixel,
              needed, byte, flip, pad ^ flip, state.rows.data() + i * rowBytes);
    state.pointers.clear();
    for (const Segment &s : plan.segments)
      state.pointers.push_back(state.rows.data() +
                               (s.kernelRow - firstKernelRow) * rowBytes +
                               s.pixel * channels + s.channel);
    gemm.segments = state.pointers.data();
    gemm.offsetInputs = flip != 0;
    if (byte == 0) {
      machine.gemm(gemm);
      continue;
    }
    Gemm high = gemm;
    state.integers.resize(pixels * plan.tile->columns);
    high.out = reinterpret_cast<uint8_t *>(state.integers.data());
    high.outPitch = plan.tile->columns * 4;
    high.accumulate = false;
    machine.gemm(high);
    for (int64_t p = 0; p < pixels; ++p) {
      auto *out =
          reinterpret_cast<UnalignedU32 *>(gemm.out + p * gemm.outPitch);
      for (int64_t c = 0; c < plan.tile->columns; ++c)
        out[c] +=
            static_cast<uint32_t>(state.integers[p * plan.tile->columns + c])
            << (8 * byte);
    }
  }
}

uint32_t mvmInput(const CoreInfo &core, const uint8_t *memory,
                  const isa::Mvm &record, const StreamState &at, int64_t pixel,
                  int64_t k) {
  const isa::View &src = core.views[record.src];
  const isa::Window &window = core.windows[record.window];
  int64_t size = elementBytes(src.type);
  int64_t channel = k % src.channels, tap = k / src.channels;
  int64_t r = evaluate(record.row, at) * window.stride_rows - window.pad_rows +
              tap / window.kernel_pixels * window.dilation_rows;
  int64_t x = (evaluate(record.pixel, at) + pixel) * window.stride_pixels -
              window.pad_pixels +
              tap % window.kernel_pixels * window.dilation_pixels;
  if (r < 0 || r >= src.rows || x < 0 || x >= src.pixels)
    return static_cast<uint32_t>(src.pad);
  uint32_t value = 0;
  std::memcpy(&value,
              memory + src.address + r % src.slots * src.row_pitch +
                  x * src.pixel_pitch + channel * size,
              size);
  return value;
}

//===----------------------------------------------------------------------===//
// As the arrays do it
//===----------------------------------------------------------------------===//

/// Words of a row group's bit vector.
static int64_t groupWords(const ChipSpec &chip) {
  return (chip.macro.active_rows + 63) / 64;
}

static void buildPlanes(const Machine &machine, const CoreInfo &core,
                        const isa::Mvm &record, const MvmPlan &plan) {
  const ChipSpec &chip = machine.program.chip;
  int64_t words = groupWords(chip), active = chip.macro.active_rows;
  int64_t groups = (record.k_size + active - 1) / active;
  auto columns = static_cast<int64_t>(plan.columns.size());
  int64_t bits = record.weight_bits;
  plan.planes.assign(groups * columns * bits * words, 0);
  for (int64_t c = 0; c < columns; ++c) {
    auto [macro, column] = plan.columns[c];
    if (macro >= core.macros.size())
      continue;
    for (int64_t k = 0; k < record.k_size; ++k)
      for (int64_t b = 0; b < bits; ++b)
        if (core.macros[macro].bit(record.cell_row + k, column * bits + b))
          plan.planes[(((k / active) * columns + c) * bits + b) * words +
                      k % active / 64] |= uint64_t{1} << (k % active % 64);
  }
}

void executeMvmBitPlanes(const Machine &machine, State &state,
                         const StreamInfo &stream, const isa::Mvm &record,
                         const MvmPlan &plan, const StreamState &at) {
  const CoreInfo &core = machine.cores[stream.core];
  std::call_once(plan.planesOnce,
                 [&] { buildPlanes(machine, core, record, plan); });
  const isa::View &src = core.views[record.src];
  const isa::View &dst = core.views[record.dst];
  uint8_t *memory = state.memory[stream.core].data();
  const ChipSpec &chip = machine.program.chip;
  int64_t words = groupWords(chip), active = chip.macro.active_rows;
  int64_t size = elementBytes(src.type), inputBits = size * 8;
  auto columns = static_cast<int64_t>(plan.columns.size());
  int64_t pixels = mvmPixels(record, at);
  std::vector<uint32_t> sums(columns);
  std::vector<uint64_t> inputs(inputBits * words);
  for (int64_t p = 0; p < pixels; ++p) {
    std::fill(sums.begin(), sums.end(), 0);
    for (int64_t begin = 0; begin < record.k_size; begin += active) {
      int64_t rows = std::min<int64_t>(active, record.k_size - begin);
      // The group's inputs as bit planes.
      std::fill(inputs.begin(), inputs.end(), 0);
      for (int64_t i = 0; i < rows; ++i) {
        uint32_t value =
            mvmInput(core, memory, record, at, p, record.k_begin + begin + i);
        for (int64_t b = 0; b < inputBits; ++b)
          inputs[b * words + i / 64] |= uint64_t{value >> b & 1} << (i % 64);
      }
      const uint64_t *group = plan.planes.data() + begin / active * columns *
                                                       record.weight_bits *
                                                       words;
      for (int64_t b = 0; b < inputBits; ++b)
        for (int64_t c = 0; c < columns; ++c) {
          uint32_t sum = 0;
          for (int64_t w = 0; w < record.weight_bits; ++w) {
            const uint64_t *plane =
                group + (c * record.weight_bits + w) * words;
            uint32_t ones = 0;
            for (int64_t i = 0; i < words; ++i)
              ones += static_cast<uint32_t>(
                  __builtin_popcountll(plane[i] & inputs[b * words + i]));
            bool sign = w == record.weight_bits - 1;
            sum += sign ? 0u - (ones << w) : ones << w;
          }
          bool sign = isSignedType(src.type) && b == inputBits - 1;
          sums[c] += sign ? 0u - (sum << b) : sum << b;
        }
    }
    auto *out = reinterpret_cast<UnalignedU32 *>(memory + dst.address +
                                                 evaluate(record.dst_row, at) %
                                                     dst.slots * dst.row_pitch +
                                                 p * dst.pixel_pitch);
    for (int64_t c = 0; c < columns; ++c)
      out[c] = record.accumulate ? out[c] + sums[c] : sums[c];
  }
}

//===----------------------------------------------------------------------===//
// Activity
//===----------------------------------------------------------------------===//

static void countOnes(const CoreInfo &core, const isa::Mvm &record,
                      const MvmPlan &plan) {
  plan.ones.assign(record.k_size, 0);
  for (auto [macro, column] : plan.columns) {
    if (macro >= core.macros.size())
      continue;
    for (int64_t k = 0; k < record.k_size; ++k)
      for (int64_t b = 0; b < record.weight_bits; ++b)
        plan.ones[k] += core.macros[macro].bit(record.cell_row + k,
                                               column * record.weight_bits + b);
  }
}

double switchedGates(const Machine &machine, const State &state,
                     const StreamInfo &stream, const isa::Mvm &record,
                     const MvmPlan &plan, const StreamState &at) {
  const CoreInfo &core = machine.cores[stream.core];
  std::call_once(plan.onesOnce, [&] { countOnes(core, record, plan); });
  const uint8_t *memory = state.memory[stream.core].data();
  int64_t active = machine.program.chip.macro.active_rows;
  int64_t inputBits = elementBytes(core.views[record.src].type) * 8;
  int64_t pixels = mvmPixels(record, at);
  int64_t reuse = std::max<int64_t>(record.reuse, 1);
  uint32_t mask = inputBits >= 32 ? ~0u : (1u << inputBits) - 1;
  std::vector<uint32_t> before(std::min<int64_t>(active, record.k_size));
  double switched = 0;
  for (int64_t first = 0; first < pixels; first += reuse)
    for (int64_t group = 0; group < record.k_size; group += active) {
      int64_t rows = std::min<int64_t>(active, record.k_size - group);
      for (int64_t p = first; p < std::min(first + reuse, pixels); ++p)
        for (int64_t i = 0; i < rows; ++i) {
          uint32_t value = mask & mvmInput(core, memory, record, at, p,
                                           record.k_begin + group + i);
          uint32_t toggles = (value ^ (value << 1 | before[i])) & mask;
          before[i] = value >> (inputBits - 1) & 1;
          switched += static_cast<double>(__builtin_popcount(toggles) *
                                          plan.ones[group + i]);
        }
    }
  double gates = static_cast<double>(plan.columns.size()) *
                 static_cast<double>(record.weight_bits) *
                 static_cast<double>(record.k_size);
  double cycles = static_cast<double>(inputBits * pixels);
  return gates * cycles > 0 ? switched / (gates * cycles) : 0;
}

} // namespace cimc::sim
