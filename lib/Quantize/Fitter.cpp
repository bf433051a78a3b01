//===- Fitter.cpp - weights and biases of all layers ----------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fitter.h"

#include "Constants.h"
#include "MixedPrecision.h"
#include "RefineLayers.h"

#include "cimc/Reference/Evaluator.h"

using namespace mlir;

namespace cimc::quantization {

namespace {

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
correctBiases(func::FuncOp entry, const std::vector<WeightedLayer> &layers,
              const std::vector<LayerConstants> &nearest,
              const Statistics &statistics) {
  std::vector<LayerConstants> corrected = nearest;
  std::vector<Operation *> products = productsOf(entry);
  for (size_t i = 0; i < layers.size(); ++i) {
    std::vector<float> bias = layers[i].bias();
    std::vector<double> shift = meanShift(
        layers[i], nearest[i],
        statistics.inputMeans(llvm::find(products, layers[i].operation()) -
                              products.begin()));
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

} // namespace

Result<Fitted> Fitter::fit(const std::vector<bool> &isNarrowWanted) {
  std::vector<LayerConstants> nearest;
  bool isSearch = false, isNarrow = false;
  for (auto [i, layer] : llvm::enumerate(layers)) {
    nearest.push_back(layer.nearest(layer.bits()));
    isSearch |= isNarrowWanted[i];
    isNarrow |= layer.bits() < kWideBits;
  }
  std::vector<std::vector<LayerConstants>> choices = {nearest};
  if (options.biasCorrection)
    choices.push_back(
        correctBiases(*findEntry(module), layers, nearest, statistics));
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
    // Of single layers nothing says which objective is better for the whole:
    // narrow ones have the slow one where it was asked for.
    for (bool behindFunctions : {false, true}) {
      if (behindFunctions && options.rounding != "adaround")
        continue;
      install(nearest);
      auto refined = refineLayers(*findEntry(module), *findEntry(real), layers,
                                  nearest, isNarrowWanted, statistics,
                                  behindFunctions, options.threads);
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
  }
  Result<size_t> best = nearestOutputs(choices);
  if (!best)
    return best.takeError();
  install(choices[*best]);
  return result;
}

void Fitter::install(const std::vector<LayerConstants> &constants) {
  OpBuilder builder(module.getContext());
  for (auto [layer, chosen] : llvm::zip_equal(layers, constants))
    layer.install(builder, chosen);
}

Result<size_t> Fitter::nearestOutputs(
    const std::vector<std::vector<LayerConstants>> &choices) {
  size_t best = 0;
  double least = 0;
  for (size_t choice = 0; choice < choices.size() && choices.size() > 1;
       ++choice) {
    install(choices[choice]);
    auto results = evaluateHeld(module, statistics, options.threads);
    if (!results)
      return results.takeError();
    double sum = 0;
    for (double noise : judgedNoise(*results, statistics.heldResults))
      sum += noise;
    if (choice == 0 || sum < least) {
      best = choice;
      least = sum;
    }
  }
  return best;
}

} // namespace cimc::quantization
