//===- Verifier.cpp - what must hold before a program runs ----------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program may come from a file that anyone wrote. What is checked here, the
// chip model does not check again.
//
//===----------------------------------------------------------------------===//

#include "Verifier.h"

#include "cimc/Support/MachineTypes.h"
#include "cimc/Support/Permute.h"

#include <algorithm>
#include <tuple>

using namespace cimc;
using namespace cimc::verifier;

const char *verifier::typeName(unsigned type) {
  static const char *const names[] = {"i8",  "u8",  "i16", "u16",
                                      "i32", "f32", "i64"};
  return type < std::size(names) ? names[type] : "unknown";
}

int64_t verifier::elementBytes(unsigned type) {
  static const int64_t bytes[] = {1, 1, 2, 2, 4, 4, 8};
  return type < std::size(bytes) ? bytes[type] : 0;
}

Wide verifier::viewEndWide(const isa::View &view) {
  return Wide(view.address) + Wide(view.slots - 1) * view.row_pitch +
         Wide(view.pixels - 1) * view.pixel_pitch +
         Wide(view.channels) * elementBytes(view.type);
}

namespace {

/// The most memory a program may ask of the machine that models the chip, for
/// one tensor or ring of the host.
constexpr int64_t maxHostBytes = INT64_C(1) << 32;
constexpr int64_t maxTaps = 1 << 20;

/// Memory that belongs to one thing.
struct Region {
  int64_t begin, end;
  std::string owner;
};

class Verifier {
public:
  explicit Verifier(const Program &program) : program(program) {
    tables.program = &program;
  }
  Status run();

private:
  Status verifyCores();
  Status verifyChannels();
  Status verifyIO();
  Status verifyMemory();
  Status verifyRepairs();
  Status verifyDescriptors(CoreTables &core);
  Status verifyView(const CoreTables &core, const isa::View &view);

