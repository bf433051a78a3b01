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
#include "Equalization.h"
#include "Fitter.h"
#include "Fuse.h"
#include "LayerReports.h"
#include "MixedPrecision.h"
#include "Warnings.h"

#include "cimc/Reference/Evaluator.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

using namespace mlir;
using namespace cimc::quantization;

namespace cimc {

namespace {

class Inserter {
public:
  Inserter(func::FuncOp entry, const RangePlan &plan,
           std::function<int(Operation *)> bitsOf)
      : entry(entry), plan(plan), bitsOf(std::move(bitsOf)),
        builder(entry.getContext()) {}

  /// The layers whose weights are integers now, the nearest, in order.
  std::vector<WeightedLayer> layers;

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
    auto type = cast<RankedTensorType>(value.getType());
    Type element = plan.range(value).type(builder.getContext());
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
      if (!plan.isRanged(op) && !plan.isWide(op))
        inputScale = plan.range(operands[1 - k]).parameters.scale;
      int bits = bitsOf(op);
      layers.emplace_back(op, k, inputScale, bits);
      layers.back().install(builder, layers.back().nearest(bits));
      return;
    }
    // Two activations: only the bias is constant.
    nn::ConstantOp bias =
        op->getNumOperands() > 2 ? constantOf(op->getOperand(2)) : nullptr;
    if (!bias || !plan.isQuantized(operands[0]) ||
        !plan.isQuantized(operands[1]))
      return;
    float scale = plan.range(operands[0]).parameters.scale;
    float other = plan.range(operands[1]).parameters.scale;
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
  std::function<int(Operation *)> bitsOf;
  OpBuilder builder;
};

/// The bits of layers, by their names in the table or for all.
class LayerBits {
public:
  LayerBits(func::FuncOp entry, const QuantizeOptions &options)
      : names(entry), options(options) {}

  int ofWeights(Operation *op) const {
    return find(options.table.bits, op, options.weightBits);
  }
  bool isWide(Operation *op) const {
    return find(options.table.inputBits, op, options.inputBits) == 16;
  }

  NodeNames names;

private:
  int find(const std::map<std::string, int> &given, Operation *op,
           int otherwise) const {
    auto it = given.find(names.of(op));
    return it == given.end() ? otherwise : it->second;
  }

  const QuantizeOptions &options;
};

/// Samples that are in memory.
class KeptSamples : public SampleSource {
public:
  explicit KeptSamples(const std::vector<std::vector<HostTensor>> &samples)
      : samples(samples) {}
  Result<std::optional<std::vector<HostTensor>>> next() override {
    if (given == samples.size())
      return std::optional<std::vector<HostTensor>>();
    return std::optional(samples[given++]);
  }
  int64_t size() const override { return int64_t(samples.size()); }

private:
  const std::vector<std::vector<HostTensor>> &samples;
  size_t given = 0;
};

/// Finds out how much scales should move between layers: a copy of the network
/// is quantized for every answer, on the first samples, and those of them that
/// are held out say which is best. 8-bit weights are rounded to nearest there,
/// as fitting them changes little.
class EqualizationChoice {
public:
  EqualizationChoice(ModuleOp module,
                     const std::vector<std::vector<HostTensor>> &samples,
                     const QuantizeOptions &given)
      : module(module), samples(samples), options(given) {
    // What is chosen must not depend on what is known of single layers: the
    // bits that a search has found are given the next time.
    options.table = {};
    options.rounding =
        options.weightBits < kWideBits && options.rounding != "nearest"
            ? "fit"
            : "nearest";
    for (size_t i = 0; i < samples.size(); ++i)
      if (i == 0 || !Statistics::isHeldOut(int64_t(i)))
        seen.push_back(samples[i]);
  }

