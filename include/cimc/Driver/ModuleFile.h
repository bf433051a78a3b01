//===- ModuleFile.h - modules in files --------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DRIVER_MODULEFILE_H
#define CIMC_DRIVER_MODULEFILE_H

#include "cimc/Driver/Files.h"
#include "cimc/Support/Status.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>

namespace cimc {

/// Reads MLIR text or bytecode (`kind`). What is wrong with the file is exit
/// code 3; where MLIR's parser has told the context already, the message is
/// empty.
Result<mlir::OwningOpRef<mlir::ModuleOp>>
readModule(const std::string &path, FileKind kind, mlir::MLIRContext &context);

/// The MLIR bytecode file that is being read, empty at any other time: what a
/// fatal error of LLVM is to be blamed on.
std::string &bytecodeBeingRead();

} // namespace cimc

#endif // CIMC_DRIVER_MODULEFILE_H
