//===- CostModel.h - time and energy of what a chip does -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_TARGET_COSTMODEL_H
#define CIMC_TARGET_COSTMODEL_H

#include "cimc/Target/ChipSpec.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace cimc {

/// Time and energy of one action.
struct Cost {
  double ns = 0;
  double nj = 0;
};

/// How cells are written: slowly, so that they last, or fast
/// (`macro.write_...`, `macro.fast_write_...`).
enum class WriteProfile { Foundry, Fast };

/// Check bits that correct one error of `dataBits` and detect two: a Hamming
/// code with a parity bit.
int64_t secdedCheckBits(int64_t dataBits);

/// Where a core lies.
struct CorePosition {
  int64_t chiplet, chipletRow, chipletColumn, tile, tileRow, tileColumn, core;
};

/// A link of the networks and its bandwidth.
struct Link {
  enum Network { Port, OnChip, OnPackage, Host, Dram };
  int64_t id; ///< below CostModel::links()
  double gbPerS;
  double ns; ///< from its begin to that of the next link, for the first byte
  Network network;
};

/// The cost of everything a chip does, from its description. Mapping,
/// scheduling and the chip model all ask this and nothing else. Free of MLIR.
class CostModel {
public:
  explicit CostModel(const ChipSpec &spec) : spec(spec) {}
  const ChipSpec &chip() const { return spec; }

  /// `vectors` products with a tile of `rows` x `columns` weights of
  /// `weightBits` on `macros` macros in parallel, inputs of `inputBits`, R =
  /// `reuse` vectors per read. Excludes moving inputs and sums (sramAccess). R
  /// beyond macro.partial_sum_depth spills partial sums to the core's memory, 3
  /// bytes each way per output and row group; that is included.
  Cost mvm(int64_t vectors, int64_t rows, int64_t columns, int64_t macros,
           int64_t weightBits, int64_t inputBits, int64_t reuse) const;

  /// A vector instruction: `operations` lane operations on integers or floats.
  Cost vector(int64_t operations, bool isFloat) const;

  /// Reading or writing `bytes` at a core memory address (its own SRAM or the
  /// tile's share). Time is hidden behind the unit that does it.
  Cost sramAccess(int64_t address, int64_t bytes) const;

  /// Ends of ways that are no cores: the host, and the DRAM of the chiplet of
  /// the core at the other end.
  static constexpr int64_t host = -1, dram = -2;

  /// The links from core to core (or one of these), in order: the sender's
  /// port, the mesh, the receiver's port. The meshes of the chiplets are one:
  /// XY routing, first along the row of tiles, then along the column; what
  /// leaves a chiplet crosses its edge where it comes to it, over the link of
  /// the whole edge. The host is at the first tile, DRAM at the first tile of
  /// each chiplet. Nothing within a core.
  std::vector<Link> route(int64_t from, int64_t to) const;
  /// Calls `visit` with each of them; `ns` is without the router that a message
  /// within a tile passes.
  template <typename Visit>
  void visitRoute(int64_t from, int64_t to, Visit visit) const;
  int64_t links() const;

  /// Moving `bytes` from core to core (or host, or dram) on idle networks. The
  /// memories at both ends are charged by sramAccess; within a core nothing
  /// else is.
  Cost transfer(int64_t from, int64_t to, int64_t bytes) const;

  /// Writing `cells` cells of one macro.
  Cost program(int64_t cells,
               WriteProfile profile = WriteProfile::Foundry) const;
  /// Writing many macros: `cells[chiplet]` lists the cells of its macros.
  /// Chiplets work at the same time, each on macro.write_parallel_macros
  /// macros, in order.
  Cost program(const std::vector<std::vector<int64_t>> &cells,
               WriteProfile profile = WriteProfile::Foundry) const;
  /// Cells written and read for a bit of weight: 1, and the share of check bits
  /// with macro.secded_word_bits. Included in `mvm` and `program`.
  double storedBits() const;

