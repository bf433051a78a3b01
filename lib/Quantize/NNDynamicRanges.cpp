//===- NNDynamicRanges.cpp - the pass nn-dynamic-ranges ---------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fuse.h"

#include "cimc/Quantize/Passes.h"
#include "cimc/Reference/Evaluator.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <algorithm>
#include <cmath>

namespace cimc {
#define GEN_PASS_DEF_NNDYNAMICRANGES
#include "cimc/Quantize/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc::quantization;

namespace cimc {

bool quantization::isNonNegative(Value value, unsigned depth) {
  constexpr unsigned most = 16;
  Operation *op = value.getDefiningOp();
  if (!op || depth > most)
    return false;
  auto inputs = [&] {
    return llvm::all_of(op->getOperands(), [&](Value operand) {
      return isNonNegative(operand, depth + 1);
    });
  };
  if (isa<nn::ReluOp, nn::SigmoidOp, nn::HardSigmoidOp, nn::SoftmaxOp,
          nn::AbsOp, nn::ExpOp, nn::SqrtOp>(op))
    return true;
  if (auto clip = dyn_cast<nn::ClipOp>(op))
    return clip.getMin().convertToFloat() >= 0;
  if (auto pad = dyn_cast<nn::PadOp>(op))
    return pad.getValue().convertToFloat() >= 0 && inputs();
  if (auto dequantize = dyn_cast<nn::DequantizeOp>(op)) {
    auto type = activationType(elementType(dequantize.getInput()));
    return type && type.getZeroPoint() <= type.getStorageTypeMin();
  }
  if (isa<nn::AddOp, nn::MulOp, nn::ConcatOp>(op) || movesElements(op) ||
      isa<nn::AvgPoolOp, nn::GlobalAvgPoolOp>(op))
    return inputs();
  return false;
}

/// The constant behind a value or its dequantize; null where there is none.
static nn::ConstantOp weightsOf(Value value) {
  Value source = quantizedSource(value);
  return constantOf(source ? source : value);
}

bool quantization::canTakeRanges(Operation *op) {
  if (!isa<nn::ConvOp, nn::MatMulOp>(op) || !weightsOf(op->getOperand(1)))
    return false;
  if (auto conv = dyn_cast<nn::ConvOp>(op)) {
    // Depthwise convolutions run on the vector unit, in fp32.
    auto weight = cast<RankedTensorType>(conv.getWeight().getType());
    return weight.getDimSize(1) > 1 || conv.getGroup() == 1;
  }
  auto matmul = dyn_cast<nn::MatMulOp>(op);
  return matmul &&
         cast<RankedTensorType>(matmul.getB().getType()).getRank() == 2 &&
         cast<RankedTensorType>(matmul.getA().getType()).getRank() > 1;
}

namespace {

bool isFloat(Value value) { return elementType(value).isF32(); }

struct NNDynamicRanges : impl::NNDynamicRangesBase<NNDynamicRanges> {
  using NNDynamicRangesBase::NNDynamicRangesBase;

  void runOnOperation() override {
    OpBuilder builder(&getContext());
    SmallVector<Operation *> operations;
    getOperation().walk([&](Operation *op) { operations.push_back(op); });
    // A constant that several layers read becomes integers once.
    for (Operation *op : operations) {
      if (precision == "float")
        break;
      bool done = true;
      if (canTakeRanges(op))
        done = takeRanges(builder, op);
      else if (isa<nn::LstmOp, nn::GruOp, nn::RnnOp>(op))
        done = quantizeGates(builder, op);
      if (!done)
        return signalPassFailure();
    }
    if (precision != "float")
      remarkWide(operations);
    // Dequantized constants that are left are float constants.
    for (Operation *op : operations) {
      auto dequantize = dyn_cast<nn::DequantizeOp>(op);
      if (!dequantize)
        continue;
      if (constantOf(dequantize.getInput()) &&
          !dequantize.getResult().use_empty() && !foldConstant(builder, op))
        return signalPassFailure();
      if (dequantize.getResult().use_empty())
        dequantize.erase();
    }
  }

private:
  bool takeRanges(OpBuilder &builder, Operation *op) {
    Value input = op->getOperand(0), weight = op->getOperand(1);
    if (!isFloat(input) || !isFloat(weight) || constantOf(input) ||
        !isFloat(op->getResult(0)) || !weightsOf(weight))
      return true;
    if (op->getNumOperands() > 2 && !weightsOf(op->getOperand(2)))
      return true;
    if (!makeIntegers(builder, op, 1, weightAxis(op)))
      return false;
    // A range that is known is not taken again.
    Value source = quantizedSource(input);
    if (source && isInputType(elementType(source)))
      op->setOperand(0, source);
    else if (isNonNegative(input))
      op->setAttr("nonnegative", builder.getUnitAttr());
    return true;
  }

