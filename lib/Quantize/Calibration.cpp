//===- Calibration.cpp - what samples say of a network ----------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Calibration.h"

#include "Constants.h"
#include "Fuse.h"

#include "cimc/Reference/Elements.h"
#include "cimc/Reference/Evaluator.h"
#include "cimc/Support/Parallel.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace cimc::quantization {

namespace {

// Samples that are kept, every fourth to compare networks, the others to fit
// weights to. The first is for both where it is the only one.
constexpr int64_t mostKept = 128, leastKept = 8;
bool isHeld(int64_t sample, int64_t kept) {
  return sample < kept && Statistics::isHeldOut(sample);
}
bool isFitted(int64_t sample, int64_t kept) {
  return sample < kept && (!Statistics::isHeldOut(sample) || sample == 0);
}
// The inputs that are kept take at most this, unless the least number of them
// needs more.
constexpr int64_t keptBytes = int64_t(32) << 20;

int64_t inputBytes(func::FuncOp entry) {
  int64_t bytes = 0;
  for (Value argument : entry.getArguments())
    if (auto type = dyn_cast<RankedTensorType>(argument.getType()))
      bytes += type.getNumElements() * int64_t(sizeof(float));
  return std::max<int64_t>(1, bytes);
}

// Means are sums of multiples of 2^-24.
constexpr double meanUnit = 16777216.0;

Status checkSample(func::FuncOp entry, const std::vector<HostTensor> &sample,
                   int64_t index) {
  auto where = "calibration sample " + std::to_string(index);
  if (sample.size() != entry.getNumArguments())
    return Error{ExitCode::InvalidInput,
                 where + " has " + std::to_string(sample.size()) +
                     " tensors, but the model has " +
                     std::to_string(entry.getNumArguments()) + " inputs"};
  for (auto [i, argument] : llvm::enumerate(entry.getArguments())) {
    auto type = cast<RankedTensorType>(argument.getType());
    std::vector<int64_t> shape(type.getShape());
    std::string name = "input " + std::to_string(i);
    if (auto attr = entry.getArgAttrOfType<StringAttr>(i, "nn.name"))
      name = "'" + attr.getValue().str() + "'";
    std::optional<DType> expected =
        reference::elementDType(type.getElementType());
    if (!expected)
      return Error{ExitCode::Unsupported,
                   name + " is of a type that no sample can have"};
    if (sample[i].shape != shape || sample[i].type != *expected)
      return Error{ExitCode::InvalidInput,
                   where + ": " + name + " is " + cimc::name(sample[i].type) +
                       " " + shapeString(sample[i].shape) +
                       ", but the model takes " + cimc::name(*expected) + " " +
                       shapeString(shape)};
    if (sample[i].type != DType::F32)
      continue;
    const float *numbers = sample[i].as<float>();
    for (int64_t k = 0; k < sample[i].size(); ++k)
      if (std::isnan(numbers[k]))
        return Error{ExitCode::InvalidInput,
                     where + ": element " + std::to_string(k) + " of " + name +
                         " is not a number (NaN)"};
  }
  return {};
}

// The values by which a network's outputs are judged.
std::vector<Value> judgedValues(func::FuncOp entry) {
  std::vector<Value> values;
  for (Value output : entry.front().getTerminator()->getOperands()) {
    Value value = output;
    Operation *op = value.getDefiningOp();
    while (op &&
           (movesElements(op) || isa<nn::QuantizeOp, nn::DequantizeOp>(op))) {
      value = op->getOperand(0);
      op = value.getDefiningOp();
    }
    bool isSoftmax = isa_and_present<nn::SoftmaxOp>(op) &&
                     elementType(op->getOperand(0)).isF32() &&
                     !constantOf(op->getOperand(0));
    values.push_back(isSoftmax ? op->getOperand(0) : output);
  }
  return values;
}

// `observer` sees every value but constants.
Result<Results> evaluateResults(ModuleOp module,
                                const std::vector<Value> &judged,
                                const std::vector<HostTensor> &sample,
                                const ValueObserver &observer) {
  Results results;
  results.judged.resize(judged.size());
  auto outputs =
      evaluateNN(module, sample, [&](Value value, const HostTensor &tensor) {
        for (size_t i = 0; i < judged.size(); ++i)
          if (judged[i] == value)
            results.judged[i] = tensor;
        if (observer)
          observer(value, tensor);
      });
  if (!outputs)
    return outputs.takeError();
  results.outputs = std::move(*outputs);
  // The observer does not see constants; a default tensor is a scalar without
  // data.
  for (size_t i = 0; i < judged.size(); ++i)
    if (results.judged[i].data.empty())
      results.judged[i] = results.outputs[i];
  return results;
}

} // namespace

Status BufferedSamples::fill(func::FuncOp entry) {
  constexpr int64_t most = 32;
  int64_t count = std::clamp(keptBytes / inputBytes(entry), leastKept, most);
  while (int64_t(buffer.size()) < count) {
    auto sample = source.next();
    if (!sample)
      return sample.takeError();
    if (!*sample)
      break;
    if (Status status = checkSample(entry, **sample, int64_t(buffer.size()));
        !status)
      return status;
    buffer.push_back(std::move(**sample));
  }
  return {};
}

