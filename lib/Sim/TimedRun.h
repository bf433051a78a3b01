//===- TimedRun.h - several samples in time ---------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_SIM_TIMEDRUN_H
#define CIMC_LIB_SIM_TIMEDRUN_H

#include "CriticalPath.h"
#include "EventQueue.h"
#include "Period.h"
#include "RowTimes.h"
#include "Timing.h"

namespace cimc::sim {

// A freed slot is reported to the producer in one flit.
inline constexpr int64_t creditBytes = 8;
// Power is averaged over this for the peak.
inline constexpr double powerWindowNs = 1000;
// Gates between inputs and weights that macro.mac_fj takes to switch in a
// cycle: half of the inputs toggle, half of the weights' bits are 1.
inline constexpr double assumedSwitching = 0.25;

/// Time that banks work, of the core's memory and of the tile's; both end with
/// zeros, so that they are a multiple of `together`.
struct BankTimes {
  static constexpr size_t together = 4;
  std::vector<double> own, shared;
};

/// An event list of streams and the host's ends. Every instruction is one
/// event; units and links are granted in the order of the events' times.
class TimedRun {
public:
  TimedRun(const Machine &machine, State *state, std::vector<TraceEvent> *trace,
           CriticalPath *path, int64_t samples, bool skips)
      : machine(machine), state(state), trace(trace), path(path),
        chip(machine.program.chip), costs(chip), network(costs),
        cycle(costs.cycleNs()), fixedSamples(samples),
        skips(skips && samples && !trace && !path),
        maxSamples(static_cast<uint32_t>(samples ? samples
                                         : machine.collectors.empty()
                                             ? Period::fewest
                                             : 2 * Period::most)) {}

  Status run();
  void fill(CostReport &report);

private:
  struct Activity {
    double switched = 0; ///< shares of gates, summed
    int64_t count = 0;
  };
  /// What an event of an instruction needs of its cost and its way.
  struct Work {
    double ns = 0;
    /// With clocks; of what is sent, when it takes all links of its way.
    double nj = 0;
    uint32_t pixels = 0;
    uint32_t macros = 0; ///< bit mask
    bool isKnown = false;
    bool varies = false; ///< with the pixels
    bool onArrays = false;
    bool usesDram = false;
    bool joined = false; ///< a send
    PixelSpan span;      ///< of the message that it is part of
    const BankTimes *banks = nullptr, *targetBanks = nullptr; ///< if any
    const Route *route = nullptr; ///< of what goes over networks
  };
  /// One that takes its turns: a stream, a feeder, a collector.
  struct Actor {
    StreamState at;
    uint32_t sample = 0;
    double time = 0;
    CriticalPath::Id cause = CriticalPath::none; ///< what set `time`
    uint32_t core = 0;                           ///< index in Machine::cores
    const Op *ops = nullptr;                     ///< null: a port of the host
    Work *works = nullptr;                       ///< by instruction
    double stored = 0; ///< when the last row sent to DRAM is there
    void waitUntil(const Ready &ready) {
      if (ready.time <= time)
        return;
      time = ready.time;
      cause = ready.cause;
    }
  };
  /// What a stream comes to in the first sample.
  struct Account {
    std::vector<OpCost> costs; ///< by instruction, once computed
    /// Gates that switched, so far, of products with data.
    std::vector<Activity> activity;
    Energy energy;
    std::map<int64_t, double> busy; ///< by unit
    StreamCost cost;
  };
  struct Unit {
    double free = 0;
    CriticalPath::Id by = CriticalPath::none; ///< what took it last
  };
  struct Producer {
    int64_t next;        ///< row, through all samples
    int64_t before = -1; ///< the row last in the next one's slot, if any
    int64_t row;         ///< the next one's number within its sample
    RowPhase phase;
    double creditNs = -1; ///< negative where not known yet
  };
  /// An actor blocked until a channel's rows have arrived, or were freed.
  struct Waiting {
    uint32_t actor;
    bool forSlot;
    int64_t rows; ///< [0, rows)
  };
  struct Channel {
    RowTimes arrived, freed;
    std::vector<Waiting> waiting;
    int64_t rows, slots, core;
    uint32_t producers, consumers;
    size_t firstProducer, firstConsumer; ///< in the lists of all
  };

