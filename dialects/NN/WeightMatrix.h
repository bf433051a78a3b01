//===- WeightMatrix.h - an operation as weight matrices -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_NN_WEIGHTMATRIX_H
#define CIMC_DIALECTS_NN_WEIGHTMATRIX_H

#include <array>
#include <cstdint>

namespace cimc::nn {

/// A weighted sum over windows: for group g, column n and window position,
/// `sum over (d, i, j, c) of x[.., g * channels + c] * w[g, n, d, i, j, c]`, d,
/// i and j over the kernel's planes, rows and pixels, c over the channels of
/// one group. An operation without a window (a matrix product) has a kernel of
/// one tap.
struct WeightMatrix {
  /// Operand numbers; -1 for no bias.
  int input = 0, weights = 1, bias = 2;
  /// True where windows slide over a [N, C, spatial...] input of up to three
  /// spatial axes; false where the input's `channelAxis` is reduced and all
  /// others are kept.
  bool windowed = false;
  int64_t channelAxis = 0;
  /// Without a window: true where the columns are the last axis but one of the
  /// result, not the last, because the weights stand on the left.
  bool isLeft = false;
  /// Planes, rows, pixels; unused ones in front and behind are 1 and 0. `pad`
  /// is at the begin only; a negative one cuts. With `upsampling` u, element e
  /// of the input lies at e * u, with zeros between.
  std::array<int64_t, 3> kernel = {1, 1, 1}, stride = {1, 1, 1},
                         pad = {0, 0, 0}, dilation = {1, 1, 1},
                         upsampling = {1, 1, 1};
  int64_t groups = 1;
  /// Input channels and matrix columns of one group.
  int64_t channels = 0, columns = 0;
  /// Where a weight lies in the tensor, in elements; see `at`. Column n of
  /// group g is column g * columns + n of all.
  std::array<int64_t, 3> tapStride = {0, 0, 0};
  int64_t offset = 0, groupStride = 0, columnStride = 0, channelStride = 0;

  int64_t allColumns() const { return groups * columns; }
  /// The element of the weight tensor at column n of all, the tap and channel c
  /// of the column's group.
  int64_t at(int64_t n, std::array<int64_t, 3> tap, int64_t c) const {
    return offset + n / columns * groupStride + n % columns * columnStride +
           tap[0] * tapStride[0] + tap[1] * tapStride[1] +
           tap[2] * tapStride[2] + c * channelStride;
  }
  /// Rows of the matrix of one group.
  int64_t rows() const { return kernel[0] * kernel[1] * kernel[2] * channels; }
};

} // namespace cimc::nn

#endif // CIMC_DIALECTS_NN_WEIGHTMATRIX_H
