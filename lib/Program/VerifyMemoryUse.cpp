//===- VerifyMemoryUse.cpp - streams meet in channels only ----------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Results cannot depend on timing only while no stream writes what another one
// reads but through a channel. Which rows of a ring a stream may touch is what
// the counters say; here it is proved that nothing else is shared.
//
//===----------------------------------------------------------------------===//

#include "Verifier.h"

#include <algorithm>

using namespace cimc;
using namespace cimc::verifier;

namespace {

/// Memory with a rule of its own.
struct Area {
  int64_t begin = 0, end = 0;
  int64_t channel = -1; ///< index; -1: constants
};

/// An access to memory that belongs to one stream.
struct Private {
  const Access *access;
  uint32_t stream;
};

class MemoryUse {
public:
  MemoryUse(const Tables &tables, const CoreTables &core,
            const std::vector<StreamUse> &uses)
      : tables(tables), core(*core.core), uses(uses) {}
  Status run();

private:
  void collectAreas();
  Status checkArea(const Access &access, uint32_t stream, const Area &area);
  Status checkPrivate();
  std::string name(uint32_t stream) const {
    return fmt::format("core {}, stream {} ('{}')", core.id, stream,
                       core.streams[stream].layer);
  }
  std::string name(const Area &area) const {
    return area.channel < 0
               ? fmt::format("the data at {}", area.begin)
               : fmt::format("the ring of channel {}",
                             tables.program->channels[area.channel].id);
  }

  const Tables &tables;
  const CoreProgram &core;
  const std::vector<StreamUse> &uses;
  std::vector<Area> areas; ///< by address; they do not overlap
  std::vector<Private> privates;
};

void MemoryUse::collectAreas() {
  for (const DataBlock &block : core.data)
    if (!block.bytes.empty())
      areas.push_back({block.address, block.address + static_cast<int64_t>(
                                                          block.bytes.size())});
  const auto &channels = tables.program->channels;
  for (size_t c = 0; c < channels.size(); ++c)
    if (channels[c].core == static_cast<int64_t>(core.id))
      areas.push_back({channels[c].address,
                       channels[c].address +
                           int64_t{channels[c].row_bytes} * channels[c].slots,
                       static_cast<int64_t>(c)});
  std::sort(areas.begin(), areas.end(),
            [](const Area &a, const Area &b) { return a.begin < b.begin; });
}

Status MemoryUse::checkArea(const Access &access, uint32_t stream,
                            const Area &area) {
  auto fail = [&](const std::string &what) {
    return invalid(fmt::format(
        "{}: {} (bytes {} to {}) {} {}{}", name(stream), access.name,
        access.begin, access.end - 1,
        access.writes ? "is written over" : "is read from", name(area), what));
  };
  if (access.begin < area.begin || access.end > area.end)
    return fail(fmt::format(" (bytes {} to {}) and beyond it", area.begin,
                            area.end - 1));
  if (area.channel < 0)
    return access.writes ? fail(", which never changes") : Status();
  auto channel = static_cast<uint32_t>(area.channel);
  const StreamUse &use = uses[stream];
  bool produces = use.produces.count(channel);
  if (access.writes && !produces)
    return fail(", whose producer it is not");
  if (!access.writes && !produces && !use.consumes.count(channel))
    return fail(", whose consumer it is not");
  return {};
}

Status MemoryUse::checkPrivate() {
  std::sort(
      privates.begin(), privates.end(), [](const Private &a, const Private &b) {
        return std::tie(*a.access, a.stream) < std::tie(*b.access, b.stream);
      });
  // All that overlap belong to one stream, so the one that reaches furthest
  // stands for them.
  const Private *furthest = nullptr;
  for (const Private &p : privates) {
    if (furthest && p.access->begin < furthest->access->end &&
        p.stream != furthest->stream)
      return invalid(fmt::format(
          "{}: {} (bytes {} to {}) overlaps {} (bytes {} to {}) of stream {} "
          "('{}'); streams share memory through channels only",
          name(p.stream), p.access->name, p.access->begin, p.access->end - 1,
          furthest->access->name, furthest->access->begin,
          furthest->access->end - 1, furthest->stream,
          core.streams[furthest->stream].layer));
    if (!furthest || p.access->end > furthest->access->end)
      furthest = &p;
  }
  return {};
}

Status MemoryUse::run() {
  collectAreas();
  for (uint32_t s = 0; s < uses.size(); ++s)
    for (const Access &access : uses[s].accesses) {
      auto area = std::lower_bound(
          areas.begin(), areas.end(), access.begin,
          [](const Area &a, int64_t begin) { return a.end <= begin; });
      if (area == areas.end() || !access.overlaps(area->begin, area->end))
        privates.push_back({&access, s});
      else if (Status status = checkArea(access, s, *area); !status)
        return status;
    }
  return checkPrivate();
}

} // namespace

Status verifier::verifyMemoryUse(const Tables &tables, const CoreTables &core,
                                 const std::vector<StreamUse> &uses) {
  return MemoryUse(tables, core, uses).run();
}

Status verifier::verifyDram(const Tables &tables, std::vector<DramUse> uses) {
  std::sort(uses.begin(), uses.end());
  auto name = [&](const DramUse &use) {
    const CoreProgram &core = *tables.byCore[use.core].core;
    return fmt::format("core {}, stream {} ('{}')", core.id, use.stream,
                       core.streams[use.stream].layer);
  };
  const DramUse *furthest = nullptr;
  for (const DramUse &use : uses) {
    if (furthest && use.begin < furthest->end &&
        std::tie(use.core, use.stream) !=
            std::tie(furthest->core, furthest->stream))
      return invalid(fmt::format(
          "{}: bytes {} to {} of DRAM overlap bytes {} to {}, which belong to "
          "{}; streams share memory through channels only",
          name(use), use.begin, use.end - 1, furthest->begin, furthest->end - 1,
          name(*furthest)));
    if (!furthest || use.end > furthest->end)
      furthest = &use;
  }
  return {};
}
