//===- Load.cpp - what a stream asks of a core ------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Load.h"

#include "cimc/Support/Numerics.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace cimc::mapping {

/// Cycles of the instructions around the work of a row: wait, acquire, post
/// and free, one each.
static constexpr int64_t kRowCycles = 4;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

Extents::Extents(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  rows = type.getDimSize(0);
  pixels = type.getDimSize(1);
  channels = type.getDimSize(2);
  bytes = std::max<int64_t>(1, type.getElementTypeBitWidth() / 8);
}

bool isGlue(Operation *op) {
  if (auto concat = dyn_cast<cim::ConcatOp>(op))
    return concat.getAxis() != 0;
  if (isa<cim::ReshapeOp>(op))
    return !op->hasAttr(cim::kCopyAttrName) &&
           Extents(op->getOperand(0)).rows == Extents(op->getResult(0)).rows;
  return isa<cim::SliceOp, cim::InterleaveOp, cim::ConstantOp>(op);
}

bool isPixelwise(Operation *op) {
  if (isa<cim::ReshapeOp>(op))
    return op->hasAttr(cim::kCopyAttrName) &&
           op->getOperand(0).getType() == op->getResult(0).getType();
  return isa<cim::SumOp, cim::RequantizeOp, cim::AddOp, cim::MulOp,
             cim::LookupOp, cim::SoftmaxOp, cim::SoftmaxF32Op, cim::QuantizeOp,
             cim::DequantizeOp, cim::MapOp, cim::DigitsOp, cim::CombineOp,
             cim::MatMulF32Op>(op);
}

bool isMatrix(OpOperand &operand) {
  return operand.getOperandNumber() == 1 &&
         isa<cim::MatMulF32Op>(operand.getOwner());
}

bool isBeside(OpOperand &operand) {
  Operation *from = operand.get().getDefiningOp();
  return operand.getOperandNumber() == 0 && isPixelwise(operand.getOwner()) &&
         from && !isGlue(from) && operand.get().hasOneUse();
}

cim::WindowAttr windowOf(Operation *op) {
  // Their windows are rows.
  if (isa<cim::UnitOp, cim::DigitsOp>(op))
    return {};
  return op->getAttrOfType<cim::WindowAttr>("window");
}

PixelRange pixelsRead(Operation *op, unsigned operand, PixelRange range) {
  int64_t pixels = Extents(op->getOperand(operand)).pixels;
  if (isMatrix(op->getOpOperand(operand)))
    return {0, pixels};
  cim::WindowAttr window = windowOf(op);
  if (!window)
    return pixels == 1 ? PixelRange{0, 1} : range;
  int64_t stride = window.getStride()[1], pad = window.getPad()[1];
  int64_t extent = (window.getKernel()[1] - 1) * window.getDilation()[1] + 1;
  return {std::max<int64_t>(range.begin * stride - pad, 0),
          std::min((range.end - 1) * stride - pad + extent, pixels)};
}

double LoadModel::sendNs(double bytes) const {
  return bytes * 8 / static_cast<double>(chip.noc.link_bits) * 1e3 /
         chip.noc.clock_mhz;
}

double LoadModel::sendNs(double bytes, double messages) const {
  if (messages <= 0)
    return 0;
  double flits =
      std::ceil(bytes / messages * 8 / static_cast<double>(chip.noc.link_bits));
  return messages *
         std::max(flits * 1e3 / chip.noc.clock_mhz, 1e3 / chip.core.clock_mhz);
}

static int64_t weightBits(cim::MvmOp op) {
  auto weights = SymbolTable::lookupNearestSymbolFrom<cim::WeightsOp>(
      op, op.getWeightsAttr());
  return weights ? static_cast<int64_t>(weights.getBits()) : 8;
}

int64_t LoadModel::macrosOf(cim::MvmOp op) const {
  int64_t columns = std::max<int64_t>(1, chip.weightColumns(weightBits(op)));
  return ceilDiv(Extents(op.getResult()).channels, columns);
}

