//===- Plugins.cpp - passes that come from elsewhere ----------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Plugins.h"
#include "cimc/Driver/CommandLine.h"
#include "cimc/Driver/Phases.h"
#include "cimc/Driver/Register.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

#include <fmt/format.h>

#include <algorithm>

#include <dlfcn.h>

using namespace cimc;

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

std::string &cimc::pluginBeingLoaded() {
  static std::string path;
  return path;
}

Status cimc::loadPassPlugin(const std::string &path) {
  auto refuse = [&](const std::string &why) {
    return Error{
        ExitCode::InvalidInput,
        fmt::format("--load-pass-plugin: '{}' is not a pass plugin for "
                    "this cimc: {}",
                    path, why)};
  };
  // A name alone would be looked for where libraries are.
  std::string file = path.find('/') == std::string::npos ? "./" + path : path;
  // With all its symbols, as one that is missing ends the process later. What
  // is loaded stays loaded.
  if (!dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL))
    return refuse(dlerror());
  llvm::Expected<mlir::PassPlugin> plugin = mlir::PassPlugin::load(file);
  if (!plugin)
    return refuse(llvm::toString(plugin.takeError()));
  registerAllCimcPasses();
  pluginBeingLoaded() = path;
  plugin->registerPassRegistryCallbacks();
  pluginBeingLoaded().clear();
  return {};
}

//===----------------------------------------------------------------------===//
// Replacing
//===----------------------------------------------------------------------===//

/// The passes of a textual pipeline, with their options.
static std::vector<std::string> passesOf(const std::string &pipeline) {
  std::vector<std::string> passes;
  int depth = 0;
  std::string pass;
  for (char c : pipeline) {
    depth += (c == '{' || c == '(') - (c == '}' || c == ')');
    if (c == ',' && depth == 0) {
      passes.push_back(std::move(pass));
      pass.clear();
    } else {
      pass += c;
    }
  }
  if (!pass.empty())
    passes.push_back(std::move(pass));
  return passes;
}

static std::string nameOf(const std::string &pass) {
  return pass.substr(0, pass.find_first_of("{("));
}

Result<PassReplacement> cimc::parseReplacement(const std::string &text) {
  auto refuse = [](std::string why) {
    return Error{ExitCode::Usage, "--replace: " + why};
  };
  size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
    return refuse(fmt::format("'{}' is not of the form PASS=PIPELINE", text));
  PassReplacement replacement{text.substr(0, equals), text.substr(equals + 1)};
  std::vector<std::string> known;
  for (const PhaseInfo &phase : phases())
    for (const std::string &pass : passesOf(phase.pipeline))
      known.push_back(nameOf(pass));
  if (std::find(known.begin(), known.end(), replacement.pass) == known.end())
    return refuse(fmt::format("no phase has a pass '{}'{}; they are in "
                              "docs/reference/phases.md",
                              replacement.pass,
                              suggestion(replacement.pass, known)));
  registerAllCimcPasses();
  for (const std::string &pass : passesOf(replacement.pipeline)) {
    std::string name = nameOf(pass);
    bool isNest = pass.size() > name.size() && pass[name.size()] == '(';
    if (!isNest && !mlir::PassInfo::lookup(name) &&
        !mlir::PassPipelineInfo::lookup(name))
      return refuse(fmt::format("there is no pass '{}'; is the plugin that has "
                                "it given with --load-pass-plugin?",
                                name));
  }
  return replacement;
}

std::string
cimc::replacePasses(const std::string &pipeline,
                    const std::vector<PassReplacement> &replacements,
                    std::vector<std::string> &replaced) {
  std::string result;
  for (std::string &pass : passesOf(pipeline)) {
    for (const PassReplacement &replacement : replacements)
      if (nameOf(pass) == replacement.pass) {
        pass = replacement.pipeline;
        replaced.push_back(replacement.pass + "=" + replacement.pipeline);
        break;
      }
    result += (result.empty() ? "" : ",") + pass;
  }
  return result;
}
