//===- Timing.h - the chip model's clock ------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_SIM_TIMING_H
#define CIMC_LIB_SIM_TIMING_H

#include "Machine.h"

#include "cimc/Program/PixelSpan.h"
#include "cimc/Sim/Simulator.h"
#include "cimc/Target/CostModel.h"

#include <array>
#include <map>
#include <vector>

namespace cimc::sim {

/// Where energy goes.
enum Component {
  ArrayRead,
  ArrayMac,
  ArraySums,
  Sram,
  VectorUnit,
  NetworkOnChip,
  NetworkOnPackage,
  HostLink,
  DramMemory,
  componentCount
};
const char *componentName(int component);

/// nJ by component.
struct Energy {
  std::array<double, componentCount> nj{};
  Energy &operator+=(const Energy &other) {
    for (int i = 0; i < componentCount; ++i)
      nj[i] += other.nj[i];
    return *this;
  }
  double arrays() const { return nj[ArrayRead] + nj[ArrayMac] + nj[ArraySums]; }
  /// Everything but the arrays.
  double others() const {
    double sum = 0;
    for (int i = Sram; i < componentCount; ++i)
      sum += nj[i];
    return sum;
  }
};

/// What an instruction asks of the chip.
struct OpCost {
  double ns = 0; ///< time its unit works
  Energy energy;
  int64_t macs = 0;
  uint32_t macros = 0; ///< bit mask of the macros that work, 0: the vector unit
  int64_t pixels = -1; ///< the count this was computed for
  /// Time that each bank of the core's memory works, then each of the tile's,
  /// up to the last that does.
  std::vector<double> bankNs;
  std::vector<double> targetBankNs; ///< the same of the core a row is sent to
  double targetNj = 0;              ///< of its memory
};

/// Time that the banks of a core's memory, its own and its tile's, need for
/// accesses. A bank reads or writes one word a cycle.
class BankLoad {
public:
  BankLoad(const ChipSpec &chip, int64_t core);
  /// Adjacent bytes from `address` on.
  void add(int64_t address, int64_t bytes) { add(address, 0, bytes, 1, 1); }
  /// `count` pieces of `bytes` bytes, `pitch` apart, each `times` times.
  void add(int64_t address, int64_t pitch, int64_t bytes, int64_t count,
           double times);
  std::vector<double> ns() const;

private:
  /// Words from `next` on: those before were just read.
  void piece(int64_t address, int64_t bytes, double times,
             std::array<int64_t, 2> &next);
  const ChipSpec &chip;
  int64_t tileOffset; ///< of the core's share in the tile's memory
  std::vector<double> words;
};

/// Costs of instructions, all from CostModel. Components are separated by
/// asking models of the same chip in which all other energies are zero.
class Costs {
public:
  explicit Costs(const ChipSpec &chip);

  OpCost instruction(const Machine &machine, const StreamInfo &stream,
                     const Op &op, const StreamState &at) const;
  /// Pixels an instruction works on, where its cost depends on them; else 0.
  static int64_t pixels(const Machine &machine, const StreamInfo &stream,
                        const Op &op, const StreamState &at);
  /// Whether these differ from iteration to iteration.
  static bool hasVaryingPixels(const Op &op);
  /// Energy of moving bytes between cores (-1: host).
  Energy transfer(int64_t from, int64_t to, int64_t bytes) const;
  double sram(int64_t address, int64_t bytes) const {
    return model.sramAccess(address, bytes).nj;
  }

