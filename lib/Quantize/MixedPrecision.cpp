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
  Search(const BitChoices &choices, const Statistics &statistics,
         const BitSearch &search, unsigned threads)
      : choices(choices), layers(choices.base.layers), statistics(statistics),
        search(search), threads(threads),
        builder(choices.base.module->getContext()), decisions(layers.size()),
        isWide(layers.size(), false) {}

  Result<std::vector<BitDecision>> run() {
    bool isLimited = search.maxDropDb || search.minCosine;
    if (Status status = measureWeights(); !status)
      return status.takeError();
    if (isLimited && !isWithin(reference))
      if (Status status = widenInputs(); !status)
        return status.takeError();
    for (size_t i : open)
      items.push_back({decisions[i].saved * reads(i), harms[i]});
    if (search.countsReads)
      if (Status status = measureInputs(); !status)
        return status.takeError();
    Knapsack knapsack(items);
    Result<int64_t> capacity =
        isLimited ? leastWithin(knapsack) : dearestThatFits(knapsack);
    if (!capacity)
      return capacity.takeError();
    std::vector<bool> keep = knapsack.choose(*capacity);
    for (size_t k = 0; k < open.size(); ++k)
      decide(decisions[open[k]], keep[k]);
    std::vector<bool> widened = widenedBy(keep);
    for (size_t i = 0; i < layers.size(); ++i)
      if (widened[i])
        decisions[i].inputBits = 16;
    return std::move(decisions);
  }

