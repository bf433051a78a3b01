//===- Warnings.cpp - what makes quantized networks wrong -----------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Warnings.h"

#include "Fuse.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace cimc::quantization {

namespace {

constexpr int64_t fewSamples = 20;
// A range that the second half of the samples widens by so much is not known.
constexpr double growth = 1.25;
// The share of a function's results at its limits that is no accident.
constexpr double manyAtLimits = 0.9;
// What is so far from zero, with nothing between, is a mask and not a number.
constexpr double maskSize = 1e4;
// A scale that grows by so much costs a bit of the weights.
constexpr double scaleGrowth = 2;

/// A number as people write it.
std::string text(double number) {
  char digits[32];
  std::snprintf(digits, sizeof(digits), "%.4g", number);
  return digits;
}

void warnOfCount(func::FuncOp entry, const Statistics &statistics) {
  int64_t count = statistics.sampleCount();
  if (count < fewSamples)
    entry.emitWarning()
        << "ranges come from " << count
        << (count == 1 ? " calibration sample" : " calibration samples")
        << ": inputs beyond what they show are cut; give 50 to 300 that look "
           "like real inputs";
}

void warnOfCover(func::FuncOp entry, const Statistics &statistics) {
  if (statistics.sampleCount() < 2)
    return;
  for (auto [i, extremes] : llvm::enumerate(statistics.inputExtremes())) {
    auto [first, all] = extremes;
    double before = first.second - first.first, after = all.second - all.first;
    if (!(after > growth * before))
      continue;
    std::string name = "input " + std::to_string(i);
    if (auto attr = entry.getArgAttrOfType<StringAttr>(i, "nn.name"))
      name = "'" + attr.getValue().str() + "'";
    entry.emitWarning()
        << "the calibration samples do not settle the range of " << name
        << ": the first half of them covers [" << text(first.first) << ", "
        << text(first.second) << "], all of them [" << text(all.first) << ", "
        << text(all.second)
        << "]; what real inputs have beyond that is cut, give more samples";
  }
}

void warnOfLimits(func::FuncOp entry, const Statistics &statistics) {
  for (Operation &op : entry.front()) {
    double share = statistics.shareAtLimits(&op);
    if (!(share > manyAtLimits))
      continue;
    InFlightDiagnostic warning =
        op.emitWarning() << "'" << nodeName(&op)
                         << "': " << text(std::floor(100 * share))
                         << " % of its results on the calibration samples are "
                            "at its limits";
    for (auto [i, extremes] : llvm::enumerate(statistics.inputExtremes())) {
      std::string name = "input " + std::to_string(i);
      if (auto attr = entry.getArgAttrOfType<StringAttr>(i, "nn.name"))
        name = "'" + attr.getValue().str() + "'";
      warning << (i ? ", " : "; there ") << name << " is in ["
              << text(extremes.second.first) << ", "
              << text(extremes.second.second) << "]";
    }
    warning << ": if that is not what the model was trained with, scale the "
               "samples as it was (images: --pixel-divide, --pixel-mean, "
               "--pixel-std)";
    // What follows is a consequence.
    return;
  }
}

void warnOfMasks(const Statistics &statistics, const RangePlan &plan,
                 const NodeNames &names) {
  for (Value value : plan.representatives()) {
    const Histogram &histogram =
        statistics.histograms[plan.observedHistogram(value)];
    double size = std::max(-double(histogram.min()), double(histogram.max()));
    if (size < maskSize)
      continue;
    // Numbers near zero, masks in the outer half, and nothing between.
    int64_t near = histogram.zeroCount(), far = 0;
    for (int64_t bin = 0; bin < histogram.bins(); ++bin) {
      double center = std::fabs(histogram.begin(bin) + histogram.width() / 2);
      if (center <= std::max(size / 256, histogram.width()))
        near += histogram.count(bin);
      else if (center >= size / 2)
        far += histogram.count(bin);
    }
    if (near + far < histogram.total() || near == 0)
      continue;
    Operation *op = value.getDefiningOp();
    Location loc = op ? op->getLoc() : value.getLoc();
    emitWarning(loc)
        << "'" << names.of(value) << "': its numbers are near zero or near "
        << text(-double(histogram.min()) == size ? histogram.min()
                                                 : histogram.max())
        << ", as a mask has them; a range of 8 bits that holds both leaves the "
           "numbers near zero no precision. Let the model mask with Where, or "
           "with numbers a few times as large as those they are added to, or "
           "give the tensor a range of its own (--table)";
  }
}

} // namespace

int64_t deadChannels(Operation *op) {
  if (!isa<nn::ConvOp, nn::MatMulOp>(op))
    return 0;
  nn::ConstantOp constant = constantOf(op->getOperand(1));
  if (!constant)
    return 0;
  auto shape = cast<RankedTensorType>(constant.getType()).getShape();
  int64_t axis = weightAxis(op);
  if (axis < 0 || axis >= static_cast<int64_t>(shape.size()))
    return 0;
  std::vector<float> values = readFloats(constant);
  std::vector<bool> alive(shape[axis], false);
  if (static_cast<int64_t>(values.size()) != ShapedType::getNumElements(shape))
    return 0;
  forEachOnAxis(shape, axis, [&](int64_t i, int64_t at) {
    if (values[i] != 0.0f)
      alive[at] = true;
  });
  return llvm::count(alive, false);
}

void warnOfSamples(func::FuncOp entry, const Statistics &statistics,
                   const RangePlan &plan, const NodeNames &names) {
  warnOfCount(entry, statistics);
  warnOfCover(entry, statistics);
  warnOfLimits(entry, statistics);
  warnOfMasks(statistics, plan, names);
}

void warnOfChannels(func::FuncOp entry) {
  for (Operation &operation : entry.front()) {
    Operation *op = &operation;
    if (int64_t dead = deadChannels(op))
      op->emitWarning() << "'" << nodeName(op) << "': " << dead
                        << (dead == 1 ? " output channel has"
                                      : " output channels have")
                        << " weights of zero only; the model was pruned or "
                           "did not train there";
  }
}

void warnOfBiases(const std::vector<WeightedLayer> &layers,
                  const NodeNames &names) {
  for (const WeightedLayer &layer : layers) {
    double most = layer.largestScaleGrowth();
    if (most > scaleGrowth)
      layer.operation()->emitWarning()
          << "'" << names.of(layer.operation())
          << "': a bias is so large beside the weights and inputs of its "
             "channel "
             "that it would overflow 32 bits; the scale of the weights grows "
             "by "
          << text(most) << " to hold it, and they lose that much precision";
  }
}

} // namespace cimc::quantization
