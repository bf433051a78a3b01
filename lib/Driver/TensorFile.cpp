//===- TensorFile.cpp - tensors in .npy and .pb files ---------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/TensorFile.h"
#include "cimc/Driver/Files.h"
#include "cimc/Import/ONNX/TensorProto.h"
#include "cimc/Support/File.h"
#include "cimc/Support/TensorIO.h"

#include <fmt/format.h>

using namespace cimc;

static Error invalid(std::string message) {
  return {ExitCode::InvalidInput, std::move(message)};
}

Result<HostTensor> cimc::readTensor(const std::string &path) {
  Result<std::string> bytes = readFile(path);
  if (!bytes)
    return bytes.takeError();
  FileKind kind = sniffBytes(std::string_view(*bytes).substr(0, 4096));
  if (kind == FileKind::Npy)
    return parseNpy(*bytes, path);
  if (kind == FileKind::Empty || kind == FileKind::Zip ||
      kind == FileKind::Program || kind == FileKind::MlirBytecode)
    return invalid(fmt::format("'{}' is {}; a tensor is a .npy file or an ONNX "
                               "TensorProto (.pb)",
                               path, describe(kind)));
  return parseTensorProtoBytes(*bytes, path);
}

HostTensor cimc::sampleOf(const HostTensor &batch, int64_t index) {
  HostTensor sample;
  sample.type = batch.type;
  sample.shape.assign(batch.shape.begin() + 1, batch.shape.end());
  size_t bytes = size_t(sample.size()) * byteSize(batch.type);
  sample.data.assign(batch.data.begin() + int64_t(size_t(index) * bytes),
                     batch.data.begin() + int64_t(size_t(index + 1) * bytes));
  return sample;
}
