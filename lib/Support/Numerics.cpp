//===- Numerics.cpp - the arithmetic contract -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/Numerics.h"

#include "cimc/Support/SmallFloat.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace cimc::numerics {

bool firstIsSpanScalar(const std::vector<int64_t> &shapeA,
                       const std::vector<int64_t> &shapeB) {
  for (size_t i = 1; i <= std::max(shapeA.size(), shapeB.size()); ++i) {
    int64_t a = i <= shapeA.size() ? shapeA[shapeA.size() - i] : 1;
    int64_t b = i <= shapeB.size() ? shapeB[shapeB.size() - i] : 1;
    if (a != 1 || b != 1)
      return a == 1;
  }
  return false;
}

int32_t quantizeBias(float bias, float scaleX, float scaleW) {
  float scale = scaleX * scaleW;
  float q = roundHalfEven(bias / scale);
  if (!(q > -2147483648.0f)) // also NaN
    return std::numeric_limits<int32_t>::min();
  if (q >= 2147483648.0f)
    return std::numeric_limits<int32_t>::max();
  return static_cast<int32_t>(q);
}

float wideUnit(float largest) {
  if (!std::isfinite(largest))
    return std::numeric_limits<float>::quiet_NaN();
  if (largest == 0.0f)
    return std::numeric_limits<float>::denorm_min();
  int exponent;
  float mantissa = std::frexp(largest, &exponent);
  // t is below 2^23 at 2^(exponent - 23), but the limit lies below that too.
  exponent -=
      std::ldexp(mantissa, 23) > static_cast<float>(kWideLimit) ? 22 : 23;
  return std::ldexp(1.0f, std::max(exponent, -149));
}

void wideDigits(float x, float unit, int8_t *digits) {
  // Division by a power of two is exact; NaN gives 0.
  float t = roundHalfEven(x / unit);
  constexpr auto limit = static_cast<float>(kWideLimit);
  auto rest = std::isnan(t)
                  ? 0
                  : static_cast<int32_t>(std::min(std::max(t, -limit), limit));
  for (int d = kWideDigits; d-- > 0;) {
    auto digit = static_cast<int8_t>(rest);
    digits[d] = digit;
    rest = (rest - digit) / 256;
  }
}

float wideCombine(const int32_t *sums, float unitX, float unitW, float bias) {
  int64_t sum = 0;
  double unit = double(unitX) * double(unitW);
  for (int d = 0; d < kWideDigits; ++d) {
    sum = sum * 256 + sums[d];
    unit *= d ? 256.0 : 1.0;
  }
  // 48 bits times powers of two: the conversion is the only rounding.
  return static_cast<float>(static_cast<double>(sum) * unit) + bias;
}

float rangeStep(float largest, int32_t levels) {
  if (!std::isfinite(largest))
    return std::numeric_limits<float>::quiet_NaN();
  float step = largest / static_cast<float>(levels);
  return step > 0.0f ? step : 1.0f;
}

int32_t quantizeByStep(float x, float step, int32_t levels) {
  float t = roundHalfEven(x / step);
  if (std::isnan(t))
    return 0;
  auto high = static_cast<float>(levels);
  float low = levels == kUnsignedLevels ? 0.0f : -high;
  return static_cast<int32_t>(std::min(std::max(t, low), high));
}

float logistic(float x) {
  // The coefficients of ONNX Runtime's kernel, highest power of t first.
  constexpr float p[] = {4.37031012579801e-11f, 1.15627324459942e-07f,
                         6.08574864600143e-05f, 8.51377133304701e-03f,
                         2.48287947061529e-01f};
  constexpr float q[] = {6.10247389755681e-13f, 5.76102136993427e-09f,
                         6.29106785017040e-06f, 1.70198817374094e-03f,
                         1.16817656904453e-01f, 9.93151921023180e-01f};
  if (std::isnan(x))
    return x;
  float v = std::min(std::max(x, -18.0f), 18.0f);
  float t = v * v;
  float numerator = p[0];
  for (size_t i = 1; i < std::size(p); ++i)
    numerator = std::fma(numerator, t, p[i]);
  numerator = v * numerator;
  float denominator = q[0];
  for (size_t i = 1; i < std::size(q); ++i)
    denominator = std::fma(denominator, t, q[i]);
  float ratio = numerator / denominator;
  float y = ratio + 0.5f;
  return std::min(std::max(y, 0.0f), 1.0f);
}

