//===- PartitionEstimate.h - what cutting a network would do ----*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_MAPPING_PARTITIONESTIMATE_H
#define CIMC_MAPPING_PARTITIONESTIMATE_H

#include "cimc/Target/ChipSpec.h"

#include "mlir/IR/BuiltinOps.h"

#include <cstdint>

namespace cimc {

/// A network's weights on the arrays of a chip, without copies.
struct PartitionEstimate {
  int64_t arrays = 0; ///< that all weights fill
  int64_t parts = 0;  ///< the fewest that fit; 0: an operation alone does not
  int64_t betweenBytes = 0; ///< values that go from part to part, a sample
};

/// Estimates what `nn-partition` would do with a network at the nn level;
/// `weightBits`: with weights of so many bits, 0 for those they have.
PartitionEstimate estimatePartition(mlir::ModuleOp module, const ChipSpec &chip,
                                    int64_t weightBits = 0);

} // namespace cimc

#endif // CIMC_MAPPING_PARTITIONESTIMATE_H