  bool quantizeGates(OpBuilder &builder, Operation *op) {
    for (unsigned k : {1u, 2u})
      if (isFloat(op->getOperand(0)) && isFloat(op->getOperand(k)) &&
          weightsOf(op->getOperand(k)) && !makeIntegers(builder, op, k, 0))
        return false;
    return true;
  }

  // What still has float weights on the arrays takes nine times the cells.
  void remarkWide(ArrayRef<Operation *> operations) {
    for (Operation *op : operations) {
      auto weighted = dyn_cast<nn::WeightMatrixOpInterface>(op);
      std::optional<nn::WeightMatrix> matrix =
          weighted ? weighted.getWeightMatrix() : std::nullopt;
      if (matrix && isFloat(op->getOperand(matrix->weights)) &&
          isFloat(op->getResult(0)) &&
          !(matrix->groups > 1 && matrix->channels == 1))
        op->emitRemark() << "'" << nodeName(op)
                         << "' has no form with integer weights and a float "
                            "input: its products are wide fixed point, in nine "
                            "times the cells";
    }
  }

  int32_t weightLimit() const { return precision == "w4a8" ? 7 : 127; }

  /// Operand k becomes integers, with a scale for each position on `axis`:
  /// those behind a dequantize, or the nearest to float numbers.
  bool makeIntegers(OpBuilder &builder, Operation *op, unsigned k,
                    int64_t axis) {
    Value operand = op->getOperand(k);
    if (Value source = quantizedSource(operand)) {
      auto type = cast<quant::QuantizedType>(elementType(source));
      std::optional<Scales> scales = scalesOf(type);
      if (type.getStorageTypeIntegralWidth() <= 8 && scales &&
          (scales->axis < 0 || scales->axis == axis)) {
        op->setOperand(k, source);
        return true;
      }
      // Blocks of weights, 16 bits: the nearest integers of 8.
      if (type.getStorageTypeIntegralWidth() > 8)
        op->emitWarning() << "'" << nodeName(op) << "': its weights of "
                          << type.getStorageTypeIntegralWidth()
                          << " bits become the nearest of 8, which is what "
                             "arrays hold, with a scale for each channel";
      if (!foldConstant(builder, operand.getDefiningOp()))
        return false;
      operand = op->getOperand(k);
    }
    nn::ConstantOp constant = constantOf(operand);
    std::vector<float> values = readFloats(constant);
    for (size_t i = 0; i < values.size(); ++i)
      if (!std::isfinite(values[i])) {
        op->emitError() << "element " << i << " of its weights is " << values[i]
                        << ", which cannot be quantized";
        return false;
      }
    auto shape = cast<RankedTensorType>(operand.getType()).getShape();
    auto key = std::make_pair(constant.getOperation(), axis);
    Value &integers = made[key];
    if (!integers) {
      builder.setInsertionPointAfter(constant);
      integers = nearestIntegers(builder, constant, shape, axis, values);
    }
    op->setOperand(k, integers);
    return true;
  }

  Value nearestIntegers(OpBuilder &builder, nn::ConstantOp constant,
                        ArrayRef<int64_t> shape, int64_t axis,
                        const std::vector<float> &values) {
    Scales scales;
    scales.axis = axis;
    int32_t limit = weightLimit();
    scales.scale.assign(axis < 0 ? 1 : shape[axis], 0.0f);
    forEachOnAxis(shape, axis, [&](int64_t i, int64_t at) {
      scales.scale[at] = std::max(scales.scale[at], std::fabs(values[i]));
    });
    for (float &scale : scales.scale) {
      scale /= static_cast<float>(limit);
      if (!(scale > 1e-20f))
        scale = 1;
    }
    scales.zero.assign(scales.scale.size(), 0);
    std::vector<int32_t> integers(values.size());
    forEachOnAxis(shape, axis, [&](int64_t i, int64_t at) {
      integers[i] =
          numerics::quantize(values[i], scales.scale[at], 0, {-limit, limit});
    });
    auto type = RankedTensorType::get(
        shape, signedType(&getContext(), 8, -limit, limit, scales));
    return quantization::makeIntegers(builder, constant.getLoc(), type,
                                      integers, nodeName(constant));
  }

  /// A dequantize of a constant as a float constant.
  bool foldConstant(OpBuilder &builder, Operation *op) {
    auto dequantize = cast<nn::DequantizeOp>(op);
    nn::ConstantOp constant = constantOf(dequantize.getInput());
    auto values = evaluateNNOp(constant, {});
    if (values)
      values = evaluateNNOp(dequantize, *values);
    if (!values) {
      op->emitError() << values.error().message;
      return false;
    }
    builder.setInsertionPointAfter(constant);
    Value real = nn::ConstantOp::create(
        builder, constant.getLoc(),
        cast<RankedTensorType>(dequantize.getResult().getType()),
        toElementsAttr(values->front(), &getContext(), nodeName(constant)));
    dequantize.getResult().replaceAllUsesWith(real);
    return true;
  }

  // Looked up only.
  llvm::DenseMap<std::pair<Operation *, int64_t>, Value> made;
};

} // namespace
} // namespace cimc
