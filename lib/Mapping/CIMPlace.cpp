//===- CIMPlace.cpp - operations to cores, tiles to macros -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StreamGraph.h"

#include "cimc/Mapping/Passes.h"

#include "mlir/IR/Builders.h"

#include <limits>
#include <optional>
#include <vector>

namespace cimc {
#define GEN_PASS_DEF_CIMPLACE
#include "cimc/Mapping/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc::cim;
using namespace cimc::mapping;

namespace {

/// How often cores are tried to change places, for each core.
constexpr int64_t kTriesPerCore = 100;
/// The part of a period that no link has to be taken for to leave them there.
constexpr double kFreeLinks = 0.5;
/// Periods that differ by less are the same: bisection finds them no closer.
constexpr double kSamePeriod = 1.01;
/// Slack of rings, in percent of a row, where there is memory for it.
constexpr int64_t kSlack = 25;

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

class Placer {
public:
  Placer(const cimc::ChipSpec &chip, int64_t memory, uint64_t seed,
         int64_t slack)
      : chip(chip), model(chip), packer(chip, memory), seed(seed),
        slack(slack) {}

  LogicalResult place(func::FuncOp function);

private:
  LogicalResult doesNotFit(func::FuncOp function, int64_t macros);

  const cimc::ChipSpec &chip;
  LoadModel model;
  Packer packer;
  uint64_t seed;
  int64_t slack; ///< percent of a row; negative: kSlack if there is memory
};

void set(const StreamGraph &graph, const std::vector<Place> &places) {
  for (auto [op, place] : llvm::zip(graph.ops, places)) {
    op->setAttr("core",
                Builder(op->getContext()).getI64IntegerAttr(place.core));
    if (auto tile = dyn_cast<MvmOp>(op)) {
      tile.setMacros(place.macros);
      tile.setMacroRow(place.macroRow);
    }
  }
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
    // A part of a chip is called after it.
    if (needed > preset->macros() ||
        StringRef(chip.name).starts_with(preset->name) ||
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
  auto pack = [&](int64_t slack) {
    planRings(function, model, static_cast<double>(slack) / 100);
    return packTightly(packer, StreamGraph(function, model).items);
  };
  // Slack that is not asked for is worth no longer period.
  std::optional<PackedPeriod> packed = pack(std::max<int64_t>(slack, 0));
  if (packed && packed->memory == Memory::Ample && slack < 0) {
    std::optional<PackedPeriod> roomy = pack(kSlack);
    if (roomy && roomy->memory == Memory::Ample &&
        roomy->periodNs <= packed->periodNs * kSamePeriod)
      packed = std::move(roomy);
    else
      planRings(function, model, 0);
  }
  StreamGraph graph(function, model);
  int64_t macros = 0;
  for (auto [op, item] : llvm::zip(graph.ops, graph.items)) {
    macros += item.load.macros;
    if (item.load.macros > chip.hierarchy.macros_per_core)
      return op->emitError()
             << "the tile needs " << item.load.macros << " macros, a core of '"
             << chip.name << "' has " << chip.hierarchy.macros_per_core;
  }
  if (packed) {
    Traffic traffic = graph.traffic(packed->places);
    if (traffic.busiestLinkNs() > packed->periodNs * kFreeLinks)
      traffic.improve(kTriesPerCore * traffic.coresToTry(), seed);
    for (Place &place : packed->places)
      place.core = traffic.coreOf(place.core);
    set(graph, packed->places);
    return success();
  }
  // Scheduling knows what memory is really needed.
  double any = std::numeric_limits<double>::infinity();
  if (auto places = packer.pack(graph.items, any, Sharing::All, Memory::Any)) {
    set(graph, *places);
    return success();
  }
  const Item &item = graph.items[packer.failed()];
  auto streams = static_cast<int64_t>(graph.ops.size());
  if (int64_t all = chip.cores() * chip.core.streams; streams > all)
    return function.emitError()
           << "the network needs " << streams << " streams, the "
           << chip.cores() << " cores of '" << chip.name << "' run " << all
           << " at once; choose a chip with more cores or streams";
  if (macros > chip.macros())
    return doesNotFit(function, macros);
  if (item.load.macros)
    return graph.ops[packer.failed()]->emitError()
           << "no core of '" << chip.name << "' has " << item.load.macros
           << " macros and a stream left for this tile; " << macros << " of "
           << chip.macros() << " macros are needed in all";
  return graph.ops[packer.failed()]->emitError()
         << "all " << chip.cores() << " cores of '" << chip.name << "' run "
         << chip.core.streams
         << " streams already; choose a chip with more cores or streams";
}

struct CIMPlace : cimc::impl::CIMPlaceBase<CIMPlace> {
  using CIMPlaceBase::CIMPlaceBase;

  void runOnOperation() override {
    FailureOr<cimc::ChipSpec> chip = getChipSpec(getOperation());
    if (failed(chip))
      return signalPassFailure();
    Placer placer(*chip, memory, seed, slack);
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (failed(placer.place(function)))
        return signalPassFailure();
  }
};
} // namespace
