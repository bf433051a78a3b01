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

#include "mlir/IR/OwningOpRef.h"

#include <functional>

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
  int inputBits = 8;
  /// How far the output's SQNR falls with narrow weights here alone, and how
  /// far it rises with 16 bits for the input alone; nothing where that was not
  /// asked.
  std::optional<double> dropDb, inputGainDb;
  int64_t saved = 0;
  std::string why;
};

/// A quantized copy of the network, and its layers.
struct QuantizedCopy {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<WeightedLayer> layers;
};

/// What there is to choose from.
struct BitChoices {
  /// With the bits of inputs that nobody has to choose.
  QuantizedCopy &base;
  /// A copy in which the inputs of some layers have 16 bits, with any
  /// constants; its layers are those of `base`.
  std::function<Result<QuantizedCopy>(const std::vector<bool> &isWide)> copy;
  /// Of each tensor of 8 bits that may have 16, the layers that read it.
  const std::vector<std::vector<size_t>> &inputs;
  /// The layers' constants, as fitted in `base`.
  const std::vector<LayerConstants> &wide;
  /// Those of 4 bits, fitted between the wide ones, or none where a layer's
  /// bits are given already.
  const std::vector<std::optional<LayerConstants>> &narrow;
};

/// Chooses the bits of each layer's weights and input.
///
/// The harm of a narrow layer, and of a tensor's 8 bits, is the squared
/// distance by which the values that outputs are judged by move, on the samples
/// held out, when it alone becomes narrow or 16 bits wide; harms add up, as far
/// as they move outputs in different directions. For every total cost the least
/// harm is found by `Knapsack`, and of these networks one is taken by trying:
/// the dearest that fits, or the cheapest whose measured outputs are within the
/// limits.
///
/// 16 bits for an input cost no arrays but time and energy. So they are a
/// choice where these are the budget; and where 8 bits for all weights and
/// inputs miss a limit, the fewest reads of arrays that reach it.
Result<std::vector<BitDecision>> chooseBits(const BitChoices &choices,
                                            const Statistics &statistics,
                                            const BitSearch &search,
                                            unsigned threads);

} // namespace cimc::quantization

#endif // CIMC_LIB_QUANTIZE_MIXEDPRECISION_H
