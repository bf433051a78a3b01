//===- NNWeightedShapes.cpp - shapes of sums of products -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NNShapes.h"

using namespace mlir;
using namespace cimc;
using namespace cimc::nn;
using namespace cimc::nn::shapes;

CIMC_INFER(ConvOp) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  ArrayRef<int64_t> weight = shapeOf(adaptor.getWeight());
  if (input.size() < 3 || weight.size() != input.size())
    return fail(loc, op, "the input ", text(input), " and the weight ",
                text(weight), " must have the same number of axes, at least 3");
  int64_t group = adaptor.getGroup();
  int64_t channels = input[1], filters = weight[0];
  if (group < 1 || channels % group || filters % group)
    return fail(loc, op, "group ", group, " does not divide the ", channels,
                " input channels of ", text(input), " and the ", filters,
                " filters of ", text(weight));
  if (weight[1] != channels / group)
    return fail(loc, op, "the weight ", text(weight), " has ", weight[1],
                " input channels; the input ", text(input), " in ", group,
                " groups needs ", channels / group);
  if (Value bias = adaptor.getBias())
    if (shapeOf(bias) != ArrayRef<int64_t>{filters})
      return fail(loc, op, "the bias ", text(shapeOf(bias)), " must be ",
                  filters, ", one for each filter of ", text(weight));
  Window window{weight.drop_front(2), adaptor.getStrides(), adaptor.getPads(),
                adaptor.getDilations()};
  Shape result{input[0], filters};
  if (failed(inferWindow(loc, op, input, window, result)))
    return failure();
  return give(out, result);
}

CIMC_INFER(MatMulOp) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> aShape = shapeOf(adaptor.getA());
  ArrayRef<int64_t> bShape = shapeOf(adaptor.getB());
  auto mismatch = [&](const Twine &what) {
    return fail(loc, op, "cannot multiply ", text(aShape),
                adaptor.getTransposeA() ? " transposed" : "", " by ",
                text(bShape), adaptor.getTransposeB() ? " transposed" : "",
                ": ", what.str());
  };
  if (aShape.empty() || bShape.empty())
    return mismatch("scalars have no axis to sum over");
  if ((aShape.size() == 1 && adaptor.getTransposeA()) ||
      (bShape.size() == 1 && adaptor.getTransposeB()))
    return mismatch("an operand with one axis cannot be transposed");
  Shape a(aShape), b(bShape);
  if (a.size() == 1)
    a.insert(a.begin(), 1);
  if (b.size() == 1)
    b.push_back(1);
  if (adaptor.getTransposeA())
    std::swap(a[a.size() - 1], a[a.size() - 2]);
  if (adaptor.getTransposeB())
    std::swap(b[b.size() - 1], b[b.size() - 2]);
  int64_t m = a[a.size() - 2], n = b.back();
  if (a.back() != b[b.size() - 2])
    return mismatch("inner sizes " + Twine(a.back()) + " and " +
                    Twine(b[b.size() - 2]) + " differ");
  std::optional<Shape> result = broadcast(ArrayRef<int64_t>(a).drop_back(2),
                                          ArrayRef<int64_t>(b).drop_back(2));
  if (!result)
    return mismatch("the batch axes cannot be broadcast together");
  if (aShape.size() > 1)
    result->push_back(m);
  if (bShape.size() > 1)
    result->push_back(n);
  if (Value bias = adaptor.getBias())
    if (shapeOf(bias) != ArrayRef<int64_t>{n})
      return fail(loc, op, "the bias ", text(shapeOf(bias)), " must be ", n,
                  ", one for each column of the result");
  return give(out, *result);
}

