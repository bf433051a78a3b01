//===- Passes.h - passes of the mapping station -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_MAPPING_PASSES_H
#define CIMC_MAPPING_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

#include <memory>

namespace cimc {

#define GEN_PASS_DECL
#include "cimc/Mapping/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "cimc/Mapping/Passes.h.inc"

} // namespace cimc

#endif // CIMC_MAPPING_PASSES_H
