//===- MixedPrecision.h - bits for each layer -------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_QUANTIZE_MIXEDPRECISION_H
#define CIMC_LIB_QUANTIZE_MIXEDPRECISION_H

#include "Calibration.h"
#include "WeightedLayer.h"

namespace cimc::quantization {

/// The widths of weights to choose from.
constexpr int kNarrowBits = 4, kWideBits = 8;

/// Things of which some are taken: each has a size and a value.
struct KnapsackItem {
  int64_t size = 0;
  double value = 0;
};

/// The most valuable items within every capacity at once, exactly. Sizes are
/// counted in units such that all items together have at most 2^15, rounded up.
class Knapsack {
public:
  explicit Knapsack(const std::vector<KnapsackItem> &items);
  /// The capacity at which all items are taken, in units.
  int64_t capacity() const { return total; }
  /// Which items to take; of equal values the fewest units.
  std::vector<bool> choose(int64_t capacity) const;

private:
  std::vector<int64_t> sizes;
  int64_t total = 0;
  std::vector<std::vector<bool>> taken; ///< by item, then capacity
};

/// What was decided for one layer, and why.
struct BitDecision {
  int bits = kWideBits;
  /// How far the output's SQNR falls with narrow weights here alone; nothing
  /// where that was not asked.
  std::optional<double> dropDb;
  int64_t saved = 0;
  std::string why;
};

/// Chooses the bits of each layer. `narrow` has each layer's constants of 4
/// bits, fitted between those of `wide`, or none where its bits are given
/// already.
///
/// The harm of a narrow layer is the squared distance by which the values that
/// outputs are judged by move, on the samples held out, when it alone becomes
/// narrow; harms add up, as far as layers move outputs in different directions.
/// For every total cost the least harm is found by `Knapsack`, and of these
/// networks one is taken by trying: the dearest that fits, or the cheapest
/// whose measured outputs are within the limits. Leaves any constants
/// installed.
Result<std::vector<BitDecision>>
chooseBits(mlir::ModuleOp module, std::vector<WeightedLayer> &layers,
           const std::vector<LayerConstants> &wide,
           const std::vector<std::optional<LayerConstants>> &narrow,
           const Statistics &statistics, const BitSearch &search,
           unsigned threads);

} // namespace cimc::quantization

#endif // CIMC_LIB_QUANTIZE_MIXEDPRECISION_H
