//===- NNPooling.cpp - sliding windows without weights -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NNOperations.h"
#include "Threads.h"

#include <algorithm>
#include <array>
#include <limits>

using namespace mlir;

namespace cimc::reference {

namespace {

/// A pooling window over three spatial axes (missing ones are 1).
struct Window {
  int64_t planes = 1;
  std::array<int64_t, 3> in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1},
      stride{1, 1, 1}, dilation{1, 1, 1}, low{0, 0, 0}, high{0, 0, 0};

  int64_t inPixels() const { return in[0] * in[1] * in[2]; }
  int64_t outPixels() const { return out[0] * out[1] * out[2]; }
  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  /// One window over the whole map without padding.
  bool isGlobal() const {
    return kernel == in && outPixels() == 1 &&
           low == std::array<int64_t, 3>{} && high == low;
  }
};

/// A range of indices.
struct Span {
  int64_t first, last;
  int64_t count() const { return last - first; }
};

/// Taps of a window at one output position that lie in [low, high) of an axis.
Span tapsWithin(const Window &w, int axis, int64_t position, int64_t low,
                int64_t high) {
  Span taps{0, w.kernel[axis]};
  int64_t start = position * w.stride[axis] - w.low[axis];
  while (taps.first < taps.last && start + taps.first * w.dilation[axis] < low)
    ++taps.first;
  while (taps.last > taps.first &&
         start + (taps.last - 1) * w.dilation[axis] >= high)
    --taps.last;
  return taps;
}

/// Output positions at which one tap lies in the image.
Span positionsWithin(const Window &w, int axis, int64_t tap) {
  int64_t offset = tap * w.dilation[axis] - w.low[axis];
  int64_t first =
      offset >= 0 ? 0 : (-offset + w.stride[axis] - 1) / w.stride[axis];
  int64_t last =
      offset >= w.in[axis] ? 0 : (w.in[axis] - offset - 1) / w.stride[axis] + 1;
  last = std::min(last, w.out[axis]);
  return {std::min(first, last), last};
}

std::optional<Window> readWindow(const TensorInfo &input, const TensorInfo &out,
                                 ArrayRef<int64_t> kernel,
                                 ArrayRef<int64_t> strides,
                                 ArrayRef<int64_t> pads,
                                 ArrayRef<int64_t> dilations) {
  size_t spatial = input.rank() - 2;
  if (input.rank() < 3 || spatial > 3 || out.rank() != input.rank() ||
      kernel.size() != spatial || strides.size() != spatial ||
      dilations.size() != spatial || pads.size() != 2 * spatial)
    return std::nullopt;
  Window w;
  w.planes = input.shape[0] * input.shape[1];
  for (size_t i = 0; i < spatial; ++i) {
    size_t axis = 3 - spatial + i;
    w.in[axis] = input.shape[2 + i];
    w.out[axis] = out.shape[2 + i];
    w.kernel[axis] = kernel[i];
    w.stride[axis] = strides[i];
    w.dilation[axis] = dilations[i];
    w.low[axis] = pads[i];
    w.high[axis] = pads[spatial + i];
    if (w.stride[axis] < 1 || w.dilation[axis] < 1 || w.kernel[axis] < 1)
      return std::nullopt;
  }
  return w;
}

/// Starts every result at `initial` and combines it with the cells of its
/// window that lie in the image, in row-major order: result = combine(result,
/// cell). Tap by tap over whole rows, which compilers make vectors of.
template <typename T, typename Combine>
void reduceWindows(const Window &w, const T *x, T *y, T initial,
                   Combine combine) {
  inParallel(
      w.planes, w.planes * w.outPixels() * w.taps(),
      [&](int64_t begin, int64_t end) {
        std::fill(y + begin * w.outPixels(), y + end * w.outPixels(), initial);
        for (int64_t plane = begin; plane < end; ++plane)
          for (int64_t row = 0; row < w.out[0] * w.out[1]; ++row) {
            int64_t z = row / w.out[1], r = row % w.out[1];
            Span deep = tapsWithin(w, 0, z, 0, w.in[0]);
            Span down = tapsWithin(w, 1, r, 0, w.in[1]);
            T *to = y + plane * w.outPixels() + row * w.out[2];
            for (int64_t i = deep.first; i < deep.last; ++i)
              for (int64_t j = down.first; j < down.last; ++j) {
                int64_t inZ = z * w.stride[0] - w.low[0] + i * w.dilation[0];
                int64_t inY = r * w.stride[1] - w.low[1] + j * w.dilation[1];
                const T *from =
                    x + plane * w.inPixels() + (inZ * w.in[1] + inY) * w.in[2];
                for (int64_t k = 0; k < w.kernel[2]; ++k) {
                  Span across = positionsWithin(w, 2, k);
                  const T *cell = from + k * w.dilation[2] - w.low[2];
                  if (w.stride[2] == 1)
                    for (int64_t p = across.first; p < across.last; ++p)
                      to[p] = combine(to[p], cell[p]);
                  else
                    for (int64_t p = across.first; p < across.last; ++p)
                      to[p] = combine(to[p], cell[p * w.stride[2]]);
                }
              }
          }
      });
}

/// Calls fn(output, cells of its window in the image, in the padded image).
template <typename Fn> void forWindows(const Window &w, Fn fn) {
  // Along each axis, for each position.
  std::array<std::vector<int64_t>, 3> inside, padded;
  for (int axis = 0; axis < 3; ++axis)
    for (int64_t i = 0; i < w.out[axis]; ++i) {
      inside[axis].push_back(tapsWithin(w, axis, i, 0, w.in[axis]).count());
      padded[axis].push_back(
          tapsWithin(w, axis, i, -w.low[axis], w.in[axis] + w.high[axis])
              .count());
    }
  int64_t output = 0;
  for (int64_t plane = 0; plane < w.planes; ++plane)
    for (int64_t z = 0; z < w.out[0]; ++z)
      for (int64_t y = 0; y < w.out[1]; ++y)
        for (int64_t x = 0; x < w.out[2]; ++x)
          fn(output++, inside[0][z] * inside[1][y] * inside[2][x],
             padded[0][z] * padded[1][y] * padded[2][x]);
}

template <typename T>
HostTensor maximum(const Window &w, const Operand &input,
                   const TensorInfo &out) {
  constexpr T lowest = std::numeric_limits<T>::has_infinity
                           ? -std::numeric_limits<T>::infinity()
                           : std::numeric_limits<T>::lowest();
  HostTensor result(input.info.dtype, out.shape);
  reduceWindows(w, input.as<T>(), result.as<T>(), lowest,
                [](T a, T b) { return std::max(a, b); });
  return result;
}

/// R9 for one window over all pixels of each plane: an exact sum, then R3.
HostTensor quantizedGlobalAverage(int64_t planes, int64_t pixels,
                                  const Operand &input, const TensorInfo &out) {
  std::vector<int32_t> x = toIntegers(input), y(planes);
  const Quantization &from = *input.info.quant, &to = *out.quant;
  float multiplier =
      numerics::globalAverageMultiplier(from.scale(), to.scale(), pixels);
  for (int64_t plane = 0; plane < planes; ++plane) {
    int32_t sum = 0;
    for (int64_t i = 0; i < pixels; ++i)
      sum = numerics::addWrapping(sum, x[plane * pixels + i] - from.zero());
    y[plane] = numerics::requantize(sum, multiplier, to.zero(), to.range);
  }
  return fromIntegers(y, out);
}

bool perTensor(const TensorInfo &in, const TensorInfo &out) {
  return in.quant && out.quant && !in.quant->perAxis() && !out.quant->perAxis();
}

} // namespace

