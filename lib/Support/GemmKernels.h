//===- GemmKernels.h - register tiles of a matrix product -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// One body, compiled once per instruction set by GemmBaseline.cpp, GemmAVX2.cpp
// and GemmAVX512.cpp. Those files must not include headers with inline
// functions: the linker could keep a copy that only newer processors can run.
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_SUPPORT_GEMMKERNELS_H
#define CIMC_LIB_SUPPORT_GEMMKERNELS_H

#include <stdint.h>

namespace cimc::detail {

constexpr int maxTileRows = 8;

/// The kernels of one instruction set. A panel of b holds, for each step along
/// k, `vectors * width` consecutive columns, the floats of steps `panelRow`
/// apart; an integer step is a pair of k.
struct GemmKernels {
  /// Columns in a vector, and rows in a full tile.
  int width, tileRows;
  /// tile[i * tileRow + column] = sum over steps of a[i * aRow + step *
  /// aColumn] * panel[step * panelRow + column]; indexed [rows - 1][vectors -
  /// 1].
  void (*f32[maxTileRows][2])(int64_t steps, const float *a, int64_t aRow,
                              int64_t aColumn, const float *panel,
                              int64_t panelRow, float *tile, int64_t tileRow);
  /// The same where a row of `a` is contiguous pairs, and the panel's steps
  /// are contiguous.
  void (*i16[maxTileRows][2])(int64_t steps, const int16_t *a, int64_t aRow,
                              const int16_t *panel, int32_t *tile,
                              int64_t tileRow);
  /// y[i] = sum over t of w[t] * x[offsets[t] + i], taps in order.
  void (*windowF32)(int64_t n, int64_t taps, const float *w,
                    const int64_t *offsets, const float *x, float *y);
  void (*windowI16)(int64_t n, int64_t taps, const int16_t *w,
                    const int64_t *offsets, const int16_t *x, int32_t *y);
};

extern const GemmKernels baselineKernels;
extern const GemmKernels avx2Kernels;
extern const GemmKernels avx512Kernels;

} // namespace cimc::detail

#endif // CIMC_LIB_SUPPORT_GEMMKERNELS_H
