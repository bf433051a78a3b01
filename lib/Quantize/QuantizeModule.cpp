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
#include "LayerReports.h"
#include "RefineLayers.h"

#include "cimc/Reference/Evaluator.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace cimc::quantization;

namespace cimc {

namespace {

class Inserter {
public:
  Inserter(func::FuncOp entry, const RangePlan &plan,
           const QuantizeOptions &options)
      : entry(entry), plan(plan), options(options),
        builder(entry.getContext()) {}

  /// The layers whose weights are integers now, in order, and these integers:
  /// the nearest.
  std::vector<WeightedLayer> layers;
  std::vector<LayerConstants> nearest;

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
  void insertPair(Value value) {
    builder.setInsertionPointAfterValue(value);
    AffineParameters p = plan.parameters(value);
    auto type = cast<RankedTensorType>(value.getType());
    Type element = unsignedType(builder.getContext(), p.scale, p.zero);
    auto quantize = nn::QuantizeOp::create(
        builder, value.getLoc(),
        RankedTensorType::get(type.getShape(), element), value);
    Value real = makeDequantized(builder, value.getLoc(), quantize.getResult());
    value.replaceAllUsesExcept(real, quantize);
  }

  void quantizeWeights(Operation *op) {
    Value operands[] = {op->getOperand(0), op->getOperand(1)};
    for (unsigned k : {1u, 0u}) {
      if (!constantOf(operands[k]) ||
          !(plan.isRanged(op) || plan.isQuantized(operands[1 - k])))
        continue;
      std::optional<float> inputScale;
      if (!plan.isRanged(op))
        inputScale = plan.parameters(operands[1 - k]).scale;
      layers.emplace_back(op, k, inputScale,
                          (1 << (options.weightBits - 1)) - 1);
      WeightedLayer &layer = layers.back();
      Scales scales = layer.fullScales();
      nearest.push_back(
          layer.constants(scales, layer.roundToNearest(scales), layer.bias()));
      layer.install(builder, nearest.back());
      return;
    }
    // Two activations: only the bias is constant.
    nn::ConstantOp bias =
        op->getNumOperands() > 2 ? constantOf(op->getOperand(2)) : nullptr;
    if (!bias || !plan.isQuantized(operands[0]) ||
        !plan.isQuantized(operands[1]))
      return;
    float scale = plan.parameters(operands[0]).scale;
    float other = plan.parameters(operands[1]).scale;
    std::vector<float> values = readFloats(bias);
    std::vector<int32_t> integers(values.size());
    for (size_t c = 0; c < values.size(); ++c)
      integers[c] = numerics::quantizeBias(values[c], scale, other);
    Scales scales;
    scales.scale = {scale * other};
    scales.zero = {0};
    builder.setInsertionPoint(op);
    auto type = RankedTensorType::get(
        cast<ShapedType>(bias.getResult().getType()).getShape(),
        signedType(builder.getContext(), 32, INT32_MIN, INT32_MAX, scales));
    op->setOperand(2, makeDequantized(builder, op->getLoc(),
                                      makeIntegers(builder, bias.getLoc(), type,
                                                   integers, nodeName(bias))));
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
          op->setOperand(i, makeDequantized(builder, op->getLoc(), number));
  }

