//===- IntegerPlanes.h - integers without zero points, 16 bits at a time -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_REFERENCE_INTEGERPLANES_H
#define CIMC_LIB_REFERENCE_INTEGERPLANES_H

#include "NNOperations.h"

namespace cimc::reference {

/// The integers `q - z` of a quantized operand as a sum of factor * values.
/// 8-bit tensors and signed 16-bit tensors without a zero point need one plane;
/// differences of 17 bits need a second for the lowest bit.
struct IntegerPlane {
  int32_t factor;
  std::vector<int16_t> values;
};
std::vector<IntegerPlane> integerPlanes(const Operand &operand);

/// Rule R14: the integers of a set of activations that share a range; returns
/// their step.
float quantizeSet(const float *values, int64_t count, int32_t levels,
                  int16_t *integers);

/// Rule R14 with a step that is known: a real number from a sum of `(x - zx)
/// w`, the sum of the weights alone, and a bias.
struct FixedStep {
  float stepX;
  int32_t zeroX;

  float operator()(int32_t sum, float scaleW, int32_t weights,
                   float bias) const {
    // The arrays add `x w`; what the zero point brings is part of the bias.
    auto shift = static_cast<int32_t>(static_cast<uint32_t>(zeroX) *
                                      static_cast<uint32_t>(weights));
    return numerics::combineByStep(
        numerics::addWrapping(sum, shift), stepX, scaleW,
        numerics::shiftBias(bias, shift, stepX, scaleW));
  }
};

/// Plain integers; nothing where an element has more than 16 bits.
inline std::optional<std::vector<int16_t>>
shortIntegers(const Operand &operand) {
  if (operand.info.quant)
    return std::nullopt;
  std::vector<int16_t> values(operand.info.size());
  auto read = [&](auto kind) {
    const auto *from = operand.as<decltype(kind)>();
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<int16_t>(from[i]);
      if (values[i] != static_cast<int64_t>(from[i]))
        return false;
    }
    return true;
  };
  bool fits = false;
  switch (operand.info.dtype) {
  case DType::I8:
    fits = read(int8_t());
    break;
  case DType::U8:
    fits = read(uint8_t());
    break;
  case DType::I16:
    fits = read(int16_t());
    break;
  case DType::U16:
    fits = read(uint16_t());
    break;
  case DType::I32:
    fits = read(int32_t());
    break;
  default:
    break;
  }
  if (!fits)
    return std::nullopt;
  return values;
}

} // namespace cimc::reference

#endif // CIMC_LIB_REFERENCE_INTEGERPLANES_H
