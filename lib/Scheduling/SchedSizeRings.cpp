//===- SchedSizeRings.cpp - slots of every channel --------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Counters.h"

#include "cimc/Scheduling/Passes.h"

#include "mlir/IR/Builders.h"

namespace cimc {
#define GEN_PASS_DEF_SCHEDSIZERINGS
#include "cimc/Scheduling/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc;
using namespace cimc::sched;

namespace {
struct SchedSizeRings : public cimc::impl::SchedSizeRingsBase<SchedSizeRings> {
  void runOnOperation() override {
    FailureOr<ProgramOp> program = findProgram(getOperation());
    if (failed(program))
      return signalPassFailure();
    ProgramCounters counters(*program);
    if (!counters.machine.runGrowing() &&
        failed(counters.fail("deadlocks whatever the sizes of its rings")))
      return signalPassFailure();
    OpBuilder builder(&getContext());
    for (auto [channel, ring] :
         llvm::zip(counters.channels, counters.machine.channels())) {
      // What the counters need makes producer and consumer take turns; with as
      // many rows again they overlap, also where windows step by several rows.
      // Measured against half as many: cifar_resnet20's period is 42 % less.
      int64_t slots = std::min(
          ring.rows,
          std::max<int64_t>(ring.slots + std::max<int64_t>(2, ring.slots),
                            channel.getWantedSlots().value_or(0)));
      channel.setMinSlots(ring.slots);
      channel.setSlots(slots);
    }
    // More slots never block a stream sooner, but the proof is cheap.
    ProgramCounters proof(*program);
    if (!proof.machine.run(/*samples=*/2) &&
        failed(proof.fail("deadlocks with two samples back to back")))
      return signalPassFailure();
  }
};
} // namespace
