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
