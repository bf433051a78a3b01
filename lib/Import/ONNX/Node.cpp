//===- Node.cpp - what the translation of one operator sees -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Node.h"

#include "GraphImporter.h"

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
  Tensor &tensor = input(*this, i);
  Type type = tensor.value ? elementType(tensor.value)
                           : elementTypeOf(context(), tensor.constant->type);
  if (!type.isF32()) {
    std::string text;
    llvm::raw_string_ostream(text) << type;
    failUnsupported("input '{}' has elements of type {}; only float32 is "
                    "supported here",
                    proto.input(i), text);
  }
  return value(i);
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
  if (tensor.constant)
    return tensor.constant->type;
  Type type = elementType(tensor.value);
  if (auto quantized = dyn_cast<quant::QuantizedType>(type))
    type = nn::storageType(type);
  for (DType candidate :
       {DType::F32, DType::I8, DType::U8, DType::I16, DType::U16, DType::I32,
        DType::I64, DType::Bool, DType::F64, DType::F16})
    if (type == elementTypeOf(context(), candidate))
      return candidate;
  failUnsupported("input '{}' has an unknown element type", proto.input(i));
}

const Constant *Node::constant(size_t i) {
  Tensor &tensor = input(*this, i);
  return tensor.constant ? &*tensor.constant : nullptr;
}

const Constant &Node::requireConstant(size_t i, const char *what) {
  const Constant *result = constant(i);
  if (!result)
    failUnsupported("{} ('{}') must be known at compile time", what,
                    proto.input(i));
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

void Node::setResult(Value value, size_t i) {
  if (!hasOutput(i))
    return;
  Tensor tensor;
  tensor.value = value;
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
  graph.define(proto.output(i), std::move(tensor));
}

void Node::setResult(Tensor tensor, size_t i) {
  if (hasOutput(i))
    graph.define(proto.output(i), std::move(tensor));
}

Value Node::checked(Operation *op) {
  // What was wrong has been reported as a diagnostic, which importNode takes.
  if (!op)
    throw Failure{{ExitCode::InvalidInput, ""}};
  RankedTensorType type = tensorType(op->getResult(0));
  checkedElements(type.getShape(), "the result");
  return op->getResult(0);
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
  return nn::ReshapeOp::create(builder(), loc, type.clone(shape), value);
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
