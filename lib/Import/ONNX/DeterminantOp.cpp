//===- DeterminantOp.cpp - Gaussian elimination -----------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Build.h"

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

/// Rows of a matrix whose elimination is written out.
static constexpr int64_t kMaxRows = 64;

/// Elimination column by column. The pivot is the largest element of the
/// column; its row changes places with the first, which turns the sign.
void onnx_import::importDet(Node &node) {
  Value matrix = node.real(0);
  Shape shape = node.shape(0);
  size_t rank = shape.size();
  if (rank < 2 || shape[rank - 1] != shape[rank - 2])
    failInvalid("the input '{}' of shape {} is no square matrix",
                node.inputName(0), shapeString(shape));
  int64_t rows = shape.back();
  if (rows < 1 || rows > kMaxRows)
    failUnsupported("a determinant of {} rows; 1 to {} are written out", rows,
                    kMaxRows);
  Shape batch(shape.begin(), shape.end() - 2);
  int64_t count = checkedElements(batch, "the result");
  matrix = node.reshape(matrix, {count, rows, rows});
  Type truth = node.builder().getI1Type();
  auto where = [&](Value condition, Value a, Value b) {
    return node.emit<nn::WhereOp>(node.f32(), {condition, a, b});
  };
  Value result;
  for (int64_t size = rows; size > 0; --size) {
    Value column = slice(node, matrix, 2, 0, 1), pivot = column, row;
    Value others;
    if (size > 1) {
      Value place = node.emit<nn::ArgMaxOp>(
          node.builder().getI64Type(), node.like<nn::AbsOp>(column),
          {node.attr("axis", int64_t(1)), node.unit("keep_dims")});
      Value isPivot =
          node.emit<nn::EqualOp>(truth, {node.iota(size, 1, 3), place});
      row = node.like<nn::ReduceSumOp>(
          where(isPivot, matrix, scalar(node, 0)),
          {node.attr("axes", Shape{1}), node.unit("keep_dims")});
      others = where(slice(node, isPivot, 1, 1, size - 1),
                     slice(node, matrix, 1, 0, 1),
                     slice(node, matrix, 1, 1, size - 1));
      pivot = slice(node, row, 2, 0, 1);
      Value factor = where(slice(node, isPivot, 1, 0, 1), pivot,
                           node.like<nn::NegOp>(pivot));
      result = result ? multiply(node, result, factor) : factor;
      // Under a pivot of 0 there is nothing to take away.
      Value divisor =
          where(node.emit<nn::EqualOp>(truth, {pivot, scalar(node, 0)}),
                scalar(node, 1), pivot);
      Value ratio =
          node.like<nn::DivOp>({slice(node, others, 2, 0, 1), divisor});
      matrix = node.like<nn::SubOp>(
          {slice(node, others, 2, 1, size - 1),
           multiply(node, ratio, slice(node, row, 2, 1, size - 1))});
    } else {
      result = result ? multiply(node, result, pivot) : pivot;
    }
  }
  node.setResult(node.reshape(result, batch));
}
