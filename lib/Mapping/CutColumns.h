//===- CutColumns.h - a layer as several with fewer columns -----*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_MAPPING_CUTCOLUMNS_H
#define CIMC_LIB_MAPPING_CUTCOLUMNS_H

#include "NN/NN.h"

namespace cimc::mapping {

/// Replaces a weighted operation by several that make up to `columns` columns
/// of its matrix each, from pieces of its constants, and an `nn.concat` of
/// their results: the same numbers. False, and nothing changed, where its
/// constants cannot be cut (groups, weights of another layout).
bool cutColumns(nn::WeightMatrixOpInterface op, int64_t columns);

} // namespace cimc::mapping

#endif // CIMC_LIB_MAPPING_CUTCOLUMNS_H
