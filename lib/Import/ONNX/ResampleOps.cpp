//===- ResampleOps.cpp - interpolation and sampling -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Build.h"

#include <cmath>
#include <limits>
#include <numeric>

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

static NamedAttribute text(Node &node, StringRef name, StringRef value) {
  return node.builder().getNamedAttr(name, node.builder().getStringAttr(value));
}

static NamedAttribute reals(Node &node, StringRef name, ArrayRef<float> value) {
  return node.builder().getNamedAttr(
      name, node.builder().getDenseF32ArrayAttr(value));
}

/// A constant list of numbers; empty where the operand is absent or empty.
static std::vector<float> realList(Node &node, size_t i, const char *what) {
  std::vector<float> values;
  if (!node.hasInput(i))
    return values;
  const Constant &c = node.requireConstant(i, what);
  for (int64_t k = 0, e = c.size(); k < e; ++k)
    values.push_back(static_cast<float>(realAt(c, k)));
  return values;
}

/// "linear" of "linear", "bilinear" and "trilinear", and so on.
static std::string plainMode(const std::string &mode) {
  for (const char *plain : {"nearest", "linear", "cubic"})
    if (StringRef(mode).ends_with(plain))
      return plain;
  failInvalid("mode is '{}'; nearest, linear and cubic exist", mode);
}

static void emitResize(Node &node, const Shape &sizes, ArrayRef<float> scales,
                       const std::string &coordinates,
                       const std::string &nearest,
                       SmallVector<NamedAttribute> attributes = {}) {
  Value input = node.value(0);
  attributes.push_back(node.attr("sizes", sizes));
  attributes.push_back(reals(node, "scales", scales));
  attributes.push_back(
      text(node, "mode", plainMode(node.getString("mode", "nearest"))));
  attributes.push_back(text(node, "coordinates", coordinates));
  attributes.push_back(text(node, "nearest_mode", nearest));
  node.setResult(
      node.emit<nn::ResizeOp>(elementType(input), input, attributes));
}

/// floor(extent * scale) for every axis.
static Shape scaledSizes(const Shape &shape, ArrayRef<float> scales) {
  if (scales.size() != shape.size())
    failInvalid("there are {} scales for the {} axes of {}", scales.size(),
                shape.size(), shapeString(shape));
  Shape sizes;
  for (size_t i = 0; i < shape.size(); ++i) {
    double size = std::floor(static_cast<double>(shape[i]) * scales[i]);
    if (!(scales[i] > 0) || !(size >= 1) || size > INT32_MAX)
      failInvalid("cannot scale axis {} of {} by {}", i, shapeString(shape),
                  scales[i]);
    sizes.push_back(static_cast<int64_t>(size));
  }
  return sizes;
}

void onnx_import::importUpsample(Node &node) {
  std::vector<float> scales;
  if (node.opset < 7) {
    scales = {1, 1, node.getFloat("height_scale", 1),
              node.getFloat("width_scale", 1)};
  } else if (node.opset < 9) {
    if (const onnx::AttributeProto *a = node.getAttribute("scales"))
      scales.assign(a->floats().begin(), a->floats().end());
  } else {
    scales = realList(node, 1, "the scales");
  }
  emitResize(node, scaledSizes(node.shape(0), scales), scales, "asymmetric",
             "floor");
}

