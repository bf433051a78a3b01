//===- CutColumns.cpp - a layer as several with fewer columns ---*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CutColumns.h"

#include "Constants.h"
#include "WeightTensor.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"

#include <optional>

using namespace mlir;

namespace cimc::mapping {

namespace {
/// A range of one axis.
struct AxisRange {
  int64_t axis, begin, size;
};

/// A constant and its bytes.
struct Constant {
  Value value;
  ElementsAttr attr;
  std::vector<char> bytes;
};
} // namespace

/// The type of such a range of a tensor, with its scales.
static RankedTensorType typeOf(RankedTensorType type, AxisRange range) {
  SmallVector<int64_t> shape(type.getShape());
  Type element = type.getElementType();
  if (auto perAxis = dyn_cast<quant::UniformQuantizedPerAxisType>(element);
      perAxis && perAxis.getQuantizedDimension() == range.axis &&
      static_cast<int64_t>(perAxis.getScales().size()) == shape[range.axis])
    element = quant::UniformQuantizedPerAxisType::get(
        perAxis.getFlags(), perAxis.getStorageType(),
        perAxis.getExpressedType(),
        perAxis.getScales().slice(range.begin, range.size),
        perAxis.getZeroPoints().slice(range.begin, range.size),
        perAxis.getQuantizedDimension(), perAxis.getStorageTypeMin(),
        perAxis.getStorageTypeMax());
  shape[range.axis] = range.size;
  return RankedTensorType::get(shape, element);
}

static std::optional<Constant> readConstant(Value value) {
  Constant constant = {value, {}, {}};
  if (!matchPattern(value, m_Constant(&constant.attr)))
    return std::nullopt;
  std::optional<std::vector<char>> bytes = readBytes(constant.attr);
  if (!bytes)
    return std::nullopt;
  constant.bytes = std::move(*bytes);
  return constant;
}

static Value sliceConstant(const Constant &constant, AxisRange range,
                           OpBuilder &builder) {
  auto type = cast<RankedTensorType>(constant.attr.getType());
  int64_t outer = 1, inner = 1;
  for (int64_t size : type.getShape().take_front(range.axis))
    outer *= size;
  for (int64_t size : type.getShape().drop_front(range.axis + 1))
    inner *= size;
  int64_t width =
      static_cast<int64_t>(constant.bytes.size()) / type.getNumElements();
  int64_t row = type.getDimSize(range.axis) * inner * width;
  std::vector<char> bytes;
  for (int64_t i = 0; i < outer; ++i) {
    auto begin = constant.bytes.begin() + i * row + range.begin * inner * width;
    bytes.insert(bytes.end(), begin, begin + range.size * inner * width);
  }
  SmallVector<int64_t> shape(type.getShape());
  shape[range.axis] = range.size;
  return nn::ConstantOp::create(
      builder, constant.value.getLoc(),
      typeOf(cast<RankedTensorType>(constant.value.getType()), range),
      makeElements(RankedTensorType::get(shape, type.getElementType()), bytes,
                   "columns"));
}

bool cutColumns(nn::WeightMatrixOpInterface op, int64_t columns) {
  std::optional<nn::WeightMatrix> matrix = op.getWeightMatrix();
  if (!matrix || matrix->groups != 1 || op->getNumResults() != 1 ||
      columns < 1 || columns >= matrix->columns)
    return false;
  auto result = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  int64_t axis = columnAxis(op->getOperand(matrix->weights), *matrix);
  if (!result || axis < 0)
    return false;
  int64_t resultAxis = matrix->windowed ? 1
                       : matrix->isLeft ? result.getRank() - 2
                                        : result.getRank() - 1;
  if (resultAxis < 0 || result.getDimSize(resultAxis) != matrix->columns)
    return false;
  auto weights = readConstant(op->getOperand(matrix->weights));
  std::optional<Constant> bias;
  if (matrix->bias >= 0)
    bias = readConstant(op->getOperand(matrix->bias));
  if (!weights || (matrix->bias >= 0 && !bias))
    return false;

  OpBuilder builder(op);
  SmallVector<Value> pieces;
  for (int64_t begin = 0; begin < matrix->columns; begin += columns) {
    int64_t size = std::min(columns, matrix->columns - begin);
    Operation *piece = builder.clone(*op.getOperation());
    builder.setInsertionPoint(piece);
    piece->setOperand(matrix->weights,
                      sliceConstant(*weights, {axis, begin, size}, builder));
    if (bias)
      piece->setOperand(matrix->bias,
                        sliceConstant(*bias, {0, begin, size}, builder));
    piece->getResult(0).setType(typeOf(result, {resultAxis, begin, size}));
    pieces.push_back(piece->getResult(0));
    builder.setInsertionPointAfter(piece);
  }
  auto joined =
      nn::ConcatOp::create(builder, op->getLoc(), result, pieces, resultAxis);
  op->getResult(0).replaceAllUsesWith(joined.getResult());
  op->erase();
  return true;
}

} // namespace cimc::mapping
