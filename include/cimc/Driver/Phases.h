//===- Phases.h - the phase table -----------------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DRIVER_PHASES_H
#define CIMC_DRIVER_PHASES_H

#include "cimc/Support/Status.h"

#include <string_view>
#include <vector>

namespace cimc {

/// The compiler's phases in order; see Phases.def.
enum class Phase {
#define CIMC_PHASE(ID, NAME, PIPELINE, EXIT, SUMMARY) ID,
#include "cimc/Driver/Phases.def"
};

struct PhaseInfo {
  Phase phase;
  const char *name;     ///< what --from and --to take
  const char *pipeline; ///< textual pass pipeline, may be empty
  ExitCode failure;     ///< the exit code where a pass reports an error
  const char *summary;
};

const std::vector<PhaseInfo> &phases();
const PhaseInfo &info(Phase phase);

/// The phase of that name, or a usage error that lists the names.
Result<Phase> parsePhase(std::string_view name);

} // namespace cimc

#endif // CIMC_DRIVER_PHASES_H
