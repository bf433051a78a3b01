//===- WeightedOps.cpp - convolutions and matrix products -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Node.h"

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

Value onnx_import::emitConv(Node &node) {
  Value input = node.real(0), weight = node.real(1);
  Shape weightShape = node.shape(1);
  if (weightShape.size() < 3)
    failInvalid("the weight '{}' of shape {} needs at least 3 axes",
                node.inputName(1), shapeString(weightShape));
  WindowAttributes w =
      readWindow(node, tensorType(input).getShape(),
                 Shape(weightShape.begin() + 2, weightShape.end()));
  SmallVector<Value> operands{input, weight};
  if (node.hasInput(2))
    operands.push_back(node.real(2));
  return node.emit<nn::ConvOp>(node.f32(), operands,
                               {node.attr("strides", w.strides),
                                node.attr("pads", w.pads),
                                node.attr("dilations", w.dilations),
                                node.attr("group", node.getInt("group", 1))});
}

void onnx_import::importConv(Node &node) { node.setResult(emitConv(node)); }

/// A float constant times a factor.
static Constant scaled(const Constant &constant, float factor) {
  std::vector<float> values;
  for (int64_t i = 0, e = constant.size(); i < e; ++i)
    values.push_back(static_cast<float>(realAt(constant, i)) * factor);
  return makeConstant<float>(DType::F32, constant.shape, values);
}

/// Input `i` times `factor`: folded into a constant, an operation otherwise.
static Value scaledInput(Node &node, size_t i, float factor) {
  Value value = node.real(i);
  if (factor == 1)
    return value;
  if (const Constant *c = node.constant(i))
    return node.emitConstant(scaled(*c, factor), node.f32(), node.inputName(i));
  Value f = node.emitConstant(makeConstant<float>(DType::F32, {}, {factor}),
                              node.f32(), "");
  return node.emit<nn::MulOp>(node.f32(), {value, f});
}

Value onnx_import::emitGemm(Node &node) {
  float alpha = node.getFloat("alpha", 1), beta = node.getFloat("beta", 1);
  bool transA = node.getInt("transA", 0), transB = node.getInt("transB", 0);
  node.ignore("broadcast");
  Value a = node.real(0), b = node.real(1);
  Shape shapeA = node.shape(0), shapeB = node.shape(1);
  if (shapeA.size() != 2 || shapeB.size() != 2)
    failInvalid("A and B must have 2 axes, not {} and {}", shapeString(shapeA),
                shapeString(shapeB));
  int64_t rows = shapeA[transA ? 1 : 0], columns = shapeB[transB ? 0 : 1];
  // alpha belongs to A and B alike; a constant takes it without a trace.
  bool viaB = node.constant(1);
  if (alpha != 1 && viaB)
    b = scaledInput(node, 1, alpha);
  SmallVector<NamedAttribute> attributes;
  if (transA)
    attributes.push_back(node.unit("transpose_a"));
  if (transB)
    attributes.push_back(node.unit("transpose_b"));
  SmallVector<Value> operands{a, b};
  Value rest;
  if (node.hasInput(2) && beta != 0) {
    Shape shape = node.shape(2);
    bool fits = shape.size() <= 2;
    for (size_t k = 0; fits && k < shape.size(); ++k) {
      int64_t extent = k + 1 == shape.size() ? columns : rows;
      fits = shape[k] == 1 || shape[k] == extent;
    }
    if (!fits)
      failInvalid("C of shape {} cannot be broadcast to {}x{}",
                  shapeString(shape), rows, columns);
    Value c = scaledInput(node, 2, beta);
    bool isBias = !shape.empty() && shape.back() == columns &&
                  (shape.size() == 1 || shape[0] == 1);
    if (isBias && (alpha == 1 || viaB))
      operands.push_back(node.reshape(c, {columns}));
    else
      rest = c;
  }
  Value result = node.emit<nn::MatMulOp>(node.f32(), operands, attributes);
  if (alpha != 1 && !viaB) {
    Value f = node.emitConstant(makeConstant<float>(DType::F32, {}, {alpha}),
                                node.f32(), "");
    result = node.emit<nn::MulOp>(node.f32(), {result, f});
  }
  if (rest)
    result = node.emit<nn::AddOp>(node.f32(), {result, rest});
  return result;
}

void onnx_import::importGemm(Node &node) { node.setResult(emitGemm(node)); }

void onnx_import::importMatMul(Node &node) {
  Value a = node.real(0), b = node.real(1);
  node.setResult(node.emit<nn::MatMulOp>(node.f32(), {a, b}));
}
