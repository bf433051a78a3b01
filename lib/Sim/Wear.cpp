//===- Wear.cpp - how long cells last ---------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Timing.h"

#include <algorithm>
#include <map>

using namespace cimc;

Wear cimc::wearAt(const ChipSpec &chip, const CostReport &cost,
                  double samplesPerS) {
  constexpr double secondsPerYear = 365.25 * 24 * 3600;
  Wear wear;
  wear.samples_per_s = samplesPerS;
  wear.reads_per_cell_year =
      static_cast<double>(cost.reads_per_cell) * samplesPerS * secondsPerYear;
  wear.refresh_years = chip.macro.retention_years;
  if (wear.reads_per_cell_year > 0) {
    double years = chip.macro.read_disturb_reads / wear.reads_per_cell_year;
    wear.reads_limit = years < wear.refresh_years;
    wear.refresh_years = std::min(wear.refresh_years, years);
  }
  wear.warn_years = wear.refresh_years * chip.macro.endurance_warn_writes;
  wear.lifetime_years = wear.refresh_years * chip.macro.endurance_writes;
  return wear;
}

void sim::addProgramming(const Machine &machine, const CostModel &model,
                         CostReport &report) {
  std::map<std::pair<int64_t, uint16_t>, int64_t> macros;
  for (const CoreInfo &core : machine.cores)
    for (const CellBlock &block : core.source->cells)
      macros[{core.source->id, block.macro}] +=
          int64_t{block.rows} * block.columns * block.bits;
  std::vector<std::vector<int64_t>> chiplets(model.chip().chiplets());
  for (const auto &[macro, cells] : macros)
    chiplets[model.position(macro.first).chiplet].push_back(cells);
  Cost cost = model.program(chiplets);
  report.program_ns = cost.ns;
  report.program_nj = cost.nj;
  cost = model.program(chiplets, WriteProfile::Fast);
  report.fast_program_ns = cost.ns;
  report.fast_program_nj = cost.nj;
}