  /// The share for `equalize`; 0 where nothing should move.
  Result<double> choose() {
    constexpr double shares[] = {0.9, 0.5, 0};
    double best = 0;
    std::optional<double> least;
    for (double share : shares) {
      Result<std::optional<double>> noise = measure(share);
      if (!noise)
        return noise.takeError();
      if (changed == 0 && !least && share != 0)
        return 0.0;
      if (!*noise || (least && !(**noise < *least)))
        continue;
      best = changed == 0 ? 0 : share;
      least = **noise;
    }
    return best;
  }

private:
  /// The outputs' noise, as a logarithm; nothing where no tensor changes and
  /// something could, or as many as the last time, which is the same network.
  Result<std::optional<double>> measure(double share) {
    OwningOpRef<ModuleOp> copy = module.clone();
    auto entry = findEntry(*copy);
    if (!entry)
      return entry.takeError();
    auto done = equalize(*copy, *entry, seen, options.weightBits, share,
                         options.threads);
    if (!done)
      return done.takeError();
    bool isSame = changed ? *changed == *done : *done == 0;
    changed = *done;
    if (isSame)
      return std::optional<double>();
    LayerBits bits(*entry, options);
    RangePlan plan(*entry, options.rowRanges,
                   [&](Operation *op) { return bits.isWide(op); });
    Statistics statistics;
    KeptSamples source(samples);
    if (Status status =
            statistics.collect(*copy, *entry, source, options.threads, plan);
        !status)
      return status.takeError();
    plan.choose(statistics.histograms, options.method);
    OwningOpRef<ModuleOp> real = copy->clone();
    Inserter inserter(*entry, plan,
                      [&](Operation *op) { return bits.ofWeights(op); });
    inserter.run();
    Fitter fitter(*copy, *real, inserter.layers, statistics, options);
    auto fitted = fitter.fit(std::vector<bool>(inserter.layers.size(), false));
    if (!fitted)
      return fitted.takeError();
    auto results = evaluateHeld(*copy, statistics, options.threads);
    if (!results)
      return results.takeError();
    // The mean of logarithms: of eight samples one often has nearly all of the
    // sum.
    constexpr double none = 1e-30;
    double sum = 0;
    for (double noise : judgedNoise(*results, statistics.heldResults))
      sum += std::log(noise + none);
    return std::optional(sum);
  }

