//===- Register.h - every dialect and pass --------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DRIVER_REGISTER_H
#define CIMC_DRIVER_REGISTER_H

#include "mlir/IR/DialectRegistry.h"

namespace cimc {

/// The dialects of all four levels and those of MLIR that they use.
void registerAllCimc(mlir::DialectRegistry &registry);

/// The passes of all stations, and MLIR's own transformations.
void registerAllCimcPasses();

} // namespace cimc

#endif // CIMC_DRIVER_REGISTER_H
