//===- CIMOps.cpp - verifiers and row dependences of cim -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpChecks.h"

#include "cimc/Support/Numerics.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>

using namespace mlir;
using namespace cimc::cim;
using namespace cimc::cim::checks;

#include "CIM/CIMInterfaces.cpp.inc"
#define GET_OP_CLASSES
#include "CIM/CIMOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Row dependences
//===----------------------------------------------------------------------===//

RowDependence MvmOp::getRowDependence(unsigned) {
  return windowed(getWindow());
}
RowDependence UnitOp::getRowDependence(unsigned) {
  return windowed(getWindow());
}
RowDependence DigitsOp::getRowDependence(unsigned operand) {
  return operand == 0 ? windowed(getWindow())
                      : rowByRow(getUnits(), getResult());
}
RowDependence DepthwiseOp::getRowDependence(unsigned) {
  return windowed(getWindow());
}
RowDependence MaxPoolOp::getRowDependence(unsigned) {
  return windowed(getWindow());
}
RowDependence AvgPoolOp::getRowDependence(unsigned) {
  return windowed(getWindow());
}
RowDependence RowSumOp::getRowDependence(unsigned) {
  return wholeOperand(getInput());
}
RowDependence MatMulOp::getRowDependence(unsigned operand) {
  return wholeOperand(getOperand(operand));
}
RowDependence MoveOp::getRowDependence(unsigned) {
  return wholeOperand(getInput());
}
RowDependence ReshapeOp::getRowDependence(unsigned) {
  if (rowsOf(getInput()) == rowsOf(getResult()))
    return {1, 1, 1};
  return wholeOperand(getInput());
}
RowDependence ConcatOp::getRowDependence(unsigned operand) {
  if (getAxis() != 0)
    return {1, 1, 1};
  int64_t before = 0;
  for (unsigned i = 0; i < operand; ++i)
    before += rowsOf(getOperand(i));
  return {1, 1 - before, 1 - before};
}
// Glue has no stream: nobody waits for its rows.
RowDependence InterleaveOp::getRowDependence(unsigned) { return {1, 1, 1}; }
RowDependence SliceOp::getRowDependence(unsigned) { return {1, 1, 1}; }
RowDependence ConstantOp::getRowDependence(unsigned) { return {}; }

#define CIMC_ROW_BY_ROW(OP)                                                    \
  RowDependence OP::getRowDependence(unsigned operand) {                       \
    return rowByRow(getOperation()->getOperand(operand), getResult());         \
  }
CIMC_ROW_BY_ROW(SumOp)
CIMC_ROW_BY_ROW(RequantizeOp)
CIMC_ROW_BY_ROW(CombineOp)
CIMC_ROW_BY_ROW(AddOp)
CIMC_ROW_BY_ROW(MulOp)
CIMC_ROW_BY_ROW(LookupOp)
CIMC_ROW_BY_ROW(SoftmaxOp)
CIMC_ROW_BY_ROW(QuantizeOp)
CIMC_ROW_BY_ROW(DequantizeOp)
#undef CIMC_ROW_BY_ROW

RowSelection cimc::cim::selectedRows(Value operand) {
  if (auto slice = operand.getDefiningOp<SliceOp>())
    return {static_cast<int64_t>(slice.getRowBegin()),
            static_cast<int64_t>(slice.getRowStep()), rowsOf(slice.getInput())};
  return {0, 1, rowsOf(operand)};
}

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

LogicalResult WindowAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 ArrayRef<int64_t> kernel,
                                 ArrayRef<int64_t> stride,
                                 ArrayRef<int64_t> pad,
                                 ArrayRef<int64_t> dilation) {
  std::tuple<ArrayRef<int64_t>, int64_t, StringRef> parts[] = {
      {kernel, 1, "kernel"},
      {stride, 1, "stride"},
      {pad, 0, "pad"},
      {dilation, 1, "dilation"}};
  for (auto &[values, least, name] : parts) {
    if (values.size() != 2)
      return emitError() << "window " << name
                         << " needs two entries, rows and pixels, got "
                         << values.size();
    for (auto [i, value] : llvm::enumerate(values)) {
      // A part of a layer may begin at a later row: less than no padding.
      int64_t low = name == "pad" && i == 0 ? -32768 : least;
      if (value < low || value > 65535)
        return emitError() << "window " << name << " is " << value
                           << ", must be within [" << low << ", 65535]";
    }
  }
  return success();
}

