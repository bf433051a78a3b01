//===- Packing.cpp - streams onto cores -------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Packing.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

namespace cimc::mapping {

/// Items' sizes are told apart in steps of a macro, or a core, by this.
static constexpr double kSizes = 16;

/// Cores in an order in which neighbours are near: tiles of a chiplet row by
/// row, every other row backwards, and chiplets the same way.
static std::vector<int64_t> walkOf(const ChipSpec &chip) {
  std::vector<int64_t> walk;
  auto snake = [](int64_t rows, int64_t columns, auto visit) {
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t i = 0; i < columns; ++i)
        visit(row * columns + (row % 2 ? columns - 1 - i : i));
  };
  const auto &h = chip.hierarchy;
  snake(h.chiplet_rows, h.chiplet_columns, [&](int64_t chiplet) {
    snake(h.tile_rows, h.tile_columns, [&](int64_t tile) {
      for (int64_t core = 0; core < h.cores_per_tile; ++core)
        walk.push_back((chiplet * chip.tilesPerChiplet() + tile) *
                           h.cores_per_tile +
                       core);
    });
  });
  return walk;
}

Packer::Packer(const ChipSpec &chip, int64_t memoryPercent)
    : chip(chip), memoryBytes(chip.memoryBytes() * memoryPercent / 100),
      walk(walkOf(chip)) {}

/// The part of a core that an item takes.
double Packer::share(const Item &item, double limitNs, Sharing sharing) const {
  const Load &load = item.load;
  auto macros = static_cast<double>(load.macros) /
                static_cast<double>(chip.hierarchy.macros_per_core);
  if (load.macros && sharing == Sharing::Cores)
    return 1;
  if (load.macros && sharing == Sharing::Macros)
    return macros;
  if (sharing != Sharing::All)
    return 0;
  double rows =
      static_cast<double>(load.rows) / static_cast<double>(chip.macro.rows);
  return std::max(
      {macros * load.macroNs / limitNs, macros * rows,
       load.issueNs / limitNs /
           static_cast<double>(chip.hierarchy.cores_per_tile),
       load.vectorNs / limitNs, 1 / static_cast<double>(chip.core.streams),
       static_cast<double>(load.bytes) / static_cast<double>(memoryBytes)});
}

bool Packer::tryCore(const Item &item, Core &core, double &issueNs, Core *maker,
                     double limitNs, Sharing sharing, Memory memory,
                     Place &place) const {
  const Load &load = item.load;
  // What wants more than a core has gets a core's.
  int64_t bytes =
      memory == Memory::Ample
          ? std::max(load.leastBytes, std::min(load.bytes, memoryBytes))
      : memory == Memory::Least ? load.leastBytes
                                : 0;
  bool isBeside = maker == &core;
  double inNs = load.inNs - (isBeside ? item.besideNs : 0);
  if (maker && !isBeside && item.besideNs > 0 &&
      maker->outNs + item.besideNs > limitNs)
    return false;
  if (core.streams >= chip.core.streams || core.bytes + bytes > memoryBytes ||
      core.vectorNs + load.vectorNs > limitNs || core.inNs + inNs > limitNs ||
      core.outNs + load.outNs > limitNs || issueNs + load.issueNs > limitNs)
    return false;
  if (load.macros) {
    if (sharing == Sharing::Cores && core.tiles)
      return false;
    std::vector<int64_t> order;
    for (int64_t m = 0; m < chip.hierarchy.macros_per_core; ++m)
      if (core.macroNs[m] + load.macroNs <= limitNs &&
          core.macroRows[m] + load.rows <= chip.macro.rows &&
          (sharing == Sharing::All || core.macroRows[m] == 0))
        order.push_back(m);
    if (static_cast<int64_t>(order.size()) < load.macros)
      return false;
    // Those with the most time left.
    llvm::stable_sort(order, [&](int64_t a, int64_t b) {
      return core.macroNs[a] < core.macroNs[b];
    });
    order.resize(load.macros);
    std::sort(order.begin(), order.end());
    int64_t row = 0;
    for (int64_t m : order)
      row = std::max(row, core.macroRows[m]);
    if (row + load.rows > chip.macro.rows)
      return false;
    for (int64_t m : order) {
      core.macroNs[m] += load.macroNs;
      core.macroRows[m] = row + load.rows;
    }
    place.macros = order;
    place.macroRow = row;
    ++core.tiles;
  }
  issueNs += load.issueNs;
  core.vectorNs += load.vectorNs;
  core.inNs += inNs;
  if (maker && !isBeside)
    maker->outNs += item.besideNs;
  core.outNs += load.outNs;
  core.bytes += bytes;
  ++core.streams;
  return true;
}

static bool isBeside(const Item &item) {
  return item.near >= 0 && item.besideNs > 0;
}

