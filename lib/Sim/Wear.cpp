//===- Wear.cpp - how long cells last ---------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Timing.h"

#include <algorithm>

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