LogicalResult WeightsOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getValue().getType());
  if (!type || type.getRank() != 2 || !type.getElementType().isInteger(8) ||
      type.getElementType().isUnsignedInteger())
    return emitOpError() << "needs a K x N tensor of i8, got "
                         << getValue().getType();
  if (!llvm::is_contained({1, 2, 4, 8}, getBits()))
    return emitOpError() << "bits is " << getBits() << ", must be 1, 2, 4 or 8";
  return success();
}

LogicalResult MvmOp::verify() {
  if (failed(checkType(*this, getInput(), Byte | Half, "operand")) ||
      failed(checkType(*this, getResult(), I32, "result")) ||
      failed(checkWindow(*this, getWindow(), getInput(), getResult(), false)))
    return failure();
  int64_t elements = getWindow().getKernel()[0] * getWindow().getKernel()[1] *
                     mapType(getInput()).getDimSize(2);
  std::tuple<int64_t, int64_t, StringRef> numbers[] = {
      {getXBegin(), 0, "x_begin"},
      {getKBegin(), 0, "k_begin"},
      {getKSize(), 1, "k_size"},
      {getNBegin(), 0, "n_begin"},
      {getMacroRow(), 0, "macro_row"}};
  for (auto &[value, least, name] : numbers)
    if (value < least || value > kLargest)
      return emitOpError() << name << " is " << value << ", must be at least "
                           << least;
  // An instruction names its macros by the bits of a 64-bit word.
  for (int64_t macro : getMacros().value_or(ArrayRef<int64_t>()))
    if (macro < 0 || macro > 63)
      return emitOpError() << "macro " << macro << " is not one of 0 to 63";
  int64_t end = static_cast<int64_t>(getKBegin() + getKSize());
  if (end > elements)
    return emitOpError() << "elements [" << static_cast<int64_t>(getKBegin())
                         << ", " << end << ") are not within the window's "
                         << elements;
  return success();
}

LogicalResult MvmOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto weights =
      symbols.lookupNearestSymbolFrom<WeightsOp>(*this, getWeightsAttr());
  if (!weights)
    return emitOpError() << "'" << getWeights()
                         << "' is no cim.weights of this module";
  auto type = cast<RankedTensorType>(weights.getValue().getType());
  int64_t elements = getWindow().getKernel()[0] * getWindow().getKernel()[1] *
                     mapType(getInput()).getDimSize(2);
  if (type.getDimSize(0) != elements)
    return emitOpError() << "the window has " << elements
                         << " elements, weights '" << getWeights() << "' have "
                         << type.getDimSize(0) << " rows";
  int64_t begin = getNBegin();
  int64_t end = begin + mapType(getResult()).getDimSize(2);
  if (end > type.getDimSize(1))
    return emitOpError() << "columns [" << begin << ", " << end
                         << ") are not within the " << type.getDimSize(1)
                         << " of '" << getWeights() << "'";
  return success();
}

LogicalResult SumOp::verify() {
  if (getInputs().empty())
    return emitOpError() << "needs at least one operand";
  for (Value input : getInputs())
    if (failed(checkUnary(*this, input, I32, getResult(), I32)))
      return failure();
  return success();
}

LogicalResult RequantizeOp::verify() {
  if (failed(checkUnary(*this, getInput(), I32, getResult(), Byte)))
    return failure();
  size_t channels = mapType(getResult()).getDimSize(2);
  for (auto [size, name] :
       {std::pair<size_t, StringRef>{getBias().size(), "bias"},
        {getMultiplier().size(), "multiplier"}})
    if (size != 1 && size != channels)
      return emitOpError() << name << " has " << size << " entries, expected 1"
                           << " or " << channels;
  return checkRange(*this, getResult(), getLow(), getHigh());
}

/// A window whose rows alone count, over rows of the result's height.
static LogicalResult checkRowWindow(Operation *op, WindowAttr window, Value in,
                                    Value out) {
  if (window.getKernel()[1] != 1 || window.getStride()[1] != 1 ||
      window.getPad()[1] != 0 || window.getDilation()[1] != 1)
    return op->emitOpError() << "takes whole rows: the window's pixel entries "
                                "must be 1, 1, 0 and 1";
  return checkWindow(op, window, in, out, false);
}

/// One number for each row of `rows`.
static LogicalResult checkUnits(Operation *op, Value units, Value rows) {
  if (failed(checkType(op, units, F32, "units")))
    return failure();
  int64_t count = mapType(rows).getDimSize(0);
  int64_t expected[] = {count, 1, 1};
  if (mapType(units).getShape() == ArrayRef<int64_t>(expected))
    return success();
  return op->emitOpError() << "units must be tensor<" << count
                           << "x1x1xf32>, got " << units.getType();
}

