//===- Load.h - what a stream asks of a core --------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_MAPPING_LOAD_H
#define CIMC_LIB_MAPPING_LOAD_H

#include "CIM/CIM.h"
#include "cimc/Target/CostModel.h"

#include <algorithm>
#include <cstdint>

namespace cimc::mapping {

/// What one stream asks of its core for one sample.
struct Load {
  double macroNs = 0;     ///< each of its macros works
  double vectorNs = 0;    ///< the vector unit works
  double controlNs = 0;   ///< waits, posts and frees
  double inNs = 0;        ///< rows arrive
  double outNs = 0;       ///< rows are sent
  double issueNs = 0;     ///< the tile's port starts its products
  int64_t macros = 0;     ///< side by side
  int64_t rows = 0;       ///< cell rows in each of them, in whole row groups
  int64_t bytes = 0;      ///< of memory, so that producer and consumer overlap
  int64_t leastBytes = 0; ///< so that they take turns

  /// A stream does one thing after the other.
  double streamNs() const { return macroNs + vectorNs + controlNs + outNs; }
  /// The shortest period it allows.
  double periodNs() const { return std::max(streamNs(), inNs); }
};

/// Extents of a feature map.
struct Extents {
  int64_t rows, pixels, channels, bytes; ///< bytes of an element
  explicit Extents(mlir::Value value);
};

/// Loads of operations, by the chip's cost model.
class LoadModel {
public:
  explicit LoadModel(const ChipSpec &chip) : chip(chip), costs(chip) {}

  /// Of an operation that makes `pixels` of each row of its result. What it
  /// sends is the caller's to say (sendNs), and how many more rows of each
  /// operand than its window it has to hold because another one comes later.
  Load of(mlir::Operation *op, int64_t pixels,
          llvm::ArrayRef<int64_t> heldRows = {}) const;
  /// Time a port or link of the network on chip is taken by `bytes`.
  double sendNs(double bytes) const;
  /// Time a stream takes to send them in `messages`, each of whole flits and at
  /// least the cycle in which its memory is read.
  double sendNs(double bytes, double messages) const;
  int64_t macrosOf(cim::MvmOp op) const;
  const ChipSpec &spec() const { return chip; }
  const CostModel &costModel() const { return costs; }

private:
  double vectorNs(mlir::Operation *op, int64_t pixels) const;
  int64_t bytesOf(mlir::Operation *op, int64_t pixels,
                  llvm::ArrayRef<int64_t> heldRows, bool least) const;

  const ChipSpec &chip;
  CostModel costs;
};

/// Whether the operation is only a matter of who writes where: it runs on no
/// core.
bool isGlue(mlir::Operation *op);

/// Whether each pixel of the result is made of the same pixel of the operands,
/// or of the only one they have.
bool isPixelwise(mlir::Operation *op);
/// Whether it is a matrix of which every pixel of the result reads all.
bool isMatrix(mlir::OpOperand &operand);

/// Whether the operation follows the one that makes the operand on the same
/// core: each pixel passes once, and to it only.
bool isBeside(mlir::OpOperand &operand);

/// The window by which the operation reads its operands, or null.
cim::WindowAttr windowOf(mlir::Operation *op);

/// Pixels [begin, end) of a row.
struct PixelRange {
  int64_t begin, end;
  bool holds(PixelRange other) const {
    return begin <= other.begin && other.end <= end;
  }
};

/// The pixels of operand `operand` that make pixels `range` of the result of
/// an operation that is pixelwise or has a window; empty where they all lie in
/// the padding.
PixelRange pixelsRead(mlir::Operation *op, unsigned operand, PixelRange range);

} // namespace cimc::mapping

#endif // CIMC_LIB_MAPPING_LOAD_H
