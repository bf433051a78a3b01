//===- RefineLayers.cpp - weights chosen by what they compute -------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RefineLayers.h"

#include "LayerSweep.h"
#include "LayerVectors.h"
#include "WeightRounding.h"

#include "cimc/Reference/Evaluator.h"
#include "cimc/Support/Gemm.h"
#include "cimc/Support/Parallel.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace mlir;

namespace cimc::quantization {

namespace {

/// Between which sums the function behind a layer passes changes on; all where
/// it does everywhere, or the layer has other readers.
struct PassedRange {
  double low = -std::numeric_limits<double>::infinity(),
         high = std::numeric_limits<double>::infinity();
};

PassedRange passedRange(Operation *op) {
  Value result = op->getResult(0);
  if (!result.hasOneUse())
    return {};
  Operation *user = *result.user_begin();
  if (auto clip = dyn_cast<nn::ClipOp>(user))
    return {clip.getMin().convertToFloat(), clip.getMax().convertToFloat()};
  if (isa<nn::ReluOp>(user))
    return {0.0, std::numeric_limits<double>::infinity()};
  return {};
}

/// The rounding problem of one output behind whose sums changes count only
/// within a range: the objective of AdaRound (Nagel et al., ICML 2020, with the
/// layer's function in it), with every input vector weighted by whether the
/// float sum is in the range. Weights decide, so each output has its own.
class PassedRounding {
public:
  PassedRounding(const Moments &moments, PassedRange range,
                 const Geometry &geometry, std::vector<float> bias)
      : moments(moments), range(range), geometry(geometry),
        bias(std::move(bias)) {}

  struct Problem {
    std::vector<double> moment, cross;
  };
  Problem of(int64_t group, int64_t output, const float *weights) const {
    int64_t k = geometry.k;
    // Of many vectors some say enough; of all outputs together so many products
    // are formed.
    constexpr double mostProducts = 1e11;
    constexpr int64_t leastVectors = 512;
    double all =
        double(geometry.groups * geometry.outputs) * double(k) * double(k);
    int64_t total = moments.vectorCount();
    int64_t most = std::max(leastVectors, int64_t(mostProducts / all));
    int64_t step = std::max<int64_t>(1, (total + most - 1) / most);
    std::vector<float> x, r;
    int64_t count = 0;
    for (int64_t i = 0; i < total; i += step, ++count) {
      auto [vector, real] = moments.vector(group, i);
      double sum = output < int64_t(bias.size()) ? bias[output] : 0;
      for (int64_t j = 0; j < k; ++j)
        sum += double(weights[j]) * real[j];
      // Outside little is lost, as long as sums stay there.
      constexpr float outside = 0.3f;
      float weight = sum > range.low && sum < range.high ? 1.0f : outside;
      for (int64_t j = 0; j < k; ++j) {
        x.push_back(weight * vector[j]);
        r.push_back(weight * real[j]);
      }
    }
    return {product(x, x, count), product(r, x, count)};
  }

private:
  /// left^T right.
  std::vector<double> product(const std::vector<float> &left,
                              const std::vector<float> &right,
                              int64_t count) const {
    int64_t k = geometry.k;
    std::vector<float> sums(k * k);
    gemm(k, k, count, {left.data(), 1, k}, {right.data(), k, 1},
         {sums.data(), k, 1});
    return std::vector<double>(sums.begin(), sums.end());
  }

  const Moments &moments;
  PassedRange range;
  Geometry geometry;
  std::vector<float> bias;
};

/// The rounding problems of a layer, one for each group, and the real weights
/// that are rounded in them.
class LayerRounding {
public:
  /// `passed`: problems of single outputs, instead.
  LayerRounding(const WeightedLayer &layer, const Geometry &geometry,
                Moments &moments, const PassedRounding *passed,
                unsigned threads)
      : geometry(geometry), passed(passed), targets(layer.weights()),
        problems(geometry.groups) {
    moments.add(/*apart=*/false, threads);
    share = shareThatHolds(moments, threads);
    if (passed)
      return;
    moments.add(/*apart=*/true, threads);
    moments.clear();
    solve(moments, threads);
    forEachOutput(threads, [&](int64_t g, int64_t channel) {
      std::vector<float> row = read(channel);
      row = retargeted(*problems[g], row, moments.crossSum(g));
      for (int64_t j = 0; j < this->geometry.k; ++j)
        targets[at(channel, j)] = row[j];
    });
  }

