//===- NNConvolution.cpp - nn.conv -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IntegerPlanes.h"
#include "NNOperations.h"

#include "cimc/Support/Gemm.h"

#include <algorithm>
#include <array>
#include <cstring>

using namespace mlir;

namespace cimc::reference {

std::vector<IntegerPlane> integerPlanes(const Operand &operand) {
  const TensorInfo &info = operand.info;
  const Quantization &q = *info.quant;
  int64_t n = info.size();
  bool narrow = true;
  for (int32_t zero : q.zeros)
    narrow &= int64_t(q.range.min) - zero >= -32768 &&
              int64_t(q.range.max) - zero <= 32767;
  int64_t inner = 1;
  for (int64_t i = q.axis + 1; q.perAxis() && i < info.rank(); ++i)
    inner *= info.shape[i];
  if (!q.perAxis())
    inner = std::max<int64_t>(n, 1);
  int64_t channels = static_cast<int64_t>(q.zeros.size());
  std::vector<IntegerPlane> planes;
  planes.push_back({1, std::vector<int16_t>(n)});
  if (!narrow) {
    planes[0].factor = 2;
    planes.push_back({1, std::vector<int16_t>(n)});
  }
  visitInteger(info.dtype, [&](auto tag) {
    const auto *values = operand.as<decltype(tag)>();
    for (int64_t begin = 0; begin < n; begin += inner) {
      int32_t zero = q.zeros[begin / inner % channels];
      int16_t *high = planes[0].values.data();
      if (narrow) {
        for (int64_t i = begin; i < begin + inner; ++i)
          high[i] =
              static_cast<int16_t>(static_cast<int32_t>(values[i]) - zero);
        continue;
      }
      int16_t *low = planes[1].values.data();
      for (int64_t i = begin; i < begin + inner; ++i) {
        int32_t value = static_cast<int32_t>(values[i]) - zero;
        high[i] = static_cast<int16_t>(value >> 1);
        low[i] = static_cast<int16_t>(value & 1);
      }
    }
  });
  return planes;
}

namespace {

/// A convolution of one sample with three spatial axes (missing ones are 1).
struct ConvShape {
  int64_t channels, outputs, group;
  std::array<int64_t, 3> in, out, kernel, stride, dilation, low, high;

