//===- Layers.h - operations that are cut alike -----------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_MAPPING_LAYERS_H
#define CIMC_LIB_MAPPING_LAYERS_H

#include "Load.h"

#include "llvm/ADT/DenseMap.h"

#include <vector>

namespace cimc::mapping {

/// Operations whose results are cut into the same parts: a weight matrix's
/// tiles or a window's operation, and what follows pixel by pixel. A row is cut
/// into `copies` ranges of pixels; `phases` copies of each take rows in turn.
/// Of integer sums over all pixels (isSum), it is what is added that is cut.
struct Layer {
  llvm::SmallVector<mlir::Operation *> ops; ///< in the block's order
  int64_t rows = 1, pixels = 1;             ///< of the results
  bool canCut = false;
  bool isSum = false;        ///< `pixels` are those of the operand
  bool canTakeTurns = false; ///< rows do not wait for each other
  int64_t copies = 1, phases = 1;

  PixelRange part(int64_t i) const {
    return {pixels * i / copies, pixels * (i + 1) / copies};
  }
  int64_t widest() const { return (pixels + copies - 1) / copies; }
  /// Rows of `all` that are row `first` and every `step`-th after it.
  static int64_t rowsOf(int64_t all, int64_t first, int64_t step) {
    return (all - first + step - 1) / step;
  }
  /// The most rows that one part makes.
  int64_t tallest() const { return (rows + phases - 1) / phases; }
};

/// The layers of a function, and how to cut them.
class Layers {
public:
  Layers(mlir::func::FuncOp function, const LoadModel &model);

  std::vector<Layer> list; ///< in the order of their last operations
  /// The layer of an operation; -1: of none (glue).
  int64_t of(mlir::Operation *op) const {
    auto found = member.find(op);
    return found == member.end() ? -1 : found->second;
  }

  /// Pixels of a row of a value that a part of a layer reads.
  struct Read {
    PixelRange pixels;
    double share; ///< of the pixels in it
  };
  /// What is read of the value as the layers are cut now, by the parts that
  /// begin first. Readers of the layer itself are beside their part.
  std::vector<Read> reads(mlir::Value value) const;

  /// What is sent of a row.
  struct Sent {
    double pixels = 0, messages = 0;
  };
  /// What who makes pixels `part` sends of them for these reads. Reads of
  /// pixels that another one takes in any case are of its message.
  static Sent sent(const std::vector<Read> &reads, PixelRange part);
  /// What the part sends that sends most, of a layer that is cut into as many.
  static Sent mostSent(const std::vector<Read> &reads, const Layer &layer);

  /// The load of one part of the operation that makes `rows` rows and sends
  /// `sent` of each.
  Load load(mlir::Operation *op, PixelRange part, int64_t rows,
            const Sent &sent) const;

  /// Cuts every layer into its copies.
  void apply();

private:
  void cut(Layer &layer);

  mlir::func::FuncOp function;
  const LoadModel &model;
  llvm::DenseMap<mlir::Operation *, int64_t> member;
};

} // namespace cimc::mapping

#endif // CIMC_LIB_MAPPING_LAYERS_H
