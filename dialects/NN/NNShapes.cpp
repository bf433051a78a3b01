//===- NNShapes.cpp - result shapes, for building and verifying -*- C++ -*-===//
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

std::string shapes::text(ArrayRef<int64_t> shape) {
  if (shape.empty())
    return "scalar";
  std::string result;
  llvm::raw_string_ostream os(result);
  llvm::interleave(shape, os, "x");
  return result;
}

std::optional<Shape> shapes::broadcast(ArrayRef<int64_t> a,
                                       ArrayRef<int64_t> b) {
  Shape result(std::max(a.size(), b.size()));
  for (size_t i = 0; i < result.size(); ++i) {
    int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1)
      return std::nullopt;
    result[result.size() - 1 - i] = x == 1 ? y : x;
  }
  return result;
}

LogicalResult nn::inferBroadcast(std::optional<Location> loc, StringRef op,
                                 ValueRange operands, Components &out) {
  Shape result;
  for (Value operand : operands) {
    std::optional<Shape> next = broadcast(result, shapeOf(operand));
    if (!next)
      return fail(loc, op, "shapes ", text(result), " and ",
                  text(shapeOf(operand)), " cannot be broadcast together");
    result = std::move(*next);
  }
  return give(out, result);
}

LogicalResult shapes::inferWindow(std::optional<Location> loc, StringRef op,
                                  ArrayRef<int64_t> input, const Window &w,
                                  Shape &result) {
  if (input.size() < 3 || input.size() > 5)
    return fail(loc, op, "the input ", text(input),
                " must be [N, C, spatial...] with 1 to 3 spatial axes");
  size_t axes = input.size() - 2;
  auto check = [&](ArrayRef<int64_t> values, StringRef name, size_t count,
                   int64_t least) -> LogicalResult {
    if (values.size() != count)
      return fail(loc, op, name, " has ", values.size(), " entries; the input ",
                  text(input), " needs ", count);
    for (int64_t value : values)
      if (value < least || value > kMaxExtent)
        return fail(loc, op, name, " has the entry ", value,
                    "; it must be at least ", least);
    return success();
  };
  if (failed(check(w.kernel, "kernel", axes, 1)) ||
      failed(check(w.strides, "strides", axes, 1)) ||
      failed(check(w.pads, "pads", 2 * axes, 0)) ||
      failed(check(w.dilations, "dilations", axes, 1)))
    return failure();
  for (size_t i = 0; i < axes; ++i) {
    int64_t begin = w.pads[i], end = w.pads[axes + i];
    int64_t span = w.dilations[i] * (w.kernel[i] - 1) + 1;
    int64_t extent = input[2 + i];
    if (extent > kMaxExtent)
      return fail(loc, op, "the input ", text(input), " is too large");
    int64_t room = extent + begin + end - span;
    if (room < 0)
      return fail(loc, op, "the window spans ", span, " along axis ", 2 + i,
                  " but the padded input ", text(input), " has only ",
                  extent + begin + end);
    int64_t stride = w.strides[i];
    int64_t size = room / stride + 1;
    // A last window that would start behind the input and its begin padding
    // does not count.
    if (w.ceilMode && room % stride && size * stride < extent + begin)
      ++size;
    result.push_back(size);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Verification and building
//===----------------------------------------------------------------------===//

static LogicalResult inferShapes(Operation *op,
                                 SmallVector<ShapedTypeComponents> &shapes) {
  auto shaped = dyn_cast<InferShapedTypeOpInterface>(op);
  if (!shaped)
    return op->emitOpError("does not infer its result shape");
  return shaped.inferReturnTypeComponents(
      op->getContext(), op->getLoc(), op->getOperands(),
      op->getDiscardableAttrDictionary(), op->getPropertiesStorage(),
      op->getRegions(), shapes);
}

LogicalResult nn::setInferredResultTypes(Operation *op,
                                         TypeRange elementTypes) {
  SmallVector<ShapedTypeComponents> shapes;
  if (failed(inferShapes(op, shapes)))
    return failure();
  if (shapes.size() != elementTypes.size())
    return op->emitOpError("has ")
           << shapes.size() << " results, not " << elementTypes.size();
  for (auto [result, shape, type] :
       llvm::zip(op->getResults(), shapes, elementTypes))
    result.setType(RankedTensorType::get(shape.getDims(), type));
  return success();
}

/// A quantized type with scales along an axis must have as many as the axis is
/// long.
static LogicalResult verifyPerAxis(Operation *op, Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return success();
  auto quantized =
      dyn_cast<quant::UniformQuantizedPerAxisType>(tensor.getElementType());
  if (!quantized)
    return success();
  int64_t axis = quantized.getQuantizedDimension();
  int64_t scales = quantized.getScales().size();
  if (axis < 0 || axis >= tensor.getRank())
    return op->emitOpError("has scales along axis ")
           << axis << " of " << text(tensor.getShape())
           << ", which has no such axis";
  if (tensor.getDimSize(axis) != scales)
    return op->emitOpError("has ") << scales << " scales along axis " << axis
                                   << " of " << text(tensor.getShape())
                                   << "; it needs " << tensor.getDimSize(axis);
  return success();
}

LogicalResult nn::verifyInferredShape(Operation *op) {
  // Traits are verified before the declared operand constraints of this
  // operation are known to hold for foreign types.
  for (Type type : op->getOperandTypes())
    if (!isa<RankedTensorType>(type))
      return op->emitOpError("needs ranked tensors, not ") << type;
  SmallVector<ShapedTypeComponents> shapes;
  if (failed(inferShapes(op, shapes)))
    return failure();
  if (shapes.size() != op->getNumResults())
    return op->emitOpError("has ")
           << op->getNumResults() << " results, not " << shapes.size();
  for (auto [type, shape] : llvm::zip(op->getResultTypes(), shapes)) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || tensor.getShape() != ArrayRef<int64_t>(shape.getDims()))
      return op->emitOpError("has the result ")
             << type << " but its operands make it " << text(shape.getDims());
  }
  for (Type type : op->getOperandTypes())
    if (failed(verifyPerAxis(op, type)))
      return failure();
  for (Type type : op->getResultTypes())
    if (failed(verifyPerAxis(op, type)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Conversions and elementwise
//===----------------------------------------------------------------------===//

CIMC_INFER(QuantizeOp) { return give(out, shapeOf(adaptor.getInput())); }
CIMC_INFER(DequantizeOp) { return give(out, shapeOf(adaptor.getInput())); }
CIMC_INFER(CastOp) { return give(out, shapeOf(adaptor.getInput())); }
CIMC_INFER(BitCastOp) { return give(out, shapeOf(adaptor.getInput())); }

LogicalResult nn::inferReduction(std::optional<Location> loc, StringRef op,
                                 Value input, ArrayRef<int64_t> axes,
                                 bool keepDims, Components &out) {
  ArrayRef<int64_t> shape = shapeOf(input);
  Shape result;
  for (size_t i = 0; i < axes.size(); ++i)
    if (axes[i] < 0 || axes[i] >= static_cast<int64_t>(shape.size()) ||
        (i && axes[i] <= axes[i - 1]))
      return fail(loc, op, "axes must be sorted axes of the input ",
                  text(shape), "; entry ", i, " is ", axes[i]);
  for (auto [i, extent] : llvm::enumerate(shape)) {
    bool reduced = llvm::is_contained(axes, static_cast<int64_t>(i));
    if (!reduced || keepDims)
      result.push_back(reduced ? 1 : extent);
  }
  return give(out, result);
}

static LogicalResult inferAlongAxis(std::optional<Location> loc, StringRef op,
                                    Value input, int64_t axis,
                                    Components &out) {
  if (axis < 0 || axis >= static_cast<int64_t>(shapeOf(input).size()))
    return fail(loc, op, "the input ", text(shapeOf(input)), " has no axis ",
                axis);
  return give(out, shapeOf(input));
}

CIMC_INFER(CumSumOp) {
  return inferAlongAxis(loc, getOperationName(), adaptor.getInput(),
                        adaptor.getAxis(), out);
}
CIMC_INFER(CumProdOp) {
  return inferAlongAxis(loc, getOperationName(), adaptor.getInput(),
                        adaptor.getAxis(), out);
}

CIMC_INFER(WhereOp) {
  return inferBroadcast(loc, getOperationName(), adaptor.getOperands(), out);
}
