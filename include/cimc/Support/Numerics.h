//===- Numerics.h - the arithmetic contract ---------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The rules R1 to R12 of docs/numerics.md, once, for every evaluator, the
// compiler's constant computations and the chip model. Every translation unit
// that includes this is compiled with -ffp-contract=off (set project-wide);
// where a rule says fma it calls std::fma.
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_SUPPORT_NUMERICS_H
#define CIMC_SUPPORT_NUMERICS_H

#include "cimc/Support/HostTensor.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace cimc::numerics {

/// Limits of an integer storage type.
struct Range {
  int32_t min, max;
};

/// int32 addition modulo 2^32, the overflow rule of R1.
inline int32_t addWrapping(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) +
                              static_cast<uint32_t>(b));
}

/// Half to even, in the default rounding mode. A zero may lose its sign.
inline float roundHalfEven(float x) {
  // Adding 1.5 * 2^23 pushes the fraction out; nearbyintf is a library call on
  // plain x86-64.
  if (std::fabs(x) < 4194304.0f) {
    float shifted = x + 12582912.0f;
    return shifted - 12582912.0f;
  }
  return std::nearbyintf(x);
}

/// Clamp in fp32, round, add the zero point: the common tail of R3 and R4. NaN
/// gives the lower limit.
inline int32_t clampRound(float p, int32_t zero, Range range) {
  float low = static_cast<float>(int64_t(range.min) - zero);
  float high = static_cast<float>(int64_t(range.max) - zero);
  if (!(p > low))
    return range.min;
  if (p >= high)
    return range.max;
  return static_cast<int32_t>(roundHalfEven(p)) + zero;
}

/// R2: the multiplier of a weighted sum, (sx * sw) / sy.
inline float multiplier(float scaleX, float scaleW, float scaleY) {
  float product = scaleX * scaleW;
  return product / scaleY;
}

/// R3: int32 sum to a quantized integer.
inline int32_t requantize(int32_t acc, float multiplier, int32_t zero,
                          Range range) {
  float f = static_cast<float>(acc);
  float p = f * multiplier;
  return clampRound(p, zero, range);
}

/// R4: real to quantized.
inline int32_t quantize(float x, float scale, int32_t zero, Range range) {
  return clampRound(x / scale, zero, range);
}

/// R4: quantized to real. `q - zero` wraps; an int32 difference rounds to fp32.
inline float dequantize(int32_t q, float scale, int32_t zero) {
  int32_t d = static_cast<int32_t>(static_cast<uint32_t>(q) -
                                   static_cast<uint32_t>(zero));
  return static_cast<float>(d) * scale;
}

/// R5: the constants of a quantized addition; computed by the compiler.
struct AddConstants {
  float ra, rb, f;
};
inline AddConstants addConstants(float scaleA, int32_t zeroA, float scaleB,
                                 int32_t zeroB, float scaleC, int32_t zeroC) {
  AddConstants c;
  c.ra = scaleA / scaleC;
  c.rb = scaleB / scaleC;
  float rbzb = c.rb * static_cast<float>(zeroB);
  c.f = static_cast<float>(zeroC) -
        std::fma(c.ra, static_cast<float>(zeroA), rbzb);
  return c;
}

/// R5 and R6 saturate after rounding; the kernels' conversion turns what does
/// not fit an int32 into its minimum (docs/numerics.md, trap 9).
inline int32_t roundSaturate(float x, Range range) {
  if (!(x >= -2147483648.0f && x < 2147483648.0f))
    return range.min;
  int32_t q = static_cast<int32_t>(roundHalfEven(x));
  return q < range.min ? range.min : q > range.max ? range.max : q;
}

/// R5: a and b are raw integers.
inline int32_t add(int32_t a, int32_t b, const AddConstants &c, Range range) {
  float inner = std::fma(static_cast<float>(b), c.rb, c.f);
  return roundSaturate(std::fma(static_cast<float>(a), c.ra, inner), range);
}

