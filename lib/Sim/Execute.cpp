//===- Execute.cpp - row operations and windows -----------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Executor.h"

#include <algorithm>
#include <cmath>

namespace cimc::sim {

namespace {
template <size_t N>
void copyEach(uint8_t *to, int64_t toPitch, const uint8_t *from,
              int64_t fromPitch, int64_t count) {
  for (; count > 0; --count, to += toPitch, from += fromPitch) {
    uint8_t piece[N];
    std::memcpy(piece, from, N);
    std::memcpy(to, piece, N);
  }
}
} // namespace

/// Moves `count` pieces of `bytes` bytes, in order; they may overlap. Common
/// sizes need no call for each piece.
static void movePieces(uint8_t *to, int64_t toPitch, const uint8_t *from,
                       int64_t fromPitch, int64_t bytes, int64_t count) {
  switch (bytes) {
  case 16:
    return copyEach<16>(to, toPitch, from, fromPitch, count);
  case 32:
    return copyEach<32>(to, toPitch, from, fromPitch, count);
  case 64:
    return copyEach<64>(to, toPitch, from, fromPitch, count);
  case 128:
    return copyEach<128>(to, toPitch, from, fromPitch, count);
  default:
    for (; count > 0; --count, to += toPitch, from += fromPitch)
      std::memmove(to, from, bytes);
  }
}

void Executor::operator()(const isa::Send &r) {
  const ChannelInfo &channel = machine.channels[op.channel];
  uint32_t next = state.channels[op.channel].produced[op.port];
  uint8_t *ring = channel.core < 0 ? state.hostRing[op.channel].data()
                                   : state.memory[channel.core].data() +
                                         channel.record.address;
  uint8_t *to =
      ring + int64_t{next % channel.record.slots} * channel.record.row_bytes +
      r.offset;
  Row src = row(r.src, r.row);
  int64_t bytes = src.channels * src.channelStride;
  // The verifier lets a view lie over a ring of its own core, so the two may
  // overlap; the same holds for the rows of other operations.
  if (src.pixelStride == bytes && r.pitch == bytes) {
    std::memmove(to, src.data, src.pixels * bytes);
    return;
  }
  movePieces(to, r.pitch, src.data, src.pixelStride, bytes, src.pixels);
}

void Executor::operator()(const isa::Load &r) {
  Row dst = row(r.dst, r.dst_row);
  int64_t bytes = dst.channels * elementBytes(dst.type);
  const uint8_t *from =
      state.dram.get() + evaluate(r.line, at) * isa::dramLineBytes;
  movePieces(dst.data, dst.pixelStride, from, bytes, bytes, dst.pixels);
}

void Executor::operator()(const isa::Store &r) {
  Row src = row(r.src, r.src_row);
  int64_t bytes = src.channels * elementBytes(src.type);
  uint8_t *to = state.dram.get() + evaluate(r.line, at) * isa::dramLineBytes;
  movePieces(to, bytes, src.data, src.pixelStride, bytes, src.pixels);
  state.dramTouched = true;
}

void Executor::operator()(const isa::Requantize &r) {
  Row src = row(r.src, r.src_row), dst = row(r.dst, r.dst_row);
  int64_t first = evaluate(r.dst_pixel, at), channels = dst.channels;
  int64_t pixels = std::min<int64_t>(r.count, dst.pixels - first);
  if (pixels <= 0)
    return;
  dst.data += first * dst.pixelStride;
  // Constants are repeated over several pixels where rows are dense, so that
  // few channels make long loops too.
  bool dense = isDense(src, channels) && isDense(dst, channels);
  int64_t repeat = dense ? std::clamp<int64_t>(256 / channels, 1, pixels) : 1;
  state.integers.resize(repeat * channels);
  state.floats.resize(repeat * channels);
  const uint8_t *constants = memory + r.constants;
  k.takeApart(constants, channels, state.integers.data(), state.floats.data());
  for (int64_t i = 1; i < repeat; ++i) {
    std::copy_n(state.integers.begin(), channels,
                state.integers.begin() + i * channels);
    std::copy_n(state.floats.begin(), channels,
                state.floats.begin() + i * channels);
  }
  if (isByte(dst.type) && isSmall(r.zero) && isSmall(r.low) &&
      isSmall(r.high)) {
    int64_t rounds = dense ? 1 : pixels;
    int64_t n = dense ? pixels * channels : channels;
    for (int64_t p = 0; p < rounds; ++p)
      k.requantize(src.at(p, 0), dst.at(p, 0), n, repeat * channels,
                   state.integers.data(), state.floats.data(), r.zero, r.low,
                   r.high);
    return;
  }
  for (int64_t p = 0; p < pixels; ++p)
    for (int64_t c = 0; c < channels; ++c) {
      int32_t acc =
          numerics::addWrapping(load<int32_t>(src.at(p, c)), state.integers[c]);
      storeInteger(
          dst.at(p, c), dst.type,
          numerics::requantize(acc, state.floats[c], r.zero, {r.low, r.high}));
    }
}

void Executor::operator()(const isa::AddQ &r) {
  Row dst = row(r.dst, r.dst_row);
  Row a = source(r.a, r.a_row, dst), b = source(r.b, r.b_row, dst);
  if (isByte(a.type) && isByte(b.type) && isByte(dst.type) && isSmall(r.low) &&
      isSmall(r.high)) {
    runs(a, b, dst,
         [&](const uint8_t *x, const uint8_t *y, uint8_t *z, int64_t n) {
           k.addQ(x, a.type == VI8, a.channelStride, y, b.type == VI8,
                  b.channelStride, z, n, r.ra, r.rb, r.f, r.low, r.high);
         });
    return;
  }
  for (int64_t p = 0; p < dst.pixels; ++p)
    for (int64_t c = 0; c < dst.channels; ++c)
      storeInteger(dst.at(p, c), dst.type,
                   numerics::add(loadInteger(a.at(p, c), a.type),
                                 loadInteger(b.at(p, c), b.type),
                                 {r.ra, r.rb, r.f}, {r.low, r.high}));
}

void Executor::operator()(const isa::MulQ &r) {
  Row dst = row(r.dst, r.dst_row);
  Row a = source(r.a, r.a_row, dst), b = source(r.b, r.b_row, dst);
  bool small = isSmall(r.low) && isSmall(r.high) && std::abs(r.za) < 1024 &&
               std::abs(r.zb) < 1024;
  if (isByte(a.type) && isByte(b.type) && isByte(dst.type) && small) {
    runs(a, b, dst,
         [&](const uint8_t *x, const uint8_t *y, uint8_t *z, int64_t n) {
           k.mulQ(x, a.type == VI8, a.channelStride, y, b.type == VI8,
                  b.channelStride, z, n, r.za, r.zb, r.r, r.zc, r.low, r.high);
         });
    return;
  }
  for (int64_t p = 0; p < dst.pixels; ++p)
    for (int64_t c = 0; c < dst.channels; ++c)
      storeInteger(dst.at(p, c), dst.type,
                   numerics::mul(loadInteger(a.at(p, c), a.type), r.za,
                                 loadInteger(b.at(p, c), b.type), r.zb, r.r,
                                 r.zc, {r.low, r.high}));
}

void Executor::operator()(const isa::Lookup &r) {
  Row dst = row(r.dst, r.dst_row);
  Row src = source(r.src, r.src_row, dst);
  uint8_t table[256];
  std::memcpy(table, memory + r.table, 256);
  runs(src, dst, [&](const uint8_t *x, uint8_t *y, int64_t n) {
    for (int64_t i = 0; i < n; ++i)
      y[i] = table[x[i * src.channelStride]];
  });
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

void Executor::taps(const isa::View &v, const isa::Window &w, int64_t outRow,
                    int64_t p) {
  state.pointers.clear();
  for (int64_t i = 0; i < w.kernel_rows; ++i) {
    int64_t r = outRow * w.stride_rows - w.pad_rows + i * w.dilation_rows;
    bool inside = r >= 0 && r < v.rows;
    const uint8_t *data = memory + v.address;
    if (inside)
      data += r % v.slots * v.row_pitch;
    for (int64_t j = 0; j < w.kernel_pixels; ++j) {
      int64_t x = p * w.stride_pixels - w.pad_pixels + j * w.dilation_pixels;
      state.pointers.push_back(inside && x >= 0 && x < v.pixels
                                   ? data + x * v.pixel_pitch
                                   : nullptr);
    }
  }
}

static void dropOutside(std::vector<const uint8_t *> &taps) {
  taps.erase(std::remove(taps.begin(), taps.end(), nullptr), taps.end());
}

void Executor::operator()(const isa::MaxPool &r) {
  Row dst = row(r.dst, r.dst_row);
  const isa::View &src = core.views[r.src];
  int64_t outRow = evaluate(r.src_row, at);
  int64_t size = elementBytes(dst.type), channels = dst.channels;
  for (int64_t p = 0; p < dst.pixels; ++p) {
    taps(src, core.windows[r.window], outRow, p);
    dropOutside(state.pointers);
    uint8_t *out = dst.at(p, 0);
    if (state.pointers.empty()) {
      float none = -INFINITY;
      for (int64_t c = 0; c < channels; ++c)
        if (dst.type == VF32)
          store(out + c * size, none);
        else
          storeInteger(out + c * size, dst.type, rangeOf(dst.type).min);
      continue;
    }
    std::memmove(out, state.pointers[0], channels * size);
    for (size_t t = 1; t < state.pointers.size(); ++t) {
      const uint8_t *x = state.pointers[t];
      if (isByte(dst.type)) {
        k.maxBytes(out, x, channels, dst.type == VI8);
      } else if (dst.type == VF32) {
        for (int64_t c = 0; c < channels; ++c)
          if (load<float>(x + c * 4) > load<float>(out + c * 4))
            std::memmove(out + c * 4, x + c * 4, 4);
      } else {
        for (int64_t c = 0; c < channels; ++c)
          if (loadInteger(x + c * size, dst.type) >
              loadInteger(out + c * size, dst.type))
            std::memmove(out + c * size, x + c * size, size);
      }
    }
  }
}

void Executor::operator()(const isa::AvgPool &r) {
  Row dst = row(r.dst, r.dst_row);
  const isa::View &src = core.views[r.src];
  const isa::Window &w = core.windows[r.window];
  int64_t outRow = evaluate(r.src_row, at);
  int64_t whole = int64_t{w.kernel_rows} * w.kernel_pixels;
  numerics::Range range = rangeOf(dst.type);
  for (int64_t p = 0; p < dst.pixels; ++p) {
    taps(src, w, outRow, p);
    dropOutside(state.pointers);
    auto inside = static_cast<int64_t>(state.pointers.size());
    int64_t count = r.include_pad ? whole : std::max<int64_t>(inside, 1);
    if (isByte(src.type) && isByte(dst.type) && isSmall(r.zero_in)) {
      k.average(dst.at(p, 0), state.pointers.data(), inside, dst.channels,
                src.type == VI8, r.scale_in, r.zero_in, count, r.scale_out,
                r.zero_out, range.min, range.max);
      continue;
    }
    for (int64_t c = 0; c < dst.channels; ++c) {
      float sum = 0;
      for (const uint8_t *x : state.pointers)
        sum += numerics::dequantize(
            loadInteger(x + c * elementBytes(src.type), src.type), r.scale_in,
            r.zero_in);
      storeInteger(
          dst.at(p, c), dst.type,
          numerics::averageFinish(sum, count, r.scale_out, r.zero_out, range));
    }
  }
}

void Executor::operator()(const isa::Depthwise &r) {
  Row dst = row(r.dst, r.dst_row);
  const isa::View &src = core.views[r.src];
  int64_t outRow = evaluate(r.src_row, at), channels = dst.channels;
  auto *weights = reinterpret_cast<const int8_t *>(memory + r.weights);
  int64_t multiplier = channels / std::max<int64_t>(src.channels, 1);
  bool isFloat = dst.type == VF32;
  bool fast = isByte(src.type) && multiplier == 1;
  if (fast) {
    state.rows.resize(channels);
    std::memset(state.rows.data(), src.pad & 0xff, channels);
  }
  for (int64_t p = 0; p < dst.pixels; ++p) {
    taps(src, core.windows[r.window], outRow, p);
    if (isFloat) {
      depthwiseF32(r, dst, p, multiplier);
      continue;
    }
    if (fast) {
      for (const uint8_t *&x : state.pointers)
        if (!x)
          x = state.rows.data();
      k.depthwise(dst.at(p, 0), state.pointers.data(),
                  static_cast<int64_t>(state.pointers.size()), weights,
                  channels, src.type == VI8);
      continue;
    }
    for (int64_t c = 0; c < channels; ++c) {
      uint32_t sum = 0;
      for (size_t t = 0; t < state.pointers.size(); ++t) {
        const uint8_t *x = state.pointers[t];
        int64_t value =
            x ? loadInteger(x + c / multiplier * elementBytes(src.type),
                            src.type)
              : src.pad;
        sum += static_cast<uint32_t>(value * weights[t * channels + c]);
      }
      store(dst.at(p, c), sum);
    }
  }
}

void Executor::depthwiseF32(const isa::Depthwise &r, const Row &dst, int64_t p,
                            int64_t multiplier) {
  const uint8_t *w = memory + r.weights;
  std::vector<float> &sums = state.floats;
  sums.assign(dst.channels, 0.0f);
  for (const uint8_t *x : state.pointers) {
    if (x)
      for (int64_t c = 0; c < dst.channels; ++c)
        sums[c] =
            numerics::multiplyAdd(sums[c], load<float>(x + c / multiplier * 4),
                                  load<float>(w + c * 4));
    w += dst.channels * 4;
  }
  std::memcpy(dst.at(p, 0), sums.data(), dst.channels * 4);
}

void Executor::operator()(const isa::RowSum &r) {
  Row src = row(r.src, r.src_row), dst = row(r.dst, r.dst_row);
  int64_t channels = dst.channels;
  if (r.clear)
    std::memset(dst.data, 0, channels * 4);
  for (int64_t p = 0; p < src.pixels; ++p) {
    if (src.type == VF32) {
      for (int64_t c = 0; c < channels; ++c)
        store(dst.at(0, c),
              load<float>(dst.at(0, c)) + load<float>(src.at(p, c)));
      continue;
    }
    if (isByte(src.type)) {
      k.accumulate(dst.data, src.at(p, 0), channels, src.type == VI8);
      continue;
    }
    for (int64_t c = 0; c < channels; ++c)
      store(dst.at(0, c),
            load<uint32_t>(dst.at(0, c)) +
                static_cast<uint32_t>(loadInteger(src.at(p, c), src.type)));
  }
}

void Machine::execute(State &state, const StreamInfo &stream, const Op &op,
                      const StreamState &at) const {
  std::visit(Executor(*this, state, stream, op, at), *op.record);
}

} // namespace cimc::sim
