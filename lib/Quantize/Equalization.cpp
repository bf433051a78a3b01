//===- Equalization.cpp - scales moved between layers ---------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Equalization.h"

#include "Constants.h"

#include "cimc/Reference/Evaluator.h"
#include "cimc/Support/Parallel.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace cimc::quantization {

namespace {

/// Where the weights of a convolution or matrix product lie in their constant.
struct WeightLayout {
  int64_t groups = 1;  ///< of channels with weights of their own
  int64_t outputs = 0; ///< of a group
  int64_t inputs = 0;  ///< of a group
  int64_t taps = 1;
  bool isTransposed = false; ///< inputs before outputs

  /// The channel counts of the layer's result and of its input.
  int64_t allOutputs() const { return groups * outputs; }
  int64_t allInputs() const { return groups * inputs; }
  int64_t at(int64_t output, int64_t input, int64_t tap) const {
    return (isTransposed ? input * outputs + output : output * inputs + input) *
               taps +
           tap;
  }
};

bool isFloatConstant(Value value) {
  return value && constantOf(value) && elementType(value).isF32();
}

std::optional<WeightLayout> layoutOf(Operation *op) {
  if (!isa<nn::ConvOp, nn::MatMulOp>(op) || !isFloatConstant(op->getOperand(1)))
    return std::nullopt;
  ArrayRef<int64_t> shape =
      cast<ShapedType>(op->getOperand(1).getType()).getShape();
  WeightLayout layout;
  if (auto conv = dyn_cast<nn::ConvOp>(op)) {
    layout.groups = conv.getGroup();
    layout.outputs = shape[0] / layout.groups;
    layout.inputs = shape[1];
    for (int64_t extent : shape.drop_front(2))
      layout.taps *= extent;
    return layout;
  }
  auto matmul = cast<nn::MatMulOp>(op);
  if (shape.size() != 2 || matmul.getTransposeA() ||
      cast<ShapedType>(matmul.getA().getType()).getRank() < 2)
    return std::nullopt;
  layout.isTransposed = !matmul.getTransposeB();
  layout.outputs = shape[layout.isTransposed ? 1 : 0];
  layout.inputs = shape[layout.isTransposed ? 0 : 1];
  return layout;
}

/// A tensor whose channels can be scaled.
struct Link {
  Value value;
  int64_t axis = 0, channels = 0;
  /// What makes the tensor: weights and bias, or scale and bias.
  Operation *producer = nullptr;
  std::vector<Operation *> readers;
  /// The upper end of a clip between the producer and the tensor.
  std::optional<double> most;

