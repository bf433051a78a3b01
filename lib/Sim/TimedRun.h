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
#include "Timing.h"

namespace cimc::sim {

// A freed slot is reported to the producer in one flit.
inline constexpr int64_t creditBytes = 8;
// Power is averaged over this for the peak.
inline constexpr double powerWindowNs = 1000;
inline constexpr uint32_t maxSamples = 16;
// Gates between inputs and weights that macro.mac_fj takes to switch in a
// cycle: half of the inputs toggle, half of the weights' bits are 1.
inline constexpr double assumedSwitching = 0.25;

/// An event list of streams and the host's ends. Every instruction is one
/// event; units and links are granted in the order of the events' times.
class TimedRun {
public:
  TimedRun(const Machine &machine, State *state, std::vector<TraceEvent> *trace,
           CriticalPath *path)
      : machine(machine), state(state), trace(trace), path(path),
        chip(machine.program.chip), costs(chip), network(costs),
        cycle(costs.cycleNs()) {}

  Status run();
  void fill(CostReport &report);

private:
  struct Activity {
    double switched = 0; ///< shares of gates, summed
    int64_t count = 0;
  };
  struct Actor {
    StreamState at;
    double time = 0;
    uint32_t sample = 0;
    CriticalPath::Id cause = CriticalPath::none; ///< what set `time`
    // By instruction, once computed:
    std::vector<OpCost> costs;
    std::vector<const Route *> routes; ///< of what goes over networks
    /// Gates that switched, so far, of products with data.
    std::vector<Activity> activity;
    double stored = 0; ///< when the last row sent to DRAM is there
    // Of the first sample:
    Energy energy;
    std::map<int64_t, double> busy; ///< by unit
    StreamCost cost;
  };
  /// A channel's history: times by row, counted through all samples.
  struct Channel {
    std::vector<std::vector<double>> arrived, freed;
    /// What made it so, where the critical path is asked for.
    std::vector<std::vector<CriticalPath::Id>> arrivedBy, freedBy;
    std::vector<uint32_t> waiting;
    /// Time a credit takes to each producer; negative where not known yet.
    std::vector<double> creditNs;
  };

  void push(uint32_t actor) { queue.push({actors[actor].time, actor}); }
  void wake(uint32_t channel) {
    for (uint32_t actor : channels[channel].waiting)
      push(actor);
    channels[channel].waiting.clear();
  }
  void block(uint32_t channel, uint32_t actor) {
    channels[channel].waiting.push_back(actor);
  }
  /// When rows [0, rows) of a sample are there; negative where not known yet.
  struct Ready {
    double time;
    CriticalPath::Id cause = CriticalPath::none;
  };
  Ready rowsArrived(uint32_t channel, uint32_t sample, uint32_t rows) const;
  /// When the slot of a producer's next row is free; negative where not known.
  Ready slotFree(uint32_t channel, uint32_t producer) const;
  void arrive(uint32_t channel, uint32_t producer, double time,
              CriticalPath::Id cause);
  void release(uint32_t channel, uint32_t consumer, uint32_t sample,
               uint32_t rows, double time, CriticalPath::Id cause);
  /// Puts `ready` off to entry `at` of a party's history; false where there is
  /// none yet.
  static bool later(Ready &ready, const std::vector<std::vector<double>> &times,
                    const std::vector<std::vector<CriticalPath::Id>> &causes,
                    size_t party, size_t at);
  /// Time a credit takes from the consumer of a channel to a producer, which is
  /// on core `core`.
  double creditNs(uint32_t channel, uint32_t producer, int64_t core);
  void spend(Actor *actor, const Energy &energy, double begin, double end,
             bool isFirstSample);
  void occupy(Actor &actor, int64_t unit, double begin, double end,
              const StreamInfo &stream, const char *name);

  void traceLinks(const Route &route, const std::string &name, uint32_t sample);

  /// Whether a stream's next instruction takes a unit or a link.
  bool takesTurn(uint32_t index) const {
    Kind kind = machine.streams[index].ops[actors[index].at.pc].kind;
    return kind == Kind::Data || kind == Kind::Send;
  }
  /// One instruction of a stream, one row of a port of the host. False where
  /// the actor is done or blocked.
  bool stepStream(uint32_t index);
  bool stepPort(uint32_t index);
  /// A send and those joined to it; moves the stream behind them.
  void sendAll(Actor &actor, const StreamInfo &stream);
  void send(Actor &actor, const StreamInfo &stream, const Op &op,
            Message &message);
  void work(Actor &actor, const StreamInfo &stream, const Op &op);
  /// A row to or from DRAM.
  void dram(Actor &actor, const StreamInfo &stream, const Op &op);
  /// The energy of products at the activity of their data.
  Energy activeEnergy(Actor &actor, const StreamInfo &stream, const Op &op,
                      const OpCost &cost);
  /// Lets the banks of a core's memory work from `time` on, one access after
  /// the other in each; when they are done.
  double useBanks(int64_t core, const std::vector<double> &ns, double time,
                  const std::string &name, uint32_t sample);
  const OpCost &cost(Actor &actor, const StreamInfo &stream, const Op &op);
  bool isSteady();

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

  EventQueue queue;
  std::vector<Actor> actors; ///< streams, feeders, collectors
  std::vector<Channel> channels;
  std::vector<double> unitFree;
  std::vector<double> bankFree;     ///< banks of all cores, then of all tiles
  std::vector<double> memoryTraced; ///< by core, then by tile
  std::vector<std::vector<double>> feederBanks; ///< ns for a row of each
  double switched = 0; ///< in the first sample: gates, times products
  std::vector<CriticalPath::Id> unitBy; ///< what took the unit last
  CriticalPath::Id finishedBy = CriticalPath::none;
  std::vector<double> finished; ///< by sample: last output row at the host
  std::vector<uint32_t> collectorsDone; ///< by sample
  std::vector<double> window;           ///< nJ in each power window
  Energy feeding;                       ///< of the host's rows, first sample
  int64_t instructions = 0, macs = 0;
  /// Reads of the cells of a tile in the first sample, by core, macros, cell
  /// row and column.
  std::map<std::array<int64_t, 4>, int64_t> reads;
};

} // namespace cimc::sim

#endif // CIMC_LIB_SIM_TIMEDRUN_H
