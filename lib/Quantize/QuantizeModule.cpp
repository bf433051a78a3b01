//===- QuantizeModule.cpp - post-training quantization ----------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Quantize/Quantize.h"

#include "Calibration.h"
#include "Constants.h"
#include "Fuse.h"

#include "cimc/Reference/Evaluator.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace cimc::quantization;

namespace cimc {

namespace {

// A bias constant in two versions.
struct Correction {
  nn::ConstantOp bias;
  ElementsAttr plain, corrected;
};

class Inserter {
public:
  Inserter(func::FuncOp entry, const RangePlan &plan,
           const Statistics &statistics, const QuantizeOptions &options)
      : entry(entry), plan(plan), statistics(statistics), options(options),
        builder(entry.getContext()) {}

  /// Biases, and what they become when they are corrected.
  const std::vector<Correction> &corrections() const { return corrected; }

  void run() {
    for (Operation &op : llvm::make_early_inc_range(entry.front())) {
      if (isa<nn::ConvOp, nn::MatMulOp>(op))
        quantizeWeights(&op);
      else if (isa<nn::AddOp, nn::MulOp>(op))
        quantizeNumbers(&op);
    }
    for (Value value : plan.allValues())
      if (plan.isQuantized(value) && !value.use_empty())
        insertPair(value);
    // Constants that were replaced.
    for (Operation &op : llvm::make_early_inc_range(entry.front()))
      if (isa<nn::ConstantOp>(op) && op.use_empty())
        op.erase();
  }

private:
  Value dequantized(Location loc, Value integers) {
    auto type = cast<RankedTensorType>(integers.getType());
    return nn::DequantizeOp::create(
        builder, loc,
        RankedTensorType::get(type.getShape(), builder.getF32Type()), integers);
  }

  void insertPair(Value value) {
    builder.setInsertionPointAfterValue(value);
    AffineParameters p = plan.parameters(value);
    auto type = cast<RankedTensorType>(value.getType());
    Type element = unsignedType(builder.getContext(), p.scale, p.zero);
    auto quantize = nn::QuantizeOp::create(
        builder, value.getLoc(),
        RankedTensorType::get(type.getShape(), element), value);
    Value real = dequantized(value.getLoc(), quantize.getResult());
    value.replaceAllUsesExcept(real, quantize);
  }

  // Symmetric weights, one scale per slice along `axis` (-1: one for all), and
  // where a bias needs it a larger one (rule R7).
  Value symmetric(nn::ConstantOp constant, int64_t axis, float scaleX,
                  const std::vector<float> &bias, Scales &scales) {
    std::vector<float> values = readFloats(constant);
    auto shape = cast<ShapedType>(constant.getResult().getType()).getShape();
    int32_t limit = (1 << (options.weightBits - 1)) - 1;
    scales.axis = axis;
    std::vector<float> largest(axis < 0 ? 1 : shape[axis], 0.0f);
    forEachOnAxis(shape, axis, [&](int64_t i, int64_t at) {
      if (std::isfinite(values[i]))
        largest[at] = std::max(largest[at], std::fabs(values[i]));
    });
    for (size_t c = 0; c < largest.size(); ++c) {
      float scale = largest[c] / static_cast<float>(limit);
      // Half of int32 is left for the products.
      float needed = 0;
      for (size_t b = 0; b < bias.size(); ++b)
        if (axis < 0 || b == c)
          needed =
              std::max(needed, std::fabs(bias[b]) / (scaleX * 1073741824.0f));
      scale = std::max(scale, needed);
      scales.scale.push_back(scale > 1e-20f ? scale : 1.0f);
    }
    scales.zero.assign(scales.scale.size(), 0);
    std::vector<int32_t> integers(values.size());
    forEachOnAxis(shape, axis, [&](int64_t i, int64_t at) {
      integers[i] =
          numerics::quantize(values[i], scales.scale[at], 0, {-limit, limit});
    });
    Type element = signedType(builder.getContext(), 8, -limit, limit, scales);
    return makeIntegers(builder, constant.getLoc(),
                        RankedTensorType::get(shape, element), integers,
                        nodeName(constant));
  }

