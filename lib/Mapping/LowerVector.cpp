//===- LowerVector.cpp - what runs on the vector unit in plain numbers -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
#include "Lowering.h"

#include "cimc/Reference/Elements.h"
#include "cimc/Support/SmallFloat.h"
#include "cimc/Support/VectorOps.h"

#include <limits>

using namespace mlir;

namespace cimc::mapping {

static bool isQuantized(Value value) {
  return isa<quant::QuantizedType>(getElementTypeOrSelf(value.getType()));
}

static DType dtypeOf(Type machine) {
  if (machine.isF32())
    return DType::F32;
  if (machine.isInteger(8))
    return machine.isUnsignedInteger() ? DType::U8 : DType::I8;
  if (machine.isInteger(16))
    return machine.isUnsignedInteger() ? DType::U16 : DType::I16;
  return DType::I32;
}

Dims Lowering::commonPerm(ValueRange operands, ArrayRef<int64_t> shape) {
  Dims perm = identityPerm(shape.size());
  int64_t largest = 0;
  for (Value operand : operands) {
    if (!maps.count(operand) || shapeOf(operand).size() != shape.size() ||
        product(shapeOf(operand)) <= largest)
      continue;
    largest = product(shapeOf(operand));
    perm = use(operand).perm;
  }
  return perm;
}

Value Lowering::scalar(Location loc, Type machine, double number) {
  auto type = RankedTensorType::get({1, 1, 1}, machine);
  Attribute value =
      machine.isF32()
          ? Attribute(FloatAttr::get(machine, number))
          : Attribute(IntegerAttr::get(machine, static_cast<int64_t>(number)));
  return cim::ConstantOp::create(
      builder, loc, type,
      DenseElementsAttr::get(type, ArrayRef<Attribute>(value)), IntegerAttr());
}

Value Lowering::map(Location loc, numerics::Function function, Value a, Value b,
                    numerics::Parameters parameters) {
  auto left = cast<RankedTensorType>(a.getType());
  SmallVector<int64_t, 3> shape(left.getShape());
  if (b)
    for (auto [have, other] :
         llvm::zip(shape, cast<RankedTensorType>(b.getType()).getShape()))
      have = std::max(have, other);
  Type element = left.getElementType();
  DType result;
  if (numerics::mapResult(function, dtypeOf(element), result) &&
      result != dtypeOf(element))
    element = IntegerType::get(builder.getContext(), 8, IntegerType::Unsigned);
  return cim::MapOp::create(builder, loc, RankedTensorType::get(shape, element),
                            a, b, numerics::mnemonic(function),
                            APFloat(parameters.alpha), APFloat(parameters.beta),
                            IntegerAttr());
}

LogicalResult Lowering::lowerElementwise(nn::ElementwiseOpInterface op) {
  if (llvm::any_of(op->getOperands(), isQuantized))
    return op->getNumOperands() == 1 ? lowerUnary(op) : lowerBinary(op);
  Location loc = op->getLoc();
  numerics::Function function = op.getFunction();
  Type type = getElementTypeOrSelf(op->getOperand(0).getType());
  Type machine = machineElement(type);
  DType result;
  if (!numerics::mapResult(function, dtypeOf(machine), result))
    return fail(op, "has no form on integers");
  Value output = op->getResult(0);
  Dims shape = shapeOf(output), perm = commonPerm(op->getOperands(), shape);
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(broadcastOperand(loc, operand, shape, perm));
  // Truth values are bytes of 0 and 1.
  if (function == numerics::Function::Not && type.isInteger(1)) {
    function = numerics::Function::Equal;
    operands.push_back(scalar(loc, machine, 0));
  }
  define(output,
         map(loc, function, operands[0],
             operands.size() > 1 ? operands[1] : Value(), op.getParameters()),
         perm);
  return success();
}

LogicalResult Lowering::lowerWhere(nn::WhereOp op) {
  Location loc = op.getLoc();
  Dims shape = shapeOf(op.getResult());
  Dims perm = commonPerm(op->getOperands(), shape);
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(broadcastOperand(loc, operand, shape, perm));
  Type element = getElementTypeOrSelf(op.getResult().getType());
  for (Value operand : {op.getLhs(), op.getRhs()})
    if (getElementTypeOrSelf(operand.getType()) != element)
      return fail(op, "operands and result have different element types");
  RankedTensorType type = mapType(shape, perm, machineElement(element));
  define(op.getResult(),
         cim::SelectOp::create(builder, loc, type, operands[0], operands[1],
                               operands[2], IntegerAttr()),
         perm);
  return success();
}

Value Lowering::convert(Location loc, Value value, Type machine) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getElementType() == machine)
    return value;
  return cim::ConvertOp::create(builder, loc, type.clone(machine), value,
                                IntegerAttr());
}