/// The largest value of each window. Integers are compared as they are; other
/// parameters of the result requantize the maximum (R10).
static Evaluated maxPool(nn::MaxPoolOp op, Operands in, const TensorInfo &out) {
  std::optional<Window> w =
      readWindow(in[0].info, out, op.getKernel(), op.getStrides(), op.getPads(),
                 op.getDilations());
  if (!w)
    return failure(op,
                   "the attributes do not describe a window over 1 to 3 "
                   "spatial axes",
                   ExitCode::InvalidInput);
  std::optional<HostTensor> result;
  if (in[0].info.dtype == DType::F32)
    result = maximum<float>(*w, in[0], out);
  else
    visitInteger(in[0].info.dtype, [&](auto tag) {
      result = maximum<decltype(tag)>(*w, in[0], out);
    });
  if (!result)
    return failure(op, std::string("does not compare values of type ") +
                           name(in[0].info.dtype));
  return requantized(op, std::move(*result), in[0].info, out);
}

/// The place of the first largest value of each window, then the value there.
static EvaluatedAll maxPoolIndices(nn::MaxPoolIndicesOp op, Operands in,
                                   Outputs out) {
  const TensorInfo &input = in[0].info;
  int64_t spatial = input.rank() - 2;
  ArrayRef<int64_t> kernel = op.getKernel(), strides = op.getStrides(),
                    pads = op.getPads(), dilations = op.getDilations();
  ArrayRef<int64_t> extent = ArrayRef<int64_t>(input.shape).drop_front(2);
  ArrayRef<int64_t> pooled = ArrayRef<int64_t>(out[0].shape).drop_front(2);
  int64_t taps = 1, pixels = 1, results = 1;
  for (int64_t a = 0; a < spatial; ++a) {
    taps *= kernel[a];
    pixels *= extent[a];
    results *= pooled[a];
  }
  HostTensor values(input.dtype, out[0].shape),
      indices(DType::I64, out[1].shape);
  auto compute = [&](auto tag) {
    using T = decltype(tag);
    for (int64_t i = 0, e = values.size(); i < e; ++i) {
      const T *map = in[0].as<T>() + i / results * pixels;
      int64_t best = -1, bestPlace = 0;
      for (int64_t tap = 0; tap < taps; ++tap) {
        // Axes from the last: the pixel, and its place in either order.
        int64_t restOut = i % results, restTap = tap, offset = 0, stride = 1;
        int64_t place = 0;
        bool inside = true;
        for (int64_t a = spatial; a-- > 0;) {
          int64_t x = restOut % pooled[a] * strides[a] - pads[a] +
                      restTap % kernel[a] * dilations[a];
          restOut /= pooled[a];
          restTap /= kernel[a];
          inside &= x >= 0 && x < extent[a];
          offset += x * stride;
          stride *= extent[a];
          place = place * extent[a] + x;
        }
        if (inside && (best < 0 || map[offset] > map[best])) {
          best = offset;
          bestPlace = op.getColumnMajor() ? place : offset;
        }
      }
      values.as<T>()[i] = best < 0 ? T() : map[best];
      indices.as<int64_t>()[i] = i / results * pixels + bestPlace;
    }
  };
  if (input.dtype == DType::F32)
    compute(float());
  else if (!visitInteger(input.dtype, compute))
    return failure(op, std::string("does not compare values of type ") +
                           name(input.dtype));
  std::vector<HostTensor> both;
  both.push_back(std::move(values));
  both.push_back(std::move(indices));
  return both;
}

