//===- cim-tblgen.cpp - encodings and manual from ISA.td ------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The emitters register themselves: -gen-record-decls, -gen-record-defs,
// -gen-docs.
//
//===----------------------------------------------------------------------===//

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/TableGen/Main.h"
#include "llvm/TableGen/TableGenBackend.h"

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  llvm::cl::ParseCommandLineOptions(
      argc, argv, "cim-tblgen: encodings and manual from ISA.td\n");
  return llvm::TableGenMain(argv[0], llvm::MultiFileTableGenMainFn());
}
