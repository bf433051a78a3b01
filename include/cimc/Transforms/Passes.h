//===- Passes.h - passes on the nn level -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_TRANSFORMS_PASSES_H
#define CIMC_TRANSFORMS_PASSES_H

#include "NN/NN.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace cimc {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "cimc/Transforms/Passes.h.inc"
} // namespace cimc

#endif // CIMC_TRANSFORMS_PASSES_H