  /// Brings a stream's next instruction into the cache.
  void prefetch(uint32_t index) const {
    const Actor &actor = actors[index];
    if (!actor.ops)
      return;
    __builtin_prefetch(&actor.ops[actor.at.pc]);
    __builtin_prefetch(&actor.works[actor.at.pc]);
  }
  void push(uint32_t index) {
    prefetch(index);
    queue.push({actors[index].time, index});
  }
  void addActors();
  void addChannels();
  /// Lets go on those that wait for rows of a channel that are known now.
  void wake(Channel &channel, bool forSlot);
  /// When rows [0, rows) of a sample are there.
  Ready rowsArrived(uint32_t channel, uint32_t sample, uint32_t rows) const;
  /// When the slot of a producer's next row is free.
  Ready slotFree(uint32_t channel, uint32_t producer) const;
  void waitForRows(uint32_t channel, uint32_t actor, uint32_t sample,
                   uint32_t rows);
  void waitForSlot(uint32_t channel, uint32_t actor, uint32_t producer);
  void arrive(uint32_t channel, uint32_t producer, double time,
              CriticalPath::Id cause);
  void release(uint32_t channel, uint32_t consumer, uint32_t sample,
               uint32_t rows, double time, CriticalPath::Id cause);
  /// Time a credit takes from the consumer of a channel to a producer, which is
  /// on core `core`.
  double creditNs(uint32_t channel, uint32_t producer, int64_t core);
  /// Dynamic energy with clocks, from `begin` to `end`.
  void spend(double nj, double begin, double end);
  double withClock(const Energy &energy) const {
    return energy.arrays() + costs.costModel().withClock(energy.others());
  }
  void occupy(uint32_t index, int64_t unit, double begin, double end,
              const char *name);

  void traceLinks(const Route &route, const std::string &name, uint32_t sample);

  /// Whether a stream's next instruction takes a unit or a link.
  static bool takesTurn(const Actor &actor) {
    Kind kind = actor.ops[actor.at.pc].kind;
    return kind == Kind::Data || kind == Kind::Send;
  }
  /// One instruction of a stream, one row of a port of the host. False where
  /// the actor is done or blocked.
  bool stepStream(uint32_t index);
  bool stepPort(uint32_t index);
  /// Notes that a slot of the channel is what the actor waited for last.
  void waitedForSlot(uint32_t index, uint32_t channel);
  /// A send and those joined to it; moves the stream behind them.
  void sendAll(uint32_t index);
  void send(uint32_t index, const Op &op, Message &message);
  void work(uint32_t index, const Op &op);
  /// A row to or from DRAM.
  void dram(uint32_t index, const Op &op);
  /// The energy of products at the activity of their data.
  Energy activeEnergy(uint32_t index, const Op &op);
  /// Lets the banks of a core's memory work from `time` on, one access after
  /// the other in each; when they are done.
  double useBanks(int64_t core, const BankTimes *banks, double time,
                  const std::string &name, uint32_t sample);
  /// Null where none works.
  const BankTimes *bankTimes(const std::vector<double> &ns);
  /// The cost of a stream's instruction where it is.
  const Work &costed(uint32_t index, const Op &op) {
    const Work &work = actors[index].works[actors[index].at.pc];
    if (!work.isKnown || work.varies)
      computeCost(index, op);
    return work;
  }
  void computeCost(uint32_t index, const Op &op);
  /// An actor is done with a sample; whether another one comes.
  bool nextSample(Actor &actor);
  /// A sample has left; whether that is enough.
  bool finishSample();
  /// The state has come back: leaves out as many whole cycles as no actor has
  /// begun a sample behind.
  void skipCycles();
  /// Tells apart what the chip may be like when a sample leaves at `now`.
  uint64_t stateHash(int64_t sample, double now) const;
  /// The first row whose slot a producer may ask for still.
  static int64_t oldestAsked(const Channel &channel) {
    // Not further back than its slots and those of the sample before.
    return std::max<int64_t>(channel.arrived.complete() - 2 * channel.slots, 0);
  }