SoftmaxConstants softmaxConstants(float scaleX, float scaleY, int64_t length) {
  SoftmaxConstants c;
  float limit = std::numeric_limits<float>::max() / static_cast<float>(length);
  // The logarithm is a single-precision one; the rest is in double.
  double shift = std::max(0.0, double(std::log(limit)) - 5.0) / scaleX;
  for (int i = 0; i < 256; ++i)
    c.table[i] =
        static_cast<float>(std::exp((i - 255 + shift) * double(scaleX)));
  c.y = std::floor(1.0f / scaleY);
  return c;
}

/// float to int32 as x86 converts: what does not fit becomes the minimum.
static int32_t toInt32Indefinite(float x) {
  if (!(x >= -2147483648.0f && x < 2147483648.0f))
    return std::numeric_limits<int32_t>::min();
  return static_cast<int32_t>(x);
}

/// float to uint32 as x86 converts, through 64 bits: what does not fit those
/// becomes 0.
static uint32_t toUInt32Indefinite(float x) {
  if (!(x >= -9223372036854775808.0f && x < 9223372036854775808.0f))
    return 0;
  return static_cast<uint32_t>(static_cast<int64_t>(x));
}

void softmaxRow(const uint8_t *in, uint8_t *out, int64_t length, bool isSigned,
                const std::array<float, 256> &table, float y, int32_t zeroY) {
  // Signed bytes are shifted by 128 to index the table like unsigned ones.
  const uint8_t flip = isSigned ? 0x80 : 0;
  int largest = 0;
  for (int64_t i = 0; i < length; ++i)
    largest = std::max<int>(largest, in[i] ^ flip);
  const float *shifted = table.data() + (255 - largest);
  float sum = 0.0f;
  for (int64_t i = 0; i < length; ++i)
    sum += shifted[in[i] ^ flip];
  for (int64_t i = 0; i < length; ++i) {
    float scaled = shifted[in[i] ^ flip] * y;
    float rounded = roundHalfEven(scaled / sum);
    if (isSigned) {
      int32_t q = addWrapping(toInt32Indefinite(rounded), zeroY);
      out[i] = static_cast<uint8_t>(std::min(std::max(q, -128), 127));
    } else {
      uint32_t q = toUInt32Indefinite(rounded) + static_cast<uint32_t>(zeroY);
      out[i] = static_cast<uint8_t>(std::min<uint32_t>(q, 255));
    }
  }
}

void softmaxF32(const float *in, float *out, int64_t length) {
  if (length <= 0)
    return;
  float largest = in[0];
  for (int64_t i = 1; i < length; ++i)
    largest = in[i] > largest ? in[i] : largest;
  float sum = 0.0f;
  for (int64_t i = 0; i < length; ++i) {
    out[i] = std::exp(in[i] - largest);
    sum += out[i];
  }
  for (int64_t i = 0; i < length; ++i)
    out[i] = out[i] / sum;
}

void logSoftmaxF32(const float *in, float *out, int64_t length) {
  if (length <= 0)
    return;
  float largest = *std::max_element(in, in + length);
  float sum = 0.0f;
  for (int64_t i = 0; i < length; ++i)
    sum += std::exp(in[i] - largest);
  float logarithm = std::log(sum);
  for (int64_t i = 0; i < length; ++i) {
    float distance = in[i] - largest;
    out[i] = distance - logarithm;
  }
}

