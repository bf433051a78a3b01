//===- ChipSpec.h - the description of a chip -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_TARGET_CHIPSPEC_H
#define CIMC_TARGET_CHIPSPEC_H

#include "cimc/Support/Status.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace cimc {

/// Where a value of a chip file comes from. `kind` is measured, modelled,
/// derived or assumed.
struct ChipSource {
  std::string kind, text;
};

/// Everything known about a chip; units are in the names. Fields, defaults,
/// limits and sources are in ChipSpec.def. Free of MLIR.
struct ChipSpec {
  std::string name = "card";
  std::string summary;
#define CIMC_CHIP_GROUP_BEGIN(GROUP) struct {
#define CIMC_CHIP_GROUP_END(GROUP)                                             \
  }                                                                            \
  GROUP;
#define CIMC_CHIP_KEY(GROUP, NAME, TYPE, DEFAULT, MIN, MAX, KIND, SOURCE)      \
  TYPE NAME = DEFAULT;
#include "cimc/Target/ChipSpec.def"

  /// By "group.key", where a file says more than the table's default.
  std::map<std::string, ChipSource> sources;

  int64_t chiplets() const {
    return hierarchy.chiplet_rows * hierarchy.chiplet_columns;
  }
  int64_t tilesPerChiplet() const {
    return hierarchy.tile_rows * hierarchy.tile_columns;
  }
  int64_t cores() const {
    return chiplets() * tilesPerChiplet() * hierarchy.cores_per_tile;
  }
  int64_t macros() const { return cores() * hierarchy.macros_per_core; }
  /// Weight columns of one macro at `bits` bits a weight.
  int64_t weightColumns(int64_t bits) const { return macro.columns / bits; }
  /// Bytes of weights all macros hold.
  double weightBytes() const {
    return static_cast<double>(macros()) * static_cast<double>(macro.rows) *
           static_cast<double>(macro.columns) / 8;
  }
  /// Most operations on int8 (two a multiplication with addition), in 1e12 a
  /// second.
  double peakTops() const {
    return 2e-6 * static_cast<double>(macros()) *
           static_cast<double>(macro.active_rows) *
           (static_cast<double>(macro.columns) / 8) / 8 * core.clock_mhz;
  }
  /// A core's memory: its own SRAM, then its share of the tile's, one address
  /// space.
  int64_t coreBytes() const { return core.sram_kb * 1024; }
  int64_t memoryBytes() const {
    return coreBytes() + tile.sram_kb * 1024 / hierarchy.cores_per_tile;
  }
};

/// One key of a chip file, for readers, writers and documentation.
struct ChipKey {
  const char *group, *name, *kind, *source;
  bool isInteger;
  double defaultValue, min, max;
  double (*get)(const ChipSpec &);
  void (*set)(ChipSpec &, double);
};

/// All keys, in the order of ChipSpec.def.
const std::vector<ChipKey> &chipKeys();

/// The names of the presets that ship with cimc.
std::vector<std::string> presetNames();

/// A preset's description.
Result<ChipSpec> loadPreset(std::string_view name);

/// A preset by name, or a JSON chip file by path ("extends" names a preset or
/// a file). Errors name the file, line, key, value and limit.
Result<ChipSpec> loadChip(const std::string &nameOrPath);

/// Reads the text of a chip file; `origin` is used in messages.
Result<ChipSpec> parseChip(std::string_view json, const std::string &origin);

/// The complete chip file of a specification, with sources.
std::string printChip(const ChipSpec &spec);

/// The first violated constraint between keys, as a message.
Status checkChip(const ChipSpec &spec);

} // namespace cimc

#endif // CIMC_TARGET_CHIPSPEC_H
