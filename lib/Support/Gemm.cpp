//===- Gemm.cpp - matrix products on the host -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/Gemm.h"

#include "GemmKernels.h"

#include "cimc/Support/HostIsa.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

namespace cimc {

using detail::GemmKernels;

static const GemmKernels &kernels() {
#if defined(__x86_64__)
  if (bestHostIsa() == HostIsa::Avx512Vnni)
    return detail::avx512Kernels;
  if (bestHostIsa() == HostIsa::Avx2)
    return detail::avx2Kernels;
#endif
  return detail::baselineKernels;
}

namespace {

constexpr int64_t blockK = 256;
constexpr int maxPanel = 32;

/// How a kernel takes its operands, for each element type.
template <typename T> struct Traits;
template <> struct Traits<float> {
  using Sum = float;
  /// Elements along k that one step of a kernel takes.
  static constexpr int pack = 1;
};
template <> struct Traits<int16_t> {
  using Sum = int32_t;
  static constexpr int pack = 2;
};

/// panel[step][column][element of the step]; columns and steps beyond the
/// matrix are zero.
template <typename T>
void packPanel(T *panel, MatrixRef<const T> b, int64_t k, int64_t columns,
               int64_t panelColumns) {
  constexpr int pack = Traits<T>::pack;
  if (columns < panelColumns || k % pack != 0)
    std::fill_n(panel, (k + pack - 1) / pack * pack * panelColumns, T(0));
  for (int64_t p = 0; p < k; ++p) {
    const T *row = b.data + p * b.rowStride;
    T *to = panel + p / pack * pack * panelColumns + p % pack;
    if (b.columnStride == 1)
      for (int64_t j = 0; j < columns; ++j)
        to[j * pack] = row[j];
    else
      for (int64_t j = 0; j < columns; ++j)
        to[j * pack] = row[j * b.columnStride];
  }
}

inline void add(float &a, float b) { a += b; }
inline void add(int32_t &a, int32_t b) {
  a = static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}

template <typename T>
void multiply(int64_t m, int64_t n, int64_t k, MatrixRef<const T> a,
              MatrixRef<const T> b, MatrixRef<typename Traits<T>::Sum> c) {
  using Sum = typename Traits<T>::Sum;
  constexpr int pack = Traits<T>::pack;
  if (m <= 0 || n <= 0)
    return;
  // A tall thin result fills the vectors better than a flat one.
  if (m < n && m <= 4) {
    std::swap(m, n);
    std::swap(a, b);
    std::swap(a.rowStride, a.columnStride);
    std::swap(b.rowStride, b.columnStride);
    std::swap(c.rowStride, c.columnStride);
  }
  const GemmKernels &kernel = kernels();
  // Not cleared: packing writes all that kernels read.
  std::unique_ptr<T[]> panel(new T[blockK * maxPanel]);
  std::vector<T> packedA;
  alignas(64) Sum tile[detail::maxTileRows * maxPanel];
  for (int64_t k0 = 0; k0 == 0 || k0 < k; k0 += blockK) {
    int64_t depth = std::min(blockK, k - k0);
    int64_t steps = (depth + pack - 1) / pack;
    MatrixRef<const T> rows{a.data + k0 * a.columnStride, a.rowStride,
                            a.columnStride};
    if (pack > 1 && (rows.columnStride != 1 || depth % pack != 0)) {
      packedA.assign(m * steps * pack, T(0));
      for (int64_t i = 0; i < m; ++i)
        for (int64_t p = 0; p < depth; ++p)
          packedA[i * steps * pack + p] =
              rows.data[i * rows.rowStride + p * rows.columnStride];
      rows = {packedA.data(), steps * pack, 1};
    }
    for (int64_t j0 = 0; j0 < n;) {
      int vectors = n - j0 > kernel.width ? 2 : 1;
      int64_t panelColumns = int64_t(vectors) * kernel.width;
      int64_t columns = std::min(panelColumns, n - j0);
      MatrixRef<const T> block{b.data + k0 * b.rowStride + j0 * b.columnStride,
                               b.rowStride, b.columnStride};
      // Few rows read a panel too seldom for a copy to be worth it.
      bool inPlace = pack == 1 && m <= 8 * kernel.tileRows &&
                     block.columnStride == 1 && columns == panelColumns;
      if (!inPlace)
        packPanel<T>(panel.get(), block, depth, columns, panelColumns);
      for (int64_t i0 = 0; i0 < m; i0 += kernel.tileRows) {
        int64_t height = std::min<int64_t>(kernel.tileRows, m - i0);
        const T *start = rows.data + i0 * rows.rowStride;
        Sum *to = c.data + i0 * c.rowStride + j0 * c.columnStride;
        bool direct = k0 == 0 && c.columnStride == 1 && columns == panelColumns;
        Sum *sums = direct ? to : tile;
        int64_t sumsRow = direct ? c.rowStride : panelColumns;
        if constexpr (pack == 1)
          kernel.f32[height - 1][vectors - 1](
              steps, start, rows.rowStride, rows.columnStride,
              inPlace ? block.data : panel.get(),
              inPlace ? block.rowStride : panelColumns, sums, sumsRow);
        else
          kernel.i16[height - 1][vectors - 1](steps, start, rows.rowStride,
                                              panel.get(), sums, sumsRow);
        if (direct)
          continue;
        for (int64_t i = 0; i < height; ++i, to += c.rowStride) {
          const Sum *from = tile + i * panelColumns;
          if (k0 == 0)
            for (int64_t j = 0; j < columns; ++j)
              to[j * c.columnStride] = from[j];
          else
            for (int64_t j = 0; j < columns; ++j)
              add(to[j * c.columnStride], from[j]);
        }
      }
      j0 += columns;
    }
  }
}

} // namespace

void gemm(int64_t m, int64_t n, int64_t k, MatrixRef<const float> a,
          MatrixRef<const float> b, MatrixRef<float> c) {
  multiply<float>(m, n, k, a, b, c);
}

void gemm(int64_t m, int64_t n, int64_t k, MatrixRef<const int16_t> a,
          MatrixRef<const int16_t> b, MatrixRef<int32_t> c) {
  multiply<int16_t>(m, n, k, a, b, c);
}

void windowSums(int64_t n, int64_t taps, const float *w, const int64_t *offsets,
                const float *x, float *y) {
  kernels().windowF32(n, taps, w, offsets, x, y);
}

void windowSums(int64_t n, int64_t taps, const int16_t *w,
                const int64_t *offsets, const int16_t *x, int32_t *y) {
  kernels().windowI16(n, taps, w, offsets, x, y);
}

} // namespace cimc