  void quantizeWeights(Operation *op) {
    builder.setInsertionPoint(op);
    Value x = op->getOperand(0), w = op->getOperand(1);
    nn::ConstantOp left = constantOf(x), right = constantOf(w);
    nn::ConstantOp bias =
        op->getNumOperands() > 2 ? constantOf(op->getOperand(2)) : nullptr;
    if ((!left && !plan.isQuantized(x)) || (!right && !plan.isQuantized(w)))
      return;
    std::vector<float> biases;
    if (bias)
      biases = readFloats(bias);
    std::vector<double> means = statistics.inputMeans(op);
    Scales xScales, wScales;
    if (left)
      op->setOperand(
          0, dequantized(op->getLoc(), symmetric(left, -1, 1, {}, xScales)));
    else
      xScales.scale = {plan.parameters(x).scale};
    if (right) {
      int64_t axis = 0;
      if (auto matmul = dyn_cast<nn::MatMulOp>(op)) {
        int64_t rank = cast<ShapedType>(w.getType()).getRank();
        axis = rank < 2 ? -1 : matmul.getTransposeB() ? rank - 2 : rank - 1;
      }
      op->setOperand(
          1, dequantized(op->getLoc(), symmetric(right, axis, xScales.scale[0],
                                                 biases, wScales)));
    } else {
      wScales.scale = {plan.parameters(w).scale};
    }
    if (!bias)
      return;
    Scales scales;
    scales.axis = wScales.axis < 0 ? -1 : 0;
    for (float scale : wScales.scale)
      scales.scale.push_back(xScales.scale[0] * scale);
    scales.zero.assign(scales.scale.size(), 0);
    Type element =
        signedType(builder.getContext(), 32, INT32_MIN, INT32_MAX, scales);
    auto shape = cast<ShapedType>(bias.getResult().getType()).getShape();
    auto make = [&](const std::vector<float> &values) {
      std::vector<int32_t> integers(values.size());
      for (size_t c = 0; c < values.size(); ++c)
        integers[c] = numerics::quantizeBias(values[c], xScales.scale[0],
                                             wScales.scaleAt(c));
      return makeIntegers(builder, bias.getLoc(),
                          RankedTensorType::get(shape, element), integers,
                          nodeName(bias));
    };
    Value plain = make(biases);
    op->setOperand(2, dequantized(op->getLoc(), plain));
    std::vector<double> shift = meanShift(op, right, means);
    if (shift.size() != biases.size())
      return;
    for (size_t c = 0; c < biases.size(); ++c)
      biases[c] = static_cast<float>(biases[c] - shift[c]);
    nn::ConstantOp other = constantOf(make(biases));
    corrected.push_back(
        {constantOf(plain), constantOf(plain).getValue(), other.getValue()});
    other.erase();
  }

  // How much rounding the weights moves the mean of each output: the change of
  // the weights times the means of the inputs. Padding is taken for inside.
  std::vector<double> meanShift(Operation *op, nn::ConstantOp real,
                                const std::vector<double> &means) {
    Value source = quantizedSource(op->getOperand(1));
    auto shape = cast<ShapedType>(op->getOperand(1).getType()).getShape();
    if (!real || !source || means.empty())
      return {};
    std::vector<float> before = readFloats(real);
    std::vector<float> after = readReals(constantOf(source));
    if (auto conv = dyn_cast<nn::ConvOp>(op)) {
      std::vector<double> shift(shape[0], 0.0);
      int64_t channels = shape[1];
      int64_t taps = static_cast<int64_t>(before.size()) / shape[0] / channels;
      int64_t outputs = shape[0] / conv.getGroup();
      for (int64_t m = 0, i = 0; m < shape[0]; ++m)
        for (int64_t c = 0; c < channels; ++c)
          for (int64_t k = 0; k < taps; ++k, ++i)
            shift[m] += (static_cast<double>(after[i]) - before[i]) *
                        means[m / outputs * channels + c];
      return shift;
    }
    if (shape.size() != 2)
      return {};
    bool transposed = cast<nn::MatMulOp>(op).getTransposeB();
    std::vector<double> shift(shape[transposed ? 0 : 1], 0.0);
    for (int64_t i = 0, e = static_cast<int64_t>(before.size()); i < e; ++i) {
      int64_t row = i / shape[1], column = i % shape[1];
      shift[transposed ? row : column] +=
          (static_cast<double>(after[i]) - before[i]) *
          means[transposed ? column : row];
    }
    return shift;
  }

