//===- ElementwiseOps.cpp - functions of single elements -*- C++ -*-===//
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

/// Before version 7 operands have one shape unless `broadcast` says otherwise;
/// then the axes of `b` are those of `a` from `axis` on, or its last ones.
static Value broadcastBefore7(Node &node, Value b) {
  Shape shape = node.shape(0), from = node.shape(1);
  const onnx::AttributeProto *stated = node.getAttribute("axis");
  int64_t axis = node.getInt("axis", 0);
  if (!node.getInt("broadcast", 0)) {
    if (shape != from)
      failInvalid("operands of shapes {} and {} need the attribute broadcast "
                  "before opset 7",
                  shapeString(shape), shapeString(from));
    return b;
  }
  if (!stated)
    return b;
  size_t first = node.axis(axis, shape.size());
  if (first + from.size() > shape.size())
    failInvalid("the axes of {} are not among those of {} from axis {} on",
                shapeString(from), shapeString(shape), axis);
  from.resize(shape.size() - first, 1);
  return node.reshape(b, from);
}

/// Both operands, which must have one type.
static std::pair<Value, Value> operands(Node &node) {
  Value a = node.number(0), b = node.number(1);
  if (elementType(a) != elementType(b))
    failInvalid("'{}' is {} but '{}' is {}", node.inputName(0),
                name(node.dtype(0)), node.inputName(1), name(node.dtype(1)));
  if (node.opset < 7 && node.proto.domain().empty())
    b = broadcastBefore7(node, b);
  return {a, b};
}

template <typename OpT> static void importBinary(Node &node) {
  auto [a, b] = operands(node);
  node.setResult(node.like<OpT>({a, b}));
}

void onnx_import::importAdd(Node &node) { importBinary<nn::AddOp>(node); }
void onnx_import::importSub(Node &node) { importBinary<nn::SubOp>(node); }
void onnx_import::importMul(Node &node) { importBinary<nn::MulOp>(node); }
void onnx_import::importDiv(Node &node) { importBinary<nn::DivOp>(node); }

void onnx_import::importPRelu(Node &node) {
  Value input = node.number(0), slope = node.number(1);
  // Before version 7 a list of slopes is one for each channel.
  Shape shape = node.shape(0), slopes = node.shape(1);
  if (node.opset < 7 && slopes.size() == 1 && shape.size() > 2) {
    slopes.resize(shape.size() - 1, 1);
    slope = node.reshape(slope, slopes);
  }
  node.setResult(node.like<nn::PReluOp>({input, slope}));
}

void onnx_import::importAnd(Node &node) { importBinary<nn::AndOp>(node); }
void onnx_import::importOr(Node &node) { importBinary<nn::OrOp>(node); }
void onnx_import::importXor(Node &node) { importBinary<nn::XorOp>(node); }

/// The result has the type of the base, whatever the exponent's.
void onnx_import::importPow(Node &node) {
  if (node.opset < 7)
    return importBinary<nn::PowOp>(node);
  Value base = node.number(0), exponent = node.number(1);
  Type type = elementType(base);
  if (elementType(exponent) == type)
    return node.setResult(node.like<nn::PowOp>({base, exponent}));
  if (isa<FloatType>(elementType(exponent)))
    base = node.cast(base, node.f32());
  else
    exponent = node.cast(exponent, type);
  node.setResult(node.cast(node.like<nn::PowOp>({base, exponent}), type));
}

void onnx_import::importMod(Node &node) {
  if (node.getInt("fmod", 0))
    return importBinary<nn::FmodOp>(node);
  importBinary<nn::ModOp>(node);
}

void onnx_import::importBitShift(Node &node) {
  std::string direction = node.getString("direction", "");
  if (direction != "LEFT" && direction != "RIGHT")
    failInvalid("direction is '{}'; it is LEFT or RIGHT", direction);
  if (direction == "LEFT")
    return importBinary<nn::ShiftLeftOp>(node);
  importBinary<nn::ShiftRightOp>(node);
}

/// Comparisons; `swap` makes less of greater.
template <typename OpT> static void importPredicate(Node &node, bool swap) {
  auto [a, b] = operands(node);
  if (swap)
    std::swap(a, b);
  node.setResult(node.emit<OpT>(node.builder().getI1Type(), {a, b}));
}

void onnx_import::importEqual(Node &node) {
  importPredicate<nn::EqualOp>(node, false);
}
void onnx_import::importLess(Node &node) {
  importPredicate<nn::LessOp>(node, false);
}
void onnx_import::importGreater(Node &node) {
  importPredicate<nn::LessOp>(node, true);
}
void onnx_import::importLessOrEqual(Node &node) {
  importPredicate<nn::LessOrEqualOp>(node, false);
}
void onnx_import::importGreaterOrEqual(Node &node) {
  importPredicate<nn::LessOrEqualOp>(node, true);
}