  /// Power that flows at rest, in W.
  double staticPower() const;
  /// Dynamic energy outside the macros with clocks, and losses of regulators.
  double withClock(double nj) const;
  double withRegulator(double nj) const;

  CorePosition position(int64_t core) const;
  /// The core at whose router an end of a way is; `other` is the other end.
  int64_t routerOf(int64_t end, int64_t other) const {
    int64_t cores = spec.cores() / spec.chiplets();
    return end >= 0      ? end
           : end == dram ? std::max<int64_t>(other, 0) / cores * cores
                         : 0;
  }
  double dramGbPerS() const {
    return spec.dram.gb_per_s / static_cast<double>(spec.chiplets());
  }

private:
  const ChipSpec &spec;
};

template <typename Visit>
void CostModel::visitRoute(int64_t from, int64_t to, Visit visit) const {
  if (from == to)
    return;
  const auto &h = spec.hierarchy;
  int64_t meshLinks = 2 * spec.cores();
  int64_t edgeLinks = meshLinks + 4 * spec.chiplets() * spec.tilesPerChiplet();
  int64_t hostLinks = edgeLinks + 4 * spec.chiplets();
  double onChip =
      static_cast<double>(spec.noc.link_bits) / 8e3 * spec.noc.clock_mhz;
  double cycle = 1e3 / spec.noc.clock_mhz;
  double injectNs = cycle * static_cast<double>(spec.noc.inject_cycles);
  double hopNs = cycle * static_cast<double>(spec.noc.hop_cycles);
  CorePosition a = position(routerOf(from, to));
  CorePosition b = position(routerOf(to, from));
  auto dramLink = [&](double ns) {
    return Link{hostLinks + 2 + a.chiplet, dramGbPerS(), ns, Link::Dram};
  };
  if (from == host)
    visit(Link{hostLinks, spec.host.gb_per_s, injectNs + spec.host.latency_ns,
               Link::Host});
  else if (from == dram)
    visit(dramLink(injectNs + spec.dram.latency_ns));
  else
    visit(Link{from, onChip,
               injectNs + (to == host   ? spec.host.latency_ns
                           : to == dram ? spec.dram.latency_ns
                                        : 0),
               Link::Port});
  int64_t row = a.chipletRow * h.tile_rows + a.tileRow;
  int64_t column = a.chipletColumn * h.tile_columns + a.tileColumn;
  int64_t toRow = b.chipletRow * h.tile_rows + b.tileRow;
  int64_t toColumn = b.chipletColumn * h.tile_columns + b.tileColumn;
  enum Direction { East, West, South, North };
  auto leave = [&](Direction direction, bool isEdge) {
    int64_t chiplet =
        row / h.tile_rows * h.chiplet_columns + column / h.tile_columns;
    int64_t tile = row % h.tile_rows * h.tile_columns + column % h.tile_columns;
    if (isEdge)
      visit(Link{edgeLinks + 4 * chiplet + direction, spec.nop.link_gb_per_s,
                 spec.nop.hop_ns, Link::OnPackage});
    else
      visit(Link{meshLinks + 4 * (chiplet * spec.tilesPerChiplet() + tile) +
                     direction,
                 onChip, hopNs, Link::OnChip});
  };
  for (; column < toColumn; ++column)
    leave(East, (column + 1) % h.tile_columns == 0);
  for (; column > toColumn; --column)
    leave(West, column % h.tile_columns == 0);
  for (; row < toRow; ++row)
    leave(South, (row + 1) % h.tile_rows == 0);
  for (; row > toRow; --row)
    leave(North, row % h.tile_rows == 0);
  visit(to == host   ? Link{hostLinks + 1, spec.host.gb_per_s, 0, Link::Host}
        : to == dram ? dramLink(0)
                     : Link{spec.cores() + to, onChip, 0, Link::Port});
}

} // namespace cimc

#endif // CIMC_TARGET_COSTMODEL_H
