//===- Fuse.h - patterns of nn-fuse-qdq -------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_QUANTIZE_FUSE_H
#define CIMC_LIB_QUANTIZE_FUSE_H

#include "Constants.h"

#include "mlir/IR/PatternMatch.h"

namespace cimc::quantization {

/// dequantize down and quantize up past data movement, clamps into ranges.
void populateMovementPatterns(mlir::RewritePatternSet &patterns);
/// dequantize-op-quantize to one operation on quantized types.
void populateOperationPatterns(mlir::RewritePatternSet &patterns);

/// True for the operations that put elements elsewhere and that commute with
/// any monotone function of the elements: data movement and maximum pooling,
/// with one tensor operand.
bool movesElements(mlir::Operation *op);
/// True for functions of one number, which become tables.
bool isUnaryFunction(mlir::Operation *op);
/// True for the operations that a chip has in integers only.
bool isIntegerOnly(mlir::Operation *op);

/// The axis of a convolution's or matrix product's second operand that counts
/// output channels.
int64_t weightAxis(mlir::Operation *op);

/// True for operations with constant weights that have a form with integer
/// weights and a range of the input that is taken while running (rule R14).
bool canTakeRanges(mlir::Operation *op);

/// True where no element of a value can be below 0, by what it is made of.
bool isNonNegative(mlir::Value value, unsigned depth = 0);

/// True where a value comes, through movement and clamps, from an operation
/// with dequantized input that must not stay float.
bool mustBeInteger(mlir::Value value);

/// The quantized tensor behind a dequantize; null where there is none.
mlir::Value quantizedSource(mlir::Value value);

/// The same operation on other operands and with another result element type.
mlir::Operation *rebuild(mlir::RewriterBase &rewriter, mlir::Operation *op,
                         mlir::ValueRange operands, mlir::Type resultElement);

/// True where the result of `op` has other users than `quantize` and they need
/// not, or must not, see it replaced by its quantized value.
bool hasFloatUsers(mlir::Operation *op, nn::QuantizeOp quantize);

/// `quantize` reads `integer` now; all other users of `op` read its
/// dequantized value.
void replaceWithInteger(mlir::RewriterBase &rewriter, mlir::Operation *op,
                        nn::QuantizeOp quantize, mlir::Value integer);

} // namespace cimc::quantization

#endif // CIMC_LIB_QUANTIZE_FUSE_H
