//===- cim-opt.cpp - runs passes on a module ------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Register.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  cimc::registerAllCimc(registry);
  cimc::registerAllCimcPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "cimc pass driver\n", registry));
}
