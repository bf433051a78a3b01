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
