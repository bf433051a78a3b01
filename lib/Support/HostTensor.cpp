//===- HostTensor.cpp - a tensor in host memory -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/HostTensor.h"

#include <iterator>

namespace cimc {

size_t byteSize(DType type) {
  switch (type) {
  case DType::I16:
  case DType::U16:
  case DType::F16:
  case DType::BF16:
    return 2;
  case DType::I32:
  case DType::U32:
  case DType::F32:
    return 4;
  case DType::I64:
  case DType::U64:
  case DType::F64:
    return 8;
  default:
    return 1;
  }
}

bool isFloat(DType type) {
  switch (type) {
  case DType::F32:
  case DType::F64:
  case DType::F16:
  case DType::BF16:
  case DType::F8E4M3FN:
  case DType::F8E4M3FNUZ:
  case DType::F8E5M2:
  case DType::F8E5M2FNUZ:
  case DType::F8E8M0:
  case DType::F4E2M1:
    return true;
  default:
    return false;
  }
}

const char *name(DType type) {
  // In the order of the enumeration.
  static const char *const names[] = {
      "int8",           "uint8",        "int16",          "uint16",
      "int32",          "float32",      "int64",          "bool",
      "float64",        "float16",      "uint32",         "uint64",
      "bfloat16",       "int4",         "uint4",          "int2",
      "uint2",          "float8e4m3fn", "float8e4m3fnuz", "float8e5m2",
      "float8e5m2fnuz", "float8e8m0",   "float4e2m1"};
  static_assert(std::size(names) == static_cast<size_t>(kLastDType) + 1);
  return type <= kLastDType ? names[static_cast<size_t>(type)] : "unknown";
}

HostTensor::HostTensor(DType type, std::vector<int64_t> shape)
    : type(type), shape(std::move(shape)) {
  data.assign(static_cast<size_t>(size()) * byteSize(type), std::byte{0});
}

HostTensor HostTensor::unwritten(DType type, std::vector<int64_t> shape) {
  HostTensor tensor;
  tensor.type = type;
  tensor.shape = std::move(shape);
  tensor.data.resize(static_cast<size_t>(tensor.size()) * byteSize(type));
  return tensor;
}

int64_t HostTensor::size() const {
  int64_t n = 1;
  for (int64_t extent : shape)
    n *= extent;
  return n;
}

std::string shapeString(const std::vector<int64_t> &shape) {
  if (shape.empty())
    return "scalar";
  std::string text;
  for (int64_t extent : shape) {
    if (!text.empty())
      text += 'x';
    text += std::to_string(extent);
  }
  return text;
}

} // namespace cimc
