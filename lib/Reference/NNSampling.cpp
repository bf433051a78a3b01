//===- NNSampling.cpp - maps sampled at computed places -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NNOperations.h"

#include "cimc/Support/Gemm.h"

#include <algorithm>
#include <array>
#include <cmath>

using namespace mlir;

namespace cimc::reference {

namespace {

/// Folds a place back between two borders, as often as it takes.
double reflect(double x, double low, double high) {
  double range = high - low;
  if (range <= 0)
    return low;
  double distance = x < low ? low - x : x - high;
  if (distance <= 0)
    return x;
  double times = std::floor(distance / range), rest = distance - times * range;
  bool even = std::fmod(times, 2) == 0;
  return (x < low) == even ? low + rest : high - rest;
}

/// nn.grid_sample for one sample and channel, its axes outermost first.
struct Grid {
  int axes;
  std::array<int64_t, 3> extent{};
  bool zeros, reflects, alignCorners;

  double low() const { return alignCorners ? 0.0 : -0.5; }
  double high(int axis) const {
    return static_cast<double>(extent[axis]) - (alignCorners ? 1.0 : 0.5);
  }
  /// Where the place v of [-1, 1] lies along an axis.
  double place(int axis, double v) const {
    double n = static_cast<double>(extent[axis]);
    return alignCorners ? (v + 1) / 2 * (n - 1) : ((v + 1) * n - 1) / 2;
  }
  /// A place outside, brought in where the padding says so.
  double bounded(int axis, double x) const {
    if (!(x < low() || x > high(axis)) || zeros)
      return x;
    if (reflects)
      return reflect(x, low(), high(axis));
    return std::clamp(x, 0.0, static_cast<double>(extent[axis] - 1));
  }
  /// The element that stands for index i of an axis; -1 for none.
  int64_t element(int axis, int64_t i) const {
    if (i >= 0 && i < extent[axis])
      return i;
    if (zeros)
      return -1;
    if (reflects)
      i = static_cast<int64_t>(
          reflect(static_cast<double>(i), low(), high(axis)));
    return std::clamp<int64_t>(i, 0, extent[axis] - 1);
  }
  /// The element at whole indices.
  float at(const float *map, const std::array<int64_t, 3> &index) const {
    int64_t offset = 0;
    for (int a = 0; a < axes; ++a) {
      int64_t i = element(a, index[a]);
      if (i < 0)
        return 0.0f;
      offset = offset * extent[a] + i;
    }
    return map[offset];
  }
};

/// Weights of the neighbours floor - taps/2 + 1 ... of a place.
std::array<double, 4> neighbourWeights(double ratio, bool cubic) {
  if (!cubic)
    return {1 - ratio, ratio, 0, 0};
  constexpr double a = -0.75;
  auto far = [&](double x) {
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  };
  auto near = [&](double x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
  return {far(ratio + 1), near(ratio), near(1 - ratio), far(2 - ratio)};
}

double interpolate(const Grid &grid, const float *map,
                   const std::array<double, 3> &place,
                   std::array<int64_t, 3> &index, int axis, bool cubic) {
  if (axis == grid.axes)
    return grid.at(map, index);
  double floor = std::floor(place[axis]);
  std::array<double, 4> weights = neighbourWeights(place[axis] - floor, cubic);
  int taps = cubic ? 4 : 2;
  double sum = 0;
  for (int i = 0; i < taps; ++i) {
    index[axis] = static_cast<int64_t>(floor) + i - taps / 2 + 1;
    sum += weights[i] * interpolate(grid, map, place, index, axis + 1, cubic);
  }
  return sum;
}

/// Bilinear sample of a map; 0 more than one element outside.
double bilinear(const float *map, int64_t height, int64_t width, double y,
                double x, std::array<double, 4> *parts = nullptr) {
  double h = static_cast<double>(height), w = static_cast<double>(width);
  if (parts)
    parts->fill(0);
  if (!(y >= -1 && y <= h && x >= -1 && x <= w))
    return 0;
  y = std::max(y, 0.0);
  x = std::max(x, 0.0);
  int64_t y0 = std::min(static_cast<int64_t>(y), height - 1);
  int64_t x0 = std::min(static_cast<int64_t>(x), width - 1);
  int64_t y1 = std::min(y0 + 1, height - 1), x1 = std::min(x0 + 1, width - 1);
  double ly = y0 == y1 ? 0 : y - static_cast<double>(y0);
  double lx = x0 == x1 ? 0 : x - static_cast<double>(x0);
  std::array<double, 4> values{(1 - ly) * (1 - lx) * map[y0 * width + x0],
                               (1 - ly) * lx * map[y0 * width + x1],
                               ly * (1 - lx) * map[y1 * width + x0],
                               ly * lx * map[y1 * width + x1]};
  if (parts)
    *parts = values;
  return values[0] + values[1] + values[2] + values[3];
}

} // namespace

/// Every place by itself, the same for all channels.
static Evaluated gridSample(nn::GridSampleOp op, Operands in,
                            const TensorInfo &out) {
  const TensorInfo &input = in[0].info, &places = in[1].info;
  if (!input.isFloat() || !places.isFloat() || !out.isFloat())
    return failure(op, "is computed in float32 only");
  Grid grid;
  grid.axes = static_cast<int>(input.rank()) - 2;
  for (int a = 0; a < grid.axes; ++a)
    grid.extent[a] = input.shape[2 + a];
  grid.zeros = op.getPadding() == "zeros";
  grid.reflects = op.getPadding() == "reflection";
  grid.alignCorners = op.getAlignCorners();
  bool nearest = op.getMode() == "nearest", cubic = op.getMode() == "cubic";
  int64_t channels = input.shape[1];
  int64_t mapSize = 1;
  for (int a = 0; a < grid.axes; ++a)
    mapSize *= grid.extent[a];
  HostTensor result(DType::F32, out.shape);
  int64_t count =
      places.size() / grid.axes / std::max<int64_t>(places.shape[0], 1);
  for (int64_t n = 0; n < places.shape[0]; ++n)
    for (int64_t p = 0; p < count; ++p) {
      const float *v = in[1].as<float>() + (n * count + p) * grid.axes;
      std::array<double, 3> place{};
      for (int a = 0; a < grid.axes; ++a) {
        // The grid has the last axis first. Places are single precision.
        float x = static_cast<float>(grid.place(a, v[grid.axes - 1 - a]));
        if (!(std::fabs(x) < 1e9f)) // not a number, or far outside
          x = x > 0 ? 1e9f : -1e9f;
        double whole = nearest ? std::nearbyint(x) : x;
        // Cubic neighbours of a place outside are brought in one by one.
        place[a] = cubic && !grid.reflects ? whole : grid.bounded(a, whole);
      }
      for (int64_t c = 0; c < channels; ++c) {
        const float *map = in[0].as<float>() + (n * channels + c) * mapSize;
        std::array<int64_t, 3> index{};
        double value;
        if (nearest) {
          for (int a = 0; a < grid.axes; ++a)
            index[a] = static_cast<int64_t>(place[a]);
          value = grid.at(map, index);
        } else {
          value = interpolate(grid, map, place, index, 0, cubic);
        }
        result.as<float>()[(n * channels + c) * count + p] =
            static_cast<float>(value);
      }
    }
  return result;
}

/// Cell by cell: the mean or the largest of bilinear samples.
static Evaluated roiAlign(nn::RoiAlignOp op, Operands in,
                          const TensorInfo &out) {
  const TensorInfo &input = in[0].info;
  if (!input.isFloat() || !in[1].info.isFloat() || !out.isFloat())
    return failure(op, "is computed in float32 only");
  int64_t channels = input.shape[1], height = input.shape[2],
          width = input.shape[3];
  int64_t rows = op.getSize()[0], columns = op.getSize()[1];
  double scale = op.getScale().convertToFloat();
  double shift = op.getHalfPixel() ? 0.5 : 0.0;
  bool average = op.getMode() == "avg";
  HostTensor result(DType::F32, out.shape);
  float *to = result.as<float>();
  for (int64_t r = 0; r < out.shape[0]; ++r) {
    const float *region = in[1].as<float>() + 4 * r;
    int64_t n = in[2].info.dtype == DType::I32 ? in[2].as<int32_t>()[r]
                                               : in[2].as<int64_t>()[r];
    if (n < 0 || n >= input.shape[0])
      return failure(op,
                     "region " + std::to_string(r) + " is of sample " +
                         std::to_string(n) + ", but there are " +
                         std::to_string(input.shape[0]),
                     ExitCode::InvalidInput);
    double x0 = region[0] * scale - shift, y0 = region[1] * scale - shift;
    double spanX = region[2] * scale - shift - x0;
    double spanY = region[3] * scale - shift - y0;
    if (!op.getHalfPixel()) {
      spanX = std::max(spanX, 1.0);
      spanY = std::max(spanY, 1.0);
    }
    double cellY = spanY / static_cast<double>(rows);
    double cellX = spanX / static_cast<double>(columns);
    auto samples = [&](double cell) {
      int64_t fixed = static_cast<int64_t>(op.getSampling());
      // Bounded: a region may be far larger than the map.
      if (fixed || !(cell > 0))
        return fixed;
      return static_cast<int64_t>(std::min(std::ceil(cell), 4096.0));
    };
    int64_t countY = samples(cellY), countX = samples(cellX);
    for (int64_t c = 0; c < channels; ++c) {
      const float *map =
          in[0].as<float>() + (n * channels + c) * height * width;
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) {
          double sum = 0, largest = 0;
          bool first = true;
          for (int64_t a = 0; a < countY; ++a)
            for (int64_t b = 0; b < countX; ++b) {
              double y = y0 + cellY * (static_cast<double>(i) +
                                       (static_cast<double>(a) + 0.5) /
                                           static_cast<double>(countY));
              double x = x0 + cellX * (static_cast<double>(j) +
                                       (static_cast<double>(b) + 0.5) /
                                           static_cast<double>(countX));
              std::array<double, 4> parts;
              sum += bilinear(map, height, width, y, x, &parts);
              double most = *std::max_element(parts.begin(), parts.end());
              largest = first ? most : std::max(largest, most);
              first = false;
            }
          int64_t count = std::max<int64_t>(countY * countX, 1);
          *to++ = static_cast<float>(average ? sum / static_cast<double>(count)
                                             : largest);
        }
    }
  }
  return result;
}

/// A matrix of samples at the moved taps, times the weights.
static Evaluated deformConv(nn::DeformConvOp op, Operands in,
                            const TensorInfo &out) {
  for (const Operand &operand : in)
    if (!operand.info.isFloat())
      return failure(op, "is computed in float32 only");
  const TensorInfo &input = in[0].info, &weight = in[1].info;
  const float *bias = op.getBias() ? in[3].as<float>() : nullptr;
  const float *mask =
      op.getMask() ? in[op.getBias() ? 4 : 3].as<float>() : nullptr;
  int64_t channels = input.shape[1], height = input.shape[2],
          width = input.shape[3];
  int64_t outputs = out.shape[1], rows = out.shape[2], columns = out.shape[3];
  int64_t kh = weight.shape[2], kw = weight.shape[3], taps = kh * kw;
  int64_t group = static_cast<int64_t>(op.getGroup());
  int64_t offsetGroup = static_cast<int64_t>(op.getOffsetGroup());
  int64_t pixels = rows * columns;
  ArrayRef<int64_t> strides = op.getStrides(), pads = op.getPads(),
                    dilations = op.getDilations();
  HostTensor result(DType::F32, out.shape);
  std::vector<float> samples(channels * taps * pixels);
  for (int64_t n = 0; n < input.shape[0]; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      int64_t g = n * offsetGroup + c / (channels / offsetGroup);
      const float *map =
          in[0].as<float>() + (n * channels + c) * height * width;
      for (int64_t t = 0; t < taps; ++t) {
        const float *dy = in[2].as<float>() + (g * taps + t) * 2 * pixels;
        const float *dx = dy + pixels;
        for (int64_t p = 0; p < pixels; ++p) {
          double y = static_cast<double>(p / columns * strides[0] - pads[0] +
                                         t / kw * dilations[0]) +
                     dy[p];
          double x = static_cast<double>(p % columns * strides[1] - pads[1] +
                                         t % kw * dilations[1]) +
                     dx[p];
          // Outside the map everything is zero; between is a mean with it.
          double value = 0;
          double fy = std::floor(y), fx = std::floor(x);
          for (int corner = 0;
               corner < 4 && std::fabs(y) < 1e9 && std::fabs(x) < 1e9;
               ++corner) {
            double cy = fy + corner / 2, cx = fx + corner % 2;
            if (cy < 0 || cx < 0 || cy >= static_cast<double>(height) ||
                cx >= static_cast<double>(width))
              continue;
            value += (1 - std::fabs(y - cy)) * (1 - std::fabs(x - cx)) *
                     map[static_cast<int64_t>(cy) * width +
                         static_cast<int64_t>(cx)];
          }
          if (mask)
            value *= mask[(g * taps + t) * pixels + p];
          samples[(c * taps + t) * pixels + p] = static_cast<float>(value);
        }
      }
    }
    int64_t depth = channels / group * taps, share = outputs / group;
    for (int64_t g = 0; g < group; ++g) {
      float *to = result.as<float>() + (n * outputs + g * share) * pixels;
      gemm(share, pixels, depth,
           MatrixRef<const float>{in[1].as<float>() + g * share * depth, depth,
                                  1},
           MatrixRef<const float>{samples.data() + g * depth * pixels, pixels,
                                  1},
           MatrixRef<float>{to, pixels, 1});
      for (int64_t m = 0; bias && m < share; ++m)
        for (int64_t p = 0; p < pixels; ++p)
          to[m * pixels + p] += bias[g * share + m];
    }
  }
  return result;
}

std::optional<EvaluatedAll> evaluateResampling(Operation *op, Operands in,
                                               Outputs out) {
  return Family{op, in, out}
      .add<nn::ResizeOp>(resize)
      .add<nn::GridSampleOp>(gridSample)
      .add<nn::RoiAlignOp>(roiAlign)
      .add<nn::DeformConvOp>(deformConv)
      .take();
}

} // namespace cimc::reference
