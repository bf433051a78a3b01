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
#include "Warnings.h"

#include "cimc/Reference/Evaluator.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace cimc::quantization {

/// Operations with weights, in order; the same in a network and its copies.
static std::vector<Operation *> weightedOperations(func::FuncOp entry) {
  std::vector<Operation *> result;
  for (Operation &op : entry.front())
    if (isa<nn::ConvOp, nn::MatMulOp, nn::LstmOp, nn::GruOp, nn::RnnOp>(op))
      result.push_back(&op);
  return result;
}

void LayerReports::plan(func::FuncOp entry, const RangePlan &plan,
                        const Statistics &statistics,
                        const QuantizeOptions &options,
                        const NodeNames &names) {
  for (Operation *op : weightedOperations(entry)) {
    QuantizedLayer layer;
    layer.name = names.of(op);
    layer.kind = op->getName().stripDialect().str();
    layer.deadChannels = deadChannels(op);
    layer.weightBits = options.weightBits;
    Value input = op->getOperand(0);
    if (isa<nn::LstmOp, nn::GruOp, nn::RnnOp>(op)) {
      layer.input = "by row";
      layer.why = "states are made step by step";
    } else if (plan.isRanged(op)) {
      layer.input = "by row";
      layer.why = "its input is made in float";
    } else if (plan.isQuantized(input)) {
      layer.input = "fixed";
      const TensorRange &range = plan.range(input);
      layer.inputBits = range.bits;
      layer.low = range.low();
      layer.high = range.high();
      int64_t group = plan.observedHistogram(input);
      if (group >= 0) {
        const Histogram &histogram = statistics.histograms[group];
        // What rounds into the range is inside; 16 bits are finer than bins.
        double half =
            std::max<double>(range.parameters.scale / 2,
                             range.bits == 16 ? histogram.width() : 0);
        layer.clipped =
            clippedShare(histogram, layer.low - half, layer.high + half);
      }
      bool isGiven =
          options.table.ranges.count(names.of(plan.representative(input)));
      layer.why =
          isGiven ? "range given"
                  : (range.bits == 16 ? "minmax" : options.method) + " over " +
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

void LayerReports::setBits(const std::string &name,
                           const BitDecision &decision) {
  for (QuantizedLayer &layer : layers)
    if (layer.name == name) {
      layer.weightBits = decision.bits;
      layer.dropDb = decision.dropDb;
      layer.saved = decision.saved;
      layer.inputGainDb = decision.inputGainDb;
      if (!decision.why.empty())
        layer.why += "; " + decision.why;
      if (decision.inputGainDb)
        layer.why += llvm::formatv("; a 16-bit input gains {0:F2} dB",
                                   *decision.inputGainDb)
                         .str();
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
  Agreement outputs;
  for (auto [i, sample] : llvm::enumerate(statistics.heldInputs)) {
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
    auto results = evaluateNN(module, sample, compare);
    if (!results)
      return results.takeError();
    for (auto [got, wanted] :
         llvm::zip_equal(*results, statistics.heldResults[i].outputs))
      outputs.add(got, wanted);
  }
  report.sqnrDb = outputs.sqnrDb();
  report.cosine = outputs.cosine();
  for (auto [layer, sums] : llvm::zip_equal(layers, agreements)) {
    layer.sqnrDb = sums.sqnrDb();
    layer.cosine = sums.cosine();
  }
  report.layers = std::move(layers);
  return {};
}

} // namespace cimc::quantization
