//===- CIMPlace.cpp - operations to cores, tiles to macros -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CIM/CIM.h"
#include "cimc/Mapping/Passes.h"

#include "mlir/IR/Builders.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace cimc {
#define GEN_PASS_DEF_CIMPLACE
#include "cimc/Mapping/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc::cim;

namespace {

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t byteWidth(Type type) {
  return cast<RankedTensorType>(type).getElementTypeBitWidth() / 8;
}

int64_t rowBytes(Type type) {
  auto map = cast<RankedTensorType>(type);
  return map.getDimSize(1) * map.getDimSize(2) * byteWidth(type);
}

/// Cores in an order in which neighbours are near: tiles of a chiplet row by
/// row, every other row backwards, and chiplets the same way.
std::vector<int64_t> walkOf(const cimc::ChipSpec &chip) {
  std::vector<int64_t> walk;
  auto snake = [](int64_t rows, int64_t columns, auto visit) {
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t i = 0; i < columns; ++i)
        visit(row * columns + (row % 2 ? columns - 1 - i : i));
  };
  const auto &h = chip.hierarchy;
  snake(h.chiplet_rows, h.chiplet_columns, [&](int64_t chiplet) {
    snake(h.tile_rows, h.tile_columns, [&](int64_t tile) {
      for (int64_t core = 0; core < h.cores_per_tile; ++core)
        walk.push_back((chiplet * chip.tilesPerChiplet() + tile) *
                           h.cores_per_tile +
                       core);
    });
  });
  return walk;
}

/// What a core has left.
struct Core {
  int64_t nextMacro = 0, streams = 0, bytes = 0;
};

class Placer {
public:
  explicit Placer(const cimc::ChipSpec &chip)
      : chip(chip), walk(walkOf(chip)), cores(walk.size()) {}

  LogicalResult place(func::FuncOp function);

private:
  int64_t macrosOf(MvmOp op) const;
  int64_t memoryOf(Operation *op) const;
  std::optional<size_t> find(size_t from, int64_t macros, int64_t bytes,
                             bool alone) const;
  void take(Operation *op, size_t at, int64_t macros, int64_t bytes);
  LogicalResult doesNotFit(func::FuncOp function, int64_t macros);

  const cimc::ChipSpec &chip;
  std::vector<int64_t> walk;              ///< core ids
  std::vector<Core> cores;                ///< in the order of the walk
  llvm::DenseMap<Value, size_t> producer; ///< position in the walk
  size_t cursor = 0;
};

int64_t Placer::macrosOf(MvmOp op) const {
  auto weights =
      SymbolTable::lookupNearestSymbolFrom<WeightsOp>(op, op.getWeightsAttr());
  int64_t bits = weights ? static_cast<int64_t>(weights.getBits()) : 8;
  int64_t columns =
      cast<RankedTensorType>(op.getResult().getType()).getDimSize(2);
  return ceilDiv(columns, std::max<int64_t>(1, chip.weightColumns(bits)));
}

/// Rows an operation keeps of its inputs, and its constants. Scheduling
/// decides; this only spreads the load.
int64_t Placer::memoryOf(Operation *op) const {
  auto stream = cast<StreamOpInterface>(op);
  int64_t bytes = 0;
  for (OpOperand &operand : op->getOpOperands()) {
    auto map = cast<RankedTensorType>(operand.get().getType());
    RowDependence need = stream.getRowDependence(operand.getOperandNumber());
    int64_t rows = need.mul == 0 && !isa<RowSumOp>(op)
                       ? map.getDimSize(0)
                       : need.need - need.done + need.mul + 1;
    bytes += std::clamp<int64_t>(rows, 1, map.getDimSize(0)) * rowBytes(map);
  }
  auto result = cast<RankedTensorType>(op->getResult(0).getType());
  if (isa<MoveOp, MatMulOp, ReshapeOp, ConstantOp>(op))
    bytes += result.getDimSize(0) * rowBytes(result);
  if (isa<RequantizeOp>(op))
    bytes += result.getDimSize(2) * 8;
  if (auto depthwise = dyn_cast<DepthwiseOp>(op))
    bytes += depthwise.getWeights().getNumElements();
  if (isa<LookupOp>(op))
    bytes += 256;
  if (isa<SoftmaxOp>(op))
    bytes += 1024;
  return bytes;
}

/// The first position of the walk, from `from` on and around, with room. With
/// `alone`, an unused core.
std::optional<size_t> Placer::find(size_t from, int64_t macros, int64_t bytes,
                                   bool alone) const {
  for (size_t i = 0; i < walk.size(); ++i) {
    size_t at = (from + i) % walk.size();
    const Core &core = cores[at];
    if (alone && core.streams > 0)
      continue;
    if (core.nextMacro + macros <= chip.hierarchy.macros_per_core &&
        core.streams < chip.core.streams &&
        core.bytes + bytes <= chip.memoryBytes())
      return at;
  }
  return std::nullopt;
}

