//===- CounterMachine.h - streams reduced to their counters -----*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_SCHEDULING_COUNTERMACHINE_H
#define CIMC_SCHEDULING_COUNTERMACHINE_H

#include <cstdint>
#include <string>
#include <vector>

namespace cimc {

/// What an instruction does to a channel's counters. Instructions that only
/// compute are left out: results never decide what a stream does next.
struct CounterStep {
  enum Kind : uint8_t { Loop, Next, Wait, Free, Acquire, Post, Send };
  Kind kind;
  uint32_t channel = 0;
  uint32_t party = 0; ///< which producer or consumer
  /// Wait, Free: rows = add + mul0 * i0 + mul1 * i1; Loop: add iterations.
  int64_t add = 0, mul0 = 0, mul1 = 0;
};

using CounterStream = std::vector<CounterStep>;

struct CounterChannel {
  int64_t rows = 1, slots = 1;
  int64_t rowBytes = 1;
  uint32_t producers = 1, consumers = 1;
};

/// Runs streams on their counters alone. A program of bounded channels and
/// blocking streams is a Kahn process network: whether it ends does not depend
/// on timing, so one run in any order decides for all.
class CounterMachine {
public:
  CounterMachine(std::vector<CounterChannel> channels,
                 std::vector<CounterStream> streams);

  /// A stream that could not go on, and why.
  struct Blocked {
    uint32_t stream, channel;
    bool full; ///< waits for a free slot; else for rows
  };

  /// Runs `samples` samples back to back from the start. True if every stream
  /// ended; otherwise `blocked()` says which did not.
  bool run(int64_t samples = 1);

  /// Like run(1), but whenever no stream can go on, one slot is added to a full
  /// channel of the cycle in which they wait for each other, the one with the
  /// smallest rows (Parks' algorithm). False where a deadlock has no full
  /// channel in it, which no ring size can resolve.
  bool runGrowing();

  const std::vector<Blocked> &blocked() const { return stuck; }
  const std::vector<CounterChannel> &channels() const { return rings; }

  /// After a failed run: the cycle of waits, for messages ("stream 3 waits for
  /// rows of channel 2 ...").
  std::vector<Blocked> cycle() const;

private:
  struct ChannelState {
    std::vector<int64_t> posted, freed; ///< per party, over all samples
  };
  struct StreamState {
    size_t next = 0;
    int64_t sample = 0;
    int depth = 0;
    size_t loopStart[2] = {0, 0};
    int64_t iteration[2] = {0, 0}, count[2] = {0, 0};
  };

  void reset();
  /// Runs a stream until it ends or blocks; returns whether it moved.
  bool advance(uint32_t stream, int64_t samples, Blocked &why);
  bool isFull(const CounterChannel &ring, const ChannelState &state,
              int64_t row) const;
  bool runToStop(int64_t samples);
  void wake(uint32_t channel);

  std::vector<CounterChannel> rings;
  std::vector<CounterStream> streams;
  std::vector<ChannelState> channelStates;
  std::vector<StreamState> streamStates;
  std::vector<Blocked> stuck;
  /// Streams at the ends of each channel, by party.
  std::vector<std::vector<uint32_t>> writers, readers;
  std::vector<uint32_t> ready;
  std::vector<bool> isReady;
};

} // namespace cimc

#endif // CIMC_SCHEDULING_COUNTERMACHINE_H
