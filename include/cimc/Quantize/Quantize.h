//===- Quantize.h - post-training quantization ------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_QUANTIZE_QUANTIZE_H
#define CIMC_QUANTIZE_QUANTIZE_H

#include "NN/WeightMatrix.h"
#include "cimc/Support/HostTensor.h"
#include "cimc/Support/Status.h"

#include "mlir/IR/BuiltinOps.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cimc {

/// Choices by name: what the quantizer chose, or what a person has chosen
/// instead of it.
struct QuantizationTable {
  /// Bits of the weights of layers, by the node's name. Of several nodes of one
  /// name the second is "NAME#2", and so on.
  std::map<std::string, int> bits;
  /// Bits of the inputs of layers, 8 or 16, by the layer's name. A tensor that
  /// several layers read has the most that one of them is given.
  std::map<std::string, int> inputBits;
  /// How much scales move between layers: of a tensor, where an estimate of the
  /// noise falls below such a share of what it is, at so many bits of weights.
  std::optional<std::pair<double, int>> equalization;
  /// Least and largest number of tensors, by the name of the input, or of the
  /// node that computes them, in the same way.
  std::map<std::string, std::pair<double, double>> ranges;
};

/// Lines `bits N LAYER`, `inputs N LAYER`, `range LOW HIGH TENSOR` and one
/// `equalize SHARE BITS`; what
/// follows a `#` at the begin of a line is a comment. Reading what was written
/// gives the same parameters in every bit.
std::string printTable(const QuantizationTable &table);
/// Errors (InvalidInput) name the line: none of these, a number that is none,
/// 2 to 8 bits exceeded, inputs of neither 8 nor 16 bits, a range without 0 or
/// of no width, a name given twice.
Result<QuantizationTable> parseTable(const std::string &text);

/// Lets the quantizer choose the bits of each layer's weights, 4 or 8, and of
/// its input, 8 or 16.
struct BitSearch {
  /// What the weights of an operation take on the chip, in any unit.
  std::function<int64_t(const nn::WeightMatrix &, int bits)> cost;
  /// What is scarce is not room for weights but the time or energy of reading
  /// them: costs count once for each vector that weights are multiplied with.
  bool countsReads = false;
  /// Whether a network quantized so keeps to the budget; DoesNotFit where not,
  /// other errors end the search. The most accurate network is taken that does,
  /// or, with one of the limits below, the cheapest within them.
  std::function<Status(mlir::ModuleOp)> fits;
  /// How many dB the output's SQNR may be below that of 8-bit weights.
  std::optional<double> maxDropDb;
  /// The least cosine between the outputs and the float network's.
  std::optional<double> minCosine;
};

/// How the built-in post-training quantizer chooses.
struct QuantizeOptions {
  /// How activation ranges are chosen from the histograms: "mse" (least squared
  /// error), "minmax" (everything seen), "percentile" (99.99 % of it) or
  /// "entropy" (least Kullback-Leibler divergence).
  std::string method = "mse";
  /// 2 to 8.
  int weightBits = 8;
  /// Of the inputs of layers with weights on arrays: 8, or 16, which makes
  /// everything between them fp32.
  int inputBits = 8;
  /// Samples evaluated at the same time. The result does not depend on it.
  unsigned threads = 1;
  /// Shift biases against the change of means that rounding weights causes.
  bool biasCorrection = true;
  /// How weights become integers: "nearest", or "fit", by what they do to each
  /// layer's output on some of the samples.
  std::string rounding = "fit";
  /// Matrix products whose input is made in float take its range row by row
  /// while they run (rule R14), and sums that only float operations read become
  /// fp32 as they are: what standard QDQ models cannot say.
  bool rowRanges = true;
  /// Move scales between layers where channels differ much.
  bool equalize = true;
  /// Bits and ranges that are not to be chosen.
  QuantizationTable table;
  /// If set, `weightBits` must be 8.
  std::optional<BitSearch> search;
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
  /// The bits of a fixed input, its range, and the share of the samples' values
  /// that it cuts.
  int inputBits = 8;
  double low = 0, high = 0, clipped = 0;
  /// Its result against the float network's, on the samples held out.
  double sqnrDb = 0, cosine = 0;
  /// Output channels of zeros only.
  int64_t deadChannels = 0;
  /// Where bits were searched: how far the output's SQNR falls with 4-bit
  /// weights in this layer alone, and what they save in `BitSearch::cost`.
  std::optional<double> dropDb;
  int64_t saved = 0;
  /// And how far it rises with 16 bits for this layer's input alone.
  std::optional<double> inputGainDb;
  std::string why;
};

struct QuantizeReport {
  int64_t samples = 0;
  std::vector<QuantizedLayer> layers; ///< in order
  /// The outputs against the float network's, on the samples held out.
  double sqnrDb = 0, cosine = 0;
  /// All choices, to be given again.
  QuantizationTable table;
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
/// Activations: uint8, per tensor, asymmetric, zero representable, or int16,
/// per tensor, symmetric, for inputs of layers that are to have 16 bits;
/// movement inherits its input's parameters, softmax and sigmoid have scale
/// 1/256. Weights: symmetric per output channel, +-127 at 8 bits. Biases: int32
/// of scale s_input * s_weight; where that would overflow, s_weight is enlarged
/// (rule R7).
///
/// Errors: a name in the table that the network does not have (InvalidInput),
/// no network within the limits of the search (AccuracyMissed), no samples, a
/// sample that does not fit the arguments (InvalidInput), an unknown method or
/// bit width (Usage), a module that is quantized already (Usage), and those of
/// the evaluator. Warns, with the likely cause, where the samples are few or do
/// not cover what they themselves show, and of channels of zeros. `report`, if
/// given, takes a row for each weighted operation; that costs another
/// evaluation of the samples held out.
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
