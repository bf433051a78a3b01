//===- RefineLayers.h - weights chosen by what they compute -----*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_QUANTIZE_REFINELAYERS_H
#define CIMC_LIB_QUANTIZE_REFINELAYERS_H

#include "Calibration.h"
#include "MixedPrecision.h"
#include "WeightedLayer.h"

namespace cimc::quantization {

/// What one layer's weights and bias became.
struct RefinedLayer {
  LayerConstants plain, corrected;
  /// Corrected ones of `kNarrowBits`, where asked for.
  std::optional<LayerConstants> narrow;
};

/// Walks over the layers of a network with pairs in it, in order. Each layer
/// sees the inputs that the quantized network before it gives on the samples
/// kept in `statistics`, and is to give what the float network `real` gives
/// there; its integers and scales are chosen by `RoundingProblem`, and its bias
/// then moves so that every output channel keeps the mean it has in the float
/// network ("corrected"; "plain" is the float bias, rounded). The corrected
/// constants are left installed. `behindFunctions`: what matters is what is
/// left of errors behind the relu or clip that follows, AdaRound's objective,
/// which takes a moment matrix for each output channel. `isNarrowWanted`, by
/// layer, asks for what the layer would be with fewer bits between layers as
/// they are.
///
/// Layers whose products are not one matrix for all samples (two activations,
/// transposed or batched operands) keep the constants given in `layers`.
Result<std::vector<RefinedLayer>>
refineLayers(mlir::func::FuncOp entry, mlir::func::FuncOp real,
             std::vector<WeightedLayer> &layers,
             const std::vector<LayerConstants> &nearest,
             const std::vector<bool> &isNarrowWanted,
             const Statistics &statistics, bool behindFunctions,
             unsigned threads);

} // namespace cimc::quantization

#endif // CIMC_LIB_QUANTIZE_REFINELAYERS_H
