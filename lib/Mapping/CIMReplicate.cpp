//===- CIMReplicate.cpp - copies of the weights of slow layers -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CIM/CIM.h"
#include "cimc/Mapping/Passes.h"
#include "cimc/Target/CostModel.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/Format.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace cimc {
#define GEN_PASS_DEF_CIMREPLICATE
#include "cimc/Mapping/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc::cim;

namespace {

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Cycles of the instructions around the work of a row: wait, acquire, post
/// and free, one each.
constexpr int64_t kRowCycles = 4;
/// The least part of the latency for which latency mode spends a macro.
constexpr double kLeastGain = 0.002;

/// A feature map's extents.
struct Extents {
  int64_t rows, pixels, channels, bytes; ///< bytes of an element
  explicit Extents(Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    rows = type.getDimSize(0);
    pixels = type.getDimSize(1);
    channels = type.getDimSize(2);
    bytes = std::max<int64_t>(1, type.getElementTypeBitWidth() / 8);
  }
  int64_t row() const { return pixels * channels; }
};

/// Tiles whose sums, added and requantized, are some columns of a layer.
struct Unit {
  RequantizeOp root;
  SumOp sum; ///< null where one tile holds all rows of the matrix
  SmallVector<MvmOp> tiles;
};

/// All columns of a weight matrix; copied as a whole.
struct Layer {
  SmallVector<Unit> units;
  int64_t pixels = 0;
  int64_t macros = 0, tiles = 0; ///< of one copy
  int64_t copies = 1;

  int64_t part(int64_t c) const { return ceilDiv(pixels, c); }
  /// The next number of copies with smaller parts; `copies` if there is none.
  int64_t next() const {
    for (int64_t c = copies + 1; c <= pixels; ++c)
      if (part(c) < part(copies))
        return c;
    return copies;
  }
};

/// The units of a product: the tiles behind a requantization, if that is all
/// that reads them.
std::optional<Unit> unitOf(RequantizeOp root) {
  Unit unit{root, {}, {}};
  Operation *producer = root.getInput().getDefiningOp();
  if (!producer || !producer->hasOneUse())
    return std::nullopt;
  if (auto tile = dyn_cast<MvmOp>(producer)) {
    unit.tiles.push_back(tile);
    return unit;
  }
  unit.sum = dyn_cast<SumOp>(producer);
  if (!unit.sum)
    return std::nullopt;
  for (Value input : unit.sum.getInputs()) {
    auto tile = input.getDefiningOp<MvmOp>();
    if (!tile || !tile->hasOneUse())
      return std::nullopt;
    unit.tiles.push_back(tile);
  }
  return unit;
}

class Replicator {
public:
  Replicator(func::FuncOp function, const cimc::ChipSpec &chip)
      : function(function), chip(chip), costs(chip),
        cycle(1e3 / chip.core.clock_mhz) {}

  void run(bool latency);

private:
  void collect();
  int64_t weightBits(MvmOp op) const;
  int64_t macrosOf(MvmOp op) const;
  bool fits(const Layer &layer, int64_t copies) const;
  Layer *layerOf(Operation *op) {
    auto found = members.find(op);
    return found == members.end() ? nullptr : &layers[found->second];
  }

  int64_t readers(Value value);
  double sendNs(int64_t bytes) const;
  double tileNs(MvmOp op, int64_t pixels) const;
  double vectorNs(Operation *op, int64_t pixels) const;
  double busyNs(Operation *op);
  void evaluate();

  void forThroughput();
  void takeBack();
  void forLatency();
  void remark();
  void apply(const Layer &layer);

  func::FuncOp function;
  const cimc::ChipSpec &chip;
  cimc::CostModel costs;
  double cycle; ///< ns
  std::vector<Layer> layers;
  llvm::DenseMap<Operation *, size_t> members; ///< index into layers
  int64_t usedMacros = 0, usedCores = 0;       ///< with one copy of everything