/// Time of one result row of a vector operation, `pixels` wide.
double LoadModel::vectorNs(Operation *op, int64_t pixels) const {
  Extents out(op->getResult(0));
  int64_t elements = pixels * out.channels;
  auto taps = [&] {
    cim::WindowAttr window = windowOf(op);
    return window.getKernel()[0] * window.getKernel()[1];
  };
  using Work = std::pair<int64_t, bool>; // operations, on floats
  auto [operations, isFloat] =
      TypeSwitch<Operation *, Work>(op)
          .Case<cim::DepthwiseOp, cim::MaxPoolOp>(
              [&](Operation *) { return Work(elements * taps(), false); })
          .Case([&](cim::AvgPoolOp) {
            return Work(elements * (taps() + 1), true);
          })
          .Case([&](cim::RowSumOp sum) {
            Extents in(sum.getInput());
            return Work(in.rows * in.pixels * in.channels, false);
          })
          .Case([&](cim::MatMulOp product) {
            return Work(static_cast<int64_t>(product.getBatch() *
                                             product.getM() * product.getK() *
                                             product.getN()) /
                            std::max<int64_t>(1, out.rows),
                        false);
          })
          .Case([&](cim::MatMulF32Op product) {
            return Work(2 * elements * Extents(product.getA()).channels, true);
          })
          .Case<cim::ReduceOp, cim::ScanOp, cim::TopKOp>([&](Operation *o) {
            return Work(pixels * Extents(o->getOperand(0)).channels, true);
          })
          .Case<cim::AddOp, cim::MulOp>(
              [&](Operation *) { return Work(2 * elements, false); })
          .Case<cim::QuantizeOp, cim::DequantizeOp>(
              [&](Operation *) { return Work(elements, true); })
          .Case([&](cim::UnitOp unit) {
            Extents in(unit.getInput());
            return Work(unit.getWindow().getKernel()[0] * in.pixels *
                            in.channels,
                        true);
          })
          .Case([&](cim::DigitsOp digits) {
            return Work(elements / digits.digits(), true);
          })
          .Case<cim::CombineOp>(
              [&](Operation *) { return Work(4 * elements, true); })
          .Case<cim::MapOp>(
              [&](Operation *) { return Work(4 * elements, true); })
          .Case<cim::SoftmaxF32Op>(
              [&](Operation *) { return Work(11 * elements, true); })
          .Case<cim::SoftmaxOp>(
              [&](Operation *) { return Work(6 * elements, false); })
          .Case<cim::ReshapeOp, cim::ConcatOp>(
              [&](Operation *) { return Work(0, false); })
          .Default([&](Operation *) { return Work(elements, false); });
  double ns = operations ? costs.vector(operations, isFloat).ns : 0;
  // A sum is an instruction for each operand.
  if (auto sum = dyn_cast<cim::SumOp>(op))
    ns *= static_cast<double>(sum.getInputs().size());
  return ns;
}

