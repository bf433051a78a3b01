//===- WireFormat.h - serialized models without their weights -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Protobuf copies every bytes field it parses. A model is therefore rewritten
// before: its long tensor values are left out, and a marker says where in the
// file they are. What remains is small, whatever the size of the model.
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_IMPORT_ONNX_WIREFORMAT_H
#define CIMC_LIB_IMPORT_ONNX_WIREFORMAT_H

#include "onnx/onnx_pb.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cimc::onnx_import {

/// Bytes from which on a tensor's value stays in the file.
inline constexpr size_t kLongTensor = 4096;
/// Messages in messages that protobuf's parser follows.
inline constexpr int kMaxNesting = 100;
/// Nodes that a model may have, also once its functions are written out.
inline constexpr int64_t kMaxNodes = 1000000;

/// Where a long value is: the field of TensorProto it stood in (raw_data,
/// float_data or double_data) and its place in the model's bytes.
struct LongValue {
  uint64_t field, offset, size;
};

enum class WireError { None, Damaged, TooDeep, TooManyNodes };

/// Copies a serialized ModelProto, markers in place of long values.
WireError leaveOutLongTensors(std::string_view model, std::string &reduced);

/// The marker in a tensor of a reduced model.
std::optional<LongValue> longValue(const onnx::TensorProto &tensor);

} // namespace cimc::onnx_import

#endif // CIMC_LIB_IMPORT_ONNX_WIREFORMAT_H