  int64_t padded(int axis) const { return low[axis] + in[axis] + high[axis]; }
  int64_t groupChannels() const { return channels / group; }
  int64_t groupOutputs() const { return outputs / group; }
  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t inPixels() const { return in[0] * in[1] * in[2]; }
  int64_t paddedPixels() const { return padded(0) * padded(1) * padded(2); }
  int64_t outPixels() const { return out[0] * out[1] * out[2]; }
  bool hasPadding() const { return inPixels() != paddedPixels(); }
};

/// The sample with zeros around it: of real inputs, and of `x - z`.
template <typename T>
const T *padSample(const ConvShape &s, const T *x, std::vector<T> &buffer) {
  if (!s.hasPadding())
    return x;
  buffer.assign(s.channels * s.paddedPixels(), T(0));
  for (int64_t c = 0; c < s.channels; ++c)
    for (int64_t z = 0; z < s.in[0]; ++z)
      for (int64_t y = 0; y < s.in[1]; ++y)
        std::memcpy(buffer.data() +
                        ((c * s.padded(0) + z + s.low[0]) * s.padded(1) + y +
                         s.low[1]) *
                            s.padded(2) +
                        s.low[2],
                    x + ((c * s.in[0] + z) * s.in[1] + y) * s.in[2],
                    s.in[2] * sizeof(T));
  return buffer.data();
}

/// Position in a padded channel of a tap of output row `row` (of out[0] *
/// out[1]), first pixel.
int64_t tapPosition(const ConvShape &s, int64_t row, int64_t tap) {
  int64_t z = row / s.out[1] * s.stride[0] +
              tap / (s.kernel[1] * s.kernel[2]) * s.dilation[0];
  int64_t y = row % s.out[1] * s.stride[1] +
              tap / s.kernel[2] % s.kernel[1] * s.dilation[1];
  int64_t x = tap % s.kernel[2] * s.dilation[2];
  return (z * s.padded(1) + y) * s.padded(2) + x;
}

/// One input channel per group: every tap adds to whole rows.
template <typename T, typename Sum>
void convolveDepthwise(const ConvShape &s, const T *padded, const T *weight,
                       Sum *sums) {
  std::fill_n(sums, s.outputs * s.outPixels(), Sum(0));
  int64_t rows = s.out[0] * s.out[1];
  for (int64_t m = 0; m < s.outputs; ++m) {
    const T *channel = padded + m / s.groupOutputs() * s.paddedPixels();
    for (int64_t tap = 0; tap < s.taps(); ++tap)
      for (int64_t row = 0; row < rows; ++row)
        axpy(s.out[2], weight[m * s.taps() + tap],
             channel + tapPosition(s, row, tap), s.stride[2],
             sums + m * s.outPixels() + row * s.out[2]);
  }
}

/// Blocks of output rows as matrices with a column for each pixel.
template <typename T, typename Sum>
void convolveGroups(const ConvShape &s, const T *padded, const T *weight,
                    Sum *sums) {
  int64_t depth = s.groupChannels() * s.taps();
  int64_t rows = s.out[0] * s.out[1];
  bool direct = s.taps() == 1 && !s.hasPadding() && s.stride[0] == 1 &&
                s.stride[1] == 1 && s.stride[2] == 1;
  constexpr int64_t blockElements = 1 << 17;
  int64_t rowElements = std::max<int64_t>(depth * s.out[2], 1);
  int64_t blockRows =
      direct ? rows : std::max<int64_t>(1, blockElements / rowElements);
  std::vector<T> columns(direct ? 0 : depth * blockRows * s.out[2]);
  for (int64_t g = 0; g < s.group; ++g) {
    const T *input = padded + g * s.groupChannels() * s.paddedPixels();
    const T *groupWeight = weight + g * s.groupOutputs() * depth;
    for (int64_t row = 0; row < rows; row += blockRows) {
      int64_t count = std::min(blockRows, rows - row);
      int64_t pixels = count * s.out[2];
      if (!direct) {
        T *to = columns.data();
        for (int64_t c = 0; c < s.groupChannels(); ++c)
          for (int64_t tap = 0; tap < s.taps(); ++tap)
            for (int64_t r = 0; r < count; ++r) {
              const T *from =
                  input + c * s.paddedPixels() + tapPosition(s, row + r, tap);
              if (s.stride[2] == 1)
                std::memcpy(to, from, s.out[2] * sizeof(T));
              else
                for (int64_t x = 0; x < s.out[2]; ++x)
                  to[x] = from[x * s.stride[2]];
              to += s.out[2];
            }
      }
      gemm(s.groupOutputs(), pixels, depth,
           MatrixRef<const T>{groupWeight, depth, 1},
           MatrixRef<const T>{direct ? input : columns.data(), pixels, 1},
           MatrixRef<Sum>{sums + g * s.groupOutputs() * s.outPixels() +
                              row * s.out[2],
                          s.outPixels(), 1});
    }
  }
}

template <typename T, typename Sum>
void convolve(const ConvShape &s, const T *sample, const T *weight, Sum *sums) {
  std::vector<T> buffer;
  const T *padded = padSample(s, sample, buffer);
  if (s.groupChannels() == 1 && s.group > 1)
    convolveDepthwise(s, padded, weight, sums);
  else
    convolveGroups(s, padded, weight, sums);
}

std::optional<ConvShape> convShape(nn::ConvOp op, const TensorInfo &input,
                                   const TensorInfo &weight,
                                   const TensorInfo &out) {
  int spatial = static_cast<int>(input.rank()) - 2;
  if (spatial < 1 || spatial > 3 || weight.rank() != input.rank() ||
      out.rank() != input.rank() ||
      op.getStrides().size() != static_cast<size_t>(spatial) ||
      op.getDilations().size() != static_cast<size_t>(spatial) ||
      op.getPads().size() != static_cast<size_t>(2 * spatial))
    return std::nullopt;
  ConvShape s;
  s.channels = input.shape[1];
  s.outputs = weight.shape[0];
  s.group = static_cast<int64_t>(op.getGroup());
  if (s.group < 1 || s.channels % s.group || s.outputs % s.group ||
      weight.shape[1] != s.channels / s.group || out.shape[1] != s.outputs)
    return std::nullopt;
  for (auto *member : {&s.in, &s.out, &s.kernel, &s.stride, &s.dilation})
    member->fill(1);
  s.low.fill(0);
  s.high.fill(0);
  for (int i = 0; i < spatial; ++i) {
    int axis = 3 - spatial + i;
    s.in[axis] = input.shape[2 + i];
    s.out[axis] = out.shape[2 + i];
    s.kernel[axis] = weight.shape[2 + i];
    s.stride[axis] = op.getStrides()[i];
    s.dilation[axis] = op.getDilations()[i];
    s.low[axis] = op.getPads()[i];
    s.high[axis] = op.getPads()[spatial + i];
    int64_t reach = (s.out[axis] - 1) * s.stride[axis] +
                    (s.kernel[axis] - 1) * s.dilation[axis] + 1;
    if (s.low[axis] < 0 || s.high[axis] < 0 || s.stride[axis] < 1 ||
        s.dilation[axis] < 1 || reach > s.padded(axis))
      return std::nullopt;
  }
  return s;
}

/// R1 for every output channel: the int32 sum of all plane products.
std::vector<int32_t> accumulate(const ConvShape &s,
                                const std::vector<IntegerPlane> &inputs,
                                const std::vector<IntegerPlane> &weights,
                                int64_t sample) {
  std::vector<int32_t> sums(s.outputs * s.outPixels());
  bool simple = inputs.size() == 1 && weights.size() == 1;
  std::vector<int32_t> part(simple ? 0 : sums.size());
  for (const IntegerPlane &x : inputs) {
    const int16_t *from = x.values.data() + sample * s.channels * s.inPixels();
    for (const IntegerPlane &w : weights) {
      convolve(s, from, w.values.data(), simple ? sums.data() : part.data());
      uint32_t factor = static_cast<uint32_t>(x.factor * w.factor);
      for (size_t i = 0; i < part.size(); ++i)
        sums[i] = numerics::addWrapping(
            sums[i],
            static_cast<int32_t>(static_cast<uint32_t>(part[i]) * factor));
    }
  }
  return sums;
}

} // namespace

/// Float: products summed in gemm's order, then the bias. Quantized: R1 to R3
/// with a multiplier for each output channel.
Evaluated convolution(nn::ConvOp op, Operands in, const TensorInfo &out) {
  const TensorInfo &input = in[0].info, &weight = in[1].info;
  std::optional<ConvShape> shape = convShape(op, input, weight, out);
  if (!shape)
    return failure(op,
                   "the shapes or attributes do not describe a convolution "
                   "with 1 to 3 spatial axes",
                   ExitCode::InvalidInput);
  const ConvShape &s = *shape;
  const Operand *bias = in.size() > 2 ? &in[2] : nullptr;
  if (bias && bias->info.size() != s.outputs)
    return failure(op, "the bias must have one element per output channel",
                   ExitCode::InvalidInput);
  HostTensor result(out.dtype, out.shape);
  int64_t pixels = s.outPixels(), sampleSize = s.outputs * pixels;

  if (input.isFloat() && weight.isFloat() && out.isFloat()) {
    if (bias && !bias->info.isFloat())
      return failure(op, "the bias of a float convolution must be f32");
    for (int64_t n = 0; n < input.shape[0]; ++n) {
      float *y = result.as<float>() + n * sampleSize;
      convolve(s, in[0].as<float>() + n * s.channels * s.inPixels(),
               in[1].as<float>(), y);
      for (int64_t m = 0; bias && m < s.outputs; ++m)
        for (int64_t i = 0; i < pixels; ++i)
          y[m * pixels + i] += bias->as<float>()[m];
    }
    return result;
  }

  if (!input.quant || !weight.quant || !out.quant)
    return failure(op, "input, weight and result must all be f32 or all be "
                       "quantized");
  if (input.quant->perAxis() || out.quant->perAxis() ||
      (weight.quant->perAxis() && weight.quant->axis != 0))
    return failure(op, "input and result must be quantized per tensor, the "
                       "weight per tensor or along axis 0");
  if (bias && bias->info.dtype != DType::I32)
    return failure(op, "the bias of a quantized convolution must be i32");
  std::vector<IntegerPlane> inputs = integerPlanes(in[0]);
  std::vector<IntegerPlane> weights = integerPlanes(in[1]);
  for (int64_t n = 0; n < input.shape[0]; ++n) {
    std::vector<int32_t> sums = accumulate(s, inputs, weights, n);
    visitInteger(out.dtype, [&](auto tag) {
      using T = decltype(tag);
      T *y = result.as<T>() + n * sampleSize;
      for (int64_t m = 0; m < s.outputs; ++m) {
        float multiplier = numerics::multiplier(
            input.quant->scale(), weight.quant->scale(m), out.quant->scale());
        int32_t offset = bias ? bias->as<int32_t>()[m] : 0;
        for (int64_t i = m * pixels; i < (m + 1) * pixels; ++i)
          y[i] = static_cast<T>(numerics::requantize(
              numerics::addWrapping(sums[i], offset), multiplier,
              out.quant->zero(), out.quant->range));
      }
    });
  }
  return result;
}

} // namespace cimc::reference