void onnx_import::importWhere(Node &node) {
  Value condition = node.value(0), a = node.number(1), b = node.number(2);
  node.setResult(node.emit<nn::WhereOp>(elementType(a), {condition, a, b}));
}

//===----------------------------------------------------------------------===//
// Any number of operands
//===----------------------------------------------------------------------===//

template <typename OpT> static Value chain(Node &node) {
  if (node.inputCount() == 0)
    failInvalid("needs at least one input");
  Value result = node.number(0);
  for (size_t i = 1; i < node.inputCount(); ++i)
    result = node.like<OpT>({result, node.number(i)});
  return result;
}

void onnx_import::importMax(Node &node) {
  node.setResult(chain<nn::MaxOp>(node));
}
void onnx_import::importMin(Node &node) {
  node.setResult(chain<nn::MinOp>(node));
}
void onnx_import::importSum(Node &node) {
  node.setResult(chain<nn::AddOp>(node));
}
void onnx_import::importMean(Node &node) {
  Value sum = chain<nn::AddOp>(node);
  Value count =
      node.scalar(static_cast<double>(node.inputCount()), elementType(sum));
  node.setResult(node.like<nn::DivOp>({sum, count}));
}

//===----------------------------------------------------------------------===//
// One operand
//===----------------------------------------------------------------------===//

/// A function of real numbers.
template <typename OpT>
static void importUnary(Node &node, ArrayRef<NamedAttribute> attributes = {}) {
  node.setResult(node.like<OpT>(node.real(0), attributes));
}

#define CIMC_UNARY(OP)                                                         \
  void onnx_import::import##OP(Node &node) { importUnary<nn::OP##Op>(node); }
CIMC_UNARY(Acos)
CIMC_UNARY(Acosh)
CIMC_UNARY(Asin)
CIMC_UNARY(Asinh)
CIMC_UNARY(Atan)
CIMC_UNARY(Atanh)
CIMC_UNARY(Ceil)
CIMC_UNARY(Cos)
CIMC_UNARY(Cosh)
CIMC_UNARY(Erf)
CIMC_UNARY(Exp)
CIMC_UNARY(Floor)
CIMC_UNARY(HardSwish)
CIMC_UNARY(Log)
CIMC_UNARY(Mish)
CIMC_UNARY(Reciprocal)
CIMC_UNARY(Round)
CIMC_UNARY(Sigmoid)
CIMC_UNARY(Sin)
CIMC_UNARY(Sinh)
CIMC_UNARY(Softplus)
CIMC_UNARY(Softsign)
CIMC_UNARY(Sqrt)
CIMC_UNARY(Tan)
CIMC_UNARY(Tanh)
#undef CIMC_UNARY

/// Functions that integers have too.
template <typename OpT> static void importPlain(Node &node) {
  node.setResult(node.like<OpT>(node.number(0)));
}
void onnx_import::importRelu(Node &node) { importPlain<nn::ReluOp>(node); }
void onnx_import::importNeg(Node &node) { importPlain<nn::NegOp>(node); }
void onnx_import::importAbs(Node &node) { importPlain<nn::AbsOp>(node); }
void onnx_import::importSign(Node &node) { importPlain<nn::SignOp>(node); }
void onnx_import::importNot(Node &node) { importPlain<nn::NotOp>(node); }

void onnx_import::importLeakyRelu(Node &node) {
  importUnary<nn::LeakyReluOp>(
      node, node.attr("alpha", node.getFloat("alpha", 0.01f)));
}

void onnx_import::importThresholdedRelu(Node &node) {
  importUnary<nn::ThresholdedReluOp>(
      node, node.attr("alpha", node.getFloat("alpha", 1.0f)));
}

void onnx_import::importElu(Node &node) {
  importUnary<nn::EluOp>(node,
                         node.attr("alpha", node.getFloat("alpha", 1.0f)));
}

/// gamma * elu(x).
void onnx_import::importSelu(Node &node) {
  bool isFirst = node.opset < 6;
  float alpha = node.getFloat("alpha", isFirst ? 1.6732f : 1.67326319f);
  Value elu = node.like<nn::EluOp>(node.real(0), node.attr("alpha", alpha));
  Value gamma = node.scalar(
      node.getFloat("gamma", isFirst ? 1.0507f : 1.05070102f), node.f32());
  node.setResult(node.like<nn::MulOp>({elu, gamma}));
}

/// alpha * elu(x / alpha).
void onnx_import::importCelu(Node &node) {
  Value alpha = node.scalar(node.getFloat("alpha", 1.0f), node.f32());
  Value scaled = node.like<nn::DivOp>({node.real(0), alpha});
  Value elu = node.like<nn::EluOp>(scaled, node.attr("alpha", 1.0f));
  node.setResult(node.like<nn::MulOp>({elu, alpha}));
}

