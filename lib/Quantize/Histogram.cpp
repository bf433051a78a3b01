//===- Histogram.cpp - counts of values, and ranges -------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Quantize/Histogram.h"

#include "cimc/Support/Numerics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cimc {

namespace {
// The index of a value's bin. Exact: the width is a power of two.
int64_t binOf(float value, int exponent) {
  return static_cast<int64_t>(
      std::floor(std::ldexp(static_cast<double>(value), -exponent)));
}

int64_t halve(int64_t index, int times) {
  return times >= 62 ? (index < 0 ? -1 : 0) : index >> times;
}
} // namespace

double Histogram::width() const { return std::ldexp(1.0, exponent); }

double Histogram::begin(int64_t bin) const {
  return std::ldexp(static_cast<double>(base + bin), exponent);
}

int64_t Histogram::total() const {
  int64_t sum = zeros;
  for (int64_t count : counts)
    sum += count;
  return sum;
}

// The width is the smallest power of two for which [low, high] fits, a function
// of the extremes alone: that makes the result independent of the order.
void Histogram::cover(float newLow, float newHigh) {
  float widerLow = std::min(low, newLow), widerHigh = std::max(high, newHigh);
  if (widerLow == low && widerHigh == high && !counts.empty())
    return;
  low = widerLow;
  high = widerHigh;
  int needed = exponent;
  // Start near the answer; the loop then takes at most a few steps.
  double span = static_cast<double>(high) - low;
  if (span > 0)
    needed = std::max(needed, std::ilogb(span / maxBins) - 1);
  while (binOf(high, needed) - binOf(low, needed) >= maxBins)
    ++needed;
  int64_t newBase = binOf(low, needed);
  std::vector<int64_t> wider(binOf(high, needed) - newBase + 1, 0);
  for (size_t i = 0; i < counts.size(); ++i)
    if (counts[i])
      wider[halve(base + static_cast<int64_t>(i), needed - exponent) -
            newBase] += counts[i];
  counts = std::move(wider);
  base = newBase;
  exponent = needed;
}

void Histogram::add(const float *values, int64_t size) {
  float newLow = 0, newHigh = 0;
  for (int64_t i = 0; i < size; ++i) {
    if (!std::isfinite(values[i]))
      continue;
    newLow = std::min(newLow, values[i]);
    newHigh = std::max(newHigh, values[i]);
  }
  cover(newLow, newHigh);
  double inverse = std::ldexp(1.0, -exponent);
  for (int64_t i = 0; i < size; ++i) {
    float value = values[i];
    if (value == 0.0f)
      ++zeros;
    else if (std::isfinite(value))
      ++counts[static_cast<int64_t>(std::floor(value * inverse)) - base];
    else
      ++nonFinite;
  }
}

void Histogram::merge(const Histogram &other) {
  zeros += other.zeros;
  nonFinite += other.nonFinite;
  if (other.counts.empty())
    return;
  cover(other.low, other.high);
  for (int64_t i = 0; i < other.bins(); ++i)
    if (other.counts[i])
      counts[halve(other.base + i, exponent - other.exponent) - base] +=
          other.counts[i];
}

AffineParameters affineParameters(double low, double high) {
  low = std::min(low, 0.0);
  high = std::max(high, 0.0);
  AffineParameters result;
  result.scale = static_cast<float>((high - low) / 255.0);
  // Below this, products of scales leave the normal range of fp32.
  if (!(result.scale > 1e-15f)) {
    result.scale = high == low ? 1.0f : 1e-15f;
  }
  double zero = std::nearbyint(-low / result.scale);
  result.zero = static_cast<int32_t>(std::min(255.0, std::max(0.0, zero)));
  return result;
}

double quantizationError(const Histogram &histogram, AffineParameters p) {
  double error = 0;
  double half = histogram.width() / 2, inverse = 1.0 / p.scale;
  double minimum = -p.zero, maximum = 255.0 - p.zero;
  for (int64_t i = 0; i < histogram.bins(); ++i) {
    int64_t count = histogram.count(i);
    if (!count)
      continue;
    double x = (histogram.begin(i) + half) * inverse;
    double q = std::min(maximum, std::max(minimum, std::nearbyint(x)));
    error += static_cast<double>(count) * (x - q) * (x - q);
  }
  int64_t total = histogram.total();
  return total ? error * p.scale * p.scale / static_cast<double>(total) : 0;
}

double clippedShare(const Histogram &histogram, double low, double high) {
  int64_t outside = 0;
  for (int64_t i = 0; i < histogram.bins(); ++i) {
    double middle = histogram.begin(i) + histogram.width() / 2;
    if (middle < low || middle > high)
      outside += histogram.count(i);
  }
  int64_t total = histogram.total();
  return total ? static_cast<double>(outside) / static_cast<double>(total) : 0;
}

