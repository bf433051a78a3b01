//===- Plugins.h - passes that come from elsewhere --------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DRIVER_PLUGINS_H
#define CIMC_DRIVER_PLUGINS_H

#include "cimc/Support/Status.h"

#include <string>
#include <vector>

namespace cimc {

/// A pass of a phase's pipeline, and the pipeline that runs instead of it.
struct PassReplacement {
  std::string pass, pipeline;
};

/// Registers the passes of an MLIR pass plugin. InvalidInput for a file that is
/// none.
Status loadPassPlugin(const std::string &path);

/// The plugin that is registering its passes, empty at any other time: what a
/// fatal error of LLVM is to be blamed on.
std::string &pluginBeingLoaded();

/// "PASS=PIPELINE": a pass that a phase has (Phases.def), and passes that are
/// registered. Else a Usage error.
Result<PassReplacement> parseReplacement(const std::string &text);

/// `pipeline` with the replacements that concern it; `replaced` lists them as
/// "PASS=PIPELINE".
std::string replacePasses(const std::string &pipeline,
                          const std::vector<PassReplacement> &replacements,
                          std::vector<std::string> &replaced);

} // namespace cimc

#endif // CIMC_DRIVER_PLUGINS_H
