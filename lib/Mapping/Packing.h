//===- Packing.h - streams onto cores ---------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every stream asks its core for time of macros, of the vector unit and of the
// network port, for cells, memory and one of the sequencer's contexts. Packing
// puts all streams of a network on cores so that no core is asked for more
// than a sample's period, nor for more than it has: vector bin packing, first
// fit around the place that a stream has in the order of the network, so that
// neighbours stay near. `cim-replicate` asks whether copies would fit,
// `cim-place` where they go.
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_MAPPING_PACKING_H
#define CIMC_LIB_MAPPING_PACKING_H

#include "Load.h"

#include <optional>
#include <vector>

namespace cimc::mapping {

/// One stream.
struct Item {
  Load load;
  /// The stream whose core it should share (what it reads is made there), an
  /// earlier item; -1 for one that takes its place in the order.
  int64_t near = -1;
  /// Port time of rows that it reads where they are made as long as it does
  /// share that core; part of load.inNs, and not of the maker's load.outNs.
  double besideNs = 0;
};

/// Where an item is.
struct Place {
  int64_t core = -1;
  std::vector<int64_t> macros; ///< within the core, ascending
  int64_t macroRow = 0;
};

/// How much streams may share.
enum class Sharing {
  Cores,  ///< a weight tile has a core of its own
  Macros, ///< a macro of its own
  All     ///< tiles of several layers lie in one macro and take turns
};

/// How much memory streams are planned to take.
enum class Memory {
  Ample, ///< Load::bytes
  Least, ///< Load::leastBytes
  Any    ///< no matter how much
};

class Packer {
public:
  /// `memoryPercent`: the part of a core's memory that may be taken.
  explicit Packer(const ChipSpec &chip, int64_t memoryPercent = 100);

  /// Places for all items, or nothing. `limitNs`: what the units of a core may
  /// be asked for in a sample. Deterministic.
  std::optional<std::vector<Place>> pack(const std::vector<Item> &items,
                                         double limitNs, Sharing sharing,
                                         Memory memory);

  /// With the least sharing that is possible.
  std::optional<std::vector<Place>> pack(const std::vector<Item> &items,
                                         double limitNs, Memory memory);

  /// After a failure: the item that found no place.
  size_t failed() const { return failedItem; }

private:
  struct Core {
    std::vector<double> macroNs;
    std::vector<int64_t> macroRows; ///< in use
    double vectorNs = 0, inNs = 0, outNs = 0;
    int64_t streams = 0, bytes = 0, tiles = 0;
  };

  double share(const Item &item, double limitNs, Sharing sharing) const;
  /// Takes the item onto the core if it has room. `maker`: the core of what it
  /// is near to, or null; `issueNs`: how long the tile's port is taken.
  bool tryCore(const Item &item, Core &core, double &issueNs, Core *maker,
               double limitNs, Sharing sharing, Memory memory,
               Place &place) const;
  std::vector<size_t> orderOf(const std::vector<Item> &items, double limitNs,
                              Sharing sharing) const;
  std::optional<std::vector<Place>> packInto(const std::vector<Item> &items,
                                             double limitNs, Sharing sharing,
                                             Memory memory, double span);

  const ChipSpec &chip;
  int64_t memoryBytes;       ///< of a core that may be taken
  std::vector<int64_t> walk; ///< cores, neighbours near
  size_t failedItem = 0;
};

/// The least period for which the items fit, and the places.
struct PackedPeriod {
  double periodNs = 0;
  std::vector<Place> places;
  Memory memory = Memory::Ample; ///< or Least, where they do not fit otherwise
};
std::optional<PackedPeriod> packTightly(Packer &packer,
                                        const std::vector<Item> &items);

} // namespace cimc::mapping

#endif // CIMC_LIB_MAPPING_PACKING_H
