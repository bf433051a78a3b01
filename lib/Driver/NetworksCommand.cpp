//===- NetworksCommand.cpp - cimc compile, of several models --------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The chip is cut into bands of chiplets, or of tiles where it has one chiplet,
// and each network is compiled for a chip that is its band. Programs name cores
// and nothing between them, so they move to their band by new numbers.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "cimc/Driver/Files.h"
#include "cimc/Sim/Simulator.h"
#include "cimc/Support/File.h"
#include "cimc/Target/CostModel.h"

#include "CIM/CIM.h"

#include "llvm/Support/MathExtras.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

using namespace cimc;

/// How many chiplets, tiles, cores and macros a chip has.
using Hierarchy = decltype(ChipSpec::hierarchy);

namespace {
/// A model to be compiled, and its band of the chip.
struct Resident {
  std::string name, path;
  CompileOptions options;
  Compilation compilation;
  int64_t arrays = 0;           ///< its weights take, without copies
  int64_t begin = 0, width = 0; ///< of its band, in chiplets or tiles
};
} // namespace

static Error usage(std::string message) {
  return {ExitCode::Usage, std::move(message)};
}

/// "MODEL" or "NAME=MODEL".
static Result<std::vector<Resident>> residents(const CommandLine &line,
                                               const CompileOptions &options) {
  std::vector<Resident> list;
  std::set<std::string> names;
  for (const std::string &operand : line.operands) {
    Resident resident;
    size_t equals = operand.find('=');
    bool isNamed = equals != std::string::npos && !fileExists(operand);
    resident.name = isNamed ? operand.substr(0, equals) : stemOf(operand);
    resident.path = isNamed ? operand.substr(equals + 1) : operand;
    if (!isNetworkName(resident.name))
      return usage(fmt::format("'{}' is no name of a network: it must not be "
                               "empty or have a '/' or control characters; "
                               "give it as NAME=MODEL",
                               resident.name));
    if (!names.insert(resident.name).second)
      return usage(fmt::format("two networks would be called '{}'; give names "
                               "as NAME=MODEL",
                               resident.name));
    resident.options = options;
    if (!options.calibrate.empty()) {
      std::string base = options.calibrate + "/" + resident.name;
      resident.options.calibrate.clear();
      for (const char *suffix : {"", ".npz", ".npy"})
        if (resident.options.calibrate.empty() && fileExists(base + suffix))
          resident.options.calibrate = base + suffix;
      if (resident.options.calibrate.empty())
        return Error{ExitCode::InvalidInput,
                     fmt::format("--calibrate: there is no '{0}', '{0}.npz' or "
                                 "'{0}.npy' for network '{1}'",
                                 base, resident.name)};
    }
    list.push_back(std::move(resident));
  }
  return list;
}

/// The arrays that the weights of a mapped network take.
static int64_t arraysOf(mlir::ModuleOp module, const ChipSpec &chip) {
  int64_t arrays = 0;
  for (auto weights : module.getOps<cim::WeightsOp>()) {
    auto type =
        llvm::cast<mlir::RankedTensorType>(weights.getValue().getType());
    int64_t columns = std::max<int64_t>(
        chip.weightColumns(static_cast<int64_t>(weights.getBits())), 1);
    arrays += llvm::divideCeilSigned(type.getDimSize(0), chip.macro.rows) *
              llvm::divideCeilSigned(type.getDimSize(1), columns);
  }
  return std::max<int64_t>(arrays, 1);
}

/// What the chip is cut across: columns or rows, of chiplets or of tiles.
static int64_t Hierarchy::*bandAxis(const ChipSpec &chip) {
  const Hierarchy &h = chip.hierarchy;
  if (chip.chiplets() > 1)
    return h.chiplet_columns >= h.chiplet_rows ? &Hierarchy::chiplet_columns
                                               : &Hierarchy::chiplet_rows;
  return h.tile_columns >= h.tile_rows ? &Hierarchy::tile_columns
                                       : &Hierarchy::tile_rows;
}

