//===- Fitter.h - weights and biases of all layers --------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_QUANTIZE_FITTER_H
#define CIMC_LIB_QUANTIZE_FITTER_H

#include "Calibration.h"
#include "WeightedLayer.h"

#include <optional>
#include <vector>

namespace cimc::quantization {

/// Of the layers for which that was asked, constants of `kNarrowBits`.
struct Fitted {
  std::vector<std::optional<LayerConstants>> narrow;
  /// Those of the network between whose layers the narrow ones were fitted.
  std::vector<LayerConstants> around;
};

/// Chooses weights and biases of all layers, with the bits that they have: of
/// several choices for all of them, the one whose outputs on the samples held
/// out are nearest to the float network's.
class Fitter {
public:
  /// `real` is the float network that `module` quantizes.
  Fitter(mlir::ModuleOp module, mlir::ModuleOp real,
         std::vector<WeightedLayer> &layers, const Statistics &statistics,
         const QuantizeOptions &options)
      : module(module), real(real), layers(layers), statistics(statistics),
        options(options) {}

  /// Leaves the choice installed. `isNarrowWanted`, by layer.
  Result<Fitted> fit(const std::vector<bool> &isNarrowWanted);

private:
  void install(const std::vector<LayerConstants> &constants);
  /// The first of equals.
  Result<size_t>
  nearestOutputs(const std::vector<std::vector<LayerConstants>> &choices);

  mlir::ModuleOp module, real;
  std::vector<WeightedLayer> &layers;
  const Statistics &statistics;
  const QuantizeOptions &options;
};

} // namespace cimc::quantization

#endif // CIMC_LIB_QUANTIZE_FITTER_H
