//===- ExecuteVector.cpp - general vector instructions -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Executor.h"

#include "cimc/Support/VectorOps.h"

#include <algorithm>

namespace cimc::sim {

static DType dtype(uint8_t type) { return static_cast<DType>(type); }

/// Memory bytes of n elements at `data`, which need not be aligned and may be
/// written while they are read: a copy.
static const uint8_t *copied(std::vector<int32_t> &scratch, const uint8_t *data,
                             int64_t bytes) {
  scratch.resize((bytes + 3) / 4 + 1);
  std::memcpy(scratch.data(), data, bytes);
  return reinterpret_cast<const uint8_t *>(scratch.data());
}

static int64_t step(const Row &row) { return row.channelStride ? 1 : 0; }

void Executor::operator()(const isa::Map &r) {
  Row dst = row(r.dst, r.dst_row);
  Row a = source(r.a, r.a_row, dst), b = source(r.b, r.b_row, dst);
  auto function = static_cast<numerics::Function>(r.function);
  int64_t sizeIn = elementBytes(a.type), sizeOut = elementBytes(dst.type);
  auto apply = [&](const uint8_t *x, const uint8_t *y, uint8_t *z, int64_t n) {
    const uint8_t *left = copied(state.integers, x, (step(a) ? n : 1) * sizeIn);
    const uint8_t *right =
        x == y ? left : copied(state.integers2, y, (step(b) ? n : 1) * sizeIn);
    state.integers3.resize((n * sizeOut + 3) / 4 + 1);
    numerics::mapElements(function, dtype(a.type), left, step(a), right,
                          step(b), state.integers3.data(), n, r.alpha, r.beta);
    std::memcpy(z, state.integers3.data(), n * sizeOut);
  };
  runs(a, b, dst, apply);
}

void Executor::operator()(const isa::Select &r) {
  Row dst = row(r.dst, r.dst_row);
  Row c = source(r.c, r.c_row, dst), a = source(r.a, r.a_row, dst),
      b = source(r.b, r.b_row, dst);
  for (int64_t p = 0; p < dst.pixels; ++p)
    numerics::selectElements(elementBytes(dst.type), c.at(p, 0), step(c),
                             a.at(p, 0), step(a), b.at(p, 0), step(b),
                             dst.at(p, 0), dst.channels);
}

/// Calls fn(where a pixel's channels are, where the result's go) with aligned
/// copies of the channels.
template <typename Fn>
void Executor::onPixels(uint16_t srcView, const isa::Affine &srcRow,
                        uint16_t dstView, const isa::Affine &dstRow, Fn fn) {
  Row dst = row(dstView, dstRow), src = row(srcView, srcRow);
  if (src.pixels == 1)
    src.pixelStride = 0;
  int64_t in = src.channels * elementBytes(src.type);
  int64_t out = dst.channels * elementBytes(dst.type);
  for (int64_t p = 0; p < dst.pixels; ++p) {
    const uint8_t *x = copied(state.integers, src.at(p, 0), in);
    state.integers2.resize((out + 3) / 4 + 1);
    fn(src, x, dst, state.integers2.data());
    std::memcpy(dst.at(p, 0), state.integers2.data(), out);
  }
}

void Executor::operator()(const isa::Convert &r) {
  onPixels(r.src, r.src_row, r.dst, r.dst_row,
           [](const Row &src, const uint8_t *x, const Row &dst, void *y) {
             numerics::convertElements(dtype(src.type), x, dtype(dst.type), y,
                                       dst.channels);
           });
}

void Executor::operator()(const isa::Reduce &r) {
  auto function = static_cast<numerics::Reduction>(r.function);
  onPixels(r.src, r.src_row, r.dst, r.dst_row,
           [&](const Row &src, const uint8_t *x, const Row &, void *y) {
             numerics::reduce(function, dtype(src.type), x, src.channels, y);
           });
}

void Executor::operator()(const isa::Scan &r) {
  auto function = static_cast<numerics::Reduction>(r.function);
  onPixels(r.src, r.src_row, r.dst, r.dst_row,
           [&](const Row &src, const uint8_t *x, const Row &, void *y) {
             numerics::scan(function, dtype(src.type), x, y, src.channels,
                            r.exclusive, r.reverse);
           });
}

void Executor::operator()(const isa::Topk &r) {
  onPixels(r.src, r.src_row, r.dst, r.dst_row,
           [&](const Row &src, const uint8_t *x, const Row &dst, void *y) {
             numerics::topK(dtype(src.type), x, src.channels, dst.channels,
                            r.smallest, r.indices, y);
           });
}

const uint8_t *Executor::held(const isa::View &v, std::vector<int32_t> &out) {
  int64_t bytes = v.channels * elementBytes(v.type);
  out.resize((int64_t{v.rows} * v.pixels * bytes + 3) / 4 + 1);
  auto *to = reinterpret_cast<uint8_t *>(out.data());
  for (int64_t r = 0; r < v.rows; ++r)
    for (int64_t p = 0; p < v.pixels; ++p, to += bytes)
      std::memcpy(to,
                  memory + v.address + r % v.slots * v.row_pitch +
                      p * v.pixel_pitch,
                  bytes);
  return reinterpret_cast<const uint8_t *>(out.data());
}

void Executor::hold(const isa::View &v, const uint8_t *from) {
  int64_t bytes = v.channels * elementBytes(v.type);
  for (int64_t r = 0; r < v.rows; ++r)
    for (int64_t p = 0; p < v.pixels; ++p, from += bytes)
      std::memcpy(memory + v.address + r % v.slots * v.row_pitch +
                      p * v.pixel_pitch,
                  from, bytes);
}

static int64_t elementsOf(const isa::View &v) {
  return int64_t{v.rows} * v.pixels * v.channels;
}

void Executor::operator()(const isa::Gather &r) {
  const isa::View &a = core.views[r.a], &b = core.views[r.b],
                  &dst = core.views[r.dst];
  int64_t bytes = int64_t{r.block} * elementBytes(a.type), n = elementsOf(b);
  const uint8_t *in = held(a, state.integers);
  held(b, state.integers2);
  state.integers3.resize((n * bytes + 3) / 4 + 1);
  numerics::gather(in, elementsOf(a) / r.block, bytes, state.integers2.data(),
                   n, state.integers3.data());
  hold(dst, reinterpret_cast<const uint8_t *>(state.integers3.data()));
}

void Executor::operator()(const isa::Scatter &r) {
  const isa::View &a = core.views[r.a], &b = core.views[r.b],
                  &dst = core.views[r.dst];
  const uint8_t *updates = held(a, state.integers);
  held(b, state.integers2);
  held(dst, state.integers3);
  numerics::scatter(static_cast<numerics::Reduction>(r.function),
                    dtype(dst.type), state.integers3.data(),
                    elementsOf(dst) / r.block, r.block, state.integers2.data(),
                    elementsOf(b), updates);
  hold(dst, reinterpret_cast<const uint8_t *>(state.integers3.data()));
}

void Executor::operator()(const isa::MatmulF32 &r) {
  Row a = row(r.a, r.a_row), dst = row(r.dst, r.dst_row);
  auto dense = [](const Row &x, std::vector<float> &out) {
    out.resize(x.pixels * x.channels);
    for (int64_t p = 0; p < x.pixels; ++p)
      std::memcpy(out.data() + p * x.channels, x.at(p, 0), x.channels * 4);
  };
  std::vector<float> &left = state.floats;
  dense(a, left);
  const float *right;
  std::vector<float> rows;
  if (r.shared) {
    right =
        reinterpret_cast<const float *>(held(core.views[r.b], state.integers));
  } else {
    dense(row(r.b, r.b_row), rows);
    right = rows.data();
  }
  std::vector<float> out(dst.pixels * dst.channels);
  numerics::matmulF32(left.data(), right, out.data(), dst.pixels, a.channels,
                      dst.channels, r.transpose_b);
  for (int64_t p = 0; p < dst.pixels; ++p)
    std::memcpy(dst.at(p, 0), out.data() + p * dst.channels, dst.channels * 4);
}

void Executor::operator()(const isa::SumPool &r) {
  Row dst = row(r.dst, r.dst_row);
  const isa::View &src = core.views[r.src];
  int64_t outRow = evaluate(r.src_row, at);
  std::vector<float> sums(dst.channels), in(dst.channels);
  for (int64_t p = 0; p < dst.pixels; ++p) {
    taps(src, core.windows[r.window], outRow, p);
    std::fill(sums.begin(), sums.end(), 0.0f);
    for (const uint8_t *x : state.pointers)
      if (x) {
        std::memcpy(in.data(), x, dst.channels * 4);
        numerics::addElements(sums.data(), in.data(), dst.channels);
      }
    std::memcpy(dst.at(p, 0), sums.data(), dst.channels * 4);
  }
}

} // namespace cimc::sim