  // What evaluate() finds.
  double slowest = 0, latencyNs = 0;
  Operation *bottleneck = nullptr; ///< null: the host's link
};

int64_t Replicator::weightBits(MvmOp op) const {
  auto weights =
      SymbolTable::lookupNearestSymbolFrom<WeightsOp>(op, op.getWeightsAttr());
  return weights ? static_cast<int64_t>(weights.getBits()) : 8;
}

int64_t Replicator::macrosOf(MvmOp op) const {
  int64_t columns = std::max<int64_t>(1, chip.weightColumns(weightBits(op)));
  return ceilDiv(Extents(op.getResult()).channels, columns);
}

void Replicator::collect() {
  llvm::MapVector<Attribute, SmallVector<Unit>> matrices;
  for (Operation &op : function.getBody().front()) {
    if (auto tile = dyn_cast<MvmOp>(op)) {
      usedMacros += macrosOf(tile);
      ++usedCores;
    } else if (isa<DepthwiseOp, MatMulOp>(op)) {
      ++usedCores;
    } else if (auto root = dyn_cast<RequantizeOp>(op)) {
      if (std::optional<Unit> unit = unitOf(root))
        matrices[unit->tiles.front().getWeightsAttr()].push_back(*unit);
    }
  }
  for (auto &[matrix, units] : matrices) {
    Layer layer;
    layer.pixels = Extents(units.front().root.getResult()).pixels;
    for (Unit &unit : units) {
      layer.pixels =
          std::min(layer.pixels, Extents(unit.root.getResult()).pixels);
      for (MvmOp tile : unit.tiles) {
        layer.macros += macrosOf(tile);
        ++layer.tiles;
        members[tile] = layers.size();
      }
      if (unit.sum)
        members[unit.sum] = layers.size();
      members[unit.root] = layers.size();
    }
    layer.units = std::move(units);
    layers.push_back(std::move(layer));
  }
}

/// True if the chip holds so many copies of `layer`, each tile on a core that
/// nothing else needs.
bool Replicator::fits(const Layer &layer, int64_t copies) const {
  int64_t macros = usedMacros + (copies - layer.copies) * layer.macros;
  int64_t tiles = usedCores + (copies - layer.copies) * layer.tiles;
  for (const Layer &other : layers) {
    macros += (other.copies - 1) * other.macros;
    tiles += (other.copies - 1) * other.tiles;
  }
  // A sum and a requantization run beside the first tile.
  return chip.core.streams >= 3 && macros <= chip.macros() / 8 * 7 &&
         tiles <= chip.cores() - std::max<int64_t>(1, chip.cores() / 8);
}

//===----------------------------------------------------------------------===//
// The time model
//===----------------------------------------------------------------------===//

/// Streams a row of the value is sent to. A reader on the producer's core
/// costs nothing, but where it will be is not known yet.
int64_t Replicator::readers(Value value) {
  int64_t count = 0;
  for (Operation *user : value.getUsers()) {
    if (auto concat = dyn_cast<ConcatOp>(user); concat && concat.getAxis() != 0)
      count += readers(concat.getResult());
    else if (auto reshape = dyn_cast<ReshapeOp>(user))
      count += readers(reshape.getResult());
    else if (Layer *layer = layerOf(user); layer && isa<MvmOp>(user))
      count += layer->copies;
    else
      ++count;
  }
  return count;
}

double Replicator::sendNs(int64_t bytes) const {
  return static_cast<double>(ceilDiv(bytes * 8, chip.noc.link_bits)) * 1e3 /
         chip.noc.clock_mhz;
}

/// Time of one row of products, `pixels` wide.
double Replicator::tileNs(MvmOp op, int64_t pixels) const {
  Extents in(op.getInput());
  return costs
             .mvm(pixels, static_cast<int64_t>(op.getKSize()),
                  Extents(op.getResult()).channels, macrosOf(op),
                  weightBits(op), in.bytes * 8, chip.macro.partial_sum_depth)
             .ns +
         static_cast<double>(kRowCycles) * cycle;
}

/// Time of one result row of a vector operation, `pixels` wide.
double Replicator::vectorNs(Operation *op, int64_t pixels) const {
  Extents out(op->getResult(0));
  int64_t elements = pixels * out.channels;
  auto taps = [](WindowAttr window) {
    return window.getKernel()[0] * window.getKernel()[1];
  };
  auto [operations, isFloat] =
      TypeSwitch<Operation *, std::pair<int64_t, bool>>(op)
          .Case([&](DepthwiseOp o) {
            return std::pair(elements * taps(o.getWindow()), false);
          })
          .Case([&](MaxPoolOp o) {
            return std::pair(elements * taps(o.getWindow()), false);
          })
          .Case([&](AvgPoolOp o) {
            return std::pair(elements * (taps(o.getWindow()) + 1), true);
          })
          .Case([&](SumOp o) {
            return std::pair(
                elements * static_cast<int64_t>(o.getInputs().size()), false);
          })
          .Case([&](RowSumOp o) {
            Extents in(o.getInput());
            return std::pair(in.rows * in.row(), false);
          })
          .Case([&](MatMulOp o) {
            return std::pair(static_cast<int64_t>(o.getBatch() * o.getM() *
                                                  o.getK() * o.getN()) /
                                 std::max<int64_t>(1, out.rows),
                             false);
          })
          .Case<AddOp, MulOp>(
              [&](Operation *) { return std::pair(2 * elements, false); })
          .Case<QuantizeOp, DequantizeOp>(
              [&](Operation *) { return std::pair(elements, true); })
          .Case<MapOp>(
              [&](Operation *) { return std::pair(4 * elements, true); })
          .Case<SoftmaxF32Op>(
              [&](Operation *) { return std::pair(11 * elements, true); })
          .Case<SoftmaxOp>(
              [&](Operation *) { return std::pair(6 * elements, false); })
          .Case<ReshapeOp, ConcatOp, ConstantOp>(
              [&](Operation *) { return std::pair(int64_t(0), false); })
          .Default([&](Operation *) { return std::pair(elements, false); });
  if (operations == 0)
    return 0;
  return costs.vector(operations, isFloat).ns +
         static_cast<double>(kRowCycles) * cycle;
}

/// How long the stream of an operation, or of its slowest copy, is busy with
/// one sample, with whatever runs on the vector unit only for it.
double Replicator::busyNs(Operation *op) {
  Extents out(op->getResult(0));
  Layer *layer = layerOf(op);
  int64_t pixels = layer ? ceilDiv(out.pixels, layer->copies) : out.pixels;
  auto rows = static_cast<double>(out.rows);
  int64_t bytes = pixels * out.channels * out.bytes;
  if (auto tile = dyn_cast<MvmOp>(op)) {
    double ns = tileNs(tile, pixels);
    // Partial sums go to the core that adds them.
    for (Operation *user : op->getUsers())
      if (isa<SumOp>(user))
        ns += sendNs(bytes);
    return rows * ns;
  }
  double ns = vectorNs(op, pixels);
  if (auto root = dyn_cast<RequantizeOp>(op)) {
    // What it reads was made on the same vector unit.
    Operation *producer = root.getInput().getDefiningOp();
    double before =
        producer && !isa<MvmOp>(producer) ? vectorNs(producer, pixels) : 0;
    double sends =
        static_cast<double>(readers(op->getResult(0))) * sendNs(bytes);
    return rows * (ns + std::max(before, sends));
  }
  if (isa<SumOp, DepthwiseOp, ConcatOp, ConstantOp>(op))
    return rows * ns;
  return rows *
         (ns + static_cast<double>(readers(op->getResult(0))) * sendNs(bytes));
}

/// The slowest stream, and how long a sample takes through all of them: a
/// stream begins when the first rows that it needs are there, and ends a row
/// after those it reads from, or when its own work is done.
void Replicator::evaluate() {
  struct Span {
    double start = 0, row = 0, finish = 0;
  };
  llvm::DenseMap<Value, Span> spans;
  slowest = latencyNs = 0;
  bottleneck = nullptr;
  for (BlockArgument argument : function.getArguments()) {
    Extents map(argument);
    double row =
        static_cast<double>(map.row() * map.bytes * readers(argument)) /
        chip.host.gb_per_s;
    double all = row * static_cast<double>(map.rows);
    slowest = std::max(slowest, all);
    spans[argument] = {0, row, all};
  }
  for (Operation &op : function.getBody().front()) {
    auto stream = dyn_cast<StreamOpInterface>(op);
    if (!stream)
      continue;
    double busy = busyNs(&op);
    if (busy > slowest) {
      slowest = busy;
      bottleneck = &op;
    }
    Span span;
    span.row = busy / static_cast<double>(Extents(op.getResult(0)).rows);
    for (OpOperand &operand : op.getOpOperands()) {
      Span in = spans.lookup(operand.get());
      RowDependence rows = stream.getRowDependence(operand.getOperandNumber());
      int64_t first =
          std::clamp<int64_t>(rows.need, 1, Extents(operand.get()).rows);
      span.start =
          std::max(span.start, in.start + in.row * static_cast<double>(first));
      span.finish = std::max(span.finish, in.finish + span.row);
    }
    span.finish = std::max(span.finish, span.start + busy);
    latencyNs = std::max(latencyNs, span.finish);
    spans[op.getResult(0)] = span;
  }
}

//===----------------------------------------------------------------------===//
// Choosing
//===----------------------------------------------------------------------===//

void Replicator::forThroughput() {
  for (;;) {
    evaluate();
    double before = slowest;
    Operation *slow = bottleneck;
    Layer *layer = slow ? layerOf(slow) : nullptr;
    if (!layer || layer->next() == layer->copies ||
        !fits(*layer, layer->next()))
      return;
    int64_t copies = layer->copies;
    layer->copies = layer->next();
    evaluate();
    // Another layer may be as slow, and is next; but no stream may become
    // slower than the slowest was.
    if (slowest > before || busyNs(slow) >= before) {
      layer->copies = copies;
      evaluate();
      return;
    }
  }
}

/// Fewer copies where others are the bottleneck in the end.
void Replicator::takeBack() {
  evaluate();
  double reached = slowest;
  for (Layer &layer : layers)
    while (layer.copies > 1) {
      --layer.copies;
      evaluate();
      if (slowest > reached) {
        ++layer.copies;
        break;
      }
    }
  evaluate();
}

void Replicator::forLatency() {
  for (;;) {
    evaluate();
    double before = latencyNs, period = slowest, best = 0;
    Layer *chosen = nullptr;
    for (Layer &layer : layers) {
      int64_t copies = layer.copies, next = layer.next();
      if (next == copies || !fits(layer, next))
        continue;
      layer.copies = next;
      evaluate();
      layer.copies = copies;
      double gain = (before - latencyNs) /
                    static_cast<double>((next - copies) * layer.macros);
      if (gain > best && slowest <= period) {
        best = gain;
        chosen = &layer;
      }
    }
    if (!chosen || best < kLeastGain * before)
      return;
    chosen->copies = chosen->next();
  }
}

void Replicator::remark() {
  evaluate();
  for (const Layer &layer : layers) {
    if (layer.copies == 1)
      continue;
    RequantizeOp root = layer.units.front().root;
    root.emitRemark() << layer.copies << " copies of its weights on "
                      << layer.copies * layer.macros << " macros: each makes "
                      << layer.part(layer.copies) << " of " << layer.pixels
                      << " pixels of a row";
  }
  Operation *at = bottleneck ? bottleneck : function.getOperation();
  std::string time;
  llvm::raw_string_ostream(time) << llvm::format("%.3g us", slowest * 1e-3);
  Layer *layer = bottleneck ? layerOf(bottleneck) : nullptr;
  const char *why = !bottleneck ? "the host's link is the slowest part"
                    : !layer    ? "this is the slowest part and is not copied"
                    : layer->next() == layer->copies
                        ? "this is the slowest part and has no more pixels to "
                          "share"
                    : !fits(*layer, layer->next())
                        ? "this is the slowest part and the chip has no room "
                          "for another copy"
                        : "this is the slowest part and what it reads cannot "
                          "be sent to more copies in time";
  at->emitRemark() << why << "; a sample every " << time << " at best";
}

//===----------------------------------------------------------------------===//
// Copying
//===----------------------------------------------------------------------===//

void Replicator::apply(const Layer &layer) {
  for (const Unit &unit : layer.units) {
    OpBuilder builder(unit.root);
    RequantizeOp root = unit.root;
    auto type = cast<RankedTensorType>(root.getResult().getType());
    int64_t all = type.getDimSize(1), copies = std::min(layer.copies, all);
    SmallVector<Value> parts;
    for (int64_t i = 0; i < copies; ++i) {
      int64_t begin = all * i / copies, end = all * (i + 1) / copies;
      auto cut = [&](Operation *op, ValueRange operands) {
        Operation *copy = builder.clone(*op);
        copy->setOperands(operands);
        auto whole = cast<RankedTensorType>(op->getResult(0).getType());
        SmallVector<int64_t> shape(whole.getShape());
        shape[1] = end - begin;
        copy->getResult(0).setType(whole.clone(shape));
        return copy->getResult(0);
      };
      SmallVector<Value> sums;
      for (MvmOp tile : unit.tiles) {
        Value products = cut(tile, tile->getOperands());
        products.getDefiningOp<MvmOp>().setXBegin(
            static_cast<int64_t>(tile.getXBegin()) + begin);
        sums.push_back(products);
      }
      Value sum = unit.sum ? cut(unit.sum, sums) : sums.front();
      parts.push_back(cut(root, sum));
    }
    auto joined =
        ConcatOp::create(builder, root.getLoc(), type, parts, 1, IntegerAttr());
    joined->setAttr("cim.copies", builder.getI64IntegerAttr(copies));
    root.getResult().replaceAllUsesWith(joined.getResult());
    root.erase();
    if (SumOp sum = unit.sum)
      sum.erase();
    for (MvmOp tile : unit.tiles)
      tile.erase();
  }
}

void Replicator::run(bool latency) {
  collect();
  forThroughput();
  takeBack();
  if (latency)
    forLatency();
  remark();
  for (const Layer &layer : layers)
    if (layer.copies > 1)
      apply(layer);
}

struct CIMReplicate : cimc::impl::CIMReplicateBase<CIMReplicate> {
  using CIMReplicateBase::CIMReplicateBase;

  void runOnOperation() override {
    if (mode != "throughput" && mode != "latency" && mode != "none") {
      getOperation().emitError() << "cim-replicate: mode is '" << mode
                                 << "'; it can be throughput, latency or none";
      return signalPassFailure();
    }
    FailureOr<cimc::ChipSpec> chip = getChipSpec(getOperation());
    if (failed(chip))
      return signalPassFailure();
    if (mode == "none")
      return;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal())
        Replicator(function, *chip).run(mode == "latency");
  }
};
} // namespace
