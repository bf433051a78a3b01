//===- SmallFloat.cpp - floats of 4, 8 and 16 bits -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/SmallFloat.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cimc {

namespace {

/// What the encodings with the largest exponent, and -0, stand for.
enum class Special {
  IEEE,  ///< infinities and NaNs
  FN,    ///< numbers, but all ones is NaN
  FNUZ,  ///< numbers; -0 is NaN
  None,  ///< numbers
  Scale, ///< no sign, no fraction; all ones is NaN
};

struct Format {
  int exponentBits, fractionBits, bias;
  Special special;

  int largestExponent() const { return (1 << exponentBits) - 1; }
  uint16_t sign() const {
    return static_cast<uint16_t>(1 << (exponentBits + fractionBits));
  }
  /// The largest finite encoding.
  uint16_t largest() const {
    uint16_t all = static_cast<uint16_t>(sign() - 1);
    switch (special) {
    case Special::IEEE:
      return static_cast<uint16_t>(all - (1 << fractionBits));
    case Special::FN:
    case Special::Scale:
      return static_cast<uint16_t>(all - 1);
    default:
      return all;
    }
  }
  uint16_t nan() const {
    switch (special) {
    case Special::IEEE:
      return static_cast<uint16_t>((largestExponent() << fractionBits) |
                                   (1 << (fractionBits - 1)));
    case Special::FNUZ:
      return sign();
    case Special::None:
      return 0;
    default:
      return static_cast<uint16_t>(sign() - 1);
    }
  }
};

Format formatOf(DType type) {
  switch (type) {
  case DType::F16:
    return {5, 10, 15, Special::IEEE};
  case DType::BF16:
    return {8, 7, 127, Special::IEEE};
  case DType::F8E4M3FN:
    return {4, 3, 7, Special::FN};
  case DType::F8E4M3FNUZ:
    return {4, 3, 8, Special::FNUZ};
  case DType::F8E5M2:
    return {5, 2, 15, Special::IEEE};
  case DType::F8E5M2FNUZ:
    return {5, 2, 16, Special::FNUZ};
  case DType::F8E8M0:
    return {8, 0, 127, Special::Scale};
  case DType::F4E2M1:
    return {2, 1, 1, Special::None};
  default:
    return {0, 0, 0, Special::None};
  }
}

/// ceil(log2(value)) as float8e8m0 wants it.
uint16_t toScale(float value, const Format &format) {
  if (!(value > 0))
    return value == 0 ? 0 : format.nan();
  if (std::isinf(value))
    return format.largest();
  int exponent;
  float fraction = std::frexp(value, &exponent); // in [1/2, 1)
  int field = exponent - (fraction == 0.5f ? 1 : 0) + format.bias;
  return static_cast<uint16_t>(std::clamp<int>(field, 0, format.largest()));
}

} // namespace

bool isSmallFloat(DType type) { return formatOf(type).exponentBits != 0; }

float fromSmallFloat(DType type, uint16_t bits) {
  Format f = formatOf(type);
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  if (f.special == Special::Scale)
    return bits == 255 ? nan : std::ldexp(1.0f, bits - f.bias);
  bool negative = bits & f.sign();
  int magnitude = bits & (f.sign() - 1);
  int exponent = magnitude >> f.fractionBits;
  int fraction = magnitude & ((1 << f.fractionBits) - 1);
  if (f.special == Special::FNUZ && bits == f.sign())
    return nan;
  if (magnitude > f.largest())
    return fraction || f.special == Special::FN ? nan
           : negative ? -std::numeric_limits<float>::infinity()
                      : std::numeric_limits<float>::infinity();
  float value =
      exponent
          ? std::ldexp(static_cast<float>(fraction + (1 << f.fractionBits)),
                       exponent - f.bias - f.fractionBits)
          : std::ldexp(static_cast<float>(fraction),
                       1 - f.bias - f.fractionBits);
  return negative ? -value : value;
}

uint16_t toSmallFloat(DType type, float value, bool saturate) {
  Format f = formatOf(type);
  if (std::isnan(value))
    return f.nan();
  if (f.special == Special::Scale)
    return toScale(value, f);
  uint16_t sign = std::signbit(value) ? f.sign() : uint16_t(0);
  float magnitude = std::fabs(value);
  // In units of the last place of its binade, or of the subnormal numbers.
  int exponent = 1 - f.bias;
  if (magnitude > 0 && std::isfinite(magnitude))
    exponent = std::max(exponent, std::ilogb(magnitude));
  double units = std::isinf(magnitude)
                     ? std::numeric_limits<double>::infinity()
                     : std::nearbyint(std::ldexp(static_cast<double>(magnitude),
                                                 f.fractionBits - exponent));
  uint32_t encoded = f.largest() + 1u;
  if (std::isfinite(units)) {
    // A carry out of the fraction raises the exponent by itself.
    uint32_t field = static_cast<uint32_t>(exponent + f.bias - 1);
    if (field <= static_cast<uint32_t>(f.largestExponent()))
      encoded = (field << f.fractionBits) + static_cast<uint32_t>(units);
  }
  if (encoded > f.largest()) {
    bool wide = type == DType::F16 || type == DType::BF16;
    if ((saturate && !wide) || f.special == Special::None)
      encoded = f.largest();
    else if (f.special == Special::IEEE)
      encoded = static_cast<uint32_t>(f.largestExponent()) << f.fractionBits;
    else
      return f.special == Special::FNUZ ? f.nan()
                                        : static_cast<uint16_t>(sign | f.nan());
  }
  if (f.special == Special::FNUZ && encoded == 0)
    return 0;
  return static_cast<uint16_t>(sign | encoded);
}

} // namespace cimc
