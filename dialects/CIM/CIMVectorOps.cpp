//===- CIMVectorOps.cpp - general vector operations of cim -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpChecks.h"

#include "cimc/Support/VectorOps.h"

using namespace mlir;
using namespace cimc::cim;
using namespace cimc::cim::checks;
using cimc::DType;
using cimc::numerics::Reduction;

//===----------------------------------------------------------------------===//
// Row dependences
//===----------------------------------------------------------------------===//

#define CIMC_ROW_BY_ROW(OP)                                                    \
  RowDependence OP::getRowDependence(unsigned operand) {                       \
    return rowByRow(getOperation()->getOperand(operand), getResult());         \
  }
CIMC_ROW_BY_ROW(MapOp)
CIMC_ROW_BY_ROW(SoftmaxF32Op)
CIMC_ROW_BY_ROW(SelectOp)
CIMC_ROW_BY_ROW(ConvertOp)
CIMC_ROW_BY_ROW(ReduceOp)
CIMC_ROW_BY_ROW(ScanOp)
CIMC_ROW_BY_ROW(TopKOp)
#undef CIMC_ROW_BY_ROW

RowDependence GatherOp::getRowDependence(unsigned operand) {
  return wholeOperand(getOperand(operand));
}
RowDependence ScatterOp::getRowDependence(unsigned operand) {
  return wholeOperand(getOperand(operand));
}
RowDependence MatMulF32Op::getRowDependence(unsigned operand) {
  if (operand == 1 && getShared())
    return wholeOperand(getB());
  return {1, 1, 1};
}
RowDependence SumPoolOp::getRowDependence(unsigned) {
  return windowed(getWindow());
}

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

/// The host's name of a machine type; `bit` is one.
static DType dtypeOf(unsigned bit) {
  switch (bit) {
  case I8:
    return DType::I8;
  case U8:
    return DType::U8;
  case I16:
    return DType::I16;
  case U16:
    return DType::U16;
  case I32:
    return DType::I32;
  default:
    return DType::F32;
  }
}

static unsigned typeOf(Value value) {
  return machineType(mapType(value).getElementType());
}

LogicalResult MapOp::verify() {
  cimc::numerics::Function function;
  if (!cimc::numerics::parseFunction(getFunction().str().c_str(), function))
    return emitOpError() << "unknown function '" << getFunction() << "'";
  bool binary = cimc::numerics::arity(function) == 2;
  if (binary != static_cast<bool>(getB()))
    return emitOpError() << "function '" << getFunction() << "' takes "
                         << (binary ? 2 : 1) << " operands";
  if (failed(checkType(*this, getA(), Any, "operand")))
    return failure();
  unsigned type = typeOf(getA());
  DType result;
  if (!cimc::numerics::mapResult(function, dtypeOf(type), result))
    return emitOpError() << "function '" << getFunction() << "' has no form on "
                         << mapType(getA()).getElementType();
  unsigned resultType = result == dtypeOf(type) ? type : U8;
  if (binary)
    return checkBroadcast(*this, {getA(), getB()}, type, getResult(),
                          resultType);
  return checkUnary(*this, getA(), type, getResult(), resultType);
}

LogicalResult SoftmaxF32Op::verify() {
  return checkUnary(*this, getInput(), F32, getResult(), F32);
}

LogicalResult SelectOp::verify() {
  if (failed(checkType(*this, getCondition(), U8, "condition")))
    return failure();
  unsigned type = typeOf(getResult());
  for (Value operand : {getA(), getB()})
    if (failed(checkType(*this, operand, type, "operand")))
      return failure();
  return checkBroadcast(*this, {getCondition(), getA(), getB()}, Any,
                        getResult(), type);
}

LogicalResult ConvertOp::verify() {
  return checkUnary(*this, getInput(), Any, getResult(), Any);
}

/// A function that an operation knows, by name.
static LogicalResult checkFunction(Operation *op, StringRef name,
                                   ArrayRef<Reduction> known,
                                   Reduction &function) {
  if (cimc::numerics::parseReduction(name.str().c_str(), function) &&
      llvm::is_contained(known, function))
    return success();
  InFlightDiagnostic diagnostic =
      op->emitOpError() << "unknown function '" << name << "', expected one of";
  for (Reduction reduction : known)
    diagnostic << ' ' << cimc::numerics::mnemonic(reduction);
  return diagnostic;
}

/// Rows and pixels of operand and result are the same.
static LogicalResult checkPixels(Operation *op, Value in, Value out) {
  if (mapType(in).getShape().drop_back() == mapType(out).getShape().drop_back())
    return success();
  return op->emitOpError() << "operand " << in.getType() << " and result "
                           << out.getType() << " differ in rows or pixels";
}

