//===- WeightTensor.h - integer weights
//-----------------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_MAPPING_WEIGHTTENSOR_H
#define CIMC_LIB_MAPPING_WEIGHTTENSOR_H

#include "NN/NN.h"

#include <algorithm>
#include <string>
#include <vector>

namespace cimc::mapping {

/// Integer weights.
struct WeightTensor {
  std::vector<int32_t> values; ///< in the tensor's own order
  /// One, or one for each column.
  std::vector<int64_t> zeros;
  std::vector<float> scales;

  /// Element `index` without the zero point of its column.
  int64_t at(int64_t column, int64_t index) const {
    return values[index] - zeros[zeros.size() == 1 ? 0 : column];
  }
  float scale(int64_t column) const {
    return scales[scales.size() == 1 ? 0 : column];
  }
};

/// Matrices of bytes that add up to one of weights: more than one only where
/// zero points take weights out of the range of 8 bits.
class ByteMatrices {
public:
  explicit ByteMatrices(int64_t elements)
      : terms(1, std::vector<char>(static_cast<size_t>(elements), 0)) {}

  void set(int64_t element, int64_t value) {
    for (size_t i = 0; value != 0; ++i) {
      if (i == terms.size())
        terms.emplace_back(terms.front().size(), 0);
      int64_t part = std::clamp<int64_t>(value, -128, 127);
      terms[i][element] = static_cast<char>(part);
      value -= part;
    }
  }
  /// As many cells for a weight as the type of `weights` needs; more where a
  /// zero point has moved the integers.
  int64_t bits(mlir::Value weights) const;

  std::vector<std::vector<char>> terms;
};

/// The axis of the weight tensor that counts columns; -1: none.
int64_t columnAxis(mlir::Value weights, const nn::WeightMatrix &matrix);

/// Empty, or why a constant cannot be used as weights of at most 8 bits, with
/// scales per tensor or along `axis`.
std::string readWeights(mlir::Value operand, int64_t axis,
                        WeightTensor &weights);

} // namespace cimc::mapping

#endif // CIMC_LIB_MAPPING_WEIGHTTENSOR_H
