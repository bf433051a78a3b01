//===- HistogramTest.cpp - counts of values, and ranges -------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Quantize/Histogram.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <random>

using namespace cimc;

namespace {

bool same(const Histogram &a, const Histogram &b) {
  if (a.bins() != b.bins() || a.width() != b.width() || a.min() != b.min() ||
      a.max() != b.max() || a.zeroCount() != b.zeroCount())
    return false;
  for (int64_t i = 0; i < a.bins(); ++i)
    if (a.count(i) != b.count(i) || a.begin(i) != b.begin(i))
      return false;
  return true;
}

std::vector<float> samples(int count, unsigned seed, float scale) {
  std::mt19937 generator(seed);
  std::vector<float> values(count);
  for (float &value : values) {
    float u = static_cast<float>(generator() >> 8) / 16777216.0f;
    value = scale * (2 * u - 0.75f) * (u < 0.1f ? 0.0f : 1.0f);
  }
  return values;
}

} // namespace

TEST_CASE("a histogram depends on neither order nor split") {
  std::vector<float> all;
  Histogram growing, shrinking, once;
  std::vector<Histogram> parts(5);
  for (int i = 0; i < 13; ++i) {
    std::vector<float> values =
        samples(97 + i, 7 + i, std::ldexp(1.3f, 3 * i - 20));
    growing.add(values.data(), static_cast<int64_t>(values.size()));
    parts[i % 5].add(values.data(), static_cast<int64_t>(values.size()));
    all.insert(all.end(), values.begin(), values.end());
  }
  for (int i = 12; i >= 0; --i) {
    std::vector<float> values =
        samples(97 + i, 7 + i, std::ldexp(1.3f, 3 * i - 20));
    shrinking.add(values.data(), static_cast<int64_t>(values.size()));
  }
  once.add(all.data(), static_cast<int64_t>(all.size()));
  Histogram merged;
  for (int i = 4; i >= 0; --i)
    merged.merge(parts[i]);
  CHECK(same(growing, once));
  CHECK(same(shrinking, once));
  CHECK(same(merged, once));
  CHECK(once.total() == static_cast<int64_t>(all.size()));
  CHECK(once.bins() <= Histogram::maxBins);
  CHECK(once.bins() >= Histogram::maxBins / 2 - 1);
}

TEST_CASE("a histogram of awkward values") {
  float inf = std::numeric_limits<float>::infinity();
  SECTION("nothing") {
    Histogram histogram;
    CHECK(histogram.empty());
    histogram.add(nullptr, 0);
    CHECK(histogram.total() == 0);
    CHECK(chooseParameters(histogram, "mse").scale == 1.0f);
  }
  SECTION("zeros, then numbers") {
    float zeros[3] = {0, -0.0f, 0}, numbers[2] = {-3, 5};
    Histogram histogram;
    histogram.add(zeros, 3);
    CHECK(chooseParameters(histogram, "minmax").scale == 1.0f);
    histogram.add(numbers, 2);
    CHECK(histogram.zeroCount() == 3);
    CHECK(histogram.total() == 5);
  }
  SECTION("what is not finite is counted apart") {
    float values[4] = {inf, -inf, std::nanf(""), 1};
    Histogram histogram;
    histogram.add(values, 4);
    CHECK(histogram.nonFiniteCount() == 3);
    CHECK(histogram.max() == 1);
    CHECK(histogram.min() == 0);
  }
  SECTION("extremes of fp32") {
    float values[4] = {std::numeric_limits<float>::denorm_min(),
                       std::numeric_limits<float>::max(),
                       -std::numeric_limits<float>::max(), 1};
    Histogram histogram;
    for (float value : values)
      histogram.add(&value, 1);
    CHECK(histogram.total() == 4);
    CHECK(std::isfinite(chooseParameters(histogram, "mse").scale));
  }
}

TEST_CASE("parameters represent zero and cover the range") {
  AffineParameters p = affineParameters(0, 6);
  CHECK(p.zero == 0);
  CHECK(p.scale == static_cast<float>(6.0 / 255));
  p = affineParameters(2, 6); // zero belongs to every range
  CHECK(p.zero == 0);
  p = affineParameters(-6, -2);
  CHECK(p.zero == 255);
  p = affineParameters(-1, 1);
  CHECK((p.zero == 127 || p.zero == 128));
  p = affineParameters(0, 0);
  CHECK(p.scale == 1.0f);
  p = affineParameters(0, 1e-30);
  CHECK(p.scale > 0);
}

TEST_CASE("least squares cuts rare outliers, minmax does not") {
  std::vector<float> values = samples(100000, 3, 1.0f);
  values.push_back(100.0f);
  Histogram histogram;
  histogram.add(values.data(), static_cast<int64_t>(values.size()));
  AffineParameters cut = chooseParameters(histogram, "mse");
  AffineParameters all = chooseParameters(histogram, "minmax");
  AffineParameters most = chooseParameters(histogram, "percentile");
  CHECK(all.scale * (255 - all.zero) == Approx(100).epsilon(0.01));
  CHECK(quantizationError(histogram, cut) <= quantizationError(histogram, all));
  CHECK(most.scale * (255 - most.zero) < 2);
}

TEST_CASE("a clamp at zero gives zero point 0") {
  std::vector<float> values = samples(5000, 5, 3.0f);
  for (float &value : values)
    value = std::fmax(value, 0.0f);
  Histogram histogram;
  histogram.add(values.data(), static_cast<int64_t>(values.size()));
  for (const char *method : {"mse", "minmax", "percentile", "entropy"}) {
    AffineParameters p = chooseParameters(histogram, method);
    CHECK(p.zero == 0);
    CHECK(p.scale * 255 <= histogram.max() * 1.0001f);
  }
}
