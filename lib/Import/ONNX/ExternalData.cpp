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

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <charconv>
#include <cstring>

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

Constant onnx_import::mapExternal(const onnx::TensorProto &tensor,
                                  const std::string &folder, DType type,
                                  Shape shape, const std::string &what) {
  if (folder.empty())
    failUnsupported("{} refers to external data, which is possible only in a "
                    "model file",
                    what);
  std::string location;
  uint64_t offset = 0;
  uint64_t expected = checkedElements(shape, what) * byteSize(type);
  uint64_t length = expected;
  for (const onnx::StringStringEntryProto &entry : tensor.external_data()) {
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
  if (!llvm::sys::fs::is_regular_file(realPath))
    failInvalid("{}: external data '{}' is not a regular file", what,
                path.c_str());
  auto file = llvm::MemoryBuffer::getFile(realPath, /*IsText=*/false,
                                          /*RequiresNullTerminator=*/false);
  if (!file)
    failInvalid("{}: cannot read external data '{}': {}", what, path.c_str(),
                file.getError().message());
  std::shared_ptr<llvm::MemoryBuffer> buffer = std::move(*file);
  uint64_t size = buffer->getBufferSize();
  if (offset > size || expected > size - offset)
    failInvalid("{}: bytes {} to {} of external data '{}' do not exist; the "
                "file has {} bytes",
                what, offset, offset + expected, path.c_str(), size);
  const char *data = buffer->getBufferStart() + offset;
  if (reinterpret_cast<uintptr_t>(data) % byteSize(type))
    return makeConstant(type, std::move(shape), std::string(data, expected));
  Constant result;
  result.type = type;
  result.shape = std::move(shape);
  result.bytes = llvm::ArrayRef<char>(data, expected);
  result.keep = std::move(buffer);
  return result;
}
