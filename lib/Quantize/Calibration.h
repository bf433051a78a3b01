//===- Calibration.h - what samples say of a network ------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_QUANTIZE_CALIBRATION_H
#define CIMC_LIB_QUANTIZE_CALIBRATION_H

#include "RangePlan.h"

#include "cimc/Support/HostTensor.h"

#include "llvm/ADT/DenseMap.h"

namespace cimc::quantization {

/// Samples of which the first can be looked at before they are given.
class BufferedSamples : public SampleSource {
public:
  explicit BufferedSamples(SampleSource &source) : source(source) {}
  /// Takes some from the source, fewer where they are large; those that do not
  /// fit the network's arguments are an error.
  Status fill(mlir::func::FuncOp entry);
  const std::vector<std::vector<HostTensor>> &buffered() const {
    return buffer;
  }
  Result<std::optional<std::vector<HostTensor>>> next() override;
  int64_t size() const override { return source.size(); }

private:
  SampleSource &source;
  std::vector<std::vector<HostTensor>> buffer;
  size_t given = 0;
};

/// What a network makes of a sample: its outputs, and for each of them the
/// value by which choices are judged. That is what enters a softmax at the
/// network's end, and else the output: of probabilities nearly all of the error
/// lies in the few samples that the network is least sure of.
struct Results {
  std::vector<HostTensor> outputs, judged;
};

/// What the samples say of a float network. Nothing here depends on the number
/// of threads: counts are integers, means are sums in fixed point.
class Statistics {
public:
  /// One per group of the plan.
  std::vector<Histogram> histograms;
  /// Of the first samples, those that weights are fitted to.
  std::vector<std::vector<HostTensor>> inputs;
  /// The others, and what the float network makes of them: choices are compared
  /// on what they were not fitted to.
  std::vector<std::vector<HostTensor>> heldInputs;
  std::vector<Results> heldResults;

  /// The means of the slices of the input of a convolution or matrix product
  /// along the axis it sums over (channels or K), by its number among these in
  /// the network or any copy of it; empty where the weights are not constant.
  std::vector<double> inputMeans(int64_t number) const;

  /// The share of the results of tanh that are 1 or -1 but for a thousandth,
  /// and of a clip that are its upper end; 0 for other operations.
  double shareAtLimits(mlir::Operation *op) const;

  int64_t sampleCount() const { return samples; }
  /// True for the samples of which some are kept in `heldInputs`.
  static bool isHeldOut(int64_t sample) { return sample % 4 == 0; }

  /// The least and largest numbers of each float input, in the first half of
  /// the samples and in all; both 0 for other inputs.
  using Extremes = std::pair<float, float>;
  std::vector<std::pair<Extremes, Extremes>> inputExtremes() const;

  /// Evaluates the network on all samples.
  Status collect(mlir::ModuleOp module, mlir::func::FuncOp entry,
                 SampleSource &samples, unsigned threads,
                 const RangePlan &plan);

private:
  struct Mean {
    int64_t number, axis;
    std::vector<int64_t> sums;
  };
  struct AtLimits {
    int64_t count = 0, total = 0;
  };
  struct Partial {
    std::vector<Histogram> histograms;
    std::vector<Mean> means;
    std::vector<AtLimits> atLimits;
  };
  void prepare(mlir::func::FuncOp entry);
  void count(Partial &partial, const RangePlan &plan, mlir::Value value,
             const HostTensor &tensor) const;

  std::vector<Mean> means;
  llvm::DenseMap<mlir::Value, std::vector<size_t>> meansOf; // looked up only
  /// Of functions with limits.
  std::vector<AtLimits> atLimits;
  llvm::DenseMap<mlir::Operation *, size_t> limitOf; // looked up only
  std::vector<std::vector<Extremes>> extremes;       // by sample, then input
  int64_t samples = 0;
};

/// The means of a weighted operation's output channels in one result.
std::vector<double> channelMeans(mlir::Operation *op, const HostTensor &result);

/// How near float results are to those expected; sums over their elements.
struct Agreement {
  double noise = 0, a = 0, b = 0, product = 0;

  /// Leaves out what is not finite, and tensors of other types.
  void add(const HostTensor &got, const HostTensor &expected);
  /// In dB; 200 where nothing was lost.
  double sqnrDb() const;
  double cosine() const;
};

/// What the network makes of the samples held out.
Result<std::vector<Results>> evaluateHeld(mlir::ModuleOp module,
                                          const Statistics &statistics,
                                          unsigned threads);

/// How near a network's results are to others on the same samples.
Agreement outputAgreement(const std::vector<Results> &got,
                          const std::vector<Results> &expected);
/// The squared distance of what they are judged by, for each sample.
std::vector<double> judgedNoise(const std::vector<Results> &got,
                                const std::vector<Results> &expected);

} // namespace cimc::quantization

#endif // CIMC_LIB_QUANTIZE_CALIBRATION_H