/// The low `bits` bits of integers, as numbers with or without sign.
Value Lowering::lowBits(Location loc, Value value, unsigned bits,
                        bool isSigned) {
  Type i32 = builder.getI32Type();
  // (x + half) mod 2^bits - half has the sign that bit `bits - 1` says.
  Value half = scalar(loc, i32, 1 << (bits - 1));
  if (isSigned)
    value = map(loc, numerics::Function::Add, value, half);
  value = map(loc, numerics::Function::And, value,
              scalar(loc, i32, (1 << bits) - 1));
  return isSigned ? map(loc, numerics::Function::Sub, value, half) : value;
}

/// The function that rounds fp32 to a smaller float type.
static std::optional<numerics::Function> rounding(Type type) {
  std::optional<DType> small = reference::elementDType(type);
  if (!small)
    return std::nullopt;
  switch (*small) {
  case DType::F16:
    return numerics::Function::RoundF16;
  case DType::BF16:
    return numerics::Function::RoundBF16;
  case DType::F8E4M3FN:
    return numerics::Function::RoundF8E4M3FN;
  case DType::F8E4M3FNUZ:
    return numerics::Function::RoundF8E4M3FNUZ;
  case DType::F8E5M2:
    return numerics::Function::RoundF8E5M2;
  case DType::F8E5M2FNUZ:
    return numerics::Function::RoundF8E5M2FNUZ;
  case DType::F8E8M0:
    return numerics::Function::RoundF8E8M0;
  case DType::F4E2M1:
    return numerics::Function::RoundF4E2M1;
  default:
    return std::nullopt;
  }
}

/// Whether the host rounds instead, because nothing else reads the value.
static bool isRoundedByHost(nn::CastOp op) {
  Type type = getElementTypeOrSelf(op.getResult().getType());
  return (type.isF16() || type.isBF16()) &&
         llvm::all_of(op->getUsers(), [](Operation *user) {
           return user->hasTrait<OpTrait::IsTerminator>();
         });
}

LogicalResult Lowering::lowerBitCast(nn::BitCastOp op) {
  Map input = use(op.getInput());
  auto type = cast<RankedTensorType>(input.value.getType());
  int64_t count = type.getNumElements(), one = 1;
  Type machine = machineElement(getElementTypeOrSelf(op.getResult().getType()));
  define(op.getResult(),
         cim::MoveOp::create(builder, op.getLoc(), type.clone(machine),
                             input.value, count, one, one, /*src_offset=*/0,
                             /*dst_offset=*/0, /*fill=*/0, IntegerAttr()),
         input.perm);
  return success();
}

LogicalResult Lowering::lowerCast(nn::CastOp op) {
  Location loc = op.getLoc();
  Type from = getElementTypeOrSelf(op.getInput().getType());
  Type to = getElementTypeOrSelf(op.getResult().getType());
  Map input = use(op.getInput());
  Value value = input.value;
  if (to.isInteger(1) && !from.isInteger(1)) {
    // Whatever is not 0 is true.
    Value zero = scalar(loc, machineElement(from), 0);
    value = map(loc, numerics::Function::Equal, value, zero);
    value = map(loc, numerics::Function::Equal, value,
                scalar(loc, machineElement(to), 0));
  } else {
    if (auto narrow = dyn_cast<IntegerType>(to);
        narrow && narrow.getWidth() < 8 && !to.isInteger(1) && from != to)
      value = lowBits(loc, convert(loc, value, builder.getI32Type()),
                      narrow.getWidth(), !narrow.isUnsigned());
    value = convert(loc, value, machineElement(to));
    // Floats of fewer bits travel as fp32, and are rounded where they are made.
    if (auto function = rounding(to);
        function && from != to && !isRoundedByHost(op))
      value = map(loc, *function, value, {},
                  {op.getSaturate() ? 1.0f : 0.0f, 0.0f});
  }
  define(op.getResult(), value, input.perm);
  return success();
}

