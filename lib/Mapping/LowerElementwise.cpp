//===- LowerElementwise.cpp - tables, sums, products, fp32 functions -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/IR/Matchers.h"

#include <algorithm>

using namespace mlir;

namespace cimc::mapping {
namespace {

/// Rule R5: whether ONNX Runtime walks over `a` as one value that meets a span
/// of `b`: on the innermost axis that is longer than 1, `a` is broadcast.
bool isSpanScalar(ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
  size_t rank = std::max(a.size(), b.size());
  auto sizeAt = [&](ArrayRef<int64_t> shape, size_t axis) {
    size_t missing = rank - shape.size();
    return axis < missing ? 1 : shape[axis - missing];
  };
  for (size_t axis = rank; axis-- > 0;) {
    int64_t sizeA = sizeAt(a, axis), sizeB = sizeAt(b, axis);
    if (sizeA != 1 || sizeB != 1)
      return sizeA == 1;
  }
  return false;
}

} // namespace

LogicalResult Lowering::lowerUnary(nn::ElementwiseOpInterface op) {
  numerics::Function function = op.getFunction();
  auto [alpha, beta] = op.getParameters();
  Location loc = op->getLoc();
  Value input = op->getOperand(0), output = op->getResult(0);
  std::optional<Quant> x = getQuant(input.getType()),
                       y = getQuant(output.getType());
  Map map = use(input);
  if (!x || !y || x->bits != 8 || y->bits != 8)
    return fail(op, "is computed on plain numbers or on 8 bits only");
  std::array<int8_t, 256> table =
      numerics::makeTable(function, alpha, beta, x->scale, x->zero, x->isSigned,
                          y->scale, y->zero, y->isSigned);
  auto type =
      cast<RankedTensorType>(map.value.getType())
          .clone(machineElement(getElementTypeOrSelf(output.getType())));
  Value result = cim::LookupOp::create(builder, loc, type, map.value, table,
                                       IntegerAttr());
  define(output, result, map.perm);
  return success();
}

LogicalResult Lowering::lowerBinary(nn::ElementwiseOpInterface op) {
  numerics::Function function = op.getFunction();
  Location loc = op->getLoc();
  Value a = op->getOperand(0), b = op->getOperand(1), output = op->getResult(0);
  std::optional<Quant> qa = getQuant(a.getType()), qb = getQuant(b.getType()),
                       qc = getQuant(output.getType());
  bool bytes =
      qa && qb && qc && qa->bits == 8 && qb->bits == 8 && qc->bits == 8;
  if (!bytes)
    return fail(op, "quantized operands and results have 8 bits, all alike");
  Dims shape = shapeOf(output), perm = commonPerm({a, b}, shape);
  Value left = broadcastOperand(loc, a, shape, perm);
  Value right = broadcastOperand(loc, b, shape, perm);
  auto resultType = [&](Type element) { return mapType(shape, perm, element); };
  auto mapFunction = [&](Value x, Value y) -> Value {
    return cim::MapOp::create(builder, loc, resultType(builder.getF32Type()), x,
                              y, numerics::mnemonic(function), APFloat(0.0f),
                              APFloat(0.0f), IntegerAttr());
  };
  RankedTensorType type =
      resultType(machineElement(getElementTypeOrSelf(output.getType())));
  if (function == numerics::Function::Add) {
    if (isSpanScalar(shapeOf(a), shapeOf(b))) {
      std::swap(left, right);
      std::swap(qa, qb);
    }
    numerics::AddConstants constants = numerics::addConstants(
        qa->scale, qa->zero, qb->scale, qb->zero, qc->scale, qc->zero);
    Value sum = cim::AddOp::create(builder, loc, type, left, right,
                                   APFloat(constants.ra), APFloat(constants.rb),
                                   APFloat(constants.f), qc->range.min,
                                   qc->range.max, IntegerAttr());
    define(output, sum, perm);
    return success();
  }
  if (function == numerics::Function::Mul) {
    float scale = qa->scale * qb->scale;
    Value value =
        cim::MulOp::create(builder, loc, type, left, right, qa->zero, qb->zero,
                           APFloat(scale / qc->scale), qc->zero, qc->range.min,
                           qc->range.max, IntegerAttr());
    define(output, value, perm);
    return success();
  }
  // The others have no integer kernel: one fp32 operation between
  // conversions, which is what ONNX Runtime does too.
  auto dequantized = [&](Value value, const Quant &quant) -> Value {
    auto floatType =
        cast<RankedTensorType>(value.getType()).clone(builder.getF32Type());
    return cim::DequantizeOp::create(builder, loc, floatType, value,
                                     APFloat(quant.scale), quant.zero,
                                     IntegerAttr());
  };
  Value real = mapFunction(dequantized(left, *qa), dequantized(right, *qb));
  Value value = cim::QuantizeOp::create(
      builder, loc, type, real, APFloat(qc->scale), qc->zero, IntegerAttr());
  define(output, value, perm);
  return success();
}

LogicalResult Lowering::lowerSoftmax(nn::SoftmaxOp op) {
  Location loc = op.getLoc();
  Dims shape = shapeOf(op.getInput());
  auto rank = static_cast<int64_t>(shape.size());
  auto axis = static_cast<int64_t>(op.getAxis());
  if (axis < 0)
    axis += rank;
  if (axis < 0 || axis >= rank)
    return fail(op, "axis " + Twine(axis) + " is not one of the " +
                        Twine(rank) + " of its input");
  Map map = use(op.getInput());
  // The axis must be the channels; a layout in which only axes of length 1
  // follow it has the same order.
  Dims perm;
  for (int64_t other : map.perm)
    if (other != axis)
      perm.push_back(other);
  perm.push_back(axis);
  map = relayout(loc, map, perm);
  if (isFloat(op.getInput()) && isFloat(op.getResult())) {
    Value result = cim::SoftmaxF32Op::create(builder, loc, map.value.getType(),
                                             map.value, IntegerAttr());
    define(op.getResult(), result, perm);
    return success();
  }
  std::optional<Quant> x = getQuant(op.getInput().getType()),
                       y = getQuant(op.getResult().getType());
  if (!x || !y || x->bits != 8 || y->bits != 8)
    return fail(op, "is computed on floats or on 8 bits only");
  if (x->isSigned != y->isSigned) {
    // No integer kernel: fp32 between conversions.
    auto type = cast<RankedTensorType>(map.value.getType());
    Type element = getElementTypeOrSelf(op.getResult().getType());
    Value real = cim::DequantizeOp::create(
        builder, loc, type.clone(builder.getF32Type()), map.value,
        APFloat(x->scale), x->zero, IntegerAttr());
    real = cim::SoftmaxF32Op::create(builder, loc, real.getType(), real,
                                     IntegerAttr());
    Value result = cim::QuantizeOp::create(
        builder, loc, type.clone(machineElement(element)), real,
        APFloat(y->scale), y->zero, IntegerAttr());
    define(op.getResult(), result, perm);
    return success();
  }
  numerics::SoftmaxConstants constants =
      numerics::softmaxConstants(x->scale, y->scale, shape[axis]);
  Value result = cim::SoftmaxOp::create(
      builder, loc, map.value.getType(), map.value, constants.table,
      APFloat(constants.y), y->zero, IntegerAttr());
  define(op.getResult(), result, perm);
  return success();
}

LogicalResult Lowering::lowerQuantize(nn::QuantizeOp op) {
  Location loc = op.getLoc();
  std::optional<Quant> y = getQuant(op.getResult().getType());
  if (!y || y->bits > 16)
    return fail(op, "activations are quantized per tensor, to 8 or 16 bits");
  Map map = use(op.getInput());
  if (!isFloat(op.getInput())) {
    FailureOr<Value> value =
        moved(op, map.value, op.getInput().getType(), op.getResult().getType());
    if (failed(value))
      return failure();
    define(op.getResult(), *value, map.perm);
    return success();
  }
  auto type = cast<RankedTensorType>(map.value.getType())
                  .clone(machineElement(
                      getElementTypeOrSelf(op.getResult().getType())));
  // The machine saturates to all bits of its type; fewer levels are a clip
  // before.
  int32_t most = y->isSigned ? INT16_MAX : UINT16_MAX;
  if (y->bits == 16 && y->range.max < most)
    map.value = cim::MapOp::create(
        builder, loc, map.value.getType(), map.value, Value(),
        numerics::mnemonic(numerics::Function::Clip),
        APFloat(numerics::dequantize(y->range.min, y->scale, y->zero)),
        APFloat(numerics::dequantize(y->range.max, y->scale, y->zero)),
        IntegerAttr());
  Value result = cim::QuantizeOp::create(
      builder, loc, type, map.value, APFloat(y->scale), y->zero, IntegerAttr());
  define(op.getResult(), result, map.perm);
  return success();
}

LogicalResult Lowering::lowerDequantize(nn::DequantizeOp op) {
  std::optional<Quant> x = getQuant(op.getInput().getType());
  if (!x)
    return fail(op, "activations are quantized per tensor");
  Map map = use(op.getInput());
  auto type =
      cast<RankedTensorType>(map.value.getType()).clone(builder.getF32Type());
  Value result =
      cim::DequantizeOp::create(builder, op.getLoc(), type, map.value,
                                APFloat(x->scale), x->zero, IntegerAttr());
  define(op.getResult(), result, map.perm);
  return success();
}

} // namespace cimc::mapping
