//===- NNResamplingShapes.cpp - shapes of interpolation -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NNShapes.h"

#include <cmath>

using namespace mlir;
using namespace cimc;
using namespace cimc::nn;
using namespace cimc::nn::shapes;

static LogicalResult verifyChoice(Operation *op, StringRef what,
                                  StringRef value,
                                  ArrayRef<StringRef> choices) {
  if (llvm::is_contained(choices, value))
    return success();
  InFlightDiagnostic error = op->emitOpError("has the ")
                             << what << " '" << value << "'; ";
  llvm::interleaveComma(choices, error);
  return error << " exist";
}

CIMC_INFER(ResizeOp) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  ArrayRef<int64_t> sizes = adaptor.getSizes();
  if (sizes.size() != input.size() ||
      adaptor.getScales().size() != input.size())
    return fail(loc, op, "sizes and scales have ", sizes.size(), " and ",
                adaptor.getScales().size(), " entries; the input ", text(input),
                " needs ", input.size());
  for (auto [i, size] : llvm::enumerate(sizes))
    if (size < 1 || size > kMaxExtent || input[i] < 1)
      return fail(loc, op, "cannot resize axis ", i, " of ", text(input),
                  " to ", size);
  for (float scale : adaptor.getScales())
    if (!(scale > 0) || !std::isfinite(scale))
      return fail(loc, op, "a scale is ", std::to_string(scale),
                  "; scales are positive");
  size_t roi = adaptor.getRoi().size();
  if (roi && roi != 2 * input.size())
    return fail(loc, op, "roi has ", roi, " entries; the input ", text(input),
                " needs ", 2 * input.size(), " or none");
  return give(out, sizes);
}

LogicalResult ResizeOp::verify() {
  if (failed(verifyChoice(*this, "mode", getMode(),
                          {"nearest", "linear", "cubic"})) ||
      failed(verifyChoice(*this, "coordinates", getCoordinates(),
                          {"half_pixel", "half_pixel_symmetric",
                           "pytorch_half_pixel", "align_corners", "asymmetric",
                           "tf_crop_and_resize"})) ||
      failed(verifyChoice(
          *this, "nearest_mode", getNearestMode(),
          {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"})))
    return failure();
  if (getCoordinates() == "tf_crop_and_resize" && getRoi().empty())
    return emitOpError("has no roi, which tf_crop_and_resize needs");
  return success();
}

CIMC_INFER(GridSampleOp) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  ArrayRef<int64_t> grid = shapeOf(adaptor.getGrid());
  int64_t axes = static_cast<int64_t>(input.size()) - 2;
  if (axes < 1 || axes > 3 || grid.size() != input.size() ||
      grid[0] != input[0] || grid.back() != axes)
    return fail(loc, op, "the grid ", text(grid), " does not fit the input ",
                text(input), ": it is [N, places..., spatial axes]");
  for (int64_t extent : input)
    if (extent < 1)
      return fail(loc, op, "the input ", text(input), " has no elements");
  Shape result(input.take_front(2));
  result.append(grid.begin() + 1, grid.end() - 1);
  return give(out, result);
}

LogicalResult GridSampleOp::verify() {
  return success(succeeded(verifyChoice(*this, "mode", getMode(),
                                        {"nearest", "linear", "cubic"})) &&
                 succeeded(verifyChoice(*this, "padding", getPadding(),
                                        {"zeros", "border", "reflection"})));
}

CIMC_INFER(RoiAlignOp) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  ArrayRef<int64_t> regions = shapeOf(adaptor.getBoxes());
  ArrayRef<int64_t> batch = shapeOf(adaptor.getBatch());
  ArrayRef<int64_t> size = adaptor.getSize();
  if (input.size() != 4 || regions.size() != 2 || regions[1] != 4 ||
      batch != regions.take_front(1))
    return fail(loc, op, "the input ", text(input), ", the boxes ",
                text(regions), " and the batch ", text(batch),
                " must be [N, C, H, W], [R, 4] and [R]");
  if (size.size() != 2 || size[0] < 1 || size[1] < 1 || size[0] > kMaxExtent ||
      size[1] > kMaxExtent)
    return fail(loc, op, "the size of a region must be two positive numbers");
  return give(out, {regions[0], input[1], size[0], size[1]});
}

LogicalResult RoiAlignOp::verify() {
  auto element = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getElementType();
  };
  if (!element(getBatch()).isInteger(32) && !element(getBatch()).isInteger(64))
    return emitOpError("has batch numbers of type ")
           << element(getBatch()) << "; they are i32 or i64";
  if (element(getInput()) != element(getResult()) ||
      element(getInput()) != element(getBoxes()))
    return emitOpError("mixes the element types ")
           << element(getInput()) << ", " << element(getBoxes()) << " and "
           << element(getResult());
  if (getSampling() < 0 || getSampling() > 1024)
    return emitOpError("has ") << getSampling() << " samples along an axis; 0 "
                               << "to 1024 are possible";
  return verifyChoice(*this, "mode", getMode(), {"avg", "max"});
}
