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
  int64_t id; ///< below CostModel::links()
  double gbPerS;
  double ns; ///< from its begin to that of the next link, for the first byte
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

  /// The links from core to core (-1: host), in order: the sender's port, the
  /// mesh, the receiver's port. The meshes of the chiplets are one: XY routing,
  /// first along the row of tiles, then along the column; what leaves a chiplet
  /// crosses its edge where it comes to it, over the link of the whole edge.
  /// The host is at the first tile. Nothing within a core.
  std::vector<Link> route(int64_t from, int64_t to) const;
  int64_t links() const;

  /// Moving `bytes` from core to core (-1: host) on idle networks. The memories
  /// at both ends are charged by sramAccess; within a core nothing else is.
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

private:
  const ChipSpec &spec;
};

} // namespace cimc

#endif // CIMC_TARGET_COSTMODEL_H
