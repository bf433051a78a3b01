//===- LowerRangedWeighted.cpp - products with ranges taken while running
//-------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rule R14. Like wide fixed point (LowerWideWeighted.cpp), with one digit for
// activations and weights of up to 8 bits.
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
#include "Lowering.h"

#include <limits>

using namespace mlir;

namespace cimc::mapping {

FailureOr<SmallVector<Value>>
Lowering::rangedProduct(Operation *op, const nn::WeightMatrix &matrix,
                        WeightedForm form, Value operand,
                        const WeightTensor &weights, ArrayRef<float> bias,
                        int32_t levels) {
  Location loc = op->getLoc();
  // A column adds `terms` products.
  int64_t N = matrix.allColumns(), terms = form.window.getKernel()[0] *
                                           form.window.getKernel()[1] *
                                           form.channels;
  int64_t most = std::numeric_limits<int32_t>::max() / (int64_t(levels) * 128);
  if (terms > most)
    return fail(op, "adds " + Twine(terms) + " products, int32 holds " +
                        Twine(most));
  const WeightedForm rows = form;
  int64_t channels =
      cast<RankedTensorType>(form.map.value.getType()).getDimSize(2);
  Value steps = fixedPoint(op, form, levels);

  int64_t kh = rows.window.getKernel()[0], kw = rows.window.getKernel()[1];
  int64_t K = kw * kh * channels;
  ByteMatrices cells(K * N);
  std::vector<float> scales;
  for (int64_t n = 0; n < N; ++n) {
    scales.push_back(weights.scale(n));
    int64_t first = n / matrix.columns * form.channels;
    for (int64_t j = 0; j < kw; ++j)
      for (int64_t i = 0; i < kh; ++i)
        for (int64_t c = 0; c < form.channels; ++c)
          cells.set(((j * kh + i) * channels + first + c) * N + n,
                    weights.at(n, rows.weight(matrix, n, i, j, c)));
  }
  int64_t bits = cells.bits(operand);
  SmallVector<cim::WeightsOp> symbols;
  for (const std::vector<char> &term : cells.terms)
    symbols.push_back(makeWeights(loc, K, N, term, bits));
  SmallVector<Value> parts;
  for (int64_t n = 0, width = tileColumns(bits); n < N; n += width) {
    int64_t columns = std::min(width, N - n);
    SmallVector<Value> sums;
    for (auto [symbol, term] : llvm::zip(symbols, cells.terms))
      sums.push_back(tileSums(loc, form, symbol, term, 0, K, n, columns, 0));
    auto type = RankedTensorType::get({form.out[0], form.out[1], columns},
                                      builder.getF32Type());
    parts.push_back(cim::CombineOp::create(
        builder, loc, type, sum(loc, sums), steps,
        ArrayRef<float>(scales).slice(n, columns), bias.slice(n, columns),
        /*digits=*/1, IntegerAttr()));
  }
  return parts;
}

LogicalResult Lowering::lowerRangedWeighted(Operation *op,
                                            const nn::WeightMatrix &matrix) {
  WeightTensor weights;
  Value operand = op->getOperand(matrix.weights);
  std::string problem =
      readWeights(operand, columnAxis(operand, matrix), weights);
  if (!problem.empty())
    return fail(op, problem);
  FailureOr<std::vector<float>> bias = floatBias(op, matrix);
  if (failed(bias))
    return failure();
  WeightedForm form = weightedForm(op, matrix, 0);
  if (form.channels == 1 && matrix.groups > 1)
    return fail(op, "runs on the vector unit, which takes float weights for a "
                    "float input");
  int32_t levels = op->hasAttr("nonnegative") ? numerics::kUnsignedLevels
                                              : numerics::kSignedLevels;
  WeightedForm sums = form;
  bool perPixel =
      !matrix.windowed && form.flattened.empty() && form.out[1] != 1;
  if (perPixel) {
    // Every row of a matrix product has its own range.
    sums.out = {form.out[0] * form.out[1], 1, form.out[2]};
    auto type = RankedTensorType::get({sums.out[0], 1, form.channels},
                                      builder.getF32Type());
    sums.map.value = regroup(op->getLoc(), form.map.value, type);
  }
  FailureOr<SmallVector<Value>> parts =
      rangedProduct(op, matrix, sums, operand, weights, *bias, levels);
  if (failed(parts))
    return failure();
  if (perPixel)
    parts = SmallVector<Value>{
        regroup(op->getLoc(), joinChannels(op->getLoc(), sums, *parts),
                RankedTensorType::get(form.out, builder.getF32Type()))};
  defineWeighted(op->getResult(0), form, *parts);
  return success();
}

} // namespace cimc::mapping
