//===- LowerWeighted.cpp - weight matrices cut into tiles -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
#include "Lowering.h"

#include "cimc/Support/Permute.h"

#include "mlir/IR/Matchers.h"

#include <algorithm>
#include <numeric>

using namespace mlir;

namespace cimc::mapping {
namespace {

/// Integer weights with their zero points subtracted.
struct WeightTensor {
  std::vector<int8_t> values; ///< in the tensor's own order
  std::vector<float> scales;  ///< one, or one for each column
};

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The axis of the weight tensor that counts columns.
int64_t columnAxis(RankedTensorType type, const nn::WeightMatrix &matrix) {
  Dims strides = rowMajorStrides(type.getShape());
  int64_t columns = matrix.columns * matrix.groups;
  for (size_t axis = 0; axis < strides.size(); ++axis)
    if (strides[axis] == matrix.columnStride &&
        type.getShape()[axis] == columns)
      return static_cast<int64_t>(axis);
  return -1;
}

/// Empty, or why the weights cannot be used.
std::string readWeights(Value operand, const nn::WeightMatrix &matrix,
                        WeightTensor &weights) {
  auto type = cast<RankedTensorType>(operand.getType());
  ElementsAttr attr;
  matchPattern(operand, m_Constant(&attr));
  auto quantized = dyn_cast<quant::QuantizedType>(type.getElementType());
  if (!quantized || quantized.getStorageTypeIntegralWidth() > 8)
    return "needs weights of at most 8 bits; quantize the model";
  std::optional<std::vector<int32_t>> values =
      readIntegers(attr, quantized.isSigned());
  if (!values)
    return "the weights' integers cannot be read";
  SmallVector<int64_t> zeros;
  if (auto perTensor = dyn_cast<quant::UniformQuantizedType>(quantized)) {
    zeros.push_back(perTensor.getZeroPoint());
    weights.scales.push_back(static_cast<float>(perTensor.getScale()));
  } else if (auto perAxis =
                 dyn_cast<quant::UniformQuantizedPerAxisType>(quantized)) {
    if (perAxis.getQuantizedDimension() != columnAxis(type, matrix))
      return "has weights quantized along axis " +
             std::to_string(perAxis.getQuantizedDimension()) +
             "; only per tensor and per output channel can be computed";
    zeros.assign(perAxis.getZeroPoints().begin(),
                 perAxis.getZeroPoints().end());
    for (double scale : perAxis.getScales())
      weights.scales.push_back(static_cast<float>(scale));
  } else {
    return "has weights of an unknown quantized type";
  }
  weights.values.resize(values->size());
  int64_t columns = matrix.columns * matrix.groups;
  for (size_t i = 0; i < values->size(); ++i) {
    size_t column = (i / matrix.columnStride) % columns;
    int64_t value = (*values)[i] - zeros[zeros.size() == 1 ? 0 : column];
    if (value < -128 || value > 127)
      return "has the weight " + std::to_string(value) +
             " after subtracting its zero point, which 8 bits do not hold";
    weights.values[i] = static_cast<int8_t>(value);
  }
  return {};
}

/// Bias integers, one for each column; empty, or why they cannot be had.
std::string readBias(Operation *op, const nn::WeightMatrix &matrix,
                     float scaleX, const std::vector<float> &scales,
                     std::vector<int32_t> &bias) {
  bias.assign(matrix.columns * matrix.groups, 0);
  if (matrix.bias < 0)
    return {};
  Value operand = op->getOperand(matrix.bias);
  ElementsAttr attr;
  if (!matchPattern(operand, m_Constant(&attr)))
    return "needs a constant bias";
  size_t columns = bias.size();
  std::string size = "has a bias of " + std::to_string(attr.getNumElements()) +
                     " entries for " + std::to_string(columns) + " columns";
  if (getElementTypeOrSelf(operand.getType()).isF32()) {
    std::optional<std::vector<char>> bytes = readBytes(attr);
    if (!bytes || bytes->size() != columns * sizeof(float))
      return size;
    const auto *values = reinterpret_cast<const float *>(bytes->data());
    for (size_t n = 0; n < columns; ++n)
      bias[n] = numerics::quantizeBias(values[n], scaleX,
                                       scales[scales.size() == 1 ? 0 : n]);
    return {};
  }
  std::optional<std::vector<int32_t>> values = readIntegers(attr, true);
  if (!values)
    return "the bias' integers cannot be read";
  if (values->size() == 1)
    values->resize(columns, values->front());
  if (values->size() != columns)
    return size;
  bias = *values;
  return {};
}

Dims swapLastAxes(ArrayRef<int64_t> perm) {
  Dims swapped(perm);
  auto rank = static_cast<int64_t>(perm.size());
  for (int64_t &axis : swapped)
    axis = axis == rank - 1 ? rank - 2 : axis == rank - 2 ? rank - 1 : axis;
  return swapped;
}

StringRef nameOf(Location loc) {
  if (auto named = dyn_cast<NameLoc>(loc))
    return named.getName();
  if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      if (StringRef name = nameOf(part); !name.empty())
        return name;
  return {};
}

} // namespace

LogicalResult Lowering::lowerWeighted(Operation *op,
                                      const nn::WeightMatrix &matrix) {
  Location loc = op->getLoc();
  Value input = op->getOperand(matrix.input), output = op->getResult(0);
  std::optional<Quant> x = getQuant(input.getType()),
                       y = getQuant(output.getType());
  if (!x || x->bits != 8 || !y || y->bits != 8)
    return fail(op, "runs on the arrays with 8-bit input and result only; "
                    "quantize the model, its outputs too");
  WeightTensor weights;
  std::vector<int32_t> bias;
  std::string problem =
      readWeights(op->getOperand(matrix.weights), matrix, weights);
  if (problem.empty())
    problem = readBias(op, matrix, x->scale, weights.scales, bias);
  if (!problem.empty())
    return fail(op, problem);

  // Where the windows lie: the map, its layout, and the result's.
  Map map;
  cim::WindowAttr window =
      cim::WindowAttr::get(op->getContext(), matrix.kernel, matrix.stride,
                           matrix.pad, matrix.dilation);
  Dims outputShape = shapeOf(output), outputPerm;
  // Canonical position of each element of a flattened window, where the rows
  // of the matrix are those of a reshaped map.
  std::vector<int64_t> flattened;
  if (matrix.windowed) {
    map = inLayout(input, channelsLast(shapeOf(input).size()));
    outputPerm = channelsLast(outputShape.size());
  } else {
    auto pending = maps.find(input);
    Dims shape = shapeOf(input);
    if (pending != maps.end() &&
        ArrayRef<int64_t>(pending->second.shape) != ArrayRef<int64_t>(shape) &&
        product(shape) == matrix.channels) {
      // A reshape to one vector: the window is the whole map.
      map = pending->second;
      std::vector<int64_t> index(matrix.channels);
      std::iota(index.begin(), index.end(), 0);
      flattened.resize(index.size());
      permute({map.shape.begin(), map.shape.end()},
              {map.perm.begin(), map.perm.end()}, sizeof(int64_t), index.data(),
              flattened.data());
      auto type = cast<RankedTensorType>(map.value.getType());
      int64_t kernel[] = {type.getDimSize(0), type.getDimSize(1)};
      window = cim::WindowAttr::get(op->getContext(), kernel, {1, 1}, {0, 0},
                                    {1, 1});
      outputPerm = identityPerm(outputShape.size());
    } else {
      map = use(input);
      size_t rank = shape.size();
      if (rank > 0 && map.perm.back() != matrix.channelAxis) {
        Dims perm = identityPerm(rank);
        if (matrix.channelAxis != static_cast<int64_t>(rank) - 1)
          perm = swapLastAxes(perm);
        map = relayout(loc, map, perm);
      }
      Dims perm = map.perm;
      if (rank > 1 && matrix.channelAxis != static_cast<int64_t>(rank) - 1)
        perm = swapLastAxes(perm);
      // Leading axes that the weights' rank adds.
      size_t added = outputShape.size() - rank;
      outputPerm = identityPerm(added);
      for (int64_t axis : perm)
        outputPerm.push_back(axis + static_cast<int64_t>(added));
    }
  }
  auto inputType = cast<RankedTensorType>(map.value.getType());
  std::array<int64_t, 3> out = {1, 1, matrix.columns * matrix.groups};
  if (matrix.windowed)
    out = grouped(permuted(outputShape, outputPerm));
  else if (flattened.empty())
    out = {inputType.getDimSize(0), inputType.getDimSize(1), out[2]};

  int64_t N = matrix.columns * matrix.groups;
  int64_t kh = matrix.kernel[0], kw = matrix.kernel[1];
  std::vector<float> multiplier;
  for (float scale : weights.scales)
    multiplier.push_back(numerics::multiplier(x->scale, scale, y->scale));
  // The input's zero point goes into the bias; padding reads it, so it holds
  // there too.
  auto fold = [&](int64_t n, int64_t sum) {
    auto product = static_cast<int32_t>(static_cast<uint32_t>(x->zero) *
                                        static_cast<uint32_t>(-sum));
    bias[n] = numerics::addWrapping(bias[n], product);
  };
  Type i32 = builder.getI32Type();
  Type outElement = machineElement(getElementTypeOrSelf(output.getType()));
  auto requantize = [&](Value sums, int64_t begin, int64_t size) -> Value {
    ArrayRef<float> scales(multiplier);
    if (scales.size() > 1)
      scales = scales.slice(begin, size);
    return cim::RequantizeOp::create(
        builder, loc, cast<RankedTensorType>(sums.getType()).clone(outElement),
        sums, ArrayRef<int32_t>(bias).slice(begin, size), scales, y->zero,
        y->range.min, y->range.max, IntegerAttr());
  };

  if (matrix.windowed && matrix.channels == 1 && matrix.groups > 1) {
    std::vector<char> cells(static_cast<size_t>(kh * kw * N));
    for (int64_t n = 0; n < N; ++n) {
      int64_t sum = 0;
      for (int64_t i = 0; i < kh; ++i)
        for (int64_t j = 0; j < kw; ++j) {
          int8_t w =
              weights
                  .values[n * matrix.columnStride + i * matrix.kernelRowStride +
                          j * matrix.kernelPixelStride];
          cells[(i * kw + j) * N + n] = static_cast<char>(w);
          sum += w;
        }
      fold(n, sum);
    }
    auto type = RankedTensorType::get({kh, kw, N}, builder.getI8Type());
    Value sums = cim::DepthwiseOp::create(
        builder, loc, RankedTensorType::get(out, i32), map.value,
        makeElements(type, cells, "depthwise"), window, x->zero, IntegerAttr());
    define(output, requantize(sums, 0, N), outputPerm);
    return success();
  }

  // One dense matrix; the blocks of other groups are zero.
  int64_t channels = matrix.channels * matrix.groups;
  int64_t K = kh * kw * channels;
  std::vector<char> cells(static_cast<size_t>(K * N), 0);
  for (int64_t n = 0; n < N; ++n) {
    int64_t sum = 0, group = n / matrix.columns;
    for (int64_t i = 0; i < kh; ++i)
      for (int64_t j = 0; j < kw; ++j)
        for (int64_t c = 0; c < matrix.channels; ++c) {
          int64_t k = (i * kw + j) * channels + group * matrix.channels + c;
          int64_t row = flattened.empty() ? c : flattened[c];
          int8_t w =
              weights
                  .values[n * matrix.columnStride + i * matrix.kernelRowStride +
                          j * matrix.kernelPixelStride +
                          row * matrix.channelStride];
          cells[k * N + n] = static_cast<char>(w);
          sum += w;
        }
    fold(n, sum);
  }
  StringRef name = nameOf(loc);
  // As many cells for a weight as its type needs; more where a zero point has
  // moved the integers.
  auto stored = cast<quant::QuantizedType>(
      getElementTypeOrSelf(op->getOperand(matrix.weights).getType()));
  auto fits = [&](int64_t bits) {
    int64_t most = (int64_t(1) << (bits - 1)) - 1;
    return stored.getStorageTypeMin() >= -most - 1 &&
           stored.getStorageTypeMax() <= most &&
           llvm::all_of(cells, [&](char cell) {
             return int8_t(cell) >= -most - 1 && int8_t(cell) <= most;
           });
  };
  int64_t bits = 1;
  while (bits < 8 && !fits(bits))
    bits *= 2;
  auto type = RankedTensorType::get({K, N}, builder.getI8Type());
  OpBuilder detached(op->getContext());
  auto symbol = cim::WeightsOp::create(
      detached, loc, name.empty() ? "weights" : name,
      makeElements(type, cells, name.empty() ? "weights" : name), bits);
  symbols.insert(symbol, module.getBody()->begin());

  // Tiles of equal height, in whole row groups, and of whole macros in width.
  int64_t pieces = ceilDiv(K, chip.macro.rows);
  int64_t height = std::min(
      chip.macro.rows, ceilDiv(ceilDiv(K, pieces), chip.macro.active_rows) *
                           chip.macro.active_rows);
  int64_t width = std::max<int64_t>(1, chip.weightColumns(bits)) *
                  chip.hierarchy.macros_per_core;
  SmallVector<Value> parts;
  for (int64_t n = 0; n < N; n += width) {
    int64_t columns = std::min(width, N - n);
    auto sumType = RankedTensorType::get({out[0], out[1], columns}, i32);
    SmallVector<Value> partials;
    for (int64_t k = 0; k < K; k += height)
      partials.push_back(cim::MvmOp::create(
          builder, loc, sumType, map.value, symbol.getSymName(), window, k,
          std::min(height, K - k), n, 0, x->zero, IntegerAttr(),
          DenseI64ArrayAttr(), 0));
    Value sums = partials.front();
    if (partials.size() > 1)
      sums = cim::SumOp::create(builder, loc, sumType, partials, IntegerAttr());
    parts.push_back(requantize(sums, n, columns));
  }
  Value joined = parts.front();
  if (parts.size() > 1)
    joined = cim::ConcatOp::create(builder, loc,
                                   RankedTensorType::get(out, outElement),
                                   parts, 2, IntegerAttr());
  define(output, joined, outputPerm);
  return success();
}

LogicalResult Lowering::lowerMatMul(nn::MatMulOp op) {
  Location loc = op.getLoc();
  std::optional<Quant> a = getQuant(op.getA().getType()),
                       b = getQuant(op.getB().getType()),
                       y = getQuant(op.getResult().getType());
  for (const std::optional<Quant> &quant : {a, b, y})
    if (!quant || quant->bits != 8)
      return fail(op, "is computed on 8-bit operands and results only; "
                      "quantize the model, its outputs too");
  Dims shapeA = shapeOf(op.getA()), shapeB = shapeOf(op.getB());
  Dims shapeY = shapeOf(op.getResult());
  size_t rank = shapeA.size();
  if (rank < 2 || shapeB.size() < 2)
    return fail(op, "a product of a vector with an activation has no form on "
                    "the chip yet");
  Dims permA = identityPerm(rank);
  if (op.getTransposeA())
    permA = swapLastAxes(permA);
  Dims inOrder = permuted(shapeA, permA);
  int64_t m = inOrder[rank - 2], k = inOrder[rank - 1];
  int64_t n = shapeY.back();
  int64_t batch = product(ArrayRef<int64_t>(shapeA).drop_back(2));
  if (batch != product(ArrayRef<int64_t>(shapeB).drop_back(2)) ||
      batch * m * n != product(shapeY))
    return fail(op, "a product that broadcasts batches has no form on the "
                    "chip yet");
  std::vector<int32_t> bias = {0};
  if (op.getBias()) {
    nn::WeightMatrix matrix;
    matrix.columns = n;
    float scales = b->scale;
    std::string problem = readBias(op, matrix, a->scale, {scales}, bias);
    if (!problem.empty())
      return fail(op, problem);
  }
  Map left = inLayout(op.getA(), permA);
  // The order of b is taken as it is where it is one of the two.
  Dims straight = identityPerm(shapeB.size()), swapped = swapLastAxes(straight);
  Map right = use(op.getB());
  bool reversed = !sameOrder(shapeB, right.perm, straight) &&
                  sameOrder(shapeB, right.perm, swapped);
  if (!reversed)
    right = relayout(loc, right, straight);
  bool transposeB = op.getTransposeB() != reversed;
  RankedTensorType type =
      mapType(shapeY, identityPerm(shapeY.size()), builder.getI32Type());
  Value sums = cim::MatMulOp::create(builder, loc, type, left.value,
                                     right.value, batch, m, k, n, transposeB,
                                     a->zero, b->zero, IntegerAttr());
  float multiplier = numerics::multiplier(a->scale, b->scale, y->scale);
  Type element = machineElement(getElementTypeOrSelf(op.getResult().getType()));
  Value result = cim::RequantizeOp::create(
      builder, loc, type.clone(element), sums, bias, multiplier, y->zero,
      y->range.min, y->range.max, IntegerAttr());
  define(op.getResult(), result, identityPerm(shapeY.size()));
  return success();
}

} // namespace cimc::mapping
