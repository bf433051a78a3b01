//===- NNConvolution.cpp - nn.conv -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IntegerPlanes.h"
#include "NNOperations.h"
#include "Threads.h"

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
  int64_t outPixels() const { return out[0] * out[1] * out[2]; }
  int64_t outRows() const { return out[0] * out[1]; }
  int64_t work() const {
    return outputs * outPixels() * groupChannels() * taps();
  }

  // Channels are laid out with zeros around them, and pixels that are a stride
  // apart side by side, so that every tap of a row of results is contiguous.
  int64_t phaseLength() const {
    return (padded(2) + stride[2] - 1) / stride[2];
  }
  int64_t rowLength() const { return phaseLength() * stride[2]; }
  int64_t laidOutPixels() const { return padded(0) * padded(1) * rowLength(); }
  /// Whether the operand itself is the layout.
  bool isLaidOut() const {
    return inPixels() == laidOutPixels() && stride[2] == 1;
  }
  /// Where a row of results begins in a laid out channel.
  int64_t rowPosition(int64_t row) const {
    return (row / out[1] * stride[0] * padded(1) + row % out[1] * stride[1]) *
           rowLength();
  }
  /// How far from there a tap of its first pixel is.
  int64_t tapOffset(int64_t tap) const {
    int64_t z = tap / (kernel[1] * kernel[2]) * dilation[0];
    int64_t y = tap / kernel[2] % kernel[1] * dilation[1];
    int64_t x = tap % kernel[2] * dilation[2];
    return (z * padded(1) + y) * rowLength() + x % stride[2] * phaseLength() +
           x / stride[2];
  }
};

/// `to` is zero wherever no pixel comes.
template <typename T>
void layOutChannel(const ConvShape &s, const T *x, T *to) {
  for (int64_t z = 0; z < s.in[0]; ++z)
    for (int64_t y = 0; y < s.in[1]; ++y, x += s.in[2]) {
      T *row =
          to + ((z + s.low[0]) * s.padded(1) + y + s.low[1]) * s.rowLength();
      if (s.stride[2] == 1) {
        std::memcpy(row + s.low[2], x, s.in[2] * sizeof(T));
        continue;
      }
      for (int64_t first = 0; first < std::min(s.stride[2], s.in[2]); ++first) {
        int64_t position = first + s.low[2];
        T *phase = row + position % s.stride[2] * s.phaseLength() +
                   position / s.stride[2];
        for (int64_t i = first; i < s.in[2]; i += s.stride[2])
          *phase++ = x[i];
      }
    }
}

/// What happens to sums of one output channel once they are complete.
template <typename Sum>
using Finish =
    llvm::function_ref<void(Sum *sums, int64_t pixels, int64_t channel)>;
void leave(int32_t *, int64_t, int64_t) {}

/// One input channel per group. Short rows with a vertical stride of 1 are one
/// run of sums, of which those between the rows are thrown away.
template <typename T, typename Sum>
void convolveDepthwise(const ConvShape &s, const T *sample, const T *weight,
                       Finish<Sum> finish, Sum *sums) {
  std::vector<int64_t> offsets;
  for (int64_t tap = 0; tap < s.taps(); ++tap)
    offsets.push_back(s.tapOffset(tap));
  constexpr int64_t shortRow = 48;
  int64_t rows = s.outRows(), width = s.out[2];
  bool oneRun = s.out[0] == 1 && s.stride[1] == 1 && width < shortRow;
  int64_t run = oneRun ? (rows - 1) * s.rowLength() + width : 0;
  inParallel(s.outputs, s.work(), [&](int64_t begin, int64_t end) {
    std::vector<T> buffer(s.isLaidOut() ? 0 : s.laidOutPixels());
    std::vector<Sum> runSums(run);
    int64_t held = -1;
    for (int64_t m = begin; m < end; ++m) {
      int64_t c = m / s.groupOutputs();
      const T *channel = sample + c * s.inPixels();
      if (!s.isLaidOut() && c != held)
        layOutChannel(s, channel, buffer.data());
      if (!s.isLaidOut())
        channel = buffer.data();
      held = c;
      Sum *result = sums + m * s.outPixels();
      const T *taps = weight + m * s.taps();
      if (oneRun) {
        windowSums(run, s.taps(), taps, offsets.data(), channel,
                   runSums.data());
        for (int64_t row = 0; row < rows; ++row)
          std::memcpy(result + row * width,
                      runSums.data() + row * s.rowLength(),
                      width * sizeof(Sum));
      } else {
        for (int64_t row = 0; row < rows; ++row)
          windowSums(width, s.taps(), taps, offsets.data(),
                     channel + s.rowPosition(row), result + row * width);
      }
      finish(result, s.outPixels(), m);
    }
  });
}

