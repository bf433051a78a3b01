//===- SignalOps.cpp - Fourier transforms and windows -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Build.h"

#include <cmath>

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

static constexpr double kPi = 3.14159265358979323846;
/// Elements of a matrix that this file computes.
static constexpr int64_t kMaxMatrix = int64_t(1) << 26;

/// An angle 2 pi a b / n, reduced first so that it stays exact.
static double angle(int64_t a, int64_t b, int64_t n) {
  return 2 * kPi * static_cast<double>(a % n * (b % n) % n) /
         static_cast<double>(n);
}

/// One integer, given as a constant operand; `otherwise` where it is absent.
static int64_t integerOr(Node &node, size_t i, const char *what,
                         int64_t otherwise) {
  if (!node.hasInput(i))
    return otherwise;
  Shape values = node.integers(i, what);
  if (values.size() != 1)
    failInvalid("{} ('{}') must be one number", what, node.inputName(i));
  return values[0];
}

/// The transform of `length` samples as a matrix [length * parts, bins * out]:
/// parts and out are 1 for real and 2 for complex numbers, side by side. With
/// `real` only the real part of the result is kept.
static Value transformMatrix(Node &node, int64_t length, int64_t parts,
                             int64_t bins, int64_t out, bool inverse,
                             int64_t period) {
  if (checkedElements({length, parts, bins, out}, "the transform") > kMaxMatrix)
    failUnsupported("a transform of {} samples to {} bins is too large", length,
                    bins);
  std::vector<float> matrix(length * parts * bins * out);
  double scale = inverse ? 1.0 / static_cast<double>(period) : 1.0;
  double sign = inverse ? 1 : -1;
  for (int64_t n = 0; n < length; ++n)
    for (int64_t k = 0; k < bins; ++k) {
      double a = angle(n, k, period);
      // (x + iy)(c + is): x gives c and s, y gives -s and c.
      double c = std::cos(a) * scale, s = sign * std::sin(a) * scale;
      for (int64_t p = 0; p < parts; ++p)
        for (int64_t o = 0; o < out; ++o)
          matrix[((n * parts + p) * bins + k) * out + o] =
              static_cast<float>(p == o   ? c
                                 : p == 0 ? s
                                          : -s);
    }
  return constantValue(
      node,
      makeConstant<float>(DType::F32, {length * parts, bins * out}, matrix));
}

void onnx_import::importDFT(Node &node) {
  Value input = node.real(0);
  Shape shape = node.shape(0);
  int64_t rank = shape.size();
  if (rank < 2 || (shape.back() != 1 && shape.back() != 2))
    failInvalid("the input {} must end in an axis of 1 or 2 parts",
                shapeString(shape));
  bool inverse = node.getInt("inverse", 0), half = node.getInt("onesided", 0);
  int64_t axis = node.opset < 20 ? node.getInt("axis", 1)
                                 : integerOr(node, 2, "the axis", -2);
  axis = node.axis(axis, rank);
  if (axis == rank - 1)
    failInvalid("the axis {} holds the parts of numbers", axis);
  int64_t length = shape[axis], parts = shape.back();
  int64_t full = half && inverse ? 2 * (length - 1) : length;
  int64_t period = integerOr(node, 1, "the length", full);
  if (period < 1 || period > INT32_MAX)
    failInvalid("a transform of {} samples", period);
  // Samples are cut or padded with zeros; a one-sided spectrum is completed.
  Value value = input;
  int64_t bins = half && !inverse ? period / 2 + 1 : period;
  int64_t out = half && inverse ? 1 : 2;
  // The axis moves to the end, before the parts.
  Shape perm;
  for (int64_t i = 0; i < rank - 1; ++i)
    if (i != axis)
      perm.push_back(i);
  perm.push_back(axis);
  perm.push_back(rank - 1);
  value = transpose(node, value, perm);
  Shape moved = shapeOf(value);
  int64_t used = std::min(half && inverse ? period / 2 + 1 : period, length);
  value = slice(node, value, rank - 2, 0, used);
  Shape flat(moved.begin(), moved.end() - 2);
  Shape result = flat;
  flat.push_back(used * parts);
  value = node.reshape(value, flat);
  Value matrix;
  if (half && inverse) {
    // x[n] = (X[0] + 2 Re sum X[k] e^(...) + X[N/2] (-1)^n) / N
    if (checkedElements({used, parts, bins}, "the transform") > kMaxMatrix)
      failUnsupported("a transform of {} samples is too large", period);
    std::vector<float> m(used * parts * bins);
    for (int64_t k = 0; k < used; ++k) {
      bool alone = k == 0 || 2 * k == period;
      double weight = (alone ? 1.0 : 2.0) / static_cast<double>(period);
      for (int64_t n = 0; n < bins; ++n) {
        double a = angle(k, n, period);
        m[k * parts * bins + n] = static_cast<float>(weight * std::cos(a));
        if (parts == 2)
          m[(k * parts + 1) * bins + n] =
              static_cast<float>(-weight * std::sin(a));
      }
    }
    matrix = constantValue(
        node, makeConstant<float>(DType::F32, {used * parts, bins}, m));
  } else {
    matrix = transformMatrix(node, used, parts, bins, out, inverse, period);
  }
  value = node.emit<nn::MatMulOp>(node.f32(), {value, matrix});
  result.push_back(bins);
  result.push_back(out);
  value = node.reshape(value, result);
  // Back to its place.
  Shape back(rank);
  for (int64_t i = 0; i < rank; ++i)
    back[perm[i]] = i;
  node.setResult(transpose(node, value, back));
}

