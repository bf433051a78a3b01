//===- DecomposeIntegers.cpp - products of plain integers -----------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Arrays multiply bytes with constants. What a zero point that is known only
// while the program runs takes off the sums is a product of its own, with ones:
//   sum (x - z) w = sum x w - z sum w
// Two computed operands are multiplied in fp32, in parts whose sums are exact.
//
//===----------------------------------------------------------------------===//

#include "Decompose.h"

#include "cimc/Reference/Evaluator.h"

#include "mlir/IR/IRMapping.h"

#include <algorithm>
#include <optional>

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

namespace {

bool isByte(Value value) {
  auto type = dyn_cast<IntegerType>(elementOf(value));
  return type && type.getWidth() == 8;
}

/// raw - zero, or raw where there is no zero point.
struct Bytes {
  Value raw, zero;
};

std::optional<Bytes> asBytes(Value value) {
  if (isByte(value))
    return Bytes{value, {}};
  if (auto cast = value.getDefiningOp<nn::CastOp>())
    if (isByte(cast.getInput()))
      return Bytes{cast.getInput(), {}};
  if (auto sub = value.getDefiningOp<nn::SubOp>())
    if (auto cast = sub.getLhs().getDefiningOp<nn::CastOp>())
      if (isByte(cast.getInput()) && dimsOf(cast) == dimsOf(value))
        return Bytes{cast.getInput(), sub.getRhs()};
  return std::nullopt;
}

/// The product with an input of ones in the shape `shape`.
std::optional<HostTensor> productOfOnes(Operation *op, unsigned input,
                                        unsigned weights, Dims shape,
                                        Dims resultShape) {
  MLIRContext *context = op->getContext();
  auto constant = op->getOperand(weights).getDefiningOp<nn::ConstantOp>();
  HostTensor ones(DType::I32, {shape.begin(), shape.end()});
  for (int64_t i = 0; i < ones.size(); ++i)
    ones.as<int32_t>()[i] = 1;
  // An operation of its own, outside any function.
  OwningOpRef<ModuleOp> scratch = ModuleOp::create(op->getLoc());
  OpBuilder builder(context);
  builder.setInsertionPointToEnd(scratch->getBody());
  auto type = RankedTensorType::get(shape, builder.getI32Type());
  IRMapping mapping;
  mapping.map(op->getOperand(input),
              nn::ConstantOp::create(builder, op->getLoc(), type,
                                     toElementsAttr(ones, context, "ones")));
  mapping.map(constant.getResult(),
              builder.clone(*constant.getOperation())->getResult(0));
  Operation *copy = builder.clone(*op, mapping);
  copy->getResult(0).setType(
      RankedTensorType::get(resultShape, builder.getI32Type()));
  HostTensor weight = toHostTensor(constant.getValue());
  std::vector<HostTensor> operands(2);
  operands[input] = std::move(ones);
  operands[weights] = std::move(weight);
  Result<std::vector<HostTensor>> result = evaluateNNOp(copy, operands);
  if (!result)
    return std::nullopt;
  return std::move(result->front());
}

/// The sums of weights that a zero point takes off, in a shape that broadcasts
/// to the result.
std::optional<HostTensor> sumsOfWeights(Operation *op,
                                        const nn::WeightMatrix &matrix) {
  Dims in = dimsOf(op->getOperand(matrix.input)),
       out = dimsOf(op->getResult(0));
  auto conv = dyn_cast<nn::ConvOp>(op);
  if (!conv) {
    // One row, or one column.
    for (auto [axis, size] : llvm::enumerate(in))
      if (static_cast<int64_t>(axis) != matrix.channelAxis)
        size = 1;
    if (in.size() > 1) {
      for (size_t axis = 0; axis + 1 < out.size(); ++axis)
        if (!matrix.isLeft || axis + 2 < out.size())
          out[axis] = 1;
      if (matrix.isLeft)
        out.back() = 1;
    }
    return productOfOnes(op, matrix.input, matrix.weights, in, out);
  }
  // Windows that reach into the padding have fewer weights.
  in[0] = out[0] = 1;
  if (llvm::all_of(conv.getPads(), [](int64_t pad) { return pad == 0; })) {
    Dims kernel = dimsOf(conv.getWeight());
    for (size_t axis = 2; axis < in.size(); ++axis) {
      in[axis] = (kernel[axis] - 1) * conv.getDilations()[axis - 2] + 1;
      out[axis] = 1;
    }
  }
  return productOfOnes(op, matrix.input, matrix.weights, in, out);
}

/// The product of the raw bytes, less what the zero point adds.
Value withoutZeroPoint(Operation *op, const nn::WeightMatrix &matrix) {
  Value input = op->getOperand(matrix.input);
  std::optional<Bytes> bytes = asBytes(input);
  if (!bytes || bytes->raw == input)
    return {};
  NNBuilder b(op);
  Dims shape = dimsOf(op->getResult(0));
  Value correction;
  if (bytes->zero) {
    // One for all, or one for each row (column, where weights come first).
    Dims zero = dimsOf(bytes->zero);
    size_t rank = dimsOf(input).size(), missing = rank - zero.size();
    auto summed = static_cast<size_t>(matrix.channelAxis);
    bool isOne = ShapedType::getNumElements(zero) == 1;
    if (!isOne && (isa<nn::ConvOp>(op) || rank != shape.size() ||
                   (summed >= missing && zero[summed - missing] != 1)))
      return {};
    std::optional<HostTensor> sums = sumsOfWeights(op, matrix);
    if (!sums)
      return {};
    correction = b.binary<nn::MulOp>(
        b.constant(*sums, "sums"),
        isOne ? b.reshape(bytes->zero, {}) : bytes->zero,
        isOne ? Dims(sums->shape.begin(), sums->shape.end()) : shape);
  }
  Operation *product = b.builder.clone(*op);
  product->setOperand(matrix.input, bytes->raw);
  if (!correction)
    return product->getResult(0);
  return b.binary<nn::SubOp>(product->getResult(0), correction, shape);
}

/// Smallest and largest integer that a value can hold.
struct Limits {
  int64_t low, high;