  int64_t coreId(int64_t core) const {
    return core < 0 ? -1 : int64_t{machine.cores[core].source->id};
  }
  /// Unit numbers: the macros of a core, its vector unit, its port.
  int64_t unitsPerCore() const { return chip.hierarchy.macros_per_core + 2; }
  int64_t macroUnit(uint32_t core, int64_t macro) const {
    return core * unitsPerCore() + macro;
  }
  int64_t vectorUnit(uint32_t core) const {
    return macroUnit(core, chip.hierarchy.macros_per_core);
  }
  int64_t portUnit(uint32_t core) const { return vectorUnit(core) + 1; }
  /// What starts the products of a tile's cores, behind the units of all cores.
  int64_t issueUnit(uint32_t core) const {
    return static_cast<int64_t>(machine.cores.size()) * unitsPerCore() +
           coreId(core) / chip.hierarchy.cores_per_tile;
  }

  const Machine &machine;
  State *state;
  std::vector<TraceEvent> *trace;
  CriticalPath *path;
  const ChipSpec &chip;
  Costs costs;
  Network network;
  double cycle;
  int64_t fixedSamples; ///< 0: until the period is known
  bool skips;           ///< cycles that repeat
  /// That an actor takes at most: so many as are fed, less those skipped.
  /// Without end that is twice as many as are looked at, as of several networks
  /// one may be faster.
  uint32_t maxSamples;

  EventQueue queue;
  std::vector<uint32_t> woken;   ///< not in the queue yet
  std::vector<Actor> actors;     ///< streams, feeders, collectors
  std::vector<Account> accounts; ///< by stream
  std::vector<Work> works;       ///< of all streams' instructions
  std::vector<Channel> channels;
  std::vector<Producer> producers;  ///< by channel
  std::vector<int64_t> consumed;    ///< rows that each consumer freed
  std::vector<Unit> units;          ///< of all cores, then of all tiles
  std::vector<double> bankFree;     ///< banks of all cores, then of all tiles
  std::vector<double> memoryTraced; ///< by core, then by tile
  std::map<std::vector<double>, BankTimes> bankPatterns;
  /// Of the host's ports, by number; banks of feeders only.
  std::vector<const BankTimes *> portBanks;
  std::vector<const Route *> portRoutes;
  double switched = 0; ///< in the first sample: gates, times products
  CriticalPath::Id finishedBy = CriticalPath::none;
  Period period;
  std::vector<double> finished; ///< by sample: last output row at the host
  std::vector<uint32_t> collectorsDone; ///< by sample
  bool hasLeft = false;                 ///< a sample, just now
  uint32_t left = 0;                    ///< samples
  /// An actor has had its last sample: from now on the end shows.
  bool isEnding = false;
  /// With clocks; so far, and after each sample in `period`.
  double spent = 0;
  std::vector<double> spentAfter;
  int64_t skippedSamples = 0;
  double skippedNs = 0, skippedNj = 0;
  std::vector<double> window; ///< nJ in each power window
  Energy feeding;             ///< of the host's rows, first sample
  int64_t instructions = 0, macs = 0;
  /// Reads of the cells of a tile in the first sample, by core, macros, cell
  /// row and column.
  std::map<std::array<int64_t, 4>, int64_t> reads;
};

} // namespace cimc::sim

#endif // CIMC_LIB_SIM_TIMEDRUN_H
