//===- Explain.h - where a node lies and what bounds it ---------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_DRIVER_EXPLAIN_H
#define CIMC_LIB_DRIVER_EXPLAIN_H

#include "cimc/Driver/Report.h"
#include "cimc/Target/CostModel.h"

#include "CIM/CIM.h"

#include <optional>
#include <string>
#include <vector>

namespace cimc {

/// Weights of a node in the arrays of one core, side by side.
struct TileFacts {
  std::vector<int64_t> arrays; ///< within the core
  int64_t firstRow = 0, rows = 0;
  int64_t firstColumn = 0; ///< in each array, in weights
  int64_t columns = 0;     ///< in all arrays together, in weights
  int64_t weightBits = 0;
  int64_t reuse = 0; ///< vectors served by one read of a row group (R)
};

/// One stream of a node.
struct StreamFacts {
  int64_t core = 0;
  CorePosition position{};
  std::vector<TileFacts> tiles; ///< empty: it runs on the vector unit
  StreamCost cost;
};

/// What a network comes to with other copies of one layer.
struct Alternative {
  cim::LayerCopies layer;
  std::string failure; ///< why there is no such program, or ""
  int64_t arrays = 0;  ///< of the whole program
  double periodNs = 0, latencyNs = 0, energyNj = 0;
};

/// A layer of a node, and what its neighbours in number of copies come to.
struct LayerFacts {
  cim::LayerCopies copies;
  bool isMeasured = false; ///< `fewer` and `more` have been looked for
  std::optional<Alternative> fewer, more;
};

struct NodeFacts {
  std::string name;
  std::vector<StreamFacts> streams; ///< in the order of the program
  std::vector<LayerFacts> layers;   ///< empty where only a program is given
  double criticalNs = 0; ///< its share of the chain that decides the period
};

/// The next number of copies below or above that makes parts larger or
/// smaller, or nothing.
std::optional<cim::LayerCopies> fewerCopies(const cim::LayerCopies &layer);
std::optional<cim::LayerCopies> moreCopies(const cim::LayerCopies &layer);

/// Names of all nodes that have streams, in the order of the program.
std::vector<std::string> nodesOf(const Program &program);

/// Where the streams of a node are and what they cost; `cost` with its critical
/// path.
NodeFacts factsOf(const std::string &node, const Program &program,
                  const CostReport &cost);

/// What decides the network's period, and one node, as text and as JSON.
/// `latency`: copies are for the time of one sample.
std::string networkText(const Program &program, const CostReport &cost);
Json networkJson(const Program &program, const CostReport &cost);
std::string nodeText(const NodeFacts &node, const Program &program,
                     const CostReport &cost, bool latency);
Json nodeJson(const NodeFacts &node);

} // namespace cimc

#endif // CIMC_LIB_DRIVER_EXPLAIN_H
