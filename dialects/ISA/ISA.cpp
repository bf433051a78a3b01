//===- ISA.cpp - the isa dialect -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ISA/ISA.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace cimc::isa;

#include "ISA/ISADialect.cpp.inc"

#define GET_OP_CLASSES
#include "ISA/ISAOps.cpp.inc"

void ISADialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "ISA/ISAOps.cpp.inc"
      >();
}
