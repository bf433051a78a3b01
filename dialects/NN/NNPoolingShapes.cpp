//===- NNPoolingShapes.cpp - shapes of windows without weights -*- C++ -*-===//
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

namespace {

template <typename Adaptor>
LogicalResult inferPool(std::optional<Location> loc, StringRef op, Adaptor a,
                        Components &out) {
  ArrayRef<int64_t> input = shapeOf(a.getInput());
  Window window{a.getKernel(), a.getStrides(), a.getPads(), a.getDilations(),
                a.getCeilMode()};
  Shape result(input.take_front(2));
  if (failed(inferWindow(loc, op, input, window, result)))
    return failure();
  size_t axes = input.size() - 2;
  for (size_t i = 0; i < 2 * axes; ++i)
    if (window.pads[i] >= window.kernel[i % axes])
      return fail(loc, op, "padding ", window.pads[i],
                  " must be smaller than the kernel ", window.kernel[i % axes]);
  return give(out, result);
}

} // namespace

CIMC_INFER(MaxPoolOp) {
  return inferPool(loc, getOperationName(), adaptor, out);
}
CIMC_INFER(AvgPoolOp) {
  return inferPool(loc, getOperationName(), adaptor, out);
}

CIMC_INFER(MaxPoolIndicesOp) {
  if (failed(inferPool(loc, getOperationName(), adaptor, out)))
    return failure();
  Shape result(out.front().getDims());
  return give(out, result);
}

LogicalResult MaxPoolIndicesOp::verify() {
  auto element = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getElementType();
  };
  if (element(getInput()) != element(getResult()) ||
      !element(getIndices()).isInteger(64))
    return emitOpError("has results of ")
           << element(getResult()) << " and " << element(getIndices())
           << "; they are of the input's type and i64";
  return success();
}

CIMC_INFER(GlobalAvgPoolOp) {
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  if (input.size() < 3)
    return fail(loc, getOperationName(), "the input ", text(input),
                " must be [N, C, spatial...]");
  Shape result(input.size(), 1);
  result[0] = input[0];
  result[1] = input[1];
  return give(out, result);
}
