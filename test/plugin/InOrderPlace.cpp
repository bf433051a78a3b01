//===- InOrderPlace.cpp - a placement pass as a plugin --------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Stands in for `cim-place`: every operation goes to the next core in order
// that has macros and a stream left for it. No core is looked at twice, so the
// chip has to be roomy.
//
//===----------------------------------------------------------------------===//

#include "CIM/CIM.h"

#include "mlir/Pass/Pass.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

#include <numeric>

using namespace mlir;
using namespace cimc::cim;

namespace {

/// Whether an operation is only a matter of who writes where, on no core.
bool runsNowhere(Operation *op) {
  if (auto concat = dyn_cast<ConcatOp>(op))
    return concat.getAxis() != 0;
  auto rows = [](Value map) {
    return cast<RankedTensorType>(map.getType()).getDimSize(0);
  };
  if (isa<ReshapeOp>(op))
    return !op->hasAttr(kCopyAttrName) &&
           rows(op->getOperand(0)) == rows(op->getResult(0));
  return isa<SliceOp, InterleaveOp, ConstantOp>(op);
}

struct InOrderPlace : PassWrapper<InOrderPlace, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(InOrderPlace)
  InOrderPlace() = default;
  InOrderPlace(const InOrderPlace &other) : PassWrapper(other) {}

  StringRef getArgument() const override { return "example-in-order-place"; }
  StringRef getDescription() const override {
    return "puts operations on cores in the order in which they come";
  }
  Option<int64_t> first{*this, "first-core",
                        llvm::cl::desc("where the first operation goes"),
                        llvm::cl::init(0)};

  void runOnOperation() override {
    FailureOr<cimc::ChipSpec> chip = getChipSpec(getOperation());
    if (failed(chip))
      return signalPassFailure();
    Builder builder(&getContext());
    int64_t core = first, macrosTaken = 0, streams = 0;
    for (auto function : getOperation().getOps<func::FuncOp>())
      for (Operation &op : function.getBody().front()) {
        if (!isa<StreamOpInterface>(op) || runsNowhere(&op))
          continue;
        auto tile = dyn_cast<MvmOp>(op);
        int64_t macros = tile ? macrosOf(tile, *chip) : 0;
        if (macrosTaken + macros > chip->hierarchy.macros_per_core ||
            streams == chip->core.streams) {
          ++core;
          macrosTaken = streams = 0;
        }
        if (core >= chip->cores()) {
          op.emitError() << "example-in-order-place: chip '" << chip->name
                         << "' has no core left behind its " << chip->cores()
                         << " for this operation";
          return signalPassFailure();
        }
        op.setAttr("core", builder.getI64IntegerAttr(core));
        if (tile) {
          SmallVector<int64_t> side(macros);
          std::iota(side.begin(), side.end(), macrosTaken);
          tile.setMacros(side);
        }
        macrosTaken += macros;
        ++streams;
      }
  }

  static int64_t macrosOf(MvmOp tile, const cimc::ChipSpec &chip) {
    auto weights = SymbolTable::lookupNearestSymbolFrom<WeightsOp>(
        tile, tile.getWeightsAttr());
    int64_t columns = chip.weightColumns(int64_t(weights.getBits()));
    return llvm::divideCeil(
        cast<RankedTensorType>(tile.getResult().getType()).getDimSize(2),
        std::max<int64_t>(columns, 1));
  }
};

} // namespace

extern "C" LLVM_ATTRIBUTE_WEAK PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "InOrderPlace", "1",
          [] { PassRegistration<InOrderPlace>(); }};
}
