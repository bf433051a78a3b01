//===- Decompose.h - what nn-decompose builds with --------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_TRANSFORMS_DECOMPOSE_H
#define CIMC_LIB_TRANSFORMS_DECOMPOSE_H

#include "NN/NN.h"
#include "cimc/Reference/Evaluator.h"

#include "mlir/IR/Builders.h"

namespace cimc::transforms {

using Dims = mlir::SmallVector<int64_t, 6>;

/// A shape, to be changed.
inline Dims dimsOf(mlir::Value value) {
  return Dims(mlir::cast<mlir::RankedTensorType>(value.getType()).getShape());
}
inline mlir::Type elementOf(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType()).getElementType();
}
inline bool isFloatTensor(mlir::Value value) {
  auto type = mlir::dyn_cast<mlir::RankedTensorType>(value.getType());
  return type && type.getElementType().isF32();
}

/// Builds operations of the nn level in place of one.
class NNBuilder {
public:
  explicit NNBuilder(mlir::Operation *op)
      : builder(op), loc(op->getLoc()),
        f32(mlir::Float32Type::get(op->getContext())) {}

  mlir::RankedTensorType type(mlir::ArrayRef<int64_t> shape,
                              mlir::Type element = {}) {
    return mlir::RankedTensorType::get(shape,
                                       element ? element : mlir::Type(f32));
  }
  mlir::Value scalar(float number) {
    auto t = type({});
    return nn::ConstantOp::create(
        builder, loc, t,
        mlir::DenseElementsAttr::get(t, llvm::APFloat(number)));
  }
  mlir::Value constant(const HostTensor &tensor, mlir::StringRef name) {
    mlir::ElementsAttr value =
        toElementsAttr(tensor, builder.getContext(), name);
    return nn::ConstantOp::create(builder, loc, value.getType(), value);
  }
  template <typename Op>
  mlir::Value binary(mlir::Value a, mlir::Value b,
                     mlir::ArrayRef<int64_t> shape) {
    return Op::create(builder, loc, type(shape, elementOf(a)), a, b);
  }
  template <typename Op>
  mlir::Value compare(mlir::Value a, mlir::Value b,
                      mlir::ArrayRef<int64_t> shape) {
    return Op::create(builder, loc, type(shape, builder.getI1Type()), a, b);
  }
  template <typename Op> mlir::Value unary(mlir::Value a) {
    return Op::create(builder, loc, a.getType(), a);
  }
  mlir::Value reshape(mlir::Value a, mlir::ArrayRef<int64_t> shape) {
    if (mlir::ArrayRef<int64_t>(dimsOf(a)) == shape)
      return a;
    return nn::ReshapeOp::create(builder, loc, type(shape, elementOf(a)), a);
  }
  mlir::Value transpose(mlir::Value a, mlir::ArrayRef<int64_t> perm) {
    Dims shape;
    for (int64_t axis : perm)
      shape.push_back(dimsOf(a)[axis]);
    return nn::TransposeOp::create(builder, loc, type(shape, elementOf(a)), a,
                                   perm);
  }
  mlir::Value matmul(mlir::Value a, mlir::Value b,
                     mlir::ArrayRef<int64_t> shape, bool transposeB) {
    return nn::MatMulOp::create(builder, loc, type(shape), a, b, mlir::Value(),
                                /*transpose_a=*/false, transposeB);
  }
  mlir::Value slice(mlir::Value a, int64_t axis, int64_t start, int64_t size,
                    int64_t step) {
    Dims sizes = dimsOf(a), starts(sizes.size(), 0), steps(sizes.size(), 1);
    starts[axis] = start;
    sizes[axis] = size;
    steps[axis] = step;
    return nn::SliceOp::create(builder, loc, type(sizes, elementOf(a)), a,
                               starts, sizes, steps);
  }
  mlir::Value concat(mlir::ArrayRef<mlir::Value> parts, int64_t axis) {
    Dims shape = dimsOf(parts.front());
    shape[axis] = 0;
    for (mlir::Value part : parts)
      shape[axis] += dimsOf(part)[axis];
    return nn::ConcatOp::create(
        builder, loc, type(shape, elementOf(parts.front())), parts, axis);
  }

  mlir::Value where(mlir::Value condition, mlir::Value a, mlir::Value b,
                    mlir::ArrayRef<int64_t> shape) {
    return nn::WhereOp::create(builder, loc, type(shape, elementOf(a)),
                               condition, a, b);
  }
  mlir::Value cast(mlir::Value a, mlir::Type element) {
    if (elementOf(a) == element)
      return a;
    return nn::CastOp::create(builder, loc, type(dimsOf(a), element), a,
                              /*saturate=*/true);
  }
  mlir::Value clip(mlir::Value a, float low, float high) {
    return nn::ClipOp::create(builder, loc, a.getType(), a, llvm::APFloat(low),
                              llvm::APFloat(high));
  }
  /// Rows of a matrix: [index..., columns].
  mlir::Value gatherRows(mlir::Value matrix, mlir::Value index) {
    Dims shape = dimsOf(index);
    shape.push_back(dimsOf(matrix)[1]);
    return nn::GatherOp::create(builder, loc, type(shape, elementOf(matrix)),
                                matrix, index, 0);
  }
  /// i64 numbers.
  mlir::Value integers(mlir::ArrayRef<int64_t> shape,
                       mlir::ArrayRef<int64_t> values) {
    auto t = type(shape, builder.getI64Type());
    return nn::ConstantOp::create(builder, loc, t,
                                  mlir::DenseElementsAttr::get(t, values));
  }
  mlir::Value floats(mlir::ArrayRef<int64_t> shape,
                     mlir::ArrayRef<float> values) {
    auto t = type(shape);
    return nn::ConstantOp::create(builder, loc, t,
                                  mlir::DenseElementsAttr::get(t, values));
  }

  /// Along `axes`, which keep length 1.
  template <typename Op>
  mlir::Value reduce(mlir::Value a, mlir::ArrayRef<int64_t> axes) {
    Dims shape = dimsOf(a);
    for (int64_t axis : axes)
      shape[axis] = 1;
    return Op::create(builder, loc, type(shape), a, axes, /*keep_dims=*/true);
  }

  mlir::OpBuilder builder;
  mlir::Location loc;
  mlir::FloatType f32;
};

// What takes the place of an operation's result; nothing where it has to stay.

/// Products of plain integers (DecomposeIntegers.cpp).
mlir::Value decomposeIntegers(mlir::Operation *op);

/// Places between elements (DecomposeSampling.cpp).
mlir::Value decomposeSampling(nn::GridSampleOp op);
mlir::Value decomposeSampling(nn::RoiAlignOp op);
mlir::Value decomposeSampling(nn::DeformConvOp op);
mlir::Value decomposeSampling(nn::ReverseSequenceOp op);

/// Recurrent layers whose weights are computed, or whose samples have lengths
/// of their own, step by step (UnrollRecurrent.cpp).
llvm::SmallVector<mlir::Value> unroll(nn::LstmOp op);
llvm::SmallVector<mlir::Value> unroll(nn::GruOp op);
llvm::SmallVector<mlir::Value> unroll(nn::RnnOp op);

} // namespace cimc::transforms

#endif // CIMC_LIB_TRANSFORMS_DECOMPOSE_H
