//===- ChannelPlan.h - which channels a network needs -----------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_SCHEDULING_CHANNELPLAN_H
#define CIMC_LIB_SCHEDULING_CHANNELPLAN_H

#include "CIM/CIM.h"

#include "llvm/ADT/DenseMap.h"

#include <array>
#include <string>
#include <vector>

namespace cimc::sched {

/// A channel before it is an operation.
struct PlannedChannel {
  std::string name;
  int64_t core = 0; ///< of the consumer; -1: the host
  mlir::Value value;
  int64_t rows = 0, rowBytes = 0;
  int64_t producers = 0, consumers = 0;
  int64_t wantedSlots = 0;
  bool whole = false;
};

/// Where the stream that computes a value puts each of its rows.
struct Destination {
  unsigned channel = 0;
  int64_t producer = 0;
  int64_t offset = 0; ///< bytes into the channel's row
  int64_t pitch = 0;  ///< bytes from pixel to pixel
  int64_t begin = 0;  ///< the first of `count` pixels of the value
  int64_t count = 0;
  int64_t stride = 1; ///< pixels of the value from one to the next
  int64_t first = 0;  ///< the channel's row that its first row is
  int64_t step = 1;   ///< rows of the channel from one of its rows to the next
};

/// Where an operand comes from: a channel, or a constant in memory.
struct Source {
  int64_t channel = -1; ///< -1: the value is a cim.constant
  int64_t consumer = 0;
};

/// Rows of a value as they pass through channels. Sums of products are cut into
/// chunks of pixels, each a row of its own, because a whole row of int32 sums
/// would take most of a core's memory.
struct RowForm {
  int64_t rows, pixels, channels; ///< of the value; pixels of a chunk
  int64_t chunks;                 ///< per row of the feature map
  mlir::Type type;
  int64_t rowBytes() const;
};

/// Decides the channels of an entry function. `cim.concat` along pixels and
/// channels, `cim.slice`, and reshapes that keep rows whole have no stream:
/// producers write straight into what their users read.
class ChannelPlan {
public:
  /// Also inserts copies where a value has no stream that could write it (an
  /// input or constant that is returned or concatenated) and erases dead ops.
  static mlir::FailureOr<ChannelPlan> make(mlir::func::FuncOp function,
                                           const ChipSpec &chip);

  std::vector<PlannedChannel> channels;
  /// By argument: the channels the host feeds. By result: the one it reads.
  std::vector<std::vector<unsigned>> inputs;
  std::vector<std::optional<unsigned>> outputs;

  llvm::ArrayRef<Destination> destinations(mlir::Value value) const;
  Source source(mlir::OpOperand &operand) const;
  RowForm form(mlir::Value value) const;
  /// The core a stream operation runs on.
  int64_t core(mlir::Operation *op) const;
  /// What a delay gives a row later.
  mlir::OpOperand &delayed(cim::DelayOp op) const {
    return *delays.lookup(op.getNumber());
  }
  /// Whether the operation becomes a stream.
  bool isStream(mlir::Operation *op) const;

private:
  void chooseChunks(mlir::func::FuncOp function, const ChipSpec &chip);
  mlir::LogicalResult place(mlir::func::FuncOp function, const ChipSpec &chip);
  unsigned addChannel(mlir::Value value, int64_t core);
  void route(mlir::Value value, Destination to);

  llvm::DenseMap<mlir::Value, llvm::SmallVector<Destination, 2>> routes;
  llvm::DenseMap<mlir::OpOperand *, Source> sources;
  llvm::DenseMap<mlir::Value, int64_t> chunkPixels;
  llvm::DenseMap<mlir::Operation *, int64_t> cores;
  llvm::DenseMap<int64_t, mlir::OpOperand *> delays; ///< by number
};

/// Whether the operation needs all rows of an operand at once, at fixed places.
bool readsWhole(mlir::Operation *op, unsigned operand);

/// Whether a reshape, concat or slice is only a matter of who writes where.
bool isAlias(mlir::Operation *op);

} // namespace cimc::sched

#endif // CIMC_LIB_SCHEDULING_CHANNELPLAN_H
