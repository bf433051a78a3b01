//===- WeightedLayer.h - integer weights of one operation -------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_QUANTIZE_WEIGHTEDLAYER_H
#define CIMC_LIB_QUANTIZE_WEIGHTEDLAYER_H

#include "Constants.h"

#include <optional>
#include <vector>

namespace cimc::quantization {

/// The integer constants of a layer: one choice among several.
struct LayerConstants {
  mlir::RankedTensorType weightType, biasType;
  mlir::ElementsAttr weights, bias;
};

/// A weighted operation (`nn.conv`, `nn.matmul`) one of whose operands is a
/// float constant, and what its weights and bias may be as integers: weights
/// symmetric, one scale for each output channel, bias int32 of scale
/// s_input * s_weight.
class WeightedLayer {
public:
  /// Operand `weightOperand` (0 or 1) is the constant; `inputScale` is the
  /// other's scale, nothing where its range is taken while running: the bias
  /// then stays float. Weights get integers of `bits` bits, without the least.
  WeightedLayer(mlir::Operation *op, unsigned weightOperand,
                std::optional<float> inputScale, int bits);

  mlir::Operation *operation() const { return op; }
  int bits() const { return weightBits; }
  /// Integers of so many bits from now on.
  void setBits(int bits) { weightBits = bits; }
  int32_t limit() const { return (1 << (weightBits - 1)) - 1; }
  llvm::ArrayRef<int64_t> shape() const { return weightShape; }
  /// The axis of the weights that counts output channels; -1 where there is
  /// one scale for all.
  int64_t axis() const { return channelAxis; }
  /// How the weights are matrices on arrays; nothing where they are not.
  const std::optional<nn::WeightMatrix> &matrix() const { return weightMatrix; }
  bool hasBias() const { return bool(realBias); }
  /// The float numbers.
  std::vector<float> weights() const;
  std::vector<float> bias() const;

  /// The scales that reach the largest weight of each channel, or what the
  /// bias needs; 1 for channels that are zero.
  Scales fullScales() const;
  /// The least scale of each channel with which its bias fits: half of int32
  /// is left for the sum of products (rule R7).
  std::vector<float> leastScales() const;
  /// How many times as large as the weights need their scales are for the sake
  /// of the bias, in the channel where that is most.
  double largestScaleGrowth() const;
  /// Rounds every weight to the nearest integer.
  std::vector<int32_t> roundToNearest(const Scales &scales) const;

  /// Nearest integers of so many bits, and the bias as it is.
  LayerConstants nearest(int bits) const;
  LayerConstants constants(const Scales &scales,
                           const std::vector<int32_t> &integers,
                           const std::vector<float> &bias) const;
  /// Constants of the same layer in a network where its input has another
  /// type: float biases where integers stand for none here, and the reverse.
  LayerConstants adapt(LayerConstants other) const;
  /// Makes the operation read these constants, dequantized.
  void install(mlir::OpBuilder &builder, const LayerConstants &chosen);

private:
  void setBias(LayerConstants &constants, const Scales &scales,
               const std::vector<float> &bias) const;

  mlir::Operation *op;
  unsigned weightOperand;
  std::optional<float> inputScale;
  int weightBits;
  int64_t channelAxis = -1;
  std::vector<int64_t> weightShape;
  std::optional<nn::WeightMatrix> weightMatrix;
  mlir::Location weightLoc, biasLoc;
  std::string weightName, biasName;
  mlir::ElementsAttr realWeights, realBias;
  /// Once installed.
  nn::ConstantOp weightConstant, biasConstant;
};

/// The convolutions and matrix products of a network, in order; the same in
/// copies, with pairs or without.
std::vector<mlir::Operation *> productsOf(mlir::func::FuncOp entry);

/// A dequantize of `integers` to f32.
mlir::Value makeDequantized(mlir::OpBuilder &builder, mlir::Location loc,
                            mlir::Value integers);

} // namespace cimc::quantization

#endif // CIMC_LIB_QUANTIZE_WEIGHTEDLAYER_H
