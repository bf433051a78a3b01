//===- LinkNames.h - names of the networks' links ---------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_TARGET_LINKNAMES_H
#define CIMC_TARGET_LINKNAMES_H

#include "cimc/Target/ChipSpec.h"

namespace cimc {

/// The name of a link that CostModel::route numbers: "core 5 out",
/// "chiplet 0 tile 3 east", "chiplet 1 edge south", "host in".
std::string linkName(const ChipSpec &chip, int64_t link);

} // namespace cimc

#endif // CIMC_TARGET_LINKNAMES_H
