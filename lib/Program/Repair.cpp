//===- Repair.cpp - bits away from cells that cannot hold them ------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Program/Faults.h"

#include <algorithm>

using namespace cimc;

namespace {

/// Chooses where the bits of one macro go.
class MacroRepairer {
public:
  MacroRepairer(const ChipSpec &chip, const MacroBits &bits,
                const MacroDefects &defects)
      : chip(chip), bits(bits), defects(defects) {}

  /// Whether every weight reads as written with no repair.
  bool isRight() const;
  MacroRepair choose();
  /// Weight bits that read wrong as chosen.
  int64_t wrong = 0;

private:
  struct Fit {
    int64_t wrong = 0;
    bool complemented = false;
  };
  /// How a column of bits fits into a physical one, in the better polarity.
  Fit fit(int64_t logical, int64_t physical, const Placement &rows) const;
  /// Columns that fit their own physical one in neither polarity.
  std::vector<int64_t> badColumns(const Placement &rows) const;
  /// Gives bad columns spares that fit them, as many as can be (Kuhn's
  /// matching); the bits that weigh most come first.
  std::vector<int64_t> assignSpares(const std::vector<int64_t> &bad,
                                    const Placement &rows) const;
  void rotate(MacroRepair &repair, size_t spares) const;

  const ChipSpec &chip;
  const MacroBits &bits;
  const MacroDefects &defects;
};

bool MacroRepairer::isRight() const {
  for (int64_t c = 0; c < bits.columns; ++c)
    for (const MacroDefects::Cell &cell : defects.columns[c])
      if (bits.used(cell.row, c) && bits.at(cell.row, c) != cell.value)
        return false;
  return true;
}

MacroRepairer::Fit MacroRepairer::fit(int64_t logical, int64_t physical,
                                      const Placement &rows) const {
  int64_t straight = 0, complemented = 0;
  for (const MacroDefects::Cell &cell : defects.columns[physical]) {
    int64_t row = rows.logicalRow(cell.row);
    if (!bits.used(row, logical))
      continue;
    (bits.at(row, logical) == cell.value ? complemented : straight) += 1;
  }
  // Complements cost nothing, but what needs none is left alone.
  if (complemented < straight)
    return {complemented, true};
  return {straight, false};
}

std::vector<int64_t> MacroRepairer::badColumns(const Placement &rows) const {
  std::vector<int64_t> bad;
  for (int64_t c = 0; c < bits.columns; ++c)
    if (!defects.columns[c].empty() && fit(c, c, rows).wrong > 0)
      bad.push_back(c);
  std::sort(bad.begin(), bad.end(), [&](int64_t a, int64_t b) {
    return bits.position[a] != bits.position[b]
               ? bits.position[a] > bits.position[b]
               : a < b;
  });
  return bad;
}

std::vector<int64_t>
MacroRepairer::assignSpares(const std::vector<int64_t> &bad,
                            const Placement &rows) const {
  int64_t spares = chip.macro.spare_columns;
  std::vector<int64_t> ownerOf(spares, -1), spareOf(bad.size(), -1);
  std::vector<std::vector<int64_t>> fits(bad.size());
  for (size_t i = 0; i < bad.size(); ++i)
    for (int64_t s = 0; s < spares; ++s)
      if (fit(bad[i], bits.columns + s, rows).wrong == 0)
        fits[i].push_back(s);
  std::vector<char> seen;
  auto place = [&](auto &self, size_t i) -> bool {
    for (int64_t s : fits[i]) {
      if (seen[s])
        continue;
      seen[s] = true;
      if (ownerOf[s] >= 0 && !self(self, static_cast<size_t>(ownerOf[s])))
        continue;
      ownerOf[s] = static_cast<int64_t>(i);
      spareOf[i] = s;
      return true;
    }
    return false;
  };
  for (size_t i = 0; i < bad.size(); ++i) {
    seen.assign(spares, false);
    place(place, i);
  }
  return spareOf;
}

void MacroRepairer::rotate(MacroRepair &repair, size_t spares) const {
  int64_t active = chip.macro.active_rows;
  repair.rotations.assign(bits.rows / active, 0);
  size_t best = badColumns(Placement(chip, &repair)).size();
  for (uint16_t &rotation : repair.rotations) {
    uint16_t kept = rotation;
    for (int64_t r = 1; r < active && best > spares; ++r) {
      rotation = static_cast<uint16_t>(r);
      size_t now = badColumns(Placement(chip, &repair)).size();
      if (now < best) {
        best = now;
        kept = rotation;
      }
    }
    rotation = kept;
  }
  if (std::all_of(repair.rotations.begin(), repair.rotations.end(),
                  [](uint16_t r) { return r == 0; }))
    repair.rotations.clear();
}

MacroRepair MacroRepairer::choose() {
  MacroRepair repair;
  std::vector<int64_t> bad = badColumns(Placement(chip, nullptr));
  std::vector<int64_t> spareOf = assignSpares(bad, Placement(chip, nullptr));
  auto placed = static_cast<size_t>(
      std::count_if(spareOf.begin(), spareOf.end(),
                    [](int64_t spare) { return spare >= 0; }));
  if (placed < bad.size()) {
    rotate(repair, placed);
    Placement rotated(chip, &repair);
    bad = badColumns(rotated);
    spareOf = assignSpares(bad, rotated);
  }
  Placement rows(chip, &repair);
  std::vector<int64_t> physical(bits.columns);
  for (int64_t c = 0; c < bits.columns; ++c)
    physical[c] = c;
  for (size_t i = 0; i < bad.size(); ++i)
    if (spareOf[i] >= 0) {
      physical[bad[i]] = bits.columns + spareOf[i];
      repair.moves.push_back(
          {static_cast<uint16_t>(bad[i]), static_cast<uint16_t>(spareOf[i])});
    }
  std::sort(repair.moves.begin(), repair.moves.end(),
            [](const MacroRepair::Move &a, const MacroRepair::Move &b) {
              return a.column < b.column;
            });
  wrong = 0;
  for (int64_t c = 0; c < bits.columns; ++c) {
    if (defects.columns[physical[c]].empty())
      continue;
    Fit f = fit(c, physical[c], rows);
    wrong += f.wrong;
    if (f.complemented)
      repair.complemented.push_back(static_cast<uint16_t>(c));
  }
  return repair;
}

} // namespace

RepairReport cimc::repair(Program &program, const FaultModel &faults) {
  RepairReport report;
  program.repairs.clear();
  for (const CoreProgram &core : program.cores)
    for (const auto &[macro, bits] : macroBits(core, program.chip)) {
      ++report.macros;
      MacroDefects defects = macroDefects(faults, program.chip, core.id, macro);
      report.defects += defects.count;
      MacroRepairer repairer(program.chip, bits, defects);
      if (repairer.isRight())
        continue;
      ++report.macrosDefective;
      MacroRepair repair = repairer.choose();
      repair.core = core.id;
      repair.macro = macro;
      report.macrosRepaired += repairer.wrong == 0;
      report.cellsWrong += repairer.wrong;
      report.columnsMoved += static_cast<int64_t>(repair.moves.size());
      report.columnsComplemented +=
          static_cast<int64_t>(repair.complemented.size());
      for (uint16_t rotation : repair.rotations)
        report.groupsRotated += rotation != 0;
      program.repairs.push_back(std::move(repair));
    }
  return report;
}