/// Blocks of output rows as matrices with a column for each pixel. Threads
/// share rows where there are many pixels, else output channels.
template <typename T, typename Sum>
void convolveGroups(const ConvShape &s, const T *sample, const T *weight,
                    Finish<Sum> finish, Sum *sums) {
  std::vector<T> buffer;
  if (!s.isLaidOut()) {
    buffer.resize(s.channels * s.laidOutPixels());
    inParallel(s.channels, s.channels * s.laidOutPixels(),
               [&](int64_t begin, int64_t end) {
                 for (int64_t c = begin; c < end; ++c)
                   layOutChannel(s, sample + c * s.inPixels(),
                                 buffer.data() + c * s.laidOutPixels());
               });
    sample = buffer.data();
  }
  int64_t depth = s.groupChannels() * s.taps();
  int64_t rows = s.outRows(), width = s.out[2];
  bool direct =
      s.taps() == 1 && s.isLaidOut() && s.stride[0] == 1 && s.stride[1] == 1;
  // A block's columns, or its results where no columns are gathered, stay in a
  // cache.
  constexpr int64_t blockElements = 1 << 17, pixelsOfAThread = 128;
  int64_t rowElements =
      std::max<int64_t>((direct ? s.groupOutputs() : depth) * width, 1);
  int64_t blockRows = std::max<int64_t>(1, blockElements / rowElements);
  bool shareRows = s.outPixels() >= pixelsOfAThread * ThreadBudget::threads();
  int64_t groupWork = s.work() / s.group;

  for (int64_t g = 0; g < s.group; ++g) {
    const T *input = sample + g * s.groupChannels() * s.laidOutPixels();
    // The results of channels [first, last) in `count` rows from `row` on.
    auto multiply = [&](int64_t row, int64_t count, int64_t first, int64_t last,
                        MatrixRef<const T> columns) {
      first += g * s.groupOutputs();
      last += g * s.groupOutputs();
      Sum *results = sums + first * s.outPixels() + row * width;
      gemm(last - first, count * width, depth,
           MatrixRef<const T>{weight + first * depth, depth, 1}, columns,
           MatrixRef<Sum>{results, s.outPixels(), 1});
      for (int64_t m = first; m < last; ++m)
        finish(results + (m - first) * s.outPixels(), count * width, m);
    };
    auto gatherColumns = [&](int64_t row, int64_t count, T *to) {
      for (int64_t c = 0; c < s.groupChannels(); ++c)
        for (int64_t tap = 0; tap < s.taps(); ++tap)
          for (int64_t r = 0; r < count; ++r, to += width)
            std::memcpy(to,
                        input + c * s.laidOutPixels() + s.rowPosition(row + r) +
                            s.tapOffset(tap),
                        width * sizeof(T));
    };
    auto blocks = [&](int64_t begin, int64_t end, auto multiplyBlock) {
      std::vector<T> columns(
          direct ? 0 : depth * width * std::min(blockRows, end - begin));
      for (int64_t row = begin; row < end; row += blockRows) {
        int64_t count = std::min(blockRows, end - row);
        if (!direct)
          gatherColumns(row, count, columns.data());
        multiplyBlock(
            row, count,
            direct ? MatrixRef<const T>{input + row * width, s.outPixels(), 1}
                   : MatrixRef<const T>{columns.data(), count * width, 1});
      }
    };
    if (shareRows)
      inParallel(rows, groupWork, [&](int64_t begin, int64_t end) {
        blocks(begin, end, [&](int64_t row, int64_t count, auto columns) {
          multiply(row, count, 0, s.groupOutputs(), columns);
        });
      });
    else
      blocks(0, rows, [&](int64_t row, int64_t count, auto columns) {
        inParallel(s.groupOutputs(), groupWork * count / rows,
                   [&](int64_t first, int64_t last) {
                     multiply(row, count, first, last, columns);
                   });
      });
  }
}

