//===- WeightedLayer.cpp - integer weights of one operation ---------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WeightedLayer.h"

#include "cimc/Reference/Evaluator.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace cimc::quantization {

static std::vector<float> floatsOf(ElementsAttr attr) {
  if (!attr)
    return {};
  HostTensor tensor = toHostTensor(attr);
  return std::vector<float>(tensor.as<float>(),
                            tensor.as<float>() + tensor.size());
}

std::vector<Operation *> productsOf(func::FuncOp entry) {
  std::vector<Operation *> products;
  for (Operation &op : entry.front())
    if (isa<nn::ConvOp, nn::MatMulOp>(op))
      products.push_back(&op);
  return products;
}

Value makeDequantized(OpBuilder &builder, Location loc, Value integers) {
  auto type = cast<RankedTensorType>(integers.getType());
  return nn::DequantizeOp::create(
      builder, loc,
      RankedTensorType::get(type.getShape(), builder.getF32Type()), integers);
}

WeightedLayer::WeightedLayer(Operation *op, unsigned weightOperand,
                             std::optional<float> inputScale, int bits)
    : op(op), weightOperand(weightOperand), inputScale(inputScale),
      weightBits(bits), weightLoc(op->getLoc()), biasLoc(op->getLoc()) {
  nn::ConstantOp weight = constantOf(op->getOperand(weightOperand));
  weightShape = cast<ShapedType>(weight.getResult().getType()).getShape().vec();
  weightMatrix = cast<nn::WeightMatrixOpInterface>(op).getWeightMatrix();
  realWeights = weight.getValue();
  weightLoc = weight.getLoc();
  weightName = nodeName(weight);
  if (weightOperand == 1) {
    channelAxis = 0;
    if (auto matmul = dyn_cast<nn::MatMulOp>(op)) {
      auto rank = static_cast<int64_t>(weightShape.size());
      channelAxis = rank < 2                 ? -1
                    : matmul.getTransposeB() ? rank - 2
                                             : rank - 1;
    }
  }
  if (op->getNumOperands() > 2)
    if (nn::ConstantOp constant = constantOf(op->getOperand(2))) {
      realBias = constant.getValue();
      biasLoc = constant.getLoc();
      biasName = nodeName(constant);
    }
}

std::vector<float> WeightedLayer::weights() const {
  return floatsOf(realWeights);
}

std::vector<float> WeightedLayer::bias() const { return floatsOf(realBias); }

Scales WeightedLayer::fullScales() const {
  std::vector<float> values = weights();
  Scales scales;
  scales.axis = channelAxis;
  std::vector<float> largest(channelAxis < 0 ? 1 : weightShape[channelAxis],
                             0.0f);
  forEachOnAxis(weightShape, channelAxis, [&](int64_t i, int64_t at) {
    largest[at] = std::max(largest[at], std::fabs(values[i]));
  });
  std::vector<float> least = leastScales();
  for (size_t c = 0; c < largest.size(); ++c) {
    float scale = std::max(largest[c] / static_cast<float>(limit()), least[c]);
    scales.scale.push_back(scale > 1e-20f ? scale : 1.0f);
  }
  scales.zero.assign(scales.scale.size(), 0);
  return scales;
}

std::vector<float> WeightedLayer::leastScales() const {
  std::vector<float> values = bias();
  std::vector<float> least(channelAxis < 0 ? 1 : weightShape[channelAxis],
                           0.0f);
  for (size_t b = 0; inputScale && b < values.size(); ++b) {
    float &scale = least[channelAxis < 0 ? 0 : b];
    scale =
        std::max(scale, std::fabs(values[b]) / (*inputScale * 1073741824.0f));
  }
  return least;
}

double WeightedLayer::largestScaleGrowth() const {
  std::vector<float> values = weights(), least = leastScales();
  std::vector<float> largest(least.size(), 0.0f);
  forEachOnAxis(weightShape, channelAxis, [&](int64_t i, int64_t at) {
    largest[at] = std::max(largest[at], std::fabs(values[i]));
  });
  double growth = 1;
  for (size_t c = 0; c < least.size(); ++c)
    if (largest[c] > 0)
      growth = std::max(growth, double(least[c]) * limit() / largest[c]);
  return growth;
}