/// R5: whether the kernel sees `a` as the broadcast scalar of each contiguous
/// span of the result: of the innermost axis where one shape is not 1, `a`
/// is 1. Then the operands swap roles: addConstants(b.., a..) and add(b, a,
/// ..). Shapes are aligned at the right, like numpy's.
bool firstIsSpanScalar(const std::vector<int64_t> &shapeA,
                       const std::vector<int64_t> &shapeB);

/// R6: r = (sa * sb) / sc.
inline int32_t mul(int32_t a, int32_t zeroA, int32_t b, int32_t zeroB, float r,
                   int32_t zeroC, Range range) {
  // 64 bits, for the products of 16-bit operands.
  float product =
      static_cast<float>((int64_t(a) - zeroA) * (int64_t(b) - zeroB));
  float scaled = product * r;
  return roundSaturate(scaled + static_cast<float>(zeroC), range);
}

/// R7: a float bias as an int32 of scale sx * sw[c].
int32_t quantizeBias(float bias, float scaleX, float scaleW);

/// R9: the multiplier of a global average over n elements, sx / (sy * n).
inline float globalAverageMultiplier(float scaleX, float scaleY, int64_t n) {
  float denominator = scaleY * static_cast<float>(n);
  return scaleX / denominator;
}

/// R9: one output of a window average from its sum of dequantized values
/// (sequential fp32, row-major) and its count.
inline int32_t averageFinish(float sum, int64_t count, float scaleY,
                             int32_t zeroY, Range range) {
  float mean = sum / static_cast<float>(count);
  float scaled = mean / scaleY;
  return roundSaturate(scaled + static_cast<float>(zeroY), range);
}

/// A step of an fp32 sum of products: both operations are rounded.
inline float multiplyAdd(float sum, float a, float b) {
  float product = a * b;
  return sum + product;
}

/// R13: the digits, base 256, of a wide fixed-point number. A number is
/// `t * unit` with an integer t of at most kWideLimit in magnitude and a unit
/// that is a power of two; t is written with balanced digits, most significant
/// first.
inline constexpr int kWideDigits = 3;
inline constexpr int32_t kWideLimit = 127 * (256 * 256 + 256 + 1);

/// R13: the larger of `largest` and |x|; NaN once there was one.
inline float largerMagnitude(float largest, float x) {
  float magnitude = std::fabs(x);
  return magnitude > largest || magnitude != magnitude ? magnitude : largest;
}

/// R13: the least power of two, from 2^-149 on, by which numbers up to
/// `largest` in magnitude have t within the limit. NaN where `largest` is not
/// finite.
float wideUnit(float largest);

/// R13: the digits of rint(x / unit). Zeros where the unit is NaN.
void wideDigits(float x, float unit, int8_t *digits);

/// R13: the sum of products from those of digits: sums[j] has the products of
/// digits i of x and j - i of w. Exact until one rounding to fp32; then the
/// bias is added. NaN where unitX is.
float wideCombine(const int32_t *sums, float unitX, float unitW, float bias);

/// R14: how many steps of a range are on one side of 0: activations are signed,
/// or known not to be negative.
inline constexpr int32_t kSignedLevels = 127, kUnsignedLevels = 255;

/// R14: what counts of a number for the range: where activations are not
/// negative, a number that is counts as 0.
inline float inRange(float x, int32_t levels) {
  return levels == kUnsignedLevels && x < 0.0f ? 0.0f : x;
}

/// R14: the step by which numbers up to `largest` in magnitude have `levels`
/// levels; 1 where all are 0 or next to it, NaN where one is not finite.
float rangeStep(float largest, int32_t levels);

/// R14: rint(x / step), within [-127, 127] or [0, 255]. 0 where the step is
/// NaN.
int32_t quantizeByStep(float x, float step, int32_t levels);

