//===- MixedPrecisionTest.cpp - which layers to keep, and tables ----------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../../../lib/Quantize/MixedPrecision.h"

#include <catch2/catch.hpp>

#include <random>

using namespace cimc;
using namespace cimc::quantization;

namespace {

/// Size and value of what is taken.
std::pair<int64_t, double> sum(const std::vector<KnapsackItem> &items,
                               const std::vector<bool> &taken) {
  std::pair<int64_t, double> result(0, 0.0);
  for (size_t i = 0; i < items.size(); ++i)
    if (taken[i]) {
      result.first += items[i].size;
      result.second += items[i].value;
    }
  return result;
}

} // namespace

TEST_CASE("a knapsack is as good as trying everything") {
  std::mt19937 random(5);
  for (int round = 0; round < 50; ++round) {
    std::vector<KnapsackItem> items(1 + random() % 9);
    for (KnapsackItem &item : items)
      item = {int64_t(random() % 12), double(random() % 100) / 8};
    Knapsack knapsack(items);
    for (int64_t capacity = 0; capacity <= knapsack.capacity(); ++capacity) {
      double best = 0;
      for (unsigned set = 0; set < 1u << items.size(); ++set) {
        std::vector<bool> taken;
        for (size_t i = 0; i < items.size(); ++i)
          taken.push_back(set >> i & 1);
        auto [size, value] = sum(items, taken);
        if (size <= capacity)
          best = std::max(best, value);
      }
      auto [size, value] = sum(items, knapsack.choose(capacity));
      CHECK(size <= capacity);
      CHECK(value == best);
    }
  }
}

TEST_CASE("a knapsack of large items rounds their sizes up") {
  std::vector<KnapsackItem> items = {{1000000, 1.0}, {3000001, 2.0}, {7, 0.0}};
  Knapsack knapsack(items);
  CHECK(knapsack.capacity() <= (1 << 15) + 3);
  // What is worth nothing stays.
  CHECK(knapsack.choose(knapsack.capacity()) ==
        std::vector<bool>{true, true, false});
  CHECK(knapsack.choose(0) == std::vector<bool>{false, false, false});
}

TEST_CASE("tables are read as they were written") {
  QuantizationTable table;
  table.bits = {{"conv 1", 4}, {"fc#2", 8}};
  // The parameters that an 8-bit range stands for come back in every bit.
  std::mt19937 random(7);
  std::vector<AffineParameters> parameters;
  for (int i = 0; i < 1000; ++i) {
    AffineParameters p = affineParameters(-double(random() % 1000) / 997,
                                          double(1 + random() % 1000) / 113);
    parameters.push_back(p);
    table.ranges["t" + std::to_string(i)] = {0.0 - double(p.zero) * p.scale,
                                             (255.0 - p.zero) * p.scale};
  }
  Result<QuantizationTable> read = parseTable(printTable(table));
  REQUIRE(read);
  CHECK(read->bits == table.bits);
  REQUIRE(read->ranges.size() == parameters.size());
  for (int i = 0; i < 1000; ++i) {
    auto [low, high] = read->ranges["t" + std::to_string(i)];
    AffineParameters p = affineParameters(low, high);
    CHECK(p.scale == parameters[i].scale);
    CHECK(p.zero == parameters[i].zero);
  }
}
