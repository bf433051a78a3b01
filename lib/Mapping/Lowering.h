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
#include "cimc/Support/VectorOps.h"

#include "WeightTensor.h"

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

/// Where the windows of a weighted sum lie in its input's map, and its results
/// in the result's.
struct WeightedForm {
  Map map;
  cim::WindowAttr window;
  /// Channels of a group in the map: those of the matrix for each of the
  /// kernel's planes.
  int64_t channels = 0;
  std::array<int64_t, 3> out = {1, 1, 1}; ///< R x P x C of the sums
  Dims outputPerm;
  /// Sums lie in `samples` blocks of rows, of which the first `keptRows` are
  /// results; the windows of the others reach into the next sample.
  int64_t samples = 1, keptRows = 0;
  /// Canonical position of each element of a flattened window, where the rows
  /// of the matrix are those of a reshaped map.
  std::vector<int64_t> flattened;

  /// The element of the weight tensor for column n of all and channel c of row
  /// i and pixel j of the window.
  int64_t weight(const nn::WeightMatrix &matrix, int64_t n, int64_t i,
                 int64_t j, int64_t c) const;
};

/// Nothing where the element type is not quantized per tensor.
std::optional<Quant> getQuant(mlir::Type type);

/// The machine type of an nn element type; null where there is none.
mlir::Type machineElement(mlir::Type element);

