//===- Pacing.h - rows that rings hold at a period --------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In steady state every stream makes a row of its result once in a period over
// its rows. What a row waits for, from when its place in a ring is taken to
// when its last reader is finished with it, says how many rows the ring holds
// at once; with fewer, producer and consumer take turns. Where branches of
// different lengths meet, it is the short one that has to wait.
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_MAPPING_PACING_H
#define CIMC_LIB_MAPPING_PACING_H

#include "Load.h"

#include <functional>

namespace cimc::mapping {

/// Notes on every operation how many rows of its operands should be kept
/// (cim::kRingsAttrName) for a sample every `periodNs`, and `slack` rows more,
/// which may be a part of one. `rowNs`: the time an
/// operation works on one row of its result.
void planRings(mlir::func::FuncOp function, const LoadModel &model,
               double slack, double periodNs,
               llvm::function_ref<double(mlir::Operation *)> rowNs);

} // namespace cimc::mapping

#endif // CIMC_LIB_MAPPING_PACING_H
