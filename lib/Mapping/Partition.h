//===- Partition.h - where a network is cut into parts ----------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_MAPPING_PARTITION_H
#define CIMC_LIB_MAPPING_PARTITION_H

#include <cstdint>
#include <utility>
#include <vector>

namespace cimc::mapping {

/// What the parts of a network are for: one after the other on one chip, whose
/// cells are written in between, or each on a card of its own.
enum class PartitionGoal { Reprogram, Cards };

/// A network as a list of operations in an order in which it can be computed.
struct PartitionGraph {
  struct Value {
    int64_t bytes = 0;
    int64_t definedAt = -1; ///< its operation; -1: an input of the network
    int64_t lastUse = -1;   ///< the last operation that reads it
    bool isOutput = false;  ///< of the network
  };
  struct Operation {
    int64_t cells = 0;   ///< of the arrays, in row groups
    double arrayNs = 0;  ///< its products, on all arrays of the chip
    double vectorNs = 0; ///< its other work, on all vector units
    std::vector<int64_t> reads, makes; ///< numbers of values
  };
  std::vector<Value> values;
  std::vector<Operation> operations;
};

/// A network cut into ranges of its operations.
struct Partition {
  std::vector<int64_t> ends; ///< of each part, behind its last operation
  double crossingBytes = 0;  ///< into and out of parts, a sample
  double slowestNs = 0;      ///< of the parts' estimates, without a pipeline
};

/// What a partition has to keep to.
struct PartitionLimits {
  int64_t cells = 0; ///< of a part, in row groups
  int64_t parts = 1; ///< at least; at most one for each operation is made
  PartitionGoal goal = PartitionGoal::Reprogram;
  double bytesPerNs = 1; ///< of the host's link
  /// Ranges of operations, begin and end, that no part may contain.
  std::vector<std::pair<int64_t, int64_t>> apart;
};

/// The best partition into the fewest parts that the limits allow; empty where
/// there is none. For `Reprogram`, the fewest bytes go into and out of parts,
/// and of equal ones the slowest part is fastest; for `Cards` the other way
/// round, where a part is as slow as its work or its bytes on the host's link.
/// Exact in the first of the two, by dynamic programming.
Partition choosePartition(const PartitionGraph &graph,
                          const PartitionLimits &limits);

} // namespace cimc::mapping

#endif // CIMC_LIB_MAPPING_PARTITION_H
