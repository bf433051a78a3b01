//===- Warnings.h - what makes quantized networks wrong ---------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_QUANTIZE_WARNINGS_H
#define CIMC_LIB_QUANTIZE_WARNINGS_H

#include "Calibration.h"
#include "Constants.h"
#include "WeightedLayer.h"

namespace cimc::quantization {

/// Output channels of a convolution or matrix product whose weights are all
/// zero.
int64_t deadChannels(mlir::Operation *op);

/// Warnings that follow from the samples: too few of them; inputs whose later
/// samples leave the range of the earlier ones; functions at their limits, as
/// where inputs are scaled otherwise than the model was trained for; masks that
/// lie in a range with numbers.
void warnOfSamples(mlir::func::FuncOp entry, const Statistics &statistics,
                   const RangePlan &plan, const NodeNames &names);

/// Warnings of weighted operations with output channels of zeros only.
void warnOfChannels(mlir::func::FuncOp entry);

/// Warnings of layers whose biases are too large for their weights' scales
/// (rule R7).
void warnOfBiases(const std::vector<WeightedLayer> &layers,
                  const NodeNames &names);

} // namespace cimc::quantization

#endif // CIMC_LIB_QUANTIZE_WARNINGS_H
