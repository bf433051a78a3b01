//===- Files.h - directories and kinds of files ---------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DRIVER_FILES_H
#define CIMC_DRIVER_FILES_H

#include "cimc/Support/Status.h"

#include <string>
#include <string_view>
#include <vector>

namespace cimc {

/// Makes a directory and its parents.
Status makeDirectory(const std::string &path);

bool isDirectory(const std::string &path);
bool fileExists(const std::string &path);
/// Whether two names lead to one file that exists.
bool isSameFile(const std::string &a, const std::string &b);

/// Regular files directly in `directory` whose names end in `suffix`, sorted.
std::vector<std::string> listFiles(const std::string &directory,
                                   std::string_view suffix);
/// Directories directly in `directory`, sorted.
std::vector<std::string> listDirectories(const std::string &directory);

/// The name of a file without its directory and extension.
std::string stemOf(const std::string &path);

/// What a file holds, told from its first bytes.
enum class FileKind {
  Empty,
  Onnx,
  OnnxText,
  Mlir,
  MlirBytecode,
  Program,
  Npy,
  Zip,
  Json,
  Other
};

/// Looks at the content of the file, never at its name.
Result<FileKind> sniff(const std::string &path);
FileKind sniffBytes(std::string_view beginning);
/// "an ONNX model", "a NumPy array", ... for messages.
const char *describe(FileKind kind);

} // namespace cimc

#endif // CIMC_DRIVER_FILES_H
