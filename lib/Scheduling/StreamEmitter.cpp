//===- StreamEmitter.cpp - writes the stream of an operation ----*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StreamEmitter.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace cimc;
using namespace cimc::sched;

StreamEmitter::StreamEmitter(ProgramOp program, const ChannelPlan &plan,
                             const ChipSpec &chip)
    : plan(plan), chip(chip),
      memory(OpBuilder::atBlockEnd(&program.getBody().front())),
      code(OpBuilder::atBlockEnd(&program.getBody().front())),
      loc(program.getLoc()) {}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

void StreamEmitter::emitChannels() {
  for (const PlannedChannel &c : plan.channels) {
    ChannelOp::create(memory, c.value.getLoc(), c.name, c.core, c.rows,
                      c.rowBytes, c.producers, c.consumers,
                      c.whole || c.core < 0 ? c.rows : 1, IntegerAttr(),
                      c.wantedSlots ? memory.getI64IntegerAttr(c.wantedSlots)
                                    : IntegerAttr(),
                      IntegerAttr(), c.whole, IntegerAttr());
  }
}

StringRef StreamEmitter::view(const Geometry &g) {
  std::string key;
  llvm::raw_string_ostream os(key);
  os << g.of << ' ' << g.rows << ' ' << g.pixels << ' ' << g.channels << ' '
     << g.type << ' ' << g.offset << ' ' << g.pixelPitch << ' ' << g.rowPitch
     << ' ' << g.slots << ' ' << g.pad;
  std::string &name = viewNames[key];
  if (name.empty()) {
    name = "v" + std::to_string(views++);
    auto optional = [&](int64_t value) {
      return g.slots ? memory.getI64IntegerAttr(value) : IntegerAttr();
    };
    ViewOp::create(memory, loc, name, g.of, g.rows, g.pixels, g.channels,
                   g.type, g.offset, g.pixelPitch, optional(g.rowPitch),
                   optional(g.slots), g.pad);
  }
  return name;
}

StringRef StreamEmitter::data(ElementsAttr value) {
  std::string &name = constantNames[{value.getAsOpaquePointer(), core}];
  if (name.empty()) {
    name = "d" + std::to_string(constants++);
    DataOp::create(memory, loc, name, core, value, IntegerAttr());
  }
  return name;
}

StringRef StreamEmitter::bytes(ArrayRef<int8_t> values) {
  auto type = RankedTensorType::get({int64_t(values.size())}, code.getI8Type());
  return data(DenseElementsAttr::get(type, values));
}

StringRef StreamEmitter::floats(ArrayRef<float> values) {
  auto type =
      RankedTensorType::get({int64_t(values.size())}, code.getF32Type());
  return data(DenseElementsAttr::get(type, values));
}

//===----------------------------------------------------------------------===//
// Operands and results
//===----------------------------------------------------------------------===//

StreamEmitter::Input StreamEmitter::input(OpOperand &operand, int64_t pad) {
  Operation *op = operand.getOwner();
  Value value = operand.get();
  Source source = plan.source(operand);
  RowForm form = plan.form(value);
  Input in;
  in.channel = source.channel;
  in.consumer = source.consumer;
  in.selected = cim::selectedRows(value);
  in.total = in.selected.rows * form.chunks;
  if (auto stream = dyn_cast<cim::StreamOpInterface>(op)) {
    in.rows =
        in.selected.of(stream.getRowDependence(operand.getOperandNumber()));
    auto result = cast<RankedTensorType>(op->getResult(0).getType());
    in.broadcast = form.rows == 1 && result.getDimSize(0) != 1;
  }
  Geometry g{"",
             in.total,
             form.pixels,
             form.channels,
             form.type,
             0,
             form.channels * elementBytes(form.type),
             0,
             0,
             pad};
  if (source.channel < 0) {
    while (auto reshape = value.getDefiningOp<cim::ReshapeOp>())
      value = reshape.getInput();
    g.of = data(value.getDefiningOp<cim::ConstantOp>().getValue()).str();
    g.slots = in.total;
    g.rowPitch = form.rowBytes();
  } else {
    g.of = plan.channels[source.channel].name;
  }
  in.view = view(g);
  in.geometry = g;
  return in;
}

StreamEmitter::Output StreamEmitter::output(Value value, bool whole) {
  RowForm form = plan.form(value);
  Output out;
  out.destinations = plan.destinations(value);
  int64_t pitch = form.channels * elementBytes(form.type);
  Geometry g{"",
             form.rows * form.chunks,
             form.pixels,
             form.channels,
             form.type,
             0,
             pitch,
             form.rowBytes(),
             whole ? form.rows * form.chunks : 1,
             0};
  int64_t pixels = cast<RankedTensorType>(value.getType()).getDimSize(1);
  if (!whole && out.destinations.size() == 1 && out.destinations[0].step == 1 &&
      out.destinations[0].count == pixels &&
      plan.channels[out.destinations[0].channel].core == core) {
    const Destination &to = out.destinations[0];
    out.inPlace = true;
    g.of = plan.channels[to.channel].name;
    g.offset = to.offset;
    g.pixelPitch = to.pitch;
    g.slots = g.rowPitch = 0;
  } else {
    g.of = "b" + std::to_string(buffers++);
    BufferOp::create(memory, loc, g.of, core, g.slots * g.rowPitch,
                     IntegerAttr());
  }
  out.view = view(g);
  out.geometry = g;
  return out;
}

