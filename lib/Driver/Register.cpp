//===- Register.cpp - every dialect and pass ------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Register.h"

#include "CIM/CIM.h"
#include "ISA/ISA.h"
#include "NN/NN.h"
#include "Sched/Sched.h"
#include "cimc/Codegen/Passes.h"
#include "cimc/Mapping/Passes.h"
#include "cimc/Quantize/Passes.h"
#include "cimc/Scheduling/Passes.h"
#include "cimc/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Transforms/Passes.h"

#include <mutex>

void cimc::registerAllCimc(mlir::DialectRegistry &registry) {
  registry
      .insert<mlir::func::FuncDialect, mlir::quant::QuantDialect, nn::NNDialect,
              cim::CIMDialect, sched::SchedDialect, isa::ISADialect>();
}

void cimc::registerAllCimcPasses() {
  static std::once_flag once;
  std::call_once(once, [] {
    mlir::registerTransformsPasses();
    registerTransformsPasses();
    registerQuantizePasses();
    registerMappingPasses();
    registerSchedulingPasses();
    registerCodegenPasses();
  });
}
