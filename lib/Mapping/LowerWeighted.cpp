//===- LowerWeighted.cpp - weight matrices cut into tiles -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
#include "Lowering.h"
#include "WeightTensor.h"

#include "mlir/IR/Matchers.h"

#include <algorithm>
#include <array>
#include <cstdlib>

using namespace mlir;

namespace cimc::mapping {
namespace {

/// Bias integers, one for each column; empty, or why they cannot be had.
std::string readBias(Operation *op, const nn::WeightMatrix &matrix,
                     float scaleX, const std::vector<float> &scales,
                     std::vector<int32_t> &bias) {
  bias.assign(matrix.allColumns(), 0);
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

} // namespace

Value Lowering::sum(Location loc, ArrayRef<Value> terms) {
  if (terms.size() == 1)
    return terms.front();
  return cim::SumOp::create(builder, loc, terms.front().getType(), terms,
                            IntegerAttr());
}

LogicalResult Lowering::lowerWeighted(Operation *op,
                                      const nn::WeightMatrix &matrix) {
  Location loc = op->getLoc();
  Value input = op->getOperand(matrix.input), output = op->getResult(0);
  std::optional<Quant> x = getQuant(input.getType()),
                       y = getQuant(output.getType());
  bool isReal = isFloat(output);
  // Plain bytes: the sums are the result.
  bool isSum = getElementTypeOrSelf(output.getType()).isSignlessInteger(32);
  auto byte = dyn_cast<IntegerType>(getElementTypeOrSelf(input.getType()));
  if (isSum && byte && byte.getWidth() == 8) {
    x = Quant();
    x->isSigned = !byte.isUnsigned();
  }
  bool isHalf = x && x->bits == 16;
  if (!x || (x->bits != 8 && !isHalf) ||
      (!isReal && !isSum && (!y || y->bits != 8 || isHalf)))
    return fail(op, "runs on the arrays with 8-bit input and a result of 8 "
                    "bits or fp32, or 16-bit input and a result of fp32; "
                    "quantize the model");
  WeightTensor weights;
  std::vector<int32_t> bias;
  std::string problem =
      readWeights(op->getOperand(matrix.weights),
                  columnAxis(op->getOperand(matrix.weights), matrix), weights);
  std::vector<float> realBias;
  if (problem.empty() && isReal) {
    FailureOr<std::vector<float>> values = floatBias(op, matrix);
    if (failed(values))
      return failure();
    realBias = std::move(*values);
  } else if (problem.empty()) {
    problem = readBias(op, matrix, x->scale, weights.scales, bias);
  }
  if (!problem.empty())
    return fail(op, problem);

  WeightedForm form = weightedForm(op, matrix, x->zero);
  int64_t N = matrix.allColumns();
  std::vector<float> multiplier;
  for (float scale : weights.scales)
    multiplier.push_back(isReal || isSum
                             ? scale
                             : numerics::multiplier(x->scale, scale, y->scale));
  // The input's zero point goes into the bias; padding reads it, so it holds
  // there too.
  auto fold = [&](int64_t n, int64_t sum) {
    auto product = static_cast<int32_t>(static_cast<uint32_t>(x->zero) *
                                        static_cast<uint32_t>(-sum));
    if (isReal)
      realBias[n] = numerics::shiftBias(
          realBias[n], static_cast<int32_t>(-static_cast<uint32_t>(product)),
          x->scale, weights.scale(n));
    else
      bias[n] = numerics::addWrapping(bias[n], product);
  };
  Value steps;
  if (isReal) {
    std::vector<float> step(form.out[0], x->scale);
    auto type =
        RankedTensorType::get({form.out[0], 1, 1}, builder.getF32Type());
    ArrayRef<char> bytes(reinterpret_cast<const char *>(step.data()),
                         step.size() * sizeof(float));
    steps = cim::ConstantOp::create(
        builder, loc, type, makeElements(type, bytes, "step"), IntegerAttr());
  }
  Type i32 = builder.getI32Type();
  Type outElement = machineElement(getElementTypeOrSelf(output.getType()));
  auto requantize = [&](Value sums, int64_t begin, int64_t size) -> Value {
    if (isSum)
      return sums;
    ArrayRef<float> scales(multiplier);
    if (scales.size() > 1)
      scales = scales.slice(begin, size);
    if (isReal)
      return cim::CombineOp::create(
          builder, loc,
          cast<RankedTensorType>(sums.getType()).clone(outElement), sums, steps,
          scales, ArrayRef<float>(realBias).slice(begin, size),
          /*digits=*/1, IntegerAttr());
    return cim::RequantizeOp::create(
        builder, loc, cast<RankedTensorType>(sums.getType()).clone(outElement),
        sums, ArrayRef<int32_t>(bias).slice(begin, size), scales, y->zero,
        y->range.min, y->range.max, IntegerAttr());
  };

  int64_t largest =
      std::max(std::abs(int64_t{x->range.min}), int64_t{x->range.max});
  // One dense matrix, in which the blocks of other groups are zero; or, where
  // groups have one channel, one row for each tap.
  bool depthwise = form.channels == 1 && matrix.groups > 1;
  if (depthwise && isHalf)
    return fail(op, "runs on the vector unit, which takes 8-bit or float "
                    "inputs");
  int64_t kh = form.window.getKernel()[0], kw = form.window.getKernel()[1];
  int64_t channels = depthwise ? 1 : form.channels * matrix.groups;
  int64_t K = kh * kw * channels;
  ByteMatrices cells(K * N);
  // Some columns at a time: weights of neighbouring columns lie side by side in
  // one or both matrices, and all of a column far from each other.
  constexpr int64_t kColumns = 64;
  for (int64_t begin = 0; begin < N; begin += kColumns) {
    int64_t end = std::min(begin + kColumns, N);
    std::array<int64_t, kColumns> sums{}, magnitudes{}, first{}; // by column
    for (int64_t n = begin; n < end && !depthwise; ++n)
      first[n - begin] = n / matrix.columns * form.channels;
    for (int64_t i = 0; i < kh; ++i)
      for (int64_t j = 0; j < kw; ++j)
        for (int64_t c = 0; c < form.channels; ++c)
          for (int64_t n = begin; n < end; ++n) {
            int64_t w = weights.at(n, form.weight(matrix, n, i, j, c));
            int64_t k = (i * kw + j) * channels + first[n - begin] + c;
            cells.set(k * N + n, w);
            sums[n - begin] += w;
            magnitudes[n - begin] += std::abs(w);
          }
    for (int64_t n = begin; n < end; ++n)
      fold(n, sums[n - begin]);
    // What the arrays add, and the zero point's share of it, stays in int32.
    for (int64_t n = begin; n < end && isHalf; ++n)
      if (magnitudes[n - begin] * largest > INT32_MAX)
        return fail(op, "column " + Twine(n) +
                            ": the magnitudes of its weights add up to " +
                            Twine(magnitudes[n - begin]) +
                            ", times inputs of up to " + Twine(largest) +
                            " more than int32 holds; give the input fewer "
                            "bits, or a scale with which fewer are used");
  }
  auto add = [&](ArrayRef<Value> terms) { return sum(loc, terms); };
  SmallVector<Value> parts, terms;
  if (depthwise) {
    auto type = RankedTensorType::get({kh, kw, N}, builder.getI8Type());
    for (const std::vector<char> &term : cells.terms)
      terms.push_back(cim::DepthwiseOp::create(
          builder, loc, RankedTensorType::get(form.out, i32), form.map.value,
          makeElements(type, term, "depthwise"), form.window, x->zero,
          IntegerAttr()));
    parts.push_back(requantize(add(terms), 0, N));
  } else {
    int64_t bits = cells.bits(op->getOperand(matrix.weights));
    SmallVector<cim::WeightsOp> symbols;
    for (const std::vector<char> &term : cells.terms)
      symbols.push_back(makeWeights(loc, K, N, term, bits));
    for (int64_t n = 0, width = tileColumns(bits); n < N; n += width) {
      int64_t columns = std::min(width, N - n);
      terms.clear();
      for (auto [symbol, term] : llvm::zip(symbols, cells.terms))
        terms.push_back(
            tileSums(loc, form, symbol, term, 0, K, n, columns, x->zero));
      parts.push_back(requantize(add(terms), n, columns));
    }
  }
  defineWeighted(output, form, parts);
  return success();
}

LogicalResult Lowering::lowerMatMul(nn::MatMulOp op) {
  if (isFloat(op.getA()) && isFloat(op.getB()))
    return lowerFloatMatMul(op);
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
