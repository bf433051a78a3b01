//===- Node.cpp - what the translation of one operator sees -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Node.h"

#include "GraphImporter.h"
#include "cimc/Reference/Elements.h"
#include "cimc/Reference/Evaluator.h"

#include "mlir/IR/Verifier.h"

#include <numeric>

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

OpBuilder &Node::builder() { return graph.builder; }

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

const onnx::AttributeProto *Node::getAttribute(const char *name) {
  known.insert(name);
  for (const onnx::AttributeProto &attribute : proto.attribute())
    if (attribute.name() == name) {
      return graph.resolve(attribute);
    }
  return nullptr;
}

static const onnx::AttributeProto *
typed(Node &node, const char *name, onnx::AttributeProto::AttributeType type,
      const char *typeName) {
  const onnx::AttributeProto *attribute = node.getAttribute(name);
  // Files from before IR version 2 leave the type out.
  if (attribute && attribute->type() != type &&
      attribute->type() != onnx::AttributeProto::UNDEFINED)
    failInvalid("attribute '{}' must be {}", name, typeName);
  return attribute;
}

int64_t Node::getInt(const char *name, int64_t otherwise) {
  auto *a = typed(*this, name, onnx::AttributeProto::INT, "an integer");
  return a ? a->i() : otherwise;
}

float Node::getFloat(const char *name, float otherwise) {
  auto *a = typed(*this, name, onnx::AttributeProto::FLOAT, "a number");
  return a ? a->f() : otherwise;
}

std::string Node::getString(const char *name, const std::string &otherwise) {
  auto *a = typed(*this, name, onnx::AttributeProto::STRING, "a string");
  return a ? a->s() : otherwise;
}

std::optional<Shape> Node::getInts(const char *name) {
  auto *a = typed(*this, name, onnx::AttributeProto::INTS, "integers");
  if (!a)
    return std::nullopt;
  return Shape(a->ints().begin(), a->ints().end());
}

