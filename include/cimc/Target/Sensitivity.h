//===- Sensitivity.h - how a chip depends on its numbers --------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_TARGET_SENSITIVITY_H
#define CIMC_TARGET_SENSITIVITY_H

#include "cimc/Target/ChipSpec.h"

namespace cimc {

/// A figure of a chip; the unit is in the name.
struct ChipFigure {
  const char *name;
  double value;
};

/// What a chip promises at its peak, full-height products and int8: throughput,
/// with and without the power limit, power, one product, one kilobyte across
/// the chip, one vector of 1024 sums, rewriting all cells, area. Power is that
/// of arrays and rest; movement depends on the program.
std::vector<ChipFigure> chipFigures(const ChipSpec &chip);

/// One row of a sweep: a chip with another value of `key`.
struct SweepRow {
  std::string key;  ///< "group.name"
  std::string kind; ///< of the chip's own value
  double value;
  bool isOwn; ///< the chip's own value
  std::vector<ChipFigure> figures;
};

/// Figures for each of `values` of a key, named "group.name", by its name alone
/// where that is unique, or "read_energy", "write_energy", "mac_energy" for
/// those of a macro. Errors are Usage: a key that is unknown, a value that is
/// outside of its limits or makes an impossible chip.
Result<std::vector<SweepRow>> sweep(const ChipSpec &chip,
                                    const std::string &key,
                                    const std::vector<double> &values);

/// Half, own and double of every value whose kind is assumed or derived; what
/// makes an impossible chip is left out.
std::vector<SweepRow> sweepAll(const ChipSpec &chip);

} // namespace cimc

#endif // CIMC_TARGET_SENSITIVITY_H