void Placer::take(Operation *op, size_t at, int64_t macros, int64_t bytes) {
  Builder builder(op->getContext());
  op->setAttr("core", builder.getI64IntegerAttr(walk[at]));
  Core &core = cores[at];
  if (auto mvm = dyn_cast<MvmOp>(op)) {
    SmallVector<int64_t> indices;
    for (int64_t i = 0; i < macros; ++i)
      indices.push_back(core.nextMacro + i);
    mvm.setMacros(indices);
    mvm.setMacroRow(0);
    core.nextMacro += macros;
  }
  // A concatenation is no stream: producers write its parts.
  if (!isa<ConcatOp, ConstantOp>(op))
    ++core.streams;
  core.bytes += bytes;
  producer[op->getResult(0)] = at;
}

LogicalResult Placer::doesNotFit(func::FuncOp function, int64_t macros) {
  // Matrices, to be cut anew for other chips.
  SmallVector<std::pair<int64_t, int64_t>> matrices;
  for (auto weights :
       function->getParentOfType<ModuleOp>().getOps<WeightsOp>()) {
    auto type = cast<RankedTensorType>(weights.getValue().getType());
    matrices.emplace_back(type.getDimSize(0), type.getDimSize(1));
  }
  std::string best;
  double bestCells = 0;
  for (const std::string &name : cimc::presetNames()) {
    cimc::Result<cimc::ChipSpec> preset = cimc::loadPreset(name);
    if (!preset)
      continue;
    int64_t columns = std::max<int64_t>(1, preset->weightColumns(8));
    int64_t needed = 0;
    for (auto [k, n] : matrices)
      needed += ceilDiv(k, preset->macro.rows) * ceilDiv(n, columns);
    double cells = static_cast<double>(preset->macros()) *
                   static_cast<double>(preset->macro.rows) *
                   static_cast<double>(preset->macro.columns);
    if (needed > preset->macros() || preset->name == chip.name ||
        (!best.empty() && cells >= bestCells))
      continue;
    best = name;
    bestCells = cells;
  }
  InFlightDiagnostic diagnostic =
      function.emitError() << "the weights need " << macros << " macros, chip '"
                           << chip.name << "' has " << chip.macros();
  if (best.empty())
    diagnostic << "; no preset holds them";
  else
    diagnostic << "; the smallest preset that holds them is '" << best << "'";
  return diagnostic;
}

LogicalResult Placer::place(func::FuncOp function) {
  int64_t tiles = 0, macros = 0, vector = 0;
  WalkResult valid = function.getBody().walk([&](Operation *op) {
    if (auto mvm = dyn_cast<MvmOp>(op)) {
      ++tiles;
      macros += macrosOf(mvm);
      if (macrosOf(mvm) > chip.hierarchy.macros_per_core) {
        op->emitError() << "the tile needs " << macrosOf(mvm)
                        << " macros, a core of '" << chip.name << "' has "
                        << chip.hierarchy.macros_per_core;
        return WalkResult::interrupt();
      }
    } else if (isa<DepthwiseOp, MatMulOp>(op)) {
      ++vector;
    }
    return WalkResult::advance();
  });
  if (valid.wasInterrupted())
    return failure();
  if (macros > chip.macros())
    return doesNotFit(function, macros);
  // With a core for each, heavy operations do not wait for one another.
  bool spread = tiles + vector <= static_cast<int64_t>(cores.size());

  for (Operation &op : function.getBody().front()) {
    if (!isa<StreamOpInterface>(op))
      continue;
    int64_t bytes = memoryOf(&op);
    auto mvm = dyn_cast<MvmOp>(op);
    int64_t needed = mvm ? macrosOf(mvm) : 0;
    std::optional<size_t> at;
    bool heavy = mvm || isa<DepthwiseOp, MatMulOp>(op);
    if (heavy && spread)
      at = find(cursor, needed, bytes, true);
    if (!at && heavy)
      at = find(cursor, needed, bytes, false);
    if (!at && !heavy) {
      // Where the input is produced, or close to it.
      size_t near = cursor;
      for (Value operand : op.getOperands())
        if (auto found = producer.find(operand); found != producer.end()) {
          near = found->second;
          break;
        }
      if (isa<ConcatOp>(op))
        bytes = 0;
      at = find(near, 0, bytes, false);
    }
    if (!at) {
      // Scheduling knows what memory is really needed.
      at = find(cursor, needed, 0, false);
    }
    if (!at && mvm) {
      // Macros are left, but not side by side in one core.
      return op.emitError()
             << "no core of '" << chip.name << "' has " << needed
             << " macros and a stream left for this tile; " << macros << " of "
             << chip.macros() << " macros are needed in all";
    }
    if (!at)
      return op.emitError()
             << "all " << cores.size() << " cores of '" << chip.name << "' run "
             << chip.core.streams
             << " streams already; choose a chip with more cores or streams";
    take(&op, *at, needed, bytes);
    if (heavy)
      cursor = *at;
  }
  return success();
}

struct CIMPlace : cimc::impl::CIMPlaceBase<CIMPlace> {
  void runOnOperation() override {
    FailureOr<cimc::ChipSpec> chip = getChipSpec(getOperation());
    if (failed(chip))
      return signalPassFailure();
    Placer placer(*chip);
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (failed(placer.place(function)))
        return signalPassFailure();
  }
};
} // namespace