Result<std::optional<std::vector<HostTensor>>> BufferedSamples::next() {
  if (given == buffer.size())
    return source.next();
  return std::optional(std::move(buffer[given++]));
}

// Where the output channels of a weighted operation are.
static int64_t channelAxis(Operation *op) {
  int64_t rank = cast<ShapedType>(op->getResult(0).getType()).getRank();
  return isa<nn::ConvOp>(op) ? 1 : rank - 1;
}

std::vector<double> channelMeans(Operation *op, const HostTensor &result) {
  int64_t axis = channelAxis(op);
  if (axis < 0 || result.size() == 0)
    return {};
  std::vector<double> means(result.shape[axis], 0.0);
  const float *numbers = result.as<float>();
  forEachOnAxis(result.shape, axis,
                [&](int64_t i, int64_t at) { means[at] += numbers[i]; });
  for (double &mean : means)
    mean /= static_cast<double>(result.size()) / means.size();
  return means;
}

void Statistics::prepare(func::FuncOp entry) {
  int64_t products = 0;
  entry.walk([&](Operation *op) {
    if (isa<nn::TanhOp, nn::ClipOp>(op)) {
      limitOf[op] = atLimits.size();
      atLimits.emplace_back();
    }
    if (!isa<nn::ConvOp, nn::MatMulOp>(op))
      return;
    int64_t number = products++;
    if (!constantOf(op->getOperand(1)))
      return;
    auto shape = cast<ShapedType>(op->getOperand(0).getType()).getShape();
    int64_t axis = 1;
    if (auto matmul = dyn_cast<nn::MatMulOp>(op))
      axis =
          static_cast<int64_t>(shape.size()) - (matmul.getTransposeA() ? 2 : 1);
    meansOf[op->getOperand(0)].push_back(means.size());
    means.push_back({number, axis, std::vector<int64_t>(shape[axis], 0)});
  });
}

void Statistics::count(Partial &partial, const RangePlan &plan, Value value,
                       const HostTensor &tensor) const {
  if (tensor.type != DType::F32)
    return;
  const float *numbers = tensor.as<float>();
  int64_t group = plan.observedGroup(value);
  if (group >= 0)
    partial.histograms[group].add(numbers, tensor.size());
  if (Operation *op = value.getDefiningOp(); op && limitOf.count(op)) {
    AtLimits &limits = partial.atLimits[limitOf.lookup(op)];
    auto clip = dyn_cast<nn::ClipOp>(op);
    float limit = clip ? clip.getMax().convertToFloat() : 0.999f;
    limits.total += tensor.size();
    for (int64_t i = 0; i < tensor.size(); ++i)
      limits.count += (clip ? numbers[i] : std::fabs(numbers[i])) >= limit;
  }
  auto it = meansOf.find(value);
  if (it == meansOf.end() || tensor.size() == 0)
    return;
  for (size_t slot : it->second) {
    Mean &mean = partial.means[slot];
    std::vector<double> sums(mean.sums.size(), 0.0);
    forEachOnAxis(tensor.shape, mean.axis,
                  [&](int64_t i, int64_t at) { sums[at] += numbers[i]; });
    double slice = static_cast<double>(tensor.size()) / sums.size();
    // Beyond 2^45 / 2^24 a mean is no use, nor is a sum of many.
    for (size_t i = 0; i < sums.size(); ++i)
      if (std::fabs(sums[i] / slice) < 2097152.0)
        mean.sums[i] += std::llrint(sums[i] / slice * meanUnit);
  }
}

std::vector<double> Statistics::inputMeans(int64_t number) const {
  std::vector<double> result;
  for (const Mean &mean : means)
    if (mean.number == number)
      for (int64_t sum : mean.sums)
        result.push_back(static_cast<double>(sum) / meanUnit /
                         static_cast<double>(samples));
  return result;
}

double Statistics::shareAtLimits(Operation *op) const {
  auto found = limitOf.find(op);
  if (found == limitOf.end() || atLimits[found->second].total == 0)
    return 0;
  const AtLimits &limits = atLimits[found->second];
  return static_cast<double>(limits.count) / static_cast<double>(limits.total);
}

static std::vector<Statistics::Extremes>
extremesOf(const std::vector<HostTensor> &sample) {
  std::vector<Statistics::Extremes> result;
  for (const HostTensor &tensor : sample) {
    Statistics::Extremes extremes(0.0f, 0.0f);
    if (tensor.type == DType::F32 && tensor.size() > 0) {
      auto [low, high] = std::minmax_element(
          tensor.as<float>(), tensor.as<float>() + tensor.size());
      extremes = {*low, *high};
    }
    result.push_back(extremes);
  }
  return result;
}

std::vector<std::pair<Statistics::Extremes, Statistics::Extremes>>
Statistics::inputExtremes() const {
  std::vector<std::pair<Extremes, Extremes>> result;
  size_t half = (extremes.size() + 1) / 2;
  for (size_t i = 0; !extremes.empty() && i < extremes[0].size(); ++i) {
    Extremes first = extremes[0][i], all = first;
    for (size_t s = 1; s < extremes.size(); ++s) {
      all = {std::min(all.first, extremes[s][i].first),
             std::max(all.second, extremes[s][i].second)};
      if (s + 1 == half)
        first = all;
    }
    result.emplace_back(first, all);
  }
  return result;
}

