//===- TimedChannels.cpp - when rows are there and slots free ---*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TimedRun.h"

#include <algorithm>

namespace cimc::sim {

/// The row that was last in the slot of row `next`, `row` of its sample: of the
/// same sample, or of the one before; negative where there is none.
static int64_t lastInSlot(int64_t next, int64_t row, int64_t rows,
                          int64_t slots) {
  if (row >= slots)
    return next - slots;
  return next > row ? next - rows + (rows - 1 - row) / slots * slots : -1;
}

void TimedRun::addChannels() {
  for (const ChannelInfo &info : machine.channels) {
    const isa::Channel &record = info.record;
    // Producers that take rows in turn do not make every row.
    std::vector<uint32_t> perRow;
    for (const RowPhase &phase : info.phases)
      if (phase.first > 0 || phase.step > 1)
        perRow.assign(record.rows, 0);
    if (!perRow.empty())
      for (const RowPhase &phase : info.phases)
        for (int64_t row = phase.first; row < record.rows; row += phase.step)
          ++perRow[static_cast<size_t>(row)];
    int64_t capacity = int64_t{record.slots} + 1;
    channels.push_back({RowTimes(record.producers, std::move(perRow), capacity),
                        RowTimes(record.consumers, {}, capacity),
                        {},
                        record.rows,
                        record.slots,
                        info.core,
                        record.producers,
                        record.consumers,
                        producers.size(),
                        consumed.size()});
    for (const RowPhase &phase : info.phases)
      producers.push_back(
          {phase.first,
           lastInSlot(phase.first, phase.first, record.rows, record.slots),
           phase.first, phase});
    consumed.resize(consumed.size() + record.consumers, 0);
  }
}

void TimedRun::wake(Channel &channel, bool forSlot) {
  int64_t known = (forSlot ? channel.freed : channel.arrived).complete();
  std::vector<Waiting> &waiting = channel.waiting;
  for (size_t i = 0; i < waiting.size();) {
    if (waiting[i].forSlot != forSlot || waiting[i].rows > known) {
      ++i;
      continue;
    }
    woken.push_back(waiting[i].actor);
    waiting[i] = waiting.back();
    waiting.pop_back();
  }
}

Ready TimedRun::rowsArrived(uint32_t channel, uint32_t sample,
                            uint32_t rows) const {
  const Channel &c = channels[channel];
  if (rows == 0 || c.producers == 0)
    return {0};
  int64_t end = sample * c.rows + rows;
  return c.arrived.complete() < end ? Ready{-1} : c.arrived.at(end - 1);
}

Ready TimedRun::slotFree(uint32_t channel, uint32_t producer) const {
  const Channel &c = channels[channel];
  int64_t before = producers[c.firstProducer + producer].before;
  if (before < 0 || c.consumers == 0)
    return {0};
  return c.freed.complete() <= before ? Ready{-1} : c.freed.at(before);
}

void TimedRun::waitForRows(uint32_t channel, uint32_t actor, uint32_t sample,
                           uint32_t rows) {
  Channel &c = channels[channel];
  c.waiting.push_back({actor, false, sample * c.rows + rows});
}

void TimedRun::waitForSlot(uint32_t channel, uint32_t actor,
                           uint32_t producer) {
  Channel &c = channels[channel];
  c.waiting.push_back(
      {actor, true, producers[c.firstProducer + producer].before + 1});
}

void TimedRun::arrive(uint32_t channel, uint32_t producer, double time,
                      CriticalPath::Id cause) {
  Channel &c = channels[channel];
  Producer &p = producers[c.firstProducer + producer];
  int64_t known = c.arrived.complete();
  c.arrived.pass(p.next, time, cause,
                 c.consumers ? std::min(known, c.freed.complete()) : known);
  int64_t begin = p.next - p.row; // of the sample
  p.row += p.phase.step;
  if (p.row >= c.rows) {
    p.row = p.phase.first;
    begin += c.rows;
  }
  p.next = begin + p.row;
  p.before = lastInSlot(p.next, p.row, c.rows, c.slots);
  if (c.arrived.complete() > known)
    wake(c, false);
}

void TimedRun::release(uint32_t channel, uint32_t consumer, uint32_t sample,
                       uint32_t rows, double time, CriticalPath::Id cause) {
  Channel &c = channels[channel];
  int64_t &next = consumed[c.firstConsumer + consumer];
  int64_t end = sample * c.rows + rows, known = c.freed.complete();
  int64_t oldest = oldestAsked(c);
  for (; next < end; ++next)
    c.freed.pass(next, time, cause, std::min(c.freed.complete(), oldest));
  if (c.freed.complete() > known)
    wake(c, true);
}

double TimedRun::creditNs(uint32_t channel, uint32_t producer, int64_t core) {
  double &known =
      producers[channels[channel].firstProducer + producer].creditNs;
  if (known >= 0)
    return known;
  int64_t consumer = coreId(channels[channel].core);
  if (consumer == core)
    return known = 0;
  // The host's side of credits is on the chip, at its interface by core 0:
  // rows travel over the host link without waiting for the far end.
  return known = network
                     .route(std::max<int64_t>(consumer, 0),
                            std::max<int64_t>(core, 0), creditBytes)
                     ->idleNs;
}

} // namespace cimc::sim
