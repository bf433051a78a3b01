//===- MachineTypes.cpp - what the host converts at the interface -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/MachineTypes.h"

#include "cimc/Support/SmallFloat.h"

#include <fmt/format.h>

#include <cstring>
#include <iterator>

namespace cimc {

DType machineType(DType type) {
  switch (type) {
  case DType::I64:
  case DType::U32:
  case DType::U64:
    return DType::I32;
  case DType::Bool:
  case DType::U4:
  case DType::U2:
    return DType::U8;
  case DType::I4:
  case DType::I2:
    return DType::I8;
  default:
    return isFloat(type) ? DType::F32 : type;
  }
}

// In the order of the enumeration.
static constexpr const char *bindingNames[] = {
    "i8",         "u8",     "i16",        "u16",    "i32",   "f32",
    "i64",        "bool",   "f64",        "f16",    "u32",   "u64",
    "bf16",       "i4",     "u4",         "i2",     "u2",    "f8e4m3fn",
    "f8e4m3fnuz", "f8e5m2", "f8e5m2fnuz", "f8e8m0", "f4e2m1"};
static_assert(std::size(bindingNames) == static_cast<size_t>(kLastDType) + 1);

const char *bindingName(DType type) {
  return bindingNames[static_cast<size_t>(type)];
}

std::optional<DType> parseBinding(const std::string &name) {
  for (size_t i = 0; i < std::size(bindingNames); ++i)
    if (name == bindingNames[i])
      return static_cast<DType>(i);
  return std::nullopt;
}

/// Integers of 32 and 64 bits as int32.
template <typename T>
static Status toInt32(const HostTensor &tensor, const std::string &name,
                      HostTensor &result) {
  for (int64_t i = 0, size = tensor.size(); i < size; ++i) {
    T value = tensor.as<T>()[i];
    auto narrow = static_cast<int32_t>(value);
    if (static_cast<T>(narrow) != value || (value > 0 && narrow < 0))
      return Error{ExitCode::InvalidInput,
                   fmt::format("{}: element {} is {}; the chip computes {} in "
                               "32 bits, so values must lie within "
                               "[-2147483648, 2147483647]",
                               name, i, value, cimc::name(tensor.type))};
    result.as<int32_t>()[i] = narrow;
  }
  return {};
}

Result<HostTensor> toMachine(const HostTensor &tensor,
                             const std::string &name) {
  DType type = machineType(tensor.type);
  if (type == tensor.type)
    return tensor;
  HostTensor result(type, tensor.shape);
  int64_t size = tensor.size();
  Status status;
  switch (tensor.type) {
  case DType::I64:
    status = toInt32<int64_t>(tensor, name, result);
    break;
  case DType::U64:
    status = toInt32<uint64_t>(tensor, name, result);
    break;
  case DType::U32:
    status = toInt32<uint32_t>(tensor, name, result);
    break;
  case DType::Bool:
    for (int64_t i = 0; i < size; ++i)
      result.as<uint8_t>()[i] = tensor.as<uint8_t>()[i] != 0;
    break;
  case DType::F64:
    for (int64_t i = 0; i < size; ++i)
      result.as<float>()[i] = static_cast<float>(tensor.as<double>()[i]);
    break;
  default:
    if (!isSmallFloat(tensor.type)) {
      result.data = tensor.data;
      break;
    }
    for (int64_t i = 0; i < size; ++i)
      result.as<float>()[i] = fromSmallFloat(
          tensor.type, byteSize(tensor.type) == 2 ? tensor.as<uint16_t>()[i]
                                                  : tensor.as<uint8_t>()[i]);
  }
  if (!status)
    return status.takeError();
  return result;
}

HostTensor fromMachine(const HostTensor &tensor, DType type) {
  HostTensor result(type, tensor.shape);
  int64_t size = tensor.size();
  switch (type) {
  case DType::I64:
  case DType::U64:
    for (int64_t i = 0; i < size; ++i)
      result.as<int64_t>()[i] = tensor.as<int32_t>()[i];
    break;
  case DType::F64:
    for (int64_t i = 0; i < size; ++i)
      result.as<double>()[i] = tensor.as<float>()[i];
    break;
  default:
    if (!isSmallFloat(type)) {
      result.data = tensor.data;
      break;
    }
    for (int64_t i = 0; i < size; ++i) {
      uint16_t bits = toSmallFloat(type, tensor.as<float>()[i],
                                   /*saturate=*/false);
      std::memcpy(result.data.data() + i * byteSize(type), &bits,
                  byteSize(type));
    }
  }
  return result;
}

} // namespace cimc