void onnx_import::importResize(Node &node) {
  Shape shape = node.shape(0);
  if (node.opset < 11) {
    std::vector<float> scales = realList(node, 1, "the scales");
    return emitResize(node, scaledSizes(shape, scales), scales, "asymmetric",
                      "floor");
  }
  size_t rank = shape.size();
  Shape axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  if (std::optional<Shape> stated = node.getInts("axes")) {
    axes = *stated;
    for (int64_t &axis : axes)
      axis = node.axis(axis, rank);
  }
  std::string coordinates =
      node.getString("coordinate_transformation_mode", "half_pixel");
  // An early name of the same formula.
  if (coordinates == "tf_half_pixel_for_nn")
    coordinates = "half_pixel";
  std::vector<float> roi = realList(node, 1, "the region");
  std::vector<float> given = realList(node, 2, "the scales");
  Shape targets;
  if (node.hasInput(3))
    targets = node.integers(3, "the sizes");
  if (given.empty() == targets.empty())
    failInvalid("needs scales or sizes, one of both");
  if ((given.empty() ? targets.size() : given.size()) != axes.size())
    failInvalid("there are {} scales and {} sizes for {} axes", given.size(),
                targets.size(), axes.size());
  std::vector<float> scales(rank, 1.0f);
  Shape sizes = shape;
  std::string policy = node.getString("keep_aspect_ratio_policy", "stretch");
  if (!given.empty()) {
    for (size_t i = 0; i < axes.size(); ++i)
      scales[axes[i]] = given[i];
    sizes = scaledSizes(shape, scales);
  } else {
    double common = 0;
    for (size_t i = 0; i < axes.size(); ++i) {
      int64_t extent = shape[axes[i]];
      if (targets[i] < 1 || targets[i] > INT32_MAX || extent < 1)
        failInvalid("cannot resize axis {} of {} to {}", axes[i],
                    shapeString(shape), targets[i]);
      double scale =
          static_cast<double>(targets[i]) / static_cast<double>(extent);
      sizes[axes[i]] = targets[i];
      scales[axes[i]] = static_cast<float>(scale);
      common = i == 0                    ? scale
               : policy == "not_smaller" ? std::max(common, scale)
                                         : std::min(common, scale);
    }
    if (policy != "stretch") {
      if (policy != "not_larger" && policy != "not_smaller")
        failInvalid("keep_aspect_ratio_policy is '{}'; stretch, not_larger and "
                    "not_smaller exist",
                    policy);
      for (int64_t axis : axes) {
        double size = common * static_cast<double>(shape[axis]);
        sizes[axis] = static_cast<int64_t>(std::floor(size + 0.5));
        scales[axis] = static_cast<float>(common);
      }
    }
  }
  SmallVector<NamedAttribute> attributes;
  if (coordinates == "tf_crop_and_resize") {
    if (roi.size() != 2 * axes.size())
      failInvalid("the region has {} numbers for {} axes", roi.size(),
                  axes.size());
    std::vector<float> bounds(2 * rank, 0.0f);
    std::fill_n(bounds.begin() + rank, rank, 1.0f);
    for (size_t i = 0; i < axes.size(); ++i) {
      bounds[axes[i]] = roi[i];
      bounds[rank + axes[i]] = roi[axes.size() + i];
    }
    attributes.push_back(reals(node, "roi", bounds));
  }
  attributes.push_back(
      node.attr("cubic_coefficient", node.getFloat("cubic_coeff_a", -0.75f)));
  attributes.push_back(
      node.attr("extrapolation", node.getFloat("extrapolation_value", 0)));
  if (node.getInt("exclude_outside", 0))
    attributes.push_back(node.unit("exclude_outside"));
  if (node.getInt("antialias", 0))
    attributes.push_back(node.unit("antialias"));
  emitResize(node, sizes, scales, coordinates,
             node.getString("nearest_mode", "round_prefer_floor"), attributes);
}

void onnx_import::importGridSample(Node &node) {
  Value input = node.real(0), grid = node.real(1);
  SmallVector<NamedAttribute> attributes{
      text(node, "mode", plainMode(node.getString("mode", "linear"))),
      text(node, "padding", node.getString("padding_mode", "zeros"))};
  if (node.getInt("align_corners", 0))
    attributes.push_back(node.unit("align_corners"));
  node.setResult(
      node.emit<nn::GridSampleOp>(node.f32(), {input, grid}, attributes));
}

void onnx_import::importAffineGrid(Node &node) {
  Value theta = node.real(0);
  Shape size = node.integers(1, "the size"), shape = node.shape(0);
  size_t axes = size.size() < 2 ? 0 : size.size() - 2;
  bool fits = (axes == 2 || axes == 3) &&
              shape == Shape{size[0], static_cast<int64_t>(axes),
                             static_cast<int64_t>(axes) + 1};
  if (!fits)
    failInvalid("the matrices {} do not fit the size {}", shapeString(shape),
                shapeString(size));
  bool corners = node.getInt("align_corners", 0);
  Shape places(size.begin() + 2, size.end());
  int64_t count = checkedElements(places, "the grid");
  if (count > (int64_t(1) << 24))
    failUnsupported("a grid of {} is too large", shapeString(places));
  // Every place in homogeneous coordinates, the last axis first.
  std::vector<float> base;
  for (int64_t p = 0; p < count; ++p) {
    int64_t rest = p;
    for (size_t a = axes; a-- > 0;) {
      double i = static_cast<double>(rest % places[a]);
      double n = static_cast<double>(places[a]);
      rest /= places[a];
      double v =
          corners ? (n > 1 ? 2 * i / (n - 1) - 1 : 0) : (2 * i + 1) / n - 1;
      base.push_back(static_cast<float>(v));
    }
    base.push_back(1.0f);
  }
  Value grid = constantValue(
      node, makeConstant<float>(DType::F32,
                                {count, static_cast<int64_t>(axes) + 1}, base));
  Value result = node.emit<nn::MatMulOp>(node.f32(), {grid, theta},
                                         node.unit("transpose_b"));
  Shape to{size[0]};
  to.insert(to.end(), places.begin(), places.end());
  to.push_back(static_cast<int64_t>(axes));
  node.setResult(node.reshape(result, to));
}

