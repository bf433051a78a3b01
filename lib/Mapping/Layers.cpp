//===- Layers.cpp - operations that are cut alike ---------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Layers.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/MapVector.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

using namespace mlir;

namespace cimc::mapping {

Layers::Layers(func::FuncOp function, const LoadModel &model)
    : function(function), model(model) {
  llvm::DenseMap<Attribute, int64_t> matrices;
  // Where a row waits for the one before, turns would gain nothing.
  bool isRecurrent =
      llvm::any_of(function.getBody().front(),
                   [](Operation &op) { return isa<cim::DelayOp>(op); });
  auto fits = [&](int64_t index, const Extents &out) {
    return list[index].pixels == out.pixels && list[index].rows == out.rows;
  };
  for (Operation &op : function.getBody().front()) {
    if (!isa<cim::StreamOpInterface>(op) || isGlue(&op))
      continue;
    Extents out(op.getResult(0));
    int64_t index = -1;
    if (auto tile = dyn_cast<cim::MvmOp>(op)) {
      auto [found, isNew] =
          matrices.try_emplace(tile.getWeightsAttr(), list.size());
      if (!isNew && fits(found->second, out))
        index = found->second;
    } else if (isPixelwise(&op)) {
      // Beside what it reads, where nothing else reads that.
      for (OpOperand &operand : op.getOpOperands())
        if (Operation *producer = operand.get().getDefiningOp();
            producer && !isMatrix(operand) && operand.get().hasOneUse() &&
            of(producer) >= 0 && list[of(producer)].canCut &&
            fits(of(producer), out))
          index = std::max(index, of(producer));
    }
    if (index < 0) {
      index = static_cast<int64_t>(list.size());
      list.emplace_back();
      list.back().rows = out.rows;
      list.back().pixels = out.pixels;
      // The host sends whole rows.
      bool isFed =
          isa<cim::ReshapeOp>(op) && isa<BlockArgument>(op.getOperand(0));
      list.back().isSum = isa<cim::RowSumOp>(op) &&
                          getElementTypeOrSelf(op.getResult(0)).isInteger(32);
      if (list.back().isSum)
        list.back().pixels = Extents(op.getOperand(0)).pixels;
      list.back().canTakeTurns = !isRecurrent && !list.back().isSum;
      list.back().canCut =
          list.back().isSum
              ? list.back().pixels > 1
              : (out.pixels > 1 || (out.rows > 1 && !isRecurrent)) && !isFed &&
                    (windowOf(&op) || isPixelwise(&op));
    }
    list[index].ops.push_back(&op);
    member[&op] = index;
  }
  // Parts are written in place of a layer's last operation.
  for (Layer &layer : list)
    for (Operation *op : layer.ops)
      for (Operation *user : op->getUsers())
        if (of(user) != of(op) && user->isBeforeInBlock(layer.ops.back()))
          layer.canCut = false;
}

std::vector<Layers::Read> Layers::reads(Value value) const {
  std::vector<Read> all;
  int64_t pixels = Extents(value).pixels;
  for (OpOperand &use : value.getUses()) {
    Operation *user = use.getOwner();
    int64_t index = of(user);
    if (isGlue(user)) {
      // The slices of a concatenation begin where those before it end.
      int64_t begin = 0, step = 1;
      bool isWhole = Extents(user->getResult(0)).pixels != pixels;
      if (auto slice = dyn_cast<cim::SliceOp>(user)) {
        begin = static_cast<int64_t>(slice.getBegin());
        step = static_cast<int64_t>(slice.getStep());
        isWhole = false;
      } else if (auto concat = dyn_cast<cim::ConcatOp>(user);
                 concat && concat.getAxis() == 1) {
        for (unsigned i = 0; i < use.getOperandNumber(); ++i)
          begin -= Extents(concat.getInputs()[i]).pixels;
        isWhole = false;
      }
      for (const Read &read : reads(user->getResult(0))) {
        PixelRange range = {begin + read.pixels.begin * step,
                            begin + (read.pixels.end - 1) * step + 1};
        range = isWhole ? PixelRange{0, pixels}
                        : PixelRange{std::max<int64_t>(range.begin, 0),
                                     std::min(range.end, pixels)};
        if (range.begin < range.end)
          all.push_back({range, read.share / static_cast<double>(step)});
      }
    } else if (index < 0) {
      all.push_back({{0, pixels}, 1}); // the host
    } else if (!isBeside(use)) {
      const Layer &layer = list[index];
      for (int64_t i = 0; i < (layer.canCut ? layer.copies : 1); ++i) {
        PixelRange range =
            layer.canCut
                ? pixelsRead(user, use.getOperandNumber(), layer.part(i))
                : PixelRange{0, pixels};
        if (range.begin < range.end)
          all.push_back({range, 1});
      }
    }
  }
  llvm::stable_sort(all, [](const Read &a, const Read &b) {
    return std::make_tuple(a.pixels.begin, -a.pixels.end, -a.share) <
           std::make_tuple(b.pixels.begin, -b.pixels.end, -b.share);
  });
  return all;
}

Layers::Sent Layers::sent(const std::vector<Read> &reads, PixelRange part) {
  Sent all;
  Read last{{0, 0}, 1}; // that is sent and ends last
  // As they begin in order, one that another one holds comes after it.
  for (const Read &read : reads) {
    PixelRange range = {std::max(read.pixels.begin, part.begin),
                        std::min(read.pixels.end, part.end)};
    if (range.begin >= range.end ||
        (last.pixels.holds(range) &&
         (last.share == 1 || last.share == read.share)))
      continue;
    all.pixels += read.share * static_cast<double>(range.end - range.begin);
    ++all.messages;
    if (range.end >= last.pixels.end)
      last = {range, read.share};
  }
  return all;
}

Layers::Sent Layers::mostSent(const std::vector<Read> &reads,
                              const Layer &layer) {
  Sent most;
  for (int64_t i = 0; i < layer.copies; ++i) {
    Sent of = sent(reads, layer.part(i));
    if (of.pixels > most.pixels)
      most = of;
  }
  return most;
}

Load Layers::load(Operation *op, PixelRange part, int64_t rows,
                  const Sent &sent) const {
  int64_t pixels = part.end - part.begin;
  Load load = model.of(op, pixels);
  Extents out(op->getResult(0));
  if (list[of(op)].isSum) {
    Extents in(op->getOperand(0));
    double share = static_cast<double>(pixels) / static_cast<double>(in.pixels);
    load.vectorNs *= share;
    load.inNs *= share;
    load.bytes = std::llround(static_cast<double>(load.bytes) * share);
    load.outNs = model.sendNs(static_cast<double>(out.channels * out.bytes), 1);
    return load;
  }
  double share = static_cast<double>(rows) / static_cast<double>(out.rows);
  load.macroNs *= share;
  load.issueNs *= share;
  load.vectorNs *= share;
  load.controlNs *= share;
  load.outNs = model.sendNs(sent.pixels * static_cast<double>(rows) *
                                static_cast<double>(out.channels * out.bytes),
                            sent.messages * static_cast<double>(rows));
  return load;
}

//===----------------------------------------------------------------------===//
// Cutting
//===----------------------------------------------------------------------===//

static bool readsPadding(Layer &layer) {
  for (Operation *op : layer.ops)
    if (windowOf(op))
      for (int64_t i = 0; i < layer.copies; ++i) {
        PixelRange range = pixelsRead(op, 0, layer.part(i));
        if (range.begin >= range.end)
          return true;
      }
  return false;
}

void Layers::cut(Layer &layer) {
  // A part that reads nothing but padding would read no map.
  while (layer.copies > 1 && readsPadding(layer))
    --layer.copies;
  if (layer.copies == 1 && layer.phases == 1)
    return;
  OpBuilder builder(layer.ops.back());
  // By phase, then by range of pixels.
  std::vector<IRMapping> parts(layer.phases * layer.copies);
  std::map<std::tuple<unsigned, int64_t, int64_t, int64_t>, Value> slices;
  SmallVector<Value> sliced; // numbers values in a deterministic order
  // Pixels of all rows, or (`phase` not negative) of those of a phase.
  auto slice = [&](Value value, PixelRange range, int64_t phase) -> Value {
    Extents map(value);
    bool isWide = range.begin == 0 && range.end == map.pixels;
    if (isWide && phase < 0)
      return value;
    auto at = llvm::find(sliced, value);
    auto number = static_cast<unsigned>(at - sliced.begin());
    if (at == sliced.end())
      sliced.push_back(value);
    Value &result = slices[{number, range.begin, range.end, phase}];
    if (!result) {
      auto type = cast<RankedTensorType>(value.getType());
      int64_t step = phase < 0 ? 1 : layer.phases;
      int64_t first = std::max<int64_t>(phase, 0);
      int64_t shape[] = {layer.rowsOf(map.rows, first, step),
                         range.end - range.begin, map.channels};
      result = cim::SliceOp::create(builder, value.getLoc(), type.clone(shape),
                                    value, range.begin, 1, first, step);
    }
    return result;
  };
  for (size_t i = 0; i < parts.size(); ++i)
    for (Operation *op : layer.ops) {
      int64_t phase = static_cast<int64_t>(i) / layer.copies;
      PixelRange range = layer.part(static_cast<int64_t>(i) % layer.copies);
      auto window = op->getAttrOfType<cim::WindowAttr>("window");
      SmallVector<Value> operands;
      int64_t first = 0; // of the pixels read
      for (OpOperand &operand : op->getOpOperands()) {
        if (Value inside = parts[i].lookupOrNull(operand.get())) {
          operands.push_back(inside);
          continue;
        }
        PixelRange read = pixelsRead(op, operand.getOperandNumber(), range);
        // A window finds its rows by itself; a row that serves all stays, and
        // so does a matrix that does.
        auto product = dyn_cast<cim::MatMulF32Op>(op);
        bool takesTurns = layer.phases > 1 &&
                          !(window && operand.getOperandNumber() == 0) &&
                          !(isMatrix(operand) && product.getShared()) &&
                          Extents(operand.get()).rows == layer.rows;
        operands.push_back(slice(operand.get(), read, takesTurns ? phase : -1));
        if (operand.getOperandNumber() == 0)
          first = read.begin;
      }
      Operation *copy = builder.clone(*op);
      copy->setOperands(operands);
      copy->setAttr(
          cim::kPartAttrName,
          builder.getDenseI64ArrayAttr({range.begin, range.end, layer.pixels}));
      auto type = cast<RankedTensorType>(op->getResult(0).getType());
      SmallVector<int64_t> shape(type.getShape());
      shape[0] = layer.rowsOf(layer.rows, phase, layer.phases);
      if (!layer.isSum)
        shape[1] = range.end - range.begin;
      copy->getResult(0).setType(type.clone(shape));
      if (window) {
        SmallVector<int64_t> pad(window.getPad()), stride(window.getStride());
        // The window of the part's first pixel begins where the slice does, or
        // in the padding before it; that of its first row where the phase does.
        if (windowOf(op))
          pad[1] += first - range.begin * stride[1];
        pad[0] -= phase * stride[0];
        stride[0] *= layer.phases;
        copy->setAttr("window",
                      cim::WindowAttr::get(op->getContext(), window.getKernel(),
                                           stride, pad, window.getDilation()));
      }
      parts[i].map(op->getResult(0), copy->getResult(0));
    }
  auto inside = [&](Operation *user) {
    return llvm::is_contained(layer.ops, user);
  };
  for (Operation *op : layer.ops) {
    if (llvm::all_of(op->getUsers(), inside))
      continue;
    Value result = op->getResult(0);
    auto type = cast<RankedTensorType>(result.getType());
    SmallVector<Value> turns;
    for (int64_t phase = 0; phase < layer.phases; ++phase) {
      SmallVector<Value> row;
      for (int64_t i = 0; i < layer.copies; ++i)
        row.push_back(parts[phase * layer.copies + i].lookup(result));
      SmallVector<int64_t> shape(type.getShape());
      shape[0] = layer.rowsOf(layer.rows, phase, layer.phases);
      if (layer.isSum) {
        turns.push_back(
            cim::SumOp::create(builder, op->getLoc(), type, row, IntegerAttr())
                .getResult());
        continue;
      }
      turns.push_back(layer.copies == 1
                          ? row.front()
                          : cim::ConcatOp::create(builder, op->getLoc(),
                                                  type.clone(shape), row, 1,
                                                  IntegerAttr())
                                .getResult());
    }
    result.replaceAllUsesWith(
        layer.phases == 1
            ? turns.front()
            : cim::InterleaveOp::create(builder, op->getLoc(), type, turns)
                  .getResult());
  }
  for (Operation *op : llvm::reverse(layer.ops)) {
    member.erase(op);
    op->erase();
  }
}

void Layers::apply() {
  for (Layer &layer : list)
    cut(layer);
}

} // namespace cimc::mapping
