//===- MutantCost.h - what running a mutated program would take ----------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_TEST_UNIT_SIM_MUTANTCOST_H
#define CIMC_TEST_UNIT_SIM_MUTANTCOST_H

#include "Timing.h"

#include <vector>

namespace cimc::test {

/// Lane operations of a sample at most, by what the chip model charges.
inline double workOf(const sim::Machine &machine) {
  sim::Costs costs(machine.program.chip);
  double total = 0;
  for (const sim::StreamInfo &stream : machine.streams) {
    std::vector<double> times = {1};
    for (const sim::Op &op : stream.ops) {
      if (op.kind == sim::Kind::Loop)
        times.push_back(times.back() * op.count);
      else if (op.kind == sim::Kind::Next && times.size() > 1)
        times.pop_back();
      if (!op.record)
        continue; // the end that every stream gets
      sim::OpCost cost =
          costs.instruction(machine, stream, op, sim::StreamState());
      total += times.back() *
               (1 + cost.ns / costs.cycleNs() + static_cast<double>(cost.macs) +
                cost.energy.nj[sim::Sram]);
    }
  }
  return total;
}

/// Bytes that running it takes.
inline int64_t bytesOf(const sim::Machine &machine) {
  int64_t bytes = machine.dramBytes;
  for (const sim::CoreInfo &core : machine.cores)
    bytes += core.memoryBytes;
  for (const sim::ChannelInfo &channel : machine.channels)
    if (channel.core < 0)
      bytes += int64_t{channel.record.row_bytes} * channel.record.slots;
  for (const IOBinding &io : machine.program.ios) {
    int64_t size = 8;
    for (int64_t axis : io.shape)
      size *= axis;
    bytes += size;
  }
  return bytes;
}

} // namespace cimc::test

#endif // CIMC_TEST_UNIT_SIM_MUTANTCOST_H