void layerNormF32(const float *in, float *out, int64_t length, float epsilon) {
  auto n = static_cast<float>(length);
  float sum = 0.0f, squares = 0.0f;
  for (int64_t i = 0; i < length; ++i)
    sum += in[i];
  float mean = sum / n;
  for (int64_t i = 0; i < length; ++i) {
    out[i] = in[i] - mean;
    squares += out[i] * out[i];
  }
  float factor = 1.0f / std::sqrt(squares / n + epsilon);
  for (int64_t i = 0; i < length; ++i)
    out[i] = out[i] * factor;
}

void rmsNormF32(const float *in, float *out, int64_t length, float epsilon) {
  float squares = 0.0f;
  for (int64_t i = 0; i < length; ++i)
    squares += in[i] * in[i];
  float mean = squares / static_cast<float>(length);
  float factor = 1.0f / std::sqrt(mean + epsilon);
  for (int64_t i = 0; i < length; ++i)
    out[i] = in[i] * factor;
}

float asSmallFloat(DType type, float value, float saturate) {
  return fromSmallFloat(type, toSmallFloat(type, value, saturate != 0.0f));
}

namespace {
struct FunctionInfo {
  const char *mnemonic;
  int arity;
};
constexpr FunctionInfo functions[] = {
#define CIMC_FUNCTION(NAME, MNEMONIC, ARITY, EXPRESSION) {MNEMONIC, ARITY},
#include "cimc/Support/Functions.def"
};
} // namespace

const char *mnemonic(Function function) {
  size_t i = static_cast<size_t>(function);
  return i < std::size(functions) ? functions[i].mnemonic : "unknown";
}

int arity(Function function) {
  size_t i = static_cast<size_t>(function);
  return i < std::size(functions) ? functions[i].arity : 1;
}

bool parseFunction(const char *mnemonic, Function &function) {
  for (size_t i = 0; i < std::size(functions); ++i) {
    if (std::strcmp(functions[i].mnemonic, mnemonic) == 0) {
      function = static_cast<Function>(i);
      return true;
    }
  }
  return false;
}

float apply(Function function, float a, float b, float alpha, float beta) {
  switch (function) {
#define CIMC_FUNCTION(NAME, MNEMONIC, ARITY, EXPRESSION)                       \
  case Function::NAME:                                                         \
    return EXPRESSION;
#include "cimc/Support/Functions.def"
  }
  return a;
}

// Elements are computed in vectors without asking whether the ranges overlap.
#if defined(__clang__)
#define CIMC_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define CIMC_INDEPENDENT
#endif

void applyToAll(Function function, const float *in, float *out, int64_t length,
                float alpha, float beta) {
  // The switch outside the loop; `b` is for the functions of two variables,
  // which have no meaning here.
  const float b = 0.0f;
  (void)b;
  switch (function) {
#define CIMC_FUNCTION(NAME, MNEMONIC, ARITY, EXPRESSION)                       \
  case Function::NAME:                                                         \
    CIMC_INDEPENDENT                                                           \
    for (int64_t i = 0; i < length; ++i) {                                     \
      const float a = in[i];                                                   \
      out[i] = EXPRESSION;                                                     \
    }                                                                          \
    return;
#include "cimc/Support/Functions.def"
  }
}

std::array<int8_t, 256> makeTable(Function function, float alpha, float beta,
                                  float scaleX, int32_t zeroX, bool signedX,
                                  float scaleY, int32_t zeroY, bool signedY) {
  const Range range = signedY ? Range{-128, 127} : Range{0, 255};
  std::array<int8_t, 256> table;
  for (int byte = 0; byte < 256; ++byte) {
    int32_t q = signedX ? static_cast<int8_t>(byte) : byte;
    float x = dequantize(q, scaleX, zeroX);
    float y = apply(function, x, 0.0f, alpha, beta);
    table[byte] = static_cast<int8_t>(quantize(y, scaleY, zeroY, range));
  }
  return table;
}

} // namespace cimc::numerics