/// Gives each network a band: one at least, then each further one to the
/// network with the most arrays for what it has; the first of equals.
static Status cutChip(const ChipSpec &chip, std::vector<Resident> &list) {
  int64_t bands = chip.hierarchy.*bandAxis(chip);
  auto count = static_cast<int64_t>(list.size());
  if (bands < count)
    return Error{ExitCode::DoesNotFit,
                 fmt::format("{} networks on chip '{}': its {} can be cut into "
                             "{} parts; take a larger chip or fewer networks",
                             count, chip.name,
                             chip.chiplets() > 1 ? "chiplets" : "tiles",
                             bands)};
  for (Resident &resident : list)
    resident.width = 1;
  for (int64_t left = bands - count; left > 0; --left) {
    auto neediest = std::max_element(
        list.begin(), list.end(), [](const Resident &a, const Resident &b) {
          return a.arrays * b.width < b.arrays * a.width;
        });
    ++neediest->width;
  }
  int64_t at = 0;
  for (Resident &resident : list) {
    resident.begin = at;
    at += resident.width;
  }
  return {};
}

/// The chip that a network is compiled for: its band, and that share of what
/// the networks have in common.
static ChipSpec bandOf(const ChipSpec &chip, const Resident &resident) {
  ChipSpec band = chip;
  auto axis = bandAxis(chip);
  double share = static_cast<double>(resident.width) /
                 static_cast<double>(chip.hierarchy.*axis);
  band.name = fmt::format("{} (the part for {})", chip.name, resident.name);
  band.hierarchy.*axis = resident.width;
  band.host.gb_per_s *= share;
  band.dram.gb_per_s *= share;
  band.power.tdp_w *= share;
  return band;
}

/// Moves a program from the chip of its band to the whole chip.
static void moveToBand(Program &program, const ChipSpec &chip,
                       const Resident &resident) {
  const Hierarchy &h = chip.hierarchy;
  CostModel band(program.chip);
  auto axis = bandAxis(chip);
  auto moved = [&](int64_t core) {
    CorePosition at = band.position(core);
    auto shift = [&](int64_t &position, int64_t Hierarchy::*along) {
      position += axis == along ? resident.begin : 0;
    };
    shift(at.chipletColumn, &Hierarchy::chiplet_columns);
    shift(at.chipletRow, &Hierarchy::chiplet_rows);
    shift(at.tileColumn, &Hierarchy::tile_columns);
    shift(at.tileRow, &Hierarchy::tile_rows);
    int64_t chiplet = at.chipletRow * h.chiplet_columns + at.chipletColumn;
    int64_t tile = at.tileRow * h.tile_columns + at.tileColumn;
    return (chiplet * chip.tilesPerChiplet() + tile) * h.cores_per_tile +
           at.core;
  };
  for (CoreProgram &core : program.cores)
    core.id = static_cast<uint32_t>(moved(core.id));
  for (isa::Channel &channel : program.channels)
    if (channel.core >= 0)
      channel.core = static_cast<decltype(channel.core)>(moved(channel.core));
  program.chip = chip;
  program.model = resident.name;
}

static Status compileAll(std::vector<Resident> &list, const ChipSpec &chip,
                         std::vector<Program> &programs,
                         CommandOutput &output) {
  auto step = [&](Resident &resident, auto run) -> Status {
    Status status = run();
    if (status)
      return {};
    Error error = status.takeError();
    return Error{error.code,
                 fmt::format("network '{}': {}", resident.name, error.message)};
  };
  for (Resident &resident : list) {
    resident.options.to = Phase::Map;
    Status status = step(resident, [&] {
      return compileModel(resident.path, resident.options,
                          resident.compilation);
    });
    if (!status)
      return status;
    if (resident.compilation.reached != Phase::Map)
      return usage(fmt::format("network '{}': '{}' has been mapped already; "
                               "several networks share a chip from phase "
                               "'cim' on",
                               resident.name, resident.path));
    // The file of a mapped network decides the chip, and the whole chip.
    mlir::ModuleOp module = resident.compilation.module.get();
    if (module->getAttr(cim::kChipAttrName) !=
        cim::getChipAttr(module.getContext(), chip))
      return usage(fmt::format("network '{}': '{}' is mapped for another chip "
                               "than '{}', which the networks share; give "
                               "the model itself",
                               resident.name, resident.path, chip.name));
    resident.arrays = arraysOf(module, chip);
  }
  if (Status status = cutChip(chip, list); !status)
    return status;
  for (Resident &resident : list) {
    mlir::ModuleOp module = resident.compilation.module.get();
    module->setAttr(
        cim::kChipAttrName,
        cim::getChipAttr(module.getContext(), bandOf(chip, resident)));
    resident.options.chip.clear();
    resident.options.to = Phase::Emit;
    Status status = step(resident, [&] {
      return runPhases(resident.options, resident.compilation);
    });
    if (!status)
      return status;
    programs.push_back(std::move(*resident.compilation.program));
    moveToBand(programs.back(), chip, resident);
    for (const Message &message : resident.compilation.messages)
      output.messages.push_back(message);
    resident.compilation.module = nullptr;
  }
  return {};
}