  const Program &program;
  Tables tables;
};

Status Verifier::verifyCores() {
  for (const CoreProgram &core : program.cores) {
    if (core.id >= program.chip.cores())
      return invalid(fmt::format("core {}: chip '{}' has cores 0 to {}",
                                 core.id, program.chip.name,
                                 program.chip.cores() - 1));
    auto index = static_cast<uint32_t>(tables.cores.size());
    if (!tables.cores.emplace(core.id, index).second)
      return invalid(fmt::format("core {} is there twice", core.id));
    if (static_cast<int64_t>(core.streams.size()) > program.chip.core.streams)
      return invalid(fmt::format("core {} has {} streams, but a core of chip "
                                 "'{}' runs {} (core.streams)",
                                 core.id, core.streams.size(),
                                 program.chip.name, program.chip.core.streams));
    CoreTables entry;
    entry.core = &core;
    tables.byCore.push_back(std::move(entry));
  }
  return {};
}

Status Verifier::verifyChannels() {
  for (const isa::Channel &channel : program.channels) {
    auto fail = [&](const std::string &what) {
      return invalid(fmt::format("channel {}: {}", channel.id, what));
    };
    if (Status status = isa::checkFields(isa::infoOf<isa::Channel>(), &channel);
        !status)
      return fail(status.error().message);
    auto index = static_cast<uint32_t>(tables.channels.size());
    if (!tables.channels.emplace(channel.id, index).second)
      return fail("there are two of this number");
    if (channel.core != -1 && !tables.cores.count(channel.core))
      return fail(fmt::format("its consumer, core {}, is not in the program",
                              channel.core));
    for (auto [name, value] :
         {std::pair<const char *, uint32_t>{"row_bytes", channel.row_bytes},
          {"slots", channel.slots},
          {"rows", channel.rows},
          {"producers", channel.producers},
          {"consumers", channel.consumers}})
      if (value == 0)
        return fail(fmt::format("{} must be at least 1", name));
    Wide end = Wide(channel.row_bytes) * channel.slots;
    int64_t limit = maxHostBytes;
    if (channel.core >= 0) {
      end += channel.address;
      limit = program.chip.memoryBytes();
    }
    if (end > limit)
      return fail(fmt::format(
          "its ring of {} rows of {} bytes at {} ends at {}, "
          "beyond the {} bytes of {}",
          channel.slots, channel.row_bytes, channel.address, text(end), limit,
          channel.core < 0 ? std::string("the host's buffer")
                           : fmt::format("core {}", channel.core)));
  }
  tables.fed.assign(program.channels.size(), false);
  tables.collected.assign(program.channels.size(), false);
  return {};
}

Status Verifier::verifyIO() {
  for (const IOBinding &io : program.ios) {
    auto fail = [&](const std::string &what) {
      return invalid(fmt::format(
          "{} '{}': {}", io.isOutput ? "output" : "input", io.name, what));
    };
    Wide bytes = static_cast<Wide>(byteSize(machineType(io.type)));
    bool isEmpty = false;
    for (int64_t size : io.shape) {
      if (size < 0)
        return fail(fmt::format("shape {} has an axis of {}",
                                shapeString(io.shape), size));
      isEmpty |= size == 0;
      bytes *= std::max<int64_t>(size, 1);
      if (bytes > maxHostBytes)
        return fail(fmt::format("shape {} takes more than {} bytes",
                                shapeString(io.shape), maxHostBytes));
    }
    if (!isPermutation(io.perm, io.shape.size()))
      return fail(fmt::format("perm [{}] is not a permutation of its {} axes",
                              fmt::join(io.perm, ", "), io.shape.size()));
    if (isEmpty && !io.channels.empty())
      return fail(
          fmt::format("has no elements, but {} channels", io.channels.size()));
    if (io.isOutput && !isEmpty && io.channels.size() != 1)
      return fail(fmt::format("has {} channels; an output has one",
                              io.channels.size()));
    for (uint32_t id : io.channels) {
      auto it = tables.channels.find(id);
      if (it == tables.channels.end())
        return fail(fmt::format("channel {} does not exist", id));
      const isa::Channel &channel = program.channels[it->second];
      if (io.isOutput != (channel.core == -1))
        return fail(fmt::format("channel {} is consumed by core {}; {}", id,
                                channel.core,
                                io.isOutput ? "an output's by the host (-1)"
                                            : "an input's by a core"));
      if (bytes % channel.rows != 0 || bytes / channel.rows > channel.row_bytes)
        return fail(fmt::format("its {} bytes are not {} rows of at most {} "
                                "bytes, as channel {} has",
                                text(bytes), channel.rows, channel.row_bytes,
                                id));
      std::vector<bool> &used = io.isOutput ? tables.collected : tables.fed;
      if (used[it->second])
        return fail(fmt::format("channel {} carries another one too", id));
      used[it->second] = true;
      if ((io.isOutput ? channel.consumers : channel.producers) != 1)
        return fail(fmt::format("the host must be the only {} of channel {}",
                                io.isOutput ? "consumer" : "producer", id));
    }
  }
  for (size_t i = 0; i < program.channels.size(); ++i)
    if (program.channels[i].core == -1 && !tables.collected[i])
      return invalid(fmt::format("channel {} goes to the host, but no output "
                                 "takes it",
                                 program.channels[i].id));
  return {};
}

Status Verifier::verifyMemory() {
  std::map<int64_t, std::vector<Region>> regions;
  for (const isa::Channel &channel : program.channels)
    if (channel.core >= 0)
      regions[channel.core].push_back(
          {channel.address,
           channel.address + static_cast<int64_t>(channel.row_bytes) *
                                 static_cast<int64_t>(channel.slots),
           fmt::format("the ring of channel {}", channel.id)});
  int64_t limit = program.chip.memoryBytes();
  for (const CoreProgram &core : program.cores)
    for (const DataBlock &block : core.data) {
      auto end = static_cast<int64_t>(block.address + block.bytes.size());
      if (end > limit)
        return invalid(fmt::format("core {}: {} bytes of data at {} end beyond "
                                   "its {} bytes of memory",
                                   core.id, block.bytes.size(), block.address,
                                   limit));
      if (!block.bytes.empty())
        regions[core.id].push_back(
            {block.address, end, fmt::format("data at {}", block.address)});
    }
  for (auto &[core, list] : regions) {
    std::sort(list.begin(), list.end(), [](const Region &a, const Region &b) {
      return std::tie(a.begin, a.end, a.owner) <
             std::tie(b.begin, b.end, b.owner);
    });
    for (size_t i = 1; i < list.size(); ++i)
      if (list[i].begin < list[i - 1].end)
        return invalid(fmt::format("core {}: {} (bytes {} to {}) overlaps {} "
                                   "(from {})",
                                   core, list[i - 1].owner, list[i - 1].begin,
                                   list[i - 1].end - 1, list[i].owner,
                                   list[i].begin));
  }
  return {};
}

Status Verifier::verifyRepairs() {
  const auto &macro = program.chip.macro;
  std::set<std::pair<uint32_t, uint16_t>> seen;
  for (const MacroRepair &repair : program.repairs) {
    auto fail = [&](const std::string &what) {
      return invalid(fmt::format("core {}, repair of macro {}: {}", repair.core,
                                 repair.macro, what));
    };
    auto core = tables.cores.find(repair.core);
    if (core == tables.cores.end() ||
        !tables.byCore[core->second].cells.count(repair.macro))
      return fail("the program has no weights there");
    if (!seen.insert({repair.core, repair.macro}).second)
      return fail("it is there twice");
    std::set<uint16_t> columns, spares, complemented;
    for (const MacroRepair::Move &move : repair.moves) {
      if (move.column >= macro.columns || move.spare >= macro.spare_columns)
        return fail(fmt::format("column {} is moved to spare {}, but there are "
                                "{} columns and {} spares",
                                move.column, move.spare, macro.columns,
                                macro.spare_columns));
      if (!columns.insert(move.column).second ||
          !spares.insert(move.spare).second)
        return fail(fmt::format("column {} or spare {} is moved twice",
                                move.column, move.spare));
    }
    for (uint16_t column : repair.complemented)
      if (column >= macro.columns || !complemented.insert(column).second)
        return fail(fmt::format("column {} of {} is complemented, or is twice",
                                column, macro.columns));
    int64_t groups = macro.rows / macro.active_rows;
    if (!repair.rotations.empty() &&
        static_cast<int64_t>(repair.rotations.size()) != groups)
      return fail(fmt::format("{} rotations for {} row groups",
                              repair.rotations.size(), groups));
    for (uint16_t rotation : repair.rotations)
      if (rotation >= macro.active_rows)
        return fail(fmt::format("rows are rotated by {} in groups of {}",
                                rotation, macro.active_rows));
  }
  return {};
}

Status Verifier::verifyView(const CoreTables &core, const isa::View &view) {
  auto fail = [&](const std::string &what) {
    return invalid(
        fmt::format("core {}, view {}: {}", core.core->id, view.id, what));
  };
  int64_t element = elementBytes(view.type);
  if (element == 0)
    return fail(fmt::format("element type {} is unknown", view.type));
  if (view.slots == 0 || view.rows == 0 || view.pixels == 0 ||
      view.channels == 0)
    return fail(
        fmt::format("{} slots, {} rows, {} pixels, {} channels; none may "
                    "be 0",
                    view.slots, view.rows, view.pixels, view.channels));
  Wide pixel = Wide(view.channels) * element;
  Wide end = viewEndWide(view);
  if (end > program.chip.memoryBytes())
    return fail(fmt::format("it ends at byte {}, beyond the core's {} bytes of "
                            "memory",
                            text(end), program.chip.memoryBytes()));
  if (view.pixels > 1 && view.pixel_pitch < pixel)
    return fail(fmt::format("pixels of {} bytes every {} bytes overlap",
                            text(pixel), view.pixel_pitch));
  if (view.slots > 1 && view.rows > 1 && view.row_pitch < pixel)
    return fail(fmt::format("rows every {} bytes overlap", view.row_pitch));
  return {};
}

Status Verifier::verifyDescriptors(CoreTables &core) {
  auto add = [&](const auto &record, auto &table, const char *kind) -> Status {
    using Record = std::decay_t<decltype(record)>;
    Status fields = isa::checkFields(isa::infoOf<Record>(), &record);
    if (!fields)
      return invalid(fmt::format("core {}, {} {}: {}", core.core->id, kind,
                                 record.id, fields.error().message));
    if (!table.emplace(record.id, &record).second)
      return invalid(fmt::format("core {}: there are two {}s {}", core.core->id,
                                 kind, record.id));
    return {};
  };
  for (const isa::View &view : core.core->views) {
    if (Status status = add(view, core.views, "view"); !status)
      return status;
    if (Status status = verifyView(core, view); !status)
      return status;
  }
  for (const isa::Window &w : core.core->windows) {
    if (Status status = add(w, core.windows, "window"); !status)
      return status;
    if (w.kernel_rows == 0 || w.kernel_pixels == 0 || w.stride_rows == 0 ||
        w.stride_pixels == 0 || w.dilation_rows == 0 || w.dilation_pixels == 0)
      return invalid(
          fmt::format("core {}, window {}: kernel, stride and dilation "
                      "must be at least 1",
                      core.core->id, w.id));
    if (int64_t(w.kernel_rows) * w.kernel_pixels > maxTaps)
      return invalid(fmt::format("core {}, window {}: {} x {} are more than {} "
                                 "elements",
                                 core.core->id, w.id, w.kernel_rows,
                                 w.kernel_pixels, maxTaps));
  }
  for (const isa::Pattern &p : core.core->patterns) {
    if (Status status = add(p, core.patterns, "pattern"); !status)
      return status;
    Wide total = 1;
    for (uint32_t count :
         {p.count0, p.count1, p.count2, p.count3, p.count4, p.count5})
      total = std::min(total * count, Wide(maxHostBytes) + 1);
    if (total < 1 || total > maxHostBytes)
      return invalid(fmt::format("core {}, pattern {}: its counts must be at "
                                 "least 1 and copy at most {} elements",
                                 core.core->id, p.id, maxHostBytes));
    if (p.element_bytes != 1 && p.element_bytes != 2 && p.element_bytes != 4 &&
        p.element_bytes != 8)
      return invalid(fmt::format("core {}, pattern {}: elements of {} bytes",
                                 core.core->id, p.id, p.element_bytes));
  }
  return {};
}

Status Verifier::run() {
  if (Status status = checkChip(program.chip); !status)
    return status;
  if (Status status = verifyCores(); !status)
    return status;
  if (Status status = verifyChannels(); !status)
    return status;
  if (Status status = verifyIO(); !status)
    return status;
  if (Status status = verifyMemory(); !status)
    return status;
  std::vector<DramUse> dram;
  for (CoreTables &core : tables.byCore) {
    if (Status status = verifyDescriptors(core); !status)
      return status;
    if (Status status = verifySetup(tables, core); !status)
      return status;
    std::vector<StreamUse> uses(core.core->streams.size());
    for (uint32_t s = 0; s < uses.size(); ++s)
      if (Status status = verifyStream(tables, core, s, uses[s]); !status)
        return status;
    if (Status status = verifyMemoryUse(tables, core, uses); !status)
      return status;
    for (uint32_t s = 0; s < uses.size(); ++s)
      for (DramUse use : uses[s].dram) {
        use.core = static_cast<uint32_t>(&core - tables.byCore.data());
        use.stream = s;
        dram.push_back(use);
      }
  }
  if (Status status = verifyDram(tables, std::move(dram)); !status)
    return status;
  if (Status status = verifyRepairs(); !status)
    return status;
  return verifyCounters(tables);
}

} // namespace

Status cimc::verify(const Program &program) {
  Status status = Verifier(program).run();
  return status ? verifyNetworks(program) : status;
}

Result<Program> cimc::verified(Program program, const std::string &origin) {
  if (Status status = verify(program); !status)
    return Error{status.error().code,
                 fmt::format("{}: {}", origin, status.error().message)};
  return program;
}