StringRef StreamEmitter::part(const Output &out, const Destination &to) {
  // Chunks of a row are never sent in parts.
  Geometry g = out.geometry;
  if (to.count >= g.pixels)
    return out.view;
  g.offset += to.begin * g.pixelPitch;
  g.pixels = to.count;
  g.pixelPitch *= to.stride;
  return view(g);
}

static bool isConstant(int64_t channel) { return channel < 0; }

void StreamEmitter::wait(const Input &in, Affine rows) {
  if (!isConstant(in.channel))
    WaitOp::create(code, loc, plan.channels[in.channel].name, in.consumer,
                   rows);
}

void StreamEmitter::free(const Input &in, Affine rows) {
  if (!isConstant(in.channel))
    FreeOp::create(code, loc, plan.channels[in.channel].name, in.consumer,
                   rows);
}

void StreamEmitter::waitRow(const Input &in) {
  wait(in, {in.rows.need, in.rows.mul, 0});
}

void StreamEmitter::freeRow(const Input &in) {
  // Nothing to free as long as the count does not rise above zero.
  if (in.rows.mul != 0 || in.rows.done > 0)
    free(in, {in.rows.done, in.rows.mul, 0});
}

void StreamEmitter::freeRest(const Input &in, int64_t outputRows) {
  if (in.rows.mul * (outputRows - 1) + in.rows.done < in.total)
    freeAll(in);
}

void StreamEmitter::waitAll(const Input &in) { wait(in, {in.total, 0, 0}); }
void StreamEmitter::freeAll(const Input &in) { free(in, {in.total, 0, 0}); }

void StreamEmitter::begin(const Output &out) {
  if (out.inPlace)
    AcquireOp::create(code, loc,
                      plan.channels[out.destinations[0].channel].name,
                      out.destinations[0].producer);
}

void StreamEmitter::end(const Output &out, Affine row) {
  if (out.inPlace) {
    for (const Destination &to : out.destinations)
      PostOp::create(code, loc, plan.channels[to.channel].name, to.producer);
    return;
  }
  // Who gets pixels of a message that is sent anyway gets them by it.
  auto span = [](const Destination &to) { return (to.count - 1) * to.stride; };
  auto isPart = [&](const Destination &to, const Destination &all) {
    return to.begin >= all.begin &&
           to.begin + span(to) <= all.begin + span(all) &&
           (to.begin - all.begin) % all.stride == 0 &&
           to.stride % all.stride == 0;
  };
  SmallVector<Destination> widestFirst(out.destinations);
  llvm::stable_sort(widestFirst,
                    [](const Destination &a, const Destination &b) {
                      return a.count > b.count;
                    });
  SmallVector<SmallVector<Destination>> messages;
  for (const Destination &to : widestFirst) {
    auto *found = llvm::find_if(
        messages, [&](const auto &sent) { return isPart(to, sent.front()); });
    if (found == messages.end())
      messages.push_back({to});
    else
      found->push_back(to);
  }
  for (const auto &message : messages)
    for (auto [i, to] : llvm::enumerate(message))
      SendOp::create(code, loc, plan.channels[to.channel].name, to.producer,
                     part(out, to), row, to.offset, to.pitch, i > 0, to.first,
                     to.step - 1);
}

void StreamEmitter::loop(int64_t count, function_ref<void()> body, bool keep) {
  if (count == 1 && !keep)
    return body();
  auto op = LoopOp::create(code, loc, count);
  OpBuilder::InsertionGuard guard(code);
  code.createBlock(&op.getBody());
  body();
}

void StreamEmitter::rowByRow(Operation *op, ArrayRef<Input> inputs,
                             function_ref<void(const Output &)> body) {
  Value result = op->getResult(0);
  int64_t rows = plan.form(result).rows;
  Output out = output(result);
  loop(rows, [&] {
    for (const Input &in : inputs)
      waitRow(in);
    begin(out);
    body(out);
    for (const Input &in : inputs)
      freeRow(in);
    end(out, {0, 1, 0});
  });
  for (const Input &in : inputs)
    freeRest(in, rows);
}

LogicalResult StreamEmitter::emit(Operation *op) {
  core = plan.core(op);
  loc = op->getLoc();
  auto stream = StreamOp::create(code, loc, cim::layerName(op), core);
  OpBuilder::InsertionGuard guard(code);
  code.createBlock(&stream.getBody());
  // What a stream is the first to use is declared before it.
  memory.setInsertionPoint(stream);
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](cim::MvmOp mvm) { return emitMvm(mvm), success(); })
      .Case([&](cim::SumOp sum) { return emitSum(sum), success(); })
      .Case<cim::RequantizeOp, cim::CombineOp>(
          [&](Operation *finish) { return emitFinish(finish), success(); })
      .Case([&](cim::RowSumOp sum) { return emitRowSum(sum), success(); })
      .Case<cim::MatMulOp, cim::MoveOp, cim::GatherOp, cim::ScatterOp>(
          [&](Operation *whole) { return emitWhole(whole), success(); })
      .Case([&](cim::ReshapeOp reshape) {
        return emitReshape(reshape), success();
      })
      .Case([&](cim::DelayOp delay) { return emitDelay(delay), success(); })
      .Case([&](cim::ConcatOp concat) {
        return emitRowConcat(concat), success();
      })
      .Default([&](Operation *other) { return emitElementwise(other); });
}
