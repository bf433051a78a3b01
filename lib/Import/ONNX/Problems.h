//===- Problems.h - all that stands in the way -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_IMPORT_ONNX_PROBLEMS_H
#define CIMC_LIB_IMPORT_ONNX_PROBLEMS_H

#include "Failure.h"

#include "cimc/Import/ONNX/Import.h"

#include "llvm/ADT/StringMap.h"

namespace cimc::onnx_import {

/// A text without control characters.
std::string printable(const std::string &text);

/// Names and texts from a file, at most `most` characters of them.
std::string clipped(const std::string &text, size_t most = 60);

/// Collects what is wrong with a model, so that it can be said at once.
class Problems {
public:
  /// An operator, initializer or input that has no translation. Rows that
  /// differ in nothing but the node are counted.
  void addUnsupported(UnsupportedOp row);
  /// Something wrong with the model that need not end the reading.
  void addInvalid(std::string message);

  /// Something that the user has to bind; not a fault of the model.
  void addOpen(std::string message);

  bool any() const { return !rows.empty() || invalidCount || !open.empty(); }
  const std::vector<UnsupportedOp> &unsupported() const { return rows; }
  /// Throws one Failure that says everything: InvalidInput where something is
  /// wrong or only open, else Unsupported.
  [[noreturn]] void fail(const std::string &path) const;

private:
  std::string table(const std::string &path) const;

  std::vector<UnsupportedOp> rows;
  llvm::StringMap<size_t> rowOf;
  std::string invalid, open;
  size_t invalidCount = 0, openCount = 0;
};

} // namespace cimc::onnx_import

#endif // CIMC_LIB_IMPORT_ONNX_PROBLEMS_H
