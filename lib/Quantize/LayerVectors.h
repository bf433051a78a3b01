//===- LayerVectors.h - what weights are multiplied with --------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_QUANTIZE_LAYERVECTORS_H
#define CIMC_LIB_QUANTIZE_LAYERVECTORS_H

#include "WeightedLayer.h"

#include <optional>
#include <utility>
#include <vector>

namespace cimc::quantization {

/// How the inputs of a layer form the vectors its weights are multiplied with:
/// `groups` matrices of `outputs` x `k`, each with vectors of its own.
struct Geometry {
  int64_t groups = 1, outputs = 0, k = 0;
  /// Weight index of element j of output m of group g:
  /// (g * outputs + m) * outputStride + j * stride.
  int64_t outputStride = 0, stride = 1;
};

/// Nothing for products that are not one matrix for all samples.
std::optional<Geometry> geometryOf(const WeightedLayer &layer);

/// The second moments of a layer's input vectors x, E[x x^T], and with those
/// of the float network r, E[r x^T]; one matrix for each group. Sums are formed
/// in one order whatever the number of threads.
class Moments {
public:
  Moments(const WeightedLayer &layer, const Geometry &geometry, size_t samples);

  /// Takes the vectors of a sample; any thread, each sample once.
  void take(size_t sample, const HostTensor &input) {
    read(input, vectors[sample]);
  }
  void takeReal(size_t sample, const HostTensor &input) {
    read(input, realVectors[sample]);
  }

  /// Every fourth sample is kept apart, to see what the sums of the others are
  /// worth.
  static bool isApart(size_t sample) { return sample % 4 == 3; }
  /// Adds up what was taken of the samples that are apart, or of the others.
  void add(bool apart, unsigned threads) {
    addProducts(vectors, sums, apart, threads);
    addProducts(realVectors, crossSums, apart, threads);
  }
  /// The vectors are not needed any more.
  void clear() {
    vectors.clear();
    realVectors.clear();
  }

  /// Calls `visit(vectors, real vectors, count)` for the samples apart.
  template <typename F> void forEachApart(int64_t group, F visit) const {
    for (size_t s = 0; s < vectors.size(); ++s) {
      int64_t count = countOf(s);
      int64_t at = group * count * geometry.k;
      if (isApart(s) && count > 0)
        visit(vectors[s].data() + at, realVectors[s].data() + at, count);
    }
  }

  /// How many vectors of each group were taken.
  int64_t vectorCount() const {
    int64_t count = 0;
    for (size_t s = 0; s < vectors.size(); ++s)
      count += countOf(s);
    return count;
  }
  /// Vector `index` of them, and that of the float network.
  std::pair<const float *, const float *> vector(int64_t group,
                                                 int64_t index) const {
    for (size_t s = 0;; ++s) {
      int64_t count = countOf(s);
      if (index < count) {
        int64_t at = (group * count + index) * geometry.k;
        return {vectors[s].data() + at, realVectors[s].data() + at};
      }
      index -= count;
    }
  }

  const std::vector<double> &sum(int64_t group) const { return sums[group]; }
  const std::vector<double> &crossSum(int64_t group) const {
    return crossSums[group];
  }

private:
  using Vectors =
      std::vector<std::vector<float>>;           // by sample: group, vector, k
  using Sums = std::vector<std::vector<double>>; // by group

  int64_t countOf(size_t sample) const {
    return int64_t(vectors[sample].size()) / (geometry.groups * geometry.k);
  }

  void read(const HostTensor &input, std::vector<float> &result);
  // left^T vectors.
  void addProducts(const Vectors &left, Sums &into, bool apart,
                   unsigned threads);

  const WeightedLayer &layer;
  Geometry geometry;
  int64_t perSample = 1;
  Vectors vectors, realVectors;
  Sums sums, crossSums;
};

} // namespace cimc::quantization

#endif // CIMC_LIB_QUANTIZE_LAYERVECTORS_H
