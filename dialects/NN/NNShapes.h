//===- NNShapes.h - what shape functions share -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// One function for each operation, `inferReturnTypeComponents`, written with
// CIMC_INFER in the NN*Shapes.cpp of its family, serves builders and the
// verifier. It reports what does not fit with `fail` and appends a shape with
// `give` for each result.
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_NN_NNSHAPES_H
#define CIMC_DIALECTS_NN_NNSHAPES_H

#include "NN/NN.h"

#include "llvm/ADT/STLExtras.h"

#include <optional>
#include <string>

namespace cimc::nn::shapes {

using Shape = mlir::SmallVector<int64_t>;
using Components = mlir::SmallVectorImpl<mlir::ShapedTypeComponents>;

/// Extents, paddings and strides above this are refused, so that sums and
/// products of two of them fit 64 bits.
constexpr int64_t kMaxExtent = (int64_t(1) << 31) - 1;

/// 1x3x224x224.
std::string text(llvm::ArrayRef<int64_t> shape);

inline llvm::ArrayRef<int64_t> shapeOf(mlir::Value value) {
  return mlir::cast<mlir::ShapedType>(value.getType()).getShape();
}

template <typename... Args>
mlir::LogicalResult fail(std::optional<mlir::Location> loc, llvm::StringRef op,
                         Args &&...args) {
  return mlir::emitOptionalError(loc, "'", op,
                                 "': ", std::forward<Args>(args)...);
}

inline mlir::LogicalResult give(Components &out,
                                llvm::ArrayRef<int64_t> shape) {
  out.emplace_back(Shape(shape.begin(), shape.end()));
  return mlir::success();
}

/// The numpy broadcast of two shapes; nothing where they do not fit.
std::optional<Shape> broadcast(llvm::ArrayRef<int64_t> a,
                               llvm::ArrayRef<int64_t> b);

/// The sliding window of a convolution or pooling.
struct Window {
  llvm::ArrayRef<int64_t> kernel, strides, pads, dilations;
  bool ceilMode = false;
};

/// Checks a window against `input` ([N, C, spatial...]) and appends the
/// spatial result extents to `result`.
mlir::LogicalResult inferWindow(std::optional<mlir::Location> loc,
                                llvm::StringRef op,
                                llvm::ArrayRef<int64_t> input, const Window &w,
                                Shape &result);

} // namespace cimc::nn::shapes

/// Begins the shape function of `OP`; it has `loc`, `adaptor` and `out`.
#define CIMC_INFER(OP)                                                         \
  mlir::LogicalResult OP::inferReturnTypeComponents(                           \
      mlir::MLIRContext *, std::optional<mlir::Location> loc, Adaptor adaptor, \
      mlir::SmallVectorImpl<mlir::ShapedTypeComponents> &out)

#endif // CIMC_DIALECTS_NN_NNSHAPES_H
