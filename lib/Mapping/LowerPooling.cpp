//===- LowerPooling.cpp - windows on the vector unit -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

using namespace mlir;

namespace cimc::mapping {
namespace {

/// A pool's window over rows and pixels; nothing for more spatial axes, or
/// batches.
template <typename Op> std::optional<cim::WindowAttr> poolWindow(Op op) {
  Dims shape = shapeOf(op.getInput());
  size_t spatial = op.getKernel().size();
  if (shape.size() != spatial + 2 || shape[0] != 1 || spatial < 1 ||
      spatial > 2)
    return std::nullopt;
  int64_t kernel[] = {1, 1}, stride[] = {1, 1}, pad[] = {0, 0},
          dilation[] = {1, 1};
  for (size_t i = 0; i < spatial; ++i) {
    kernel[i] = op.getKernel()[i];
    stride[i] = op.getStrides()[i];
    pad[i] = op.getPads()[i];
    dilation[i] = op.getDilations()[i];
  }
  return cim::WindowAttr::get(op.getContext(), kernel, stride, pad, dilation);
}

constexpr const char *kPoolShapes =
    "only batches of one sample and one or two spatial axes are supported";

} // namespace

LogicalResult Lowering::lowerMaxPool(nn::MaxPoolOp op) {
  std::optional<cim::WindowAttr> window = poolWindow(op);
  if (!window)
    return fail(op, kPoolShapes);
  std::optional<Quant> x = getQuant(op.getInput().getType());
  if (!x || x->bits != 8)
    return fail(op, "is computed on 8 bits only; quantize the model");
  Map map =
      inLayout(op.getInput(), channelsLast(shapeOf(op.getInput()).size()));
  Dims shape = shapeOf(op.getResult()), perm = channelsLast(shape.size());
  RankedTensorType type =
      mapType(shape, perm, getElementTypeOrSelf(map.value.getType()));
  Value pooled = cim::MaxPoolOp::create(builder, op.getLoc(), type, map.value,
                                        *window, IntegerAttr());
  FailureOr<Value> value =
      moved(op, pooled, op.getInput().getType(), op.getResult().getType());
  if (failed(value))
    return failure();
  define(op.getResult(), *value, perm);
  return success();
}

LogicalResult Lowering::lowerAvgPool(nn::AvgPoolOp op) {
  std::optional<cim::WindowAttr> window = poolWindow(op);
  if (!window)
    return fail(op, kPoolShapes);
  std::optional<Quant> x = getQuant(op.getInput().getType()),
                       y = getQuant(op.getResult().getType());
  if (!x || !y || x->bits != 8 || y->bits != 8)
    return fail(op, "is computed on 8 bits only; quantize the model");
  Dims input = shapeOf(op.getInput());
  if (llvm::all_of(op.getPads(), [](int64_t pad) { return pad == 0; }) &&
      op.getKernel() == ArrayRef<int64_t>(input).drop_front(2))
    return globalAverage(op);
  Map map = inLayout(op.getInput(), channelsLast(input.size()));
  Dims shape = shapeOf(op.getResult()), perm = channelsLast(shape.size());
  RankedTensorType type =
      mapType(shape, perm,
              machineElement(getElementTypeOrSelf(op.getResult().getType())));
  Value pooled =
      cim::AvgPoolOp::create(builder, op.getLoc(), type, map.value, *window,
                             APFloat(x->scale), x->zero, APFloat(y->scale),
                             y->zero, op.getCountIncludePad(), IntegerAttr());
  define(op.getResult(), pooled, perm);
  return success();
}

LogicalResult Lowering::lowerGlobalAvgPool(nn::GlobalAvgPoolOp op) {
  return globalAverage(op);
}

LogicalResult Lowering::globalAverage(Operation *op) {
  Location loc = op->getLoc();
  Value input = op->getOperand(0), output = op->getResult(0);
  Dims shape = shapeOf(input), result = shapeOf(output);
  if (shape.size() < 3 || shape[0] != 1)
    return fail(op, kPoolShapes);
  std::optional<Quant> x = getQuant(input.getType()),
                       y = getQuant(output.getType());
  if (!x || !y || x->bits != 8 || y->bits != 8)
    return fail(op, "is computed on 8 bits only; quantize the model");
  Map map = inLayout(input, channelsLast(shape.size()));
  int64_t count = product(ArrayRef<int64_t>(shape).drop_front(2));
  auto type = RankedTensorType::get({1, 1, shape[1]}, builder.getI32Type());
  Value sums =
      cim::RowSumOp::create(builder, loc, type, map.value, IntegerAttr());
  auto bias = static_cast<int32_t>(static_cast<uint32_t>(-count) *
                                   static_cast<uint32_t>(x->zero));
  float multiplier =
      numerics::globalAverageMultiplier(x->scale, y->scale, count);
  Value mean = cim::RequantizeOp::create(
      builder, loc,
      type.clone(machineElement(getElementTypeOrSelf(output.getType()))), sums,
      bias, multiplier, y->zero, y->range.min, y->range.max, IntegerAttr());
  define(output, mean, channelsLast(result.size()));
  return success();
}

} // namespace cimc::mapping
