//===- ModuleFile.cpp - modules in files ----------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/ModuleFile.h"
#include "cimc/Support/File.h"

#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/SourceMgr.h"

#include <fmt/format.h>

#include <algorithm>

using namespace cimc;

/// MLIR's parser calls itself for every bracket, so a file of brackets would
/// overflow the stack; and in the resources at the end of a file, MLIR's lexer
/// reads on behind a string that the file's end cuts off.
static Status checkNesting(const std::string &path) {
  Result<std::string> text = readFile(path);
  if (!text)
    return text.takeError();
  constexpr int64_t limit = 500;
  int64_t depth = 0, line = 1;
  bool quoted = false;
  for (size_t i = 0; i < text->size(); ++i) {
    char c = (*text)[i];
    line += c == '\n';
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"' || c == '\n')
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '/' && text->compare(i, 2, "//") == 0) {
      i = std::min(text->find('\n', i), text->size()) - 1;
    } else if (c == '{' || c == '(' || c == '[' || c == '<') {
      if (++depth > limit)
        return Error{ExitCode::InvalidInput,
                     fmt::format("{}:{}: brackets are nested more than {} deep",
                                 path, line, limit)};
    } else if ((c == '}' || c == ')' || c == ']' ||
                (c == '>' && i > 0 && (*text)[i - 1] != '-')) &&
               depth > 0) {
      --depth;
    }
  }
  if (quoted)
    return Error{
        ExitCode::InvalidInput,
        fmt::format("{}:{}: the file ends inside a string", path, line)};
  return {};
}

/// Modules are also printed to be read, with "__elided__" for long weights.
static Status checkResources(mlir::ModuleOp module, const std::string &path) {
  std::string missing;
  module.walk([&](mlir::Operation *op) {
    for (mlir::NamedAttribute attribute : op->getAttrs()) {
      auto resource =
          llvm::dyn_cast<mlir::DenseResourceElementsAttr>(attribute.getValue());
      if (!resource || resource.getRawHandle().getBlob())
        continue;
      missing = resource.getRawHandle().getKey().str();
      return mlir::WalkResult::interrupt();
    }
    return mlir::WalkResult::advance();
  });
  if (missing.empty())
    return {};
  return Error{ExitCode::InvalidInput,
               fmt::format("{}: the file does not hold the numbers of '{}'; "
                           "modules of a report are for reading, write one to "
                           "go on from with --to PHASE -o FILE",
                           path, missing)};
}

std::string &cimc::bytecodeBeingRead() {
  static std::string path;
  return path;
}

Result<mlir::OwningOpRef<mlir::ModuleOp>>
cimc::readModule(const std::string &path, FileKind kind,
                 mlir::MLIRContext &context) {
  if (kind == FileKind::Mlir)
    if (Status status = checkNesting(path); !status)
      return status.takeError();
  // Sections of bytecode ask to lie as in the file; small files are read to
  // wherever there is room.
  std::string problem;
  auto file = mlir::openInputFile(path, llvm::Align(64), &problem);
  if (!file)
    return Error{ExitCode::InvalidInput, problem};
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(std::move(file), llvm::SMLoc());
  if (kind == FileKind::MlirBytecode)
    bytecodeBeingRead() = path;
  auto module = mlir::parseSourceFile<mlir::ModuleOp>(
      sources, mlir::ParserConfig(&context));
  bytecodeBeingRead().clear();
  if (!module)
    return Error{ExitCode::InvalidInput, ""}; // the parser has said why
  if (Status status = checkResources(module.get(), path); !status)
    return status.takeError();
  return module;
}