void onnx_import::importRoiAlign(Node &node) {
  Value input = node.real(0), regions = node.real(1), batch = node.value(2);
  std::string transform =
      node.opset < 16
          ? "output_half_pixel"
          : node.getString("coordinate_transformation_mode", "half_pixel");
  if (transform != "half_pixel" && transform != "output_half_pixel")
    failInvalid("coordinate_transformation_mode is '{}'; half_pixel and "
                "output_half_pixel exist",
                transform);
  SmallVector<NamedAttribute> attributes{
      node.attr("size", Shape{node.getInt("output_height", 1),
                              node.getInt("output_width", 1)}),
      node.attr("scale", node.getFloat("spatial_scale", 1.0f)),
      node.attr("sampling", node.getInt("sampling_ratio", 0)),
      text(node, "mode", node.getString("mode", "avg"))};
  if (transform == "half_pixel")
    attributes.push_back(node.unit("half_pixel"));
  node.setResult(node.emit<nn::RoiAlignOp>(node.f32(), {input, regions, batch},
                                           attributes));
}

/// The largest element in each of `bins` equal parts of a region along one
/// axis, whose bounds are whole numbers [R, 1]. `value` is [R, C, .., length,
/// ..] with the axis at `axis`; so is the result, with `bins`. Parts may
/// overlap; `isFilled` becomes [R, bins]: which of them have elements.
static Value largestOfParts(Node &node, Value value, int64_t axis, Value first,
                            Value last, int64_t bins, Value &isFilled) {
  Type truth = node.builder().getI1Type();
  auto compare = [&](Value a, Value b) {
    return node.emit<nn::LessOp>(truth, {a, b});
  };
  Shape shape = shapeOf(value);
  int64_t length = shape[axis], regions = shape[0];
  auto count = [&](int64_t n, int64_t at, int64_t rank) {
    return node.cast(node.iota(n, at, rank), node.f32());
  };
  Value one = scalar(node, 1);
  Value size = add(node, node.like<nn::SubOp>({last, first}), one);
  Value step = node.like<nn::DivOp>(
      {node.like<nn::MaxOp>({size, one}), scalar(node, float(bins))});
  auto bound = [&](Value place) {
    return node.like<nn::ClipOp>(
        add(node, place, first),
        {node.attr("min", 0.0f), node.attr("max", float(length))});
  };
  Value part = count(bins, 1, 2);
  Value low = bound(node.like<nn::FloorOp>(multiply(node, part, step)));
  Value high =
      bound(node.like<nn::CeilOp>(multiply(node, add(node, part, one), step)));
  isFilled = compare(low, high);
  // [R, bins, length]: whether an element lies in a part.
  low = node.reshape(low, {regions, bins, 1});
  high = node.reshape(high, {regions, bins, 1});
  Value place = count(length, 2, 3);
  Value isIn = node.emit<nn::AndOp>(
      truth, {compare(node.like<nn::SubOp>({low, scalar(node, 0.5f)}), place),
              compare(place, high)});
  Shape mask(shape.size() + 1, 1), apart = shape;
  mask[0] = regions;
  mask[axis] = bins;
  mask[axis + 1] = length;
  apart.insert(apart.begin() + axis, 1);
  Value chosen = node.emit<nn::WhereOp>(
      node.f32(), {node.reshape(isIn, mask), node.reshape(value, apart),
                   scalar(node, std::numeric_limits<float>::lowest())});
  return node.like<nn::ReduceMaxOp>(chosen, node.attr("axes", Shape{axis + 1}));
}

void onnx_import::importMaxRoiPool(Node &node) {
  Value input = node.real(0), regions = node.real(1);
  Shape shape = node.shape(0), table = node.shape(1);
  Shape pooled = node.getInts("pooled_shape").value_or(Shape());
  if (shape.size() != 4 || table.size() != 2 || table[1] != 5)
    failInvalid("needs an input of 4 axes and regions of 5 numbers, not {} and "
                "{}",
                shapeString(shape), shapeString(table));
  if (pooled.size() != 2 || pooled[0] < 1 || pooled[1] < 1)
    failInvalid("attribute 'pooled_shape' must be two positive numbers");
  int64_t count = table[0];
  Value scale = scalar(node, node.getFloat("spatial_scale", 1.0f));
  // Half away from 0.
  auto bound = [&](int64_t i) {
    Value place = multiply(node, slice(node, regions, 1, i, 1), scale);
    Value size = node.like<nn::FloorOp>(
        add(node, node.like<nn::AbsOp>(place), scalar(node, 0.5f)));
    return multiply(node, node.like<nn::SignOp>(place), size);
  };
  Value sample = node.cast(node.reshape(slice(node, regions, 1, 0, 1), {count}),
                           node.builder().getI64Type());
  Value value = node.emit<nn::GatherOp>(node.f32(), {input, sample},
                                        node.attr("axis", int64_t(0)));
  Value columns, rows;
  value =
      largestOfParts(node, value, 3, bound(1), bound(3), pooled[1], columns);
  value = largestOfParts(node, value, 2, bound(2), bound(4), pooled[0], rows);
  Value isFilled =
      node.emit<nn::AndOp>(node.builder().getI1Type(),
                           {node.reshape(rows, {count, 1, pooled[0], 1}),
                            node.reshape(columns, {count, 1, 1, pooled[1]})});
  node.setResult(
      node.emit<nn::WhereOp>(node.f32(), {isFilled, value, scalar(node, 0)}));
}
