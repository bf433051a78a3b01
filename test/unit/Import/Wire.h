//===- Wire.h - ONNX models field by field -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// A few lines of protobuf writing: enough to say what no honest exporter says.
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_TEST_UNIT_IMPORT_WIRE_H
#define CIMC_TEST_UNIT_IMPORT_WIRE_H

#include <cstdint>
#include <string>
#include <vector>

namespace wire {

inline std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 128; value >>= 7)
    bytes += static_cast<char>(value | 128);
  return bytes + static_cast<char>(value);
}
inline std::string number(int field, uint64_t value) {
  return varint(field << 3) + varint(value);
}
inline std::string bytes(int field, const std::string &value) {
  return varint(field << 3 | 2) + varint(value.size()) + value;
}

/// A TensorProto with raw data.
inline std::string tensor(const std::string &name,
                          const std::vector<int64_t> &dims, int type,
                          const std::string &raw) {
  std::string result;
  for (int64_t dim : dims)
    result += number(1, dim);
  return result + number(2, type) + bytes(8, name) + bytes(9, raw);
}

inline std::string valueInfo(const std::string &name,
                             const std::vector<int64_t> &dims) {
  std::string shape;
  for (int64_t dim : dims)
    shape += bytes(1, number(1, dim));
  return bytes(1, name) + bytes(2, bytes(1, number(1, 1) + bytes(2, shape)));
}

inline std::string node(const std::string &op,
                        const std::vector<std::string> &inputs,
                        const std::vector<std::string> &outputs,
                        const std::string &attributes = "") {
  std::string result;
  for (const std::string &input : inputs)
    result += bytes(1, input);
  for (const std::string &output : outputs)
    result += bytes(2, output);
  return bytes(1, result + bytes(4, op) + attributes);
}

inline std::string model(const std::string &graph, int64_t opset = 13) {
  return number(1, 8) + bytes(8, bytes(1, "") + number(2, opset)) +
         bytes(7, graph);
}

} // namespace wire

#endif // CIMC_TEST_UNIT_IMPORT_WIRE_H