/// sums[m][pixel] of one sample, finished.
template <typename T, typename Sum>
void convolve(const ConvShape &s, const T *sample, const T *weight,
              Finish<Sum> finish, Sum *sums) {
  if (s.outputs == 0 || s.outPixels() == 0)
    return;
  if (s.groupChannels() == 1 && s.group > 1)
    convolveDepthwise(s, sample, weight, finish, sums);
  else
    convolveGroups(s, sample, weight, finish, sums);
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
      convolve<int16_t, int32_t>(s, from, w.values.data(), leave,
                                 simple ? sums.data() : part.data());
      uint32_t factor = static_cast<uint32_t>(x.factor * w.factor);
      for (size_t i = 0; i < part.size(); ++i)
        sums[i] = numerics::addWrapping(
            sums[i],
            static_cast<int32_t>(static_cast<uint32_t>(part[i]) * factor));
    }
  }
  return sums;
}

/// Rule R14: the input rows under the windows of a row of the result share a
/// range. In one dimension every element is a row.
HostTensor rangedConvolution(nn::ConvOp op, ConvShape s, Operands in,
                             const Operand *bias, HostTensor result) {
  const Quantization &weight = *in[1].info.quant;
  int32_t levels =
      op.getNonnegative() ? numerics::kUnsignedLevels : numerics::kSignedLevels;
  std::vector<IntegerPlane> planes = integerPlanes(in[1]);
  if (in[0].info.rank() == 3)
    for (auto *member :
         {&s.in, &s.out, &s.kernel, &s.stride, &s.dilation, &s.low, &s.high})
      std::swap((*member)[1], (*member)[2]);
  // The rows under one row of windows, as a convolution of its own.
  ConvShape one = s;
  one.in = {s.kernel[0], s.kernel[1], s.in[2]};
  one.out = {1, 1, s.out[2]};
  one.stride[0] = one.stride[1] = one.dilation[0] = one.dilation[1] = 1;
  one.low[0] = one.low[1] = one.high[0] = one.high[1] = 0;
  int64_t samples = in[0].info.shape[0], rows = s.outRows();
  inParallel(
      samples * rows, samples * s.work(), [&](int64_t begin, int64_t end) {
        std::vector<float> values(s.channels * one.inPixels());
        std::vector<int16_t> integers(values.size());
        std::vector<int32_t> sums(s.outputs * s.out[2]), part(sums.size());
        for (int64_t index = begin; index < end; ++index) {
          int64_t n = index / rows, row = index % rows;
          const float *from = in[0].as<float>() + n * s.channels * s.inPixels();
          float *to = values.data();
          for (int64_t c = 0; c < s.channels; ++c)
            for (int64_t i = 0; i < s.kernel[0]; ++i)
              for (int64_t j = 0; j < s.kernel[1]; ++j, to += s.in[2]) {
                int64_t z =
                    row / s.out[1] * s.stride[0] - s.low[0] + i * s.dilation[0];
                int64_t y =
                    row % s.out[1] * s.stride[1] - s.low[1] + j * s.dilation[1];
                if (z >= 0 && z < s.in[0] && y >= 0 && y < s.in[1])
                  std::copy_n(from +
                                  ((c * s.in[0] + z) * s.in[1] + y) * s.in[2],
                              s.in[2], to);
                else
                  std::fill_n(to, s.in[2], 0.0f);
              }
          float step =
              quantizeSet(values.data(), static_cast<int64_t>(values.size()),
                          levels, integers.data());
          std::fill(sums.begin(), sums.end(), 0);
          for (const IntegerPlane &w : planes) {
            convolve<int16_t, int32_t>(one, integers.data(), w.values.data(),
                                       leave, part.data());
            for (size_t i = 0; i < sums.size(); ++i)
              sums[i] = numerics::addWrapping(sums[i], part[i] * w.factor);
          }
          for (int64_t m = 0; m < s.outputs; ++m)
            for (int64_t x = 0; x < s.out[2]; ++x)
              result.as<float>()[((n * s.outputs + m) * rows + row) * s.out[2] +
                                 x] =
                  numerics::combineByStep(sums[m * s.out[2] + x], step,
                                          weight.scale(m),
                                          bias ? bias->as<float>()[m] : 0.0f);
        }
      });
  return result;
}

} // namespace

