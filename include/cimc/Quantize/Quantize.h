//===- Quantize.h - post-training quantization ------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_QUANTIZE_QUANTIZE_H
#define CIMC_QUANTIZE_QUANTIZE_H

#include "cimc/Support/HostTensor.h"
#include "cimc/Support/Status.h"

#include "mlir/IR/BuiltinOps.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cimc {

/// How the built-in post-training quantizer chooses.
struct QuantizeOptions {
  /// How activation ranges are chosen from the histograms: "mse" (least squared
  /// error), "minmax" (everything seen), "percentile" (99.99 % of it) or
  /// "entropy" (least Kullback-Leibler divergence).
  std::string method = "mse";
  /// 2 to 8.
  int weightBits = 8;
  /// Samples evaluated at the same time. The result does not depend on it.
  unsigned threads = 1;
  /// Shift biases against the change of means that rounding weights causes.
  bool biasCorrection = true;
  /// Choose integer weights by what they do to each layer's output on some of
  /// the samples, instead of the nearest.
  bool fitWeights = true;
  /// Matrix products whose input is made in float take its range row by row while
  /// they run (rule R14), and sums that only float operations read become fp32 as
  /// they are: what standard QDQ models cannot say.
  bool rowRanges = true;
  // Of the ways to choose weights and biases that these allow, the one is taken
  // whose outputs on samples held out come nearest to the float model's.
};

/// What became of one weighted operation.
struct QuantizedLayer {
  std::string name, kind;
  int weightBits = 8;
  /// Where its input's 8 bits come from: "fixed", "by row" (rule R14), or
  /// "float" where it is not an integer operation.
  std::string input;
  /// The range of a fixed input, and the share of the samples' values that it
  /// cuts.
  double low = 0, high = 0, clipped = 0;
  /// Its result against the float network's, on the samples held out.
  double sqnrDb = 0, cosine = 0;
  /// Output channels of zeros only.
  int64_t deadChannels = 0;
  std::string why;
};

struct QuantizeReport {
  int64_t samples = 0;
  std::vector<QuantizedLayer> layers; ///< in order
};

/// Calibration samples: for each, one tensor per argument of the entry
/// function, in its order.
class SampleSource {
public:
  virtual ~SampleSource() = default;
  /// The next sample; nothing after the last. Called by one thread at a time.
  virtual Result<std::optional<std::vector<HostTensor>>> next() = 0;
  /// How many there are.
  virtual int64_t size() const = 0;
  /// The file of the sample that `next` gave last, where it has one of its own.
  virtual std::string nameOfLast() const { return {}; }
};

/// True where the module has quantized types, so that ranges are known.
bool hasQuantizedTypes(mlir::ModuleOp module);

/// Chooses ranges for a float module at the `nn` level by evaluating it on the
/// samples, and inserts `nn.quantize`, `nn.dequantize` pairs and integer
/// constants for weights and biases; `nn-fuse-qdq` then makes integer
/// operations of them.
///
/// Activations: uint8, per tensor, asymmetric, zero representable; movement
/// inherits its input's parameters, softmax and sigmoid have scale 1/256.
/// Weights: symmetric per output channel, +-127 at 8 bits. Biases: int32 of
/// scale s_input * s_weight; where that would overflow, s_weight is enlarged
/// (rule R7).
///
/// Errors: no samples, a sample that does not fit the arguments
/// (InvalidInput), an unknown method or bit width (Usage), a module that is
/// quantized already (Usage), and those of the evaluator.
/// Warns, with the likely cause, where the samples are few or do not cover what
/// they themselves show, and of channels of zeros. `report`, if given, takes a
/// row for each weighted operation; that costs another evaluation of the
/// samples held out.
Status quantizeModule(mlir::ModuleOp module, SampleSource &samples,
                      const QuantizeOptions &options,
                      QuantizeReport *report = nullptr);

/// A float `nn` module, with or without quantize/dequantize pairs, as a
/// serialized ONNX model of opset 17 in the standard QDQ form: per-channel
/// scales with an axis, int32 biases behind DequantizeLinear. Names come from
/// locations and `nn.name` attributes.
///
/// Errors (Unsupported) name the operation that has no ONNX form, for example
/// one that `nn-fuse-qdq` already made integer.
Result<std::string> exportONNX(mlir::ModuleOp module);

} // namespace cimc

#endif // CIMC_QUANTIZE_QUANTIZE_H