Dims shapeOf(mlir::Value value);
bool isFloat(mlir::Value value);
Dims swapLastAxes(llvm::ArrayRef<int64_t> perm);
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

  // WeightTiles.cpp
  /// Brings the input into a form that windows of rows and pixels slide over;
  /// what lies outside it reads `pad`.
  WeightedForm weightedForm(mlir::Operation *op, const nn::WeightMatrix &matrix,
                            int64_t pad);
  void placeWindows(mlir::Operation *op, const nn::WeightMatrix &matrix,
                    int64_t pad, WeightedForm &form);
  mlir::Value joinChannels(mlir::Location loc, const WeightedForm &form,
                           llvm::ArrayRef<mlir::Value> parts);
  /// Records the result, of which all columns are in `parts`.
  void defineWeighted(mlir::Value output, const WeightedForm &form,
                      llvm::ArrayRef<mlir::Value> parts);
  /// A symbol for rows x columns weights, named after the node.
  cim::WeightsOp makeWeights(mlir::Location loc, int64_t rows, int64_t columns,
                             const std::vector<char> &cells, int64_t bits);
  /// Weight columns of one core.
  int64_t tileColumns(int64_t bits) const;
  /// Products with rows [begin, end) and columns [column, column + columns) of
  /// the weights, whose values are `cells`; tiles of zeros are left out.
  mlir::Value tileSums(mlir::Location loc, const WeightedForm &form,
                       cim::WeightsOp weights, const std::vector<char> &cells,
                       int64_t begin, int64_t end, int64_t column,
                       int64_t columns, int64_t pad);
  // LowerWideWeighted.cpp
  /// Replaces the fp32 map under `form` by its digits (rule R13), or by one
  /// integer of `levels` (R14); the rows under a window lie side by side in
  /// channels, so that windows slide along pixels only. Returns the units.
  mlir::Value fixedPoint(mlir::Operation *op, WeightedForm &form,
                         int32_t levels);
  /// The fp32 bias of all columns, zeros where there is none.
  mlir::FailureOr<std::vector<float>> floatBias(mlir::Operation *op,
                                                const nn::WeightMatrix &matrix);
  /// Sums of fp32 products (rule R13) and the bias, by ranges of columns.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  wideProduct(mlir::Operation *op, const nn::WeightMatrix &matrix,
              WeightedForm form, llvm::ArrayRef<float> weights,
              llvm::ArrayRef<float> bias);
  mlir::LogicalResult lowerWideWeighted(mlir::Operation *op,
                                        const nn::WeightMatrix &matrix);

  // LowerRangedWeighted.cpp
  /// Sums of products of integers whose ranges are taken while running (rule
  /// R14) and the bias, by ranges of columns.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  rangedProduct(mlir::Operation *op, const nn::WeightMatrix &matrix,
                WeightedForm form, mlir::Value operand,
                const WeightTensor &weights, llvm::ArrayRef<float> bias,
                int32_t levels);
  mlir::LogicalResult lowerRangedWeighted(mlir::Operation *op,
                                          const nn::WeightMatrix &matrix);

  // LowerRecurrent.cpp
  struct RecurrentLayer;
  struct GateWeights;
  mlir::FailureOr<mlir::Value> gate(RecurrentLayer &layer, mlir::Value input,
                                    const GateWeights &weights, int64_t number,
                                    llvm::ArrayRef<float> bias);
  mlir::FailureOr<mlir::Value> gateSum(RecurrentLayer &layer, mlir::Value state,
                                       int64_t number);
  mlir::Value initialState(RecurrentLayer &layer, mlir::Value operand);
  /// A map's rows from last to first.
  mlir::Value reversed(mlir::Location loc, mlir::Value value);
  void defineStates(RecurrentLayer &layer, mlir::Value states, mlir::Value all,
                    mlir::Value last);
  mlir::LogicalResult lowerRecurrent(mlir::Operation *op);
  mlir::LogicalResult lowerLstm(nn::LstmOp op, RecurrentLayer &layer);
  mlir::LogicalResult lowerGru(nn::GruOp op, RecurrentLayer &layer);

  // LowerWeighted.cpp
  mlir::Value sum(mlir::Location loc, llvm::ArrayRef<mlir::Value> terms);
  mlir::LogicalResult lowerWeighted(mlir::Operation *op,
                                    const nn::WeightMatrix &matrix);
  mlir::LogicalResult lowerMatMul(nn::MatMulOp op);

  // LowerVector.cpp: plain numbers
  /// The layout of the largest operand of an elementwise operation that is an
  /// activation of the result's rank.
  Dims commonPerm(mlir::ValueRange operands, llvm::ArrayRef<int64_t> shape);
  /// A constant of one element.
  mlir::Value scalar(mlir::Location loc, mlir::Type machine, double number);
  /// cim.map; dimensions of 1 broadcast.
  mlir::Value map(mlir::Location loc, numerics::Function function,
                  mlir::Value a, mlir::Value b = {},
                  numerics::Parameters parameters = {});
  mlir::Value lowBits(mlir::Location loc, mlir::Value value, unsigned bits,
                      bool isSigned);
  mlir::Value convert(mlir::Location loc, mlir::Value value,
                      mlir::Type machine);
  /// One element for all along `axes`; `perm` is the layout of the result, in
  /// which those axes have length 1.
  mlir::Value reduce(mlir::Location loc, Map input,
                     llvm::ArrayRef<int64_t> axes, numerics::Reduction function,
                     Dims &perm);
  mlir::LogicalResult lowerElementwise(nn::ElementwiseOpInterface op);
  mlir::LogicalResult lowerWhere(nn::WhereOp op);
  mlir::LogicalResult lowerCast(nn::CastOp op);
  mlir::LogicalResult lowerBitCast(nn::BitCastOp op);
  mlir::LogicalResult lowerFloatMatMul(nn::MatMulOp op);

  // LowerIndexing.cpp
  /// A constant of int32 numbers.
  mlir::Value integers(mlir::Location loc, std::array<int64_t, 3> form,
                       llvm::ArrayRef<int64_t> values);
  mlir::Value wrapped(mlir::Location loc, mlir::Value indices,
                      std::array<int64_t, 3> form,
                      llvm::ArrayRef<int64_t> length);
  mlir::Value positions(mlir::Location loc, mlir::Value indices, int64_t factor,
                        std::array<int64_t, 3> form,
                        llvm::ArrayRef<int64_t> base);
  mlir::Value gather(mlir::Location loc, mlir::Value data, mlir::Value indices,
                     int64_t block, mlir::RankedTensorType result);
  mlir::Value tuples(mlir::Location loc, mlir::Value indices,
                     llvm::ArrayRef<int64_t> data, int64_t batch,
                     int64_t &block);
  mlir::LogicalResult gathered(mlir::Operation *op, mlir::Value data,
                               mlir::Value index, int64_t block);
  mlir::LogicalResult scattered(mlir::Operation *op, mlir::Value data,
                                mlir::Value updates, mlir::Value index,
                                int64_t block, llvm::StringRef reduction);
  mlir::LogicalResult lowerGather(nn::GatherOp op);
  mlir::LogicalResult lowerGatherElements(nn::GatherElementsOp op);
  mlir::LogicalResult lowerGatherNd(nn::GatherNdOp op);
  mlir::LogicalResult lowerScatterElements(nn::ScatterElementsOp op);
  mlir::LogicalResult lowerScatterNd(nn::ScatterNdOp op);
  mlir::LogicalResult lowerCacheUpdate(nn::CacheUpdateOp op);
  mlir::LogicalResult lowerTopK(nn::TopKOp op);
  mlir::LogicalResult lowerExpand(nn::ExpandOp op);

  // LowerReduction.cpp
  /// Records a value of `reduce`, the axes dropped unless `keepDims`.
  void defineReduced(mlir::Value result, mlir::Value value,
                     llvm::ArrayRef<int64_t> perm, llvm::ArrayRef<int64_t> axes,
                     bool keepDims);
  bool sumsRows(const Map &input, llvm::ArrayRef<int64_t> axes);
  mlir::LogicalResult lowerReduction(nn::ReductionOpInterface op);
  template <typename Op> mlir::LogicalResult lowerArgument(Op op);
  mlir::LogicalResult lowerArgMax(nn::ArgMaxOp op);
  mlir::LogicalResult lowerArgMin(nn::ArgMinOp op);
  template <typename Op>
  mlir::LogicalResult lowerScan(Op op, numerics::Reduction function);
  mlir::LogicalResult lowerCumSum(nn::CumSumOp op);
  mlir::LogicalResult lowerCumProd(nn::CumProdOp op);

  // LowerElementwise.cpp: quantized
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
  template <typename Op> mlir::LogicalResult lowerPlainPool(Op op);
  mlir::LogicalResult plainGlobalAverage(mlir::Operation *op);

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
  int64_t delays = 0; ///< numbers of `cim.delay` given so far
  std::vector<std::pair<mlir::Location, std::string>> failures;
};

} // namespace cimc::mapping

#endif // CIMC_LIB_MAPPING_LOWERING_H
