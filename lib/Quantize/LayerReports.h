//===- LayerReports.h - what quantizing did to each layer -------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_QUANTIZE_LAYERREPORTS_H
#define CIMC_LIB_QUANTIZE_LAYERREPORTS_H

#include "Calibration.h"
#include "Constants.h"
#include "MixedPrecision.h"

namespace cimc::quantization {

/// The rows of a `QuantizeReport`.
class LayerReports {
public:
  /// What was decided; before pairs are inserted.
  void plan(mlir::func::FuncOp entry, const RangePlan &plan,
            const Statistics &statistics, const QuantizeOptions &options,
            const NodeNames &names);
  /// What was decided about the weights of one layer.
  void setBits(const std::string &name, const BitDecision &decision);
  /// Compares the results of all weighted operations of the network with those
  /// of the float network `real` on the samples held out.
  Status measure(mlir::ModuleOp module, mlir::ModuleOp real,
                 const Statistics &statistics, QuantizeReport &report);

private:
  std::vector<QuantizedLayer> layers;
};

} // namespace cimc::quantization

#endif // CIMC_LIB_QUANTIZE_LAYERREPORTS_H