CIMC_INFER(ConvTransposeOp) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  ArrayRef<int64_t> weight = shapeOf(adaptor.getWeight());
  if (input.size() < 3 || input.size() > 5 || weight.size() != input.size())
    return fail(loc, op, "the input ", text(input), " and the weight ",
                text(weight), " must have the same number of axes, 3 to 5");
  int64_t group = adaptor.getGroup();
  if (group < 1 || group > kMaxExtent || input[1] % group ||
      weight[0] != input[1] || weight[1] > kMaxExtent)
    return fail(loc, op, "the weight ", text(weight), " in ", group,
                " groups does not fit the ", input[1], " channels of ",
                text(input));
  int64_t filters = weight[1] * group;
  if (Value bias = adaptor.getBias())
    if (shapeOf(bias) != ArrayRef<int64_t>{filters})
      return fail(loc, op, "the bias ", text(shapeOf(bias)), " must be ",
                  filters, ", one for each filter of ", text(weight));
  size_t axes = input.size() - 2;
  ArrayRef<int64_t> strides = adaptor.getStrides(), pads = adaptor.getPads(),
                    dilations = adaptor.getDilations(),
                    more = adaptor.getOutputPadding();
  if (strides.size() != axes || pads.size() != 2 * axes ||
      dilations.size() != axes || more.size() != axes)
    return fail(loc, op, "strides, pads, dilations and output_padding need ",
                axes, ", ", 2 * axes, ", ", axes, " and ", axes, " entries");
  Shape result{input[0], filters};
  for (size_t i = 0; i < axes; ++i) {
    // Small enough that sums of products fit 64 bits.
    constexpr int64_t limit = int64_t(1) << 30;
    int64_t extent = input[2 + i], kernel = weight[2 + i];
    auto outside = [&](int64_t v, int64_t least) {
      return v < least || v > limit;
    };
    if (outside(extent, 1) || outside(kernel, 1) || outside(strides[i], 1) ||
        outside(dilations[i], 1) || outside(pads[i], 0) ||
        outside(pads[axes + i], 0) || outside(more[i], 0))
      return fail(loc, op, "axis ", 2 + i, " of ", text(input), " has stride ",
                  strides[i], ", dilation ", dilations[i], ", padding ",
                  pads[i], " and ", pads[axes + i], " and output padding ",
                  more[i], ", which are no transposed convolution");
    int64_t size = (extent - 1) * strides[i] + (kernel - 1) * dilations[i] + 1 +
                   more[i] - pads[i] - pads[axes + i];
    if (size < 1 || size > kMaxExtent)
      return fail(loc, op, "axis ", 2 + i, " of ", text(input),
                  " gives a result of ", size, " pixels");
    result.push_back(size);
  }
  return give(out, result);
}

CIMC_INFER(DeformConvOp) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  ArrayRef<int64_t> weight = shapeOf(adaptor.getWeight());
  ArrayRef<int64_t> offset = shapeOf(adaptor.getOffset());
  int64_t group = adaptor.getGroup(), moved = adaptor.getOffsetGroup();
  if (input.size() != 4 || weight.size() != 4 || group < 1 || moved < 1 ||
      input[1] % group || input[1] % moved || weight[0] % group ||
      weight[1] != input[1] / group)
    return fail(loc, op, "the input ", text(input), " and the weight ",
                text(weight), " do not fit ", group, " groups and ", moved,
                " offset groups");
  Window window{weight.drop_front(2), adaptor.getStrides(), adaptor.getPads(),
                adaptor.getDilations()};
  Shape result{input[0], weight[0]};
  if (failed(inferWindow(loc, op, input, window, result)))
    return failure();
  int64_t taps = moved * weight[2] * weight[3];
  auto check = [&](ArrayRef<int64_t> shape, int64_t channels, StringRef what) {
    if (shape == ArrayRef<int64_t>{input[0], channels, result[2], result[3]})
      return success();
    return fail(loc, op, "the ", what, " ", text(shape), " must be ", input[0],
                "x", channels, "x", result[2], "x", result[3]);
  };
  if (failed(check(offset, 2 * taps, "offset")) ||
      (adaptor.getMask() &&
       failed(check(shapeOf(adaptor.getMask()), taps, "mask"))))
    return failure();
  if (Value bias = adaptor.getBias())
    if (shapeOf(bias) != weight.take_front(1))
      return fail(loc, op, "the bias ", text(shapeOf(bias)), " must be ",
                  weight[0], ", one for each filter of ", text(weight));
  return give(out, result);
}
