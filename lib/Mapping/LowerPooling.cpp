//===- LowerPooling.cpp - windows on the vector unit -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
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

//===----------------------------------------------------------------------===//
// Plain numbers
//===----------------------------------------------------------------------===//

namespace {

/// How many elements of an axis of n each window covers; `low` and `high` of
/// padding count as elements.
template <typename Op>
Dims coverage(Op op, size_t axis, int64_t n, int64_t windows, int64_t low,
              int64_t high) {
  Dims counts;
  for (int64_t i = 0; i < windows; ++i) {
    int64_t count = 0;
    for (int64_t k = 0; k < op.getKernel()[axis]; ++k) {
      int64_t at = i * op.getStrides()[axis] - op.getPads()[axis] +
                   k * op.getDilations()[axis];
      count += at >= -low && at < n + high;
    }
    counts.push_back(count);
  }
  return counts;
}

} // namespace

/// Windows over several axes are windows over one after the other; over the
/// rows and pixels of one sample both at once.
template <typename Op> LogicalResult Lowering::lowerPlainPool(Op op) {
  constexpr bool isMax = std::is_same_v<Op, nn::MaxPoolOp>;
  Location loc = op.getLoc();
  Dims in = shapeOf(op.getInput()), out = shapeOf(op.getResult());
  size_t spatial = op.getKernel().size();
  Dims perm = channelsLast(in.size());
  Value value = inLayout(op.getInput(), perm).value;
  Type machine = getElementTypeOrSelf(value.getType());
  if (!machine.isF32() && !(isMax && machine.isInteger(8)))
    return fail(op, "is computed on floats" +
                        Twine(isMax ? " and 8-bit integers" : "") + " only");
  auto pool = [&](RankedTensorType type, cim::WindowAttr window) {
    if constexpr (isMax)
      value = cim::MaxPoolOp::create(builder, loc, type, value, window,
                                     IntegerAttr());
    else
      value = cim::SumPoolOp::create(builder, loc, type, value, window,
                                     IntegerAttr());
  };
  if (std::optional<cim::WindowAttr> window = poolWindow(op)) {
    pool(mapType(out, perm, machine), *window);
  } else {
    // N, spatial.., C.
    Dims sizes = permuted(in, perm);
    for (size_t i = 0; i < spatial; ++i) {
      int64_t kernel = op.getKernel()[i], stride = op.getStrides()[i],
              pad = op.getPads()[i];
      if (kernel == 1 && stride == 1 && pad == 0 && in[i + 2] == out[i + 2])
        continue;
      ArrayRef<int64_t> all = sizes;
      int64_t outer = product(all.take_front(i + 1)),
              inner = product(all.drop_front(i + 2));
      value =
          regroup(loc, value,
                  RankedTensorType::get({outer, sizes[i + 1], inner}, machine));
      sizes[i + 1] = out[i + 2];
      pool(RankedTensorType::get({outer, sizes[i + 1], inner}, machine),
           cim::WindowAttr::get(op.getContext(), {1, kernel}, {1, stride},
                                {0, pad}, {1, op.getDilations()[i]}));
    }
    value = regroup(loc, value, mapType(out, perm, machine));
  }
  if constexpr (!isMax) {
    // The mean: every sum by its number of elements.
    std::vector<float> counts(1, 1.0f);
    for (size_t i = 0; i < spatial; ++i) {
      bool pads = op.getCountIncludePad();
      Dims axis =
          coverage(op, i, in[i + 2], out[i + 2], pads ? op.getPads()[i] : 0,
                   pads ? op.getPads()[spatial + i] : 0);
      std::vector<float> next;
      for (float count : counts)
        for (int64_t more : axis)
          next.push_back(count *
                         static_cast<float>(std::max<int64_t>(more, 1)));
      counts = std::move(next);
    }
    std::array<int64_t, 3> form = {1, 1, 1};
    std::vector<float> divisors(1, counts.front());
    if (!llvm::all_equal(counts)) {
      form = grouped(permuted(out, perm));
      form[2] = 1;
      divisors.clear();
      while (static_cast<int64_t>(divisors.size()) < form[0] * form[1])
        divisors.insert(divisors.end(), counts.begin(), counts.end());
    }
    auto type = RankedTensorType::get(form, machine);
    ArrayRef<char> bytes(reinterpret_cast<const char *>(divisors.data()),
                         divisors.size() * sizeof(float));
    Value divisor = cim::ConstantOp::create(
        builder, loc, type, makeElements(type, bytes, "counts"), IntegerAttr());
    value = map(loc, numerics::Function::Div, value, divisor);
  }
  define(op.getResult(), value, perm);
  return success();
}

LogicalResult Lowering::plainGlobalAverage(Operation *op) {
  Location loc = op->getLoc();
  Value output = op->getResult(0);
  Dims shape = shapeOf(op->getOperand(0)), perm = channelsLast(shape.size());
  Map input = use(op->getOperand(0), perm);
  Type machine = getElementTypeOrSelf(input.value.getType());
  if (!machine.isF32())
    return fail(op, "is computed on floats or on 8 bits only");
  int64_t count = product(ArrayRef<int64_t>(shape).drop_front(2));
  Value sums;
  if (shape[0] == 1) {
    // Row by row, as they come.
    input = relayout(loc, input, perm);
    sums = cim::RowSumOp::create(
        builder, loc, RankedTensorType::get({1, 1, shape[1]}, machine),
        input.value, IntegerAttr());
  } else {
    Dims axes = identityPerm(shape.size());
    sums = reduce(loc, input, ArrayRef<int64_t>(axes).drop_front(2),
                  numerics::Reduction::Sum, perm);
  }
  Value mean = map(loc, numerics::Function::Div, sums,
                   scalar(loc, machine, static_cast<double>(count)));
  define(output, mean, perm);
  return success();
}

//===----------------------------------------------------------------------===//
// Quantized
//===----------------------------------------------------------------------===//

LogicalResult Lowering::lowerMaxPool(nn::MaxPoolOp op) {
  if (!getQuant(op.getInput().getType()))
    return lowerPlainPool(op);
  std::optional<cim::WindowAttr> window = poolWindow(op);
  if (!window)
    return fail(op, kPoolShapes);
  std::optional<Quant> x = getQuant(op.getInput().getType());
  if (!x || x->bits > 16)
    return fail(op, "is computed on 8 or 16 bits only; quantize the model");
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
  if (!getQuant(op.getInput().getType()))
    return lowerPlainPool(op);
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
  if (!getQuant(op.getInput().getType()))
    return plainGlobalAverage(op);
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