namespace {
// Cuts 0.01 % of the values, half at each end (all at one end where the other
// is zero).
AffineParameters choosePercentile(const Histogram &histogram) {
  const double share = 1e-4;
  bool twoSided = histogram.min() < 0 && histogram.max() > 0;
  double cut =
      static_cast<double>(histogram.total()) * share / (twoSided ? 2 : 1);
  double low = histogram.min(), high = histogram.max();
  int64_t below = 0, above = 0;
  for (int64_t i = 0; i < histogram.bins() && histogram.begin(i) < 0; ++i) {
    below += histogram.count(i);
    if (static_cast<double>(below) > cut)
      break;
    low = std::max<double>(low, histogram.begin(i) + histogram.width());
  }
  for (int64_t i = histogram.bins() - 1; i >= 0 && histogram.begin(i) >= 0;
       --i) {
    above += histogram.count(i);
    if (static_cast<double>(above) > cut)
      break;
    high = std::min<double>(high, histogram.begin(i));
  }
  return affineParameters(low, high);
}

// The range whose values, cut to it and put into 256 equal levels, have the
// distribution nearest to the one counted: least Kullback-Leibler divergence
// among ranges that shrink both ends together (Migacz, "8-bit inference with
// TensorRT", GTC 2017).
AffineParameters chooseEntropy(const Histogram &histogram) {
  const int steps = 64, levels = 256;
  int64_t bins = histogram.bins();
  std::vector<double> counts(bins);
  for (int64_t i = 0; i < bins; ++i)
    counts[i] = static_cast<double>(histogram.count(i));
  // Exact zeros lie in the bin that begins at 0, if there is one.
  for (int64_t i = 0; i < bins; ++i)
    if (histogram.begin(i) == 0)
      counts[i] += static_cast<double>(histogram.zeroCount());
  double total = 0;
  for (double count : counts)
    total += count;
  double best = std::numeric_limits<double>::infinity();
  AffineParameters chosen = affineParameters(histogram.min(), histogram.max());
  for (int step = 0; step < steps; ++step) {
    double factor = 1.0 - static_cast<double>(step) / steps;
    double low = histogram.min() * factor, high = histogram.max() * factor;
    auto inside = [&](int64_t i) {
      double middle = histogram.begin(i) + histogram.width() / 2;
      return middle >= low && middle <= high;
    };
    auto levelOf = [&](int64_t i) {
      double middle = histogram.begin(i) + histogram.width() / 2;
      return std::clamp(
          static_cast<int>((middle - low) / (high - low) * levels), 0,
          levels - 1);
    };
    int64_t first = 0, last = bins;
    while (first < bins && !inside(first))
      ++first;
    while (last > first && !inside(last - 1))
      --last;
    // Fewer bins than levels tell nothing about the levels.
    if (last - first < levels && step > 0)
      break;
    double below = 0, above = 0;
    for (int64_t i = 0; i < first; ++i)
      below += counts[i];
    for (int64_t i = last; i < bins; ++i)
      above += counts[i];
    std::vector<double> sums(levels, 0.0);
    std::vector<int64_t> occupied(levels, 0);
    for (int64_t i = first; i < last; ++i) {
      sums[levelOf(i)] += counts[i];
      occupied[levelOf(i)] += counts[i] > 0;
    }
    double divergence = 0, inRange = total - below - above;
    for (int64_t i = first; i < last && inRange > 0; ++i) {
      double p =
          counts[i] + (i == first ? below : 0) + (i + 1 == last ? above : 0);
      if (p == 0)
        continue;
      // What an end takes over may fall where nothing was counted.
      double q =
          occupied[levelOf(i)] && counts[i] > 0
              ? sums[levelOf(i)] / static_cast<double>(occupied[levelOf(i)])
              : 1e-3;
      divergence += p / total * std::log(p / total / (q / inRange));
    }
    if (inRange > 0 && divergence < best) {
      best = divergence;
      chosen = affineParameters(low, high);
    }
  }
  return chosen;
}

// Shrinks both ends together, then each alone, twice.
AffineParameters chooseLeastSquares(const Histogram &histogram) {
  const int steps = 80;
  double low = histogram.min(), high = histogram.max();
  double bestLow = low, bestHigh = high;
  double best = std::numeric_limits<double>::infinity();
  auto attempt = [&](double tryLow, double tryHigh) {
    double error =
        quantizationError(histogram, affineParameters(tryLow, tryHigh));
    if (error < best) {
      best = error;
      bestLow = tryLow;
      bestHigh = tryHigh;
    }
  };
  for (int i = 0; i < steps; ++i) {
    double factor = 1.0 - static_cast<double>(i) / steps;
    attempt(low * factor, high * factor);
  }
  for (int round = 0; round < 2 && low < 0 && high > 0; ++round) {
    double fixedHigh = bestHigh;
    for (int i = 0; i < steps; ++i)
      attempt(low * (1.0 - static_cast<double>(i) / steps), fixedHigh);
    double fixedLow = bestLow;
    for (int i = 0; i < steps; ++i)
      attempt(fixedLow, high * (1.0 - static_cast<double>(i) / steps));
  }
  return affineParameters(bestLow, bestHigh);
}
} // namespace

AffineParameters chooseParameters(const Histogram &histogram,
                                  const std::string &method) {
  if (histogram.min() == 0 && histogram.max() == 0)
    return {};
  if (method == "minmax")
    return affineParameters(histogram.min(), histogram.max());
  if (method == "percentile")
    return choosePercentile(histogram);
  if (method == "entropy")
    return chooseEntropy(histogram);
  return chooseLeastSquares(histogram);
}

} // namespace cimc