private:
  /// How often each weight's share of the cost counts.
  int64_t reads(size_t i) const { return search.countsReads ? vectors(i) : 1; }
  /// How many vectors a layer's weights are multiplied with.
  int64_t vectors(size_t i) const {
    auto type = cast<ShapedType>(layers[i].operation()->getResult(0).getType());
    return std::max<int64_t>(1, type.getNumElements() /
                                    layers[i].matrix()->allColumns());
  }

  Status measureWeights() {
    for (size_t i = 0; i < layers.size(); ++i)
      layers[i].install(builder, choices.wide[i]);
    auto results = evaluateHeld(*choices.base.module, statistics, threads);
    if (!results)
      return results.takeError();
    before = std::move(*results);
    reference = outputAgreement(before, statistics.heldResults);
    harms.assign(layers.size(), 0.0);
    for (size_t i = 0; i < layers.size(); ++i) {
      BitDecision &decision = decisions[i];
      if (!choices.narrow[i]) {
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
      layers[i].install(builder, *choices.narrow[i]);
      auto move = moved(*choices.base.module);
      if (!move)
        return move.takeError();
      layers[i].install(builder, choices.wide[i]);
      decision.dropDb = -move->gainDb;
      harms[i] = move->distance;
      open.push_back(i);
    }
    return {};
  }

  /// How far a network's outputs are from those of `base` with wide weights.
  struct Move {
    double distance = 0, gainDb = 0;
  };
  Result<Move> moved(ModuleOp module) {
    auto after = evaluateHeld(module, statistics, threads);
    if (!after)
      return after.takeError();
    Move move;
    for (double one : judgedNoise(*after, before))
      move.distance += one;
    move.gainDb = outputAgreement(*after, statistics.heldResults).sqnrDb() -
                  reference.sqnrDb();
    return move;
  }

  /// Adds an item for each tensor that may have 16 bits: what the second pass
  /// over the inputs costs, of weights that are wide.
  Status measureInputs() {
    for (size_t t = 0; t < choices.inputs.size(); ++t) {
      std::vector<bool> widened(layers.size(), false);
      KnapsackItem item;
      for (size_t i : choices.inputs[t]) {
        widened[i] = true;
        if (const std::optional<nn::WeightMatrix> &matrix = layers[i].matrix())
          item.size += vectors(i) * search.cost(*matrix, kWideBits);
      }
      auto module = install(widened, {});
      if (!module)
        return module.takeError();
      auto move = moved(*module);
      if (!move)
        return move.takeError();
      item.value = move->distance;
      for (size_t i : choices.inputs[t])
        decisions[i].inputGainDb = move->gainDb;
      items.push_back(item);
      inputItems.push_back(t);
    }
    return {};
  }

  /// The inputs that have 16 bits where these items are taken.
  std::vector<bool> widenedBy(const std::vector<bool> &keep) const {
    std::vector<bool> widened = isWide;
    size_t first = items.size() - inputItems.size();
    for (size_t k = 0; k < inputItems.size(); ++k)
      if (keep[first + k])
        for (size_t i : choices.inputs[inputItems[k]])
          widened[i] = true;
    return widened;
  }

  /// A network with these inputs of 16 bits, and narrow weights in these
  /// layers.
  Result<ModuleOp> install(const std::vector<bool> &widened,
                           const std::vector<size_t> &narrow) {
    QuantizedCopy *target = &choices.base;
    if (llvm::is_contained(widened, true)) {
      if (widened != currentlyWide) {
        auto copy = choices.copy(widened);
        if (!copy)
          return copy.takeError();
        current = std::move(*copy);
        currentlyWide = widened;
      }
      target = &current;
    }
    for (size_t i = 0; i < layers.size(); ++i) {
      bool isNarrow = llvm::is_contained(narrow, i);
      WeightedLayer &layer = target->layers[i];
      layer.install(builder, layer.adapt(isNarrow ? *choices.narrow[i]
                                                  : choices.wide[i]));
    }
    return *target->module;
  }
  Result<ModuleOp> install(const std::vector<bool> &keep) {
    std::vector<size_t> narrow;
    for (size_t k = 0; k < openItems(); ++k)
      if (!keep[k])
        narrow.push_back(open[k]);
    return install(widenedBy(keep), narrow);
  }
  /// Items that are weights come first; none where only inputs are chosen.
  size_t openItems() const { return items.size() - inputItems.size(); }

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
      Result<ModuleOp> module = install(keep);
      if (!module)
        return module.takeError();
      Result<bool> result = holds(*module);
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
    Result<ModuleOp> all = install(knapsack.choose(knapsack.capacity()));
    if (!all)
      return all.takeError();
    Status last = search.fits(*all);
    if (last)
      return knapsack.capacity();
    if (last.error().code != ExitCode::DoesNotFit)
      return last.takeError();
    // The first that does not fit.
    Result<int64_t> first =
        leastThat(knapsack, [&](ModuleOp module) -> Result<bool> {
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

  /// The fewest reads of arrays more for which wide weights are within the
  /// limits.
  Status widenInputs() {
    Agreement best = reference;
    if (Status status = measureInputs(); !status)
      return status;
    if (!items.empty()) {
      auto all = agreement(install(std::vector<bool>(items.size(), true)));
      if (!all)
        return all.takeError();
      best = *all;
    }
    if (!isWithin(best))
      return Error{
          ExitCode::AccuracyMissed,
          llvm::formatv("with 8-bit weights{0} everywhere the cosine between "
                        "the outputs and the float network's is {1:F6}, less "
                        "than the {2:F6} asked for; allow less, or give more "
                        "or other calibration samples",
                        items.empty() ? "" : " and 16-bit inputs",
                        best.cosine(), *search.minCosine)
              .str()};
    Knapsack knapsack(items);
    Result<int64_t> capacity = leastWithin(knapsack);
    if (!capacity)
      return capacity.takeError();
    isWide = widenedBy(knapsack.choose(*capacity));
    items.clear();
    inputItems.clear();
    return {};
  }

  Result<int64_t> leastWithin(const Knapsack &knapsack) {
    return leastThat(knapsack, [&](ModuleOp module) -> Result<bool> {
      auto measured = agreement(module);
      if (!measured)
        return measured.takeError();
      return isWithin(*measured);
    });
  }

  Result<Agreement> agreement(Result<ModuleOp> module) {
    if (!module)
      return module.takeError();
    auto results = evaluateHeld(*module, statistics, threads);
    if (!results)
      return results.takeError();
    return outputAgreement(*results, statistics.heldResults);
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

  const BitChoices &choices;
  std::vector<WeightedLayer> &layers;
  const Statistics &statistics;
  const BitSearch &search;
  unsigned threads;
  OpBuilder builder;
  std::vector<BitDecision> decisions;
  /// What 8-bit weights and 8-bit inputs give.
  std::vector<Results> before;
  Agreement reference;
  std::vector<double> harms;
  /// Layers with a choice of weights.
  std::vector<size_t> open;
  /// By layer: 16 bits whatever else is chosen.
  std::vector<bool> isWide;
  /// Weights to keep wide, in the order of `open`, then inputs to make so.
  std::vector<KnapsackItem> items;
  std::vector<size_t> inputItems;
  /// The copy with inputs of 16 bits that was asked for last.
  QuantizedCopy current;
  std::vector<bool> currentlyWide;
};

} // namespace

Result<std::vector<BitDecision>> chooseBits(const BitChoices &choices,
                                            const Statistics &statistics,
                                            const BitSearch &search,
                                            unsigned threads) {
  return Search(choices, statistics, search, threads).run();
}

} // namespace cimc::quantization