/// Rows an operation keeps of its inputs, a row of its result, and its
/// constants. Scheduling decides; this is what it usually comes to.
int64_t LoadModel::bytesOf(Operation *op, int64_t pixels,
                           ArrayRef<int64_t> heldRows, bool least) const {
  auto stream = cast<cim::StreamOpInterface>(op);
  bool isWide = windowOf(op) || isPixelwise(op);
  // Sums pass in chunks of a row.
  int64_t limit = std::max<int64_t>(chip.coreBytes() / 4, 256);
  auto isSum = [&](const Extents &map) {
    return isa<cim::MvmOp, cim::SumOp, cim::RequantizeOp, cim::ReshapeOp>(op) &&
           map.bytes == 4;
  };
  auto rowBytes = [&](const Extents &map, int64_t width) {
    int64_t bytes = width * map.channels * map.bytes;
    return isSum(map) ? ceilDiv(bytes, ceilDiv(bytes, limit)) : bytes;
  };
  auto wanted = op->getAttrOfType<DenseI64ArrayAttr>(cim::kRingsAttrName);
  int64_t bytes = 0;
  llvm::SmallDenseMap<Value, int64_t, 4> rings; // looked up only
  for (OpOperand &operand : op->getOpOperands()) {
    unsigned i = operand.getOperandNumber();
    Extents map(operand.get());
    if (Operation *producer = operand.get().getDefiningOp();
        producer && isa<cim::ConstantOp>(producer)) {
      bytes += map.rows * map.pixels * map.channels * map.bytes;
      continue;
    }
    PixelRange range =
        isWide ? pixelsRead(op, i, {0, pixels}) : PixelRange{0, map.pixels};
    cim::RowSelection selected = cim::selectedRows(operand.get());
    cim::RowDependence need = selected.of(stream.getRowDependence(i));
    int64_t rows = isa<cim::RowSumOp>(op) ? 1 // added one by one
                   : need.mul == 0        ? selected.rows
                                          : need.need - need.done + need.mul;
    if (!heldRows.empty())
      rows += heldRows[i] * selected.step;
    if (!least && need.mul != 0)
      rows = std::max(rows + 1, wanted && i < wanted.size() ? wanted[i] : 0);
    int64_t ring = std::clamp<int64_t>(rows, 1, selected.rows) *
                   rowBytes(map, range.end - range.begin);
    // A value that is read twice has one ring.
    int64_t &shared = rings[operand.get()];
    bytes += std::max<int64_t>(ring - shared, 0);
    shared = std::max(shared, ring);
  }
  Extents out(op->getResult(0));
  bool isWhole =
      isa<cim::MoveOp, cim::MatMulOp, cim::GatherOp, cim::ScatterOp>(op);
  bytes += (isWhole ? out.rows : 1) * rowBytes(out, pixels);
  if (isa<cim::RequantizeOp, cim::CombineOp>(op))
    bytes += out.channels * 8;
  if (auto depthwise = dyn_cast<cim::DepthwiseOp>(op))
    bytes += depthwise.getWeights().getNumElements() *
             (depthwise.getWeights().getElementType().isF32() ? 4 : 1);
  if (isa<cim::LookupOp>(op))
    bytes += 256;
  if (isa<cim::SoftmaxOp>(op))
    bytes += 1024;
  return bytes;
}

Load LoadModel::of(Operation *op, int64_t pixels,
                   ArrayRef<int64_t> heldRows) const {
  Extents out(op->getResult(0));
  auto rows = static_cast<double>(out.rows);
  Load load;
  load.bytes = bytesOf(op, pixels, heldRows, /*least=*/false);
  load.leastBytes = bytesOf(op, pixels, heldRows, /*least=*/true);
  load.controlNs =
      rows * static_cast<double>(kRowCycles) * 1e3 / chip.core.clock_mhz;
  bool isWide = windowOf(op) || isPixelwise(op);
  for (OpOperand &operand : op->getOpOperands()) {
    Extents in(operand.get());
    PixelRange range =
        isWide ? pixelsRead(op, operand.getOperandNumber(), {0, pixels})
               : PixelRange{0, in.pixels};
    // All rows come, also those that are passed over.
    load.inNs += sendNs(static_cast<double>(
        cim::selectedRows(operand.get()).rows * (range.end - range.begin) *
        in.channels * in.bytes));
  }
  if (auto tile = dyn_cast<cim::MvmOp>(op)) {
    load.macros = macrosOf(tile);
    load.rows = llvm::alignTo(tile.getKSize(), chip.macro.active_rows);
    load.rows = std::min(load.rows, chip.macro.rows);
    load.issueNs = rows * static_cast<double>(pixels) * chip.tile.issue_ns;
    load.macroNs =
        rows * costs
                   .mvm(pixels, static_cast<int64_t>(tile.getKSize()),
                        out.channels, load.macros, weightBits(tile),
                        Extents(tile.getInput()).bytes * 8,
                        chip.macro.partial_sum_depth)
                   .ns;
  } else {
    load.vectorNs = rows * vectorNs(op, pixels);
  }
  return load;
}

} // namespace cimc::mapping
