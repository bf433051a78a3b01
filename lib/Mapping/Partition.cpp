//===- Partition.cpp - where a network is cut into parts --------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Partition.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace cimc::mapping {

namespace {

/// What parts cost: bytes are added, of times the slowest counts. The goal says
/// which of the two comes first.
struct Cost {
  double bytes = std::numeric_limits<double>::infinity(), ns = 0;

  Cost then(const Cost &part) const {
    return {bytes + part.bytes, std::max(ns, part.ns)};
  }
  bool isBetterThan(const Cost &other, PartitionGoal goal) const {
    std::pair mine(bytes, ns), theirs(other.bytes, other.ns);
    if (goal == PartitionGoal::Cards) {
      std::swap(mine.first, mine.second);
      std::swap(theirs.first, theirs.second);
    }
    // Infinite bytes: no partition at all.
    return bytes < std::numeric_limits<double>::infinity() &&
           (other.bytes == std::numeric_limits<double>::infinity() ||
            mine < theirs);
  }
};

/// The part [begin, end) of a graph, for one end and ever earlier begins.
class GrowingPart {
public:
  GrowingPart(const PartitionGraph &graph, int64_t end, double bytesPerNs)
      : graph(graph), end(end), bytesPerNs(bytesPerNs),
        isRead(graph.values.size(), false) {}

  void addBefore(int64_t index) {
    const PartitionGraph::Operation &operation = graph.operations[index];
    cells += operation.cells;
    arrayNs += operation.arrayNs;
    vectorNs += operation.vectorNs;
    for (int64_t number : operation.makes) {
      const PartitionGraph::Value &value = graph.values[number];
      if (isRead[number])
        bytesIn -= double(value.bytes);
      if (value.isOutput || value.lastUse >= end)
        bytesOut += double(value.bytes);
    }
    for (int64_t number : operation.reads)
      if (!isRead[number]) {
        isRead[number] = true;
        bytesIn += double(graph.values[number].bytes);
      }
  }

  Cost cost() const {
    double linkNs = std::max(bytesIn, bytesOut) / bytesPerNs;
    return {bytesIn + bytesOut, std::max({arrayNs, vectorNs, linkNs})};
  }

  int64_t cells = 0;

private:
  const PartitionGraph &graph;
  int64_t end;
  double bytesPerNs;
  std::vector<bool> isRead;
  double arrayNs = 0, vectorNs = 0, bytesIn = 0, bytesOut = 0;
};

} // namespace

/// For each end the earliest begin of a part that no range to be kept apart
/// lies in.
static std::vector<int64_t> earliestBegins(int64_t count,
                                           const PartitionLimits &limits) {
  std::vector<int64_t> earliest(count + 1, 0);
  for (auto [begin, end] : limits.apart)
    for (int64_t e = std::max<int64_t>(end, 0); e <= count; ++e)
      earliest[e] = std::max(earliest[e], begin + 1);
  return earliest;
}

/// The fewest parts; 0 where there are none.
static int64_t fewestParts(const PartitionGraph &graph,
                           const PartitionLimits &limits,
                           const std::vector<int64_t> &earliest) {
  auto count = static_cast<int64_t>(graph.operations.size());
  constexpr int64_t none = std::numeric_limits<int64_t>::max();
  std::vector<int64_t> fewest(count + 1, none);
  fewest[0] = 0;
  for (int64_t end = 1; end <= count; ++end) {
    int64_t cells = 0;
    for (int64_t begin = end - 1; begin >= earliest[end]; --begin) {
      cells += graph.operations[begin].cells;
      if (cells > limits.cells)
        break;
      if (fewest[begin] != none)
        fewest[end] = std::min(fewest[end], fewest[begin] + 1);
    }
  }
  return fewest[count] == none ? 0 : fewest[count];
}

Partition choosePartition(const PartitionGraph &graph,
                          const PartitionLimits &limits) {
  auto count = static_cast<int64_t>(graph.operations.size());
  if (count == 0)
    return {{0}, 0, 0};
  std::vector<int64_t> earliest = earliestBegins(count, limits);
  int64_t fewest = fewestParts(graph, limits, earliest);
  if (fewest == 0)
    return {};
  int64_t parts = std::max(fewest, std::min(limits.parts, count));
  // best[p][e]: operations [0, e) in p parts; from[p][e]: where the last
  // begins.
  std::vector<std::vector<Cost>> best(parts + 1, std::vector<Cost>(count + 1));
  std::vector<std::vector<int64_t>> from(parts + 1,
                                         std::vector<int64_t>(count + 1, 0));
  best[0][0].bytes = 0;
  for (int64_t end = 1; end <= count; ++end) {
    GrowingPart part(graph, end, limits.bytesPerNs);
    for (int64_t begin = end - 1; begin >= earliest[end]; --begin) {
      part.addBefore(begin);
      if (part.cells > limits.cells)
        break;
      Cost cost = part.cost();
      for (int64_t p = 1; p <= std::min(parts, end); ++p) {
        Cost all = best[p - 1][begin].then(cost);
        if (!all.isBetterThan(best[p][end], limits.goal))
          continue;
        best[p][end] = all;
        from[p][end] = begin;
      }
    }
  }
  Partition result;
  result.crossingBytes = best[parts][count].bytes;
  result.slowestNs = best[parts][count].ns;
  int64_t end = count;
  for (int64_t p = parts; p > 0; --p) {
    result.ends.push_back(end);
    end = from[p][end];
  }
  std::reverse(result.ends.begin(), result.ends.end());
  return result;
}

} // namespace cimc::mapping
