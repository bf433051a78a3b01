//===- NNResize.cpp - nn.resize -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NNOperations.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace mlir;

namespace cimc::reference {

namespace {

/// One element of the result along an axis: a weighted sum of elements of the
/// operand, or the extrapolation value.
struct Taps {
  std::vector<int64_t> index;
  std::vector<double> weight;
  bool outside = false;
};

/// What the operation says of one axis.
struct AxisMap {
  int64_t in, out;
  double scale;
  double roiBegin = 0, roiEnd = 1;
};

/// The place of result element i in the operand (the table of nn.resize).
double placeOf(nn::ResizeOp op, const AxisMap &axis, int64_t i) {
  StringRef mode = op.getCoordinates();
  double length = axis.scale * static_cast<double>(axis.in);
  double last = static_cast<double>(axis.in - 1);
  double x = static_cast<double>(i);
  double halfPixel = (x + 0.5) / axis.scale - 0.5;
  if (mode == "align_corners")
    return length == 1 ? 0 : x * last / (length - 1);
  if (mode == "asymmetric")
    return x / axis.scale;
  if (mode == "tf_crop_and_resize") {
    double span = (axis.roiEnd - axis.roiBegin) * last;
    return axis.roiBegin * last +
           (length == 1 ? span / 2 : x * span / (length - 1));
  }
  if (mode == "pytorch_half_pixel")
    return length == 1 ? -0.5 : halfPixel;
  if (mode == "half_pixel_symmetric")
    return static_cast<double>(axis.in) / 2 *
               (1 - static_cast<double>(axis.out) / length) +
           halfPixel;
  return halfPixel;
}

/// Keys' cubic convolution kernel.
double cubicKernel(double x, double a) {
  x = std::fabs(x);
  if (x <= 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2)
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

Taps nearestTap(nn::ResizeOp op, double place) {
  double floor = std::floor(place), ratio = place - floor;
  StringRef mode = op.getNearestMode();
  bool up = ratio != 0 &&
            (mode == "ceil" || (mode == "round_prefer_floor" && ratio > 0.5) ||
             (mode == "round_prefer_ceil" && ratio >= 0.5));
  return {{static_cast<int64_t>(floor) + up}, {1.0}};
}

Taps kernelTaps(nn::ResizeOp op, const AxisMap &axis, double place) {
  bool cubic = op.getMode() == "cubic";
  double a = op.getCubicCoefficient().convertToFloat();
  // Only a shrinking axis needs a wider kernel.
  double scale = op.getAntialias() ? std::min(axis.scale, 1.0) : 1.0;
  double width = std::min(std::ceil((cubic ? 2 : 1) / scale),
                          4.0 * static_cast<double>(axis.in) + 4);
  int64_t reach = static_cast<int64_t>(width);
  int64_t floor = static_cast<int64_t>(std::floor(place));
  // A place on an element is the right end of its interval.
  if (std::floor(place) == place)
    --floor;
  Taps taps;
  double sum = 0;
  for (int64_t i = floor - reach + 1; i <= floor + reach; ++i) {
    double distance = scale * (static_cast<double>(i) - place);
    double weight = cubic ? cubicKernel(distance, a)
                          : std::max(0.0, 1 - std::fabs(distance));
    if (op.getExcludeOutside() && (i < 0 || i >= axis.in))
      weight = 0;
    taps.index.push_back(i);
    taps.weight.push_back(weight);
    sum += weight;
  }
  if ((op.getAntialias() || op.getExcludeOutside()) && sum != 0)
    for (double &weight : taps.weight)
      weight /= sum;
  return taps;
}

/// The linear map of an axis, a row for each element of the result.
std::vector<Taps> tapsOf(nn::ResizeOp op, const AxisMap &axis) {
  std::vector<Taps> rows;
  for (int64_t i = 0; i < axis.out; ++i) {
    double place = placeOf(op, axis, i);
    bool outside = op.getCoordinates() == "tf_crop_and_resize" &&
                   (place < 0 || place > static_cast<double>(axis.in - 1));
    if (std::isnan(place))
      place = 0;
    // Extreme scales give places that no index holds.
    double limit = static_cast<double>(axis.in) + 1;
    place = std::clamp(place, -limit, 2 * limit);
    Taps taps = op.getMode() == "nearest" ? nearestTap(op, place)
                                          : kernelTaps(op, axis, place);
    taps.outside = outside;
    for (int64_t &index : taps.index)
      index = std::clamp<int64_t>(index, 0, axis.in - 1);
    rows.push_back(std::move(taps));
  }
  return rows;
}

} // namespace

/// Axis by axis; nearest neighbours of any type are moved, everything else is
/// computed with real values (quantized: R4).
Evaluated resize(nn::ResizeOp op, Operands in, const TensorInfo &out) {
  const TensorInfo &input = in[0].info;
  bool moves = op.getMode() == "nearest";
  float extrapolation = op.getExtrapolation().convertToFloat();
  if (!moves && !(input.isFloat() && out.isFloat()) &&
      !(input.quant && out.quant))
    return failure(op, "can interpolate float32 and quantized values only");
  std::vector<int64_t> shape = input.shape;
  HostTensor current(moves ? input.dtype : DType::F32, shape);
  if (moves) {
    if (!current.data.empty())
      std::memcpy(current.data.data(), in[0].data, current.data.size());
  } else {
    std::vector<float> values = toReal(in[0]);
    std::copy(values.begin(), values.end(), current.as<float>());
  }
  size_t width = byteSize(current.type);
  ArrayRef<float> roi = op.getRoi();
  bool crops = op.getCoordinates() == "tf_crop_and_resize";
  for (int64_t a = 0; a < input.rank(); ++a) {
    AxisMap axis{shape[a], out.shape[a], op.getScales()[a]};
    if (!roi.empty()) {
      axis.roiBegin = roi[a];
      axis.roiEnd = roi[input.rank() + a];
    }
    bool same = axis.in == axis.out && axis.scale == 1 &&
                (!crops || (axis.roiBegin == 0 && axis.roiEnd == 1));
    if (same)
      continue;
    std::vector<Taps> rows = tapsOf(op, axis);
    int64_t outer = 1, inner = 1;
    for (int64_t i = 0; i < a; ++i)
      outer *= shape[i];
    for (int64_t i = a + 1; i < input.rank(); ++i)
      inner *= shape[i];
    shape[a] = axis.out;
    HostTensor next(current.type, shape);
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t r = 0; r < axis.out; ++r) {
        const Taps &taps = rows[r];
        std::byte *to = next.data.data() + (o * axis.out + r) * inner * width;
        const std::byte *base =
            current.data.data() + o * axis.in * inner * width;
        if (taps.outside) {
          if (current.type != DType::F32)
            return failure(op, "can extrapolate float32 values only");
          std::fill_n(reinterpret_cast<float *>(to), inner, extrapolation);
        } else if (moves) {
          std::memcpy(to, base + taps.index[0] * inner * width, inner * width);
        } else {
          const float *from = reinterpret_cast<const float *>(base);
          for (int64_t i = 0; i < inner; ++i) {
            double sum = 0;
            for (size_t t = 0; t < taps.index.size(); ++t)
              sum += taps.weight[t] * from[taps.index[t] * inner + i];
            reinterpret_cast<float *>(to)[i] = static_cast<float>(sum);
          }
        }
      }
    current = std::move(next);
  }
  if (moves) {
    TensorInfo moved = input;
    moved.shape = out.shape;
    return requantized(op, std::move(current), moved, out);
  }
  const float *values = current.as<float>();
  return fromReal({values, values + current.size()}, out);
}

} // namespace cimc::reference