  // By channel, on the samples.
  std::vector<double> largest, power;
};

/// True where every constant behind the weights has a number for each channel.
bool isScalable(Operation *op, int64_t channels) {
  return llvm::all_of(op->getOperands().drop_front(2), [&](Value operand) {
    return isFloatConstant(operand) &&
           cast<ShapedType>(operand.getType()).getNumElements() == channels;
  });
}

/// The operation whose constants scale the channels of `value`, through
/// functions that a positive factor passes.
Operation *findProducer(Value value, Link &link) {
  for (Operation *op = value.getDefiningOp(); op; op = value.getDefiningOp()) {
    if (value != link.value && !value.hasOneUse())
      return nullptr;
    if (auto clip = dyn_cast<nn::ClipOp>(op)) {
      if (clip.getMin().convertToFloat() != 0.0f || link.most)
        return nullptr;
      link.most = clip.getMax().convertToFloat();
    } else if (auto mul = dyn_cast<nn::MulOp>(op)) {
      // A gate: one factor is scaled, whatever the other is.
      if (mul.getOperand(0).getType() != value.getType() ||
          mul.getOperand(1).getType() != value.getType() || link.most)
        return nullptr;
      for (Value factor : mul->getOperands()) {
        Operation *source = factor.getDefiningOp();
        if (source && factor.hasOneUse() && layoutOf(source) &&
            isScalable(source, link.channels))
          return source;
      }
      return nullptr;
    } else if (isa<nn::LayerNormOp, nn::RMSNormOp>(op)) {
      auto norm = dyn_cast<nn::LayerNormOp>(op);
      Value scale = norm ? norm.getScale() : cast<nn::RMSNormOp>(op).getScale();
      bool hasScale =
          isFloatConstant(scale) &&
          cast<ShapedType>(scale.getType()).getNumElements() == link.channels;
      return hasScale && isScalable(op, link.channels) ? op : nullptr;
    } else if (layoutOf(op)) {
      return isScalable(op, link.channels) ? op : nullptr;
    } else if (!isa<nn::ReluOp, nn::LeakyReluOp>(op)) {
      return nullptr;
    }
    value = op->getOperand(0);
  }
  return nullptr;
}

std::vector<Link> findLinks(func::FuncOp entry) {
  std::vector<Link> links;
  for (Operation &op : entry.front()) {
    if (op.getNumResults() != 1 || op.getResult(0).use_empty())
      continue;
    Link link;
    link.value = op.getResult(0);
    auto type = dyn_cast<RankedTensorType>(link.value.getType());
    if (!type || !type.getElementType().isF32() || type.getRank() < 2)
      continue;
    bool isRead = true;
    for (OpOperand &use : link.value.getUses()) {
      Operation *user = use.getOwner();
      std::optional<WeightLayout> layout =
          use.getOperandNumber() == 0 ? layoutOf(user) : std::nullopt;
      int64_t axis = isa<nn::ConvOp>(user) ? 1 : type.getRank() - 1;
      isRead = isRead && layout && (link.readers.empty() || axis == link.axis);
      if (!isRead)
        break;
      link.axis = axis;
      link.channels = layout->allInputs();
      link.readers.push_back(user);
    }
    if (!isRead || type.getDimSize(link.axis) != link.channels)
      continue;
    link.producer = findProducer(link.value, link);
    if (!link.producer)
      continue;
    // The producer's channels are on the same axis.
    bool isConv = isa<nn::ConvOp>(link.producer);
    if (isConv != (link.axis == 1 && type.getRank() > 2 &&
                   isa<nn::ConvOp>(link.readers.front())))
      continue;
    std::optional<WeightLayout> layout = layoutOf(link.producer);
    if (layout && layout->allOutputs() != link.channels)
      continue;
    // Uses have no order of their own.
    llvm::sort(link.readers, [](Operation *a, Operation *b) {
      return a->isBeforeInBlock(b);
    });
    links.push_back(std::move(link));
  }
  return links;
}

/// Largest numbers and mean squares of the channels of all links.
Status measure(ModuleOp module, std::vector<Link> &links,
               const std::vector<std::vector<HostTensor>> &samples,
               unsigned threads) {
  llvm::DenseMap<Value, size_t> number; // looked up only
  for (auto [i, link] : llvm::enumerate(links))
    number[link.value] = i;
  using Sums = std::vector<std::pair<std::vector<double>, std::vector<double>>>;
  std::vector<Sums> sums(samples.size(), Sums(links.size()));
  std::vector<Status> failures(samples.size());
  parallelFor(int64_t(samples.size()), threads, [&](int64_t s) {
    auto done = evaluateNN(
        module, samples[s], [&](Value value, const HostTensor &tensor) {
          auto found = number.find(value);
          if (found == number.end())
            return;
          const Link &link = links[found->second];
          std::vector<double> &largest = sums[s][found->second].first;
          std::vector<double> &power = sums[s][found->second].second;
          largest.assign(link.channels, 0.0);
          power.assign(link.channels, 0.0);
          const float *numbers = tensor.as<float>();
          forEachOnAxis(tensor.shape, link.axis, [&](int64_t i, int64_t c) {
            double x = std::fabs(numbers[i]);
            largest[c] = std::max(largest[c], x);
            power[c] += x * x;
          });
        });
    if (!done)
      failures[s] = done.takeError();
  });
  for (Status &failure : failures)
    if (!failure)
      return failure;
  for (auto [i, link] : llvm::enumerate(links)) {
    link.largest.assign(link.channels, 0.0);
    link.power.assign(link.channels, 0.0);
    double elements =
        double(cast<ShapedType>(link.value.getType()).getNumElements()) *
        double(samples.size()) / double(link.channels);
    for (const Sums &sum : sums)
      for (int64_t c = 0; c < link.channels; ++c) {
        link.largest[c] = std::max(link.largest[c], sum[i].first[c]);
        link.power[c] += sum[i].second[c] / elements;
      }
  }
  return {};
}

/// The noise that rounding adds to the sums of all readers, where channels are
/// multiplied with `factors`.
double estimate(const Link &link, const std::vector<double> &factors,
                int bits) {
  double range = 0;
  for (int64_t c = 0; c < link.channels; ++c)
    range = std::max(range, factors[c] * link.largest[c]);
  double inputStep = range / 255, noise = 0;
  for (Operation *reader : link.readers) {
    WeightLayout layout = *layoutOf(reader);
    std::vector<float> weights = readFloats(constantOf(reader->getOperand(1)));
    double limit = (1 << (bits - 1)) - 1;
    for (int64_t m = 0; m < layout.allOutputs(); ++m) {
      int64_t first = m / layout.outputs * layout.inputs;
      double largest = 0, squares = 0, power = 0;
      for (int64_t i = 0; i < layout.inputs; ++i) {
        double factor = factors[first + i];
        power += factor * factor * link.power[first + i] * double(layout.taps);
        for (int64_t t = 0; t < layout.taps; ++t) {
          double w = weights[layout.at(m, i, t)] / factor;
          largest = std::max(largest, std::fabs(w));
          squares += w * w;
        }
      }
      double step = largest / limit;
      noise += step * step * power + inputStep * inputStep * squares;
    }
  }
  return noise;
}

/// Factors by an exponent, such that the tensor's range stays.
std::vector<double> factorsFor(const Link &link,
                               const std::vector<double> &weights, double a) {
  double range = 0, scaled = 0;
  std::vector<double> factors(link.channels, 1.0);
  for (int64_t c = 0; c < link.channels; ++c) {
    range = std::max(range, link.largest[c]);
    if (link.largest[c] > 0 && weights[c] > 0)
      factors[c] = std::pow(weights[c], 1 - a) / std::pow(link.largest[c], a);
  }
  for (int64_t c = 0; c < link.channels; ++c)
    if (link.largest[c] > 0 && weights[c] > 0)
      scaled = std::max(scaled, factors[c] * link.largest[c]);
  // Channels without numbers, or that nobody reads, stay; no factor is so large
  // that a channel of hardly any numbers is all that is left.
  constexpr double most = 1024;
  for (int64_t c = 0; c < link.channels; ++c) {
    if (!(link.largest[c] > 0 && weights[c] > 0)) {
      factors[c] = 1;
      continue;
    }
    factors[c] = std::clamp(factors[c] * range / scaled, 1 / most, most);
    // Samples may have four times what these show before a channel is cut, as
    // long as it was not cut there anyway.
    constexpr double margin = 4;
    double room = link.most.value_or(range) / (margin * link.largest[c]);
    factors[c] = std::min(factors[c], std::max(1.0, room));
    // What a clip cuts it must cut where it did.
    if (link.most && room <= 1)
      factors[c] = 1;
  }
  return factors;
}

/// Replaces a float constant, for this reader alone.
template <typename F>
void rewrite(OpBuilder &builder, Operation *op, unsigned operand, F change) {
  nn::ConstantOp constant = constantOf(op->getOperand(operand));
  HostTensor tensor = toHostTensor(constant.getValue());
  change(tensor.as<float>());
  builder.setInsertionPoint(op);
  Value changed = nn::ConstantOp::create(
      builder, constant.getLoc(),
      cast<RankedTensorType>(constant.getResult().getType()),
      toElementsAttr(tensor, builder.getContext(), nodeName(constant)));
  op->setOperand(operand, changed);
  if (constant.getResult().use_empty())
    constant.erase();
}

void apply(OpBuilder &builder, const Link &link,
           const std::vector<double> &factors) {
  std::optional<WeightLayout> made = layoutOf(link.producer);
  for (unsigned k = 1; k < link.producer->getNumOperands(); ++k)
    rewrite(builder, link.producer, k, [&](float *numbers) {
      bool isMatrix = made && k == 1;
      for (int64_t c = 0; c < link.channels; ++c)
        for (int64_t i = 0; i < (isMatrix ? made->inputs : 1); ++i)
          for (int64_t t = 0; t < (isMatrix ? made->taps : 1); ++t) {
            float &x = numbers[isMatrix ? made->at(c, i, t) : c];
            x = static_cast<float>(x * factors[c]);
          }
    });
  for (Operation *reader : link.readers) {
    WeightLayout layout = *layoutOf(reader);
    rewrite(builder, reader, 1, [&](float *numbers) {
      for (int64_t m = 0; m < layout.allOutputs(); ++m)
        for (int64_t i = 0; i < layout.inputs; ++i)
          for (int64_t t = 0; t < layout.taps; ++t) {
            float &w = numbers[layout.at(m, i, t)];
            w = static_cast<float>(
                w / factors[m / layout.outputs * layout.inputs + i]);
          }
    });
  }
}

/// The largest weight with which any reader reads each channel.
std::vector<double> largestWeights(const Link &link) {
  std::vector<double> largest(link.channels, 0.0);
  for (Operation *reader : link.readers) {
    WeightLayout layout = *layoutOf(reader);
    std::vector<float> weights = readFloats(constantOf(reader->getOperand(1)));
    for (int64_t m = 0; m < layout.allOutputs(); ++m)
      for (int64_t i = 0; i < layout.inputs; ++i)
        for (int64_t t = 0; t < layout.taps; ++t) {
          double &most = largest[m / layout.outputs * layout.inputs + i];
          most = std::max<double>(most, std::fabs(weights[layout.at(m, i, t)]));
        }
  }
  return largest;
}

} // namespace

Result<int64_t> equalize(ModuleOp module, func::FuncOp entry,
                         const std::vector<std::vector<HostTensor>> &samples,
                         int bits, double share, unsigned threads) {
  std::vector<Link> links = findLinks(entry);
  if (links.empty() || samples.empty())
    return int64_t(0);
  if (Status status = measure(module, links, samples, threads); !status)
    return status.takeError();
  OpBuilder builder(module.getContext());
  int64_t count = 0;
  // A tensor's factors change neither the range nor the noise of another's: a
  // layer's scales follow its outputs, and are compared between its inputs.
  for (const Link &link : links) {
    std::vector<double> weights = largestWeights(link);
    std::vector<double> best(link.channels, 1.0);
    double least = share * estimate(link, best, bits);
    bool isBetter = false;
    for (double a : {0.0, 0.25, 0.5, 0.75, 1.0}) {
      std::vector<double> factors = factorsFor(link, weights, a);
      double noise = estimate(link, factors, bits);
      if (!(noise < least))
        continue;
      least = noise;
      best = std::move(factors);
      isBetter = true;
    }
    if (!isBetter)
      continue;
    apply(builder, link, best);
    ++count;
  }
  return count;
}

} // namespace cimc::quantization
