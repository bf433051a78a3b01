//===- MixedPrecision.cpp - bits for each layer ---------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MixedPrecision.h"

#include "Constants.h"

#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace cimc::quantization {

Knapsack::Knapsack(const std::vector<KnapsackItem> &items) {
  constexpr int64_t mostUnits = 1 << 15;
  int64_t sum = 0;
  for (const KnapsackItem &item : items)
    sum += item.size;
  int64_t unit = std::max<int64_t>(1, (sum + mostUnits - 1) / mostUnits);
  for (const KnapsackItem &item : items) {
    sizes.push_back((item.size + unit - 1) / unit);
    total += sizes.back();
  }
  std::vector<double> best(total + 1, 0.0);
  for (size_t i = 0; i < items.size(); ++i) {
    taken.emplace_back(total + 1, false);
    for (int64_t c = total; c >= sizes[i]; --c) {
      double with = best[c - sizes[i]] + items[i].value;
      if (with <= best[c])
        continue;
      best[c] = with;
      taken[i][c] = true;
    }
  }
}

std::vector<bool> Knapsack::choose(int64_t capacity) const {
  std::vector<bool> chosen(sizes.size(), false);
  for (size_t i = sizes.size(); i-- > 0;)
    if (taken[i][capacity]) {
      chosen[i] = true;
      capacity -= sizes[i];
    }
  return chosen;
}

namespace {

class Search {
public:
  Search(ModuleOp module, std::vector<WeightedLayer> &layers,
         const std::vector<LayerConstants> &wide,
         const std::vector<std::optional<LayerConstants>> &narrow,
         const Statistics &statistics, const BitSearch &search,
         unsigned threads)
      : module(module), layers(layers), wide(wide), narrow(narrow),
        statistics(statistics), search(search), threads(threads),
        builder(module.getContext()), decisions(layers.size()) {}

  Result<std::vector<BitDecision>> run() {
    if (Status status = measureLayers(); !status)
      return status.takeError();
    std::vector<KnapsackItem> items;
    for (size_t i : open)
      items.push_back({decisions[i].saved * reads(layers[i]), harms[i]});
    Knapsack knapsack(items);
    Result<int64_t> capacity = search.maxDropDb || search.minCosine
                                   ? cheapestWithin(knapsack)
                                   : dearestThatFits(knapsack);
    if (!capacity)
      return capacity.takeError();
    std::vector<bool> keep = knapsack.choose(*capacity);
    for (size_t k = 0; k < open.size(); ++k)
      decide(decisions[open[k]], keep[k]);
    return std::move(decisions);
  }

private:
  /// How often each weight's share of the cost counts.
  int64_t reads(const WeightedLayer &layer) const {
    if (!search.countsReads)
      return 1;
    auto type = cast<ShapedType>(layer.operation()->getResult(0).getType());
    return std::max<int64_t>(1, type.getNumElements() /
                                    layer.matrix()->allColumns());
  }

  Status measureLayers() {
    for (size_t i = 0; i < layers.size(); ++i)
      layers[i].install(builder, wide[i]);
    auto before = evaluateHeld(module, statistics, threads);
    if (!before)
      return before.takeError();
    reference = outputAgreement(*before, statistics.heldResults);
    harms.assign(layers.size(), 0.0);
    for (size_t i = 0; i < layers.size(); ++i) {
      BitDecision &decision = decisions[i];
      if (!narrow[i]) {
        decision.why = "bits given";
        continue;
      }
      if (const std::optional<nn::WeightMatrix> &matrix = layers[i].matrix())
        decision.saved =
            search.cost(*matrix, kWideBits) - search.cost(*matrix, kNarrowBits);
      if (decision.saved <= 0) {
        decision.saved = 0;
        decision.why = "4 bits would save nothing";
        continue;
      }
      layers[i].install(builder, *narrow[i]);
      auto after = evaluateHeld(module, statistics, threads);
      if (!after)
        return after.takeError();
      layers[i].install(builder, wide[i]);
      decision.dropDb =
          reference.sqnrDb() -
          outputAgreement(*after, statistics.heldResults).sqnrDb();
      for (double moved : judgedNoise(*after, *before))
        harms[i] += moved;
      open.push_back(i);
    }
    return {};
  }