/// R14: a sum of products of integers as a real number, and the bias. NaN where
/// stepX is.
inline float combineByStep(int32_t sum, float stepX, float scaleW, float bias) {
  float scale = stepX * scaleW;
  float product = static_cast<float>(sum) * scale;
  return product + bias;
}

/// R14 with a step that is known: the bias where the arrays add `x w` instead
/// of
/// `(x - zx) w`, which is `shift` = zx * sum w more.
inline float shiftBias(float bias, int32_t shift, float stepX, float scaleW) {
  float scale = stepX * scaleW;
  float product = static_cast<float>(shift) * scale;
  return bias - product;
}

/// The logistic function as ONNX Runtime computes it in fp32: a rational
/// function of odd degree on [-18, 18].
float logistic(float x);

/// QLinearSoftmax's constants: `table[i]` is the exponential of an input that
/// is `255 - i` steps below the largest of its row, `y` is floor(1 / scaleY).
struct SoftmaxConstants {
  std::array<float, 256> table;
  float y;
};
/// `length` is the number of elements a softmax runs over.
SoftmaxConstants softmaxConstants(float scaleX, float scaleY, int64_t length);

/// QLinearSoftmax of `length` elements at stride 1. `in` and `out` are raw
/// bytes of the type that `isSigned` names.
void softmaxRow(const uint8_t *in, uint8_t *out, int64_t length, bool isSigned,
                const std::array<float, 256> &table, float y, int32_t zeroY);

/// softmax of `length` floats at stride 1: exp(x - max), summed in order,
/// divided.
void softmaxF32(const float *in, float *out, int64_t length);

/// log(softmax) of `length` floats at stride 1: (x - max) - log(sum).
void logSoftmaxF32(const float *in, float *out, int64_t length);

/// `length` floats at stride 1 with mean 0 and variance 1:
/// (x - mean) * (1 / sqrt(variance + epsilon)), sums in order.
void layerNormF32(const float *in, float *out, int64_t length, float epsilon);

/// x * (1 / sqrt(mean(x^2) + epsilon)) likewise.
void rmsNormF32(const float *in, float *out, int64_t length, float epsilon);

/// log(1 + exp(x)) without overflow.
inline float softplus(float x) {
  return x > 0.0f ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}

/// The remainder with the sign of the divisor.
inline float modulo(float a, float b) {
  float r = std::fmod(a, b);
  return r != 0.0f && (r < 0.0f) != (b < 0.0f) ? r + b : r;
}

/// The nearest number of a float type of fewer bits, ties to even; what
/// `saturate` (0 or 1) means is said at toSmallFloat.
float asSmallFloat(DType type, float value, float saturate);

/// alpha and beta of a function of Functions.def.
struct Parameters {
  float alpha = 0.0f, beta = 0.0f;
};

/// Functions of one fp32 variable that tables and the vector unit compute.
enum class Function : uint8_t {
#define CIMC_FUNCTION(NAME, MNEMONIC, ARITY, EXPRESSION) NAME,
#include "cimc/Support/Functions.def"
};

/// The nn mnemonic of a function.
const char *mnemonic(Function function);
/// 1 or 2.
int arity(Function function);
/// Looks a function up by mnemonic; false where there is none.
bool parseFunction(const char *mnemonic, Function &function);
/// f(a), or f(a, b); alpha and beta are the operation's attributes.
float apply(Function function, float a, float b, float alpha, float beta);

/// out[i] = apply(function, a[i], ...), for functions of one variable. `out`
/// may be `a`; otherwise the two must not overlap.
void applyToAll(Function function, const float *a, float *out, int64_t length,
                float alpha, float beta);

/// R8, R10: table[raw byte of x] = quantize(f(dequantize(x))). Identity
/// requantizes.
std::array<int8_t, 256> makeTable(Function function, float alpha, float beta,
                                  float scaleX, int32_t zeroX, bool signedX,
                                  float scaleY, int32_t zeroY, bool signedY);

} // namespace cimc::numerics

#endif // CIMC_SUPPORT_NUMERICS_H
