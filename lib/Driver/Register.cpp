//===- Register.cpp - every dialect and pass ------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Register.h"

#ifdef CIMC_WITH_NN
#include "NN/NN.h"
#endif
#ifdef CIMC_WITH_CIM
#include "CIM/CIM.h"
#endif
#ifdef CIMC_WITH_SCHED
#include "Sched/Sched.h"
#endif
#ifdef CIMC_WITH_ISA
#include "ISA/ISA.h"
#endif
#ifdef CIMC_WITH_TRANSFORMS
#include "cimc/Transforms/Passes.h"
#endif
#ifdef CIMC_WITH_QUANTIZE
#include "cimc/Quantize/Passes.h"
#endif
#ifdef CIMC_WITH_MAPPING
#include "cimc/Mapping/Passes.h"
#endif
#ifdef CIMC_WITH_SCHEDULING
#include "cimc/Scheduling/Passes.h"
#endif
#ifdef CIMC_WITH_CODEGEN
#include "cimc/Codegen/Passes.h"
#endif

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Transforms/Passes.h"

void cimc::registerAllCimc(mlir::DialectRegistry &registry) {
  registry.insert<mlir::func::FuncDialect, mlir::quant::QuantDialect>();
#ifdef CIMC_WITH_NN
  registry.insert<nn::NNDialect>();
#endif
#ifdef CIMC_WITH_CIM
  registry.insert<cim::CIMDialect>();
#endif
#ifdef CIMC_WITH_SCHED
  registry.insert<sched::SchedDialect>();
#endif
#ifdef CIMC_WITH_ISA
  registry.insert<isa::ISADialect>();
#endif
}

void cimc::registerAllCimcPasses() {
  mlir::registerTransformsPasses();
#ifdef CIMC_WITH_TRANSFORMS
  cimc::registerTransformsPasses();
#endif
#ifdef CIMC_WITH_QUANTIZE
  cimc::registerQuantizePasses();
#endif
#ifdef CIMC_WITH_MAPPING
  cimc::registerMappingPasses();
#endif
#ifdef CIMC_WITH_SCHEDULING
  cimc::registerSchedulingPasses();
#endif
#ifdef CIMC_WITH_CODEGEN
  cimc::registerCodegenPasses();
#endif
}