  /// Chooses scales and integers of all outputs, within the layer's limit.
  std::vector<int32_t> choose(const WeightedLayer &layer, Scales &scales,
                              unsigned threads) const {
    std::vector<int32_t> integers(targets.size());
    std::vector<float> least = layer.leastScales();
    forEachOutput(threads, [&](int64_t g, int64_t channel) {
      std::vector<float> row = read(channel);
      std::vector<int32_t> chosen(row.size());
      std::optional<RoundingProblem> own;
      if (passed) {
        PassedRounding::Problem sums = passed->of(g, channel, row.data());
        own.emplace(std::move(sums.moment), geometry.k);
        row = retargeted(*own, row, sums.cross);
      }
      const RoundingProblem &problem = own ? *own : *problems[g];
      float largest = 0;
      for (float w : row)
        largest = std::max(largest, std::fabs(w));
      float &scale = scales.scale[channel];
      scale =
          std::max(largest / static_cast<float>(layer.limit()), least[channel]);
      if (!(scale > 1e-20f))
        scale = 1;
      scale = problem.chooseScale(row.data(), scale, least[channel],
                                  layer.limit(), chosen.data());
      for (int64_t j = 0; j < geometry.k; ++j)
        integers[at(channel, j)] = chosen[j];
    });
    return integers;
  }

private:
  void solve(const Moments &moments, unsigned threads) {
    parallelFor(geometry.groups, threads, [&](int64_t g) {
      problems[g].emplace(moments.sum(g), geometry.k);
    });
  }

  // Weights that bring the sums nearest to the float network's fit the noise of
  // the samples too, the more the more weights there are for each vector. How
  // much of the way to go is what is best on samples that they do not know: the
  // least squares over these, of all outputs.
  double shareThatHolds(const Moments &moments, unsigned threads) {
    solve(moments, threads);
    int64_t k = geometry.k;
    std::vector<double> along(geometry.groups * geometry.outputs, 0.0),
        square = along;
    forEachOutput(threads, [&](int64_t g, int64_t channel) {
      std::vector<float> row = read(channel);
      std::vector<float> change =
          problems[g]->retarget(row.data(), moments.crossSum(g));
      for (int64_t j = 0; j < k; ++j)
        change[j] -= row[j];
      moments.forEachApart(g, [&](const float *x, const float *r, int64_t n) {
        std::vector<float> moved(n), now(n), wanted(n);
        gemm(1, n, k, {change.data(), k, 1}, {x, 1, k}, {moved.data(), n, 1});
        gemm(1, n, k, {row.data(), k, 1}, {x, 1, k}, {now.data(), n, 1});
        gemm(1, n, k, {row.data(), k, 1}, {r, 1, k}, {wanted.data(), n, 1});
        for (int64_t i = 0; i < n; ++i) {
          along[channel] += double(moved[i]) * (double(wanted[i]) - now[i]);
          square[channel] += double(moved[i]) * moved[i];
        }
      });
    });
    double above = 0, below = 0;
    for (size_t c = 0; c < along.size(); ++c) {
      above += along[c];
      below += square[c];
    }
    return below > 0 ? std::clamp(above / below, 0.0, 1.0) : 0.0;
  }

  std::vector<float> retargeted(const RoundingProblem &problem,
                                std::vector<float> row,
                                const std::vector<double> &cross) const {
    std::vector<float> all = problem.retarget(row.data(), cross);
    for (size_t j = 0; j < row.size(); ++j)
      row[j] += static_cast<float>(share * (double(all[j]) - row[j]));
    return row;
  }

  int64_t at(int64_t channel, int64_t j) const {
    return channel * geometry.outputStride + j * geometry.stride;
  }
  std::vector<float> read(int64_t channel) const {
    std::vector<float> row(geometry.k);
    for (int64_t j = 0; j < geometry.k; ++j)
      row[j] = targets[at(channel, j)];
    return row;
  }
  template <typename F> void forEachOutput(unsigned threads, F f) const {
    parallelFor(
        geometry.groups * geometry.outputs, threads,
        [&](int64_t channel) { f(channel / geometry.outputs, channel); });
  }

