//===- SchedAllocate.cpp - addresses in core memory -------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Scheduling/Passes.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"

#include <cmath>
#include <map>

namespace cimc {
#define GEN_PASS_DEF_SCHEDALLOCATE
#include "cimc/Scheduling/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc;
using namespace cimc::sched;

/// Rows of any element type and vectors of 16 bytes start at these.
static constexpr int64_t kAlignment = 16;

static int64_t aligned(int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

namespace {
/// Bytes that the instructions read and write in a sample, by memory
/// operation: an estimate, to say what should be near.
class Traffic {
public:
  explicit Traffic(ProgramOp program) : symbols(program) {
    for (StreamOp stream : program.getBody().getOps<StreamOp>())
      count(stream.getBody(), 1);
  }

  /// How often a byte of the operation is touched in a sample.
  double density(Operation *memory) const {
    return bytes.lookup(memory) /
           static_cast<double>(std::max<int64_t>(bytesOf(memory), 1));
  }

private:
  void count(Region &body, double times) {
    for (Operation &op : body.front()) {
      if (auto loop = dyn_cast<LoopOp>(op))
        count(loop.getBody(), times * static_cast<double>(loop.getCount()));
      else
        count(op, times);
    }
  }

  void count(Operation &op, double times) {
    ViewOp sent;
    for (NamedAttribute attribute : op.getAttrs()) {
      auto name = dyn_cast<FlatSymbolRefAttr>(attribute.getValue());
      Operation *symbol = name ? symbols.lookup(name.getAttr()) : nullptr;
      if (auto view = dyn_cast_if_present<ViewOp>(symbol)) {
        Operation *memory = symbols.lookup(view.getOf());
        bytes[memory] +=
            times * touched(op, view, attribute.getName() != "dst");
        sent = view;
      } else if (isa_and_present<DataOp>(symbol)) {
        bytes[symbol] += times * static_cast<double>(bytesOf(symbol));
      }
    }
    if (auto send = dyn_cast<SendOp>(op); send && sent)
      bytes[symbols.lookup(send.getChannel())] +=
          times * touched(op, sent, /*reads=*/false);
  }

  /// Bytes of a view that an instruction touches.
  double touched(Operation &op, ViewOp view, bool reads) const {
    auto each = static_cast<double>(elementBytes(view.getType()));
    if (auto mvm = dyn_cast<MvmOp>(op); mvm && reads)
      return each * static_cast<double>(mvm.getCount()) *
             static_cast<double>(mvm.getKSize());
    double row = each * static_cast<double>(view.getPixels()) *
                 static_cast<double>(view.getChannels());
    auto window = op.getAttrOfType<cim::WindowAttr>("window");
    if (!window || !reads || isa<MvmOp>(op))
      return row;
    // Rows lie below each other; pixels overlap.
    return row * static_cast<double>(window.getKernel()[0]) *
           static_cast<double>(window.getKernel()[1]) /
           static_cast<double>(window.getStride()[1]);
  }

  SymbolTable symbols;
  llvm::DenseMap<Operation *, double> bytes; // looked up only
};

/// A ring that may be given more slots, or fewer.
struct Ring {
  ChannelOp channel;
  int64_t least, slots, wanted;

  /// Bytes that one slot more or less makes.
  int64_t set(int64_t to) {
    int64_t before = aligned(bytesOf(channel));
    slots = to;
    channel.setSlots(to);
    return std::abs(aligned(bytesOf(channel)) - before);
  }
};

/// One core's memory.
struct CoreMemory {
  SmallVector<Operation *> items;
  int64_t streams = 0;

  int64_t bytes() const {
    int64_t sum = 0;
    for (Operation *item : items)
      sum += aligned(bytesOf(item));
    return sum;
  }

  SmallVector<Ring> rings() const {
    SmallVector<Ring> rings;
    for (Operation *item : items)
      if (auto channel = dyn_cast<ChannelOp>(item)) {
        auto slots = static_cast<int64_t>(channel.getSlots());
        auto least = static_cast<int64_t>(channel.getMinSlots().value_or(1));
        rings.push_back({channel, least, slots, slots});
      }
    return rings;
  }

  /// Takes slack slots until `limit` is kept or none is left: from all rings in
  /// proportion, and rather from large ones. Taking all from the largest makes
  /// their streams take turns, and taking equal parts makes those of the small
  /// ones do so, which would have cost little (SqueezeNet and ResNet-18 on
  /// pimcomp-144x64 differ by 15 and 35 %).
  void shrink(int64_t limit) {
    takeSlack(limit, /*keeps=*/true);
    takeSlack(limit, /*keeps=*/false);
  }

  /// `keeps`: not below the slots that rings are to keep.
  void takeSlack(int64_t limit, bool keeps) {
    int64_t excess = bytes() - limit;
    SmallVector<Ring> slack = rings();
    if (keeps)
      for (Ring &r : slack)
        r.least = std::max(r.least, static_cast<int64_t>(
                                        r.channel.getKeptSlots().value_or(0)));
    llvm::erase_if(slack, [](const Ring &r) { return r.slots <= r.least; });
    auto kept = [](Ring &r) {
      return static_cast<double>(r.slots - r.least) /
             static_cast<double>(r.wanted - r.least) *
             std::sqrt(static_cast<double>(r.channel.getRowBytes()));
    };
    while (excess > 0 && !slack.empty()) {
      Ring *most = llvm::max_element(
          slack, [&](Ring &a, Ring &b) { return kept(a) < kept(b); });
      excess -= most->set(most->slots - 1);
      if (most->slots == most->least)
        slack.erase(most);
    }
  }

  /// Gives bytes that are left below `limit` to rings, up to twice the slots
  /// that each was to have: rows do not come as evenly as was planned with.
  void grow(int64_t limit) {
    int64_t left = limit - bytes();
    SmallVector<Ring> growing = rings();
    auto isFull = [](Ring &r) {
      return r.slots >= std::min<int64_t>(2 * r.wanted, r.channel.getRows());
    };
    llvm::erase_if(growing, isFull);
    while (!growing.empty()) {
      Ring *least = llvm::min_element(growing, [](Ring &a, Ring &b) {
        return a.slots * b.wanted < b.slots * a.wanted;
      });
      int64_t more = least->set(least->slots + 1);
      left -= more;
      if (left < 0) {
        left += least->set(least->slots - 1);
        growing.erase(least);
      } else if (isFull(*least)) {
        growing.erase(least);
      }
    }
  }

  /// What is touched most, byte by byte, comes first: that lies in the core's
  /// own SRAM.
  void assign(OpBuilder &builder, const Traffic &traffic) {
    llvm::stable_sort(items, [&](Operation *a, Operation *b) {
      return traffic.density(a) > traffic.density(b);
    });
    int64_t address = 0;
    for (Operation *item : items) {
      item->setAttr("address", builder.getI64IntegerAttr(address));
      address += aligned(bytesOf(item));
    }
  }
};

struct SchedAllocate : public cimc::impl::SchedAllocateBase<SchedAllocate> {
  void runOnOperation() override {
    FailureOr<ProgramOp> program = findProgram(getOperation());
    FailureOr<ChipSpec> chip = cim::getChipSpec(getOperation());
    if (failed(program) || failed(chip))
      return signalPassFailure();
    OpBuilder builder(&getContext());
    std::map<int64_t, CoreMemory> cores;
    for (Operation &op : program->getBody().front()) {
      if (auto stream = dyn_cast<StreamOp>(op))
        ++cores[stream.getCore()].streams;
      if (!isa<ChannelOp, BufferOp, DataOp>(op))
        continue;
      int64_t core = op.getAttrOfType<IntegerAttr>("core").getInt();
      if (core < 0)
        op.setAttr("address", builder.getI64IntegerAttr(0));
      else
        cores[core].items.push_back(&op);
    }
    Traffic traffic(*program);
    bool fits = true;
    for (auto &[core, memory] : cores) {
      memory.shrink(chip->memoryBytes());
      // The tile's memory is slower and takes more energy.
      memory.grow(chip->coreBytes());
      fits &= check(*program, core, memory, *chip);
      memory.assign(builder, traffic);
    }
    if (!fits)
      signalPassFailure();
  }

  /// Reports a core that is full, with what fills it.
  bool check(ProgramOp program, int64_t core, CoreMemory &memory,
             const ChipSpec &chip) {
    bool fits = true;
    if (core >= chip.cores()) {
      program.emitOpError("uses core ")
          << core << " of a chip with " << chip.cores() << " cores";
      fits = false;
    }
    if (memory.streams > chip.core.streams) {
      program.emitOpError("runs ")
          << memory.streams << " streams on core " << core
          << ", which has room for core.streams = " << chip.core.streams;
      fits = false;
    }
    int64_t needed = memory.bytes();
    if (needed <= chip.memoryBytes())
      return fits;
    Operation *largest =
        *llvm::max_element(memory.items, [](Operation *a, Operation *b) {
          return bytesOf(a) < bytesOf(b);
        });
    InFlightDiagnostic error =
        program.emitOpError("needs ")
        << needed << " bytes of memory on core " << core << ", which has "
        << chip.memoryBytes()
        << " (core.sram_kb plus its share of tile.sram_kb)";
    std::string layers;
    for (StreamOp stream : program.getBody().getOps<StreamOp>())
      if (int64_t(stream.getCore()) == core)
        layers +=
            (layers.empty() ? "'" : ", '") + stream.getLayer().str() + "'";
    error << "; it runs " << layers;
    error.attachNote(largest->getLoc())
        << "the largest part is " << largest->getName() << " @"
        << SymbolTable::getSymbolName(largest).getValue() << " with "
        << bytesOf(largest) << " bytes";
    return false;
  }
};
} // namespace
