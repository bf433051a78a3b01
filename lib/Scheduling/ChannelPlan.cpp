//===- ChannelPlan.cpp - which channels a network needs ---------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ChannelPlan.h"

#include "Sched/Sched.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/MathExtras.h"

#include <map>

using namespace mlir;
using namespace cimc;
using namespace cimc::sched;

static int64_t ceilDiv(int64_t a, int64_t b) {
  return llvm::divideCeilSigned(a, b);
}

static RankedTensorType mapType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

int64_t RowForm::rowBytes() const {
  return pixels * channels * elementBytes(type);
}

bool sched::readsWhole(Operation *op, unsigned operand) {
  if (isa<cim::ReshapeOp>(op)) {
    auto in = mapType(op->getOperand(0)), out = mapType(op->getResult(0));
    return in.getDimSize(0) != out.getDimSize(0);
  }
  if (auto matmul = dyn_cast<cim::MatMulF32Op>(op))
    return matmul.getShared() && operand == 1;
  return isa<cim::MatMulOp, cim::MoveOp, cim::GatherOp, cim::ScatterOp>(op);
}

/// Whether some user reads the value's pixels at a distance, or only some.
static bool isReadStrided(Value value) {
  for (Operation *user : value.getUsers()) {
    if (auto concat = dyn_cast<cim::ConcatOp>(user)) {
      if (concat.getAxis() == 2 ||
          (concat.getAxis() == 1 && isReadStrided(concat.getResult())))
        return true;
    } else if (isa<cim::SliceOp>(user)) {
      return true;
    } else if (isa<cim::InterleaveOp>(user)) {
      if (isReadStrided(user->getResult(0)))
        return true;
    } else if (isa<cim::ReshapeOp>(user) && isAlias(user) &&
               isReadStrided(user->getResult(0))) {
      return true;
    }
  }
  return false;
}

bool sched::isAlias(Operation *op) {
  if (auto concat = dyn_cast<cim::ConcatOp>(op))
    return concat.getAxis() != 0;
  if (isa<cim::SliceOp, cim::InterleaveOp>(op))
    return true;
  if (!isa<cim::ReshapeOp>(op) || op->hasAttr(cim::kCopyAttrName))
    return false;
  auto in = mapType(op->getOperand(0)), out = mapType(op->getResult(0));
  if (in.getDimSize(0) != out.getDimSize(0))
    return false;
  return in == out || !isReadStrided(op->getResult(0));
}

bool ChannelPlan::isStream(Operation *op) const {
  return isa<cim::StreamOpInterface>(op) && !isa<cim::ConstantOp>(op) &&
         !isAlias(op);
}

ArrayRef<Destination> ChannelPlan::destinations(Value value) const {
  auto it = routes.find(value);
  return it == routes.end() ? ArrayRef<Destination>()
                            : ArrayRef<Destination>(it->second);
}

Source ChannelPlan::source(OpOperand &operand) const {
  return sources.lookup(&operand);
}

int64_t ChannelPlan::core(Operation *op) const { return cores.lookup(op); }

RowForm ChannelPlan::form(Value value) const {
  auto type = mapType(value);
  RowForm form{type.getDimSize(0), type.getDimSize(1), type.getDimSize(2), 1,
               type.getElementType()};
  if (int64_t pixels = chunkPixels.lookup(value)) {
    form.chunks = (form.pixels + pixels - 1) / pixels;
    form.pixels = pixels;
  }
  return form;
}

//===----------------------------------------------------------------------===//
// Chunks
//===----------------------------------------------------------------------===//

/// Whether a stream only sends on the partial sums of a tile, whose chunks it
/// takes over.
static bool relaysSums(Operation *op) {
  return isa<cim::ReshapeOp>(op) && op->hasAttr(cim::kCopyAttrName) &&
         op->getOperand(0).getDefiningOp<cim::MvmOp>() &&
         op->getOperand(0).getType() == op->getResult(0).getType();
}

