//===- NNMovementShapes.cpp - shapes of data movement -*- C++ -*-===//
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

CIMC_INFER(TransposeOp) {
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  ArrayRef<int64_t> perm = adaptor.getPerm();
  Shape result;
  SmallVector<bool> seen(input.size(), false);
  for (int64_t axis : perm) {
    if (axis < 0 || axis >= static_cast<int64_t>(input.size()) || seen[axis])
      return fail(loc, getOperationName(), "perm is not a permutation of the ",
                  input.size(), " axes of ", text(input));
    seen[axis] = true;
    result.push_back(input[axis]);
  }
  if (result.size() != input.size())
    return fail(loc, getOperationName(), "perm has ", perm.size(),
                " entries; the input ", text(input), " needs ", input.size());
  return give(out, result);
}

CIMC_INFER(ConcatOp) {
  StringRef op = getOperationName();
  if (adaptor.getInputs().empty())
    return fail(loc, op, "needs at least one input");
  Shape result(shapeOf(adaptor.getInputs().front()));
  int64_t axis = adaptor.getAxis();
  if (axis < 0 || axis >= static_cast<int64_t>(result.size()))
    return fail(loc, op, "the input ", text(result), " has no axis ", axis);
  for (Value input : adaptor.getInputs().drop_front()) {
    ArrayRef<int64_t> shape = shapeOf(input);
    bool fits = shape.size() == result.size();
    for (size_t i = 0; fits && i < shape.size(); ++i)
      fits = static_cast<int64_t>(i) == axis || shape[i] == result[i];
    if (!fits || shape[axis] > INT64_MAX - result[axis])
      return fail(loc, op, "inputs ",
                  text(shapeOf(adaptor.getInputs().front())), " and ",
                  text(shape), " cannot be joined along axis ", axis);
    result[axis] += shape[axis];
  }
  return give(out, result);
}

CIMC_INFER(PadOp) {
  StringRef op = getOperationName();
  Shape result(shapeOf(adaptor.getInput()));
  ArrayRef<int64_t> low = adaptor.getLow(), high = adaptor.getHigh();
  if (low.size() != result.size() || high.size() != result.size())
    return fail(loc, op, "low and high have ", low.size(), " and ", high.size(),
                " entries; the input ", text(result), " needs ", result.size());
  for (size_t i = 0; i < result.size(); ++i) {
    if (low[i] < 0 || high[i] < 0 || low[i] > kMaxExtent ||
        high[i] > kMaxExtent || result[i] > kMaxExtent)
      return fail(loc, op, "axis ", i, " of ",
                  text(shapeOf(adaptor.getInput())), " is padded by ", low[i],
                  " and ", high[i], "; padding is not negative");
    result[i] += low[i] + high[i];
  }
  return give(out, result);
}

CIMC_INFER(SliceOp) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  ArrayRef<int64_t> starts = adaptor.getStarts(), sizes = adaptor.getSizes(),
                    steps = adaptor.getSteps();
  if (starts.size() != input.size() || sizes.size() != input.size() ||
      steps.size() != input.size())
    return fail(loc, op, "starts, sizes and steps have ", starts.size(), ", ",
                sizes.size(), " and ", steps.size(), " entries; the input ",
                text(input), " needs ", input.size());
  for (size_t i = 0; i < input.size(); ++i) {
    auto small = [](int64_t v) { return v >= -kMaxExtent && v <= kMaxExtent; };
    bool bounded = small(input[i]) && small(starts[i]) && small(sizes[i]) &&
                   small(steps[i]);
    int64_t last = bounded ? starts[i] + (sizes[i] - 1) * steps[i] : -1;
    bool inside = sizes[i] == 0 || (starts[i] >= 0 && starts[i] < input[i] &&
                                    last >= 0 && last < input[i]);
    if (!bounded || sizes[i] < 0 || steps[i] == 0 || !inside)
      return fail(loc, op, "start ", starts[i], ", size ", sizes[i], ", step ",
                  steps[i], " along axis ", i, " reads outside the input ",
                  text(input));
  }
  return give(out, sizes);
}

CIMC_INFER(ExpandOp) {
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  ArrayRef<int64_t> shape = adaptor.getShape();
  std::optional<Shape> both = broadcast(input, shape);
  if (!both || ArrayRef<int64_t>(*both) != shape)
    return fail(loc, getOperationName(), "the input ", text(input),
                " cannot be broadcast to ", text(shape));
  return give(out, shape);
}
