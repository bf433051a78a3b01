//===- LayerReports.cpp - what quantizing did to each layer ---------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerReports.h"

#include "Constants.h"
#include "Fuse.h"

#include "cimc/Reference/Evaluator.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace cimc::quantization {

namespace {

constexpr int64_t fewSamples = 10;
// A range that the second half of the samples widens by so much is not known.
constexpr double growth = 1.25;

/// Operations with weights, in order; the same in a network and its copies.
std::vector<Operation *> weightedOperations(func::FuncOp entry) {
  std::vector<Operation *> result;
  for (Operation &op : entry.front())
    if (isa<nn::ConvOp, nn::MatMulOp, nn::LstmOp, nn::GruOp, nn::RnnOp>(op))
      result.push_back(&op);
  return result;
}

int64_t deadChannels(Operation *op) {
  nn::ConstantOp constant = constantOf(op->getOperand(1));
  if (!constant || !isa<nn::ConvOp, nn::MatMulOp>(op))
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

/// Sums over the results of one operation.
struct Agreement {
  double noise = 0, a = 0, b = 0, product = 0;

  void add(const HostTensor &got, const HostTensor &expected) {
    if (got.type != DType::F32 || expected.type != DType::F32 ||
        got.size() != expected.size())
      return;
    for (int64_t i = 0; i < got.size(); ++i) {
      double x = got.as<float>()[i], y = expected.as<float>()[i];
      if (!std::isfinite(x) || !std::isfinite(y))
        continue;
      noise += (x - y) * (x - y);
      a += x * x;
      b += y * y;
      product += x * y;
    }
  }
};

} // namespace

void warnOfSamples(func::FuncOp entry, const Statistics &statistics) {
  int64_t count = statistics.sampleCount();
  if (count < fewSamples)
    entry.emitWarning()
        << "ranges come from " << count
        << (count == 1 ? " calibration sample" : " calibration samples")
        << ": inputs beyond what they show are cut; give 50 to 300 that look "
           "like real inputs";
  if (count < 2)
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
        << ": the first half of them covers [" << first.first << ", "
        << first.second << "], all of them [" << all.first << ", " << all.second
        << "]; what real inputs have beyond that is cut, give more samples";
  }
}

void warnOfChannels(func::FuncOp entry) {
  for (Operation *op : weightedOperations(entry))
    if (int64_t dead = deadChannels(op))
      op->emitWarning() << "'" << nodeName(op) << "': " << dead
                        << (dead == 1 ? " output channel has"
                                      : " output channels have")
                        << " weights of zero only; the model was pruned or "
                           "did not train there";
}

void LayerReports::plan(func::FuncOp entry, const RangePlan &plan,
                        const Statistics &statistics,
                        const QuantizeOptions &options) {
  for (Operation *op : weightedOperations(entry)) {
    QuantizedLayer layer;
    layer.name = nodeName(op);
    layer.kind = op->getName().stripDialect().str();
    layer.deadChannels = deadChannels(op);
    layer.weightBits = options.weightBits;
    Value input = op->getOperand(0);
    if (isa<nn::LstmOp, nn::GruOp, nn::RnnOp>(op)) {
      layer.input = "by row";
      layer.weightBits = 8;
      layer.why = "states are made step by step";
    } else if (plan.isRanged(op)) {
      layer.input = "by row";
      layer.why = "its input is made in float";
    } else if (plan.isQuantized(input)) {
      layer.input = "fixed";
      AffineParameters p = plan.parameters(input);
      layer.low = -static_cast<double>(p.zero) * p.scale;
      layer.high = (255.0 - p.zero) * p.scale;
      int64_t group = plan.observedHistogram(input);
      if (group >= 0)
        layer.clipped = clippedShare(statistics.histograms[group], p);
      layer.why = options.method + " over " +
                  std::to_string(statistics.sampleCount()) + " samples";
    } else {
      layer.input = "float";
      layer.weightBits = 32;
      layer.why = constantOf(op->getOperand(1))
                      ? "its input is not quantized"
                      : "both operands are made in float";
    }
    layers.push_back(std::move(layer));
  }
}

Status LayerReports::measure(ModuleOp module, ModuleOp real,
                             const Statistics &statistics,
                             QuantizeReport &report) {
  auto entry = findEntry(module), realEntry = findEntry(real);
  if (!entry)
    return entry.takeError();
  if (!realEntry)
    return realEntry.takeError();
  llvm::DenseMap<Value, size_t> number, realNumber; // looked up only
  for (auto [i, op] : llvm::enumerate(weightedOperations(*entry)))
    number[op->getResult(0)] = i;
  for (auto [i, op] : llvm::enumerate(weightedOperations(*realEntry)))
    realNumber[op->getResult(0)] = i;
  std::vector<Agreement> agreements(layers.size());
  std::vector<HostTensor> expected(layers.size());
  for (const std::vector<HostTensor> &sample : statistics.heldInputs) {
    auto keep = [&](Value value, const HostTensor &tensor) {
      auto found = realNumber.find(value);
      if (found != realNumber.end())
        expected[found->second] = tensor;
    };
    auto compare = [&](Value value, const HostTensor &tensor) {
      auto found = number.find(value);
      if (found != number.end())
        agreements[found->second].add(tensor, expected[found->second]);
    };
    if (auto done = evaluateNN(real, sample, keep); !done)
      return done.takeError();
    if (auto done = evaluateNN(module, sample, compare); !done)
      return done.takeError();
  }
  for (auto [layer, sums] : llvm::zip_equal(layers, agreements)) {
    // Nothing lost is given as 200 dB.
    layer.sqnrDb = sums.noise > 0 && sums.b > 0
                       ? std::min(200.0, 10 * std::log10(sums.b / sums.noise))
                       : 200.0;
    double norm = std::sqrt(sums.a * sums.b);
    layer.cosine = norm > 0 ? sums.product / norm : 1.0;
  }
  report.layers = std::move(layers);
  return {};
}

} // namespace cimc::quantization
