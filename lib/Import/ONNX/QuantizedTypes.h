//===- QuantizedTypes.h - scales and zero points as types -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_IMPORT_ONNX_QUANTIZEDTYPES_H
#define CIMC_LIB_IMPORT_ONNX_QUANTIZEDTYPES_H

#include "Node.h"

namespace cimc::onnx_import {

/// The quantized element type of a tensor of `shape` whose integers are of
/// type `storage`, with the scale in input `scaleInput` and the zero point in
/// input `scaleInput + 1` (which may be absent). One scale, of any shape, is
/// per tensor; otherwise they run along `axis`.
mlir::Type quantizedType(Node &node, size_t scaleInput, DType storage,
                         llvm::ArrayRef<int64_t> shape, int64_t axis);

/// The type that `node` states for its integer input `i` whose scale and zero
/// point are the next two inputs; null where it is not a plain per-tensor one.
mlir::Type peekQuantizedType(Node &node, size_t i, DType storage);

/// Input `i` as float, with scale and zero point in the next two inputs.
mlir::Value dequantized(Node &node, size_t i, int64_t axis = 1);

/// Ends a QLinear operator: quantizes `real` with the scale in `scaleInput`;
/// without a zero point the integers are of type `otherwise`.
void quantizeResult(Node &node, mlir::Value real, size_t scaleInput,
                    DType otherwise);

/// A tensor quantized by rule R11: uint8 integers, scale and zero point.
struct DynamicallyQuantized {
  mlir::Value integers, scale, zero;
};
DynamicallyQuantized quantizeDynamically(Node &node, mlir::Value input);

/// Integer input `i` less its zero point in input `zero`, as i32. Zero points
/// of a list run along `axis`.
mlir::Value centered(Node &node, size_t i, size_t zero, int64_t axis);

} // namespace cimc::onnx_import

#endif // CIMC_LIB_IMPORT_ONNX_QUANTIZEDTYPES_H
