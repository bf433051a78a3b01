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

/// Operations whose results are cut into the same parts of a row: a weight
/// matrix's tiles or a window's operation, and what follows pixel by pixel.
struct Layer {
  llvm::SmallVector<mlir::Operation *> ops; ///< in the block's order
  int64_t pixels = 1;                       ///< of a row of the results
  bool canCut = false;
  int64_t copies = 1;

  PixelRange part(int64_t i) const {
    return {pixels * i / copies, pixels * (i + 1) / copies};
  }
  int64_t widest() const { return (pixels + copies - 1) / copies; }
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

  /// Pixels of a row of `value` that are sent in all, those that several
  /// readers have in common once (one message), as the layers are cut now.
  /// Readers of the layer itself are beside their part.
  double pixelsSent(mlir::Value value) const;
  /// The load of one part of the operation; `sent`: pixelsSent(its result).
  Load load(mlir::Operation *op, PixelRange part, double sent) const;

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
