//===- Build.h - operations that several handlers emit -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_IMPORT_ONNX_BUILD_H
#define CIMC_LIB_IMPORT_ONNX_BUILD_H

#include "Node.h"

namespace cimc::onnx_import {

Shape shapeOf(mlir::Value value);

/// A float32 constant without axes.
mlir::Value scalar(Node &node, float value);
/// A constant of the IR.
mlir::Value constantValue(Node &node, const Constant &constant);
/// An i64 constant with one axis.
mlir::Value indexValue(Node &node, llvm::ArrayRef<int64_t> values);

mlir::Value transpose(Node &node, mlir::Value value, const Shape &perm);
/// `size` elements along an axis, from `start` on, each `step` further.
mlir::Value slice(Node &node, mlir::Value value, int64_t axis, int64_t start,
                  int64_t size, int64_t step = 1);
/// The value itself where there is one.
mlir::Value concat(Node &node, llvm::ArrayRef<mlir::Value> values,
                   int64_t axis);
/// numpy broadcasting to a shape.
mlir::Value expand(Node &node, mlir::Value value, const Shape &shape);
/// The elements of an axis that `indices` (not negative) name, in that order:
/// slices where they are few runs, a gather otherwise.
mlir::Value select(Node &node, mlir::Value value, int64_t axis,
                   llvm::ArrayRef<int64_t> indices);
/// Zeros before and behind an axis, the element type's zero.
mlir::Value padZeros(Node &node, mlir::Value value, int64_t axis, int64_t low,
                     int64_t high);
mlir::Value multiply(Node &node, mlir::Value a, mlir::Value b);
mlir::Value add(Node &node, mlir::Value a, mlir::Value b);

/// Most steps of a loop, or of a recurrence without an operation of its own,
/// that are unrolled.
inline constexpr int64_t kMaxUnrolled = 1024;

} // namespace cimc::onnx_import

#endif // CIMC_LIB_IMPORT_ONNX_BUILD_H