/// The order in which items are placed: as they come; where macros are shared,
/// tiles that take most of a macro first, as others fit beside them. What reads
/// rows where they are made comes right after their maker.
std::vector<size_t> Packer::orderOf(const std::vector<Item> &items,
                                    double limitNs, Sharing sharing) const {
  std::vector<size_t> order(items.size());
  std::iota(order.begin(), order.end(), 0);
  // Where cores share the port that starts products, that is what runs out, and
  // the order makes streams wait for it (ResNet-18 on pimcomp-144x64: 270 us
  // instead of 211).
  if (sharing != Sharing::All || chip.tile.issue_ns > 0)
    return order;
  struct Key {
    int64_t depth; // of a chain of items each near the one before; 0: a tile
    int64_t size, macros;
  };
  std::vector<Key> keys;
  std::vector<std::vector<size_t>> beside(items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    const Load &load = items[i].load;
    int64_t near = items[i].near;
    double part = load.macros
                      ? std::max(load.macroNs / limitNs,
                                 static_cast<double>(load.rows) /
                                     static_cast<double>(chip.macro.rows))
                      : share(items[i], limitNs, sharing);
    keys.push_back({load.macros ? 0
                    : near < 0  ? 1
                                : keys[near].depth + 1,
                    std::llround(part * kSizes), load.macros});
    if (isBeside(items[i]))
      beside[near].push_back(i);
  }
  llvm::stable_sort(order, [&](size_t a, size_t b) {
    return std::tuple(keys[a].depth, -keys[a].size, -keys[a].macros) <
           std::tuple(keys[b].depth, -keys[b].size, -keys[b].macros);
  });
  std::vector<size_t> result;
  auto place = [&](auto &&self, size_t i) -> void {
    result.push_back(i);
    for (size_t next : beside[i])
      self(self, next);
  };
  for (size_t i : order)
    if (!isBeside(items[i]))
      place(place, i);
  return result;
}

std::optional<std::vector<Place>>
Packer::packInto(const std::vector<Item> &items, double limitNs,
                 Sharing sharing, Memory memory, double span) {
  Core empty;
  empty.macroNs.assign(chip.hierarchy.macros_per_core, 0);
  empty.macroRows.assign(chip.hierarchy.macros_per_core, 0);
  std::vector<Core> cores(walk.size(), empty);
  int64_t perTile = chip.hierarchy.cores_per_tile;
  std::vector<double> issueNs(chip.cores() / perTile, 0);
  std::vector<Place> places(items.size());
  std::vector<int64_t> at(items.size());
  // Where in the walk each item is wanted: in proportion to what comes before.
  std::vector<double> before(items.size() + 1, 0);
  for (size_t i = 0; i < items.size(); ++i)
    before[i + 1] = before[i] + share(items[i], limitNs, sharing);
  double scale = before.back() > 0 ? span / before.back() : 0;
  auto size = static_cast<int64_t>(walk.size());
  for (size_t i : orderOf(items, limitNs, sharing)) {
    const Item &item = items[i];
    int64_t start =
        item.near >= 0
            ? at[item.near]
            : std::min(size - 1, static_cast<int64_t>(before[i] * scale));
    bool found = false;
    for (int64_t d = 0; d < size && !found; ++d)
      for (int64_t to : {start + d, start - d}) {
        if (to < 0 || to >= size || (d == 0 && to != start))
          continue;
        Core *maker = item.near >= 0 ? &cores[at[item.near]] : nullptr;
        if (tryCore(item, cores[to], issueNs[walk[to] / perTile], maker,
                    limitNs, sharing, memory, places[i])) {
          places[i].core = walk[to];
          at[i] = to;
          found = true;
          break;
        }
      }
    if (!found) {
      failedItem = i;
      return std::nullopt;
    }
  }
  return places;
}

std::optional<std::vector<Place>> Packer::pack(const std::vector<Item> &items,
                                               double limitNs, Sharing sharing,
                                               Memory memory) {
  // Close together first; spread over the chip, streams that no longer fit
  // where they should be have a shorter way.
  double total = 0;
  for (const Item &item : items)
    total += share(item, limitNs, sharing);
  auto all = static_cast<double>(walk.size());
  if (total > all * (sharing == Sharing::All ? 1.2 : 1.5))
    return std::nullopt;
  if (total * 1.1 < all)
    if (auto places = packInto(items, limitNs, sharing, memory, total * 1.1))
      return places;
  return packInto(items, limitNs, sharing, memory, all);
}

std::optional<std::vector<Place>> Packer::pack(const std::vector<Item> &items,
                                               double limitNs, Memory memory) {
  for (Sharing sharing : {Sharing::Cores, Sharing::Macros, Sharing::All})
    if (auto places = pack(items, limitNs, sharing, memory))
      return places;
  return std::nullopt;
}

std::optional<PackedPeriod> packTightly(Packer &packer,
                                        const std::vector<Item> &items) {
  double low = 0, high = 0;
  for (const Item &item : items) {
    low = std::max(low, item.load.periodNs());
    high += item.load.streamNs() + item.load.inNs;
  }
  Memory memory = Memory::Ample;
  auto places = packer.pack(items, high, memory);
  if (!places)
    places = packer.pack(items, high, memory = Memory::Least);
  if (!places)
    return std::nullopt;
  PackedPeriod best{high, std::move(*places), memory};
  if (auto least = packer.pack(items, low, memory))
    return PackedPeriod{low, std::move(*least), memory};
  while (high > low * 1.01) {
    double middle = std::sqrt(low * high);
    if (auto tighter = packer.pack(items, middle, memory)) {
      best = {middle, std::move(*tighter), memory};
      high = middle;
    } else {
      low = middle;
    }
  }
  return best;
}

} // namespace cimc::mapping
