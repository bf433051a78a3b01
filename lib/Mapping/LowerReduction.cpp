//===- LowerReduction.cpp - folds along axes --------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

using namespace mlir;

namespace cimc::mapping {

using numerics::Reduction;

Value Lowering::reduce(Location loc, Map input, ArrayRef<int64_t> axes,
                       Reduction function, Dims &perm) {
  // The reduced axes become the channels.
  perm.clear();
  Dims kept;
  for (int64_t axis : input.perm)
    if (!llvm::is_contained(axes, axis)) {
      perm.push_back(axis);
      kept.push_back(input.shape[axis]);
    }
  int64_t count = 1;
  Dims sorted(axes);
  llvm::sort(sorted);
  for (int64_t axis : sorted) {
    perm.push_back(axis);
    count *= input.shape[axis];
  }
  input = relayout(loc, input, perm);
  kept.push_back(count);
  std::array<int64_t, 3> form = grouped(kept);
  Type machine = getElementTypeOrSelf(input.value.getType());
  Value rows = regroup(loc, input.value, RankedTensorType::get(form, machine));
  form[2] = 1;
  Type element =
      numerics::isArgument(function) ? builder.getI32Type() : machine;
  return cim::ReduceOp::create(builder, loc,
                               RankedTensorType::get(form, element), rows,
                               numerics::mnemonic(function), IntegerAttr());
}

void Lowering::defineReduced(Value result, Value value, ArrayRef<int64_t> perm,
                             ArrayRef<int64_t> axes, bool keepDims) {
  if (keepDims)
    return define(result, value, perm);
  Dims left;
  for (int64_t axis : perm)
    if (!llvm::is_contained(axes, axis))
      left.push_back(axis - llvm::count_if(axes, [&](int64_t other) {
                       return other < axis;
                     }));
  define(result, value, left);
}

LogicalResult Lowering::lowerReduction(nn::ReductionOpInterface op) {
  Location loc = op->getLoc();
  Value result = op->getResult(0);
  Map input = use(op->getOperand(0));
  Type machine = getElementTypeOrSelf(input.value.getType());
  if (getQuant(op->getOperand(0).getType()))
    return fail(op, "is computed on plain numbers only");
  Reduction function = Reduction::Sum;
  switch (op.getFunction()) {
  case numerics::Function::Mul:
    function = Reduction::Prod;
    break;
  case numerics::Function::Max:
    function = Reduction::Max;
    break;
  case numerics::Function::Min:
    function = Reduction::Min;
    break;
  default:
    break;
  }
  Dims perm, axes(op.getAxes());
  int64_t count = 1;
  for (int64_t axis : axes)
    count *= input.shape[axis];
  Value value;
  bool rowsFirst =
      function == Reduction::Sum && machine.isF32() && sumsRows(input, axes);
  if (rowsFirst) {
    // Everything but the channels: row by row, as they come.
    auto type = cast<RankedTensorType>(input.value.getType());
    perm = input.perm;
    value = cim::RowSumOp::create(
        builder, loc,
        RankedTensorType::get({1, 1, type.getDimSize(2)}, machine), input.value,
        IntegerAttr());
  } else {
    value = reduce(loc, input, axes, function, perm);
  }
  if (isa<nn::ReduceMeanOp>(op))
    value = map(loc, numerics::Function::Div, value,
                scalar(loc, machine, static_cast<double>(count)));
  defineReduced(result, value, perm, axes, op.getKeepDims());
  return success();
}

/// Whether a reduction leaves just the channels of a map.
bool Lowering::sumsRows(const Map &input, ArrayRef<int64_t> axes) {
  for (auto [i, axis] : llvm::enumerate(input.perm)) {
    bool isChannels = i + 1 == input.perm.size();
    bool reduced = llvm::is_contained(axes, axis);
    if (isChannels ? reduced : !reduced && input.shape[axis] != 1)
      return false;
  }
  return !input.perm.empty();
}

template <typename Op> LogicalResult Lowering::lowerArgument(Op op) {
  constexpr bool isMax = std::is_same_v<Op, nn::ArgMaxOp>;
  Map input = use(op.getInput());
  auto axis = static_cast<int64_t>(op.getAxis());
  if (axis < 0)
    axis += static_cast<int64_t>(input.shape.size());
  Reduction function =
      isMax ? (op.getLast() ? Reduction::ArgMaxLast : Reduction::ArgMax)
            : (op.getLast() ? Reduction::ArgMinLast : Reduction::ArgMin);
  Dims perm;
  Value value = reduce(op.getLoc(), input, {axis}, function, perm);
  defineReduced(op.getResult(), value, perm, {axis}, op.getKeepDims());
  return success();
}

LogicalResult Lowering::lowerArgMax(nn::ArgMaxOp op) {
  return lowerArgument(op);
}
LogicalResult Lowering::lowerArgMin(nn::ArgMinOp op) {
  return lowerArgument(op);
}

template <typename Op>
LogicalResult Lowering::lowerScan(Op op, Reduction function) {
  Map input = use(op.getInput());
  auto axis = static_cast<int64_t>(op.getAxis());
  if (axis < 0)
    axis += static_cast<int64_t>(input.shape.size());
  Dims perm;
  for (int64_t other : input.perm)
    if (other != axis)
      perm.push_back(other);
  perm.push_back(axis);
  input = relayout(op.getLoc(), input, perm);
  Value value =
      cim::ScanOp::create(builder, op.getLoc(), input.value.getType(),
                          input.value, numerics::mnemonic(function),
                          op.getExclusive(), op.getReverse(), IntegerAttr());
  define(op.getResult(), value, perm);
  return success();
}

LogicalResult Lowering::lowerCumSum(nn::CumSumOp op) {
  return lowerScan(op, Reduction::Sum);
}
LogicalResult Lowering::lowerCumProd(nn::CumProdOp op) {
  return lowerScan(op, Reduction::Prod);
}

} // namespace cimc::mapping