  void install(const std::vector<bool> &keep) {
    for (size_t k = 0; k < open.size(); ++k)
      layers[open[k]].install(builder,
                              keep[k] ? wide[open[k]] : *narrow[open[k]]);
  }

  /// The end of [0, capacity] behind which `holds` is as it is at the capacity
  /// itself: the least value that holds if `holds` is false below it. Each
  /// network is asked for once.
  template <typename F>
  Result<int64_t> leastThat(const Knapsack &knapsack, F holds) {
    int64_t low = 0, high = knapsack.capacity();
    std::vector<bool> atHigh = knapsack.choose(high);
    while (low < high) {
      int64_t middle = low + (high - low) / 2;
      std::vector<bool> keep = knapsack.choose(middle);
      if (keep == atHigh) {
        high = middle;
        continue;
      }
      install(keep);
      Result<bool> result = holds();
      if (!result)
        return result.takeError();
      if (*result) {
        high = middle;
        atHigh = std::move(keep);
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  Result<int64_t> dearestThatFits(const Knapsack &knapsack) {
    Status last = search.fits(module);
    if (last)
      return knapsack.capacity();
    if (last.error().code != ExitCode::DoesNotFit)
      return last.takeError();
    // The first that does not fit.
    Result<int64_t> first = leastThat(knapsack, [&]() -> Result<bool> {
      Status fits = search.fits(module);
      if (fits)
        return false;
      last = std::move(fits);
      if (last.error().code != ExitCode::DoesNotFit)
        return last.takeError();
      return true;
    });
    if (!first)
      return first.takeError();
    if (*first == 0)
      return Error{ExitCode::DoesNotFit,
                   "with 4-bit weights wherever they save something: " +
                       last.error().message};
    return *first - 1;
  }

  Result<int64_t> cheapestWithin(const Knapsack &knapsack) {
    if (!isWithin(reference))
      return Error{
          ExitCode::AccuracyMissed,
          llvm::formatv("with 8-bit weights everywhere the cosine between the "
                        "outputs and the float network's is {0:F5}, less than "
                        "the {1:F5} asked for; allow less, or give more or "
                        "other calibration samples",
                        reference.cosine(), *search.minCosine)
              .str()};
    return leastThat(knapsack, [&]() -> Result<bool> {
      auto results = evaluateHeld(module, statistics, threads);
      if (!results)
        return results.takeError();
      return isWithin(outputAgreement(*results, statistics.heldResults));
    });
  }

  bool isWithin(const Agreement &agreement) const {
    return (!search.maxDropDb ||
            reference.sqnrDb() - agreement.sqnrDb() <= *search.maxDropDb) &&
           (!search.minCosine || agreement.cosine() >= *search.minCosine);
  }

  static void decide(BitDecision &decision, bool isKept) {
    decision.bits = isKept ? kWideBits : kNarrowBits;
    decision.why = llvm::formatv("4 bits cost {0:F2} dB, save {1} row groups",
                                 *decision.dropDb, decision.saved)
                       .str();
  }

  ModuleOp module;
  std::vector<WeightedLayer> &layers;
  const std::vector<LayerConstants> &wide;
  const std::vector<std::optional<LayerConstants>> &narrow;
  const Statistics &statistics;
  const BitSearch &search;
  unsigned threads;
  OpBuilder builder;
  std::vector<BitDecision> decisions;
  std::vector<double> harms;
  /// Layers with something to choose.
  std::vector<size_t> open;
  /// With 8 bits everywhere.
  Agreement reference;
};

} // namespace

Result<std::vector<BitDecision>>
chooseBits(ModuleOp module, std::vector<WeightedLayer> &layers,
           const std::vector<LayerConstants> &wide,
           const std::vector<std::optional<LayerConstants>> &narrow,
           const Statistics &statistics, const BitSearch &search,
           unsigned threads) {
  return Search(module, layers, wide, narrow, statistics, search, threads)
      .run();
}

} // namespace cimc::quantization