  void include(const Limits &other) {
    low = std::min(low, other.low);
    high = std::max(high, other.high);
  }
  int64_t magnitude() const { return std::max(-low, high); }
};

std::optional<Limits> limitsOf(Value value, unsigned depth = 0) {
  constexpr unsigned kDepth = 16;
  auto type = dyn_cast<IntegerType>(elementOf(value));
  Operation *op = value.getDefiningOp();
  if (!type || depth > kDepth)
    return std::nullopt;
  if (type.getWidth() <= 16) {
    int64_t values = int64_t(1) << type.getWidth();
    return type.isUnsigned() ? Limits{0, values - 1}
                             : Limits{-values / 2, values / 2 - 1};
  }
  if (!op)
    return std::nullopt;
  if (auto constant = dyn_cast<nn::ConstantOp>(op)) {
    HostTensor tensor = toHostTensor(constant.getValue());
    if (tensor.type != DType::I32 || tensor.size() == 0)
      return std::nullopt;
    const auto *numbers = tensor.as<int32_t>();
    auto [low, high] = std::minmax_element(numbers, numbers + tensor.size());
    return Limits{*low, *high};
  }
  if (!isa<nn::CastOp, nn::SubOp, nn::ReshapeOp, nn::TransposeOp, nn::SliceOp,
           nn::PadOp, nn::ConcatOp>(op))
    return std::nullopt;
  std::optional<Limits> limits;
  for (Value operand : op->getOperands()) {
    std::optional<Limits> other = limitsOf(operand, depth + 1);
    if (!other)
      return std::nullopt;
    if (!limits)
      limits = other;
    else if (isa<nn::SubOp>(op))
      limits = Limits{limits->low - other->high, limits->high - other->low};
    else
      limits->include(*other);
  }
  if (isa<nn::PadOp>(op))
    limits->include({0, 0});
  return limits;
}

/// A product of two computed operands, in parts whose sums fp32 holds exactly.
Value inFloat(nn::MatMulOp op) {
  std::optional<Limits> a = limitsOf(op.getA()), b = limitsOf(op.getB());
  constexpr int64_t kExact = int64_t(1) << 24;
  Dims left = dimsOf(op.getA()), right = dimsOf(op.getB()),
       shape = dimsOf(op.getResult());
  if (!a || !b || left.size() < 2 || right.size() < 2)
    return {};
  int64_t most = std::max<int64_t>(a->magnitude() * b->magnitude(), 1);
  int64_t step = kExact / most;
  if (step < 1)
    return {};
  NNBuilder builder(op);
  Value x = builder.cast(op.getA(), builder.f32),
        y = builder.cast(op.getB(), builder.f32);
  int64_t axisX =
              static_cast<int64_t>(left.size()) - (op.getTransposeA() ? 2 : 1),
          axisY =
              static_cast<int64_t>(right.size()) - (op.getTransposeB() ? 1 : 2);
  Value sum;
  for (int64_t begin = 0, end = left[axisX]; begin < end; begin += step) {
    int64_t size = std::min(step, end - begin);
    bool isAll = size == end;
    Value part = nn::MatMulOp::create(
        builder.builder, builder.loc, builder.type(shape),
        isAll ? x : builder.slice(x, axisX, begin, size, 1),
        isAll ? y : builder.slice(y, axisY, begin, size, 1), Value(),
        op.getTransposeA(), op.getTransposeB());
    part = builder.cast(part, elementOf(op.getResult()));
    sum = sum ? builder.binary<nn::AddOp>(sum, part, shape) : part;
  }
  return sum;
}

} // namespace

Value transforms::decomposeIntegers(Operation *op) {
  if (!elementOf(op->getResult(0)).isSignlessInteger(32))
    return {};
  if (auto matrix = cast<nn::WeightMatrixOpInterface>(op).getWeightMatrix())
    return withoutZeroPoint(op, *matrix);
  auto product = dyn_cast<nn::MatMulOp>(op);
  return product ? inFloat(product) : Value();
}
