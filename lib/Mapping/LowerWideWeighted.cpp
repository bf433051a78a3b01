//===- LowerWideWeighted.cpp - fp32 products on the arrays -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rule R13. Weights and activations become wide fixed-point numbers of three
// digits. The window's rows lie side by side in the digits' channels, so that
// they share a unit and the products slide along pixels only. One matrix holds
// all products of digits: the row of digit d of x meets digit s - d of w in the
// column of significance s.
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
#include "Lowering.h"

#include "mlir/IR/Matchers.h"

#include <algorithm>
#include <cstring>

using namespace mlir;

namespace cimc::mapping {
/// The fp32 depthwise sums; biases are added by the caller.
static Value depthwise(OpBuilder &builder, Location loc,
                       const WeightedForm &form, const nn::WeightMatrix &matrix,
                       const std::vector<float> &weights) {
  int64_t N = matrix.allColumns();
  int64_t kh = form.window.getKernel()[0], kw = form.window.getKernel()[1];
  std::vector<float> taps(static_cast<size_t>(kh * kw * N));
  for (int64_t n = 0; n < N; ++n)
    for (int64_t i = 0; i < kh; ++i)
      for (int64_t j = 0; j < kw; ++j)
        taps[(i * kw + j) * N + n] = weights[form.weight(matrix, n, i, j, 0)];
  auto type = RankedTensorType::get({kh, kw, N}, builder.getF32Type());
  ArrayRef<char> bytes(reinterpret_cast<const char *>(taps.data()),
                       taps.size() * sizeof(float));
  return cim::DepthwiseOp::create(
      builder, loc, RankedTensorType::get(form.out, builder.getF32Type()),
      form.map.value, makeElements(type, bytes, "depthwise"), form.window, 0,
      IntegerAttr());
}

static Value addF32(OpBuilder &builder, Value a, Value b) {
  return cim::MapOp::create(builder, a.getLoc(), a.getType(), a, b,
                            numerics::mnemonic(numerics::Function::Add),
                            APFloat(0.0f), APFloat(0.0f), IntegerAttr());
}

Value Lowering::fixedPoint(Operation *op, WeightedForm &form, int32_t levels) {
  Location loc = op->getLoc();
  cim::WindowAttr window = form.window;
  auto input = cast<RankedTensorType>(form.map.value.getType());
  ArrayRef<int64_t> kernel = window.getKernel();
  auto axisOf = [](ArrayRef<int64_t> values, int axis, int64_t other) {
    SmallVector<int64_t, 2> pair{other, other};
    pair[axis] = values[axis];
    return pair;
  };
  auto along = [&](int axis) {
    return cim::WindowAttr::get(op->getContext(), axisOf(kernel, axis, 1),
                                axisOf(window.getStride(), axis, 1),
                                axisOf(window.getPad(), axis, 0),
                                axisOf(window.getDilation(), axis, 1));
  };
  Value units = cim::UnitOp::create(
      builder, loc,
      RankedTensorType::get({form.out[0], 1, 1}, builder.getF32Type()),
      form.map.value, along(0), levels, IntegerAttr());
  int64_t stacked =
      kernel[0] * (levels ? 1 : numerics::kWideDigits) * input.getDimSize(2);
  Type element =
      levels == numerics::kUnsignedLevels
          ? IntegerType::get(builder.getContext(), 8, IntegerType::Unsigned)
          : builder.getI8Type();
  form.map.value = cim::DigitsOp::create(
      builder, loc,
      RankedTensorType::get({form.out[0], input.getDimSize(1), stacked},
                            element),
      form.map.value, units, along(0), levels, IntegerAttr());
  form.window = along(1);
  return units;
}

FailureOr<SmallVector<Value>>
Lowering::wideProduct(Operation *op, const nn::WeightMatrix &matrix,
                      WeightedForm form, ArrayRef<float> weights,
                      ArrayRef<float> bias) {
  constexpr int64_t digits = numerics::kWideDigits;
  Location loc = op->getLoc();
  int64_t N = matrix.allColumns();
  Type f32 = builder.getF32Type();
  const WeightedForm rows = form;
  int64_t channels =
      cast<RankedTensorType>(form.map.value.getType()).getDimSize(2);
  ArrayRef<int64_t> kernel = rows.window.getKernel();
  Value units = fixedPoint(op, form, 0);

  // The matrix of the products of digits.
  int64_t kh = kernel[0], kw = kernel[1], K = kw * kh * digits * channels,
          columns = N * digits;
  std::vector<char> cells(static_cast<size_t>(K * columns), 0);
  std::vector<float> weightUnits;
  for (int64_t n = 0; n < N; ++n) {
    int64_t first = n / matrix.columns * form.channels;
    auto forEach = [&](auto body) {
      for (int64_t j = 0; j < kw; ++j)
        for (int64_t i = 0; i < kh; ++i)
          for (int64_t c = 0; c < form.channels; ++c)
            body(((j * kh + i) * channels + first + c) * digits,
                 weights[rows.weight(matrix, n, i, j, c)]);
    };
    float largest = 0.0f;
    forEach([&](int64_t, float w) {
      largest = numerics::largerMagnitude(largest, w);
    });
    float unit = numerics::wideUnit(largest);
    weightUnits.push_back(unit);
    forEach([&](int64_t row, float w) {
      int8_t parts[digits];
      numerics::wideDigits(w, unit, parts);
      for (int64_t d = 0; d < digits; ++d)
        for (int64_t s = d; s < digits; ++s)
          cells[(row + d) * columns + n * digits + s] =
              static_cast<char>(parts[s - d]);
    });
  }
  cim::WeightsOp symbol = makeWeights(loc, K, columns, cells, 8);

  // So many products of two digits an int32 holds.
  constexpr int64_t most = ((int64_t(1) << 31) - 1) >> 14;
  int64_t width = tileColumns(8) / digits;
  if (width == 0)
    return fail(op, "needs " + Twine(digits) + " weight columns in a core, '" +
                        chip.name + "' has " + Twine(tileColumns(8)));
  SmallVector<Value> parts;
  for (int64_t n = 0; n < N; n += width) {
    int64_t size = std::min(width, N - n);
    auto type = RankedTensorType::get({form.out[0], form.out[1], size}, f32);
    Value part;
    for (int64_t k = 0; k < K; k += most) {
      Value sums = tileSums(loc, form, symbol, cells, k, std::min(k + most, K),
                            n * digits, size * digits, 0);
      std::vector<float> added(bias.begin() + n, bias.begin() + n + size);
      if (k > 0)
        std::fill(added.begin(), added.end(), 0.0f);
      Value value =
          cim::CombineOp::create(builder, loc, type, sums, units,
                                 ArrayRef<float>(weightUnits).slice(n, size),
                                 added, digits, IntegerAttr());
      part = part ? addF32(builder, part, value) : value;
    }
    parts.push_back(part);
  }
  return parts;
}

FailureOr<std::vector<float>>
Lowering::floatBias(Operation *op, const nn::WeightMatrix &matrix) {
  int64_t N = matrix.allColumns();
  std::vector<float> bias(static_cast<size_t>(N), 0.0f);
  if (matrix.bias >= 0) {
    std::optional<std::vector<float>> values =
        readFloats(op->getOperand(matrix.bias));
    if (!values || (values->size() != 1 && values->size() != bias.size()))
      return fail(op, "needs a constant float bias of one entry or one for "
                      "each of the " +
                          Twine(N) + " columns");
    for (size_t n = 0; n < bias.size(); ++n)
      bias[n] = (*values)[values->size() == 1 ? 0 : n];
  }
  return bias;
}

LogicalResult Lowering::lowerWideWeighted(Operation *op,
                                          const nn::WeightMatrix &matrix) {
  Location loc = op->getLoc();
  Value output = op->getResult(0);
  int64_t N = matrix.allColumns();
  std::optional<std::vector<float>> weights =
      readFloats(op->getOperand(matrix.weights));
  if (!weights)
    return fail(op, "needs constant float weights beside a float input");
  FailureOr<std::vector<float>> biases = floatBias(op, matrix);
  if (failed(biases))
    return failure();
  std::vector<float> &bias = *biases;
  WeightedForm form = weightedForm(op, matrix, 0);
  if (form.channels == 1 && matrix.groups > 1) {
    Value value = depthwise(builder, loc, form, matrix, *weights);
    if (matrix.bias >= 0) {
      auto type = RankedTensorType::get({1, 1, N}, builder.getF32Type());
      ArrayRef<char> bytes(reinterpret_cast<const char *>(bias.data()),
                           bias.size() * sizeof(float));
      value = addF32(builder, value,
                     cim::ConstantOp::create(builder, loc, type,
                                             makeElements(type, bytes, "bias"),
                                             IntegerAttr()));
    }
    defineWeighted(output, form, value);
    return success();
  }

  FailureOr<SmallVector<Value>> parts =
      wideProduct(op, matrix, form, *weights, bias);
  if (failed(parts))
    return failure();
  defineWeighted(output, form, *parts);
  return success();
}

} // namespace cimc::mapping