/// Float: the sequential fp32 sum of a window, divided by the cells in the
/// image or, with count_include_pad, in the padded image. Quantized: R9, where
/// count_include_pad always divides by the whole kernel.
static Evaluated avgPool(nn::AvgPoolOp op, Operands in, const TensorInfo &out) {
  const TensorInfo &input = in[0].info;
  std::optional<Window> w =
      readWindow(input, out, op.getKernel(), op.getStrides(), op.getPads(),
                 op.getDilations());
  if (!w)
    return failure(op,
                   "the attributes do not describe a window over 1 to 3 "
                   "spatial axes",
                   ExitCode::InvalidInput);
  auto add = [](float a, float b) { return a + b; };
  if (input.isFloat() && out.isFloat()) {
    HostTensor result(DType::F32, out.shape);
    float *y = result.as<float>();
    reduceWindows(*w, in[0].as<float>(), y, 0.0f, add);
    bool all = op.getCountIncludePad();
    forWindows(*w, [&](int64_t o, int64_t inside, int64_t padded) {
      y[o] /= static_cast<float>(all ? padded : inside);
    });
    return result;
  }
  if (!perTensor(input, out))
    return failure(op, "operand and result must both be f32 or both be "
                       "quantized per tensor");
  if (w->isGlobal())
    return quantizedGlobalAverage(w->planes, w->inPixels(), in[0], out);
  std::vector<float> x = toReal(in[0]);
  std::vector<float> sums(out.size());
  reduceWindows(*w, x.data(), sums.data(), 0.0f, add);
  std::vector<int32_t> y(out.size());
  forWindows(*w, [&](int64_t o, int64_t inside, int64_t) {
    y[o] = numerics::averageFinish(
        sums[o], op.getCountIncludePad() ? w->taps() : inside,
        out.quant->scale(), out.quant->zero(), out.quant->range);
  });
  return fromIntegers(y, out);
}

/// Float: the sequential fp32 sum divided by the number of pixels. Quantized:
/// R9.
static Evaluated globalAvgPool(nn::GlobalAvgPoolOp op, Operands in,
                               const TensorInfo &out) {
  const TensorInfo &input = in[0].info;
  if (input.rank() < 2)
    return failure(op, "needs a batch and a channel axis",
                   ExitCode::InvalidInput);
  int64_t planes = input.shape[0] * input.shape[1];
  int64_t pixels = planes ? input.size() / planes : 0;
  if (perTensor(input, out))
    return quantizedGlobalAverage(planes, pixels, in[0], out);
  if (!input.isFloat() || !out.isFloat())
    return failure(op, "operand and result must both be f32 or both be "
                       "quantized per tensor");
  HostTensor result(DType::F32, out.shape);
  const float *x = in[0].as<float>();
  float *y = result.as<float>();
  inParallel(planes, input.size(), [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) {
      float sum = 0.0f;
      for (int64_t i = 0; i < pixels; ++i)
        sum += x[plane * pixels + i];
      y[plane] = sum / static_cast<float>(pixels);
    }
  });
  return result;
}

std::optional<EvaluatedAll> evaluatePooling(Operation *op, Operands in,
                                            Outputs out) {
  return Family{op, in, out}
      .add<nn::MaxPoolOp>(maxPool)
      .add<nn::MaxPoolIndicesOp>(maxPoolIndices)
      .add<nn::AvgPoolOp>(avgPool)
      .add<nn::GlobalAvgPoolOp>(globalAvgPool)
      .take();
}

} // namespace cimc::reference
