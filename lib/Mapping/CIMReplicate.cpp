//===- CIMReplicate.cpp - copies of the weights of slow layers -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Layers.h"
#include "Pacing.h"
#include "StreamGraph.h"

#include "cimc/Mapping/Passes.h"

#include "mlir/IR/Builders.h"
#include "llvm/Support/Format.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace cimc {
#define GEN_PASS_DEF_CIMREPLICATE
#include "cimc/Mapping/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc::mapping;

namespace {

/// Targets for a layer's time are tried in steps of this.
constexpr double kStep = 0.97;
constexpr int kMostSteps = 240, kCoarse = 8;
/// How often cores are tried to change places, for each core, to see what the
/// links allow.
constexpr int64_t kTriesPerCore = 10;
/// A stream that takes more than one in this many parts of a core's memory is
/// cut, so that packing has pieces to work with.
constexpr int64_t kLargestPart = 4;

/// How often layers are copied, and what that comes to.
struct Choice {
  std::vector<std::pair<int64_t, int64_t>> copies; ///< and phases, by layer
  double slowestNs = 0;         ///< the busiest stream, or the host's link
  Operation *slowest = nullptr; ///< null: the host's link
};

/// What a choice comes to.
struct Outcome {
  double periodNs, latencyNs;
};

class Replicator {
public:
  Replicator(func::FuncOp function, const cimc::ChipSpec &chip, int64_t memory,
             uint64_t seed, double slack)
      : function(function), chip(chip), model(chip), packer(chip, memory),
        seed(seed), slack(slack) {}

  LogicalResult run(bool latency);

private:
  LogicalResult readCopies(const Layers &layers);
  std::vector<cimc::cim::LayerCopies> name(const Layers &layers) const;
  void noteCopies(std::vector<cimc::cim::LayerCopies> named,
                  const Layers &layers);
  int64_t macrosOf(const Layer &layer) const;
  void insertRelays();
  void insertSenders();
  void spreadWaitingRows();
  void removeRelays();
  Choice choose(Layers &layers, double targetNs) const;
  void use(Layers &layers, const Choice &choice) const;
  void plan(Layers &layers, func::FuncOp of, const Choice &choice) const;
  std::optional<Outcome> outcome(const Choice &choice, bool links);
  double boundNs(Layers &layers) const;
  void remark(Layers &layers, const Choice &choice, double periodNs);