/// Those of rule R14, or 0 for rule R13.
static LogicalResult checkLevels(Operation *op, int64_t levels) {
  if (levels == 0 || levels == cimc::numerics::kSignedLevels ||
      levels == cimc::numerics::kUnsignedLevels)
    return success();
  return op->emitOpError() << "levels must be 0, 127 or 255, got " << levels;
}

LogicalResult UnitOp::verify() {
  if (failed(checkLevels(*this, getLevels())) ||
      failed(checkType(*this, getInput(), F32, "operand")) ||
      failed(checkUnits(*this, getResult(), getResult())))
    return failure();
  return checkRowWindow(*this, getWindow(), getInput(), getResult());
}

int64_t DigitsOp::digits() {
  return getLevels() ? 1 : cimc::numerics::kWideDigits;
}

LogicalResult DigitsOp::verify() {
  if (failed(checkType(*this, getInput(), F32, "operand")) ||
      failed(checkLevels(*this, getLevels())) ||
      failed(checkType(*this, getResult(),
                       getLevels() == cimc::numerics::kUnsignedLevels ? U8 : I8,
                       "result")) ||
      failed(checkUnits(*this, getUnits(), getResult())) ||
      failed(checkRowWindow(*this, getWindow(), getInput(), getResult())))
    return failure();
  auto in = mapType(getInput()), out = mapType(getResult());
  int64_t channels = getWindow().getKernel()[0] * digits() * in.getDimSize(2);
  if (out.getDimSize(1) != in.getDimSize(1) || out.getDimSize(2) != channels)
    return emitOpError() << "digits of " << in << " under a window of "
                         << getWindow().getKernel()[0] << " rows are "
                         << in.getDimSize(1) << " x " << channels
                         << " a row, the result is " << out;
  return success();
}

LogicalResult CombineOp::verify() {
  if (failed(checkType(*this, getInput(), I32, "operand")) ||
      failed(checkType(*this, getResult(), F32, "result")) ||
      failed(checkUnits(*this, getUnits(), getResult())))
    return failure();
  auto in = mapType(getInput()), out = mapType(getResult());
  auto digits = static_cast<int64_t>(getDigits());
  if (digits != 1 && digits != cimc::numerics::kWideDigits)
    return emitOpError() << "digits must be 1 or "
                         << cimc::numerics::kWideDigits << ", got " << digits;
  if (in.getDimSize(0) != out.getDimSize(0) ||
      in.getDimSize(1) != out.getDimSize(1) ||
      in.getDimSize(2) != digits * out.getDimSize(2))
    return emitOpError() << "needs " << digits
                         << " operand channels for each of the result, got "
                         << in << " and " << out;
  size_t channels = out.getDimSize(2);
  for (auto [size, name] :
       {std::pair<size_t, StringRef>{getWeightUnits().size(), "weight_units"},
        {getBias().size(), "bias"}})
    if (size != 1 && size != channels)
      return emitOpError() << name << " has " << size << " entries, expected 1"
                           << " or " << channels;
  return success();
}

LogicalResult DepthwiseOp::verify() {
  bool isFloat = mapType(getInput()).getElementType().isF32();
  if (failed(checkType(*this, getInput(), Byte | F32, "operand")) ||
      failed(checkType(*this, getResult(), isFloat ? F32 : I32, "result")) ||
      failed(checkWindow(*this, getWindow(), getInput(), getResult())))
    return failure();
  int64_t in = mapType(getInput()).getDimSize(2);
  int64_t out = mapType(getResult()).getDimSize(2);
  if (in == 0 || out % in)
    return emitOpError() << out << " result channels are no multiple of the "
                         << in << " operand channels";
  auto type = dyn_cast<RankedTensorType>(getWeights().getType());
  SmallVector<int64_t, 3> expected = {getWindow().getKernel()[0],
                                      getWindow().getKernel()[1], out};
  if (!type || type.getShape() != ArrayRef<int64_t>(expected) ||
      !(isFloat ? type.getElementType().isF32()
                : type.getElementType().isSignlessInteger(8)))
    return emitOpError() << "weights must be tensor<" << expected[0] << "x"
                         << expected[1] << "x" << expected[2]
                         << (isFloat ? "xf32" : "xi8") << ">, got "
                         << getWeights().getType();
  return success();
}

LogicalResult AddOp::verify() {
  if (failed(checkBroadcast(*this, {getA(), getB()}, Byte, getResult(), Byte)))
    return failure();
  return checkRange(*this, getResult(), getLow(), getHigh());
}

