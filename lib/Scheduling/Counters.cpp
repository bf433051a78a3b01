//===- Counters.cpp - the counters of a scheduled program -------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Counters.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace cimc;
using namespace cimc::sched;

namespace {
class Reducer {
public:
  Reducer(ProgramOp program, ProgramCounters &into) : into(into) {
    for (ChannelOp op : program.getBody().getOps<ChannelOp>()) {
      numbers[op.getSymName()] = into.channels.size();
      into.channels.push_back(op);
      channels.push_back({int64_t(op.getRows()), int64_t(op.getSlots()),
                          int64_t(op.getRowBytes()),
                          uint32_t(op.getProducers()),
                          uint32_t(op.getConsumers())});
    }
    for (IOOp io : program.getBody().getOps<IOOp>())
      for (Attribute ref : io.getChannels())
        host(numbers.lookup(cast<FlatSymbolRefAttr>(ref).getValue()),
             io.getOutput());
    for (StreamOp op : program.getBody().getOps<StreamOp>()) {
      into.streams.push_back(op);
      streams.emplace_back();
      block(op.getBody().front());
    }
  }

  std::vector<CounterChannel> channels;
  std::vector<CounterStream> streams;

private:
  void host(uint32_t channel, bool reads) {
    into.streams.push_back(nullptr);
    int64_t rows = channels[channel].rows;
    streams.push_back(reads ? takingStream(channel, rows)
                            : feedingStream(channel, rows));
  }

  void block(Block &body) {
    for (Operation &op : body) {
      auto party = [&](CounterStep::Kind kind, StringRef channel,
                       uint64_t number, ArrayRef<int64_t> rows) {
        streams.back().push_back({kind, numbers.lookup(channel),
                                  uint32_t(number), rows[0], rows[1], rows[2]});
      };
      if (auto loop = dyn_cast<LoopOp>(op)) {
        streams.back().push_back(
            {CounterStep::Loop, 0, 0, int64_t(loop.getCount())});
        block(loop.getBody().front());
        endLoop(streams.back());
      } else if (auto wait = dyn_cast<WaitOp>(op)) {
        party(CounterStep::Wait, wait.getChannel(), wait.getConsumer(),
              wait.getRows());
      } else if (auto free = dyn_cast<FreeOp>(op)) {
        party(CounterStep::Free, free.getChannel(), free.getConsumer(),
              free.getRows());
      } else if (auto acquire = dyn_cast<AcquireOp>(op)) {
        party(CounterStep::Acquire, acquire.getChannel(), acquire.getProducer(),
              {0, 0, 0});
      } else if (auto post = dyn_cast<PostOp>(op)) {
        party(CounterStep::Post, post.getChannel(), post.getProducer(),
              {0, 0, 0});
      } else if (auto send = dyn_cast<SendOp>(op)) {
        party(CounterStep::Send, send.getChannel(), send.getProducer(),
              {int64_t(send.getFirst()), int64_t(send.getSkipped()), 0});
      }
    }
  }

  ProgramCounters &into;
  llvm::StringMap<uint32_t> numbers;
};
} // namespace

ProgramCounters::ProgramCounters(ProgramOp program)
    : program(program), machine({}, {}) {
  Reducer reducer(program, *this);
  machine =
      CounterMachine(std::move(reducer.channels), std::move(reducer.streams));
}

LogicalResult ProgramCounters::fail(const char *deadlock) {
  if (const auto &fault = machine.fault()) {
    const CounterStep &step = machine.streams()[fault->stream][fault->step];
    ChannelOp channel = channels[step.channel];
    StreamOp stream = streams[fault->stream];
    return (stream ? stream.emitOpError() : channel.emitOpError())
           << machine.describeFault("@" + channel.getSymName().str());
  }
  InFlightDiagnostic error = program.emitOpError(deadlock);
  auto waits = machine.cycle();
  if (waits.empty())
    waits = machine.blocked();
  for (size_t i = 0; i < waits.size() && i < 8; ++i) {
    StreamOp stream = streams[waits[i].stream];
    error << (i ? ", " : ": ");
    if (stream)
      error << "'" << stream.getLayer() << "'";
    else
      error << "the host";
    ChannelOp channel = channels[waits[i].channel];
    error << " waits for " << (waits[i].full ? "a free slot of @" : "rows of @")
          << channel.getSymName();
  }
  return error;
}
