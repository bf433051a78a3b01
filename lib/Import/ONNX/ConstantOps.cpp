//===- ConstantOps.cpp - operators that are known at import -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Node.h"

#include <cmath>

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

static void setSame(Node &node) {
  if (const Constant *c = node.constant(0)) {
    Constant copy = *c;
    return node.setResult(std::move(copy));
  }
  node.setResult(node.value(0));
}

void onnx_import::importIdentity(Node &node) { setSame(node); }

void onnx_import::importDropout(Node &node) {
  node.ignore("ratio");
  node.ignore("seed");
  node.ignore("is_test");
  if (node.hasInput(2) &&
      integerAt(node.requireConstant(2, "training_mode"), 0))
    failUnsupported("training mode is not supported");
  setSame(node);
  if (!node.hasOutput(1))
    return;
  // Nothing is dropped.
  Shape shape = node.shape(0);
  int64_t count = checkedElements(shape, "the mask");
  DType type = node.opset < 10 ? node.dtype(0) : DType::Bool;
  if (type != DType::Bool)
    failUnsupported("a mask of floats (opset below 10) is not supported");
  node.setResult(
      makeConstant(DType::Bool, std::move(shape), std::string(count, '\1')), 1);
}

void onnx_import::importConstant(Node &node) {
  int given = 0;
  auto has = [&](const char *name) {
    bool present = node.getAttribute(name) != nullptr;
    given += present;
    return present;
  };
  std::optional<Constant> result;
  if (has("value")) {
    const onnx::AttributeProto *attribute = node.getAttribute("value");
    if (!attribute->has_t())
      failInvalid("attribute 'value' must be a tensor");
    result = node.decode(attribute->t(), "the value");
  }
  if (has("value_float"))
    result =
        makeConstant<float>(DType::F32, {}, {node.getFloat("value_float", 0)});
  if (has("value_int"))
    result =
        makeConstant<int64_t>(DType::I64, {}, {node.getInt("value_int", 0)});
  if (has("value_ints")) {
    Shape values = node.getInts("value_ints").value_or(Shape());
    result = makeConstant<int64_t>(
        DType::I64, {static_cast<int64_t>(values.size())}, values);
  }
  if (has("value_floats")) {
    const onnx::AttributeProto *attribute = node.getAttribute("value_floats");
    std::vector<float> values(attribute->floats().begin(),
                              attribute->floats().end());
    result = makeConstant<float>(DType::F32,
                                 {static_cast<int64_t>(values.size())}, values);
  }
  for (const char *name : {"value_string", "value_strings", "sparse_value"})
    if (has(name))
      failUnsupported("a constant of kind '{}' is not supported", name);
  if (given != 1)
    failInvalid("needs exactly one value, not {}", given);
  node.setResult(std::move(*result));
}

void onnx_import::importConstantOfShape(Node &node) {
  Shape shape = node.integers(0, "the shape");
  int64_t count = checkedElements(shape, "the result");
  Constant value = makeConstant<float>(DType::F32, {1}, {0.0f});
  if (const onnx::AttributeProto *attribute = node.getAttribute("value")) {
    if (!attribute->has_t())
      failInvalid("attribute 'value' must be a tensor");
    value = node.decode(attribute->t(), "the value");
    if (value.size() != 1)
      failInvalid("attribute 'value' must have one element");
  }
  node.checkFolded(shape, value.type);
  std::string bytes;
  bytes.reserve(count * value.bytes.size());
  for (int64_t i = 0; i < count; ++i)
    bytes.append(value.bytes.data(), value.bytes.size());
  node.setResult(makeConstant(value.type, shape, std::move(bytes)));
}

void onnx_import::importShape(Node &node) {
  Shape shape = node.shape(0);
  int64_t rank = shape.size();
  // Bounds outside the shape are clamped.
  auto bound = [&](int64_t v) {
    v = std::clamp(v, -rank, rank);
    return v < 0 ? v + rank : v;
  };
  int64_t start = bound(node.getInt("start", 0));
  int64_t end = bound(node.getInt("end", rank));
  Shape part;
  for (int64_t i = start; i < end; ++i)
    part.push_back(shape[i]);
  node.setResult(makeConstant<int64_t>(
      DType::I64, {static_cast<int64_t>(part.size())}, part));
}

//===----------------------------------------------------------------------===//
// Cast
//===----------------------------------------------------------------------===//

/// Floats other than f32 are rounded to their type and widened again.
static void castTo(Node &node, DType to) {
  bool saturate = node.getInt("saturate", 1);
  std::string mode = node.getString("round_mode", "up");
  if (to == DType::F8E8M0 && mode != "up")
    failUnsupported("round_mode '{}' is not supported, only 'up'", mode);
  Value input = node.number(0);
  DType from = node.dtype(0);
  node.resultFloat = DType::F32;
  if (to == DType::F64 || (from == to && isFloat(to))) {
    node.resultFloat = to;
    return node.setResult(node.cast(input, node.f32()));
  }
  Value result = node.cast(input, elementTypeOf(node.context(), to), saturate);
  if (to == DType::F16 || to == DType::BF16) {
    node.resultFloat = to;
    result = node.cast(result, node.f32());
  }
  node.setResult(result);
}

void onnx_import::importCast(Node &node) {
  if (node.opset < 6) {
    // The type's name.
    std::string name = node.getString("to", "");
    onnx::TensorProto::DataType type;
    if (!onnx::TensorProto::DataType_Parse(name, &type))
      failInvalid("there is no element type '{}'", name);
    return castTo(node, fromOnnxType(type, "the result"));
  }
  int64_t number = node.getInt("to", 0);
  if (number < 0 || number > INT32_MAX)
    failInvalid("there is no element type {}", number);
  castTo(node, fromOnnxType(number, "the result"));
}

/// Integers of one width wrap into each other, like a cast; floats in other
/// types than float32 have their bits only while they are constants.
void onnx_import::importBitCast(Node &node) {
  int64_t number = node.getInt("to", 0);
  if (number < 0 || number > INT32_MAX)
    failInvalid("there is no element type {}", number);
  DType from = node.dtype(0), to = fromOnnxType(number, "the result");
  auto bits = [&](DType type) {
    return type == DType::Bool
               ? 8
               : elementTypeOf(node.context(), type).getIntOrFloatBitWidth();
  };
  if (bits(from) != bits(to))
    failInvalid("elements of {} have {} bits and cannot be those of {}, which "
                "have {}",
                name(from), bits(from), name(to), bits(to));
  Type element = elementTypeOf(node.context(), to);
  node.resultFloat = to;
  if (isFloat(from) == isFloat(to) && (!isFloat(from) || from == to))
    return node.setResult(node.cast(node.number(0), element));
  if (isFloat(from) != isFloat(to) && bits(to) == 32)
    return node.setResult(node.emit<nn::BitCastOp>(element, node.number(0)));
  const Constant *constant = node.constant(0);
  if (!constant)
    failUnsupported("the bits of {} are not known: the network is computed in "
                    "single precision",
                    name(isFloat(from) ? from : to));
  Constant result = *constant;
  result.type = to;
  node.setResult(std::move(result));
}

void onnx_import::importCastLike(Node &node) { castTo(node, node.dtype(1)); }
