//===- OpChecks.cpp - what verifiers of cim share -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpChecks.h"

#include <algorithm>

using namespace mlir;

namespace cimc::cim::checks {

RankedTensorType mapType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

unsigned machineType(Type type) {
  if (type.isF32())
    return F32;
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer || integer.isSigned())
    return 0;
  switch (integer.getWidth()) {
  case 8:
    return integer.isUnsigned() ? U8 : I8;
  case 16:
    return integer.isUnsigned() ? U16 : I16;
  case 32:
    return integer.isUnsigned() ? 0 : I32;
  default:
    return 0;
  }
}

LogicalResult checkType(Operation *op, Value value, unsigned allowed,
                        StringRef what) {
  Type type = mapType(value).getElementType();
  if (machineType(type) & allowed)
    return success();
  InFlightDiagnostic diagnostic = op->emitOpError();
  diagnostic << what << " has element type " << type << ", expected one of";
  static constexpr std::pair<unsigned, const char *> kNames[] = {
      {I8, " i8"},    {U8, " ui8"},  {I16, " i16"},
      {U16, " ui16"}, {I32, " i32"}, {F32, " f32"}};
  for (auto [bit, name] : kNames)
    if (allowed & bit)
      diagnostic << name;
  return diagnostic;
}

LogicalResult checkSameShape(Operation *op, Value a, Value b) {
  if (mapType(a).getShape() == mapType(b).getShape())
    return success();
  return op->emitOpError() << "expects operand and result of one shape, got "
                           << a.getType() << " and " << b.getType();
}

LogicalResult checkUnary(Operation *op, Value in, unsigned inTypes, Value out,
                         unsigned outTypes) {
  if (failed(checkType(op, in, inTypes, "operand")) ||
      failed(checkType(op, out, outTypes, "result")))
    return failure();
  return checkSameShape(op, in, out);
}

LogicalResult checkBroadcast(Operation *op, ValueRange operands, unsigned types,
                             Value out, unsigned outTypes) {
  ArrayRef<int64_t> shape = mapType(out).getShape();
  SmallVector<int64_t, 3> largest(3, 1);
  for (Value operand : operands) {
    if (failed(checkType(op, operand, types, "operand")))
      return failure();
    for (auto [size, have, want] :
         llvm::zip(largest, mapType(operand).getShape(), shape)) {
      if (have != want && have != 1)
        return op->emitOpError() << "operand " << operand.getType()
                                 << " does not broadcast to " << out.getType();
      size = std::max(size, have);
    }
  }
  // Every dimension of the result comes from an operand.
  if (ArrayRef<int64_t>(largest) != shape)
    return op->emitOpError()
           << "result " << out.getType() << " is larger than its operands";
  return checkType(op, out, outTypes, "result");
}

LogicalResult checkRange(Operation *op, Value result, int64_t low,
                         int64_t high) {
  Type type = mapType(result).getElementType();
  int64_t min = type.isUnsignedInteger() ? 0 : -128;
  int64_t max = type.isUnsignedInteger() ? 255 : 127;
  if (low > high || low < min || high > max)
    return op->emitOpError() << "range [" << low << ", " << high
                             << "] is not within that of " << type;
  return success();
}

LogicalResult checkWindow(Operation *op, WindowAttr window, Value in, Value out,
                          bool checkPixels) {
  for (int i = 0; i < (checkPixels ? 2 : 1); ++i) {
    int64_t extent = (window.getKernel()[i] - 1) * window.getDilation()[i] + 1;
    int64_t begin = (mapType(out).getDimSize(i) - 1) * window.getStride()[i] -
                    window.getPad()[i];
    // End padding of up to one window is what models use.
    if (begin >= mapType(in).getDimSize(i) + extent)
      return op->emitOpError()
             << "the last window begins at " << (i ? "pixel " : "row ") << begin
             << " of " << mapType(in).getDimSize(i);
  }
  return success();
}

int64_t numElements(Value value) { return mapType(value).getNumElements(); }

int64_t rowsOf(Value value) { return mapType(value).getDimSize(0); }

RowDependence wholeOperand(Value operand) { return {0, rowsOf(operand), 0}; }

RowDependence rowByRow(Value operand, Value result) {
  if (rowsOf(operand) == 1 && rowsOf(result) > 1)
    return {0, 1, 0};
  return {1, 1, 1};
}

RowDependence windowed(WindowAttr window) {
  int64_t last = (window.getKernel()[0] - 1) * window.getDilation()[0] + 1;
  int64_t stride = window.getStride()[0], pad = window.getPad()[0];
  return {stride, std::max(last, stride) - pad, stride - pad};
}

} // namespace cimc::cim::checks
