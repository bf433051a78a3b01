//===- NNPooling.cpp - sliding windows without weights -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NNOperations.h"

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

/// Taps of a window at one output position that lie in [low, high) of an axis.
struct Taps {
  int64_t first, last, start;
};
Taps tapsWithin(const Window &w, int axis, int64_t position, int64_t low,
                int64_t high) {
  Taps t{0, w.kernel[axis], position * w.stride[axis] - w.low[axis]};
  while (t.first < t.last && t.start + t.first * w.dilation[axis] < low)
    ++t.first;
  while (t.last > t.first && t.start + (t.last - 1) * w.dilation[axis] >= high)
    --t.last;
  return t;
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

/// Calls begin(output), then visit(output, input) for every cell of the window
/// in the image, in row-major order, then end(output, cells in the image, cells
/// in the padded image).
template <typename Begin, typename Visit, typename End>
void forWindows(const Window &w, Begin begin, Visit visit, End end) {
  for (int64_t plane = 0; plane < w.planes; ++plane) {
    int64_t base = plane * w.inPixels(), output = plane * w.outPixels();
    for (int64_t z = 0; z < w.out[0]; ++z)
      for (int64_t y = 0; y < w.out[1]; ++y)
        for (int64_t x = 0; x < w.out[2]; ++x, ++output) {
          std::array<Taps, 3> t;
          int64_t inside = 1, padded = 1;
          const std::array<int64_t, 3> position{z, y, x};
          for (int axis = 0; axis < 3; ++axis) {
            t[axis] = tapsWithin(w, axis, position[axis], 0, w.in[axis]);
            inside *= t[axis].last - t[axis].first;
            Taps all = tapsWithin(w, axis, position[axis], -w.low[axis],
                                  w.in[axis] + w.high[axis]);
            padded *= all.last - all.first;
          }
          begin(output);
          for (int64_t i = t[0].first; i < t[0].last; ++i)
            for (int64_t j = t[1].first; j < t[1].last; ++j)
              for (int64_t k = t[2].first; k < t[2].last; ++k)
                visit(output, base +
                                  ((t[0].start + i * w.dilation[0]) * w.in[1] +
                                   t[1].start + j * w.dilation[1]) *
                                      w.in[2] +
                                  t[2].start + k * w.dilation[2]);
          end(output, inside, padded);
        }
  }
}

template <typename T>
HostTensor maximum(const Window &w, const Operand &input,
                   const TensorInfo &out) {
  constexpr T lowest = std::numeric_limits<T>::has_infinity
                           ? -std::numeric_limits<T>::infinity()
                           : std::numeric_limits<T>::lowest();
  HostTensor result(input.info.dtype, out.shape);
  const T *x = input.as<T>();
  T *y = result.as<T>();
  forWindows(
      w, [&](int64_t o) { y[o] = lowest; },
      [&](int64_t o, int64_t i) { y[o] = std::max(y[o], x[i]); },
      [](int64_t, int64_t, int64_t) {});
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
Evaluated maxPool(nn::MaxPoolOp op, Operands in, const TensorInfo &out) {
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

/// Float: the sequential fp32 sum of a window, divided by the cells in the
/// image or, with count_include_pad, in the padded image. Quantized: R9, where
/// count_include_pad always divides by the whole kernel.
Evaluated avgPool(nn::AvgPoolOp op, Operands in, const TensorInfo &out) {
  const TensorInfo &input = in[0].info;
  std::optional<Window> w =
      readWindow(input, out, op.getKernel(), op.getStrides(), op.getPads(),
                 op.getDilations());
  if (!w)
    return failure(op,
                   "the attributes do not describe a window over 1 to 3 "
                   "spatial axes",
                   ExitCode::InvalidInput);
  float sum = 0.0f;
  auto reset = [&](int64_t) { sum = 0.0f; };
  if (input.isFloat() && out.isFloat()) {
    HostTensor result(DType::F32, out.shape);
    forWindows(
        *w, reset, [&](int64_t, int64_t i) { sum += in[0].as<float>()[i]; },
        [&](int64_t o, int64_t inside, int64_t padded) {
          result.as<float>()[o] =
              sum /
              static_cast<float>(op.getCountIncludePad() ? padded : inside);
        });
    return result;
  }
  if (!perTensor(input, out))
    return failure(op, "operand and result must both be f32 or both be "
                       "quantized per tensor");
  if (w->isGlobal())
    return quantizedGlobalAverage(w->planes, w->inPixels(), in[0], out);
  std::vector<float> x = toReal(in[0]);
  std::vector<int32_t> y(out.size());
  forWindows(
      *w, reset, [&](int64_t, int64_t i) { sum += x[i]; },
      [&](int64_t o, int64_t inside, int64_t) {
        y[o] = numerics::averageFinish(
            sum, op.getCountIncludePad() ? w->taps() : inside,
            out.quant->scale(), out.quant->zero(), out.quant->range);
      });
  return fromIntegers(y, out);
}

/// Float: the sequential fp32 sum divided by the number of pixels. Quantized:
/// R9.
Evaluated globalAvgPool(nn::GlobalAvgPoolOp op, Operands in,
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
  for (int64_t plane = 0; plane < planes; ++plane) {
    float sum = 0.0f;
    for (int64_t i = 0; i < pixels; ++i)
      sum += in[0].as<float>()[plane * pixels + i];
    result.as<float>()[plane] = sum / static_cast<float>(pixels);
  }
  return result;
}

} // namespace cimc::reference
