//===- Chip.h - the chip that a pass maps onto -----------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_MAPPING_CHIP_H
#define CIMC_LIB_MAPPING_CHIP_H

#include "cimc/Target/ChipSpec.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

#include <string>

namespace cimc::mapping {

/// A module's chip. One that names none is bound to `chip` first, a preset or a
/// chip file; with "" that is an error, which is emitted.
mlir::FailureOr<ChipSpec> bindChip(mlir::ModuleOp module,
                                   const std::string &chip);

} // namespace cimc::mapping

#endif // CIMC_LIB_MAPPING_CHIP_H
