//===- StreamGraph.h - streams, and the bytes between them ------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_MAPPING_STREAMGRAPH_H
#define CIMC_LIB_MAPPING_STREAMGRAPH_H

#include "Packing.h"
#include "Traffic.h"

#include <vector>

namespace cimc::mapping {

/// The streams of a function at the cim level as items to be packed, and what
/// they send to one another in a sample.
class StreamGraph {
public:
  StreamGraph(mlir::func::FuncOp function, const LoadModel &model);

  std::vector<mlir::Operation *> ops; ///< of the items
  std::vector<Item> items;

  /// What passes the networks in a sample when streams are at `places`.
  Traffic traffic(const std::vector<Place> &places) const;

  /// How long the first sample takes with nothing in the way but the streams'
  /// own work: a stream begins when the first rows that it needs are there,
  /// and ends a row after those it reads from, or when its own work is done.
  double latencyNs() const;

private:
  /// Bytes of one sample from a stream (-1: the host) to a reader.
  struct Edge {
    int64_t from, to;
    int64_t value; ///< the number of the result or, of the host, the argument
    double bytes, messages;
    PixelRange range; ///< of the rows of that value
    double share;     ///< of the pixels in it
    /// Whether who sends these sends those of `part` too.
    bool covers(const Edge &part) const {
      return from == part.from && value == part.value &&
             range.holds(part.range) && (share == 1 || share == part.share);
    }
  };
  /// Who gets pixels that another reader gets in any case is of its message.
  /// The first of a message has all of its pixels.
  void groupIntoMessages();
  /// How many rows of each operand wait for the operand that comes last, as in
  /// the shorter branch of a residual connection. Sets what the operation's
  /// result begins at.
  llvm::SmallVector<int64_t> heldRows(mlir::Operation *op);
  void sortByPixels();
  void connect(mlir::Value value, PixelRange range, int64_t to,
               double share = 1);

  mlir::func::FuncOp function;
  const LoadModel &model;
  std::vector<Edge> edges;
  std::vector<std::vector<Edge>> messages;
  llvm::DenseMap<mlir::Operation *, int64_t> index;
  /// When the first row of a value is there, if every map takes one unit of
  /// time from its first row to its last; looked up only.
  llvm::DenseMap<mlir::Value, double> begins;
};

/// Plans rings (Pacing.h) for the shortest period that the streams' own work
/// allows.
void planRings(mlir::func::FuncOp function, const LoadModel &model,
               double slack);

} // namespace cimc::mapping

#endif // CIMC_LIB_MAPPING_STREAMGRAPH_H
