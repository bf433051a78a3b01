//===- NNWeightMatrix.cpp - nn operations as weight matrices -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NN/NN.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace cimc::nn;

#include "NN/NNInterfaces.cpp.inc"

/// What convolutions have in common. Spatial axis i of the operation is axis
/// first + i of the three of the matrix.
static WeightMatrix windowedMatrix(ArrayRef<int64_t> kernel, int64_t groups,
                                   bool bias, size_t &first) {
  WeightMatrix matrix;
  matrix.bias = bias ? 2 : -1;
  matrix.windowed = true;
  matrix.channelAxis = 1;
  matrix.groups = groups;
  // The pixels of a one-dimensional convolution are rows of one pixel.
  first = kernel.size() == 3 ? 0 : 1;
  int64_t distance = 1;
  for (size_t i = kernel.size(); i-- > 0;) {
    matrix.kernel[first + i] = kernel[i];
    matrix.tapStride[first + i] = distance;
    distance *= kernel[i];
  }
  return matrix;
}

std::optional<WeightMatrix> ConvOp::getWeightMatrix() {
  ArrayRef<int64_t> weight =
      cast<RankedTensorType>(getWeight().getType()).getShape();
  if (!matchPattern(getWeight(), m_Constant()) || weight.size() < 3 ||
      weight.size() > 5)
    return std::nullopt;
  size_t first;
  ArrayRef<int64_t> kernel = weight.drop_front(2);
  WeightMatrix matrix =
      windowedMatrix(kernel, getGroup(), bool(getBias()), first);
  matrix.channels = weight[1];
  matrix.columns = weight[0] / matrix.groups;
  for (size_t i = 0; i < kernel.size(); ++i) {
    matrix.stride[first + i] = getStrides()[i];
    matrix.pad[first + i] = getPads()[i];
    matrix.dilation[first + i] = getDilations()[i];
  }
  matrix.channelStride = ShapedType::getNumElements(kernel);
  matrix.columnStride = matrix.channelStride * matrix.channels;
  matrix.groupStride = matrix.columnStride * matrix.columns;
  return matrix;
}

/// The convolution of the input, with zeros between its elements, with the
/// mirrored kernel.
std::optional<WeightMatrix> ConvTransposeOp::getWeightMatrix() {
  ArrayRef<int64_t> weight =
      cast<RankedTensorType>(getWeight().getType()).getShape();
  if (!matchPattern(getWeight(), m_Constant()) || weight.size() < 3 ||
      weight.size() > 5)
    return std::nullopt;
  size_t first;
  ArrayRef<int64_t> kernel = weight.drop_front(2);
  WeightMatrix matrix =
      windowedMatrix(kernel, getGroup(), bool(getBias()), first);
  matrix.channels = weight[0] / matrix.groups;
  matrix.columns = weight[1];
  for (size_t i = 0; i < kernel.size(); ++i) {
    matrix.upsampling[first + i] = getStrides()[i];
    matrix.dilation[first + i] = getDilations()[i];
    matrix.pad[first + i] = getDilations()[i] * (kernel[i] - 1) - getPads()[i];
    matrix.offset += (kernel[i] - 1) * matrix.tapStride[first + i];
    matrix.tapStride[first + i] = -matrix.tapStride[first + i];
  }
  matrix.columnStride = ShapedType::getNumElements(kernel);
  matrix.channelStride = matrix.columnStride * matrix.columns;
  matrix.groupStride = matrix.channelStride * matrix.channels;
  return matrix;
}

std::optional<WeightMatrix> MatMulOp::getWeightMatrix() {
  WeightMatrix matrix;
  matrix.isLeft = !matchPattern(getB(), m_Constant());
  if (matrix.isLeft) {
    matrix.input = 1;
    matrix.weights = 0;
  }
  matrix.bias = getBias() ? 2 : -1;
  // A bias goes along the last axis of the result.
  if (matrix.isLeft && (getBias() || !matchPattern(getA(), m_Constant())))
    return std::nullopt;
  auto weight = cast<RankedTensorType>(
      getOperation()->getOperand(matrix.weights).getType());
  auto input = cast<RankedTensorType>(
      getOperation()->getOperand(matrix.input).getType());
  if (weight.getRank() < 1 || input.getRank() < 1)
    return std::nullopt;
  // One matrix for all batches.
  if (weight.getRank() > 2)
    for (int64_t size : weight.getShape().drop_back(2))
      if (size != 1)
        return std::nullopt;
  // The axis that is summed over comes last in `a`, last but one in `b`, or the
  // other way round where they are transposed.
  bool inputLast = matrix.isLeft ? getTransposeB() : !getTransposeA();
  bool weightLast = matrix.isLeft ? !getTransposeA() : getTransposeB();
  matrix.channelAxis =
      input.getRank() - (inputLast || input.getRank() == 1 ? 1 : 2);
  matrix.columns = matrix.channelStride = matrix.columnStride = 1;
  matrix.channels = weight.getShape().back();
  if (weight.getRank() > 1) {
    ArrayRef<int64_t> shape = weight.getShape().take_back(2);
    matrix.channels = shape[weightLast ? 1 : 0];
    matrix.columns = shape[weightLast ? 0 : 1];
    (weightLast ? matrix.columnStride : matrix.channelStride) = shape[1];
  }
  return matrix;
}
