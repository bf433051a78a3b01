//===- ModelFile.h - the bytes of a model as a message -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_IMPORT_ONNX_MODELFILE_H
#define CIMC_LIB_IMPORT_ONNX_MODELFILE_H

#include "Failure.h"

#include "onnx/onnx_pb.h"
#include "llvm/Support/MemoryBuffer.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace cimc::onnx_import {

/// Where the values of a model's tensors are.
struct TensorSource {
  /// Where external data is looked up; empty refuses it.
  std::string folder;
  /// The serialized model, to which the markers of WireFormat.h point.
  std::string_view bytes;
  /// What keeps `bytes`; values are copied where it is null.
  std::shared_ptr<llvm::MemoryBuffer> keep;
  /// External data files by path, mapped once.
  std::map<std::string, std::shared_ptr<llvm::MemoryBuffer>> files;
};

/// Parses a model, serialized or text, without its long tensor values, which
/// stay where they are in `bytes` (see WireFormat.h); `path` is for messages.
void parseModel(std::string_view bytes, const std::string &path,
                onnx::ModelProto &model);

/// Parses a serialized message of up to 2 GiB; false where it is not one.
bool parseMessage(std::string_view bytes, google::protobuf::Message &message);

} // namespace cimc::onnx_import

#endif // CIMC_LIB_IMPORT_ONNX_MODELFILE_H
