//===- WeightTensor.cpp - integer weights
//---------------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WeightTensor.h"

#include "Constants.h"
#include "Lowering.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace cimc::mapping {

int64_t ByteMatrices::bits(Value weights) const {
  auto stored =
      dyn_cast<quant::QuantizedType>(getElementTypeOrSelf(weights.getType()));
  auto fits = [&](int64_t bits) {
    int64_t most = (int64_t(1) << (bits - 1)) - 1;
    return (!stored || (stored.getStorageTypeMin() >= -most - 1 &&
                        stored.getStorageTypeMax() <= most)) &&
           terms.size() == 1 && llvm::all_of(terms.front(), [&](char cell) {
             return int8_t(cell) >= -most - 1 && int8_t(cell) <= most;
           });
  };
  int64_t bits = 1;
  while (bits < 8 && !fits(bits))
    bits *= 2;
  return bits;
}

int64_t columnAxis(Value weights, const nn::WeightMatrix &matrix) {
  auto type = cast<RankedTensorType>(weights.getType());
  Dims strides = rowMajorStrides(type.getShape());
  int64_t columns = matrix.allColumns();
  for (size_t axis = 0; axis < strides.size(); ++axis)
    if (strides[axis] == matrix.columnStride &&
        type.getShape()[axis] == columns)
      return static_cast<int64_t>(axis);
  return -1;
}

std::string readWeights(Value operand, int64_t axis, WeightTensor &weights) {
  auto type = cast<RankedTensorType>(operand.getType());
  ElementsAttr attr;
  matchPattern(operand, m_Constant(&attr));
  if (auto plain = dyn_cast<IntegerType>(type.getElementType())) {
    std::optional<std::vector<int32_t>> values =
        readIntegers(attr, !plain.isUnsigned());
    // Differences of bytes: as many matrices of bytes as it takes.
    if (!values || llvm::any_of(*values, [](int32_t value) {
          return value < -255 || value > 255;
        }))
      return "needs weights that are differences of bytes, from -255 to 255";
    weights = {std::move(*values), {0}, {1.0f}};
    return {};
  }
  auto quantized = dyn_cast<quant::QuantizedType>(type.getElementType());
  if (!quantized || quantized.getStorageTypeIntegralWidth() > 8)
    return "needs weights of at most 8 bits; quantize the model";
  std::optional<std::vector<int32_t>> values =
      readIntegers(attr, quantized.isSigned());
  if (!values)
    return "the weights' integers cannot be read";
  weights.values = std::move(*values);
  if (auto perTensor = dyn_cast<quant::UniformQuantizedType>(quantized)) {
    weights.zeros.push_back(perTensor.getZeroPoint());
    weights.scales.push_back(static_cast<float>(perTensor.getScale()));
  } else if (auto perAxis =
                 dyn_cast<quant::UniformQuantizedPerAxisType>(quantized)) {
    // One scale is one for the tensor.
    if (perAxis.getQuantizedDimension() != axis &&
        perAxis.getScales().size() != 1)
      return "has weights quantized along axis " +
             std::to_string(perAxis.getQuantizedDimension()) +
             "; only per tensor and per output channel can be computed";
    weights.zeros.assign(perAxis.getZeroPoints().begin(),
                         perAxis.getZeroPoints().end());
    for (double scale : perAxis.getScales())
      weights.scales.push_back(static_cast<float>(scale));
  } else {
    return "has weights of an unknown quantized type";
  }
  return {};
}

} // namespace cimc::mapping
