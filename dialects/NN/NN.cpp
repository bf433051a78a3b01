//===- NN.cpp - the nn dialect -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifiers, folds and the constant materializer. What shape a result has is
// in NNShapes.cpp.
//
//===----------------------------------------------------------------------===//

#include "NN/NN.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace cimc;
using namespace cimc::nn;

#include "NN/NNDialect.cpp.inc"
#define GET_OP_CLASSES
#include "NN/NNOps.cpp.inc"

void NNDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "NN/NNOps.cpp.inc"
      >();
}

Operation *NNDialect::materializeConstant(OpBuilder &builder, Attribute value,
                                          Type type, Location loc) {
  auto elements = dyn_cast<ElementsAttr>(value);
  if (!elements || !isa<RankedTensorType>(type))
    return nullptr;
  return ConstantOp::create(builder, loc, type, elements);
}

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

bool nn::isQuantized(Type type) {
  return isa<quant::QuantizedType>(getElementTypeOrSelf(type));
}

Type nn::storageType(Type elementType) {
  auto type = dyn_cast<quant::QuantizedType>(elementType);
  if (!type)
    return elementType;
  return IntegerType::get(type.getContext(), type.getStorageTypeIntegralWidth(),
                          type.isSigned() ? IntegerType::Signless
                                          : IntegerType::Unsigned);
}

