//===- Files.cpp - directories and kinds of files -------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <sys/stat.h>

using namespace cimc;

std::string cimc::stemOf(const std::string &path) {
  std::string name = path.substr(path.rfind('/') + 1);
  size_t dot = name.rfind('.');
  return dot == std::string::npos || dot == 0 ? name : name.substr(0, dot);
}

bool cimc::isDirectory(const std::string &path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool cimc::fileExists(const std::string &path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

bool cimc::isSameFile(const std::string &a, const std::string &b) {
  struct stat first, second;
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

Status cimc::makeDirectory(const std::string &path) {
  if (path.empty())
    return Error{ExitCode::Usage, "no name given for the directory to write"};
  for (size_t end = 1; end <= path.size(); ++end) {
    if (end != path.size() && path[end] != '/')
      continue;
    std::string prefix = path.substr(0, end);
    if (::mkdir(prefix.c_str(), 0777) != 0 && !isDirectory(prefix))
      return Error{ExitCode::Usage,
                   fmt::format("cannot make the directory '{}': {}", prefix,
                               std::strerror(errno))};
  }
  return {};
}

static std::vector<std::string>
list(const std::string &directory, std::string_view suffix, bool directories) {
  std::vector<std::string> names;
  DIR *dir = ::opendir(directory.c_str());
  if (!dir)
    return names;
  while (dirent *entry = ::readdir(dir)) {
    std::string_view name = entry->d_name;
    if (name.front() == '.' || name.size() < suffix.size() ||
        name.substr(name.size() - suffix.size()) != suffix)
      continue;
    if (isDirectory(directory + "/" + std::string(name)) == directories)
      names.emplace_back(name);
  }
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> cimc::listFiles(const std::string &directory,
                                         std::string_view suffix) {
  return list(directory, suffix, false);
}

std::vector<std::string> cimc::listDirectories(const std::string &directory) {
  return list(directory, "", true);
}

//===----------------------------------------------------------------------===//
// Telling files apart
//===----------------------------------------------------------------------===//

FileKind cimc::sniffBytes(std::string_view text) {
  auto starts = [&](std::string_view magic) {
    return text.substr(0, magic.size()) == magic;
  };
  if (text.empty())
    return FileKind::Empty;
  if (starts("CIMX"))
    return FileKind::Program;
  if (starts("ML\xefR"))
    return FileKind::MlirBytecode;
  if (starts("\x93NUMPY"))
    return FileKind::Npy;
  if (starts("PK\x03\x04") || starts("PK\x05\x06"))
    return FileKind::Zip;
  // Text has no control characters but white space.
  bool isText = std::none_of(text.begin(), text.end(), [](unsigned char c) {
    return c < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f';
  });
  if (!isText) {
    // Fields 1 to 8, 14 and 20 of an ONNX ModelProto; writers emit them in
    // order of the field number, and every writer known sets ir_version.
    static constexpr unsigned char fields[] = {0x08, 0x12, 0x1a, 0x22,
                                               0x28, 0x32, 0x3a, 0x42};
    bool field = std::find(std::begin(fields), std::end(fields),
                           (unsigned char)text[0]) != std::end(fields);
    return field ? FileKind::Onnx : FileKind::Other;
  }
  // The first character that is neither white space nor in a comment. An MLIR
  // alias also starts with '#', but no blank follows it.
  while (!text.empty()) {
    size_t first = text.find_first_not_of(" \t\r\n\f");
    if (first == std::string_view::npos)
      return FileKind::Other;
    text.remove_prefix(first);
    bool comment = text.substr(0, 2) == "//" || text.substr(0, 2) == "# " ||
                   text.substr(0, 2) == "#\n" || text.substr(0, 2) == "##";
    if (!comment)
      break;
    size_t end = text.find('\n');
    text.remove_prefix(end == std::string_view::npos ? text.size() : end);
  }
  if (starts("<"))
    return FileKind::OnnxText;
  for (std::string_view word : {"module", "func", "builtin", "#", "!", "\"",
                                "nn.", "cim.", "sched.", "isa.", "{-#"})
    if (starts(word))
      return FileKind::Mlir;
  if (starts("{"))
    return FileKind::Json;
  return FileKind::Other;
}

Result<FileKind> cimc::sniff(const std::string &path) {
  // Only the beginning: models can be larger than memory.
  auto fail = [&](const char *why) {
    return Error{ExitCode::InvalidInput,
                 fmt::format("cannot read '{}': {}", path, why)};
  };
  if (isDirectory(path))
    return fail("it is a directory, a file is needed");
  // Pipes would wait for a writer, devices may never end.
  struct stat info;
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode))
    return fail("it is not a regular file");
  FILE *file = std::fopen(path.c_str(), "rb");
  if (!file)
    return fail(std::strerror(errno));
  char head[4096];
  size_t size = std::fread(head, 1, sizeof head, file);
  bool failed = std::ferror(file);
  int error = errno;
  std::fclose(file);
  if (failed)
    return fail(std::strerror(error));
  return sniffBytes({head, size});
}

const char *cimc::describe(FileKind kind) {
  switch (kind) {
  case FileKind::Empty:
    return "an empty file";
  case FileKind::Onnx:
    return "an ONNX model";
  case FileKind::OnnxText:
    return "a textual ONNX model";
  case FileKind::Mlir:
    return "MLIR text";
  case FileKind::MlirBytecode:
    return "MLIR bytecode";
  case FileKind::Program:
    return "a compiled program";
  case FileKind::Npy:
    return "a NumPy array";
  case FileKind::Zip:
    return "a zip archive";
  case FileKind::Json:
    return "a JSON file";
  case FileKind::Other:
    break;
  }
  return "of no known kind";
}