//===----------------------------------------------------------------------===//
// Products of two activations
//===----------------------------------------------------------------------===//

LogicalResult Lowering::lowerFloatMatMul(nn::MatMulOp op) {
  Location loc = op.getLoc();
  Dims shapeA = shapeOf(op.getA()), shapeB = shapeOf(op.getB()),
       shapeY = shapeOf(op.getResult());
  auto f32 = builder.getF32Type();
  // [batch.., M, K] and [batch.., K, N] or [batch.., N, K], in row-major order.
  bool transposeB = op.getTransposeB() && shapeB.size() > 1;
  Dims permA = identityPerm(shapeA.size());
  if (op.getTransposeA() && shapeA.size() > 1)
    permA = swapLastAxes(permA);
  Value left = inLayout(op.getA(), permA).value;
  Dims permB = identityPerm(shapeB.size());
  Value right;
  if (maps.count(op.getB()) && shapeB.size() > 1) {
    // The order of b is taken as it is where it is one of the two.
    Map map = use(op.getB());
    Dims swapped = swapLastAxes(permB);
    if (!sameOrder(shapeB, map.perm, permB) &&
        sameOrder(shapeB, map.perm, swapped)) {
      permB = swapped;
      transposeB = !transposeB;
    }
  }
  right = inLayout(op.getB(), permB).value;
  Dims a = permuted(shapeA, permA), b = permuted(shapeB, permB);
  if (a.size() == 1)
    a.insert(a.begin(), 1);
  if (b.size() == 1)
    b.push_back(1);
  int64_t m = a[a.size() - 2], k = a.back();
  int64_t n = transposeB ? b[b.size() - 2] : b.back();
  int64_t batch = product(shapeY) / (m * n);
  int64_t batchB = product(b) / (k * n);
  size_t leading = std::max(a.size(), b.size()) - 2;
  Value result;
  if (batchB == 1) {
    int64_t rows = product(a) / k;
    // Where there are no more matrices, their rows come one by one.
    auto shared = RankedTensorType::get({b[b.size() - 2], 1, b.back()}, f32);
    result = cim::MatMulF32Op::create(
        builder, loc, RankedTensorType::get({rows, 1, n}, f32),
        regroup(loc, left, RankedTensorType::get({rows, 1, k}, f32)),
        regroup(loc, right, shared), transposeB, /*shared=*/true,
        IntegerAttr());
  } else {
    auto expanded = [&](Value value, ArrayRef<int64_t> shape, int64_t rows,
                        int64_t columns) {
      // Matrices that are used several times are repeated.
      Dims batches(ArrayRef<int64_t>(shapeY).take_front(leading));
      Dims have(batches.size(), 1);
      ArrayRef<int64_t> own = shape.drop_back(2);
      std::copy(own.begin(), own.end(), have.end() - own.size());
      Dims strides(have.size()), counts = batches;
      int64_t stride = rows * columns;
      for (size_t i = have.size(); i-- > 0;) {
        strides[i] = have[i] == 1 ? 0 : stride;
        stride *= have[i];
      }
      counts.push_back(rows * columns);
      strides.push_back(1);
      return move(loc, value,
                  RankedTensorType::get({batch, rows, columns}, f32), counts,
                  strides, rowMajorStrides(counts));
    };
    Value matricesA = expanded(left, a, m, k);
    Value matricesB =
        expanded(right, b, transposeB ? n : k, transposeB ? k : n);
    result = cim::MatMulF32Op::create(
        builder, loc, RankedTensorType::get({batch, m, n}, f32), matricesA,
        matricesB, transposeB, /*shared=*/false, IntegerAttr());
  }
  Dims perm = identityPerm(shapeY.size());
  result = regroup(loc, result, mapType(shapeY, perm, f32));
  if (op.getBias())
    result = map(loc, numerics::Function::Add, result,
                 broadcastOperand(loc, op.getBias(), shapeY, perm));
  define(op.getResult(), result, perm);
  return success();
}

} // namespace cimc::mapping
