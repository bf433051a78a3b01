//===- Matchers.h - what written-out composites consist of ------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters write one formula in many ways: factors in any order, a division
// for a product, x*x for a power. These matchers see through that, so that each
// recovery pass states its formula once. All are about float tensors, and none
// follows a value through operations that change its shape unless it says so.
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_TRANSFORMS_MATCHERS_H
#define CIMC_LIB_TRANSFORMS_MATCHERS_H

#include "Patterns.h"

#include "llvm/ADT/STLFunctionalExtras.h"

#include <array>

namespace cimc::transforms {

/// The one number that all elements of a small float constant are.
std::optional<double> scalarOf(mlir::Value value);

/// Whether two coefficients are the same up to the rounding of single
/// precision in the exporter.
bool isClose(double a, double b);

/// value = factor * base + summand, with `base` of the same type and no scalar
/// multiple of or distance from anything.
struct Affine1 {
  mlir::Value base;
  double factor = 1, summand = 0;
};
Affine1 asAffine(mlir::Value value);

/// value = coefficient * the product of `factors`, all of the same type. At
/// most 8 factors are told apart.
struct Product {
  double coefficient = 1;
  llvm::SmallVector<mlir::Value, 4> factors;
};
Product asProduct(mlir::Value value);

/// Coefficients of 1, x, x^2, ... where `value` is a polynomial of `x`.
using Polynomial = std::array<double, 5>;
std::optional<Polynomial> asPolynomial(mlir::Value value, mlir::Value x);

/// For a commutative operation: calls fn(a, b) and fn(b, a) until one is true.
bool eitherOrder(mlir::Operation *op,
                 llvm::function_ref<bool(mlir::Value, mlir::Value)> fn);

/// value = x * x: a product or a power of 2. Null otherwise.
mlir::Value squareRootOf(mlir::Value value);

/// value = 1 / sqrt(argument + epsilon), or sqrt(argument + epsilon) where
/// `inverse` is false.
struct Root {
  mlir::Value argument;
  double epsilon = 0;
};
std::optional<Root> asRoot(mlir::Value value, bool inverse);

/// The input of a mean over the last `count` axes that keeps them as 1.
struct TrailingMean {
  mlir::Value input;
  int64_t count = 0;
};
std::optional<TrailingMean> asTrailingMean(mlir::Value value);

/// Whether `value` has the shape of, or broadcasts over, the last `count` axes
/// of `shape` alone.
bool spansTrailing(mlir::Value value, llvm::ArrayRef<int64_t> shape,
                   int64_t count);

/// Calls match(op, builder) for every OpT of the module, users before their
/// operands, with the builder before the operation. Where it returns a value,
/// that takes the place of op's result and a remark says that `composite` was
/// recovered. Operations that nothing uses any more are erased.
template <typename OpT>
void recoverComposites(
    mlir::Operation *root, llvm::StringRef composite,
    llvm::function_ref<mlir::Value(OpT, mlir::OpBuilder &)> match);

/// Erases operations of `root` that have no effect and no use.
void eraseDead(mlir::Operation *root);

//===----------------------------------------------------------------------===//

template <typename OpT>
void recoverComposites(
    mlir::Operation *root, llvm::StringRef composite,
    llvm::function_ref<mlir::Value(OpT, mlir::OpBuilder &)> match) {
  llvm::SmallVector<OpT> candidates;
  root->walk([&](OpT op) { candidates.push_back(op); });
  mlir::OpBuilder builder(root->getContext());
  bool changed = false;
  for (OpT op : llvm::reverse(candidates)) {
    if (op->use_empty() || !elementTypeOf(op->getResult(0)).isF32())
      continue;
    builder.setInsertionPoint(op);
    mlir::Value replacement = match(op, builder);
    if (!replacement)
      continue;
    op->emitRemark() << composite << " recovered";
    op->getResult(0).replaceAllUsesWith(replacement);
    changed = true;
  }
  if (changed)
    eraseDead(root);
}

} // namespace cimc::transforms

#endif // CIMC_LIB_TRANSFORMS_MATCHERS_H
