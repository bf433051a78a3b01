//===- ExplainCommand.cpp - cimc explain ----------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// What a node's copies are for is found by compiling again with one fewer and
// one more of it, and nothing else changed: the figures are those of programs.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "Explain.h"
#include "cimc/Driver/Files.h"
#include "cimc/Sim/Simulator.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/GlobPattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

using namespace cimc;

namespace {
/// A network as it was compiled, and what is needed to compile it otherwise.
struct Explained {
  CompileOptions options;
  Compilation compilation;
  /// Before layers were copied, and how they were; null where the file given
  /// was compiled further than that.
  mlir::OwningOpRef<mlir::ModuleOp> mapped;
  std::vector<cim::LayerCopies> copies;
  std::set<std::string> modelNodes; ///< of the model, all that have names
  Program program;
  CostReport cost;
};
} // namespace

static mlir::func::FuncOp entryOf(mlir::ModuleOp module) {
  auto functions = module.getOps<mlir::func::FuncOp>();
  return functions.empty() ? nullptr : *functions.begin();
}

static Status compileExplained(const std::string &model, Explained &result) {
  CompileOptions &options = result.options;
  Compilation &compilation = result.compilation;
  options.observer = [&](Phase done, mlir::ModuleOp module) -> Status {
    if (done == Phase::Import)
      module.walk([&](mlir::Operation *op) {
        if (auto name = llvm::dyn_cast<mlir::NameLoc>(op->getLoc()))
          result.modelNodes.insert(name.getName().str());
      });
    if (done == Phase::Map)
      result.mapped = module.clone();
    if (done >= Phase::Place && result.copies.empty())
      if (mlir::func::FuncOp entry = entryOf(module))
        if (auto copies =
                entry->getAttrOfType<mlir::ArrayAttr>(cim::kCopiesAttrName))
          result.copies = cim::getCopies(copies);
    return {};
  };
  options.to = Phase::Emit;
  Status status = importModel(model, options, compilation);
  // The file may be of a later phase, which the observer does not see.
  if (status && compilation.reached != Phase::Import)
    status = options.observer(compilation.reached, compilation.module.get());
  if (status)
    status = runPhases(options, compilation);
  options.observer = nullptr;
  if (status)
    result.program = std::move(*compilation.program);
  return status;
}

/// Compiles the mapped network again with other copies of its layer `index`.
static Alternative compileOtherwise(const Explained &explained, size_t index,
                                    const cim::LayerCopies &wanted) {
  Alternative other;
  other.layer = wanted;
  Compilation compilation;
  mlir::ModuleOp mapped = explained.mapped.get();
  compilation.module = mapped.clone();
  compilation.reached = Phase::Map;
  std::vector<cim::LayerCopies> copies = explained.copies;
  copies[index] = wanted;
  mlir::func::FuncOp entry = entryOf(compilation.module.get());
  entry->setAttr(cim::kCopiesAttrName,
                 cim::getCopiesAttr(entry.getContext(), copies));
  CompileOptions options = explained.options;
  options.chip.clear(); // the module has it
  if (Status status = runPhases(options, compilation); !status) {
    other.failure = status.error().code == ExitCode::DoesNotFit
                        ? "does not fit: " + status.error().message
                        : status.error().message;
    return other;
  }
  Result<CostReport> cost = timeProgram(*compilation.program);
  if (!cost) {
    other.failure = cost.error().message;
    return other;
  }
  other.arrays = compilation.program->macrosUsed();
  other.periodNs = cost->period_ns;
  other.latencyNs = cost->latency_ns;
  other.energyNj = cost->energy_nj;
  return other;
}

/// The layers of a node. The first that has weights and can be cut, or else the
/// first that can be cut, is tried with other numbers of copies.
static std::vector<LayerFacts> layersOf(const std::string &node,
                                        const Explained &explained) {
  std::vector<LayerFacts> layers;
  std::vector<size_t> indices;
  std::optional<size_t> tried;
  auto rank = [](const cim::LayerCopies &layer) {
    return 2 * layer.canCut + (layer.macros > 0);
  };
  for (size_t i = 0; i < explained.copies.size(); ++i) {
    const cim::LayerCopies &layer = explained.copies[i];
    if (!llvm::is_contained(layer.nodes, node))
      continue;
    if (!tried || rank(layer) > rank(layers[*tried].copies))
      tried = layers.size();
    layers.push_back({layer, false, {}, {}});
    indices.push_back(i);
  }
  if (!tried || !explained.mapped)
    return layers;
  LayerFacts &layer = layers[*tried];
  layer.isMeasured = true;
  if (auto fewer = fewerCopies(layer.copies))
    layer.fewer = compileOtherwise(explained, indices[*tried], *fewer);
  if (auto more = moreCopies(layer.copies))
    layer.more = compileOtherwise(explained, indices[*tried], *more);
  return layers;
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

/// The names nearest to one that is not there.
static std::string nearest(llvm::StringRef word,
                           const std::vector<std::string> &names) {
  constexpr size_t most = 4;
  std::vector<std::pair<unsigned, std::string>> found;
  for (const std::string &name : names) {
    llvm::StringRef candidate = name;
    unsigned distance = candidate.contains_insensitive(word)
                            ? 0
                            : candidate.edit_distance_insensitive(word);
    if (distance < word.size() / 2 + 2)
      found.emplace_back(distance, name);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](auto &a, auto &b) { return a.first < b.first; });
  found.resize(std::min(found.size(), most));
  std::string text;
  for (const auto &[distance, name] : found)
    text += fmt::format("{}'{}'", text.empty() ? "" : ", ", name);
  return text.empty() ? "'cimc explain' without a node lists those that have"
                      : "nearest: " + text;
}

