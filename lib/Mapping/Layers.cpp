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
#include "llvm/ADT/MapVector.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

using namespace mlir;

namespace cimc::mapping {

Layers::Layers(func::FuncOp function, const LoadModel &model)
    : function(function), model(model) {
  llvm::DenseMap<Attribute, int64_t> matrices;
  for (Operation &op : function.getBody().front()) {
    if (!isa<cim::StreamOpInterface>(op) || isGlue(&op))
      continue;
    Extents out(op.getResult(0));
    int64_t index = -1;
    if (auto tile = dyn_cast<cim::MvmOp>(op)) {
      auto [found, isNew] =
          matrices.try_emplace(tile.getWeightsAttr(), list.size());
      if (!isNew && list[found->second].pixels == out.pixels)
        index = found->second;
    } else if (isPixelwise(&op)) {
      // Beside what it reads, where nothing else reads that.
      for (Value operand : op.getOperands())
        if (Operation *producer = operand.getDefiningOp();
            producer && operand.hasOneUse() && of(producer) >= 0 &&
            list[of(producer)].canCut &&
            list[of(producer)].pixels == out.pixels)
          index = std::max(index, of(producer));
    }
    if (index < 0) {
      index = static_cast<int64_t>(list.size());
      list.emplace_back();
      list.back().pixels = out.pixels;
      // The host sends whole rows.
      bool isFed =
          isa<cim::ReshapeOp>(op) && isa<BlockArgument>(op.getOperand(0));
      list.back().canCut =
          out.pixels > 1 && !isFed && (windowOf(&op) || isPixelwise(&op));
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

double Layers::pixelsSent(Value value) const {
  double sent = 0;
  std::set<std::pair<int64_t, int64_t>> ranges; // one message for all readers
  auto send = [&](PixelRange range) {
    if (ranges.insert({range.begin, range.end}).second)
      sent += static_cast<double>(range.end - range.begin);
  };
  for (OpOperand &use : value.getUses()) {
    Operation *user = use.getOwner();
    int64_t index = of(user);
    if (isGlue(user)) {
      Value result = user->getResult(0);
      sent += pixelsSent(result) * static_cast<double>(Extents(value).pixels) /
              static_cast<double>(Extents(result).pixels);
    } else if (index < 0) {
      send({0, Extents(value).pixels}); // the host
    } else if (isBeside(use)) {
      continue;
    } else {
      const Layer &layer = list[index];
      for (int64_t i = 0; i < layer.copies; ++i) {
        send(layer.canCut
                 ? pixelsRead(user, use.getOperandNumber(), layer.part(i))
                 : PixelRange{0, Extents(value).pixels});
      }
    }
  }
  return sent;
}

Load Layers::load(Operation *op, PixelRange part, double sent) const {
  int64_t pixels = part.end - part.begin;
  Load load = model.of(op, pixels);
  Extents out(op->getResult(0));
  load.outNs = model.sendNs(
      sent * static_cast<double>(out.rows * out.channels * out.bytes * pixels) /
      static_cast<double>(out.pixels));
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
  if (layer.copies == 1)
    return;
  OpBuilder builder(layer.ops.back());
  std::vector<IRMapping> parts(layer.copies);
  std::map<std::tuple<unsigned, int64_t, int64_t>, Value> slices;
  SmallVector<Value> sliced; // numbers values in a deterministic order
  auto slice = [&](Value value, PixelRange range) -> Value {
    Extents map(value);
    if (range.begin == 0 && range.end == map.pixels)
      return value;
    auto at = llvm::find(sliced, value);
    auto number = static_cast<unsigned>(at - sliced.begin());
    if (at == sliced.end())
      sliced.push_back(value);
    Value &result = slices[{number, range.begin, range.end}];
    if (!result) {
      auto type = cast<RankedTensorType>(value.getType());
      int64_t shape[] = {map.rows, range.end - range.begin, map.channels};
      result = cim::SliceOp::create(builder, value.getLoc(), type.clone(shape),
                                    value, range.begin);
    }
    return result;
  };
  for (int64_t i = 0; i < layer.copies; ++i)
    for (Operation *op : layer.ops) {
      PixelRange range = layer.part(i);
      SmallVector<Value> operands;
      int64_t first = 0; // of the pixels read
      for (OpOperand &operand : op->getOpOperands()) {
        if (Value inside = parts[i].lookupOrNull(operand.get())) {
          operands.push_back(inside);
          continue;
        }
        PixelRange read = pixelsRead(op, operand.getOperandNumber(), range);
        operands.push_back(slice(operand.get(), read));
        first = read.begin;
      }
      Operation *copy = builder.clone(*op);
      copy->setOperands(operands);
      copy->setAttr(
          cim::kPartAttrName,
          builder.getDenseI64ArrayAttr({range.begin, range.end, layer.pixels}));
      auto type = cast<RankedTensorType>(op->getResult(0).getType());
      SmallVector<int64_t> shape(type.getShape());
      shape[1] = range.end - range.begin;
      copy->getResult(0).setType(type.clone(shape));
      if (cim::WindowAttr window = windowOf(op)) {
        // The window of the part's first pixel begins where the slice does, or
        // in the padding before it.
        SmallVector<int64_t> pad(window.getPad());
        pad[1] += first - range.begin * window.getStride()[1];
        copy->setAttr("window",
                      cim::WindowAttr::get(op->getContext(), window.getKernel(),
                                           window.getStride(), pad,
                                           window.getDilation()));
      }
      parts[i].map(op->getResult(0), copy->getResult(0));
    }
  auto inside = [&](Operation *user) {
    return llvm::is_contained(layer.ops, user);
  };
  for (Operation *op : layer.ops) {
    if (llvm::all_of(op->getUsers(), inside))
      continue;
    SmallVector<Value> values;
    for (IRMapping &part : parts)
      values.push_back(part.lookup(op->getResult(0)));
    auto joined =
        cim::ConcatOp::create(builder, op->getLoc(), op->getResult(0).getType(),
                              values, 1, IntegerAttr());
    joined->setAttr("cim.copies", builder.getI64IntegerAttr(layer.copies));
    op->getResult(0).replaceAllUsesWith(joined.getResult());
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