LogicalResult MulOp::verify() {
  if (failed(checkBroadcast(*this, {getA(), getB()}, Byte, getResult(), Byte)))
    return failure();
  return checkRange(*this, getResult(), getLow(), getHigh());
}

LogicalResult LookupOp::verify() {
  if (getTable().size() != 256)
    return emitOpError() << "table has " << getTable().size()
                         << " entries, expected 256";
  return checkUnary(*this, getInput(), Byte, getResult(), Byte);
}

LogicalResult MaxPoolOp::verify() {
  if (failed(checkType(*this, getInput(), Byte | Half | F32, "operand")) ||
      failed(checkWindow(*this, getWindow(), getInput(), getResult())))
    return failure();
  if (mapType(getInput()).getElementType() !=
          mapType(getResult()).getElementType() ||
      mapType(getInput()).getDimSize(2) != mapType(getResult()).getDimSize(2))
    return emitOpError() << "operand " << getInput().getType() << " and result "
                         << getResult().getType()
                         << " differ in element type or channels";
  return success();
}

LogicalResult AvgPoolOp::verify() {
  if (failed(checkType(*this, getInput(), Byte, "operand")) ||
      failed(checkType(*this, getResult(), Byte, "result")) ||
      failed(checkWindow(*this, getWindow(), getInput(), getResult())))
    return failure();
  if (mapType(getInput()).getDimSize(2) != mapType(getResult()).getDimSize(2))
    return emitOpError() << "operand " << getInput().getType() << " and result "
                         << getResult().getType() << " differ in channels";
  return success();
}

LogicalResult RowSumOp::verify() {
  bool isFloat = machineType(mapType(getInput()).getElementType()) == F32;
  if (failed(checkType(*this, getInput(), Byte | F32, "operand")) ||
      failed(checkType(*this, getResult(), isFloat ? F32 : I32, "result")))
    return failure();
  SmallVector<int64_t, 3> expected = {1, 1, mapType(getInput()).getDimSize(2)};
  if (mapType(getResult()).getShape() != ArrayRef<int64_t>(expected))
    return emitOpError() << "result must be 1x1x" << expected[2] << ", got "
                         << getResult().getType();
  return success();
}

LogicalResult SoftmaxOp::verify() {
  if (getTable().size() != 256)
    return emitOpError() << "table has " << getTable().size()
                         << " entries, expected 256";
  return checkUnary(*this, getInput(), Byte, getResult(), Byte);
}

LogicalResult MatMulOp::verify() {
  if (failed(checkType(*this, getA(), Byte, "operand")) ||
      failed(checkType(*this, getB(), Byte, "operand")) ||
      failed(checkType(*this, getResult(), I32, "result")))
    return failure();
  int64_t batch = getBatch(), m = getM(), k = getK(), n = getN();
  for (int64_t count : {batch, m, k, n})
    if (count < 1 || count > 65535)
      return emitOpError() << "batch, m, k and n must be within [1, 65535], "
                              "got "
                           << count;
  std::tuple<Value, int64_t, StringRef> parts[] = {
      {getA(), batch * m * k, "a"},
      {getB(), batch * k * n, "b"},
      {getResult(), batch * m * n, "result"}};
  for (auto &[value, count, name] : parts)
    if (numElements(value) != count)
      return emitOpError() << name << " has " << numElements(value)
                           << " elements, expected " << count;
  return success();
}

LogicalResult QuantizeOp::verify() {
  if (!(getScale().convertToFloat() > 0.0f))
    return emitOpError() << "scale must be positive";
  return checkUnary(*this, getInput(), F32, getResult(), Byte | Half);
}

LogicalResult DequantizeOp::verify() {
  return checkUnary(*this, getInput(), Byte | Half | I32, getResult(), F32);
}

LogicalResult ConstantOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getValue().getType());
  if (type != mapType(getResult()))
    return emitOpError() << "value of type " << getValue().getType()
                         << " for a result of type " << getResult().getType();
  return checkType(*this, getResult(), Any, "result");
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

LogicalResult ConcatOp::verify() {
  if (getInputs().empty())
    return emitOpError() << "needs at least one operand";
  auto axis = static_cast<int64_t>(getAxis());
  if (axis < 0 || axis > 2)
    return emitOpError() << "axis is " << axis << ", must be 0, 1 or 2";
  RankedTensorType result = mapType(getResult());
  int64_t total = 0;
  for (Value input : getInputs()) {
    RankedTensorType type = mapType(input);
    for (int i = 0; i < 3; ++i)
      if (i != axis && type.getDimSize(i) != result.getDimSize(i))
        return emitOpError() << "operand " << type << " does not fit result "
                             << result << " along axis " << axis;
    if (type.getElementType() != result.getElementType())
      return emitOpError() << "operand " << type << " and result " << result
                           << " differ in element type";
    total += type.getDimSize(axis);
  }
  if (total != result.getDimSize(axis))
    return emitOpError() << "operands have " << total << " entries along axis "
                         << axis << ", the result " << result.getDimSize(axis);
  return success();
}