  mutable func::FuncOp function;
  const cimc::ChipSpec &chip;
  LoadModel model;
  Packer packer;
  uint64_t seed;
  double slack; ///< rows
  /// What the function says that the layers are copied; empty: that is to be
  /// chosen.
  std::vector<cimc::cim::LayerCopies> given;
};

/// Reads how often layers are to be copied, where the function says so.
LogicalResult Replicator::readCopies(const Layers &layers) {
  auto attribute =
      function->getAttrOfType<ArrayAttr>(cimc::cim::kCopiesAttrName);
  if (!attribute)
    return success();
  given = cimc::cim::getCopies(attribute);
  if (given.size() != layers.list.size())
    return function.emitError()
           << "'" << cimc::cim::kCopiesAttrName << "' is of " << given.size()
           << " layers, the network has " << layers.list.size()
           << "; take the attribute away and they are chosen anew";
  for (auto [wanted, layer] : llvm::zip(given, layers.list))
    if (wanted.copies > layer.pixels || wanted.phases > layer.rows ||
        (wanted.all() > 1 && !layer.canCut) ||
        (wanted.phases > 1 && !layer.canTakeTurns))
      return layer.ops.front()->emitError()
             << "'" << cimc::cim::kCopiesAttrName << "' wants " << wanted.copies
             << " copies for the " << layer.pixels << " pixels of a row and "
             << wanted.phases << " that take the " << layer.rows
             << " rows in turn; this layer "
             << (layer.canCut ? "has no room for them" : "cannot be cut");
  return success();
}

/// The macros of one copy.
int64_t Replicator::macrosOf(const Layer &layer) const {
  int64_t macros = 0;
  for (Operation *op : layer.ops)
    if (auto tile = dyn_cast<cimc::cim::MvmOp>(op))
      macros += model.macrosOf(tile);
  return macros;
}

/// What of the layers will be known when they are cut.
std::vector<cimc::cim::LayerCopies>
Replicator::name(const Layers &layers) const {
  std::vector<cimc::cim::LayerCopies> named;
  for (const Layer &layer : layers.list) {
    cimc::cim::LayerCopies copies;
    for (Operation *op : layer.ops)
      if (std::string node = cimc::cim::layerName(op);
          !llvm::is_contained(copies.nodes, node))
        copies.nodes.push_back(std::move(node));
    copies.rows = layer.rows;
    copies.pixels = layer.pixels;
    copies.canCut = layer.canCut;
    copies.canTakeTurns = layer.canCut && layer.canTakeTurns;
    copies.macros = macrosOf(layer);
    named.push_back(std::move(copies));
  }
  return named;
}

/// Notes on the function how often the layers were cut.
void Replicator::noteCopies(std::vector<cimc::cim::LayerCopies> named,
                            const Layers &layers) {
  for (auto [copies, layer] : llvm::zip(named, layers.list)) {
    copies.copies = layer.copies;
    copies.phases = layer.phases;
  }
  function->setAttr(cimc::cim::kCopiesAttrName,
                    cimc::cim::getCopiesAttr(function.getContext(), named));
}

/// A relay for every input: the host sends each row once, and the relay's
/// copies pass on what each reader needs.
void Replicator::insertRelays() {
  OpBuilder builder(&function.getBody().front(),
                    function.getBody().front().begin());
  for (BlockArgument argument : function.getArguments()) {
    if (argument.use_empty() || Extents(argument).pixels == 1)
      continue;
    SmallVector<OpOperand *> uses;
    for (OpOperand &use : argument.getUses())
      uses.push_back(&use);
    Value value = argument;
    for (int i = 0; i < 2; ++i) {
      auto relay = cimc::cim::ReshapeOp::create(
          builder, argument.getLoc(), argument.getType(), value, IntegerAttr());
      relay->setAttr(cimc::cim::kCopyAttrName, builder.getUnitAttr());
      value = relay;
    }
    for (OpOperand *use : uses)
      use->set(value);
  }
}

/// A relay for partial sums that are added elsewhere: tiles go on with the next
/// row while it sends.
void Replicator::insertSenders() {
  SmallVector<OpOperand *> sent;
  function.walk([&](cimc::cim::SumOp sum) {
    for (OpOperand &operand : sum->getOpOperands().drop_front()) {
      auto tile = operand.get().getDefiningOp<cimc::cim::MvmOp>();
      Extents map(operand.get());
      if (tile && operand.get().hasOneUse() && map.rows > 1 && map.pixels > 1)
        sent.push_back(&operand);
    }
  });
  for (OpOperand *operand : sent) {
    Operation *tile = operand->get().getDefiningOp();
    OpBuilder builder(function.getContext());
    builder.setInsertionPointAfter(tile);
    auto relay = cimc::cim::ReshapeOp::create(builder, tile->getLoc(),
                                              operand->get().getType(),
                                              operand->get(), IntegerAttr());
    relay->setAttr(cimc::cim::kCopyAttrName, builder.getUnitAttr());
    operand->set(relay);
  }
}

/// Where more rows of an operand wait than a core has room for, as in a
/// residual connection around an attention, and a row is one pixel, which
/// cannot be shared out, its channels become pixels there.
void Replicator::spreadWaitingRows() {
  StreamGraph graph(function, model);
  int64_t limit = chip.memoryBytes() / kLargestPart;
  for (auto [op, item] : llvm::zip(graph.ops, graph.items)) {
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    Extents map(op->getResult(0));
    bool isAlike = llvm::all_of(op->getOperands(), [&](Value operand) {
      return cast<RankedTensorType>(operand.getType()).getShape() ==
             type.getShape();
    });
    if (item.load.leastBytes <= limit || op->getNumOperands() < 2 ||
        map.pixels != 1 || !isAlike || !isPixelwise(op))
      continue;
    int64_t parts = item.load.leastBytes / limit + 1;
    while (parts < map.channels && map.channels % parts)
      ++parts;
    int64_t shape[] = {map.rows, parts, map.channels / parts};
    OpBuilder builder(op);
    auto reshaped = [&](Value value, ArrayRef<int64_t> to) -> Value {
      auto like = cast<RankedTensorType>(value.getType());
      return cimc::cim::ReshapeOp::create(builder, op->getLoc(), like.clone(to),
                                          value, IntegerAttr());
    };
    for (OpOperand &operand : op->getOpOperands())
      operand.set(reshaped(operand.get(), shape));
    op->getResult(0).setType(type.clone(shape));
    builder.setInsertionPointAfter(op);
    Value merged = reshaped(op->getResult(0), type.getShape());
    op->getResult(0).replaceAllUsesExcept(merged, merged.getDefiningOp());
  }
}

/// Relays that have one reader are none.
void Replicator::removeRelays() {
  SmallVector<Operation *> relays;
  for (Operation &op : function.getBody().front())
    if (isa<cimc::cim::ReshapeOp>(op) && op.hasAttr(cimc::cim::kCopyAttrName))
      relays.push_back(&op);
  for (Operation *relay : llvm::reverse(relays)) {
    Value value = relay->getResult(0);
    bool isRead = llvm::any_of(value.getUsers(), [](Operation *user) {
      return isGlue(user) || isa<func::ReturnOp>(user);
    });
    if (isRead || !value.hasOneUse() ||
        relay->getOperand(0).getDefiningOp<cimc::cim::MvmOp>() ||
        relay->getOperand(0).getType() != value.getType())
      continue;
    value.replaceAllUsesWith(relay->getOperand(0));
    relay->erase();
  }
}

/// Copies so that each stream of a layer works no longer than `targetNs`; or
/// as short as it can.
Choice Replicator::choose(Layers &layers, double targetNs) const {
  Choice choice;
  choice.copies.assign(layers.list.size(), {1, 1});
  // Readers first: what a stream sends depends on them.
  for (size_t l = layers.list.size(); l-- > 0;) {
    Layer &layer = layers.list[l];
    std::vector<std::vector<Layers::Read>> reads;
    for (Operation *op : layer.ops)
      reads.push_back(layers.reads(op->getResult(0)));
    auto slowest = [&](int64_t copies, int64_t phases) {
      Layer cut = layer;
      cut.copies = copies;
      cut.phases = phases;
      std::pair<double, Operation *> found = {0, nullptr};
      for (size_t i = 0; i < layer.ops.size(); ++i) {
        double ns = layers
                        .load(layer.ops[i], {0, cut.widest()}, cut.tallest(),
                              Layers::mostSent(reads[i], cut))
                        .periodNs();
        if (ns > found.first)
          found = {ns, layer.ops[i]};
      }
      return found;
    };
    layer.copies = given.empty() ? 1 : given[l].copies;
    layer.phases = given.empty() ? 1 : given[l].phases;
    auto [best, op] = slowest(layer.copies, layer.phases);
    bool isFree = layer.canCut && given.empty();
    for (int64_t c = 2; isFree && best > targetNs && c <= layer.pixels; ++c) {
      if ((layer.pixels + c - 1) / c == layer.widest())
        continue;
      auto [ns, at] = slowest(c, 1);
      // Another copy must shorten the stream by more than rounding.
      if (ns >= best * 0.999)
        continue;
      layer.copies = c;
      best = ns;
      op = at;
    }
    // Copies that take rows in turn hold more rows of what they read, so they
    // come after those that share a row.
    for (int64_t k = 2;
         isFree && layer.canTakeTurns && best > targetNs && k <= layer.rows;
         ++k) {
      if ((layer.rows + k - 1) / k == layer.tallest())
        continue;
      auto [ns, at] = slowest(layer.copies, k);
      if (ns >= best * 0.999)
        break; // bound by what arrives
      layer.phases = k;
      best = ns;
      op = at;
    }
    choice.copies[l] = {layer.copies, layer.phases};
    if (best > choice.slowestNs) {
      choice.slowestNs = best;
      choice.slowest = op;
    }
  }
  double host = 0;
  for (BlockArgument argument : function.getArguments()) {
    Extents map(argument);
    host += Layers::sent(layers.reads(argument), {0, map.pixels}).pixels *
            static_cast<double>(map.rows * map.channels * map.bytes) /
            chip.host.gb_per_s;
  }
  if (host > choice.slowestNs) {
    choice.slowestNs = host;
    choice.slowest = nullptr;
  }
  return choice;
}

void Replicator::use(Layers &layers, const Choice &choice) const {
  for (size_t l = 0; l < layers.list.size(); ++l)
    std::tie(layers.list[l].copies, layers.list[l].phases) = choice.copies[l];
}

/// Plans rings for the period that the slowest stream allows, and more copies
/// where they would be too large for a core.
void Replicator::plan(Layers &layers, func::FuncOp of,
                      const Choice &choice) const {
  planRings(of, model, slack, choice.slowestNs, [&](Operation *op) {
    int64_t l = layers.of(op);
    if (l < 0)
      return 0.0;
    const Layer &layer = layers.list[l];
    Load load =
        layers.load(op, {0, layer.widest()}, layer.rows,
                    Layers::mostSent(layers.reads(op->getResult(0)), layer));
    return load.streamNs() / static_cast<double>(layer.rows);
  });
  // Rings that would take most of a core are shared out, as time is.
  for (Layer &layer : layers.list) {
    auto isLarge = [&](auto bytesOf) {
      return llvm::all_of(
                 layer.ops,
                 [&](Operation *op) { return !isa<cimc::cim::MvmOp>(op); }) &&
             llvm::any_of(layer.ops, [&](Operation *op) {
               return bytesOf(layers.load(op, {0, layer.widest()}, layer.rows,
                                          {})) >
                      chip.memoryBytes() / kLargestPart;
             });
    };
    if (!layer.canCut || layer.isSum)
      continue;
    while (layer.copies < layer.pixels &&
           isLarge([](const Load &load) { return load.bytes; }))
      ++layer.copies;
    // Of rows taken in turn a ring holds so many fewer, down to what it needs.
    while (layer.canTakeTurns && layer.phases < layer.rows &&
           isLarge([&](const Load &load) {
             int64_t bytes = load.bytes / layer.phases;
             return bytes > load.leastBytes ? bytes : 0;
           }))
      ++layer.phases;
  }
}

/// What the network would come to with these copies: cut, placed, counted. With
/// `links`, cores change places for the networks' sake, and what the networks
/// take counts too; without, it is a lower bound and found sooner.
std::optional<Outcome> Replicator::outcome(const Choice &choice, bool links) {
  func::FuncOp trial = function.clone();
  function->getBlock()->push_back(trial);
  std::optional<Outcome> result;
  {
    Layers layers(trial, model);
    use(layers, choice);
    plan(layers, trial, choice);
    layers.apply();
    planRings(trial, model, slack);
    StreamGraph graph(trial, model);
    if (auto packed = packTightly(packer, graph.items)) {
      result = Outcome{packed->periodNs, graph.latencyNs()};
      if (links) {
        Traffic traffic = graph.traffic(packed->places);
        if (traffic.busiestLinkNs() > packed->periodNs)
          traffic.improve(kTriesPerCore * traffic.coresToTry(), seed);
        result->periodNs = std::max(packed->periodNs, traffic.busiestNs());
      }
    }
  }
  trial.erase();
  return result;
}

/// No mapping has a shorter period: all arrays, all vector units or all issue
/// ports would be busy all the time, or the host's link.
double Replicator::boundNs(Layers &layers) const {
  double macros = 0, vector = 0, issue = 0, host = 0;
  for (Layer &layer : layers.list)
    for (Operation *op : layer.ops) {
      Load load = model.of(op, layer.pixels);
      macros += load.macroNs * static_cast<double>(load.macros);
      vector += load.vectorNs;
      issue += load.issueNs;
    }
  for (BlockArgument argument : function.getArguments()) {
    Extents map(argument);
    host +=
        static_cast<double>(map.rows * map.pixels * map.channels * map.bytes) /
        chip.host.gb_per_s;
  }
  return std::max({macros / static_cast<double>(chip.macros()),
                   vector / static_cast<double>(chip.cores()),
                   issue * static_cast<double>(chip.hierarchy.cores_per_tile) /
                       static_cast<double>(chip.cores()),
                   host});
}

static std::string microseconds(double ns) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.3g us", ns * 1e-3);
  return text;
}

