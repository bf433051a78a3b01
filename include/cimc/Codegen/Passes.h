//===- Passes.h - passes of lib/Codegen -------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_CODEGEN_PASSES_H
#define CIMC_CODEGEN_PASSES_H

#include "ISA/ISA.h"
#include "Sched/Sched.h"

#include "mlir/Pass/Pass.h"

namespace cimc {

#define GEN_PASS_DECL
#include "cimc/Codegen/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "cimc/Codegen/Passes.h.inc"

} // namespace cimc

#endif // CIMC_CODEGEN_PASSES_H