/// Frames of the signal, times the window, transformed: a matrix product.
void onnx_import::importSTFT(Node &node) {
  Value signal = node.real(0);
  Shape shape = node.shape(0);
  if (shape.size() == 2) {
    shape.push_back(1);
    signal = node.reshape(signal, shape);
  }
  if (shape.size() != 3 || shape[2] < 1 || shape[2] > 2)
    failInvalid("the signal {} must be [batch, samples, parts]",
                shapeString(shape));
  int64_t step = integerOr(node, 1, "the step", 0);
  std::vector<float> window;
  if (node.hasInput(2)) {
    const Constant &c = node.requireConstant(2, "the window");
    for (int64_t i = 0; i < c.size(); ++i)
      window.push_back(static_cast<float>(realAt(c, i)));
  }
  int64_t frame = integerOr(node, 3, "the frame's length",
                            static_cast<int64_t>(window.size()));
  if (step < 1 || frame < 1 || frame > shape[1] ||
      (!window.empty() && static_cast<int64_t>(window.size()) > frame))
    failInvalid("frames of {} samples, {} apart, with a window of {}, do not "
                "fit the signal {}",
                frame, step, window.size(), shapeString(shape));
  // A shorter window stands at the beginning of the frame.
  int64_t used = window.empty() ? frame : static_cast<int64_t>(window.size());
  int64_t parts = shape[2], frames = (shape[1] - frame) / step + 1;
  bool half = node.getInt("onesided", 1) && parts == 1;
  int64_t bins = half ? frame / 2 + 1 : frame;
  if (checkedElements({frames, used}, "the frames") > kMaxMatrix)
    failUnsupported("{} frames of {} samples are too large", frames, used);
  std::vector<int64_t> places(frames * used);
  for (int64_t f = 0; f < frames; ++f)
    for (int64_t i = 0; i < used; ++i)
      places[f * used + i] = f * step + i;
  Value index = constantValue(
      node, makeConstant<int64_t>(DType::I64, {frames, used}, places));
  Value value = node.emit<nn::GatherOp>(node.f32(), {signal, index},
                                        node.attr("axis", int64_t(1)));
  if (!window.empty())
    value = multiply(node, value,
                     constantValue(node, makeConstant<float>(
                                             DType::F32, {used, 1}, window)));
  value = node.reshape(value, {shape[0], frames, used * parts});
  Value matrix =
      transformMatrix(node, used, parts, bins, 2, /*inverse=*/false, frame);
  value = node.emit<nn::MatMulOp>(node.f32(), {value, matrix});
  node.setResult(node.reshape(value, {shape[0], frames, bins, 2}));
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

/// Sets a float constant as the type that 'output_datatype' asks for.
static void setReals(Node &node, const Shape &shape,
                     const std::vector<float> &values) {
  int64_t number = node.getInt("output_datatype", 1);
  if (number < 0 || number > INT16_MAX)
    failInvalid("there is no element type {}", number);
  DType type = fromOnnxType(static_cast<int32_t>(number), "output_datatype");
  Constant constant = makeConstant<float>(DType::F32, shape, values);
  if (type == DType::F32)
    return node.setResult(std::move(constant));
  node.setResult(node.emit<nn::CastOp>(elementTypeOf(node.context(), type),
                                       constantValue(node, constant)));
}

/// a0 - a1 cos(2 pi n / N) + a2 cos(4 pi n / N)
static void importWindow(Node &node, double a0, double a1, double a2) {
  int64_t size = integerOr(node, 0, "the size", 0);
  if (size < 1 || size > kMaxMatrix)
    failInvalid("a window of {} samples", size);
  // A symmetric window ends where the next period would begin.
  int64_t period = node.getInt("periodic", 1) ? size : size - 1;
  std::vector<float> values(size);
  for (int64_t n = 0; n < size; ++n)
    values[n] =
        static_cast<float>(period ? a0 - a1 * std::cos(angle(n, 1, period)) +
                                        a2 * std::cos(angle(n, 2, period))
                                  : 1.0);
  setReals(node, {size}, values);
}

void onnx_import::importHannWindow(Node &node) {
  importWindow(node, 0.5, 0.5, 0);
}
void onnx_import::importHammingWindow(Node &node) {
  importWindow(node, 25.0 / 46, 1 - 25.0 / 46, 0);
}
void onnx_import::importBlackmanWindow(Node &node) {
  importWindow(node, 0.42, 0.5, 0.08);
}

/// Triangles between equal steps of the mel scale.
void onnx_import::importMelWeightMatrix(Node &node) {
  int64_t bands = integerOr(node, 0, "the number of bands", 0);
  int64_t length = integerOr(node, 1, "the transform's length", 0);
  int64_t rate = integerOr(node, 2, "the sample rate", 0);
  auto number = [&](size_t i, const char *what) {
    const Constant &c = node.requireConstant(i, what);
    if (c.size() != 1)
      failInvalid("{} ('{}') must be one number", what, node.inputName(i));
    return realAt(c, 0);
  };
  double low = number(3, "the lower edge"), high = number(4, "the upper edge");
  int64_t bins = std::max<int64_t>(length, 0) / 2 + 1;
  if (bands < 1 || length < 1 || length > INT32_MAX || rate < 1 ||
      !(low >= 0) || !(high > low) || bands > kMaxMatrix / bins)
    failInvalid("{} bands of {} samples at {} Hz from {} to {} Hz", bands,
                length, rate, low, high);
  auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  double from = mel(low),
         step = (mel(high) - from) / static_cast<double>(bands + 2);
  std::vector<int64_t> edges(bands + 2);
  for (int64_t i = 0; i < bands + 2; ++i) {
    double hertz =
        700 * (std::pow(10, (from + step * static_cast<double>(i)) / 2595) - 1);
    edges[i] = std::min(
        static_cast<int64_t>(std::floor(static_cast<double>(length + 1) *
                                        hertz / static_cast<double>(rate))),
        bins);
  }
  std::vector<float> matrix(bins * bands, 0.0f);
  for (int64_t b = 0; b < bands; ++b) {
    int64_t begin = edges[b], centre = edges[b + 1], end = edges[b + 2];
    auto ratio = [](int64_t a, int64_t b) {
      return static_cast<float>(static_cast<double>(a) /
                                static_cast<double>(b));
    };
    for (int64_t k = begin; k <= centre && k < bins; ++k)
      matrix[k * bands + b] =
          centre == begin ? 1.0f : ratio(k - begin, centre - begin);
    for (int64_t k = centre; k < end && k < bins; ++k)
      matrix[k * bands + b] = ratio(end - k, end - centre);
  }
  setReals(node, {bins, bands}, matrix);
}
