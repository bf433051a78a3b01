//===- NumericsTest.cpp - the arithmetic contract -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/Numerics.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

using namespace cimc::numerics;

namespace {

constexpr Range s8{-128, 127}, u8{0, 255}, s16{-32768, 32767};

/// Rounds an integer to 24 significant bits, half to even.
int64_t to24Bits(int64_t value) {
  int shift = 0;
  while ((value >> shift) >= (int64_t(1) << 24))
    ++shift;
  if (shift == 0)
    return value;
  int64_t unit = int64_t(1) << shift, rest = value & (unit - 1);
  int64_t low = value - rest;
  bool up = rest > unit / 2 || (rest == unit / 2 && (low >> shift & 1));
  return up ? low + unit : low;
}

/// R3 with integers alone, as a digital requantizer computes it.
int32_t requantizeWithIntegers(int32_t acc, float multiplier, int32_t zero,
                               Range range) {
  int exponent;
  int64_t m =
      static_cast<int64_t>(std::ldexp(std::frexp(multiplier, &exponent), 24));
  int shift = 24 - exponent; // multiplier = m / 2^shift
  int64_t magnitude = to24Bits(std::abs(int64_t(acc)));
  int scaled = 0;
  while (magnitude && magnitude % 2 == 0) {
    magnitude /= 2;
    ++scaled;
  }
  int64_t product = to24Bits(magnitude * m);
  shift -= scaled;
  int64_t q;
  if (shift <= 0) {
    q = shift < -20 || product > (int64_t(1) << 40) ? (product ? 1 << 30 : 0)
                                                    : product << -shift;
  } else if (shift > 60) {
    q = 0;
  } else {
    int64_t unit = int64_t(1) << shift, rest = product & (unit - 1);
    q = product >> shift;
    if (rest > unit / 2 || (rest == unit / 2 && q % 2))
      ++q;
  }
  q = std::min<int64_t>(q, 1 << 30);
  q = (acc < 0 ? -q : q) + zero;
  return static_cast<int32_t>(
      std::min<int64_t>(std::max<int64_t>(q, range.min), range.max));
}

} // namespace

TEST_CASE("R3: ties go to even, the zero point is added afterwards") {
  // 0.5, 1.5, 2.5 with an odd zero point: 0 + 3, 2 + 3, 2 + 3.
  CHECK(requantize(1, 0.5f, 3, s8) == 3);
  CHECK(requantize(3, 0.5f, 3, s8) == 5);
  CHECK(requantize(5, 0.5f, 3, s8) == 5);
  CHECK(requantize(-1, 0.5f, 3, s8) == 3);
  CHECK(requantize(-3, 0.5f, 3, s8) == 1);
}

TEST_CASE("R3: saturates at both ends, also far out and with zero points") {
  CHECK(requantize(std::numeric_limits<int32_t>::max(), 1e30f, 7, s8) == 127);
  CHECK(requantize(std::numeric_limits<int32_t>::min(), 1e30f, 7, s8) == -128);
  CHECK(requantize(255 - 17, 1.0f, 17, u8) == 255);
  CHECK(requantize(256 - 17, 1.0f, 17, u8) == 255);
  CHECK(requantize(-17, 1.0f, 17, u8) == 0);
  CHECK(requantize(-18, 1.0f, 17, u8) == 0);
  CHECK(requantize(0, 1e-30f, 255, u8) == 255);
}

TEST_CASE("R3: sums above 2^24 round to fp32 first") {
  // 2^24 + 1 is no fp32 number; half to even makes it 2^24.
  CHECK(requantize((1 << 24) + 1, std::ldexp(1.0f, -16), 0, s16) == 256);
  // 2^24 + 3 becomes 2^24 + 4, which tips 512.5 + 1.2e-4 / 2.
  CHECK(requantize((1 << 25) + (1 << 15) + 1, std::ldexp(1.0f, -16), 0, s16) ==
        512);
  CHECK(requantize((1 << 25) + (1 << 15) + 3, std::ldexp(1.0f, -16), 0, s16) ==
        513);
}

TEST_CASE("R3 equals its integer-only form") {
  std::mt19937 random(1);
  auto uniform = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  int ties = 0;
  for (int i = 0; i < 300000; ++i) {
    int32_t acc = static_cast<int32_t>(random()) >> uniform(0, 28);
    // Two of five multipliers are powers of two: ties.
    bool power = uniform(0, 4) < 2;
    float m =
        std::ldexp(power ? 1.0f : 1.0f + uniform(0, 1 << 23) * 1.1920929e-7f,
                   uniform(-30, 1));
    Range range = uniform(0, 1) ? s8 : u8;
    int32_t zero = uniform(range.min, range.max) | 1;
    float p = static_cast<float>(acc) * m;
    ties += std::fabs(p) < 256 && p - std::floor(p) == 0.5f;
    INFO(acc << " " << m << " " << zero);
    REQUIRE(requantize(acc, m, zero, range) ==
            requantizeWithIntegers(acc, m, zero, range));
  }
  CHECK(ties > 1000);
}

