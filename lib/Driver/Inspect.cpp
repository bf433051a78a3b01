//===- Inspect.cpp - what is in a program ---------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

using namespace cimc;

namespace {
struct CoreUse {
  int64_t id = 0, arrays = 0, cells = 0, streams = 0, instructions = 0;
  int64_t setup = 0, constants = 0; ///< instructions, bytes
  int64_t memory = 0;               ///< bytes up to the last one used
  std::vector<std::string> layers;
};
} // namespace

static std::vector<CoreUse> coreUses(const Program &program) {
  std::map<int64_t, int64_t> channelEnd;
  for (const isa::Channel &channel : program.channels) {
    int64_t &end = channelEnd[channel.core];
    end = std::max(end, int64_t(channel.address) +
                            int64_t(channel.row_bytes) * channel.slots);
  }
  std::vector<CoreUse> uses;
  for (const CoreProgram &core : program.cores) {
    CoreUse use;
    use.id = core.id;
    use.memory = channelEnd.count(core.id) ? channelEnd[core.id] : 0;
    std::set<int64_t> macros;
    eachProgrammed(core, [&](uint16_t macro, const CellBlock &block) {
      macros.insert(macro);
      use.cells += block.cells();
    });
    use.arrays = int64_t(macros.size());
    use.setup = int64_t(core.setup.size());
    eachLoaded(core, [&](const DataBlock &block) {
      use.constants += int64_t(block.bytes.size());
      use.memory = std::max(use.memory, int64_t(block.address) +
                                            int64_t(block.bytes.size()));
    });
    for (const isa::View &view : core.views)
      use.memory =
          std::max(use.memory, int64_t(view.address) +
                                   int64_t(view.row_pitch) * view.slots);
    use.streams = int64_t(core.streams.size());
    for (const Stream &stream : core.streams) {
      use.instructions += int64_t(stream.instructions.size());
      if (std::find(use.layers.begin(), use.layers.end(), stream.layer) ==
          use.layers.end())
        use.layers.push_back(stream.layer);
    }
    uses.push_back(std::move(use));
  }
  return uses;
}

/// Names of all layers, in the order of the program.
static std::vector<std::string> layerNames(const std::vector<CoreUse> &uses) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (const CoreUse &use : uses)
    for (const std::string &layer : use.layers)
      if (seen.insert(layer).second)
        names.push_back(layer);
  return names;
}

std::string cimc::inspect(const Program &program, int64_t programBytes) {
  const ChipSpec &chip = program.chip;
  std::vector<CoreUse> uses = coreUses(program);
  int64_t cells = 0, constants = 0;
  for (const CoreUse &use : uses) {
    cells += use.cells;
    constants += use.constants;
  }
  int64_t macroCells = chip.macro.rows * chip.macro.columns;
  std::string text = fmt::format(
      "model    {}\nchip     {}\nprogram  {} bytes, {} instructions, {} "
      "channels, "
      "{} cores\narrays   {} of {}, {:.1f} % of their cells\n",
      program.model, chip.name, grouped(programBytes),
      grouped(program.instructionCount()), program.channels.size(),
      program.cores.size(), program.macrosUsed(), chip.macros(),
      program.macrosUsed()
          ? 100.0 * double(cells) / double(program.macrosUsed() * macroCells)
          : 0.0);
  text += fmt::format("setup    {} instructions: {} arrays programmed, {} "
                      "bytes of constants loaded\n",
                      grouped(program.setupCount()), program.macrosUsed(),
                      grouped(constants));
  for (const Network &network : program.networks)
    text += fmt::format("network  {}: {} cores\n", network.name,
                        network.cores.size());
  for (bool outputs : {false, true})
    for (const ModelIO &io : programIO(program, outputs))
      text += fmt::format("{:<9}{}: {} of {}\n", outputs ? "output" : "input",
                          io.name, name(io.type), shapeString(io.shape));
  std::vector<std::string> names = layerNames(uses);
  text +=
      fmt::format("layers   {}: {}\n", names.size(), fmt::join(names, ", "));
  text +=
      "core  arrays  cells %  memory bytes  streams  instructions  layers\n";
  for (const CoreUse &use : uses) {
    std::string layers = fmt::format("{}", fmt::join(use.layers, ", "));
    if (layers.size() > 60)
      layers = layers.substr(0, 57) + "...";
    text +=
        fmt::format("{:>4}  {:>3}/{:<3} {:>6.1f}  {:>12}  {:>7}  {:>12}  {}\n",
                    use.id, use.arrays, chip.hierarchy.macros_per_core,
                    100.0 * double(use.cells) /
                        double(chip.hierarchy.macros_per_core * macroCells),
                    use.memory, use.streams, use.instructions, layers);
  }
  return text;
}

Json cimc::inspectJson(const Program &program, int64_t programBytes) {
  std::vector<CoreUse> uses = coreUses(program);
  Json cores = Json::array();
  for (const CoreUse &use : uses)
    cores.push_back({{"core", use.id},
                     {"arrays", use.arrays},
                     {"cells", use.cells},
                     {"memory_bytes", use.memory},
                     {"streams", use.streams},
                     {"instructions", use.instructions},
                     {"setup_instructions", use.setup},
                     {"constant_bytes", use.constants},
                     {"layers", use.layers}});
  Json networks = Json::array();
  for (const Network &network : program.networks)
    networks.push_back({{"name", network.name}, {"cores", network.cores}});
  return Json{{"model", program.model},
              {"networks", std::move(networks)},
              {"chip", program.chip.name},
              {"program_bytes", programBytes},
              {"instructions", program.instructionCount()},
              {"setup_instructions", program.setupCount()},
              {"channels", program.channels.size()},
              {"arrays_used", program.macrosUsed()},
              {"arrays_total", program.chip.macros()},
              {"inputs", ioJson(programIO(program, false))},
              {"outputs", ioJson(programIO(program, true))},
              {"layers", layerNames(uses)},
              {"cores", std::move(cores)}};
}