/// The nodes that the arguments name, each once, in the order given.
static Result<std::vector<std::string>>
selectNodes(llvm::ArrayRef<std::string> arguments,
            const std::vector<std::string> &names, const Explained &explained) {
  std::vector<std::string> selected;
  auto select = [&](const std::string &name) {
    if (std::find(selected.begin(), selected.end(), name) == selected.end())
      selected.push_back(name);
  };
  for (const std::string &argument : arguments) {
    if (std::find(names.begin(), names.end(), argument) != names.end()) {
      select(argument);
      continue;
    }
    bool any = false;
    if (argument.find_first_of("*?") != std::string::npos) {
      auto pattern = llvm::GlobPattern::create(argument);
      if (!pattern)
        return Error{ExitCode::Usage,
                     fmt::format("'{}' is not a pattern: {}", argument,
                                 llvm::toString(pattern.takeError()))};
      for (const std::string &name : names)
        if (pattern->match(name)) {
          select(name);
          any = true;
        }
    }
    if (any)
      continue;
    if (explained.modelNodes.count(argument))
      return Error{ExitCode::Usage,
                   fmt::format("node '{}' has no stream of its own: it was "
                               "folded, or other nodes do its work; {}",
                               argument, nearest(argument, names))};
    return Error{ExitCode::Usage, fmt::format("no node '{}' in '{}'; {}",
                                              argument, explained.program.model,
                                              nearest(argument, names))};
  }
  return selected;
}

//===----------------------------------------------------------------------===//
// The command
//===----------------------------------------------------------------------===//

static Status explain(const CommandLine &line, Explained &explained,
                      CommandOutput &output) {
  const std::string &path = line.operands[0];
  Result<FileKind> kind = sniff(path);
  if (!kind)
    return kind.takeError();
  bool isProgram = *kind == FileKind::Program;
  if (isProgram) {
    if (Status status = checkNoCompileOptions(line); !status)
      return status;
    Result<Program> program = loadProgram(line);
    if (!program)
      return program.takeError();
    explained.program = std::move(*program);
  } else {
    Status status = checkNoNetwork(line);
    if (status)
      status = compileExplained(path, explained);
    output.messages = explained.compilation.messages;
    if (!status)
      return status;
  }
  Result<CostReport> cost =
      timeProgram(explained.program, /*criticalPath=*/true);
  if (!cost)
    return Error{isProgram ? ExitCode::InvalidInput : ExitCode::Internal,
                 "the chip model cannot run the program: " +
                     cost.error().message};
  explained.cost = std::move(*cost);
  const Program &program = explained.program;
  std::vector<std::string> names = nodesOf(program);
  auto nodes =
      selectNodes(llvm::ArrayRef<std::string>(line.operands).drop_front(),
                  names, explained);
  if (!nodes)
    return nodes.takeError();
  bool latency = explained.options.mode == "latency";
  output.json = networkJson(program, explained.cost);
  output.text = networkText(program, explained.cost);
  output.json["nodes"] = Json::array();
  if (nodes->empty() && line.operands.size() == 1) {
    output.json["nodes"] = names;
    output.text += fmt::format("  {:<11}{}\n", "nodes", fmt::join(names, ", "));
  }
  for (const std::string &name : *nodes) {
    NodeFacts facts = factsOf(name, program, explained.cost);
    facts.layers = layersOf(name, explained);
    output.text += nodeText(facts, program, explained.cost, latency);
    output.json["nodes"].push_back(nodeJson(facts));
  }
  if (!explained.mapped && !nodes->empty())
    output.text += "\nwhy nodes are copied so often is known where the model "
                   "is given, or what phase 'cim' made of it\n";
  return {};
}

Status cimc::explainCommand(const CommandLine &line, CommandOutput &output) {
  Explained explained;
  Result<CompileOptions> options = compileOptions(line);
  if (!options)
    return options.takeError();
  explained.options = std::move(*options);
  Status status = explain(line, explained, output);
  clearProgress();
  return status;
}