  const CostModel &costModel() const { return model; }
  double cycleNs() const { return 1e3 / chip.core.clock_mhz; }

private:
  ChipSpec chip, onlyRead, onlyMac, onlySums, onlyNoc, onlyNop, onlyHost,
      onlyDram;
  CostModel model, readModel, macModel, sumsModel, nocModel, nopModel,
      hostModel, dramModel;
};

/// A link as a message takes it.
struct Hop {
  double ns; ///< it is taken
  /// From its begin to the end of the route, for the first byte.
  double restNs;
  uint32_t link;
  uint32_t network; ///< the component that its energy counts for
};

/// Links by network, from NetworkOnChip on; ports are last.
using LinkCounts = std::array<uint16_t, componentCount - NetworkOnChip + 1>;

/// A way through the networks and its cost when idle.
struct Route {
  std::vector<Hop> hops;
  LinkCounts links{};
  double idleNs = 0;
  Energy energy;
  /// The energy of a message that takes only some of the links.
  Energy share(const LinkCounts &taken) const;
};

class Network;

/// What is on its way to several readers.
struct Message {
  Message(Network &network, double start);
  uint64_t id;
  double start, sent = 0;
  double delay = 0;  ///< from `start` until the first byte may leave
  bool isNew = true; ///< has taken no link yet
};

/// The links of the chip (CostModel::route), each taken by one message at a
/// time: the first that comes to it, wherever it was sent from. So a link has
/// gaps before what was reserved on it by messages that are still far away.
/// Messages cut through and wait in front of links, in buffers large enough.
class Network {
public:
  explicit Network(const Costs &costs);
  /// The route for rows of `bytes` bytes; stable address.
  const Route *route(int64_t from, int64_t to, int64_t bytes);
  struct Times {
    double sent;    ///< the sender's port is free again
    double arrived; ///< the last byte is there
    LinkCounts taken{};
  };
  /// Reserves a route's links from `message.start` on for pixels `span` of the
  /// message, but for links that it has taken for them already. The start never
  /// goes back from call to call.
  Times reserve(const Route &route, Message &message,
                PixelSpan span = {0, 1, 1});
  /// When each link of the route last reserved begins to be taken, where they
  /// are kept; negative for those that the message had taken before.
  const std::vector<double> &begins() const { return linkBegins; }
  bool keepsBegins = false;
  /// Calls `fn` with link, begin and end of all that is reserved still.
  template <typename Fn> void visitReserved(Fn fn) const {
    for (size_t link = 0; link < links.size(); ++link)
      for (const Interval &i : links[link].taken)
        if (i.end > latest)
          fn(link, i.begin, i.end);
  }
  uint64_t newMessage() { return ++messages; }

private:
  struct Interval {
    double begin, end;
  };
  struct LinkState {
    std::vector<Interval> taken; ///< in order
    double until = 0;            ///< the end of the last
    uint64_t message = 0;        ///< that took it last,
    double begin = 0, ns = 0;    ///< since when and how long,
    PixelSpan span;              ///< and for which of its pixels
  };
  /// Takes a link for `ns` as soon as it is free for so long from `time` on.
  static double take(LinkState &link, double time, double ns, double now);

  const Costs &costs;
  std::vector<LinkState> links;
  uint64_t messages = 0;
  double latest = 0; ///< start of a message
  std::vector<double> linkBegins;
  std::map<std::array<int64_t, 3>, Route> routes;
};

/// One piece of work on one unit, for traces.
struct TraceEvent {
  static constexpr int64_t host = -1, networks = -2, memories = -3;
  int64_t core; ///< or one of these
  std::string unit, name;
  double startNs, durationNs;
  uint32_t sample;
};

/// The events in the Chrome trace format (microseconds).
std::string traceJson(const std::vector<TraceEvent> &events);

/// Runs the setup of all cores in time.
SetupCost setupCost(const Machine &machine, const Costs &costs,
                    WriteProfile profile);

class CriticalPath;

/// Runs several samples in time and fills in `report`. With `state`, the first
/// sample's data are computed too; with its `activity`, they set the energy of
/// the products. `samples`: feed so many; 0: without end, until the period is
/// known. `skips`: of so many, cycles after which the state comes back are not
/// run again, but for traces and paths. An error if all streams block.
Status runTimed(const Machine &machine, State *state, CostReport &report,
                std::vector<TraceEvent> *trace = nullptr,
                CriticalPath *path = nullptr, int64_t samples = 0,
                bool skips = true);

} // namespace cimc::sim

#endif // CIMC_LIB_SIM_TIMING_H
