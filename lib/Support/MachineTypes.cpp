//===- MachineTypes.cpp - what the host converts at the interface -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/MachineTypes.h"

#include "cimc/Support/TensorIO.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace cimc {

DType machineType(DType type) {
  switch (type) {
  case DType::I64:
    return DType::I32;
  case DType::Bool:
    return DType::U8;
  case DType::F64:
  case DType::F16:
    return DType::F32;
  default:
    return type;
  }
}

Result<HostTensor> toMachine(const HostTensor &tensor,
                             const std::string &name) {
  DType type = machineType(tensor.type);
  if (type == tensor.type)
    return tensor;
  HostTensor result(type, tensor.shape);
  int64_t size = tensor.size();
  switch (tensor.type) {
  case DType::I64:
    for (int64_t i = 0; i < size; ++i) {
      int64_t value = tensor.as<int64_t>()[i];
      if (value < std::numeric_limits<int32_t>::min() ||
          value > std::numeric_limits<int32_t>::max())
        return Error{ExitCode::InvalidInput,
                     fmt::format("{}: element {} is {}; the chip "
                                 "computes int64 in 32 bits, so values must "
                                 "lie within [-2147483648, 2147483647]",
                                 name, i, value)};
      result.as<int32_t>()[i] = static_cast<int32_t>(value);
    }
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
    for (int64_t i = 0; i < size; ++i)
      result.as<float>()[i] = halfToFloat(tensor.as<uint16_t>()[i]);
  }
  return result;
}

/// IEEE single to half, half to even.
static uint16_t toHalf(float value) {
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  float magnitude = std::fabs(value);
  if (std::isnan(value))
    return sign | 0x7e00;
  if (magnitude == 0.0f)
    return sign;
  if (magnitude >= 65520.0f)
    return sign | 0x7c00;
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  // The distance of halves around the value: 2^-24 below the normal ones.
  int ulp = std::max(exponent - 11, -24);
  auto units = static_cast<uint32_t>(
      std::nearbyint(std::ldexp(static_cast<double>(magnitude), -ulp)));
  // A significand that overflows into the exponent is what it should be.
  return static_cast<uint16_t>(sign | (((ulp + 24) << 10) + units));
}

HostTensor fromMachine(const HostTensor &tensor, DType type) {
  HostTensor result(type, tensor.shape);
  int64_t size = tensor.size();
  switch (type) {
  case DType::I64:
    for (int64_t i = 0; i < size; ++i)
      result.as<int64_t>()[i] = tensor.as<int32_t>()[i];
    break;
  case DType::F64:
    for (int64_t i = 0; i < size; ++i)
      result.as<double>()[i] = tensor.as<float>()[i];
    break;
  case DType::F16:
    for (int64_t i = 0; i < size; ++i)
      result.as<uint16_t>()[i] = toHalf(tensor.as<float>()[i]);
    break;
  default:
    result.data = tensor.data;
  }
  return result;
}

} // namespace cimc