  ModuleOp module;
  const std::vector<std::vector<HostTensor>> &samples;
  /// Those that are not held out.
  std::vector<std::vector<HostTensor>> seen;
  QuantizeOptions options;
  /// Tensors that the last answer changed.
  std::optional<int64_t> changed;
};

// Names in the table that nothing has.
Status checkTable(const QuantizationTable &table, func::FuncOp entry,
                  const RangePlan &plan, const NodeNames &names) {
  std::set<std::string> layers, tensors;
  for (Operation &op : entry.front())
    if (isa<nn::ConvOp, nn::MatMulOp>(op))
      layers.insert(names.of(&op));
  for (Value value : plan.representatives())
    tensors.insert(names.of(value));
  for (const auto &[name, bits] : table.bits)
    if (!layers.count(name))
      return Error{ExitCode::InvalidInput,
                   "the table has bits for '" + name +
                       "', but the network has no convolution or matrix "
                       "product of that name"};
  for (const auto &[name, bits] : table.inputBits)
    if (!layers.count(name))
      return Error{ExitCode::InvalidInput,
                   "the table has bits for the input of '" + name +
                       "', but the network has no convolution or matrix "
                       "product of that name"};
  for (const auto &[name, range] : table.ranges)
    if (!tensors.count(name))
      return Error{ExitCode::InvalidInput,
                   "the table has a range for '" + name +
                       "', but the network has no tensor of that name whose "
                       "range is fixed"};
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
  if (options.rounding != "fit" && options.rounding != "nearest" &&
      options.rounding != "adaround")
    return Error{ExitCode::Usage, "unknown rounding '" + options.rounding +
                                      "'; there are nearest, fit and adaround"};
  if (options.inputBits != 8 && options.inputBits != 16)
    return Error{ExitCode::Usage, "inputs of " +
                                      std::to_string(options.inputBits) +
                                      " bits are not supported; choose 8 or "
                                      "16"};
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
  LayerBits layerBits(*entry, options);
  const NodeNames &names = layerBits.names;
  auto bitsOf = [&](Operation *op) { return layerBits.ofWeights(op); };
  BufferedSamples source(samples);
  std::optional<std::pair<double, int>> equalization;
  if (options.equalize) {
    if (Status status = source.fill(*entry); !status)
      return status;
    equalization = options.table.equalization;
    if (!equalization) {
      auto share =
          EqualizationChoice(module, source.buffered(), options).choose();
      if (!share)
        return share.takeError();
      equalization.emplace(*share, options.weightBits);
    }
    auto done =
        equalize(module, *entry, source.buffered(), equalization->second,
                 equalization->first, options.threads);
    if (!done)
      return done.takeError();
  }
  RangePlan plan(*entry, options.rowRanges,
                 [&](Operation *op) { return layerBits.isWide(op); });
  if (Status status = checkTable(options.table, *entry, plan, names); !status)
    return status;
  Statistics statistics;
  if (Status status =
          statistics.collect(module, *entry, source, options.threads, plan);
      !status)
    return status;
  plan.choose(statistics.histograms, options.method);
  QuantizationTable table;
  table.equalization = equalization;
  for (Value value : plan.representatives()) {
    std::string name = names.of(value);
    auto given = options.table.ranges.find(name);
    if (given != options.table.ranges.end())
      plan.setRange(value, given->second.first, given->second.second);
    table.ranges[name] = {plan.range(value).low(), plan.range(value).high()};
  }
  warnOfSamples(*entry, statistics, plan, names);
  warnOfChannels(*entry);
  LayerReports reports;
  if (report)
    reports.plan(*entry, plan, statistics, options, names);
  OwningOpRef<ModuleOp> real = module.clone();
  Inserter inserter(*entry, plan, bitsOf);
  inserter.run();
  std::vector<WeightedLayer> &layers = inserter.layers;
  warnOfBiases(layers, names);
  Fitter fitter(module, real.get(), layers, statistics, options);
  std::vector<BitDecision> decisions(layers.size());
  std::vector<bool> isOpen(layers.size(), false);
  for (auto [i, layer] : llvm::enumerate(layers)) {
    decisions[i].bits = layer.bits();
    bool isGiven = options.table.bits.count(names.of(layer.operation()));
    isOpen[i] = options.search && !isGiven;
    if (isGiven)
      decisions[i].why = "bits given";
  }
  Result<Fitted> fitted = fitter.fit(isOpen);
  if (!fitted)
    return fitted.takeError();
  if (options.search) {
    auto chosen = chooseBits(module, layers, fitted->around, fitted->narrow,
                             statistics, *options.search, options.threads);
    if (!chosen)
      return chosen.takeError();
    for (auto [i, layer] : llvm::enumerate(layers))
      if (isOpen[i]) {
        decisions[i] = (*chosen)[i];
        layer.setBits(decisions[i].bits);
      }
    isOpen.assign(layers.size(), false);
    if (fitted = fitter.fit(isOpen); !fitted)
      return fitted.takeError();
  }
  for (auto [layer, decision] : llvm::zip_equal(layers, decisions)) {
    std::string name = names.of(layer.operation());
    table.bits[name] = decision.bits;
    // Said of all layers, so that a table is right beside any --precision.
    table.inputBits[name] = plan.isWide(layer.operation()) ? 16 : 8;
    reports.setBits(name, decision);
  }
  if (!report)
    return {};
  report->samples = statistics.sampleCount();
  report->table = std::move(table);
  return reports.measure(module, real.get(), statistics, *report);
}

} // namespace cimc
