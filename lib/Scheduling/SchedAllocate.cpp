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

  /// Takes slack slots, the largest rows first, until `limit` is kept or none
  /// is left.
  void shrink(int64_t limit) {
    int64_t excess = bytes() - limit;
    SmallVector<ChannelOp> rings;
    for (Operation *item : items)
      if (auto channel = dyn_cast<ChannelOp>(item))
        rings.push_back(channel);
    llvm::sort(rings, [](ChannelOp a, ChannelOp b) {
      if (a.getRowBytes() != b.getRowBytes())
        return int64_t(a.getRowBytes()) > int64_t(b.getRowBytes());
      return a->isBeforeInBlock(b);
    });
    for (ChannelOp ring : rings)
      while (excess > 0 && ring.getSlots() > ring.getMinSlots().value_or(1)) {
        int64_t before = aligned(bytesOf(ring));
        ring.setSlots(ring.getSlots() - 1);
        excess -= before - aligned(bytesOf(ring));
      }
  }

  void assign(OpBuilder &builder) {
    // What every instruction of a stream touches comes first, then constants,
    // then the smaller before the larger, so that most of them lie in the
    // core's own SRAM.
    auto rank = [](Operation *item) {
      return item->hasAttr("hot") ? 0 : isa<DataOp>(item) ? 1 : 2;
    };
    llvm::sort(items, [&](Operation *a, Operation *b) {
      auto keyA = std::pair(rank(a), bytesOf(a));
      auto keyB = std::pair(rank(b), bytesOf(b));
      return keyA != keyB ? keyA < keyB : a->isBeforeInBlock(b);
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
    bool fits = true;
    for (auto &[core, memory] : cores) {
      memory.shrink(chip->memoryBytes());
      fits &= check(*program, core, memory, *chip);
      memory.assign(builder);
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
