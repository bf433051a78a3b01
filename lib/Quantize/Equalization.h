//===- Equalization.h - scales moved between layers -------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_QUANTIZE_EQUALIZATION_H
#define CIMC_LIB_QUANTIZE_EQUALIZATION_H

#include "cimc/Support/HostTensor.h"
#include "cimc/Support/Status.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include <vector>

namespace cimc::quantization {

/// Multiplies channels of a tensor, and divides the weights that read them,
/// so that 8 bits for the whole tensor serve every channel: cross-layer
/// equalization (Nagel et al., "Data-Free Quantization", ICCV 2019) where the
/// tensor comes from a convolution or matrix product, SmoothQuant (Xiao et al.,
/// ICML 2023) where it comes from a normalization. The float network computes
/// the same, but for rounding.
///
/// Done where all readers of a tensor are convolutions or matrix products with
/// constant weights, and where relu, leaky relu, clip to [0, M] or a product
/// with another tensor at most stand between it and the constants that are
/// scaled. Channels that come near M stay as they are. No channel is raised to
/// more than a quarter of the range, for what other samples may show.
///
/// The factors of a tensor are `w^(1-a) / x^a` of a channel's largest weight w
/// and largest number x on `samples`; `a` is one of five, or nothing is done,
/// by the estimate of the noise that rounding weights (to `bits`) and
/// inputs (to 8 bits) adds to the readers' sums: it has to come below `share`
/// of what it was. An estimate is no measurement, so which share is right for a
/// network is found by measuring (QuantizeModule.cpp). Returns the number of
/// tensors.
Result<int64_t> equalize(mlir::ModuleOp module, mlir::func::FuncOp entry,
                         const std::vector<std::vector<HostTensor>> &samples,
                         int bits, double share, unsigned threads);

} // namespace cimc::quantization

#endif // CIMC_LIB_QUANTIZE_EQUALIZATION_H
