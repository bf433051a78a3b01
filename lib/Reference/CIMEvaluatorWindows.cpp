//===- CIMEvaluatorWindows.cpp - tiles, depthwise sums and pools -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CIMOperations.h"

#include "cimc/Reference/Evaluator.h"
#include "cimc/Support/Gemm.h"
#include "cimc/Support/Numerics.h"

#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <limits>
#include <type_traits>

using namespace mlir;

namespace cimc::reference {
namespace {

/// A feature map with its extents.
struct Extents {
  int64_t rows, pixels, channels;
  explicit Extents(const HostTensor &map)
      : rows(map.shape[0]), pixels(map.shape[1]), channels(map.shape[2]) {}
  int64_t at(int64_t row, int64_t pixel) const {
    return (row * pixels + pixel) * channels;
  }
  bool has(int64_t row, int64_t pixel) const {
    return row >= 0 && row < rows && pixel >= 0 && pixel < pixels;
  }
};

/// Where tap (i, j) of the window of output (r, p) lies in the input.
struct Taps {
  cim::WindowAttr window;
  int64_t row(int64_t r, int64_t i) const {
    return r * window.getStride()[0] - window.getPad()[0] +
           i * window.getDilation()[0];
  }
  int64_t pixel(int64_t p, int64_t j) const {
    return p * window.getStride()[1] - window.getPad()[1] +
           j * window.getDilation()[1];
  }
  int64_t rows() const { return window.getKernel()[0]; }
  int64_t pixels() const { return window.getKernel()[1]; }
};

template <typename T>
void gather(const T *in, const Extents &extents, const Taps &taps, int64_t r,
            int64_t p, int64_t begin, int64_t size, int32_t pad, int32_t *out) {
  int64_t end = begin + size;
  while (begin < end) {
    int64_t tap = begin / extents.channels, c = begin % extents.channels;
    int64_t count = std::min(end - begin, extents.channels - c);
    int64_t row = taps.row(r, tap / taps.pixels());
    int64_t pixel = taps.pixel(p, tap % taps.pixels());
    if (extents.has(row, pixel)) {
      const T *from = in + extents.at(row, pixel) + c;
      for (int64_t i = 0; i < count; ++i)
        out[i] = static_cast<int32_t>(from[i]);
    } else {
      std::fill_n(out, count, pad);
    }
    out += count;
    begin += count;
  }
}

Result<HostTensor> mvm(cim::MvmOp op, const HostTensor &in, HostTensor result) {
  auto weights = SymbolTable::lookupNearestSymbolFrom<cim::WeightsOp>(
      op, op.getWeightsAttr());
  if (!weights)
    return Error{ExitCode::InvalidInput,
                 "no weights '" + op.getWeights().str() + "'"};
  auto type = cast<RankedTensorType>(weights.getValue().getType());
  int64_t stride = type.getDimSize(1);
  auto k = static_cast<int64_t>(op.getKSize());
  auto kBegin = static_cast<int64_t>(op.getKBegin());
  Extents extents(in), out(result);
  // The tile, as 16-bit integers.
  HostTensor matrix = toHostTensor(weights.getValue());
  std::vector<int16_t> tile(static_cast<size_t>(k * out.channels));
  for (int64_t i = 0; i < k; ++i)
    for (int64_t n = 0; n < out.channels; ++n)
      tile[i * out.channels + n] =
          matrix.as<int8_t>()[(kBegin + i) * stride +
                              static_cast<int64_t>(op.getNBegin()) + n];
  Taps taps{op.getWindow()};
  auto pad = static_cast<int32_t>(op.getPadValue());
  auto xBegin = static_cast<int64_t>(op.getXBegin());
  size_t count = static_cast<size_t>(out.pixels * k);
  std::vector<int32_t> windows(count);
  // Products are of 16 signed bits; what needs 17 is twice a half and a bit.
  bool hasBit = in.type == DType::U16;
  std::vector<int16_t> halves(count), lowest(hasBit ? count : 0);
  std::vector<int32_t> part(hasBit ? out.pixels * out.channels : 0);
  for (int64_t r = 0; r < out.rows; ++r) {
    withIntegers(in, [&](auto *from) {
      for (int64_t p = 0; p < out.pixels; ++p)
        gather(from, extents, taps, r, xBegin + p, kBegin, k, pad,
               windows.data() + p * k);
    });
    auto multiply = [&](const std::vector<int16_t> &left, int32_t *sums) {
      gemm(out.pixels, out.channels, k,
           MatrixRef<const int16_t>{left.data(), k, 1},
           MatrixRef<const int16_t>{tile.data(), out.channels, 1},
           MatrixRef<int32_t>{sums, out.channels, 1});
    };
    int32_t *sums = result.as<int32_t>() + out.at(r, 0);
    for (size_t i = 0; i < count; ++i)
      halves[i] = static_cast<int16_t>(windows[i] >> int(hasBit));
    multiply(halves, sums);
    if (!hasBit)
      continue;
    for (size_t i = 0; i < count; ++i)
      lowest[i] = static_cast<int16_t>(windows[i] & 1);
    multiply(lowest, part.data());
    for (size_t i = 0; i < part.size(); ++i)
      sums[i] = static_cast<int32_t>(2 * static_cast<uint32_t>(sums[i]) +
                                     static_cast<uint32_t>(part[i]));
  }
  return result;
}

HostTensor depthwise(cim::DepthwiseOp op, const HostTensor &in,
                     HostTensor result) {
  Extents extents(in), out(result);
  HostTensor weights = toHostTensor(op.getWeights());
  Taps taps{op.getWindow()};
  int64_t multiple = out.channels / extents.channels;
  auto pad = static_cast<int32_t>(op.getPadValue());
  withBytes(in, [&](auto *from) {
    for (int64_t r = 0; r < out.rows; ++r)
      for (int64_t p = 0; p < out.pixels; ++p) {
        int32_t *sums = result.as<int32_t>() + out.at(r, p);
        for (int64_t i = 0; i < taps.rows(); ++i)
          for (int64_t j = 0; j < taps.pixels(); ++j) {
            const int8_t *w =
                weights.as<int8_t>() + (i * taps.pixels() + j) * out.channels;
            int64_t row = taps.row(r, i), pixel = taps.pixel(p, j);
            bool inside = extents.has(row, pixel);
            const auto *x = inside ? from + extents.at(row, pixel) : nullptr;
            for (int64_t c = 0; c < out.channels; ++c) {
              int32_t value = inside ? x[c / multiple] : pad;
              sums[c] = numerics::addWrapping(sums[c], value * w[c]);
            }
          }
      }
  });
  return result;
}

HostTensor depthwiseF32(cim::DepthwiseOp op, const HostTensor &in,
                        HostTensor result) {
  Extents extents(in), out(result);
  HostTensor weights = toHostTensor(op.getWeights());
  Taps taps{op.getWindow()};
  int64_t multiple = out.channels / extents.channels;
  for (int64_t r = 0; r < out.rows; ++r)
    for (int64_t p = 0; p < out.pixels; ++p) {
      auto *sums = result.as<float>() + out.at(r, p);
      for (int64_t i = 0; i < taps.rows(); ++i)
        for (int64_t j = 0; j < taps.pixels(); ++j) {
          int64_t row = taps.row(r, i), pixel = taps.pixel(p, j);
          if (!extents.has(row, pixel))
            continue;
          const auto *w =
              weights.as<float>() + (i * taps.pixels() + j) * out.channels;
          const auto *x = in.as<float>() + extents.at(row, pixel);
          for (int64_t c = 0; c < out.channels; ++c)
            sums[c] = numerics::multiplyAdd(sums[c], x[c / multiple], w[c]);
        }
    }
  return result;
}

HostTensor unit(cim::UnitOp op, const HostTensor &in, HostTensor result) {
  Extents extents(in);
  Taps taps{op.getWindow()};
  int64_t size = extents.pixels * extents.channels;
  auto levels = static_cast<int32_t>(op.getLevels());
  for (int64_t r = 0; r < result.shape[0]; ++r) {
    float largest = 0.0f;
    for (int64_t i = 0; i < taps.rows(); ++i)
      if (int64_t row = taps.row(r, i); extents.has(row, 0))
        for (int64_t e = 0; e < size; ++e)
          largest = numerics::largerMagnitude(
              largest,
              numerics::inRange(in.as<float>()[row * size + e], levels));
    result.as<float>()[r] = levels ? numerics::rangeStep(largest, levels)
                                   : numerics::wideUnit(largest);
  }
  return result;
}

template <typename T>
void maxPool(const T *in, const Extents &extents, const Taps &taps, T *to,
             const Extents &out) {
  for (int64_t r = 0; r < out.rows; ++r)
    for (int64_t p = 0; p < out.pixels; ++p) {
      T *best = to + out.at(r, p);
      std::fill_n(best, out.channels, std::numeric_limits<T>::lowest());
      for (int64_t i = 0; i < taps.rows(); ++i)
        for (int64_t j = 0; j < taps.pixels(); ++j) {
          int64_t row = taps.row(r, i), pixel = taps.pixel(p, j);
          if (!extents.has(row, pixel))
            continue;
          const T *x = in + extents.at(row, pixel);
          for (int64_t c = 0; c < out.channels; ++c)
            best[c] = std::max(best[c], x[c]);
        }
    }
}

HostTensor avgPool(cim::AvgPoolOp op, const HostTensor &in, HostTensor result) {
  Extents extents(in), out(result);
  Taps taps{op.getWindow()};
  float scaleIn = op.getScaleIn().convertToFloat();
  float scaleOut = op.getScaleOut().convertToFloat();
  auto zeroIn = static_cast<int32_t>(op.getZeroIn());
  auto zeroOut = static_cast<int32_t>(op.getZeroOut());
  numerics::Range range = result.type == DType::U8 ? numerics::Range{0, 255}
                                                   : numerics::Range{-128, 127};
  std::vector<float> sums(static_cast<size_t>(out.channels));
  for (int64_t r = 0; r < out.rows; ++r)
    for (int64_t p = 0; p < out.pixels; ++p) {
      std::fill(sums.begin(), sums.end(), 0.0f);
      int64_t count = 0;
      for (int64_t i = 0; i < taps.rows(); ++i)
        for (int64_t j = 0; j < taps.pixels(); ++j) {
          int64_t row = taps.row(r, i), pixel = taps.pixel(p, j);
          if (!extents.has(row, pixel))
            continue;
          ++count;
          withBytes(in, [&](auto *x) {
            x += extents.at(row, pixel);
            for (int64_t c = 0; c < out.channels; ++c)
              sums[c] += numerics::dequantize(x[c], scaleIn, zeroIn);
          });
        }
      if (op.getCountIncludePad())
        count = taps.rows() * taps.pixels();
      for (int64_t c = 0; c < out.channels; ++c)
        result.as<int8_t>()[out.at(r, p) + c] = static_cast<int8_t>(
            numerics::averageFinish(sums[c], count, scaleOut, zeroOut, range));
    }
  return result;
}

} // namespace

HostTensor evaluateDigits(cim::DigitsOp op, const HostTensor &in,
                          const HostTensor &units, HostTensor result) {
  Extents extents(in);
  Taps taps{op.getWindow()};
  int64_t width = extents.channels * op.digits();
  auto levels = static_cast<int32_t>(op.getLevels());
  auto *to = result.as<int8_t>();
  for (int64_t r = 0; r < result.shape[0]; ++r)
    for (int64_t p = 0; p < extents.pixels; ++p)
      for (int64_t i = 0; i < taps.rows(); ++i, to += width) {
        int64_t row = taps.row(r, i);
        if (!extents.has(row, p))
          continue;
        const auto *x = in.as<float>() + extents.at(row, p);
        float unit = units.as<float>()[r];
        for (int64_t c = 0; c < extents.channels; ++c)
          if (levels)
            to[c] = static_cast<int8_t>(
                numerics::quantizeByStep(x[c], unit, levels));
          else
            numerics::wideDigits(x[c], unit, to + c * numerics::kWideDigits);
      }
  return result;
}

Result<HostTensor> evaluateWindowOp(Operation *op, const HostTensor &in,
                                    HostTensor result) {
  if (auto tile = dyn_cast<cim::MvmOp>(op))
    return mvm(tile, in, std::move(result));
  if (auto sums = dyn_cast<cim::DepthwiseOp>(op))
    return in.type == DType::F32 ? depthwiseF32(sums, in, std::move(result))
                                 : depthwise(sums, in, std::move(result));
  if (auto units = dyn_cast<cim::UnitOp>(op))
    return unit(units, in, std::move(result));
  if (auto pool = dyn_cast<cim::AvgPoolOp>(op))
    return avgPool(pool, in, std::move(result));
  auto pool = cast<cim::MaxPoolOp>(op);
  Extents extents(in), out(result);
  Taps taps{pool.getWindow()};
  if (in.type == DType::F32)
    maxPool(in.as<float>(), extents, taps, result.as<float>(), out);
  else
    withIntegers(in, [&](auto *from) {
      using T = std::remove_const_t<std::remove_pointer_t<decltype(from)>>;
      maxPool(from, extents, taps, result.as<T>(), out);
    });
  return result;
}

} // namespace cimc::reference