LogicalResult InterleaveOp::verify() {
  if (getInputs().empty())
    return emitOpError() << "needs at least one operand";
  RankedTensorType result = mapType(getResult());
  auto parts = static_cast<int64_t>(getInputs().size());
  for (auto [i, input] : llvm::enumerate(getInputs())) {
    SmallVector<int64_t> shape(result.getShape());
    shape[0] = rowsFrom(shape[0], static_cast<int64_t>(i), parts);
    if (mapType(input) != result.clone(shape))
      return emitOpError() << "operand " << i << " is " << input.getType()
                           << ", rows " << i << ", " << i + parts
                           << ", ... of the result are " << result.clone(shape);
  }
  return success();
}

LogicalResult SliceOp::verify() {
  RankedTensorType in = mapType(getInput()), out = mapType(getResult());
  auto first = static_cast<int64_t>(getRowBegin());
  auto step = static_cast<int64_t>(getRowStep());
  if (step < 1 || first < 0 || first >= step || first >= in.getDimSize(0))
    return emitOpError() << "rows from " << first << " on in steps of " << step
                         << ": the first must be less than the step and than "
                            "the "
                         << in.getDimSize(0) << " rows of the operand";
  if (in.getElementType() != out.getElementType() ||
      rowsFrom(in.getDimSize(0), first, step) != out.getDimSize(0) ||
      in.getDimSize(2) != out.getDimSize(2))
    return emitOpError() << "operand " << in << " and result " << out
                         << " differ in more than the pixels and the rows "
                            "chosen";
  auto begin = static_cast<int64_t>(getBegin());
  auto pixelStep = static_cast<int64_t>(getStep());
  if (begin < 0 || pixelStep < 1 ||
      out.getDimSize(1) > rowsFrom(in.getDimSize(1), begin, pixelStep))
    return emitOpError() << "pixels from " << begin << " on in steps of "
                         << pixelStep << ", " << out.getDimSize(1)
                         << " of them, are not within the " << in.getDimSize(1)
                         << " of a row";
  return success();
}

LogicalResult MoveOp::verify() {
  size_t loops = getCounts().size();
  if (loops > 6 || getSrcStrides().size() != loops ||
      getDstStrides().size() != loops)
    return emitOpError()
           << "counts, src_strides and dst_strides need one entry for each of "
              "at most six loops, got "
           << loops << ", " << getSrcStrides().size() << " and "
           << getDstStrides().size();
  if (mapType(getInput()).getElementTypeBitWidth() !=
      mapType(getResult()).getElementTypeBitWidth())
    return emitOpError() << "operand and result differ in the width of their "
                            "elements";
  // The furthest elements read and written.
  std::tuple<Value, ArrayRef<int64_t>, int64_t, StringRef> sides[] = {
      {getInput(), getSrcStrides(), static_cast<int64_t>(getSrcOffset()),
       "reads"},
      {getResult(), getDstStrides(), static_cast<int64_t>(getDstOffset()),
       "writes"}};
  for (auto &[value, strides, offset, verb] : sides) {
    if (offset < 0 || offset > kLargest)
      return emitOpError() << verb << " from element " << offset;
    int64_t low = offset, high = offset;
    for (size_t i = 0; i < loops; ++i) {
      if (getCounts()[i] < 1 || getCounts()[i] > kLargest ||
          std::abs(strides[i]) > kLargest)
        return emitOpError() << "loop of " << getCounts()[i] << " steps of "
                             << strides[i] << " is out of range";
      int64_t span = (getCounts()[i] - 1) * strides[i];
      (span < 0 ? low : high) += span;
    }
    if (low < 0 || high >= numElements(value))
      return emitOpError() << verb << " elements " << low << " to " << high
                           << " of " << numElements(value);
  }
  return checkType(*this, getResult(), Any, "result");
}

LogicalResult ReshapeOp::verify() {
  if (numElements(getInput()) != numElements(getResult()) ||
      mapType(getInput()).getElementType() !=
          mapType(getResult()).getElementType())
    return emitOpError() << "operand " << getInput().getType() << " and result "
                         << getResult().getType()
                         << " differ in elements or element type";
  return success();
}