void Replicator::remark(Layers &layers, const Choice &choice, double periodNs) {
  for (const Layer &layer : layers.list) {
    int64_t copies = layer.copies * layer.phases;
    if (copies == 1)
      continue;
    int64_t macros = macrosOf(layer);
    InFlightDiagnostic remark = layer.ops.front()->emitRemark();
    remark << copies << " copies";
    if (macros)
      remark << " of its weights on " << copies * macros << " macros";
    remark << ": each makes " << layer.widest() << " of " << layer.pixels
           << " pixels of a row";
    if (layer.phases > 1)
      remark << ", and one of " << layer.phases << " rows";
  }
  Operation *at = choice.slowest ? choice.slowest : function.getOperation();
  int64_t l = choice.slowest ? layers.of(choice.slowest) : -1;
  const char *why =
      !choice.slowest          ? "the host's link is the slowest part"
      : !layers.list[l].canCut ? "this is the slowest part and cannot be cut"
      : layers.list[l].widest() == 1 && layers.list[l].tallest() == 1
          ? "this is the slowest part and has no more pixels to share"
          : "this is the slowest part and the chip has no room for another "
            "copy, or its rows cannot be sent to more";
  double bound = boundNs(layers);
  at->emitRemark() << why << "; a sample every " << microseconds(periodNs)
                   << " at best, and no mapping of this network is below "
                   << microseconds(bound);
}

