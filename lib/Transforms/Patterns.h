//===- Patterns.h - what nn-canonicalize consists of -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_TRANSFORMS_PATTERNS_H
#define CIMC_LIB_TRANSFORMS_PATTERNS_H

#include "NN/NN.h"
#include "cimc/Support/HostTensor.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"

#include <optional>

namespace cimc::transforms {

/// Operations on constants (FoldConstants.cpp).
void addConstantPatterns(mlir::RewritePatternSet &patterns);
/// Per-channel factors and summands (FoldChannels.cpp).
void addChannelPatterns(mlir::RewritePatternSet &patterns);
/// Padding and pooling (FoldWindows.cpp).
void addWindowPatterns(mlir::RewritePatternSet &patterns);
/// Data movement and clamps (FoldMovement.cpp).
void addMovementPatterns(mlir::RewritePatternSet &patterns);

/// Transposes, towards the results (SinkTransposes.cpp).
void addTransposePatterns(mlir::RewritePatternSet &patterns);
/// Arithmetic that does nothing (FoldIdentities.cpp).
void addIdentityPatterns(mlir::RewritePatternSet &patterns);

/// Repetition and shapes that later operations undo (FoldBroadcasts.cpp).
void addBroadcastPatterns(mlir::RewritePatternSet &patterns);

/// Tensors without elements (FoldEmpty.cpp).
void addEmptyPatterns(mlir::RewritePatternSet &patterns);
/// Nobody reads an argument without elements: its uses become constants.
void replaceEmptyArguments(mlir::func::FuncOp function);
/// Whether a tensor has no elements.
bool isEmpty(mlir::Value value);

/// The value of a constant operation of float type; nothing otherwise.
std::optional<HostTensor> floatConstant(mlir::Value value);

/// A constant operation that holds `tensor`, named `name` where it is large.
mlir::Value createConstant(mlir::OpBuilder &builder, mlir::Location loc,
                           const HostTensor &tensor, mlir::Type elementType,
                           llvm::StringRef name);

inline llvm::ArrayRef<int64_t> shapeOf(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType()).getShape();
}
inline mlir::Type elementTypeOf(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType()).getElementType();
}

} // namespace cimc::transforms

#endif // CIMC_LIB_TRANSFORMS_PATTERNS_H
