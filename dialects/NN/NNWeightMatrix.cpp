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

std::optional<WeightMatrix> ConvOp::getWeightMatrix() {
  ArrayRef<int64_t> input =
      cast<RankedTensorType>(getInput().getType()).getShape();
  ArrayRef<int64_t> weight =
      cast<RankedTensorType>(getWeight().getType()).getShape();
  int64_t spatial = static_cast<int64_t>(input.size()) - 2;
  if (!matchPattern(getWeight(), m_Constant()) || input[0] != 1 ||
      spatial < 1 || spatial > 2)
    return std::nullopt;
  WeightMatrix matrix;
  matrix.bias = getBias() ? 2 : -1;
  matrix.windowed = true;
  matrix.channelAxis = 1;
  matrix.groups = getGroup();
  matrix.channels = weight[1];
  matrix.columns = weight[0] / matrix.groups;
  // The pixels of a one-dimensional convolution are rows of one pixel.
  for (int64_t i = 0; i < spatial; ++i) {
    matrix.kernel[i] = weight[2 + i];
    matrix.stride[i] = getStrides()[i];
    matrix.pad[i] = getPads()[i];
    matrix.dilation[i] = getDilations()[i];
  }
  matrix.kernelPixelStride = 1;
  matrix.kernelRowStride = matrix.kernel[1];
  matrix.channelStride = matrix.kernel[0] * matrix.kernel[1];
  matrix.columnStride = matrix.channelStride * matrix.channels;
  return matrix;
}

std::optional<WeightMatrix> MatMulOp::getWeightMatrix() {
  auto weight = cast<RankedTensorType>(getB().getType());
  auto input = cast<RankedTensorType>(getA().getType());
  if (!matchPattern(getB(), m_Constant()) || weight.getRank() < 2 ||
      input.getRank() < 1)
    return std::nullopt;
  // One matrix for all batches.
  for (int64_t size : weight.getShape().drop_back(2))
    if (size != 1)
      return std::nullopt;
  WeightMatrix matrix;
  matrix.bias = getBias() ? 2 : -1;
  matrix.channelAxis =
      input.getRank() - (getTransposeA() && input.getRank() > 1 ? 2 : 1);
  ArrayRef<int64_t> shape = weight.getShape().take_back(2);
  matrix.channels = shape[getTransposeB() ? 1 : 0];
  matrix.columns = shape[getTransposeB() ? 0 : 1];
  matrix.channelStride = getTransposeB() ? 1 : matrix.columns;
  matrix.columnStride = getTransposeB() ? matrix.channels : 1;
  return matrix;
}