void ChannelPlan::chooseChunks(func::FuncOp function, const ChipSpec &chip) {
  // A chunk is a quarter of the core's own SRAM, so that the two in a ring
  // leave room for constants.
  int64_t limit = std::max<int64_t>(chip.coreBytes() / 4, 256);
  llvm::SetVector<Operation *> candidates;
  function.walk([&](Operation *op) {
    if (isa<cim::MvmOp, cim::SumOp>(op) || relaysSums(op))
      candidates.insert(op);
  });
  auto fits = [&](Operation *op) {
    for (Operation *user : op->getResult(0).getUsers())
      if (!isa<cim::RequantizeOp, cim::CombineOp>(user) &&
          !candidates.contains(user))
        return false;
    return isa<cim::MvmOp>(op) || llvm::all_of(op->getOperands(), [&](Value v) {
             return v.getDefiningOp() && candidates.contains(v.getDefiningOp());
           });
  };
  // One that cannot be cut takes those it adds to or is added to with it.
  while (candidates.remove_if([&](Operation *op) { return !fits(op); })) {
  }
  for (Operation *op : candidates) {
    RowForm whole = form(op->getResult(0));
    int64_t chunks =
        std::min((whole.rowBytes() + limit - 1) / limit, whole.pixels);
    if (chunks > 1)
      chunkPixels[op->getResult(0)] = (whole.pixels + chunks - 1) / chunks;
  }
}

//===----------------------------------------------------------------------===//
// Cores
//===----------------------------------------------------------------------===//

/// The core of whoever is near a value that has none itself: its users, else
/// its operands, else the first.
static int64_t nearbyCore(Operation *op) {
  auto own = [](Operation *other) {
    return other ? other->getAttrOfType<IntegerAttr>("core") : IntegerAttr();
  };
  SmallVector<Operation *> list{op};
  for (size_t i = 0; i < list.size(); ++i) {
    if (auto attr = own(list[i]))
      return attr.getInt();
    if (!isa<cim::ConcatOp, cim::ReshapeOp, cim::SliceOp, cim::InterleaveOp>(
            list[i]))
      continue;
    for (OpOperand &use : list[i]->getResult(0).getUses())
      list.push_back(use.getOwner());
  }
  for (Value operand : op->getOperands())
    if (auto attr = own(operand.getDefiningOp()))
      return attr.getInt();
  return 0;
}

