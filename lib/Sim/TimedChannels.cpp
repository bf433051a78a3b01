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

bool TimedRun::later(Ready &ready,
                     const std::vector<std::vector<double>> &times,
                     const std::vector<std::vector<CriticalPath::Id>> &causes,
                     size_t party, size_t at) {
  if (times[party].size() <= at)
    return false;
  if (times[party][at] >= ready.time)
    ready = {times[party][at],
             causes.empty() ? CriticalPath::none : causes[party][at]};
  return true;
}

TimedRun::Ready TimedRun::rowsArrived(uint32_t channel, uint32_t sample,
                                      uint32_t rows) const {
  if (rows == 0)
    return {0};
  const Channel &history = channels[channel];
  const ChannelInfo &info = machine.channels[channel];
  int64_t perSample = info.record.rows, end = sample * perSample + rows;
  Ready ready{0};
  for (size_t p = 0; p < history.arrived.size(); ++p) {
    int64_t count = info.phases[p].before(end, perSample);
    if (count > 0 && !later(ready, history.arrived, history.arrivedBy, p,
                            static_cast<size_t>(count - 1)))
      return {-1};
  }
  return ready;
}

TimedRun::Ready TimedRun::slotFree(uint32_t channel, uint32_t producer) const {
  const isa::Channel &record = machine.channels[channel].record;
  auto count = static_cast<int64_t>(channels[channel].arrived[producer].size());
  auto next = static_cast<size_t>(
      machine.channels[channel].phases[producer].row(count, record.rows));
  size_t sample = next / record.rows, row = next % record.rows;
  // The row that was last in the slot: of this sample, or of the one before.
  size_t before;
  if (row >= record.slots)
    before = next - record.slots;
  else if (sample > 0)
    before = (sample - 1) * record.rows + row +
             (record.rows - 1 - row) / record.slots * record.slots;
  else
    return {0};
  const Channel &history = channels[channel];
  Ready ready{0};
  for (size_t c = 0; c < history.freed.size(); ++c)
    if (!later(ready, history.freed, history.freedBy, c, before))
      return {-1};
  return ready;
}

void TimedRun::arrive(uint32_t channel, uint32_t producer, double time,
                      CriticalPath::Id cause) {
  Channel &history = channels[channel];
  std::vector<double> &times = history.arrived[producer];
  if (!times.empty())
    time = std::max(time, times.back());
  times.push_back(time);
  if (path)
    history.arrivedBy[producer].push_back(cause);
  wake(channel);
}

void TimedRun::release(uint32_t channel, uint32_t consumer, uint32_t sample,
                       uint32_t rows, double time, CriticalPath::Id cause) {
  Channel &history = channels[channel];
  std::vector<double> &times = history.freed[consumer];
  size_t end = size_t{sample} * machine.channels[channel].record.rows + rows;
  if (times.size() >= end)
    return;
  times.resize(end, time);
  if (path)
    history.freedBy[consumer].resize(end, cause);
  wake(channel);
}

double TimedRun::creditNs(uint32_t channel, uint32_t producer, int64_t core) {
  double &known = channels[channel].creditNs[producer];
  if (known >= 0)
    return known;
  int64_t consumer = coreId(machine.channels[channel].core);
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