LogicalResult Replicator::run(bool latency) {
  insertRelays();
  // Where cores share a port, starting products is slower than sending.
  if (!latency && chip.tile.issue_ns == 0)
    insertSenders();
  spreadWaitingRows();
  Layers layers(function, model);
  if (failed(readCopies(layers)))
    return failure();
  Choice best = choose(layers, std::numeric_limits<double>::infinity());
  double slowest = best.slowestNs;
  std::optional<Outcome> reached = outcome(best, /*links=*/true);
  auto measure = [&](const Outcome &o) {
    return latency ? o.latencyNs + o.periodNs : o.periodNs;
  };
  // Shorter and shorter targets, then closer ones around the best. Few copies
  // may not fit where many do, as wide rows take memory, and many may be
  // slower, as their rows take links; so all steps are looked at, but the
  // networks only where the cores promise more than is reached.
  struct Candidate {
    int step;
    Choice choice;
    double least;
  };
  std::set<std::vector<std::pair<int64_t, int64_t>>> seen = {best.copies};
  auto look = [&](int step) -> std::optional<Candidate> {
    if (step < 0 || step >= kMostSteps)
      return std::nullopt;
    Candidate candidate{step, choose(layers, slowest * std::pow(kStep, step)),
                        0};
    if (!seen.insert(candidate.choice.copies).second)
      return std::nullopt;
    std::optional<Outcome> o = outcome(candidate.choice, /*links=*/false);
    if (!o)
      return std::nullopt;
    candidate.least = measure(*o);
    return candidate;
  };
  int at = 0;
  auto take = [&](Candidate &candidate) {
    if (reached && candidate.least >= measure(*reached) * 0.999)
      return false;
    std::optional<Outcome> o = outcome(candidate.choice, /*links=*/true);
    if (o && (!reached || measure(*o) < measure(*reached) * 0.999)) {
      best = std::move(candidate.choice);
      reached = o;
      at = candidate.step;
    }
    return true;
  };
  std::vector<Candidate> candidates;
  for (int step = kCoarse; step < kMostSteps; step += kCoarse)
    if (auto candidate = look(step))
      candidates.push_back(std::move(*candidate));
  std::stable_sort(
      candidates.begin(), candidates.end(),
      [](const Candidate &a, const Candidate &b) { return a.least < b.least; });
  for (Candidate &candidate : candidates)
    if (!take(candidate))
      break;
  for (int stride = kCoarse / 2; stride > 0; stride /= 2)
    for (int step : {at - stride, at + stride})
      if (auto candidate = look(step))
        take(*candidate);
  use(layers, best);
  plan(layers, function, best);
  remark(layers, best, reached ? reached->periodNs : best.slowestNs);
  std::vector<cimc::cim::LayerCopies> named = name(layers);
  layers.apply();
  noteCopies(std::move(named), layers);
  removeRelays();
  return success();
}

struct CIMReplicate : cimc::impl::CIMReplicateBase<CIMReplicate> {
  using CIMReplicateBase::CIMReplicateBase;

  void runOnOperation() override {
    if (mode != "throughput" && mode != "latency" && mode != "none") {
      getOperation().emitError() << "cim-replicate: mode is '" << mode
                                 << "'; it can be throughput, latency or none";
      return signalPassFailure();
    }
    FailureOr<cimc::ChipSpec> chip = cimc::cim::getChipSpec(getOperation());
    if (failed(chip))
      return signalPassFailure();
    if (mode == "none")
      return;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() &&
          failed(
              Replicator(function, *chip, memory, seed,
                         static_cast<double>(std::max<int64_t>(slack, 0)) / 100)
                  .run(mode == "latency")))
        return signalPassFailure();
  }
};
} // namespace
