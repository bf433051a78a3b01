//===- Lowering.h - from nn tensors to feature maps -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_MAPPING_LOWERING_H
#define CIMC_LIB_MAPPING_LOWERING_H

#include "CIM/CIM.h"
#include "NN/NN.h"
#include "cimc/Support/Numerics.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"

#include <optional>
#include <string>
#include <vector>

namespace cimc::mapping {

using Dims = llvm::SmallVector<int64_t, 6>;

/// An nn value as a feature map: `value` holds the elements of a tensor of
/// shape `shape`, transposed by `perm` (axis i of the map's order is axis
/// perm[i]), in row-major order. Where `shape` is not the nn value's, a reshape
/// is pending: `value` still has the order from before it.
struct Map {
  mlir::Value value;
  Dims perm;
  Dims shape;
};

/// A per-tensor quantized type.
struct Quant {
  float scale = 1.0f;
  int32_t zero = 0;
  bool isSigned = true;
  unsigned bits = 8;
  numerics::Range range = {-128, 127};

  bool operator==(const Quant &other) const {
    return scale == other.scale && zero == other.zero &&
           isSigned == other.isSigned && bits == other.bits;
  }
};

/// Nothing where the element type is not quantized per tensor.
std::optional<Quant> getQuant(mlir::Type type);

/// The machine type of an nn element type; null where there is none.
mlir::Type machineElement(mlir::Type element);

Dims shapeOf(mlir::Value value);
Dims identityPerm(size_t rank);
/// [0, 2, .., 1]: NCHW as N, H, W, C.
Dims channelsLast(size_t rank);
Dims permuted(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> perm);
Dims rowMajorStrides(llvm::ArrayRef<int64_t> shape);
int64_t product(llvm::ArrayRef<int64_t> sizes);
/// True where both orders put the axes longer than 1 in the same sequence.
bool sameOrder(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> a,
               llvm::ArrayRef<int64_t> b);
/// Rows, pixels and channels of a tensor whose axes are in map order: the last
/// axis is channels, the one before it pixels where there are at least four.
std::array<int64_t, 3> grouped(llvm::ArrayRef<int64_t> inOrder);

/// Lowers one network. Operations that cannot be lowered are remembered, and
/// their results replaced, so that one run finds all of them.
class Lowering {
public:
  Lowering(mlir::ModuleOp module, const ChipSpec &chip)
      : module(module), symbols(module), chip(chip),
        builder(module.getContext()) {}

  /// Replaces the function by its cim form; fails where something could not
  /// be lowered, after reporting all of it.
  mlir::LogicalResult run(mlir::func::FuncOp function);

private:
  // ConvertNNToCIM.cpp
  mlir::LogicalResult lower(mlir::Operation *op);
  mlir::LogicalResult fail(mlir::Operation *op, const llvm::Twine &reason);
  void substitute(mlir::Operation *op);
  std::optional<Dims> wantedPerm(mlir::Value value, unsigned depth);

  // FeatureMaps.cpp
  mlir::RankedTensorType mapType(llvm::ArrayRef<int64_t> shape,
                                 llvm::ArrayRef<int64_t> perm,
                                 mlir::Type machine);
  /// The map of a value with no reshape pending; constants are materialized in
  /// `constantPerm` (identity where empty).
  Map use(mlir::Value value, llvm::ArrayRef<int64_t> constantPerm = {});
  Map inLayout(mlir::Value value, llvm::ArrayRef<int64_t> perm);
  Map relayout(mlir::Location loc, Map map, llvm::ArrayRef<int64_t> perm);
  mlir::Value regroup(mlir::Location loc, mlir::Value value,
                      mlir::RankedTensorType type);
  Map materializeConstant(mlir::Value value, llvm::ArrayRef<int64_t> shape,
                          llvm::ArrayRef<int64_t> perm);
  /// A strided copy; loops are merged where they can be.
  mlir::Value move(mlir::Location loc, mlir::Value input,
                   mlir::RankedTensorType result, Dims counts, Dims src,
                   Dims dst, int64_t srcOffset = 0, int64_t dstOffset = 0,
                   int64_t fill = 0);
  /// An operand of an elementwise operation whose result has `shape` and
  /// `perm`: every map dimension is that of the result or 1.
  mlir::Value broadcastOperand(mlir::Location loc, mlir::Value operand,
                               llvm::ArrayRef<int64_t> shape,
                               llvm::ArrayRef<int64_t> perm);
  /// Records an operation's result; `value` is regrouped to its layout's form.
  void define(mlir::Value result, mlir::Value value,
              llvm::ArrayRef<int64_t> perm);
  /// Rule R10: a table where the parameters differ.
  mlir::Value requantized(mlir::Location loc, mlir::Value value,
                          const Quant &from, const Quant &to);
  /// The integers (or floats) of `from` as those of `to` for data movement.
  mlir::FailureOr<mlir::Value> moved(mlir::Operation *op, mlir::Value value,
                                     mlir::Type from, mlir::Type to);

  // LowerWeighted.cpp
  mlir::LogicalResult lowerWeighted(mlir::Operation *op,
                                    const nn::WeightMatrix &matrix);
  mlir::LogicalResult lowerMatMul(nn::MatMulOp op);

  // LowerElementwise.cpp
  mlir::LogicalResult lowerUnary(nn::ElementwiseOpInterface op);
  mlir::LogicalResult lowerBinary(nn::ElementwiseOpInterface op);
  mlir::LogicalResult lowerSoftmax(nn::SoftmaxOp op);
  mlir::LogicalResult lowerQuantize(nn::QuantizeOp op);
  mlir::LogicalResult lowerDequantize(nn::DequantizeOp op);

  // LowerPooling.cpp
  mlir::LogicalResult lowerMaxPool(nn::MaxPoolOp op);
  mlir::LogicalResult lowerAvgPool(nn::AvgPoolOp op);
  mlir::LogicalResult lowerGlobalAvgPool(nn::GlobalAvgPoolOp op);
  mlir::LogicalResult globalAverage(mlir::Operation *op);

  // LowerMovement.cpp
  mlir::LogicalResult lowerReshape(nn::ReshapeOp op);
  mlir::LogicalResult lowerTranspose(nn::TransposeOp op);
  mlir::LogicalResult lowerConcat(nn::ConcatOp op);
  mlir::LogicalResult lowerPad(nn::PadOp op);
  mlir::LogicalResult lowerSlice(nn::SliceOp op);

  mlir::ModuleOp module;
  mlir::SymbolTable symbols;
  const ChipSpec &chip;
  mlir::OpBuilder builder;
  llvm::DenseMap<mlir::Value, Map> maps;
  std::vector<std::pair<mlir::Location, std::string>> failures;
};

} // namespace cimc::mapping

#endif // CIMC_LIB_MAPPING_LOWERING_H
