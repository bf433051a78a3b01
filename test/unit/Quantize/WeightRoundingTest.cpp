//===- WeightRoundingTest.cpp - integers for the weights of one sum -------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../../../lib/Quantize/WeightRounding.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <random>

using namespace cimc::quantization;

namespace {

// Inputs that depend on each other, as those of neighbouring pixels do.
std::vector<double> randomMoment(int64_t k, std::mt19937 &random) {
  std::normal_distribution<double> normal;
  std::vector<double> moment(k * k, 0.0);
  for (int64_t sample = 0; sample < 4 * k + 4; ++sample) {
    double common = normal(random);
    std::vector<double> x(k);
    for (double &value : x)
      value = common + 0.5 * normal(random);
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = 0; j < k; ++j)
        moment[i * k + j] += x[i] * x[j];
  }
  return moment;
}

std::vector<float> randomWeights(int64_t k, std::mt19937 &random) {
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> weights(k);
  for (float &weight : weights)
    weight = uniform(random);
  return weights;
}

std::vector<int32_t> nearest(const std::vector<float> &weights, float scale,
                             int32_t limit) {
  std::vector<int32_t> integers;
  for (float weight : weights)
    integers.push_back(static_cast<int32_t>(
        std::fmax(-limit, std::fmin(limit, std::nearbyint(weight / scale)))));
  return integers;
}

} // namespace

TEST_CASE("independent inputs are rounded to nearest", "[rounding]") {
  std::mt19937 random(1);
  for (int64_t k : {1, 2, 7, 16}) {
    std::vector<double> moment(k * k, 0.0);
    for (int64_t i = 0; i < k; ++i)
      moment[i * k + i] = 1.0 + static_cast<double>(i);
    std::vector<float> weights = randomWeights(k, random);
    std::vector<int32_t> integers(k);
    RoundingProblem(moment, k).round(weights.data(), 0.125f, 7,
                                     integers.data());
    CHECK(integers == nearest(weights, 0.125f, 7));
  }
}

TEST_CASE("dependent inputs are rounded better than to nearest", "[rounding]") {
  std::mt19937 random(2);
  double before = 0, after = 0;
  for (int64_t k : {1, 2, 3, 15, 16, 17, 31}) {
    RoundingProblem problem(randomMoment(k, random), k);
    for (int repeat = 0; repeat < 10; ++repeat) {
      std::vector<float> weights = randomWeights(k, random);
      std::vector<int32_t> integers(k);
      double error = problem.round(weights.data(), 0.15f, 7, integers.data());
      CHECK(error ==
            Approx(problem.error(weights.data(), 0.15f, integers.data()))
                .margin(1e-9));
      double simple = problem.error(weights.data(), 0.15f,
                                    nearest(weights, 0.15f, 7).data());
      before += simple;
      after += error;
      for (int32_t q : integers)
        CHECK(std::abs(q) <= 7);
    }
  }
  CHECK(after < 0.5 * before);
}

TEST_CASE("few weights reach the optimum", "[rounding]") {
  std::mt19937 random(3);
  const int64_t k = 3;
  int optimal = 0;
  for (int repeat = 0; repeat < 50; ++repeat) {
    RoundingProblem problem(randomMoment(k, random), k);
    std::vector<float> weights = randomWeights(k, random);
    std::vector<int32_t> integers(k);
    double error = problem.round(weights.data(), 0.5f, 2, integers.data());
    double best = error;
    for (int32_t code = 0; code < 125; ++code) {
      int32_t all[] = {code % 5 - 2, code / 5 % 5 - 2, code / 25 - 2};
      best = std::min(best, problem.error(weights.data(), 0.5f, all));
    }
    optimal += error <= best * (1 + 1e-9) + 1e-12;
  }
  // One step at a time does not leave every local optimum.
  CHECK(optimal >= 35);
}

TEST_CASE("a smaller scale is taken only where it is better", "[rounding]") {
  std::mt19937 random(4);
  for (int64_t k : {5, 65}) {
    RoundingProblem problem(randomMoment(k, random), k);
    std::vector<float> weights = randomWeights(k, random);
    float full = 1.0f / 7;
    std::vector<int32_t> plain(k), chosen(k);
    double fullError = problem.round(weights.data(), full, 7, plain.data());
    float scale =
        problem.chooseScale(weights.data(), full, 0, 7, chosen.data());
    CHECK(scale <= full);
    CHECK(scale >= 0.5f * full);
    CHECK(problem.error(weights.data(), scale, chosen.data()) <=
          fullError * (1 + 1e-9));
    CHECK(problem.chooseScale(weights.data(), full, full, 7, chosen.data()) ==
          full);
  }
}

TEST_CASE("weights that shall make up for other inputs", "[rounding]") {
  std::mt19937 random(5);
  const int64_t k = 9;
  std::vector<double> moment = randomMoment(k, random);
  std::vector<float> weights = randomWeights(k, random);
  RoundingProblem problem(moment, k);
  // The same inputs: the same weights.
  std::vector<float> same = problem.retarget(weights.data(), moment);
  // Inputs half as large, r = 2 x: twice the weights, but for the damping.
  std::vector<double> twice = moment;
  for (double &value : twice)
    value *= 2;
  std::vector<float> larger = problem.retarget(weights.data(), twice);
  double distance = 0, norm = 0;
  for (int64_t i = 0; i < k; ++i) {
    CHECK(same[i] == Approx(weights[i]).margin(1e-5));
    distance += std::pow(larger[i] - 2 * weights[i], 2);
    norm += std::pow(2 * weights[i], 2);
  }
  CHECK(distance < 0.05 * norm);
}
