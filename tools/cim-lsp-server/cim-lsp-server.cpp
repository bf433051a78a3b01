//===- cim-lsp-server.cpp - editor support for .mlir files ----------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Register.h"

#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  cimc::registerAllCimc(registry);
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}