TEST_CASE("R4: quantization divides, and knows NaN and infinities") {
  const float inf = std::numeric_limits<float>::infinity();
  CHECK(quantize(std::nanf(""), 0.5f, 3, u8) == 0);
  CHECK(quantize(std::nanf(""), 0.5f, 3, s8) == -128);
  CHECK(quantize(inf, 0.5f, 3, s8) == 127);
  CHECK(quantize(-inf, 0.5f, 3, s8) == -128);
  CHECK(quantize(0.25f, 0.5f, 3, s8) == 3);
  CHECK(quantize(0.75f, 0.5f, 3, s8) == 5);
  // A true division: 2.5 * s / s is 2.5 again, times the reciprocal it is not.
  int differences = 0;
  for (int i = 1; i < 2000; ++i) {
    float s = static_cast<float>(i) / 3000.0f;
    float x = 2.5f * s;
    int32_t q = quantize(x, s, 0, s8);
    double exact = double(x) / double(s);
    CHECK(q == static_cast<int32_t>(std::nearbyint(static_cast<float>(exact))));
    differences += q != static_cast<int32_t>(std::nearbyintf(x * (1.0f / s)));
  }
  CHECK(differences > 0);
}

TEST_CASE("R4: dequantization wraps and rounds int32") {
  CHECK(dequantize(127, 0.5f, -128) == 127.5f);
  CHECK(dequantize((1 << 24) + 1, 1.0f, 0) == 16777216.0f);
  CHECK(dequantize(std::numeric_limits<int32_t>::min(), 1.0f, 1) ==
        2147483648.0f);
}

TEST_CASE("R4: quantization to int32 saturates") {
  constexpr Range s32{std::numeric_limits<int32_t>::min(),
                      std::numeric_limits<int32_t>::max()};
  CHECK(quantize(1e20f, 1.0f, 0, s32) == s32.max);
  CHECK(quantize(2147483648.0f, 1.0f, 0, s32) == s32.max);
  CHECK(quantize(-1e20f, 1.0f, 0, s32) == s32.min);
  CHECK(quantize(2147483520.0f, 1.0f, 0, s32) == 2147483520);
}

TEST_CASE("rounding is half to even at every size") {
  for (float x : {0.5f, 1.5f, 2.5f, 0.49999997f, 4194303.5f, 4194302.5f,
                  8388607.5f, 1e10f, 3.0e38f}) {
    CHECK(roundHalfEven(x) == std::nearbyintf(x));
    CHECK(roundHalfEven(-x) == std::nearbyintf(-x));
  }
}

TEST_CASE("R5: the zero point is inside the rounding") {
  // 0.5 * a with zc = 1 gives 1 + 0.5 = 1.5 -> 2, not 0 + 1.
  AddConstants c = addConstants(0.5f, 0, 0.5f, 0, 1.0f, 1);
  CHECK(add(1, 0, c, s8) == 2);
  CHECK(add(2, 1, c, s8) == 2);
  CHECK(add(127, 127, c, s8) == 127);
  CHECK(add(-128, -128, c, s8) == -127);
  // What does not fit an int32 becomes its minimum.
  c = addConstants(1e9f, 0, 1e9f, 0, 1e-9f, 0);
  CHECK(add(100, 100, c, u8) == 0);
}

TEST_CASE("R5: which operand is the scalar of a span") {
  CHECK(firstIsSpanScalar({1, 5, 1, 1}, {2, 5, 3, 3}));
  CHECK_FALSE(firstIsSpanScalar({2, 5, 3, 3}, {1, 5, 1, 1}));
  CHECK_FALSE(firstIsSpanScalar({1, 5, 1, 1}, {2, 5, 1, 1}));
  CHECK(firstIsSpanScalar({}, {3}));
  CHECK_FALSE(firstIsSpanScalar({3}, {2, 3}));
  CHECK_FALSE(firstIsSpanScalar({}, {}));
  CHECK(firstIsSpanScalar({2, 1}, {2, 7}));
}

TEST_CASE("R6: products round with the zero point") {
  CHECK(mul(3, 0, 1, 0, 0.5f, 1, s8) == 2);     // 1.5 + 1 = 2.5
  CHECK(mul(1, 0, 1, 0, 0.5f, 1, s8) == 2);     // 0.5 + 1 = 1.5
  CHECK(mul(200, 0, 200, 0, 1e7f, 0, u8) == 0); // past int32
  CHECK(mul(-128, 127, -128, 127, 1.0f, 0, s8) == 127);
  CHECK(mul(65535, 0, 65535, 0, 1.0f / 65536.0f, 0, {0, 65535}) == 65534);
}