LogicalResult ChannelPlan::place(func::FuncOp function, const ChipSpec &chip) {
  std::map<int64_t, int64_t> streams;
  SmallVector<Operation *> unplaced;
  for (Operation &op : function.getBody().front()) {
    if (!isStream(&op))
      continue;
    if (auto core = op.getAttrOfType<IntegerAttr>("core")) {
      cores[&op] = core.getInt();
      ++streams[core.getInt()];
    } else if (isa<cim::ConcatOp, cim::ReshapeOp>(op)) {
      unplaced.push_back(&op);
    } else {
      return op.emitOpError("is not on a core; run --cim-place first");
    }
  }
  // Copies go near their users, or where a core still runs another stream.
  for (Operation *op : unplaced) {
    int64_t core = nearbyCore(op);
    for (int64_t other = 0;
         streams[core] >= chip.core.streams && other < chip.cores(); ++other)
      if (streams[other] < chip.core.streams)
        core = other;
    cores[op] = core;
    ++streams[core];
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Channels
//===----------------------------------------------------------------------===//

unsigned ChannelPlan::addChannel(Value value, int64_t core) {
  RowForm rows = form(value);
  PlannedChannel channel;
  channel.name = "c" + std::to_string(channels.size());
  channel.core = core;
  channel.value = value;
  channel.rows = cim::selectedRows(value).rows * rows.chunks;
  channel.rowBytes = rows.rowBytes();
  channels.push_back(channel);
  return channels.size() - 1;
}

/// Finds who writes the pixels that `to` says of `value` into a channel's rows.
void ChannelPlan::route(Value value, Destination to) {
  Operation *op = value.getDefiningOp();
  if (auto concat = dyn_cast_if_present<cim::ConcatOp>(op);
      concat && concat.getAxis() == 1) {
    int64_t at = 0;
    for (Value input : concat.getInputs()) {
      int64_t width = mapType(input).getDimSize(1);
      // Of the destination's pixels, those from the first that is not before
      // the operand to the last that is within it.
      int64_t first = std::max<int64_t>(ceilDiv(at - to.begin, to.stride), 0);
      int64_t end =
          std::min(ceilDiv(at + width - to.begin, to.stride), to.count);
      Destination part = to;
      part.begin = to.begin + first * to.stride - at;
      part.count = end - first;
      part.offset += first * to.pitch;
      if (part.count > 0)
        route(input, part);
      at += width;
    }
    return;
  }
  if (auto concat = dyn_cast_if_present<cim::ConcatOp>(op);
      concat && isAlias(op)) {
    for (Value input : concat.getInputs()) {
      auto type = mapType(input);
      route(input, to);
      to.offset += type.getDimSize(2) * elementBytes(type.getElementType());
    }
    return;
  }
  if (auto interleave = dyn_cast_if_present<cim::InterleaveOp>(op)) {
    int64_t first = to.first, step = to.step;
    to.step *= static_cast<int64_t>(interleave.getInputs().size());
    for (auto [i, input] : llvm::enumerate(interleave.getInputs())) {
      to.first = first + static_cast<int64_t>(i) * step;
      route(input, to);
    }
    return;
  }
  if (auto slice = dyn_cast_if_present<cim::SliceOp>(op)) {
    auto step = static_cast<int64_t>(slice.getStep());
    to.begin = static_cast<int64_t>(slice.getBegin()) + to.begin * step;
    to.stride *= step;
    return route(slice.getInput(), to);
  }
  if (op && isa<cim::ReshapeOp>(op) && isAlias(op)) {
    Value input = op->getOperand(0);
    auto type = mapType(input);
    // An alias of another type is read whole.
    if (type != value.getType()) {
      to.pitch = type.getDimSize(2) * elementBytes(type.getElementType());
      to.begin = 0;
      to.count = type.getDimSize(1);
    }
    return route(input, to);
  }
  to.producer = channels[to.channel].producers++;
  if (auto argument = dyn_cast<BlockArgument>(value))
    inputs[argument.getArgNumber()].push_back(to.channel);
  else
    routes[value].push_back(to);
}

/// The value without reshapes that are aliases.
static Value stripAliases(Value value) {
  while (auto reshape = value.getDefiningOp<cim::ReshapeOp>()) {
    if (!isAlias(reshape))
      break;
    value = reshape.getInput();
  }
  return value;
}

/// Whether only a stream can read the value, as it passes over rows.
static bool isSomeRows(Value value) {
  return cim::selectedRows(value).rows != mapType(value).getDimSize(0);
}

/// Copies inputs and constants that nobody would write where they are read, and
/// some rows of a map where no stream reads them.
static void insertCopies(func::FuncOp function) {
  SmallVector<OpOperand *> places;
  function.walk([&](Operation *op) {
    if (!isa<func::ReturnOp>(op) && !isAlias(op))
      return;
    for (OpOperand &operand : op->getOpOperands()) {
      Value value = stripAliases(operand.get());
      if (mapType(value).getNumElements() == 0)
        continue;
      bool isUnwritten =
          !isa<cim::ReshapeOp>(op) &&
          (isa<BlockArgument>(value) || value.getDefiningOp<cim::ConstantOp>());
      if (isUnwritten || isSomeRows(operand.get()))
        places.push_back(&operand);
    }
  });
  // Slices of one value share a copy: the host sends every row once.
  DenseMap<Value, Value> sliced; // looked up only
  for (OpOperand *place : places) {
    Value &shared = sliced[place->get()];
    bool isSlice = isa<cim::SliceOp>(place->getOwner());
    if (isSlice && shared) {
      place->set(shared);
      continue;
    }
    OpBuilder builder(place->getOwner());
    auto copy = cim::ReshapeOp::create(builder, place->getOwner()->getLoc(),
                                       place->get().getType(), place->get(),
                                       IntegerAttr());
    copy->setAttr(cim::kCopyAttrName, builder.getUnitAttr());
    if (isSlice)
      shared = copy;
    place->set(copy);
  }
}

static void eraseDead(func::FuncOp function) {
  SmallVector<Operation *> ops;
  for (Operation &op : function.getBody().front())
    ops.push_back(&op);
  for (Operation *op : llvm::reverse(ops))
    if (isa<cim::StreamOpInterface>(op) && op->use_empty())
      op->erase();
}

/// Rows of an operand that mapping wants its ring to hold; 0: no matter.
static int64_t wantedRows(OpOperand &operand) {
  auto rings =
      operand.getOwner()->getAttrOfType<DenseI64ArrayAttr>(cim::kRingsAttrName);
  unsigned number = operand.getOperandNumber();
  return rings && number < rings.size() ? rings[number] : 0;
}

FailureOr<ChannelPlan> ChannelPlan::make(func::FuncOp function,
                                         const ChipSpec &chip) {
  eraseDead(function);
  insertCopies(function);
  ChannelPlan plan;
  plan.inputs.resize(function.getNumArguments());
  if (failed(plan.place(function, chip)))
    return failure();
  plan.chooseChunks(function, chip);

  function.walk([&](cim::DelayInputOp input) {
    plan.delays[input.getNumber()] = &input->getOpOperand(0);
  });
  // Operations on one core that read the same value share a channel.
  llvm::DenseMap<std::pair<Value, int64_t>, unsigned> shared;
  for (Operation &op : function.getBody().front()) {
    bool returns = isa<func::ReturnOp>(op);
    if (!returns && !plan.isStream(&op))
      continue;
    SmallVector<OpOperand *> operands = llvm::map_to_vector(
        op.getOpOperands(), [](OpOperand &o) { return &o; });
    if (auto delay = dyn_cast<cim::DelayOp>(op))
      operands.push_back(&plan.delayed(delay));
    for (OpOperand *operand : operands) {
      Value value = operand->get();
      // The host makes a result without elements itself.
      if (returns && mapType(value).getNumElements() == 0) {
        plan.outputs.push_back(std::nullopt);
        continue;
      }
      if (stripAliases(value).getDefiningOp<cim::ConstantOp>()) {
        plan.sources[operand] = Source();
        continue;
      }
      int64_t core = returns ? -1 : plan.core(&op);
      unsigned index;
      auto found = shared.find({value, core});
      if (!returns && found != shared.end()) {
        index = found->second;
      } else {
        index = plan.addChannel(value, core);
        if (returns)
          plan.outputs.push_back(index);
        else
          shared[{value, core}] = index;
      }
      PlannedChannel &channel = plan.channels[index];
      RowForm form = plan.form(value);
      channel.wantedSlots =
          std::max(channel.wantedSlots, wantedRows(*operand) * form.chunks);
      channel.whole |= !returns && readsWhole(&op, operand->getOperandNumber());
      plan.sources[operand] = Source{index, channel.consumers++};
    }
  }
  for (unsigned i = 0; i < plan.channels.size(); ++i) {
    Value value = plan.channels[i].value;
    RowForm rows = plan.form(value);
    Destination to;
    to.channel = i;
    to.pitch = rows.channels * elementBytes(rows.type);
    to.count = mapType(value).getDimSize(1);
    plan.route(value, to);
  }
  return plan;
}