  Geometry geometry;
  const PassedRounding *passed;
  std::vector<float> targets;
  std::vector<std::optional<RoundingProblem>> problems;
  /// How far from the weights to those that give the float network's sums.
  double share = 0;
};

/// Means of the output channels of the operation that a sweep stands before.
Result<std::vector<double>> outputMeans(LayerSweep &sweep, Operation *op) {
  std::vector<std::vector<double>> sums(sweep.samples());
  Status status = sweep.forEachSample(
      op,
      [&](size_t sample, const std::vector<HostTensor> &operands) -> Status {
        auto results = evaluateNNOp(op, operands);
        if (!results)
          return results.takeError();
        sums[sample] = channelMeans(op, results->front());
        return {};
      });
  if (!status)
    return status.takeError();
  std::vector<double> means(sums[0].size(), 0.0);
  for (const std::vector<double> &sum : sums)
    for (size_t c = 0; c < means.size(); ++c)
      means[c] += sum[c] / static_cast<double>(sums.size());
  return means;
}

// While layers are fitted, what the float and the quantized network have made
// of every sample so far is in memory; that is at most this, unless the least
// number of samples needs more.
constexpr int64_t keptBytes = int64_t(192) << 20, leastSamples = 6;

/// How many samples each operation of a float network is fitted to: as many as
/// fit into memory there and everywhere behind it, for samples never leave.
/// Where values are large, each sample has many input vectors, and few will do.
llvm::DenseMap<Operation *, size_t> samplesAt(func::FuncOp entry) {
  llvm::DenseMap<Value, int64_t> uses; // looked up only
  auto bytes = [](Value value) -> int64_t {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    // A float, and the byte that it is in the quantized network.
    return type ? type.getNumElements() * 5 : 0;
  };
  int64_t live = 0;
  auto begin = [&](Value value) {
    uses[value] = std::distance(value.use_begin(), value.use_end());
    if (uses[value])
      live += bytes(value);
  };
  for (Value argument : entry.getArguments())
    begin(argument);
  std::vector<std::pair<Operation *, int64_t>> liveAt;
  for (Operation &op : entry.front()) {
    if (isa<nn::ConstantOp>(op))
      continue;
    liveAt.emplace_back(&op, live);
    for (Value result : op.getResults())
      begin(result);
    for (Value operand : op.getOperands())
      if (uses.count(operand) && --uses[operand] == 0)
        live -= bytes(operand);
  }
  llvm::DenseMap<Operation *, size_t> counts;
  int64_t most = 0;
  for (auto [op, size] : llvm::reverse(liveAt)) {
    most = std::max(most, size);
    counts[op] = std::max(leastSamples, keptBytes / std::max<int64_t>(most, 1));
  }
  return counts;
}

} // namespace

Result<std::vector<RefinedLayer>> refineLayers(
    func::FuncOp entry, func::FuncOp real, std::vector<WeightedLayer> &layers,
    const std::vector<LayerConstants> &nearest,
    const std::vector<bool> &isNarrowWanted, const Statistics &statistics,
    bool behindFunctions, unsigned threads) {
  OpBuilder builder(entry.getContext());
  std::vector<RefinedLayer> refined;
  LayerSweep sweep(entry, statistics.inputs, threads);
  LayerSweep realSweep(real, statistics.inputs, threads);
  std::vector<Operation *> weighted = productsOf(entry),
                           realWeighted = productsOf(real);
  llvm::DenseMap<Operation *, size_t> counts = samplesAt(real);
  for (size_t i = 0; i < layers.size(); ++i) {
    WeightedLayer &layer = layers[i];
    Operation *op = layer.operation();
    std::optional<Geometry> geometry = geometryOf(layer);
    refined.push_back({nearest[i], nearest[i], std::nullopt});
    if (isNarrowWanted[i])
      refined[i].narrow = layer.nearest(kNarrowBits);
    if (!geometry || geometry->k == 0)
      continue;
    auto position = std::find(weighted.begin(), weighted.end(), op);
    Operation *realOp = realWeighted[position - weighted.begin()];
    size_t count = counts.lookup(realOp);
    if (Status status = sweep.advanceTo(op, count); !status)
      return status.takeError();
    if (Status status = realSweep.advanceTo(realOp, count); !status)
      return status.takeError();
    Moments moments(layer, *geometry, sweep.samples());
    Status status = sweep.forEachSample(
        op, [&](size_t sample, const std::vector<HostTensor> &operands) {
          moments.take(sample, operands[0]);
          return Status();
        });
    if (!status)
      return status.takeError();
    status = realSweep.forEachSample(
        realOp, [&](size_t sample, const std::vector<HostTensor> &operands) {
          moments.takeReal(sample, operands[0]);
          return Status();
        });
    if (!status)
      return status.takeError();
    std::vector<float> bias = layer.bias();
    PassedRange range = behindFunctions ? passedRange(realOp) : PassedRange();
    PassedRounding passedRounding(moments, range, *geometry, bias);
    bool isPassed = std::isfinite(range.low) || std::isfinite(range.high);
    LayerRounding rounding(layer, *geometry, moments,
                           isPassed ? &passedRounding : nullptr, threads);
    // What the layer becomes with the bits that it has; left installed.
    auto solve = [&](LayerConstants &plain,
                     LayerConstants &corrected) -> Status {
      Scales scales = layer.fullScales();
      std::vector<int32_t> integers = rounding.choose(layer, scales, threads);
      plain = layer.constants(scales, integers, bias);
      corrected = plain;
      layer.install(builder, plain);
      if (!layer.hasBias())
        return {};
      Result<std::vector<double>> expected = outputMeans(realSweep, realOp);
      if (!expected)
        return expected.takeError();
      Result<std::vector<double>> means = outputMeans(sweep, op);
      if (!means)
        return means.takeError();
      if (expected->size() != bias.size() || means->size() != bias.size())
        return {};
      std::vector<float> shifted = bias;
      for (size_t c = 0; c < bias.size(); ++c)
        shifted[c] = static_cast<float>(bias[c] + (*expected)[c] - (*means)[c]);
      corrected = layer.constants(scales, integers, shifted);
      layer.install(builder, corrected);
      return {};
    };
    if (isNarrowWanted[i]) {
      LayerConstants plain;
      int bits = layer.bits();
      layer.setBits(kNarrowBits);
      status = solve(plain, refined[i].narrow.emplace());
      layer.setBits(bits);
      if (!status)
        return status.takeError();
    }
    if (status = solve(refined[i].plain, refined[i].corrected); !status)
      return status.takeError();
  }
  return refined;
}

} // namespace cimc::quantization