Status Statistics::collect(ModuleOp module, func::FuncOp entry,
                           SampleSource &source, unsigned threads,
                           const RangePlan &plan) {
  threads = std::max(1u, threads);
  prepare(entry);
  int64_t kept = std::clamp(keptBytes / inputBytes(entry), leastKept, mostKept);
  histograms.resize(plan.groupCount());
  std::vector<Value> judged = judgedValues(entry);
  std::vector<Partial> partials(threads, Partial{histograms, means, atLimits});
  while (true) {
    std::vector<std::vector<HostTensor>> batch;
    while (batch.size() < 4 * static_cast<size_t>(threads)) {
      auto sample = source.next();
      if (!sample)
        return sample.takeError();
      if (!*sample)
        break;
      int64_t index = samples + static_cast<int64_t>(batch.size());
      if (Status status = checkSample(entry, **sample, index); !status)
        return status;
      batch.push_back(std::move(**sample));
    }
    if (batch.empty())
      break;
    std::vector<Status> failures(batch.size());
    std::vector<Results> results(batch.size());
    parallelForRanges(static_cast<int64_t>(batch.size()), threads,
                      [&](unsigned thread, int64_t begin, int64_t end) {
                        Partial &partial = partials[thread];
                        for (int64_t i = begin; i < end; ++i) {
                          for (auto [argument, tensor] :
                               llvm::zip_equal(entry.getArguments(), batch[i]))
                            count(partial, plan, argument, tensor);
                          auto result = evaluateResults(
                              module, judged, batch[i],
                              [&](Value value, const HostTensor &tensor) {
                                if (!isa<BlockArgument>(value))
                                  count(partial, plan, value, tensor);
                              });
                          if (result)
                            results[i] = std::move(*result);
                          else
                            failures[i] = result.takeError();
                        }
                      });
    for (Status &failure : failures)
      if (!failure)
        return failure;
    for (size_t i = 0; i < batch.size(); ++i, ++samples) {
      extremes.push_back(extremesOf(batch[i]));
      if (isHeld(samples, kept)) {
        heldInputs.push_back(batch[i]);
        heldResults.push_back(std::move(results[i]));
      }
      if (isFitted(samples, kept))
        inputs.push_back(std::move(batch[i]));
    }
  }
  if (samples == 0)
    return Error{ExitCode::InvalidInput,
                 "there are no calibration samples; give at least one, better "
                 "100 or more that cover what the model will see"};
  for (const Partial &partial : partials) {
    for (size_t i = 0; i < histograms.size(); ++i)
      histograms[i].merge(partial.histograms[i]);
    for (size_t i = 0; i < atLimits.size(); ++i) {
      atLimits[i].count += partial.atLimits[i].count;
      atLimits[i].total += partial.atLimits[i].total;
    }
    for (size_t i = 0; i < means.size(); ++i)
      for (size_t c = 0; c < means[i].sums.size(); ++c)
        means[i].sums[c] += partial.means[i].sums[c];
  }
  return {};
}

void Agreement::add(const HostTensor &got, const HostTensor &expected) {
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

double Agreement::sqnrDb() const {
  return noise > 0 && b > 0 ? std::min(200.0, 10 * std::log10(b / noise))
                            : 200.0;
}

double Agreement::cosine() const {
  double norm = std::sqrt(a * b);
  return norm > 0 ? product / norm : 1.0;
}

Result<std::vector<Results>>
evaluateHeld(ModuleOp module, const Statistics &statistics, unsigned threads) {
  auto entry = findEntry(module);
  if (!entry)
    return entry.takeError();
  std::vector<Value> judged = judgedValues(*entry);
  std::vector<Results> results(statistics.heldInputs.size());
  std::vector<Status> failures(results.size());
  parallelFor(int64_t(results.size()), threads, [&](int64_t i) {
    auto result =
        evaluateResults(module, judged, statistics.heldInputs[i], nullptr);
    if (result)
      results[i] = std::move(*result);
    else
      failures[i] = result.takeError();
  });
  for (Status &failure : failures)
    if (!failure)
      return failure.takeError();
  return results;
}

Agreement outputAgreement(const std::vector<Results> &got,
                          const std::vector<Results> &expected) {
  Agreement sum;
  for (auto [one, other] : llvm::zip_equal(got, expected))
    for (auto [a, b] : llvm::zip_equal(one.outputs, other.outputs))
      sum.add(a, b);
  return sum;
}

std::vector<double> judgedNoise(const std::vector<Results> &got,
                                const std::vector<Results> &expected) {
  std::vector<double> noise;
  for (auto [one, other] : llvm::zip_equal(got, expected)) {
    Agreement sum;
    for (auto [a, b] : llvm::zip_equal(one.judged, other.judged))
      sum.add(a, b);
    noise.push_back(sum.noise);
  }
  return noise;
}

} // namespace cimc::quantization
