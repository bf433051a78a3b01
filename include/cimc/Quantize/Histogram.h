//===- Histogram.h - counts of values, and ranges ---------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_QUANTIZE_HISTOGRAM_H
#define CIMC_QUANTIZE_HISTOGRAM_H

#include <cstdint>
#include <string>
#include <vector>

namespace cimc {

/// Counts of the values of one tensor over many samples, in bins whose width is
/// a power of two and grows with the range. What it holds depends only on the
/// multiset of the values, not on their order or on how they were split over
/// threads. Exact zeros are counted apart because quantization keeps them.
class Histogram {
public:
  /// Most bins that are kept; a range that needs more doubles the width.
  static constexpr int64_t maxBins = 2048;

  /// Counts `size` values; those that are not finite are only counted.
  void add(const float *values, int64_t size);
  /// Adds what another histogram counted.
  void merge(const Histogram &other);

  bool empty() const { return zeros == 0 && counts.empty(); }
  float min() const { return low; }
  float max() const { return high; }
  int64_t zeroCount() const { return zeros; }
  int64_t nonFiniteCount() const { return nonFinite; }
  /// All finite values, zeros included.
  int64_t total() const;

  /// Bin i holds the values in [begin(i), begin(i) + width()).
  int64_t bins() const { return static_cast<int64_t>(counts.size()); }
  int64_t count(int64_t bin) const { return counts[bin]; }
  double width() const;
  double begin(int64_t bin) const;

private:
  void cover(float newLow, float newHigh);

  float low = 0, high = 0;
  int64_t zeros = 0, nonFinite = 0;
  int exponent = -160; // width = 2^exponent
  int64_t base = 0;    // the first bin begins at base * width
  std::vector<int64_t> counts;
};

/// Parameters of an unsigned 8-bit type: real = (q - zero) * scale.
struct AffineParameters {
  float scale = 1;
  int32_t zero = 0;
};

/// The parameters that cover [low, high] and zero with 256 levels.
AffineParameters affineParameters(double low, double high);

/// The mean squared error of quantizing what a histogram counted.
double quantizationError(const Histogram &histogram,
                         AffineParameters parameters);

/// The share of the values counted that lie outside [low, high], to the width
/// of the histogram's bins.
double clippedShare(const Histogram &histogram, double low, double high);

/// Range choice by "mse", "minmax", "percentile" or "entropy"; the first for
/// other names.
AffineParameters chooseParameters(const Histogram &histogram,
                                  const std::string &method);

} // namespace cimc

#endif // CIMC_QUANTIZE_HISTOGRAM_H