  // Operands that are one number everywhere, exactly.
  void quantizeNumbers(Operation *op) {
    if (!plan.isQuantized(op->getOperand(0)) &&
        !plan.isQuantized(op->getOperand(1)))
      return;
    builder.setInsertionPoint(op);
    for (int i : {0, 1})
      if (constantOf(op->getOperand(i)))
        if (Value number = quantizeSplat(builder, op->getOperand(i), false))
          op->setOperand(i, dequantized(op->getLoc(), number));
  }

  func::FuncOp entry;
  const RangePlan &plan;
  const Statistics &statistics;
  const QuantizeOptions &options;
  OpBuilder builder;
  std::vector<Correction> corrected;
};

// Keeps corrected biases where they bring the outputs nearer to the float
// network's.
Status correctBiases(ModuleOp module, const std::vector<Correction> &all,
                     const Statistics &statistics, unsigned threads) {
  if (all.empty())
    return {};
  auto plain = outputError(module, statistics, threads);
  if (!plain)
    return plain.takeError();
  for (const Correction &one : all)
    nn::ConstantOp(one.bias).setValueAttr(one.corrected);
  auto corrected = outputError(module, statistics, threads);
  if (!corrected)
    return corrected.takeError();
  if (*corrected < *plain)
    return {};
  for (const Correction &one : all)
    nn::ConstantOp(one.bias).setValueAttr(one.plain);
  return {};
}

// Weights and biases that no integer stands for.
Status checkWeights(func::FuncOp entry) {
  std::string problem;
  entry.walk([&](Operation *op) {
    if (!isa<nn::ConvOp, nn::MatMulOp>(op))
      return WalkResult::advance();
    for (unsigned k = 1; k < op->getNumOperands(); ++k) {
      nn::ConstantOp constant = constantOf(op->getOperand(k));
      if (!constant)
        continue;
      std::vector<float> values = readFloats(constant);
      for (size_t i = 0; i < values.size(); ++i)
        if (!std::isfinite(values[i])) {
          problem = "node '" + nodeName(op) + "': element " +
                    std::to_string(i) + " of its " +
                    (k == 1 ? "weights" : "bias") + " is " +
                    std::to_string(values[i]) + ", which cannot be quantized";
          return WalkResult::interrupt();
        }
    }
    return WalkResult::advance();
  });
  if (problem.empty())
    return {};
  return Error{ExitCode::InvalidInput, problem};
}

} // namespace

bool hasQuantizedTypes(ModuleOp module) {
  WalkResult result = module.walk([](Operation *op) {
    for (Value value : op->getResults())
      if (isa<quant::QuantizedType>(elementType(value)))
        return WalkResult::interrupt();
    return WalkResult::advance();
  });
  return result.wasInterrupted();
}

Status quantizeModule(ModuleOp module, SampleSource &samples,
                      const QuantizeOptions &options) {
  if (options.method != "mse" && options.method != "minmax" &&
      options.method != "percentile")
    return Error{ExitCode::Usage, "unknown calibration method '" +
                                      options.method +
                                      "'; there are mse, minmax, percentile"};
  if (options.weightBits < 2 || options.weightBits > 8)
    return Error{ExitCode::Usage, "weights of " +
                                      std::to_string(options.weightBits) +
                                      " bits are not supported; choose 2 to 8"};
  if (hasQuantizedTypes(module))
    return Error{ExitCode::Usage,
                 "the model is quantized already (it has QuantizeLinear or "
                 "DequantizeLinear nodes); compile it without calibration"};
  auto entry = findEntry(module);
  if (!entry)
    return entry.takeError();
  if (Status status = checkWeights(*entry); !status)
    return status;
  RangePlan plan(*entry);
  Statistics statistics;
  if (Status status =
          statistics.collect(module, *entry, samples, options.threads, plan);
      !status)
    return status;
  plan.choose(statistics.histograms, options.method);
  Inserter inserter(*entry, plan, statistics, options);
  inserter.run();
  if (options.biasCorrection)
    return correctBiases(module, inserter.corrections(), statistics,
                         options.threads);
  return {};
}

} // namespace cimc
