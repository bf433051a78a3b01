//===- NNNormalizationShapes.cpp - shapes of normalizations -*- C++ -*-===//
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

CIMC_INFER(SoftmaxOp) {
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  int64_t axis = adaptor.getAxis();
  if (axis < 0 || axis >= static_cast<int64_t>(input.size()))
    return fail(loc, getOperationName(), "the input ", text(input),
                " has no axis ", axis);
  return give(out, input);
}

CIMC_INFER(LogSoftmaxOp) {
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  int64_t axis = adaptor.getAxis();
  if (axis < 0 || axis >= static_cast<int64_t>(input.size()))
    return fail(loc, getOperationName(), "the input ", text(input),
                " has no axis ", axis);
  return give(out, input);
}

static LogicalResult inferRows(std::optional<Location> loc, StringRef op,
                               Value input, ValueRange parameters, int64_t axis,
                               Components &out) {
  ArrayRef<int64_t> shape = shapeOf(input);
  if (axis < 0 || axis >= static_cast<int64_t>(shape.size()))
    return fail(loc, op, "the input ", text(shape), " has no axis ", axis);
  for (Value parameter : parameters) {
    if (!parameter)
      continue;
    std::optional<Shape> both = broadcast(shape, shapeOf(parameter));
    if (!both || ArrayRef<int64_t>(*both) != shape)
      return fail(loc, op, "a parameter of shape ", text(shapeOf(parameter)),
                  " cannot be broadcast to the input ", text(shape));
  }
  return give(out, shape);
}

CIMC_INFER(LayerNormOp) {
  return inferRows(loc, getOperationName(), adaptor.getInput(),
                   {adaptor.getScale(), adaptor.getBias()}, adaptor.getAxis(),
                   out);
}

CIMC_INFER(RMSNormOp) {
  return inferRows(loc, getOperationName(), adaptor.getInput(),
                   adaptor.getScale(), adaptor.getAxis(), out);
}

CIMC_INFER(BatchNormOp) {
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  if (input.size() < 2)
    return fail(loc, getOperationName(), "the input ", text(input),
                " has no channel axis");
  for (Value value : {adaptor.getScale(), adaptor.getBias(), adaptor.getMean(),
                      adaptor.getVariance()})
    if (shapeOf(value) != input.slice(1, 1))
      return fail(loc, getOperationName(), "a parameter of shape ",
                  text(shapeOf(value)), " must have one entry for each of the ",
                  input[1], " channels of ", text(input));
  return give(out, input);
}