TEST_CASE("R7: biases round and saturate") {
  CHECK(quantizeBias(0.25f, 0.5f, 1.0f) == 0);
  CHECK(quantizeBias(0.75f, 0.5f, 1.0f) == 2);
  CHECK(quantizeBias(1e20f, 1e-3f, 1e-3f) ==
        std::numeric_limits<int32_t>::max());
  CHECK(quantizeBias(-1e20f, 1e-3f, 1e-3f) ==
        std::numeric_limits<int32_t>::min());
  CHECK(quantizeBias(0.0f, 0.0f, 1.0f) == std::numeric_limits<int32_t>::min());
}

TEST_CASE("R9: averages") {
  float m = globalAverageMultiplier(0.5f, 0.25f, 4);
  CHECK(requantize(1, m, 1, s8) == 1);             // 0.5 -> 0, + 1
  CHECK(requantize(3, m, 1, s8) == 3);             // 1.5 -> 2, + 1
  CHECK(averageFinish(0.5f, 1, 1.0f, 1, s8) == 2); // 1.5 -> 2
  CHECK(averageFinish(0.0f, 0, 1.0f, 1, s8) == -128);
}

TEST_CASE("the logistic function saturates and is odd around one half") {
  CHECK(logistic(0.0f) == 0.5f);
  CHECK(logistic(100.0f) == logistic(18.0f));
  CHECK(logistic(-100.0f) == logistic(-18.0f));
  CHECK(std::isnan(logistic(std::nanf(""))));
  for (float x = -20.0f; x < 20.0f; x += 0.37f)
    CHECK(logistic(x) ==
          Approx(1.0 / (1.0 + std::exp(-double(x)))).margin(2e-7));
}

TEST_CASE("QLinearSoftmax: constants and overflow") {
  SoftmaxConstants c = softmaxConstants(0.1f, 0.05f, 10);
  CHECK(c.y == 20.0f);
  CHECK(c.table[255] > c.table[254]);
  CHECK(softmaxConstants(0.1f, 1.5f, 10).y == 0.0f);
  // One element and y = 256 overflow: u8 keeps the zero point, s8 wraps.
  c = softmaxConstants(0.5f, 1.0f / 256, 1);
  uint8_t in = 77, out = 0;
  softmaxRow(&in, &out, 1, false, c.table, c.y, 9);
  CHECK(out == 9);
  softmaxRow(&in, &out, 1, true, c.table, c.y, -9);
  CHECK(static_cast<int8_t>(out) == 127);
  softmaxRow(&in, &out, 1, true, c.table, c.y, 9);
  CHECK(static_cast<int8_t>(out) == -128);
}

TEST_CASE("QLinearSoftmax: the sign of the type only shifts the codes") {
  SoftmaxConstants c = softmaxConstants(0.05f, 1.0f / 256, 5);
  uint8_t in[] = {3, 200, 199, 90, 200}, flipped[5], out[5], outSigned[5];
  for (int i = 0; i < 5; ++i)
    flipped[i] = in[i] ^ 0x80;
  softmaxRow(in, out, 5, false, c.table, c.y, 0);
  softmaxRow(flipped, outSigned, 5, true, c.table, c.y, -128);
  for (int i = 0; i < 5; ++i)
    CHECK(static_cast<int8_t>(outSigned[i]) + 128 == out[i]);
}

TEST_CASE("functions are found by mnemonic") {
  Function f;
  CHECK(parseFunction("hard_swish", f));
  CHECK(f == Function::HardSwish);
  CHECK(arity(Function::Pow) == 2);
  CHECK(mnemonic(Function::Clip) == std::string("clip"));
  CHECK_FALSE(parseFunction("no_such_function", f));
  CHECK(apply(Function::Clip, 9.0f, 0.0f, -1.0f, 6.0f) == 6.0f);
  CHECK(apply(Function::LeakyRelu, -2.0f, 0.0f, 0.25f, 0.0f) == -0.5f);
  float in[] = {-1.0f, 2.0f}, out[2];
  applyToAll(Function::Relu, in, out, 2, 0, 0);
  CHECK(out[0] == 0.0f);
  CHECK(out[1] == 2.0f);
}

