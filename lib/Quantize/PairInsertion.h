//===- PairInsertion.h - pairs around float operations ----------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_QUANTIZE_PAIRINSERTION_H
#define CIMC_LIB_QUANTIZE_PAIRINSERTION_H

#include "Calibration.h"
#include "Constants.h"
#include "RangePlan.h"
#include "WeightedLayer.h"

#include <map>
#include <string>
#include <vector>

namespace cimc::quantization {

/// The bits of layers, by their names in the table or for all.
class LayerBits {
public:
  LayerBits(mlir::func::FuncOp entry, const QuantizeOptions &options)
      : names(entry), options(options) {}

  int ofWeights(mlir::Operation *op) const {
    return find(options.table.bits, op, options.weightBits);
  }
  bool isWide(mlir::Operation *op) const {
    return find(options.table.inputBits, op, options.inputBits) == 16;
  }

  NodeNames names;

private:
  int find(const std::map<std::string, int> &given, mlir::Operation *op,
           int otherwise) const {
    auto it = given.find(names.of(op));
    return it == given.end() ? otherwise : it->second;
  }

  const QuantizeOptions &options;
};

/// The plan for a float network with these bits: ranges from the histograms of
/// any plan for the same network that quantizes as much, and from the table.
RangePlan chooseRanges(mlir::func::FuncOp entry, const LayerBits &bits,
                       const Statistics &statistics,
                       const QuantizeOptions &options);

/// Inserts quantize, dequantize pairs behind the values that the plan
/// quantizes, and makes weights and biases integers. Returns the layers whose
/// weights are integers now, the nearest, in order.
std::vector<WeightedLayer> insertPairs(mlir::func::FuncOp entry,
                                       const RangePlan &plan,
                                       const LayerBits &bits);

} // namespace cimc::quantization

#endif // CIMC_LIB_QUANTIZE_PAIRINSERTION_H