LogicalResult ReduceOp::verify() {
  Reduction function;
  if (failed(
          checkFunction(*this, getFunction(),
                        {Reduction::Sum, Reduction::Prod, Reduction::Max,
                         Reduction::Min, Reduction::ArgMax, Reduction::ArgMin,
                         Reduction::ArgMaxLast, Reduction::ArgMinLast},
                        function)) ||
      failed(checkType(*this, getInput(), Any, "operand")) ||
      failed(checkType(*this, getResult(),
                       cimc::numerics::isArgument(function)
                           ? unsigned(I32)
                           : typeOf(getInput()),
                       "result")))
    return failure();
  if (mapType(getResult()).getDimSize(2) != 1)
    return emitOpError() << "the result has one channel, got "
                         << getResult().getType();
  return checkPixels(*this, getInput(), getResult());
}

LogicalResult ScanOp::verify() {
  Reduction function;
  if (failed(checkFunction(*this, getFunction(),
                           {Reduction::Sum, Reduction::Prod}, function)))
    return failure();
  return checkUnary(*this, getInput(), Any, getResult(), typeOf(getInput()));
}

LogicalResult TopKOp::verify() {
  if (failed(checkType(*this, getInput(), Any, "operand")) ||
      failed(checkType(*this, getResult(),
                       getIndices() ? unsigned(I32) : typeOf(getInput()),
                       "result")))
    return failure();
  int64_t have = mapType(getInput()).getDimSize(2),
          want = mapType(getResult()).getDimSize(2);
  if (want > have)
    return emitOpError() << "takes " << want << " of " << have << " channels";
  return checkPixels(*this, getInput(), getResult());
}

/// Blocks of `map`, one for every index where `indices` is given.
static LogicalResult checkBlocks(Operation *op, Value map, int64_t block,
                                 Value indices, StringRef what) {
  if (block < 1 || block > kLargest)
    return op->emitOpError()
           << "blocks have " << block << " elements, must be at least 1";
  int64_t elements = numElements(map);
  int64_t blocks = indices ? numElements(indices) : elements / block;
  if (blocks * block == elements)
    return success();
  return op->emitOpError() << what << " has " << elements << " elements, "
                           << blocks << " blocks have " << block << " each";
}

LogicalResult GatherOp::verify() {
  if (failed(checkType(*this, getInput(), Any, "operand")) ||
      failed(checkType(*this, getIndices(), I32, "indices")) ||
      failed(checkType(*this, getResult(), typeOf(getInput()), "result")))
    return failure();
  int64_t block = getBlock();
  if (failed(checkBlocks(*this, getInput(), block, Value(), "the input")))
    return failure();
  return checkBlocks(*this, getResult(), block, getIndices(), "the result");
}

LogicalResult ScatterOp::verify() {
  Reduction function;
  if (failed(checkFunction(*this, getFunction(),
                           {Reduction::Set, Reduction::Sum, Reduction::Prod,
                            Reduction::Max, Reduction::Min},
                           function)) ||
      failed(checkUnary(*this, getInput(), Any, getResult(),
                        typeOf(getInput()))) ||
      failed(checkType(*this, getIndices(), I32, "indices")) ||
      failed(checkType(*this, getUpdates(), typeOf(getInput()), "updates")))
    return failure();
  int64_t block = getBlock();
  if (failed(checkBlocks(*this, getInput(), block, Value(), "the input")))
    return failure();
  return checkBlocks(*this, getUpdates(), block, getIndices(), "updates");
}

LogicalResult MatMulF32Op::verify() {
  for (Value value : {getA(), getB(), getResult()})
    if (failed(checkType(*this, value, F32,
                         value == getResult() ? "result" : "operand")))
      return failure();
  ArrayRef<int64_t> a = mapType(getA()).getShape(),
                    b = mapType(getB()).getShape(),
                    y = mapType(getResult()).getShape();
  int64_t first = getShared() ? b[0] * b[1] : b[1], last = b[2];
  int64_t k = getTransposeB() ? last : first;
  int64_t n = getTransposeB() ? first : last;
  if (a[2] != k)
    return emitOpError() << "a has " << a[2] << " channels, the matrices of b "
                         << k << " rows";
  if (y[0] != a[0] || y[1] != a[1] || y[2] != n ||
      (!getShared() && b[0] != a[0]))
    return emitOpError() << "operands " << getA().getType() << " and "
                         << getB().getType() << " do not give "
                         << getResult().getType();
  return success();
}

LogicalResult SumPoolOp::verify() {
  if (failed(checkType(*this, getInput(), F32, "operand")) ||
      failed(checkType(*this, getResult(), F32, "result")) ||
      failed(checkWindow(*this, getWindow(), getInput(), getResult())))
    return failure();
  if (mapType(getInput()).getDimSize(2) != mapType(getResult()).getDimSize(2))
    return emitOpError() << "operand " << getInput().getType() << " and result "
                         << getResult().getType() << " differ in channels";
  return success();
}