static Type elementType(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

static quant::UniformQuantizedPerAxisType perAxis(Value value) {
  return dyn_cast<quant::UniformQuantizedPerAxisType>(elementType(value));
}

//===----------------------------------------------------------------------===//
// Constants and conversions
//===----------------------------------------------------------------------===//

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

LogicalResult ConstantOp::verify() {
  auto type = cast<RankedTensorType>(getResult().getType());
  auto held = dyn_cast<RankedTensorType>(getValue().getType());
  if (!held || held.getShape() != type.getShape())
    return emitOpError("holds a value of type ")
           << getValue().getType() << " but its result is " << type;
  Type storage = storageType(type.getElementType());
  Type element = held.getElementType();
  bool sameBytes = storage == element;
  // Signless attributes may stand for unsigned storage too: i8 for u8.
  if (isQuantized(type))
    sameBytes |= element.isSignlessInteger(storage.getIntOrFloatBitWidth());
  if (!sameBytes)
    return emitOpError("holds elements of type ")
           << element << " but its result " << type << " is stored as "
           << storage;
  return success();
}

/// Shared by both conversions: which side is which.
static LogicalResult verifyConversion(Operation *op, Value real,
                                      Value quantized) {
  auto type = dyn_cast<quant::QuantizedType>(elementType(quantized));
  if (!type)
    return op->emitOpError("needs a quantized type on its integer side, not ")
           << quantized.getType();
  if (!isa<FloatType>(elementType(real)))
    return op->emitOpError("needs a float type on its real side, not ")
           << real.getType();
  if (type.getExpressedType() != elementType(real))
    return op->emitOpError("converts between ")
           << real.getType() << " and a quantized type that expresses "
           << type.getExpressedType();
  return success();
}

LogicalResult QuantizeOp::verify() {
  return verifyConversion(*this, getInput(), getResult());
}

LogicalResult DequantizeOp::verify() {
  return verifyConversion(*this, getResult(), getInput());
}

LogicalResult BitCastOp::verify() {
  Type from = elementType(getInput()), to = elementType(getResult());
  auto isWord = [](Type type) {
    return type.isF32() || (isa<IntegerType>(type) && type.isIntOrFloat() &&
                            type.getIntOrFloatBitWidth() == 32);
  };
  if (!isWord(from) || !isWord(to) || from.isF32() == to.isF32())
    return emitOpError("converts between f32 and integers of 32 bits, not ")
           << from << " to " << to;
  return success();
}

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

/// Whether two types are both quantized or hold the same elements.
static bool alike(Type a, Type b) {
  if (isQuantized(a))
    return isQuantized(b);
  return getElementTypeOrSelf(a) == getElementTypeOrSelf(b);
}

static LogicalResult verifyAlike(Operation *op, TypeRange types) {
  for (Type type : types.drop_front())
    if (!alike(type, types.front()))
      return op->emitOpError("mixes element types: ")
             << types.front() << " and " << type
             << "; all are quantized or all of one type";
  return success();
}

LogicalResult nn::verifySameElementType(Operation *op) {
  SmallVector<Type> types(op->getOperandTypes());
  llvm::append_range(types, op->getResultTypes());
  return verifyAlike(op, types);
}

static LogicalResult verifyTruth(Operation *op, StringRef what, Type type) {
  if (!getElementTypeOrSelf(type).isSignlessInteger(1))
    return op->emitOpError("needs a ")
           << what << " of element type i1, not " << type;
  return success();
}

LogicalResult nn::verifyPredicateType(Operation *op) {
  if (failed(verifyAlike(op, op->getOperandTypes())))
    return failure();
  return verifyTruth(op, "result", op->getResult(0).getType());
}

static LogicalResult verifyPositions(Operation *op, ArrayRef<int64_t> shape,
                                     int64_t axis, Type result) {
  if (!getElementTypeOrSelf(result).isSignlessInteger(64))
    return op->emitOpError("gives positions of type i64, not ") << result;
  if (shape[axis] == 0)
    return op->emitOpError("has no elements along axis ") << axis;
  return success();
}

LogicalResult ArgMaxOp::verify() {
  return verifyPositions(
      *this, cast<RankedTensorType>(getInput().getType()).getShape(), getAxis(),
      getType());
}

LogicalResult ArgMinOp::verify() {
  return verifyPositions(
      *this, cast<RankedTensorType>(getInput().getType()).getShape(), getAxis(),
      getType());
}

static LogicalResult verifyFloats(Operation *op) {
  for (Type type : op->getOperandTypes())
    if (!getElementTypeOrSelf(type).isF32())
      return op->emitOpError("is computed in f32, not on ") << type;
  return verifySameElementType(op);
}

LogicalResult LayerNormOp::verify() { return verifyFloats(*this); }
LogicalResult RMSNormOp::verify() { return verifyFloats(*this); }

LogicalResult WhereOp::verify() {
  if (failed(verifyTruth(*this, "condition", getCondition().getType())))
    return failure();
  return verifyAlike(*this,
                     {getLhs().getType(), getRhs().getType(), getType()});
}

//===----------------------------------------------------------------------===//
// Weighted sums
//===----------------------------------------------------------------------===//

/// The element types of a weighted sum: all float, plain integers without a
/// bias, or quantized operands with a 32-bit bias. `weightAxis` is the axis of
/// output channels.
static LogicalResult verifyWeightedSum(Operation *op, Value input, Value weight,
                                       Value bias, Value result,
                                       int64_t weightAxis) {
  auto checkAxis = [&]() -> LogicalResult {
    if (auto type = perAxis(weight))
      if (type.getQuantizedDimension() != weightAxis)
        return op->emitOpError("has weight scales along axis ")
               << type.getQuantizedDimension()
               << "; they must run along the output channels, axis "
               << weightAxis;
    return success();
  };
  // Rule R14: ranges taken while running.
  if (elementType(input).isF32() && isQuantized(weight.getType())) {
    for (Value value : {bias, result})
      if (value && !elementType(value).isF32())
        return op->emitOpError("has an f32 input and a quantized weight, so "
                               "its bias and result must be f32, not ")
               << value.getType();
    return checkAxis();
  }
  auto isPlainInteger = [](Value value) {
    auto type = dyn_cast<IntegerType>(elementType(value));
    return type && type.getWidth() >= 8 && type.getWidth() <= 32;
  };
  if (isPlainInteger(input) && isPlainInteger(weight) && !bias &&
      elementType(result).isSignlessInteger(32))
    return success();
  if (!isQuantized(input.getType())) {
    for (Value value : {weight, bias, result})
      if (value && elementType(value) != elementType(input))
        return op->emitOpError("mixes element types: the input is ")
               << input.getType() << " but another operand or the result is "
               << value.getType();
    return success();
  }
  bool isReal = elementType(result).isF32();
  if (!isQuantized(weight.getType()) ||
      (!isReal && !isQuantized(result.getType())))
    return op->emitOpError("has a quantized input ")
           << input.getType() << ", so its weight " << weight.getType()
           << " must be quantized too, and its result " << result.getType()
           << " quantized or f32";
  if (perAxis(input) || perAxis(result))
    return op->emitOpError("needs one scale for the whole input and for the "
                           "whole result; per-axis scales are for weights");
  if (failed(checkAxis()))
    return failure();
  // Rule R14 with a step that is known.
  if (isReal) {
    if (bias && !elementType(bias).isF32())
      return op->emitOpError("has an f32 result, so its bias must be f32, not ")
             << bias.getType();
    return success();
  }
  if (bias && !storageType(elementType(bias)).isSignlessInteger(32))
    return op->emitOpError("has a quantized input, so its bias must be stored "
                           "as i32, not ")
           << bias.getType();
  return success();
}

LogicalResult ConvOp::verify() {
  return verifyWeightedSum(*this, getInput(), getWeight(), getBias(),
                           getResult(), 0);
}

LogicalResult MatMulOp::verify() {
  int64_t rank = cast<RankedTensorType>(getB().getType()).getRank();
  int64_t axis = getTransposeB() ? rank - 2 : rank - 1;
  return verifyWeightedSum(*this, getA(), getB(), getBias(), getResult(), axis);
}

//===----------------------------------------------------------------------===//
// Data movement
//===----------------------------------------------------------------------===//

LogicalResult ReshapeOp::verify() {
  auto from = cast<RankedTensorType>(getInput().getType());
  auto to = cast<RankedTensorType>(getResult().getType());
  if (from.getNumElements() != to.getNumElements())
    return emitOpError("turns ")
           << from << " with " << from.getNumElements() << " elements into "
           << to << " with " << to.getNumElements();
  bool sameKind = isQuantized(from)
                      ? isQuantized(to)
                      : from.getElementType() == to.getElementType();
  if (!sameKind)
    return emitOpError("changes the element type from ")
           << from.getElementType() << " to " << to.getElementType();
  return success();
}

OpFoldResult ReshapeOp::fold(FoldAdaptor) {
  return getInput().getType() == getType() ? getInput() : Value();
}

OpFoldResult TransposeOp::fold(FoldAdaptor) {
  for (auto [i, axis] : llvm::enumerate(getPerm()))
    if (static_cast<int64_t>(i) != axis)
      return {};
  return getInput().getType() == getType() ? getInput() : Value();
}
