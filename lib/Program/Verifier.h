//===- Verifier.h - parts of the program verifier ---------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_PROGRAM_VERIFIER_H
#define CIMC_LIB_PROGRAM_VERIFIER_H

#include "cimc/Program/Program.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace cimc::verifier {

/// Wide enough for sums and products of three 32-bit fields.
using Wide = __int128;

inline std::string text(Wide value) {
  return value > INT64_MAX ? "more than 2^63"
                           : std::to_string(static_cast<int64_t>(value));
}

inline Error invalid(std::string message) {
  return {ExitCode::InvalidInput, std::move(message)};
}

/// Names of the element types of views, by number.
const char *typeName(unsigned type);
/// Bytes of an element; 0 where there is no such type.
int64_t elementBytes(unsigned type);
/// The byte behind the last one of a view.
Wide viewEndWide(const isa::View &view);
/// The same of a view that lies in memory.
inline int64_t viewEnd(const isa::View &view) {
  return static_cast<int64_t>(viewEndWide(view));
}

/// The descriptors of one core, found by id.
struct CoreTables {
  const CoreProgram *core = nullptr;
  std::map<uint32_t, const isa::View *> views;
  std::map<uint32_t, const isa::Window *> windows;
  std::map<uint32_t, const isa::Pattern *> patterns;
  /// Blocks of each macro that the setup programs.
  std::map<uint32_t, std::vector<const CellBlock *>> cells;
};

/// What a whole program's parts refer to.
struct Tables {
  const Program *program = nullptr;
  std::map<uint32_t, uint32_t> channels; ///< id to index
  std::map<int64_t, uint32_t> cores;     ///< id to index
  std::vector<CoreTables> byCore;        ///< by index
  /// By channel index: fed by the host, collected by the host.
  std::vector<bool> fed, collected;
};

/// Core memory that an instruction reads or writes.
struct Access {
  int64_t begin = 0, end = 0;
  bool writes = false;
  std::string name; ///< "view 3", "the constants at 256"

  bool overlaps(int64_t from, int64_t to) const {
    return begin < to && from < end;
  }
  bool operator<(const Access &o) const {
    return std::tie(begin, end, writes, name) <
           std::tie(o.begin, o.end, o.writes, o.name);
  }
};

/// Bytes of DRAM that a stream may touch.
struct DramUse {
  int64_t begin = 0, end = 0;
  uint32_t core = 0, stream = 0; ///< the core's index

  bool operator<(const DramUse &o) const {
    return std::tie(begin, end, core, stream) <
           std::tie(o.begin, o.end, o.core, o.stream);
  }
};

/// What a stream uses of its core, and of DRAM.
struct StreamUse {
  std::set<Access> accesses;
  std::vector<DramUse> dram;             ///< core and stream are not set
  std::set<uint32_t> consumes, produces; ///< indices of this core's channels
};

/// The setup of a core: constants are loaded once each, blocks of weights fit
/// the macro that they are for and are written once each, and no macro is
/// programmed twice. Fills in `core.cells`, all that streams may read.
Status verifySetup(const Tables &tables, CoreTables &core);

/// Loops balanced, operands known, addresses inside, for one stream. Adds what
/// it uses to `use`.
Status verifyStream(const Tables &tables, const CoreTables &core,
                    uint32_t streamIndex, StreamUse &use);

/// Streams of a core meet in channels only: a ring is written by its producers
/// and read by its producers and consumers, constants are never written, and
/// any other byte belongs to one stream. `uses` are those of its streams.
Status verifyMemoryUse(const Tables &tables, const CoreTables &core,
                       const std::vector<StreamUse> &uses);

/// No byte of DRAM is touched by two streams.
Status verifyDram(const Tables &tables, std::vector<DramUse> uses);

/// Every channel has its producers and consumers, every row is written and
/// freed once, and a run of the counters over two samples ends.
Status verifyCounters(const Tables &tables);

} // namespace cimc::verifier

#endif // CIMC_LIB_PROGRAM_VERIFIER_H
