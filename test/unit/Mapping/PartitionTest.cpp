//===- PartitionTest.cpp - where networks are cut ------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../../../lib/Mapping/Partition.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <limits>
#include <random>

using namespace cimc::mapping;

namespace {

/// A chain with skip connections, inputs and outputs.
PartitionGraph randomGraph(std::mt19937 &random, int64_t count) {
  auto below = [&](int64_t n) { return static_cast<int64_t>(random() % n); };
  PartitionGraph graph;
  graph.values.push_back({1 + below(50)});
  for (int64_t i = 0; i < count; ++i) {
    PartitionGraph::Operation op;
    op.cells = below(9);
    op.arrayNs = static_cast<double>(below(100));
    op.vectorNs = static_cast<double>(below(100));
    for (int64_t n = 1 + below(2); n > 0; --n) {
      auto size = static_cast<int64_t>(graph.values.size());
      int64_t value = below(3) ? size - 1 : below(size);
      if (std::find(op.reads.begin(), op.reads.end(), value) != op.reads.end())
        continue;
      op.reads.push_back(value);
      graph.values[value].lastUse = i;
    }
    op.makes = {static_cast<int64_t>(graph.values.size())};
    graph.values.push_back({1 + below(50), i, -1, below(5) == 0});
    graph.operations.push_back(op);
  }
  graph.values.back().isOutput = true;
  return graph;
}

struct Part {
  int64_t cells = 0;
  double bytes = 0, ns = 0;
};

/// By definition, not by growing.
Part measure(const PartitionGraph &graph, int64_t begin, int64_t end,
             double bytesPerNs) {
  Part part;
  double in = 0, out = 0, arrays = 0, vector = 0;
  for (size_t v = 0; v < graph.values.size(); ++v) {
    const PartitionGraph::Value &value = graph.values[v];
    bool isMade = value.definedAt >= begin && value.definedAt < end,
         isRead = false;
    for (int64_t i = begin; i < end; ++i)
      for (int64_t read : graph.operations[i].reads)
        isRead |= read == static_cast<int64_t>(v);
    if (isRead && !isMade)
      in += static_cast<double>(value.bytes);
    if (isMade && (value.isOutput || value.lastUse >= end))
      out += static_cast<double>(value.bytes);
  }
  for (int64_t i = begin; i < end; ++i) {
    part.cells += graph.operations[i].cells;
    arrays += graph.operations[i].arrayNs;
    vector += graph.operations[i].vectorNs;
  }
  part.bytes = in + out;
  part.ns = std::max({arrays, vector, std::max(in, out) / bytesPerNs});
  return part;
}

/// Of all partitions: the fewest parts from `limits.parts` on that there are,
/// and the least bytes, or time of the slowest part, of those.
std::pair<int64_t, double> best(const PartitionGraph &graph,
                                const PartitionLimits &limits) {
  auto count = static_cast<int64_t>(graph.operations.size());
  std::vector<double> least(count + 1, std::numeric_limits<double>::infinity());
  for (int64_t cuts = 0; cuts < int64_t(1) << (count - 1); ++cuts) {
    int64_t begin = 0, parts = 0;
    double bytes = 0, ns = 0;
    bool isAllowed = true;
    for (int64_t end = 1; end <= count; ++end) {
      if (end < count && !(cuts >> (end - 1) & 1))
        continue;
      Part part = measure(graph, begin, end, limits.bytesPerNs);
      isAllowed &= part.cells <= limits.cells;
      for (auto [from, to] : limits.apart)
        isAllowed &= !(begin <= from && to <= end);
      bytes += part.bytes;
      ns = std::max(ns, part.ns);
      ++parts;
      begin = end;
    }
    if (isAllowed)
      least[parts] = std::min(least[parts],
                              limits.goal == PartitionGoal::Cards ? ns : bytes);
  }
  int64_t fewest = 1;
  while (fewest <= count && least[fewest] == least[0])
    ++fewest;
  if (fewest > count)
    return {0, 0};
  int64_t parts = std::max(fewest, std::min(limits.parts, count));
  return {parts, least[parts]};
}

} // namespace

TEST_CASE("partitions are the best of all") {
  std::mt19937 random(3);
  int found = 0, impossible = 0, kept = 0;
  for (int i = 0; i < 400; ++i) {
    PartitionGraph graph = randomGraph(random, 1 + i % 9);
    auto count = static_cast<int64_t>(graph.operations.size());
    PartitionLimits limits;
    limits.cells = 7 + static_cast<int64_t>(random() % 12);
    limits.parts = 1 + static_cast<int64_t>(random() % 4);
    limits.goal = i % 2 ? PartitionGoal::Cards : PartitionGoal::Reprogram;
    limits.bytesPerNs = 0.7;
    for (int n = static_cast<int>(random() % 3); n > 0; --n) {
      auto begin = static_cast<int64_t>(random() % count);
      limits.apart.emplace_back(begin,
                                begin + 1 + static_cast<int64_t>(random() % 4));
    }
    auto [parts, cost] = best(graph, limits);
    Partition partition = choosePartition(graph, limits);
    INFO("graph " << i << " of " << count << " operations");
    REQUIRE(static_cast<int64_t>(partition.ends.size()) == parts);
    if (parts == 0) {
      ++impossible;
      continue;
    }
    ++found;
    kept += !limits.apart.empty();
    CHECK(partition.ends.back() == count);
    CHECK(std::is_sorted(partition.ends.begin(), partition.ends.end()));
    CHECK((limits.goal == PartitionGoal::Cards
               ? partition.slowestNs
               : partition.crossingBytes) == Approx(cost));
    // The figures are those of the parts.
    double bytes = 0, ns = 0;
    int64_t begin = 0;
    for (int64_t end : partition.ends) {
      Part part = measure(graph, begin, end, limits.bytesPerNs);
      CHECK(part.cells <= limits.cells);
      bytes += part.bytes;
      ns = std::max(ns, part.ns);
      begin = end;
    }
    CHECK(partition.crossingBytes == Approx(bytes));
    CHECK(partition.slowestNs == Approx(ns));
  }
  CHECK(found > 200);
  CHECK(impossible > 10);
  CHECK(kept > 50);
}

TEST_CASE("a network without operations is one part") {
  Partition partition = choosePartition({}, {});
  CHECK(partition.ends == std::vector<int64_t>{0});
}
