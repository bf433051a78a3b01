//===- TensorProto.h - ONNX tensor files -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_IMPORT_ONNX_TENSORPROTO_H
#define CIMC_IMPORT_ONNX_TENSORPROTO_H

#include "cimc/Support/HostTensor.h"
#include "cimc/Support/Status.h"

#include <string>
#include <string_view>

namespace cimc {

/// Reads a serialized ONNX TensorProto (`input_0.pb`). Errors are InvalidInput,
/// or Unsupported for element types that cimc has none for.
Result<HostTensor> readTensorProto(const std::string &path);

/// The same from memory; `origin` is for messages, `name` takes the tensor's
/// name where it is not null.
Result<HostTensor> parseTensorProtoBytes(std::string_view bytes,
                                         const std::string &origin,
                                         std::string *name = nullptr);

} // namespace cimc

#endif // CIMC_IMPORT_ONNX_TENSORPROTO_H