TEST_CASE("applyToAll is apply of each, also in place") {
  const float special[] = {NAN, INFINITY, -INFINITY, -0.0f, 0.0f, 1e-40f};
  std::vector<float> in;
  for (int i = 0; i < 67; ++i)
    in.push_back(i % 5 == 0 ? special[i / 5 % 6] : float(i % 13 - 6) / 2);
  for (Function function :
       {Function::Clip, Function::Relu, Function::Neg, Function::Tanh})
    for (int64_t n : {0, 1, 3, 4, 5, 16, 17, 67}) {
      std::vector<float> out(in.size(), 9), same = in;
      applyToAll(function, in.data(), out.data(), n, -1, 2);
      applyToAll(function, same.data(), same.data(), n, -1, 2);
      for (int64_t i = 0; i < n; ++i) {
        float expected = apply(function, in[i], 0, -1, 2);
        CHECK(std::memcmp(&out[i], &expected, 4) == 0);
        CHECK(std::memcmp(&same[i], &expected, 4) == 0);
      }
    }
  CHECK(apply(Function::Clip, NAN, 0, -1, 2) == -1);
  CHECK(apply(Function::Clip, INFINITY, 0, -1, 2) == 2);
}

TEST_CASE("R8: tables are indexed by the raw byte") {
  auto table = makeTable(Function::Relu, 0, 0, 0.5f, 3, true, 0.25f, 1, false);
  for (int q = -128; q < 128; ++q) {
    int expected = std::min(255, std::max(0, q - 3) * 2 + 1);
    CHECK(static_cast<uint8_t>(table[static_cast<uint8_t>(q)]) == expected);
  }
}

TEST_CASE("R10: the identity table requantizes with ties") {
  auto table =
      makeTable(Function::Identity, 0, 0, 0.5f, 0, false, 1.0f, 0, false);
  for (int q = 0; q < 256; ++q)
    CHECK(static_cast<uint8_t>(table[q]) ==
          static_cast<int>(std::nearbyint(q * 0.5)));
}

TEST_CASE("wide fixed point keeps its bound") {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  double worst = 0;
  for (int round = 0; round < 4000; ++round) {
    int length = 1 + int(random() % 40);
    std::vector<float> x(length), w(length);
    float largestX = 0, largestW = 0;
    float scaleX = std::ldexp(1.0f, int(random() % 200) - 100);
    for (int i = 0; i < length; ++i) {
      x[i] = normal(random) * scaleX;
      w[i] = normal(random);
      largestX = largerMagnitude(largestX, x[i]);
      largestW = largerMagnitude(largestW, w[i]);
    }
    float unitX = wideUnit(largestX), unitW = wideUnit(largestW);
    int32_t sums[kWideDigits] = {};
    double exact = 0;
    for (int i = 0; i < length; ++i) {
      int8_t a[kWideDigits], b[kWideDigits];
      wideDigits(x[i], unitX, a);
      wideDigits(w[i], unitW, b);
      for (int s = 0; s < kWideDigits; ++s)
        for (int d = 0; d <= s; ++d)
          sums[s] += a[d] * b[s - d];
      exact += double(x[i]) * w[i];
    }
    double scale = double(largestX) * largestW * length;
    double error = std::fabs(wideCombine(sums, unitX, unitW, 0.0f) - exact) -
                   std::ldexp(std::fabs(exact), -24);
    CHECK(error <= std::ldexp(scale, -20));
    worst = std::max(worst, error / scale);
  }
  // Not a bound that nothing comes near.
  CHECK(worst > 1e-9);
}

TEST_CASE("wide digits are balanced, and units the least that fit") {
  for (float largest : {1.0f, 0.75f, 8355711.0f, 8355712.0f, 3e38f, 1e-40f}) {
    float unit = wideUnit(largest);
    int exponent;
    CHECK(std::frexp(unit, &exponent) == 0.5f);
    CHECK(double(largest) / unit <= kWideLimit);
    if (unit > std::numeric_limits<float>::denorm_min())
      CHECK(double(largest) / unit * 2 > kWideLimit);
    int8_t digits[kWideDigits];
    for (float x : {largest, -largest, largest / 3, 0.0f, unit, -unit * 128}) {
      wideDigits(x, unit, digits);
      double value = (digits[0] * 256.0 + digits[1]) * 256 + digits[2];
      CHECK(std::fabs(value - double(x) / unit) <= 0.5);
    }
  }
  CHECK(wideUnit(0.0f) == std::numeric_limits<float>::denorm_min());
  float nan = wideUnit(std::numeric_limits<float>::infinity());
  CHECK(nan != nan);
  int8_t digits[kWideDigits] = {1, 1, 1};
  wideDigits(5.0f, nan, digits);
  CHECK((digits[0] == 0 && digits[1] == 0 && digits[2] == 0));
  int32_t sums[kWideDigits] = {1, 2, 3};
  float sum = wideCombine(sums, nan, 1.0f, 1.0f);
  CHECK(sum != sum);
  CHECK(wideCombine(sums, 0.5f, 2.0f, 1.0f) == 66051.0f * 65536.0f + 1.0f);
  // NaN is not forgotten.
  float largest = largerMagnitude(largerMagnitude(0.0f, NAN), 3.0f);
  CHECK(largest != largest);
}
