//===- Execute.cpp - what instructions do to memory ----------------*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "cimc/Support/Numerics.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace cimc::sim {

namespace {

template <typename T> T load(const uint8_t *p) {
  T value;
  std::memcpy(&value, p, sizeof(T));
  return value;
}

template <typename T> void store(uint8_t *p, T value) {
  std::memcpy(p, &value, sizeof(T));
}

int64_t loadInteger(const uint8_t *p, uint8_t type) {
  switch (type) {
  case VI8:
    return load<int8_t>(p);
  case VU8:
    return *p;
  case VI16:
    return load<int16_t>(p);
  case VU16:
    return load<uint16_t>(p);
  case VI64:
    return load<int64_t>(p);
  default:
    return load<int32_t>(p);
  }
}

void storeInteger(uint8_t *p, uint8_t type, int64_t value) {
  std::memcpy(p, &value, elementBytes(type)); // little endian
}

numerics::Range rangeOf(uint8_t type) {
  switch (type) {
  case VI8:
    return {-128, 127};
  case VU8:
    return {0, 255};
  case VI16:
    return {-32768, 32767};
  case VU16:
    return {0, 65535};
  default:
    return {INT32_MIN, INT32_MAX};
  }
}

bool isByte(uint8_t type) { return type == VI8 || type == VU8; }

/// Integers that fp32 holds exactly, with their differences.
bool isSmall(int32_t v) { return v > -(1 << 22) && v < (1 << 22); }

/// One row of a view. Strides are 0 where a dimension of 1 is broadcast.
struct Row {
  uint8_t *data;
  int64_t pixels, channels;
  int64_t pixelStride, channelStride; ///< bytes
  uint8_t type;
  uint8_t *at(int64_t p, int64_t c) const {
    return data + p * pixelStride + c * channelStride;
  }
};

/// The effect of the vector unit's instructions.
class Executor {
public:
  Executor(const Machine &machine, State &state, const StreamInfo &stream,
           const Op &op, const StreamState &at)
      : machine(machine), state(state), stream(stream), op(op), at(at),
        core(machine.cores[stream.core]), k(*machine.kernels),
        memory(state.memory[stream.core].data()) {}

  void operator()(const isa::Loop &) {}
  void operator()(const isa::Next &) {}
  void operator()(const isa::Halt &) {}
  void operator()(const isa::Wait &) {}
  void operator()(const isa::Free &) {}
  void operator()(const isa::Acquire &) {}
  void operator()(const isa::Post &) {}
  void operator()(const isa::Send &r);
  void operator()(const isa::Mvm &r) {
    if (state.bitPlanes)
      executeMvmBitPlanes(machine, state, stream, r, *op.mvm, at);
    else
      executeMvm(machine, state, stream, r, *op.mvm, at);
  }
  void operator()(const isa::Requantize &r);
  void operator()(const isa::AddQ &r);
  void operator()(const isa::MulQ &r);
  void operator()(const isa::Lookup &r);
  void operator()(const isa::MaxPool &r);
  void operator()(const isa::AvgPool &r);
  void operator()(const isa::RowSum &r);
  void operator()(const isa::Depthwise &r);
  void operator()(const isa::Move &r);
  void operator()(const isa::Fill &r);
  void operator()(const isa::SoftmaxQ &r);
  void operator()(const isa::Quantize &r);
  void operator()(const isa::Dequantize &r);
  void operator()(const isa::AddI &r);
  void operator()(const isa::Copy &r);
  void operator()(const isa::Matmul &r);
  void operator()(const isa::Map &r);
  void operator()(const isa::SoftmaxF32 &r);

private:
  Row row(const isa::View &v, const isa::Affine &index) const {
    int64_t r = v.rows == 1 ? 0 : evaluate(index, at);
    return {memory + v.address + r % v.slots * v.row_pitch,
            v.pixels,
            v.channels,
            v.pixel_pitch,
            elementBytes(v.type),
            v.type};
  }
  Row row(uint16_t view, const isa::Affine &index) const {
    return row(core.views[view], index);
  }
  /// A source broadcast to the pixels and channels of `dst`.
  Row source(uint16_t view, const isa::Affine &index, const Row &dst) const {
    Row r = row(view, index);
    if (r.pixels == 1 && dst.pixels != 1)
      r.pixelStride = 0;
    if (r.channels == 1 && dst.channels != 1)
      r.channelStride = 0;
    return r;
  }
  static bool isDense(const Row &r, int64_t channels) {
    return r.channelStride == elementBytes(r.type) &&
           r.pixelStride == channels * r.channelStride;
  }
  /// Calls fn(a pointer, b pointer, destination pointer, elements) over runs
  /// that are as long as the layout allows.
  template <typename Fn>
  void runs(const Row &a, const Row &b, const Row &dst, Fn fn) const {
    if (isDense(a, dst.channels) && isDense(b, dst.channels) &&
        isDense(dst, dst.channels)) {
      fn(a.data, b.data, dst.data, dst.pixels * dst.channels);
      return;
    }
    for (int64_t p = 0; p < dst.pixels; ++p)
      fn(a.at(p, 0), b.at(p, 0), dst.at(p, 0), dst.channels);
  }
  template <typename Fn> void runs(const Row &a, const Row &dst, Fn fn) const {
    runs(a, a, dst,
         [&](const uint8_t *x, const uint8_t *, uint8_t *y, int64_t n) {
           fn(x, y, n);
         });
  }
  /// Input taps of output pixel p, in row-major order; null where outside.
  void taps(const isa::View &v, const isa::Window &w, int64_t outRow,
            int64_t p);
  /// All elements of a view held whole, as integers in row-major order.
  void gather(const isa::View &v, std::vector<int32_t> &out) const;
  /// The address of linear element e of a view held whole.
  static int64_t linear(const isa::View &v, int64_t e) {
    int64_t c = e % v.channels, p = e / v.channels % v.pixels;
    int64_t r = e / v.channels / v.pixels;
    return v.address + r % v.slots * v.row_pitch + p * v.pixel_pitch +
           c * elementBytes(v.type);
  }

