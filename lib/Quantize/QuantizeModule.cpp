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
#include "Fuse.h"
#include "LayerReports.h"
#include "MixedPrecision.h"
#include "RefineLayers.h"
#include "Warnings.h"

#include "cimc/Reference/Evaluator.h"

#include <algorithm>
#include <cmath>
#include <set>

using namespace mlir;
using namespace cimc::quantization;

namespace cimc {

namespace {

class Inserter {
public:
  Inserter(func::FuncOp entry, const RangePlan &plan,
           llvm::function_ref<int(Operation *)> bitsOf)
      : entry(entry), plan(plan), bitsOf(bitsOf), builder(entry.getContext()) {}

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
  llvm::function_ref<int(Operation *)> bitsOf;
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

/// Of the layers for which that was asked, constants of `kNarrowBits`.
struct Fitted {
  std::vector<std::optional<LayerConstants>> narrow;
  /// Those of the network between whose layers the narrow ones were fitted.
  std::vector<LayerConstants> around;
};

/// Chooses weights and biases of all layers, with the bits that they have.
class Fitter {
public:
  Fitter(ModuleOp module, ModuleOp real, std::vector<WeightedLayer> &layers,
         const Statistics &statistics, const QuantizeOptions &options)
      : module(module), real(real), layers(layers), statistics(statistics),
        options(options) {}

  Result<Fitted> fit(const std::vector<bool> &isNarrowWanted) {
    std::vector<LayerConstants> nearest;
    bool isSearch = false, isNarrow = false;
    for (auto [i, layer] : llvm::enumerate(layers)) {
      nearest.push_back(layer.nearest(layer.bits()));
      isSearch |= isNarrowWanted[i];
      isNarrow |= layer.bits() < kWideBits;
    }
    std::vector<std::vector<LayerConstants>> choices = {nearest};
    if (options.biasCorrection)
      choices.push_back(correctBiases(layers, nearest, statistics));
    Fitted result;
    result.narrow.resize(layers.size());
    // A handful of samples is learned by heart, and at 8 bits there is little
    // to gain.
    constexpr int64_t enoughToFit = 16;
    bool fits = options.rounding != "nearest" &&
                (isNarrow || statistics.sampleCount() >= enoughToFit);
    if (isSearch && options.rounding == "nearest") {
      result.around = nearest;
      for (auto [i, layer] : llvm::enumerate(layers))
        if (isNarrowWanted[i])
          result.narrow[i] = layer.nearest(kNarrowBits);
    } else if (fits || isSearch) {
      install(nearest);
      auto refined =
          refineLayers(*findEntry(module), *findEntry(real), layers, nearest,
                       isNarrowWanted, statistics, options.threads);
      if (!refined)
        return refined.takeError();
      std::vector<LayerConstants> plain, corrected;
      for (auto [i, layer] : llvm::enumerate(*refined)) {
        plain.push_back(layer.plain);
        corrected.push_back(layer.corrected);
        result.narrow[i] = layer.narrow;
      }
      if (fits)
        choices.push_back(plain);
      if (fits && options.biasCorrection)
        choices.push_back(corrected);
      result.around = std::move(corrected);
    }
    Result<size_t> best = nearestOutputs(choices);
    if (!best)
      return best.takeError();
    install(choices[*best]);
    return result;
  }

private:
  void install(const std::vector<LayerConstants> &constants) {
    OpBuilder builder(module.getContext());
    for (auto [layer, chosen] : llvm::zip_equal(layers, constants))
      layer.install(builder, chosen);
  }

  /// The choice whose outputs on the samples held out are nearest to the float
  /// network's; the first of equals.
  Result<size_t>
  nearestOutputs(const std::vector<std::vector<LayerConstants>> &choices) {
    size_t best = 0;
    double least = 0;
    for (size_t choice = 0; choice < choices.size() && choices.size() > 1;
         ++choice) {
      install(choices[choice]);
      auto agreement = outputAgreement(module, statistics, options.threads);
      if (!agreement)
        return agreement.takeError();
      if (choice == 0 || agreement->noise < least) {
        best = choice;
        least = agreement->noise;
      }
    }
    return best;
  }

  ModuleOp module, real;
  std::vector<WeightedLayer> &layers;
  const Statistics &statistics;
  const QuantizeOptions &options;
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
  if (options.rounding != "fit" && options.rounding != "nearest")
    return Error{ExitCode::Usage, "unknown rounding '" + options.rounding +
                                      "'; there are nearest and fit"};
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
  NodeNames names(*entry);
  auto bitsOf = [&](Operation *op) {
    auto given = options.table.bits.find(names.of(op));
    return given == options.table.bits.end() ? options.weightBits
                                             : given->second;
  };
  BufferedSamples source(samples);
  if (options.equalize) {
    if (Status status = source.fill(*entry); !status)
      return status;
    auto done =
        equalize(module, *entry, source.buffered(), bitsOf, options.threads);
    if (!done)
      return done.takeError();
  }
  auto isWide = [&](Operation *op) {
    auto given = options.table.inputBits.find(names.of(op));
    return (given == options.table.inputBits.end() ? options.inputBits
                                                   : given->second) == 16;
  };
  RangePlan plan(*entry, options.rowRanges, isWide);
  if (Status status = checkTable(options.table, *entry, plan, names); !status)
    return status;
  Statistics statistics;
  if (Status status =
          statistics.collect(module, *entry, source, options.threads, plan);
      !status)
    return status;
  plan.choose(statistics.histograms, options.method);
  QuantizationTable table;
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
