//===- Pacing.cpp - rows that rings hold at a period ------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Pacing.h"

#include "mlir/IR/Builders.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace cimc::mapping {

namespace {
/// When rows of a value are made: row r is begun at `begin + r * pace` and
/// there at `there + r * pace`.
struct Pace {
  double begin = 0, there = 0, pace = 0;
  bool isConstant = false;
};
} // namespace

/// Output rows whose needs are looked at: windows at both ends of a map and a
/// few in between reach all that periodic needs have.
static SmallVector<int64_t> someRows(int64_t rows) {
  SmallVector<int64_t> some;
  for (int64_t r = 0; r < std::min<int64_t>(rows, 8); ++r)
    some.push_back(r);
  for (int64_t r = std::max<int64_t>(rows - 4, 8); r < rows; ++r)
    some.push_back(r);
  return some;
}

void planRings(func::FuncOp function, const LoadModel &model, double slack,
               double periodNs, llvm::function_ref<double(Operation *)> rowNs) {
  // Where operations will lie is not known; they are kept near.
  const ChipSpec &chip = model.spec();
  double wayNs =
      model.costModel()
          .transfer(0,
                    std::min<int64_t>(chip.cores() - 1,
                                      2 * chip.hierarchy.cores_per_tile),
                    8)
          .ns;
  llvm::DenseMap<Value, Pace> paces;
  auto paceOf = [&](Value value) {
    return periodNs / static_cast<double>(Extents(value).rows);
  };
  for (BlockArgument argument : function.getArguments()) {
    Extents map(argument);
    double row = model.costModel()
                     .transfer(-1, 0, map.pixels * map.channels * map.bytes)
                     .ns;
    paces[argument] = {0, row + wayNs, paceOf(argument)};
  }
  for (Operation &op : function.getBody().front()) {
    auto stream = dyn_cast<cim::StreamOpInterface>(op);
    if (!stream)
      continue;
    Pace made;
    made.pace = paceOf(op.getResult(0));
    if (isGlue(&op)) {
      made.isConstant = true;
      bool isFirst = true;
      for (OpOperand &operand : op.getOpOperands()) {
        Pace in = paces.lookup(operand.get());
        if (in.isConstant)
          continue;
        // Row 0 of an operand that is interleaved is a later one of the result.
        double ahead =
            isa<cim::InterleaveOp>(op)
                ? static_cast<double>(operand.getOperandNumber()) * made.pace
                : 0;
        made.isConstant = false;
        made.begin =
            isFirst ? in.begin - ahead : std::min(made.begin, in.begin - ahead);
        made.there = std::max(made.there, in.there - ahead);
        isFirst = false;
      }
      paces[op.getResult(0)] = made;
      continue;
    }
    int64_t rows = Extents(op.getResult(0)).rows;
    // Rows are passed over by their reader: what it reads is the whole map.
    auto paceOfMap = [&](OpOperand &operand) {
      auto slice = operand.get().getDefiningOp<cim::SliceOp>();
      return paces.lookup(slice ? slice.getInput() : operand.get());
    };
    auto needed = [&](OpOperand &operand, int64_t row) {
      cim::RowSelection selected = cim::selectedRows(operand.get());
      cim::RowDependence need =
          selected.of(stream.getRowDependence(operand.getOperandNumber()));
      return std::clamp<int64_t>(need.mul * row + need.need, 0, selected.rows);
    };
    double work = std::min(rowNs(&op), made.pace);
    for (OpOperand &operand : op.getOpOperands()) {
      Pace in = paceOfMap(operand);
      if (in.isConstant)
        continue;
      for (int64_t r : someRows(rows))
        if (int64_t count = needed(operand, r))
          made.begin = std::max(
              made.begin, in.there + static_cast<double>(count - 1) * in.pace -
                              static_cast<double>(r) * made.pace);
    }
    made.there = made.begin + work + wayNs;
    paces[op.getResult(0)] = made;

    SmallVector<int64_t> rings;
    for (OpOperand &operand : op.getOpOperands()) {
      Pace in = paceOfMap(operand);
      if (in.isConstant || in.pace <= 0) {
        rings.push_back(0);
        continue;
      }
      cim::RowSelection selected = cim::selectedRows(operand.get());
      cim::RowDependence need =
          selected.of(stream.getRowDependence(operand.getOperandNumber()));
      double slots = 0;
      for (int64_t row : someRows(selected.rows)) {
        // The output row after which nobody needs it.
        int64_t last = rows - 1;
        if (need.mul > 0)
          last = std::clamp<int64_t>(
              llvm::divideCeilSigned(row + 1 - need.done, need.mul), 0,
              rows - 1);
        double freed =
            made.begin + static_cast<double>(last) * made.pace + work + wayNs;
        slots = std::max(slots, (freed - in.begin) / in.pace -
                                    static_cast<double>(row));
      }
      // Rows do not come as evenly as that.
      rings.push_back(std::clamp<int64_t>(
          std::llround(std::ceil(slots + slack - 0.01)) + 1, 1, selected.rows));
    }
    op.setAttr(cim::kRingsAttrName,
               Builder(op.getContext()).getDenseI64ArrayAttr(rings));
  }
}

} // namespace cimc::mapping
