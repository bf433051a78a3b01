//===- Phases.cpp - the phase table ---------------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Phases.h"
#include "cimc/Driver/CommandLine.h"

#include <fmt/format.h>

using namespace cimc;

const std::vector<PhaseInfo> &cimc::phases() {
  static const std::vector<PhaseInfo> table = {
#define CIMC_PHASE(ID, NAME, PIPELINE, EXIT, SUMMARY)                          \
  {Phase::ID, NAME, PIPELINE, ExitCode::EXIT, SUMMARY},
#include "cimc/Driver/Phases.def"
  };
  return table;
}

const PhaseInfo &cimc::info(Phase phase) {
  return phases()[static_cast<size_t>(phase)];
}

Result<Phase> cimc::parsePhase(std::string_view name) {
  std::vector<std::string> names;
  for (const PhaseInfo &phase : phases()) {
    if (name == phase.name)
      return phase.phase;
    names.push_back(phase.name);
  }
  return Error{ExitCode::Usage,
               fmt::format("'{}' is not a phase; the phases are {}{}", name,
                           fmt::join(names, ", "), suggestion(name, names))};
}
