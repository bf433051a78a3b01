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
/// `sum over (i, j, c) of x[.., g * channels + c] * w[g, n, i, j, c]`, i over
/// kernel rows, j over kernel pixels, c over the channels of one group. An
/// operation without a window (a matrix product) has a 1 x 1 kernel.
struct WeightMatrix {
  /// Operand numbers; -1 for no bias.
  int input = 0, weights = 1, bias = 2;
  /// True where windows slide over a [1, C, H, W] (or [1, C, L]) input; false
  /// where the input's `channelAxis` is reduced and all others are kept.
  bool windowed = false;
  int64_t channelAxis = 0;
  /// Rows, pixels; `pad` at the begin only.
  std::array<int64_t, 2> kernel = {1, 1}, stride = {1, 1}, pad = {0, 0},
                         dilation = {1, 1};
  int64_t groups = 1;
  /// Input channels and matrix columns of one group.
  int64_t channels = 0, columns = 0;
  /// Distances in the weight tensor, in elements. The column of group g and
  /// column n is g * columns + n.
  int64_t kernelRowStride = 0, kernelPixelStride = 0, channelStride = 0,
          columnStride = 0;

  /// Rows of the matrix of one group, ordered (kernel row, kernel pixel,
  /// channel).
  int64_t rows() const { return kernel[0] * kernel[1] * channels; }
};

} // namespace cimc::nn

#endif // CIMC_DIALECTS_NN_WEIGHTMATRIX_H
