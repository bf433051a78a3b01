//===- ExecuteFunctions.cpp - movement and functions ------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Executor.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace cimc::sim {

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
      std::memmove(y + i * size, x, size);
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

//===----------------------------------------------------------------------===//
// Wide fixed point
//===----------------------------------------------------------------------===//

void Executor::operator()(const isa::Unit &r) {
  float largest = 0.0f;
  windowRows(core.views[r.src], core.windows[r.window], evaluate(r.src_row, at),
             [&](int64_t, const Row &src) {
               for (int64_t p = 0; p < src.pixels; ++p)
                 for (int64_t c = 0; c < src.channels; ++c)
                   largest = numerics::largerMagnitude(
                       largest,
                       numerics::inRange(load<float>(src.at(p, c)), r.levels));
             });
  store(row(r.dst, r.dst_row).data, r.levels
                                        ? numerics::rangeStep(largest, r.levels)
                                        : numerics::wideUnit(largest));
}

void Executor::operator()(const isa::Digits &r) {
  Row dst = row(r.dst, r.dst_row);
  float unit = load<float>(row(r.units, r.units_row).data);
  for (int64_t p = 0; p < dst.pixels; ++p)
    std::memset(dst.at(p, 0), 0, dst.channels);
  windowRows(core.views[r.src], core.windows[r.window], evaluate(r.src_row, at),
             [&](int64_t i, const Row &src) {
               int64_t digits = r.levels ? 1 : numerics::kWideDigits;
               int64_t first = i * digits * src.channels;
               for (int64_t p = 0; p < src.pixels; ++p) {
                 auto *to = reinterpret_cast<int8_t *>(dst.at(p, first));
                 for (int64_t c = 0; r.levels && c < src.channels; ++c)
                   to[c] = static_cast<int8_t>(numerics::quantizeByStep(
                       load<float>(src.at(p, c)), unit, r.levels));
                 for (int64_t c = 0; !r.levels && c < src.channels; ++c)
                   numerics::wideDigits(load<float>(src.at(p, c)), unit,
                                        to + c * numerics::kWideDigits);
               }
             });
}

void Executor::operator()(const isa::Combine &r) {
  Row src = row(r.src, r.src_row), dst = row(r.dst, r.dst_row);
  float unit = load<float>(row(r.units, r.units_row).data);
  int64_t first = evaluate(r.dst_pixel, at);
  int64_t pixels = std::min<int64_t>(r.count, dst.pixels - first);
  const uint8_t *constants = memory + r.constants;
  for (int64_t p = 0; p < pixels; ++p)
    for (int64_t c = 0; c < dst.channels; ++c) {
      float scale = load<float>(constants + c * 8);
      float bias = load<float>(constants + c * 8 + 4);
      int32_t sums[numerics::kWideDigits];
      std::memcpy(sums, src.at(p, c * r.digits), r.digits * sizeof(int32_t));
      store(dst.at(first + p, c),
            r.digits == 1 ? numerics::combineByStep(sums[0], unit, scale, bias)
                          : numerics::wideCombine(sums, unit, scale, bias));
    }
}

void Executor::operator()(const isa::SoftmaxF32 &r) {
  Row src = row(r.src, r.src_row), dst = row(r.dst, r.dst_row);
  std::vector<float> &x = state.floats;
  x.resize(2 * dst.channels);
  size_t bytes = dst.channels * sizeof(float);
  for (int64_t p = 0; p < dst.pixels; ++p) {
    std::memcpy(x.data(), src.at(p, 0), bytes);
    numerics::softmaxF32(x.data(), x.data() + dst.channels, dst.channels);
    std::memcpy(dst.at(p, 0), x.data() + dst.channels, bytes);
  }
}

} // namespace cimc::sim
