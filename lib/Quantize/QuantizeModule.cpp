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
#include "PairInsertion.h"
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
    auto layers = insertPairs(*entry, plan, bits);
    Fitter fitter(*copy, *real, layers, statistics, options);
    auto fitted = fitter.fit(std::vector<bool>(layers.size(), false));
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

/// Lets the search choose bits on copies of the float network. Returns what it
/// decided, by the names of layers.
Result<std::map<std::string, BitDecision>>
searchBits(ModuleOp module, const Statistics &statistics,
           const QuantizeOptions &options) {
  std::vector<std::string> names;
  // A copy in which the inputs of these layers have 16 bits.
  auto quantizedCopy =
      [&](const std::vector<bool> &isWide) -> Result<QuantizedCopy> {
    QuantizedCopy copy;
    copy.module = module.clone();
    auto entry = findEntry(*copy.module);
    if (!entry)
      return entry.takeError();
    QuantizeOptions widened = options;
    for (size_t i = 0; i < isWide.size(); ++i)
      if (isWide[i])
        widened.table.inputBits[names[i]] = 16;
    LayerBits bits(*entry, widened);
    RangePlan plan = chooseRanges(*entry, bits, statistics, widened);
    copy.layers = insertPairs(*entry, plan, bits);
    std::vector<std::string> layers;
    for (const WeightedLayer &layer : copy.layers)
      layers.push_back(bits.names.of(layer.operation()));
    if (names.empty())
      names = std::move(layers);
    else if (names != layers)
      return Error{ExitCode::Internal,
                   "other layers have integers where inputs have 16 bits"};
    return copy;
  };
  auto base = quantizedCopy({});
  if (!base)
    return base.takeError();
  std::vector<bool> isOpen;
  for (const std::string &name : names)
    isOpen.push_back(!options.table.bits.count(name));
  Fitter fitter(*base->module, module, base->layers, statistics, options);
  Result<Fitted> fitted = fitter.fit(isOpen);
  if (!fitted)
    return fitted.takeError();
  // The tensors whose 8 bits can become 16, by the layers that read them.
  auto entry = findEntry(module);
  LayerBits bits(*entry, options);
  RangePlan plan(*entry, options.rowRanges,
                 [&](Operation *op) { return bits.isWide(op); });
  std::map<std::string, std::vector<size_t>> readers;
  for (Operation &op : entry->front()) {
    auto at = llvm::find(names, bits.names.of(&op));
    if (at == names.end() || !canTakeRanges(&op) || plan.isWide(&op) ||
        !plan.isQuantized(op.getOperand(0)) ||
        options.table.inputBits.count(*at))
      continue;
    readers[bits.names.of(plan.representative(op.getOperand(0)))].push_back(
        at - names.begin());
  }
  std::vector<std::vector<size_t>> inputs;
  for (auto &[name, layers] : readers)
    inputs.push_back(std::move(layers));
  BitChoices choices{*base, quantizedCopy, inputs, fitted->around,
                     fitted->narrow};
  auto decided =
      chooseBits(choices, statistics, *options.search, options.threads);
  if (!decided)
    return decided.takeError();
  std::map<std::string, BitDecision> result;
  for (size_t i = 0; i < names.size(); ++i) {
    if (!isOpen[i])
      (*decided)[i].bits = base->layers[i].bits();
    result[names[i]] = (*decided)[i];
  }
  return result;
}

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
  QuantizeOptions chosen = options;
  LayerBits layerBits(*entry, chosen);
  const NodeNames &names = layerBits.names;
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
  RangePlan observed(*entry, options.rowRanges,
                     [&](Operation *op) { return layerBits.isWide(op); });
  if (Status status = checkTable(options.table, *entry, observed, names);
      !status)
    return status;
  Statistics statistics;
  if (Status status =
          statistics.collect(module, *entry, source, options.threads, observed);
      !status)
    return status;
  std::map<std::string, BitDecision> decisions;
  if (options.search) {
    auto found = searchBits(module, statistics, options);
    if (!found)
      return found.takeError();
    decisions = std::move(*found);
    for (const auto &[name, decision] : decisions) {
      chosen.table.bits[name] = decision.bits;
      chosen.table.inputBits[name] = decision.inputBits;
    }
  }
  RangePlan plan = chooseRanges(*entry, layerBits, statistics, chosen);
  QuantizationTable table;
  table.equalization = equalization;
  for (Value value : plan.representatives())
    table.ranges[names.of(value)] = {plan.range(value).low(),
                                     plan.range(value).high()};
  warnOfSamples(*entry, statistics, plan, names);
  warnOfChannels(*entry);
  LayerReports reports;
  if (report)
    reports.plan(*entry, plan, statistics, options, names);
  OwningOpRef<ModuleOp> real = module.clone();
  std::vector<WeightedLayer> layers = insertPairs(*entry, plan, layerBits);
  warnOfBiases(layers, names);
  Fitter fitter(module, real.get(), layers, statistics, options);
  auto fitted = fitter.fit(std::vector<bool>(layers.size(), false));
  if (!fitted)
    return fitted.takeError();
  for (const WeightedLayer &layer : layers) {
    std::string name = names.of(layer.operation());
    BitDecision decision;
    decision.bits = layer.bits();
    if (options.table.bits.count(name))
      decision.why = "bits given";
    if (auto found = decisions.find(name); found != decisions.end())
      decision = found->second;
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