Status cimc::compileNetworks(const CommandLine &line, CommandOutput &output) {
  for (auto [option, name] :
       {std::pair(Option::To, "--to"), std::pair(Option::From, "--from"),
        std::pair(Option::Report, "--report"),
        std::pair(Option::Faults, "--faults"),
        std::pair(Option::Split, "--split"),
        std::pair(Option::Parts, "--parts"),
        std::pair(Option::Batch, "--batch"),
        std::pair(Option::Table, "--table"),
        std::pair(Option::SaveTable, "--save-table"),
        std::pair(Option::Explain, "--explain")})
    if (line.has(option))
      return usage(fmt::format("{} is for one model, {} are given", name,
                               line.operands.size()));
  if (line.get(Option::Precision) == "mixed")
    return usage("--precision mixed chooses weights for a chip of their own; "
                 "compile each model alone with --save-table");
  Result<CompileOptions> options = compileOptions(line);
  if (!options)
    return options.takeError();
  auto list = residents(line, *options);
  if (!list)
    return list.takeError();
  std::string name;
  for (const Resident &resident : *list)
    name += (name.empty() ? "" : "+") + resident.name;
  std::string path = line.get(Option::Output, name + ".cimx");
  if (path == "-")
    return usage("several models make a program; write it with -o FILE.cimx");
  for (const Resident &resident : *list)
    if (Status status = checkOutputFile(path, resident.path); !status)
      return status;
  Result<ChipSpec> chip =
      openChip(options->chip.empty() ? "card" : options->chip);
  if (!chip)
    return chip.takeError();
  std::vector<Program> programs;
  Status status = compileAll(*list, *chip, programs, output);
  clearProgress();
  if (!status)
    return status;
  Program all = join(std::move(programs), name);
  if (Status safe = verify(all); !safe)
    return Error{ExitCode::Internal,
                 "the joined program does not pass the verifier: " +
                     safe.error().message};
  std::vector<uint8_t> bytes = serialize(all);
  if (Status written = writeFileAtomically(
          path, {reinterpret_cast<const char *>(bytes.data()), bytes.size()});
      !written)
    return written;

  Result<CostReport> cost = timeProgram(all);
  if (!cost)
    return Error{ExitCode::Internal, "the chip model cannot run the program: " +
                                         cost.error().message};
  output.json = {{"output", path}, {"chip", chip->name}};
  addCost(output.json, all, *cost);
  output.json["program_bytes"] = bytes.size();
  output.json["inputs"] = ioJson(programIO(all, false));
  output.json["outputs"] = ioJson(programIO(all, true));
  double seconds = 0;
  std::string alone;
  Json networks = Json::array();
  for (size_t i = 0; i < list->size(); ++i) {
    const Resident &resident = (*list)[i];
    seconds += resident.compilation.seconds;
    Program one = extract(all, all.networks[i]);
    Result<CostReport> its = timeProgram(one);
    if (!its)
      return Error{ExitCode::Internal,
                   fmt::format("the chip model cannot run network '{}': {}",
                               resident.name, its.error().message)};
    alone += fmt::format("network      {}: {} arrays on {} cores; alone {}, a "
                         "sample every {}\n",
                         resident.name, one.macrosUsed(), one.cores.size(),
                         withUnit(its->latency_ns, "s"),
                         withUnit(its->period_ns, "s"));
    networks.push_back({{"name", resident.name},
                        {"model", resident.path},
                        {"arrays_used", one.macrosUsed()},
                        {"cores_used", one.cores.size()},
                        {"latency_ns", its->latency_ns},
                        {"period_ns", its->period_ns},
                        {"energy_nj", its->energy_nj}});
  }
  output.json["networks"] = std::move(networks);
  output.json["compile_s"] = seconds;
  output.json["peak_rss_mb"] = peakMemoryMB();
  output.text = fmt::format("{} networks -> {}; a sample is one of each\n",
                            list->size(), path);
  output.text += summary(all, *cost, int64_t(bytes.size())) + alone;
  output.text += fmt::format("compiled in {:.2f} s with at most {:.0f} MB\n",
                             seconds, peakMemoryMB());
  return {};
}
