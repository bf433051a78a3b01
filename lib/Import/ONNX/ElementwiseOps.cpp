//===- ElementwiseOps.cpp - elementwise operators -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Node.h"

#include <cmath>
#include <limits>

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

//===----------------------------------------------------------------------===//
// Two operands
//===----------------------------------------------------------------------===//

/// Broadcast of two constant integer lists or scalars, as shape computations
/// need it. False where the operation is not one of those.
static bool foldIntegers(Node &node, char op) {
  if (node.inputCount() != 2)
    return false;
  const Constant *a = node.constant(0), *b = node.constant(1);
  if (!a || !b || !a->isInteger() || a->type != b->type ||
      a->shape.size() > 1 || b->shape.size() > 1)
    return false;
  int64_t n = std::max(a->size(), b->size());
  if ((a->size() != n && a->size() != 1) || (b->size() != n && b->size() != 1))
    failInvalid("{} and {} integers cannot be broadcast together", a->size(),
                b->size());
  std::vector<int64_t> values;
  for (int64_t i = 0; i < n; ++i) {
    int64_t x = integerAt(*a, a->size() == 1 ? 0 : i);
    int64_t y = integerAt(*b, b->size() == 1 ? 0 : i);
    int64_t r = 0;
    bool bad = false;
    switch (op) {
    case '+':
      bad = __builtin_add_overflow(x, y, &r);
      break;
    case '-':
      bad = __builtin_sub_overflow(x, y, &r);
      break;
    case '*':
      bad = __builtin_mul_overflow(x, y, &r);
      break;
    default:
      bad = y == 0 || (x == INT64_MIN && y == -1);
      r = bad ? 0 : x / y;
    }
    if (bad)
      failInvalid("{} {} {} has no integer result", x, op, y);
    values.push_back(r);
  }
  Shape shape = a->shape.size() > b->shape.size() ? a->shape : b->shape;
  if (!shape.empty())
    shape = {n};
  if (a->type == DType::I64)
    node.setResult(makeConstant<int64_t>(DType::I64, shape, values));
  else if (a->type == DType::I32) {
    std::vector<int32_t> narrow(values.begin(), values.end());
    node.setResult(makeConstant<int32_t>(DType::I32, shape, narrow));
  } else {
    return false;
  }
  return true;
}

template <typename OpT> static void importBinary(Node &node) {
  // Versions before 7 had their own broadcasting.
  Value lhs = node.real(0), rhs = node.real(1);
  node.setResult(node.emit<OpT>(node.f32(), {lhs, rhs}));
}

void onnx_import::importAdd(Node &node) {
  if (!foldIntegers(node, '+'))
    importBinary<nn::AddOp>(node);
}
void onnx_import::importSub(Node &node) {
  if (!foldIntegers(node, '-'))
    importBinary<nn::SubOp>(node);
}
void onnx_import::importMul(Node &node) {
  if (!foldIntegers(node, '*'))
    importBinary<nn::MulOp>(node);
}
void onnx_import::importDiv(Node &node) {
  if (!foldIntegers(node, '/'))
    importBinary<nn::DivOp>(node);
}
void onnx_import::importPow(Node &node) { importBinary<nn::PowOp>(node); }

template <typename OpT> static void importVariadic(Node &node) {
  Value result = node.real(0);
  for (size_t i = 1; i < node.inputCount(); ++i)
    result = node.emit<OpT>(node.f32(), {result, node.real(i)});
  node.setResult(result);
}

void onnx_import::importMax(Node &node) { importVariadic<nn::MaxOp>(node); }
void onnx_import::importMin(Node &node) { importVariadic<nn::MinOp>(node); }
void onnx_import::importSum(Node &node) { importVariadic<nn::AddOp>(node); }

//===----------------------------------------------------------------------===//
// One operand
//===----------------------------------------------------------------------===//

template <typename OpT>
static void importUnary(Node &node, ArrayRef<NamedAttribute> attributes = {}) {
  Value input = node.real(0);
  node.setResult(node.emit<OpT>(node.f32(), input, attributes));
}

void onnx_import::importRelu(Node &node) { importUnary<nn::ReluOp>(node); }
void onnx_import::importSigmoid(Node &node) {
  importUnary<nn::SigmoidOp>(node);
}
void onnx_import::importTanh(Node &node) { importUnary<nn::TanhOp>(node); }
void onnx_import::importExp(Node &node) { importUnary<nn::ExpOp>(node); }
void onnx_import::importLog(Node &node) { importUnary<nn::LogOp>(node); }
void onnx_import::importSqrt(Node &node) { importUnary<nn::SqrtOp>(node); }
void onnx_import::importReciprocal(Node &node) {
  importUnary<nn::ReciprocalOp>(node);
}
void onnx_import::importNeg(Node &node) { importUnary<nn::NegOp>(node); }
void onnx_import::importAbs(Node &node) { importUnary<nn::AbsOp>(node); }
void onnx_import::importErf(Node &node) { importUnary<nn::ErfOp>(node); }
void onnx_import::importHardSwish(Node &node) {
  importUnary<nn::HardSwishOp>(node);
}

void onnx_import::importLeakyRelu(Node &node) {
  importUnary<nn::LeakyReluOp>(
      node, node.attr("alpha", node.getFloat("alpha", 0.01f)));
}

void onnx_import::importHardSigmoid(Node &node) {
  importUnary<nn::HardSigmoidOp>(
      node, {node.attr("alpha", node.getFloat("alpha", 0.2f)),
             node.attr("beta", node.getFloat("beta", 0.5f))});
}

void onnx_import::importClip(Node &node) {
  (void)node.real(0); // says first that integers are not supported
  float limits[2] = {std::numeric_limits<float>::lowest(),
                     std::numeric_limits<float>::max()};
  if (node.opset < 11) {
    limits[0] = node.getFloat("min", limits[0]);
    limits[1] = node.getFloat("max", limits[1]);
  } else {
    for (size_t i : {1, 2}) {
      if (!node.hasInput(i))
        continue;
      const Constant &limit = node.requireConstant(
          i, i == 1 ? "the lower limit" : "the upper limit");
      if (limit.type != DType::F32 || limit.size() != 1)
        failInvalid("the limit '{}' must be one float32 number, not {} of "
                    "shape {}",
                    node.inputName(i), name(limit.type),
                    shapeString(limit.shape));
      limits[i - 1] = limit.as<float>()[0];
    }
  }
  if (std::isnan(limits[0]) || std::isnan(limits[1]))
    failInvalid("a limit is not a number");
  importUnary<nn::ClipOp>(
      node, {node.attr("min", limits[0]), node.attr("max", limits[1])});
}
