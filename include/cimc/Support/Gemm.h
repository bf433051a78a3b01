//===- Gemm.h - matrix products on the host -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_SUPPORT_GEMM_H
#define CIMC_SUPPORT_GEMM_H

#include <cstdint>

namespace cimc {

/// Element (i, j) is `data[i * rowStride + j * columnStride]`.
template <typename T> struct MatrixRef {
  T *data;
  int64_t rowStride, columnStride;
};

/// c = a b for an m x k matrix and a k x n matrix, in single precision. Every
/// element is summed in one fixed order (products of blocks of 256 along k,
/// then the blocks; no fused multiply-adds), so the bits do not depend on the
/// processor, on m and n, or on strides. `c` must not overlap the operands.
void gemm(int64_t m, int64_t n, int64_t k, MatrixRef<const float> a,
          MatrixRef<const float> b, MatrixRef<float> c);

/// The same for integers, modulo 2^32 (rule R1).
void gemm(int64_t m, int64_t n, int64_t k, MatrixRef<const int16_t> a,
          MatrixRef<const int16_t> b, MatrixRef<int32_t> c);

/// y[i] = sum over t < taps of w[t] * x[offsets[t] + i] for i in [0, n), taps
/// in order and without fused multiply-adds; integers modulo 2^32. `y` must not
/// overlap the operands.
void windowSums(int64_t n, int64_t taps, const float *w, const int64_t *offsets,
                const float *x, float *y);
void windowSums(int64_t n, int64_t taps, const int16_t *w,
                const int64_t *offsets, const int16_t *x, int32_t *y);

} // namespace cimc

#endif // CIMC_SUPPORT_GEMM_H
