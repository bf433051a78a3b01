//===- PairInsertion.cpp - pairs around float operations ------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PairInsertion.h"

#include "cimc/Support/Numerics.h"

using namespace mlir;

namespace cimc::quantization {

namespace {

class Inserter {
public:
  Inserter(func::FuncOp entry, const RangePlan &plan, const LayerBits &bits)
      : entry(entry), plan(plan), bits(bits), builder(entry.getContext()) {}

  /// The layers whose weights are integers now, the nearest, in order.
  std::vector<WeightedLayer> layers;

  void run() {
    for (Operation &op : llvm::make_early_inc_range(entry.front())) {
      if (isa<nn::ConvOp, nn::MatMulOp>(op))
        quantizeWeights(&op);
      else if (isa<nn::AddOp, nn::MulOp>(op))
        quantizeNumbers(&op);
    }
    for (Value value : plan.allValues())
      if (plan.isQuantized(value) && !value.use_empty())
        insertPair(value);
    // Constants that were replaced.
    for (Operation &op : llvm::make_early_inc_range(entry.front()))
      if (isa<nn::ConstantOp>(op) && op.use_empty())
        op.erase();
  }

private:
  void insertPair(Value value) {
    builder.setInsertionPointAfterValue(value);
    auto type = cast<RankedTensorType>(value.getType());
    Type element = plan.range(value).type(builder.getContext());
    auto quantize = nn::QuantizeOp::create(
        builder, value.getLoc(),
        RankedTensorType::get(type.getShape(), element), value);
    Value real = makeDequantized(builder, value.getLoc(), quantize.getResult());
    value.replaceAllUsesExcept(real, quantize);
  }

  void quantizeWeights(Operation *op) {
    Value operands[] = {op->getOperand(0), op->getOperand(1)};
    for (unsigned k : {1u, 0u}) {
      if (!constantOf(operands[k]) ||
          !(plan.isRanged(op) || plan.isQuantized(operands[1 - k])))
        continue;
      std::optional<float> inputScale;
      if (!plan.isRanged(op) && !plan.isWide(op))
        inputScale = plan.range(operands[1 - k]).parameters.scale;
      int width = bits.ofWeights(op);
      layers.emplace_back(op, k, inputScale, width);
      layers.back().install(builder, layers.back().nearest(width));
      return;
    }
    // Two activations: only the bias is constant.
    nn::ConstantOp bias =
        op->getNumOperands() > 2 ? constantOf(op->getOperand(2)) : nullptr;
    if (!bias || !plan.isQuantized(operands[0]) ||
        !plan.isQuantized(operands[1]))
      return;
    float scale = plan.range(operands[0]).parameters.scale;
    float other = plan.range(operands[1]).parameters.scale;
    std::vector<float> values = readFloats(bias);
    std::vector<int32_t> integers(values.size());
    for (size_t c = 0; c < values.size(); ++c)
      integers[c] = numerics::quantizeBias(values[c], scale, other);
    Scales scales;
    scales.scale = {scale * other};
    scales.zero = {0};
    builder.setInsertionPoint(op);
    auto type = RankedTensorType::get(
        cast<ShapedType>(bias.getResult().getType()).getShape(),
        signedType(builder.getContext(), 32, INT32_MIN, INT32_MAX, scales));
    op->setOperand(2, makeDequantized(builder, op->getLoc(),
                                      makeIntegers(builder, bias.getLoc(), type,
                                                   integers, nodeName(bias))));
  }

  // Operands that are one number everywhere, exactly.
  void quantizeNumbers(Operation *op) {
    if (!plan.isQuantized(op->getOperand(0)) &&
        !plan.isQuantized(op->getOperand(1)))
      return;
    builder.setInsertionPoint(op);
    for (int i : {0, 1})
      if (constantOf(op->getOperand(i)))
        if (Value number = quantizeSplat(builder, op->getOperand(i), false))
          op->setOperand(i, makeDequantized(builder, op->getLoc(), number));
  }

  func::FuncOp entry;
  const RangePlan &plan;
  const LayerBits &bits;
  OpBuilder builder;
};

} // namespace

RangePlan chooseRanges(func::FuncOp entry, const LayerBits &bits,
                       const Statistics &statistics,
                       const QuantizeOptions &options) {
  RangePlan plan(entry, options.rowRanges,
                 [&](Operation *op) { return bits.isWide(op); });
  plan.choose(statistics.histograms, options.method);
  for (Value value : plan.representatives()) {
    auto given = options.table.ranges.find(bits.names.of(value));
    if (given != options.table.ranges.end())
      plan.setRange(value, given->second.first, given->second.second);
  }
  return plan;
}

std::vector<WeightedLayer>
insertPairs(func::FuncOp entry, const RangePlan &plan, const LayerBits &bits) {
  Inserter inserter(entry, plan, bits);
  inserter.run();
  return std::move(inserter.layers);
}

} // namespace cimc::quantization
