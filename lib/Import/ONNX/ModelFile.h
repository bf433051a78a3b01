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

#include <string_view>

namespace cimc::onnx_import {

/// Parses a model, serialized or text; `path` is for messages.
void parseModel(std::string_view bytes, const std::string &path,
                onnx::ModelProto &model);

/// Parses a serialized message of up to 2 GiB; false where it is not one.
bool parseMessage(std::string_view bytes, google::protobuf::Message &message);

} // namespace cimc::onnx_import

#endif // CIMC_LIB_IMPORT_ONNX_MODELFILE_H
