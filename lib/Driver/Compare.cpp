//===- Compare.cpp - comparing tensors ------------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Execution.h"
#include "cimc/Support/SmallFloat.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

using namespace cimc;

/// Exact for everything but 64-bit integers beyond 2^53, which are compared by
/// their bits before.
static double value(const HostTensor &tensor, int64_t i) {
  switch (tensor.type) {
  case DType::I8:
    return tensor.as<int8_t>()[i];
  case DType::U8:
    return tensor.as<uint8_t>()[i];
  case DType::I16:
    return tensor.as<int16_t>()[i];
  case DType::U16:
    return tensor.as<uint16_t>()[i];
  case DType::I32:
    return tensor.as<int32_t>()[i];
  case DType::F32:
    return tensor.as<float>()[i];
  case DType::I64:
    return double(tensor.as<int64_t>()[i]);
  case DType::Bool:
    return tensor.as<uint8_t>()[i];
  case DType::F64:
    return tensor.as<double>()[i];
  case DType::U32:
    return tensor.as<uint32_t>()[i];
  case DType::U64:
    return double(tensor.as<uint64_t>()[i]);
  case DType::F16:
  case DType::BF16:
    return fromSmallFloat(tensor.type, tensor.as<uint16_t>()[i]);
  case DType::I4:
  case DType::I2:
    return tensor.as<int8_t>()[i];
  case DType::U4:
  case DType::U2:
    return tensor.as<uint8_t>()[i];
  default:
    return fromSmallFloat(tensor.type, tensor.as<uint8_t>()[i]);
  }
}

Comparison cimc::compare(const std::string &output, const HostTensor &got,
                         const HostTensor &expected,
                         const Tolerance &tolerance) {
  Comparison result;
  result.output = output;
  result.elements = got.size();
  if (got.shape != expected.shape) {
    result.problem =
        fmt::format("has shape {}, expected {}", shapeString(got.shape),
                    shapeString(expected.shape));
    return result;
  }
  if (isFloat(got.type) != isFloat(expected.type) ||
      (!isFloat(got.type) && got.type != expected.type)) {
    result.problem =
        fmt::format("is {}, expected {}", name(got.type), name(expected.type));
    return result;
  }
  double rtol = tolerance.relative.value_or(isFloat(got.type) ? 1e-3 : 0);
  double atol = tolerance.absolute.value_or(isFloat(got.type) ? 1e-7 : 0);
  int64_t first = -1;
  for (int64_t i = 0; i < result.elements; ++i) {
    double a = value(got, i), b = value(expected, i);
    bool same = a == b || (std::isnan(a) && std::isnan(b));
    if (got.type == DType::I64 || got.type == DType::U64)
      same = got.as<int64_t>()[i] == expected.as<int64_t>()[i];
    if (same)
      continue;
    double difference = std::fabs(a - b);
    if (!std::isnan(result.largest) && !(difference <= result.largest))
      result.largest = difference;
    // Infinities only equal themselves.
    if (std::isfinite(a) && std::isfinite(b) &&
        difference <= atol + rtol * std::fabs(b) &&
        (difference > 0 || atol + rtol > 0))
      continue;
    ++result.different;
    if (first < 0) {
      first = i;
      result.got = a;
      result.expected = b;
    }
  }
  if (first >= 0) {
    for (size_t axis = got.shape.size(); axis-- > 0;) {
      result.first.push_back(first % got.shape[axis]);
      first /= got.shape[axis];
    }
    std::reverse(result.first.begin(), result.first.end());
  }
  return result;
}

std::string cimc::describe(const Comparison &c) {
  if (!c.problem.empty())
    return fmt::format("output '{}' {}", c.output, c.problem);
  if (c.equal())
    return fmt::format("output '{}' is as expected: {} elements, largest "
                       "difference {}",
                       c.output, c.elements, c.largest);
  return fmt::format(
      "output '{}' differs in {} of {} elements ({:.3g} %), first "
      "at [{}]: got {}, expected {}; largest difference {}",
      c.output, c.different, c.elements,
      100.0 * double(c.different) / double(c.elements),
      fmt::join(c.first, ", "), c.got, c.expected, c.largest);
}