void onnx_import::importHardSigmoid(Node &node) {
  importUnary<nn::HardSigmoidOp>(
      node, {node.attr("alpha", node.getFloat("alpha", 0.2f)),
             node.attr("beta", node.getFloat("beta", 0.5f))});
}

void onnx_import::importShrink(Node &node) {
  Value input = node.number(0);
  Value result =
      node.like<nn::ShrinkOp>(node.cast(input, node.f32()),
                              {node.attr("lambd", node.getFloat("lambd", 0.5f)),
                               node.attr("bias", node.getFloat("bias", 0.0f))});
  node.setResult(node.cast(result, elementType(input)));
}

void onnx_import::importSwish(Node &node) {
  importUnary<nn::SwishOp>(node,
                           node.attr("alpha", node.getFloat("alpha", 1.0f)));
}

/// com.microsoft: x * sigmoid(alpha * x).
void onnx_import::importQuickGelu(Node &node) {
  importUnary<nn::SwishOp>(node,
                           node.attr("alpha", node.getFloat("alpha", 1.702f)));
}

void onnx_import::importGelu(Node &node) {
  std::string mode = node.getString("approximate", "none");
  if (mode != "none" && mode != "tanh")
    failInvalid("approximate is '{}'; it is none or tanh", mode);
  if (mode == "tanh")
    return importUnary<nn::GeluTanhOp>(node);
  importUnary<nn::GeluOp>(node);
}

/// com.microsoft BiasGelu and FastGelu: the sum with a bias first.
static Value withBias(Node &node) {
  Value input = node.real(0);
  return node.hasInput(1) ? node.like<nn::AddOp>({input, node.real(1)}) : input;
}
void onnx_import::importBiasGelu(Node &node) {
  node.setResult(node.like<nn::GeluOp>(withBias(node)));
}
void onnx_import::importFastGelu(Node &node) {
  node.setResult(node.like<nn::GeluTanhOp>(withBias(node)));
}

void onnx_import::importIsNaN(Node &node) {
  node.setResult(
      node.emit<nn::IsNaNOp>(node.builder().getI1Type(), node.real(0)));
}

void onnx_import::importIsInf(Node &node) {
  bool negative = node.getInt("detect_negative", 1);
  bool positive = node.getInt("detect_positive", 1);
  Value input = node.real(0);
  double infinity = std::numeric_limits<double>::infinity();
  double wanted = positive ? infinity : -infinity;
  if (negative && positive)
    input = node.like<nn::AbsOp>(input);
  if (!negative && !positive) // no number is what nothing equals
    wanted = std::numeric_limits<double>::quiet_NaN();
  node.setResult(node.emit<nn::EqualOp>(
      node.builder().getI1Type(), {input, node.scalar(wanted, node.f32())}));
}

/// Limits that are known are attributes, others operands.
void onnx_import::importClip(Node &node) {
  Value input = node.number(0);
  constexpr float most = std::numeric_limits<float>::max();
  std::optional<double> limits[2];
  Value values[2];
  if (node.opset < 11) {
    limits[0] = node.getFloat("min", -most);
    limits[1] = node.getFloat("max", most);
  }
  for (size_t i : {0, 1}) {
    if (node.opset < 11 || !node.hasInput(i + 1))
      continue;
    Shape shape = node.shape(i + 1);
    int64_t size = 1;
    for (int64_t extent : shape)
      size *= extent;
    if (size != 1 || node.dtype(i + 1) != node.dtype(0))
      failInvalid("the limit '{}' must be one {} number, not {} of shape {}",
                  node.inputName(i + 1), name(node.dtype(0)),
                  name(node.dtype(i + 1)), shapeString(shape));
    if (const Constant *constant = node.constant(i + 1))
      limits[i] = realAt(*constant, 0);
    values[i] = node.reshape(node.number(i + 1), {});
  }
  if ((limits[0] && std::isnan(*limits[0])) ||
      (limits[1] && std::isnan(*limits[1])))
    failInvalid("a limit is not a number");
  bool known = elementType(input).isF32();
  for (int i : {0, 1})
    known &= limits[i].has_value() || !values[i];
  if (known)
    return node.setResult(node.like<nn::ClipOp>(
        input,
        {node.attr("min", static_cast<float>(limits[0].value_or(-most))),
         node.attr("max", static_cast<float>(limits[1].value_or(most)))}));
  if (values[0])
    input = node.like<nn::MaxOp>({input, values[0]});
  if (values[1])
    input = node.like<nn::MinOp>({input, values[1]});
  node.setResult(input);
}