  func::FuncOp entry;
  const RangePlan &plan;
  const QuantizeOptions &options;
  OpBuilder builder;
};

// How much rounding the weights moves the mean of each output: the change of
// the weights times the means of the inputs. Padding is taken for inside.
std::vector<double> meanShift(const WeightedLayer &layer,
                              const LayerConstants &rounded,
                              const std::vector<double> &means) {
  ArrayRef<int64_t> shape = layer.shape();
  if (layer.axis() < 0 || means.empty())
    return {};
  std::vector<float> before = layer.weights();
  HostTensor integers = toHostTensor(rounded.weights);
  Scales scales = *scalesOf(rounded.weightType.getElementType());
  std::vector<double> change(before.size());
  forEachOnAxis(shape, layer.axis(), [&](int64_t i, int64_t at) {
    change[i] = static_cast<double>(numerics::dequantize(
                    integers.as<int8_t>()[i], scales.scaleAt(at), 0)) -
                before[i];
  });
  std::vector<double> shift(shape[layer.axis()], 0.0);
  if (auto conv = dyn_cast<nn::ConvOp>(layer.operation())) {
    int64_t channels = shape[1];
    int64_t taps = static_cast<int64_t>(before.size()) / shape[0] / channels;
    int64_t outputs = shape[0] / conv.getGroup();
    for (int64_t m = 0, i = 0; m < shape[0]; ++m)
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t k = 0; k < taps; ++k, ++i)
          shift[m] += change[i] * means[m / outputs * channels + c];
    return shift;
  }
  if (shape.size() != 2)
    return {};
  bool transposed = layer.axis() == 0;
  for (int64_t i = 0, e = static_cast<int64_t>(before.size()); i < e; ++i) {
    int64_t row = i / shape[1], column = i % shape[1];
    shift[transposed ? row : column] +=
        change[i] * means[transposed ? column : row];
  }
  return shift;
}

// The nearest integers with biases that make up for the shift of the means.
std::vector<LayerConstants>
correctBiases(const std::vector<WeightedLayer> &layers,
              const std::vector<LayerConstants> &nearest,
              const Statistics &statistics) {
  std::vector<LayerConstants> corrected = nearest;
  for (size_t i = 0; i < layers.size(); ++i) {
    std::vector<float> bias = layers[i].bias();
    std::vector<double> shift = meanShift(
        layers[i], nearest[i], statistics.inputMeans(layers[i].operation()));
    if (shift.size() != bias.size())
      continue;
    for (size_t c = 0; c < bias.size(); ++c)
      bias[c] = static_cast<float>(bias[c] - shift[c]);
    HostTensor integers = toHostTensor(nearest[i].weights);
    corrected[i] = layers[i].constants(
        *scalesOf(nearest[i].weightType.getElementType()),
        std::vector<int32_t>(integers.as<int8_t>(),
                             integers.as<int8_t>() + integers.size()),
        bias);
  }
  return corrected;
}

// Of several choices for all layers, installs the one whose outputs on the
// samples held out are nearest to the float network's; the first of equals.
Status installBest(ModuleOp module, std::vector<WeightedLayer> &layers,
                   const std::vector<std::vector<LayerConstants>> &choices,
                   const Statistics &statistics, unsigned threads) {
  OpBuilder builder(module.getContext());
  auto install = [&](size_t choice) {
    for (size_t i = 0; i < layers.size(); ++i)
      layers[i].install(builder, choices[choice][i]);
  };
  size_t best = 0;
  double least = 0;
  for (size_t choice = 0; choice < choices.size() && choices.size() > 1;
       ++choice) {
    install(choice);
    auto error = outputError(module, statistics, threads);
    if (!error)
      return error.takeError();
    if (choice == 0 || *error < least) {
      best = choice;
      least = *error;
    }
  }
  install(best);
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
                      const QuantizeOptions &options, QuantizeReport *report) {
  if (options.method != "mse" && options.method != "minmax" &&
      options.method != "percentile" && options.method != "entropy")
    return Error{ExitCode::Usage,
                 "unknown calibration method '" + options.method +
                     "'; there are mse, minmax, percentile and entropy"};
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
  RangePlan plan(*entry, options.rowRanges);
  Statistics statistics;
  if (Status status =
          statistics.collect(module, *entry, samples, options.threads, plan);
      !status)
    return status;
  plan.choose(statistics.histograms, options.method);
  warnOfSamples(*entry, statistics);
  warnOfChannels(*entry);
  LayerReports reports;
  if (report)
    reports.plan(*entry, plan, statistics, options);
  // A handful of samples is learned by heart, and at 8 bits there is little to
  // gain.
  constexpr int64_t enoughToFit = 16;
  bool fits = options.fitWeights && (options.weightBits < 8 ||
                                     statistics.sampleCount() >= enoughToFit);
  OwningOpRef<ModuleOp> real;
  if (fits || report)
    real = module.clone();
  Inserter inserter(*entry, plan, options);
  inserter.run();
  std::vector<WeightedLayer> &layers = inserter.layers;
  std::vector<std::vector<LayerConstants>> choices = {inserter.nearest};
  if (options.biasCorrection)
    choices.push_back(correctBiases(layers, inserter.nearest, statistics));
  if (fits) {
    auto refined = refineLayers(*entry, *findEntry(*real), layers,
                                inserter.nearest, statistics, options.threads);
    if (!refined)
      return refined.takeError();
    choices.resize(choices.size() + 1);
    for (const RefinedLayer &layer : *refined)
      choices.back().push_back(layer.plain);
    if (options.biasCorrection) {
      choices.resize(choices.size() + 1);
      for (const RefinedLayer &layer : *refined)
        choices.back().push_back(layer.corrected);
    }
  }
  Status status =
      installBest(module, layers, choices, statistics, options.threads);
  if (!status || !report)
    return status;
  report->samples = statistics.sampleCount();
  return reports.measure(module, real.get(), statistics, *report);
}

} // namespace cimc