void Node::checkAttributes() {
  llvm::StringSet<> seen;
  // How results may lie in memory, until version 5.
  if (opset < 6)
    ignore("consumed_inputs");
  for (const onnx::AttributeProto &attribute : proto.attribute()) {
    if (!seen.insert(attribute.name()).second)
      failInvalid("attribute '{}' is given twice", attribute.name());
    if (!known.contains(attribute.name()))
      failUnsupported("attribute '{}' is not known for opset {}",
                      attribute.name(), opset);
  }
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

static Tensor &input(Node &node, size_t i) {
  if (!node.hasInput(i))
    failInvalid("input {} is missing", i);
  return node.graph.lookup(node.proto.input(i), node);
}

Value Node::value(size_t i) {
  Tensor &tensor = input(*this, i); // says it where there is none
  return graph.materialize(proto.input(i), tensor);
}

Value Node::real(size_t i) {
  Value result = value(i);
  Type type = elementType(result);
  if (!type.isF32()) {
    std::string text;
    llvm::raw_string_ostream(text) << type;
    failUnsupported("input '{}' has elements of type {}; only floats are "
                    "supported here",
                    proto.input(i), text);
  }
  return result;
}

Value Node::number(size_t i) {
  Value result = value(i);
  if (nn::isQuantized(elementType(result)))
    failUnsupported("input '{}' is quantized; dequantize it first",
                    proto.input(i));
  return result;
}

Shape Node::shape(size_t i) {
  Tensor &tensor = input(*this, i);
  if (tensor.constant)
    return tensor.constant->shape;
  ArrayRef<int64_t> shape = tensorType(tensor.value).getShape();
  return Shape(shape.begin(), shape.end());
}

DType Node::dtype(size_t i) {
  Tensor &tensor = input(*this, i);
  std::optional<DType> type;
  if (tensor.constant)
    type = tensor.constant->type;
  else
    type = reference::elementDType(nn::storageType(elementType(tensor.value)));
  if (!type)
    failUnsupported("input '{}' has an unknown element type", proto.input(i));
  return *type == DType::F32 ? tensor.floatType : *type;
}

const Constant *Node::constant(size_t i) {
  Tensor &tensor = input(*this, i);
  return tensor.constant ? &*tensor.constant : nullptr;
}

const Constant &Node::requireConstant(size_t i, const char *what) {
  const Constant *result = constant(i);
  if (!result)
    failUnsupported("{} ('{}') must be known at compile time; an input is "
                    "given with --constant-input",
                    what, proto.input(i));
  return *result;
}

Shape Node::integers(size_t i, const char *what) {
  const Constant &c = requireConstant(i, what);
  if (!c.isInteger() || c.shape.size() > 1)
    failInvalid("{} ('{}') must be a list of integers, not {} of shape {}",
                what, proto.input(i), name(c.type), shapeString(c.shape));
  Shape result;
  for (int64_t k = 0, e = c.size(); k < e; ++k)
    result.push_back(integerAt(c, k));
  return result;
}

Constant Node::decode(const onnx::TensorProto &tensor,
                      const std::string &what) {
  return decodeTensor(tensor, graph.source, what);
}

int64_t Node::axis(int64_t value, int64_t rank) {
  if (value < -rank || value >= rank)
    failInvalid("axis {} does not exist in a tensor with {} axes", value, rank);
  return value < 0 ? value + rank : value;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// Results above this stay operations.
static constexpr int64_t kMaxFolded = int64_t(1) << 20;

/// The model's float type of the results.
static DType floatTypeOf(Node &node) {
  for (size_t k = 0; k < node.inputCount() && !node.resultFloat; ++k)
    if (node.hasInput(k) && isFloat(node.dtype(k)))
      return node.dtype(k);
  return node.resultFloat.value_or(DType::F32);
}

void Node::setResult(Value value, size_t i) {
  if (!hasOutput(i))
    return;
  Tensor tensor;
  tensor.value = value;
  tensor.floatType = floatTypeOf(*this);
  auto constant = value.getDefiningOp<nn::ConstantOp>();
  if (constant && !nn::isQuantized(elementType(value)) &&
      tensorType(value).getNumElements() <= kMaxFolded) {
    HostTensor host = toHostTensor(constant.getValue());
    tensor.constant = makeConstant(
        host.type, host.shape,
        std::string(reinterpret_cast<const char *>(host.data.data()),
                    host.data.size()));
  }
  graph.define(proto.output(i), std::move(tensor));
}

void Node::checkFolded(ArrayRef<int64_t> shape, DType type) {
  graph.checkFolded(checkedElements(shape, "the result") * byteSize(type));
}

void Node::setResult(Constant constant, size_t i) {
  if (!hasOutput(i))
    return;
  // Bytes that nobody else holds were made here.
  if (constant.keep.use_count() == 1)
    graph.addFolded(constant.bytes.size());
  Tensor tensor;
  tensor.constant = std::move(constant);
  tensor.floatType = floatTypeOf(*this);
  graph.define(proto.output(i), std::move(tensor));
}

void Node::setResult(Tensor tensor, size_t i) {
  if (hasOutput(i))
    graph.define(proto.output(i), std::move(tensor));
}

SmallVector<Value> Node::checked(Operation *op) {
  // What was wrong has been reported as a diagnostic, which importNode takes.
  if (!op)
    throw Failure{{ExitCode::InvalidInput, ""}};
  for (Value result : op->getResults())
    checkedElements(tensorType(result).getShape(), "the result");
  // Attributes and element types; the shapes are right.
  if (failed(verify(op, /*verifyRecursively=*/false)))
    throw Failure{{ExitCode::InvalidInput, ""}};
  return folded(op);
}

SmallVector<Value> Node::folded(Operation *op) {
  SmallVector<Value> results(op->getResults());
  // Dequantized weights are wanted as integers.
  if (isa<nn::DequantizeOp>(op) || op->getNumOperands() == 0)
    return results;
  int64_t elements = 0;
  for (Value value : results) {
    elements += tensorType(value).getNumElements();
    if (nn::isQuantized(elementType(value)))
      return results;
  }
  std::vector<HostTensor> operands;
  for (Value value : op->getOperands()) {
    elements += tensorType(value).getNumElements();
    if (elements > kMaxFolded || !value.getDefiningOp<nn::ConstantOp>() ||
        nn::isQuantized(elementType(value)))
      return results;
  }
  for (Value value : op->getOperands())
    operands.push_back(
        toHostTensor(value.getDefiningOp<nn::ConstantOp>().getValue()));
  auto values = evaluateNNOp(op, operands);
  if (!values)
    return results;
  for (const HostTensor &value : *values)
    graph.addFolded(value.data.size());
  std::string name = "folded";
  if (auto where = dyn_cast<NameLoc>(loc))
    name = where.getName().str();
  for (auto [result, value] : llvm::zip(results, *values))
    result = nn::ConstantOp::create(builder(), loc, tensorType(result),
                                    toElementsAttr(value, context(), name));
  op->erase();
  return results;
}

Value Node::cast(Value value, Type type, bool saturate) {
  if (elementType(value) == type)
    return value;
  return emit<nn::CastOp>(
      type, value,
      builder().getNamedAttr("saturate", builder().getBoolAttr(saturate)));
}

Value Node::scalar(double value, Type type) {
  auto tensor = RankedTensorType::get({}, type);
  ElementsAttr attr;
  if (isa<FloatType>(type)) {
    bool loses;
    APFloat number(value);
    number.convert(mlir::cast<FloatType>(type).getFloatSemantics(),
                   APFloat::rmNearestTiesToEven, &loses);
    attr = DenseElementsAttr::get(tensor, number);
  } else {
    attr = DenseElementsAttr::get(
        tensor, APInt(type.getIntOrFloatBitWidth(),
                      static_cast<uint64_t>(static_cast<int64_t>(value)),
                      /*isSigned=*/true, /*implicitTrunc=*/true));
  }
  return nn::ConstantOp::create(builder(), loc, tensor, attr);
}

Value Node::iota(int64_t length, int64_t axis, int64_t rank) {
  std::vector<int64_t> values(length);
  std::iota(values.begin(), values.end(), 0);
  Shape shape(rank, 1);
  shape[axis] = length;
  return emitConstant(makeConstant<int64_t>(DType::I64, shape, values),
                      builder().getI64Type(), "");
}

Value Node::reshape(Value value, ArrayRef<int64_t> shape) {
  RankedTensorType type = tensorType(value);
  if (type.getShape() == shape)
    return value;
  if (checkedElements(shape, "the result") != type.getNumElements())
    failInvalid("{} elements of shape {} cannot take the shape {}",
                type.getNumElements(), shapeString(Shape(type.getShape())),
                shapeString(Shape(shape)));
  if (isa<quant::UniformQuantizedPerAxisType>(type.getElementType()))
    failUnsupported("a tensor with scales along an axis cannot be reshaped");
  return folded(nn::ReshapeOp::create(builder(), loc, type.clone(shape), value))
      .front();
}

Value Node::emitConstant(const Constant &constant, Type elementType,
                         StringRef name) {
  ElementsAttr value =
      toAttribute(constant, nn::storageType(elementType), name);
  Location where =
      name.empty() ? loc : NameLoc::get(StringAttr::get(context(), name));
  return nn::ConstantOp::create(
      builder(), where, RankedTensorType::get(constant.shape, elementType),
      value);
}