  const Machine &machine;
  State &state;
  const StreamInfo &stream;
  const Op &op;
  const StreamState &at;
  const CoreInfo &core;
  const RowKernels &k;
  uint8_t *memory;
};

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
  if (src.pixelStride == bytes && r.pitch == bytes) {
    std::memcpy(to, src.data, src.pixels * bytes);
    return;
  }
  for (int64_t p = 0; p < src.pixels; ++p)
    std::memcpy(to + p * r.pitch, src.at(p, 0), bytes);
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
  for (int64_t c = 0; c < channels; ++c) {
    state.integers[c] = load<int32_t>(constants + c * 8);
    state.floats[c] = load<float>(constants + c * 8 + 4);
  }
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
    std::memcpy(out, state.pointers[0], channels * size);
    for (size_t t = 1; t < state.pointers.size(); ++t) {
      const uint8_t *x = state.pointers[t];
      if (isByte(dst.type)) {
        k.maxBytes(out, x, channels, dst.type == VI8);
      } else if (dst.type == VF32) {
        for (int64_t c = 0; c < channels; ++c)
          if (load<float>(x + c * 4) > load<float>(out + c * 4))
            std::memcpy(out + c * 4, x + c * 4, 4);
      } else {
        for (int64_t c = 0; c < channels; ++c)
          if (loadInteger(x + c * size, dst.type) >
              loadInteger(out + c * size, dst.type))
            std::memcpy(out + c * size, x + c * size, size);
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
  bool fast = isByte(src.type) && multiplier == 1;
  if (fast) {
    state.rows.resize(channels);
    std::memset(state.rows.data(), src.pad & 0xff, channels);
  }
  for (int64_t p = 0; p < dst.pixels; ++p) {
    taps(src, core.windows[r.window], outRow, p);
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

void Executor::operator()(const isa::RowSum &r) {
  Row src = row(r.src, r.src_row), dst = row(r.dst, r.dst_row);
  int64_t channels = dst.channels;
  if (r.clear)
    std::memset(dst.data, 0, channels * 4);
  for (int64_t p = 0; p < src.pixels; ++p) {
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

//===----------------------------------------------------------------------===//
// Movement
//===----------------------------------------------------------------------===//

void Executor::operator()(const isa::Move &r) {
  const isa::View &src = core.views[r.src], &dst = core.views[r.dst];
  const isa::Pattern &p = core.patterns[r.pattern];
  int64_t size = p.element_bytes;
  auto dense = [](const isa::View &v) {
    int64_t pixel = v.channels * elementBytes(v.type);
    return (v.pixels == 1 || v.pixel_pitch == pixel) &&
           (v.rows == 1 || v.row_pitch == v.pixels * pixel);
  };
  bool direct = dense(src) && dense(dst);
  int64_t s0 = p.src_offset, d0 = p.dst_offset;
  for (int64_t a = 0; a < p.count0; ++a)
    for (int64_t b = 0; b < p.count1; ++b)
      for (int64_t c = 0; c < p.count2; ++c)
        for (int64_t d = 0; d < p.count3; ++d)
          for (int64_t e = 0; e < p.count4; ++e) {
            int64_t s = s0 + a * p.src0 + b * p.src1 + c * p.src2 + d * p.src3 +
                        e * p.src4;
            int64_t t = d0 + a * p.dst0 + b * p.dst1 + c * p.dst2 + d * p.dst3 +
                        e * p.dst4;
            if (direct && p.src5 == 1 && p.dst5 == 1) {
              std::memmove(memory + dst.address + t * size,
                           memory + src.address + s * size, p.count5 * size);
              continue;
            }
            for (int64_t f = 0; f < p.count5; ++f) {
              int64_t from = s + f * p.src5, to = t + f * p.dst5;
              std::memmove(
                  memory + (direct ? dst.address + to * size : linear(dst, to)),
                  memory +
                      (direct ? src.address + from * size : linear(src, from)),
                  size);
            }
          }
}

void Executor::operator()(const isa::Fill &r) {
  Row dst = row(r.dst, r.dst_row);
  for (int64_t p = 0; p < dst.pixels; ++p)
    for (int64_t c = 0; c < dst.channels; ++c)
      storeInteger(dst.at(p, c), dst.type, r.value);
}

void Executor::operator()(const isa::Copy &r) {
  Row dst = row(r.dst, r.dst_row);
  Row src = source(r.src, r.src_row, dst);
  int64_t size = elementBytes(dst.type);
  runs(src, dst, [&](const uint8_t *x, uint8_t *y, int64_t n) {
    if (src.channelStride != 0) {
      std::memmove(y, x, n * size);
      return;
    }
    for (int64_t i = 0; i < n; ++i)
      std::memcpy(y + i * size, x, size);
  });
}

void Executor::operator()(const isa::AddI &r) {
  Row dst = row(r.dst, r.dst_row);
  Row src = source(r.src, r.src_row, dst);
  if (src.channelStride != 0) {
    runs(src, dst,
         [&](const uint8_t *x, uint8_t *y, int64_t n) { k.addI32(y, x, n); });
    return;
  }
  for (int64_t p = 0; p < dst.pixels; ++p)
    for (int64_t c = 0; c < dst.channels; ++c)
      store(dst.at(p, c),
            load<uint32_t>(dst.at(p, c)) + load<uint32_t>(src.at(p, c)));
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

void Executor::operator()(const isa::SoftmaxQ &r) {
  Row src = row(r.src, r.src_row), dst = row(r.dst, r.dst_row);
  std::array<float, 256> table;
  std::memcpy(table.data(), memory + r.table, sizeof(table));
  for (int64_t p = 0; p < dst.pixels; ++p)
    numerics::softmaxRow(src.at(p, 0), dst.at(p, 0), dst.channels,
                         src.type == VI8, table, r.y, r.zero);
}

void Executor::operator()(const isa::Quantize &r) {
  Row dst = row(r.dst, r.dst_row);
  Row src = source(r.src, r.src_row, dst);
  numerics::Range range = rangeOf(dst.type);
  if (isByte(dst.type) && src.channelStride != 0 && isSmall(r.zero)) {
    runs(src, dst, [&](const uint8_t *x, uint8_t *y, int64_t n) {
      k.quantize(x, y, n, r.scale, r.zero, range.min, range.max);
    });
    return;
  }
  for (int64_t p = 0; p < dst.pixels; ++p)
    for (int64_t c = 0; c < dst.channels; ++c)
      storeInteger(dst.at(p, c), dst.type,
                   numerics::quantize(load<float>(src.at(p, c)), r.scale,
                                      r.zero, range));
}

void Executor::operator()(const isa::Dequantize &r) {
  Row dst = row(r.dst, r.dst_row);
  Row src = source(r.src, r.src_row, dst);
  if (isByte(src.type) && src.channelStride != 0 && isSmall(r.zero)) {
    runs(src, dst, [&](const uint8_t *x, uint8_t *y, int64_t n) {
      k.dequantize(x, y, n, src.type == VI8, r.scale, r.zero);
    });
    return;
  }
  for (int64_t p = 0; p < dst.pixels; ++p)
    for (int64_t c = 0; c < dst.channels; ++c)
      store(dst.at(p, c),
            numerics::dequantize(loadInteger(src.at(p, c), src.type), r.scale,
                                 r.zero));
}

void Executor::gather(const isa::View &v, std::vector<int32_t> &out) const {
  out.resize(int64_t{v.rows} * v.pixels * v.channels);
  int64_t e = 0, size = elementBytes(v.type);
  for (int64_t r = 0; r < v.rows; ++r)
    for (int64_t p = 0; p < v.pixels; ++p) {
      const uint8_t *x =
          memory + v.address + r % v.slots * v.row_pitch + p * v.pixel_pitch;
      for (int64_t c = 0; c < v.channels; ++c, x += size)
        out[e++] = static_cast<int32_t>(loadInteger(x, v.type));
    }
}

void Executor::operator()(const isa::Matmul &r) {
  const isa::View &dst = core.views[r.dst];
  gather(core.views[r.a], state.integers);
  gather(core.views[r.b], state.integers2);
  int64_t m = r.m, n = r.n, depth = r.k;
  std::vector<int32_t> &sums = state.integers3;
  sums.resize(n);
  for (int64_t batch = 0; batch < r.batch; ++batch)
    for (int64_t i = 0; i < m; ++i) {
      const int32_t *a = state.integers.data() + (batch * m + i) * depth;
      const int32_t *b = state.integers2.data() + batch * depth * n;
      std::fill(sums.begin(), sums.end(), 0);
      auto *acc = reinterpret_cast<uint32_t *>(sums.data());
      if (r.transpose_b) {
        for (int64_t j = 0; j < n; ++j)
          for (int64_t x = 0; x < depth; ++x)
            acc[j] += static_cast<uint32_t>(a[x] - r.za) *
                      static_cast<uint32_t>(b[j * depth + x] - r.zb);
      } else {
        for (int64_t x = 0; x < depth; ++x) {
          auto left = static_cast<uint32_t>(a[x] - r.za);
          for (int64_t j = 0; j < n; ++j)
            acc[j] += left * static_cast<uint32_t>(b[x * n + j] - r.zb);
        }
      }
      for (int64_t j = 0; j < n; ++j)
        store(memory + linear(dst, (batch * m + i) * n + j), acc[j]);
    }
}

void Executor::operator()(const isa::Map &r) {
  Row dst = row(r.dst, r.dst_row);
  Row a = source(r.a, r.a_row, dst), b = source(r.b, r.b_row, dst);
  auto function = static_cast<numerics::Function>(r.function);
  for (int64_t p = 0; p < dst.pixels; ++p)
    for (int64_t c = 0; c < dst.channels; ++c)
      store(dst.at(p, c),
            numerics::apply(function, load<float>(a.at(p, c)),
                            load<float>(b.at(p, c)), r.alpha, r.beta));
}

void Executor::operator()(const isa::SoftmaxF32 &r) {
  Row src = row(r.src, r.src_row), dst = row(r.dst, r.dst_row);
  for (int64_t p = 0; p < dst.pixels; ++p) {
    auto *x = reinterpret_cast<const UnalignedF32 *>(src.at(p, 0));
    auto *y = reinterpret_cast<UnalignedF32 *>(dst.at(p, 0));
    float top = x[0];
    for (int64_t c = 1; c < dst.channels; ++c)
      top = x[c] > top ? x[c] : top;
    float sum = 0;
    for (int64_t c = 0; c < dst.channels; ++c) {
      float e = std::exp(x[c] - top);
      y[c] = e;
      sum += e;
    }
    for (int64_t c = 0; c < dst.channels; ++c)
      y[c] = y[c] / sum;
  }
}

} // namespace

void Machine::execute(State &state, const StreamInfo &stream, const Op &op,
                      const StreamState &at) const {
  std::visit(Executor(*this, state, stream, op, at), *op.record);
}

} // namespace cimc::sim