/// Float: products summed in gemm's order, then the bias. Quantized: R1 to R3
/// with a multiplier for each output channel.
Evaluated convolution(nn::ConvOp op, Operands in, const TensorInfo &out,
                      nn::ElementwiseOpInterface function) {
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
  HostTensor result = HostTensor::unwritten(out.dtype, out.shape);
  int64_t pixels = s.outPixels(), sampleSize = s.outputs * pixels;

  if (input.isFloat() && weight.isFloat() && out.isFloat()) {
    if (bias && !bias->info.isFloat())
      return failure(op, "the bias of a float convolution must be f32");
    auto finish = [&](float *sums, int64_t n, int64_t channel) {
      if (bias)
        for (int64_t i = 0; i < n; ++i)
          sums[i] += bias->as<float>()[channel];
      if (function)
        numerics::applyToAll(function.getFunction(), sums, sums, n,
                             function.getParameters().alpha,
                             function.getParameters().beta);
    };
    for (int64_t n = 0; n < input.shape[0]; ++n)
      convolve<float, float>(
          s, in[0].as<float>() + n * s.channels * s.inPixels(),
          in[1].as<float>(), finish, result.as<float>() + n * sampleSize);
    return result;
  }

  if (input.isFloat() && weight.quant && out.isFloat()) {
    if (bias && !bias->info.isFloat())
      return failure(op, "the bias of a convolution with an f32 result must be "
                         "f32");
    if (weight.quant->perAxis() && weight.quant->axis != 0)
      return failure(op, "the weight must be quantized per tensor or along "
                         "axis 0");
    return rangedConvolution(op, s, in, bias, std::move(result));
  }

  if (!input.quant && !weight.quant && !out.quant && !bias &&
      out.dtype == DType::I32) {
    auto x = shortIntegers(in[0]), w = shortIntegers(in[1]);
    if (!x || !w)
      return failure(op, "multiplies plain integers of at most 16 bits");
    for (int64_t n = 0; n < input.shape[0]; ++n)
      convolve<int16_t, int32_t>(s, x->data() + n * s.channels * s.inPixels(),
                                 w->data(), leave,
                                 result.as<int32_t>() + n * sampleSize);
    return result;
  }
  bool isReal = input.quant && weight.quant && out.isFloat();
  if (!isReal && (!input.quant || !weight.quant || !out.quant))
    return failure(op, "input, weight and result must all be f32 or all be "
                       "quantized");
  if (input.quant->perAxis() || (!isReal && out.quant->perAxis()) ||
      (weight.quant->perAxis() && weight.quant->axis != 0))
    return failure(op, "input and result must be quantized per tensor, the "
                       "weight per tensor or along axis 0");
  if (bias && (isReal ? !bias->info.isFloat() : bias->info.dtype != DType::I32))
    return failure(op, "the bias of a quantized convolution must be i32, that "
                       "of one with an f32 result f32");
  std::vector<IntegerPlane> inputs = integerPlanes(in[0]);
  std::vector<IntegerPlane> weights = integerPlanes(in[1]);
  for (int64_t n = 0; n < input.shape[0]; ++n) {
    std::vector<int32_t> sums = accumulate(s, inputs, weights, n);
    if (isReal) {
      FixedStep real{input.quant->scale(), input.quant->zero()};
      int64_t depth = weight.size() / std::max<int64_t>(s.outputs, 1);
      for (int64_t m = 0; m < s.outputs; ++m) {
        int32_t total = 0;
        for (const IntegerPlane &w : weights)
          for (int64_t k = m * depth; k < (m + 1) * depth; ++k)
            total += w.factor * w.values[k];
        for (int64_t i = m * pixels; i < (m + 1) * pixels; ++i)
          result.as<float>()[n * sampleSize + i] =
              real(sums[i], weight.quant->scale(m), total,
                   bias ? bias->as<float>()[m] : 0.0f);
      }
      continue;
    }
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
