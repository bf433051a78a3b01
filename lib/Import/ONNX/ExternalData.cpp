//===- ExternalData.cpp - weights beside the model file -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The location comes from the file, so it is not trusted: it must name a
// regular file inside the model's folder, after links are resolved, and the
// bytes must lie inside that file.
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
#include "Problems.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace cimc;
using namespace cimc::onnx_import;

static uint64_t parseNumber(const std::string &text, const char *key,
                            const std::string &what) {
  uint64_t value = 0;
  auto [end, code] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size())
    failInvalid("{}: the external data {} '{}' is not a number", what, key,
                text);
  return value;
}

/// Opens and maps a file of the model's folder. It is looked at once it is
/// open, so that nobody can exchange it in between; a file with a second name
/// may be one from elsewhere.
static std::unique_ptr<llvm::MemoryBuffer>
openExternal(const char *realPath, const char *shown, const std::string &what) {
  int fd = open(realPath, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) != 0) {
    int code = errno;
    if (fd >= 0)
      close(fd);
    failInvalid("{}: cannot read external data '{}': {}", what, shown,
                std::strerror(code));
  }
  llvm::scope_exit closed([&] { close(fd); });
  if (!S_ISREG(status.st_mode))
    failInvalid("{}: external data '{}' is not a regular file", what, shown);
  if (status.st_nlink > 1)
    failInvalid("{}: external data '{}' is a file with {} names (hard links), "
                "which may lead outside the model's folder; make a copy of it",
                what, shown, status.st_nlink);
  auto buffer = llvm::MemoryBuffer::getOpenFile(
      fd, shown, status.st_size, /*RequiresNullTerminator=*/false);
  if (!buffer)
    failInvalid("{}: cannot read external data '{}': {}", what, shown,
                buffer.getError().message());
  return std::move(*buffer);
}

Constant onnx_import::mapExternal(const onnx::TensorProto &tensor,
                                  TensorSource &source, DType type, Shape shape,
                                  const std::string &what) {
  const std::string &folder = source.folder;
  if (folder.empty())
    failUnsupported("{} refers to external data, which is possible only in a "
                    "model file",
                    what);
  std::string location;
  uint64_t offset = 0;
  uint64_t expected = checkedElements(shape, what) * byteSize(type);
  uint64_t length = expected;
  std::vector<std::string> seen;
  for (const onnx::StringStringEntryProto &entry : tensor.external_data()) {
    if (llvm::is_contained(seen, entry.key()))
      failInvalid("{}: the external data entry '{}' is given twice", what,
                  clipped(entry.key()));
    // Of the others only the number could hurt.
    if (entry.key() == "location" || entry.key() == "offset" ||
        entry.key() == "length")
      seen.push_back(entry.key());
    if (entry.key() == "location")
      location = entry.value();
    else if (entry.key() == "offset")
      offset = parseNumber(entry.value(), "offset", what);
    else if (entry.key() == "length")
      length = parseNumber(entry.value(), "length", what);
  }
  if (length != expected)
    failInvalid("{} of shape {} and type {} needs {} bytes, but its external "
                "data has length {}",
                what, shapeString(shape), name(type), expected, length);
  if (location.empty() || location.find('\0') != std::string::npos ||
      llvm::sys::path::is_absolute(location))
    failInvalid("{}: the external data location '{}' must be a path relative "
                "to the model's folder",
                what, location);
  llvm::SmallString<256> path(folder), realPath, realFolder;
  llvm::sys::path::append(path, location);
  if (std::error_code code = llvm::sys::fs::real_path(path, realPath))
    failInvalid("{}: cannot read external data '{}': {}", what, path.c_str(),
                code.message());
  if (llvm::sys::fs::real_path(folder, realFolder))
    failInvalid("{}: the folder '{}' cannot be read", what, folder);
  if (!realFolder.ends_with("/"))
    realFolder += "/";
  if (!llvm::StringRef(realPath).starts_with(realFolder))
    failInvalid("{}: the external data location '{}' leads outside the "
                "model's folder '{}'",
                what, location, folder);
  std::shared_ptr<llvm::MemoryBuffer> &buffer =
      source.files[realPath.str().str()];
  if (!buffer)
    buffer = openExternal(realPath.c_str(), path.c_str(), what);
  uint64_t size = buffer->getBufferSize();
  if (offset > size || expected > size - offset)
    failInvalid("{}: bytes {} to {} of external data '{}' do not exist; the "
                "file has {} bytes",
                what, offset, offset + expected, path.c_str(), size);
  return constantInFile(type, std::move(shape),
                        buffer->getBufferStart() + offset, expected, buffer);
}