std::vector<int32_t> WeightedLayer::roundToNearest(const Scales &scales) const {
  std::vector<float> values = weights();
  std::vector<int32_t> integers(values.size());
  forEachOnAxis(weightShape, channelAxis, [&](int64_t i, int64_t at) {
    integers[i] =
        numerics::quantize(values[i], scales.scale[at], 0, {-limit(), limit()});
  });
  return integers;
}

LayerConstants WeightedLayer::nearest(int bits) const {
  WeightedLayer other = *this;
  other.setBits(bits);
  Scales scales = other.fullScales();
  return other.constants(scales, other.roundToNearest(scales), bias());
}

LayerConstants WeightedLayer::constants(const Scales &scales,
                                        const std::vector<int32_t> &integers,
                                        const std::vector<float> &bias) const {
  MLIRContext *context = op->getContext();
  LayerConstants result;
  result.weightType = RankedTensorType::get(
      weightShape, signedType(context, 8, -limit(), limit(), scales));
  HostTensor tensor(DType::I8, weightShape);
  std::copy(integers.begin(), integers.end(), tensor.as<int8_t>());
  result.weights = toElementsAttr(tensor, context, weightName);
  if (hasBias())
    setBias(result, scales, bias);
  return result;
}

LayerConstants WeightedLayer::adapt(LayerConstants other) const {
  if (!other.bias || other.biasType.getElementType().isF32() == !inputScale)
    return other;
  HostTensor numbers = toHostTensor(other.bias);
  std::vector<float> bias(numbers.size());
  if (std::optional<Scales> scales =
          scalesOf(other.biasType.getElementType())) {
    for (size_t c = 0; c < bias.size(); ++c)
      bias[c] =
          numerics::dequantize(numbers.as<int32_t>()[c], scales->scaleAt(c), 0);
  } else {
    std::copy_n(numbers.as<float>(), bias.size(), bias.begin());
  }
  setBias(other, *scalesOf(other.weightType.getElementType()), bias);
  return other;
}

void WeightedLayer::setBias(LayerConstants &result, const Scales &scales,
                            const std::vector<float> &bias) const {
  MLIRContext *context = op->getContext();
  if (!inputScale) {
    HostTensor real(DType::F32, {static_cast<int64_t>(bias.size())});
    std::copy(bias.begin(), bias.end(), real.as<float>());
    result.biasType =
        RankedTensorType::get(real.shape, Float32Type::get(context));
    result.bias = toElementsAttr(real, context, biasName);
    return;
  }
  Scales biasScales;
  // One scale for all weights (a constant on the left) is one for the bias.
  biasScales.axis = channelAxis < 0 ? -1 : 0;
  for (float scale : scales.scale)
    biasScales.scale.push_back(*inputScale * scale);
  biasScales.zero.assign(scales.scale.size(), 0);
  HostTensor sums(DType::I32, {static_cast<int64_t>(bias.size())});
  for (size_t c = 0; c < bias.size(); ++c)
    sums.as<int32_t>()[c] =
        numerics::quantizeBias(bias[c], *inputScale, scales.scaleAt(c));
  result.biasType = RankedTensorType::get(
      sums.shape, signedType(context, 32, INT32_MIN, INT32_MAX, biasScales));
  result.bias = toElementsAttr(sums, context, biasName);
}

void WeightedLayer::install(OpBuilder &builder, const LayerConstants &chosen) {
  auto set = [&](nn::ConstantOp &constant, unsigned operand, Location loc,
                 RankedTensorType type, ElementsAttr value) {
    if (constant) {
      constant.setValueAttr(value);
      constant.getResult().setType(type);
      return;
    }
    builder.setInsertionPoint(op);
    constant = nn::ConstantOp::create(builder, loc, type, value);
    Value real = constant.getResult();
    if (!elementType(real).isF32())
      real = makeDequantized(builder, op->getLoc(), real);
    op->setOperand(operand, real);
  };
  set(weightConstant, weightOperand, weightLoc, chosen.weightType,
      chosen.weights);
  if (chosen.bias)
    set(biasConstant, 2, biasLoc, chosen.biasType, chosen.bias);
}

} // namespace cimc::quantization
