//===- CounterMachine.h - streams reduced to their counters -----*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_PROGRAM_COUNTERMACHINE_H
#define CIMC_PROGRAM_COUNTERMACHINE_H

#include "cimc/Program/RowPhase.h"

#include <cstddef>
#include <cstdint>
#include <optional>
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
  /// Wait, Free: rows = add + mul0 * i0 + mul1 * i1; Loop: add iterations;
  /// Send: the producer's first row and the rows it skips after each.
  int64_t add = 0, mul0 = 0, mul1 = 0;

  bool touchesChannel() const { return kind != Loop && kind != Next; }
  bool consumes() const { return kind == Wait || kind == Free; }
};

/// Loops are balanced and at most two deep.
using CounterStream = std::vector<CounterStep>;

/// Ends the innermost loop; one that touches no channel is taken back, since it
/// need not be run.
void endLoop(CounterStream &stream);

/// The host's end of a channel: sends its rows in order, or takes them.
CounterStream feedingStream(uint32_t channel, int64_t rows);
CounterStream takingStream(uint32_t channel, int64_t rows);

struct CounterChannel {
  int64_t rows = 1, slots = 1;
  int64_t rowBytes = 1;
  uint32_t producers = 1, consumers = 1; ///< at least 1
};

/// Runs streams on their counters alone. A program of bounded channels and
/// blocking streams is a Kahn process network: whether it ends does not depend
/// on timing, so one run in any order decides for all.
class CounterMachine {
public:
  /// Every step names one of the channels and a party that the channel has.
  CounterMachine(std::vector<CounterChannel> channels,
                 std::vector<CounterStream> streams);

  static constexpr uint32_t nobody = UINT32_MAX;

  /// A stream that could not go on, and why.
  struct Blocked {
    uint32_t stream, channel;
    bool full;    ///< waits for a free slot; else for rows
    size_t step;  ///< index in its stream
    int64_t rows; ///< full: the row of the sample to write; else: rows needed
    int64_t arrived; ///< rows of the sample that are there
  };

  /// A step that a channel's rules forbid, whatever the timing.
  struct Fault {
    enum Kind : uint8_t {
      NoSuchRow,          ///< begins with row `rows`, which there is not
      MixedRows,          ///< not the rows its other sends are for
      TooManyWrites,      ///< would write a row past the channel's last
      PostWithoutAcquire, ///< posts a row that it has not acquired
      WrongWrites,        ///< wrote `rows` rows in a sample
      WrongFrees          ///< freed `rows` rows in a sample
    };
    Kind kind;
    uint32_t stream;
    size_t step;
    int64_t rows;
  };

  /// Runs `samples` samples back to back from the start. True if every stream
  /// ended; otherwise `fault()` or `blocked()` says which did not.
  bool run(int64_t samples = 1);

  /// Like run(1), but whenever no stream can go on, one slot is added to a full
  /// channel of the cycle in which they wait for each other, the one with the
  /// smallest rows (Parks' algorithm). False at a fault, and where a deadlock
  /// has no full channel in it, which no ring size can resolve.
  bool runGrowing();

  const std::optional<Fault> &fault() const { return wrong; }
  /// "producer 0 writes 3 rows to channel 7, which takes 4 a sample", with the
  /// caller's name for the channel of the step at fault.
  std::string describeFault(const std::string &channelName) const;
  const std::vector<Blocked> &blocked() const { return stuck; }
  const std::vector<CounterChannel> &channels() const { return rings; }
  const std::vector<CounterStream> &streams() const { return program; }

  /// The first stream that is this producer or consumer of a channel, or
  /// `nobody`.
  uint32_t owner(uint32_t channel, bool consumes, uint32_t party) const {
    return (consumes ? states[channel].readers
                     : states[channel].writers)[party];
  }

  /// After a failed run: the cycle of waits, for messages ("stream 3 waits for
  /// rows of channel 2 ...").
  std::vector<Blocked> cycle() const;

private:
  struct ChannelState {
    std::vector<uint32_t> writers, readers; ///< stream of each party
    std::vector<RowPhase> phases;           ///< per producer
    /// Over all samples: the row that each producer writes next, and the rows
    /// that each consumer has freed.
    std::vector<int64_t> posted, freed;
    std::vector<bool> acquired;             ///< per producer
    int64_t arrived = 0, released = 0;      ///< least of posted and freed
  };
  struct StreamState {
    size_t next = 0;
    int64_t sample = 0;
    int depth = 0;
    size_t loopStart[2] = {0, 0};
    int64_t iteration[2] = {0, 0}, count[2] = {0, 0};
    bool isReady = true;
  };

  void reset();
  /// Runs until every stream has ended or is blocked, or to a fault.
  bool runToStop(int64_t samples);
  /// Runs a stream until it ends or blocks; false at a fault.
  bool advance(uint32_t stream, int64_t samples);
  bool endSample(uint32_t stream);
  bool fail(Fault::Kind kind, uint32_t stream, size_t step, int64_t rows);
  int64_t rowsOf(const CounterStep &step, const StreamState &stream) const;
  bool isFull(const CounterChannel &ring, const ChannelState &state,
              int64_t row) const;
  void post(uint32_t channel, uint32_t party);
  void wake(const std::vector<uint32_t> &parties);

  std::vector<CounterChannel> rings;
  std::vector<CounterStream> program;
  std::vector<ChannelState> states;
  std::vector<StreamState> streamStates;
  std::vector<Blocked> stuck;
  std::optional<Fault> wrong, mixed; ///< of the run, of the program
  std::vector<uint32_t> ready;
};

} // namespace cimc

#endif // CIMC_PROGRAM_COUNTERMACHINE_H
