//===- Network.cpp - links and who holds them -------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Timing.h"

#include <algorithm>

namespace cimc::sim {

namespace {
/// Directions of mesh links.
enum Direction { East, West, South, North };
} // namespace

Network::Network(const Costs &costs)
    : costs(costs), chip(costs.costModel().chip()) {
  int64_t tiles = chip.chiplets() * chip.tilesPerChiplet();
  // Ports out of cores, ports into cores, tile links, chiplet links, host.
  free.resize(2 * chip.cores() + 4 * tiles + 4 * chip.chiplets() + 2);
}

/// XY: first along the row of the mesh, then along the column.
template <typename Fn>
static void walk(int64_t columns, int64_t from, int64_t to, Fn fn) {
  int64_t row = from / columns, column = from % columns;
  for (; column < to % columns; ++column)
    fn(row * columns + column, East);
  for (; column > to % columns; --column)
    fn(row * columns + column, West);
  for (; row < to / columns; ++row)
    fn(row * columns + column, South);
  for (; row > to / columns; --row)
    fn(row * columns + column, North);
}

void Network::mesh(Route &route, int64_t chiplet, int64_t fromTile,
                   int64_t toTile, double ns) const {
  int64_t base = 2 * chip.cores() + 4 * chiplet * chip.tilesPerChiplet();
  walk(chip.hierarchy.tile_columns, fromTile, toTile,
       [&](int64_t tile, Direction d) {
         route.links.push_back(static_cast<uint32_t>(base + 4 * tile + d));
         route.occupied.push_back(ns);
       });
}

const Route *Network::route(int64_t from, int64_t to, int64_t bytes) {
  auto [it, isNew] = routes.try_emplace({from, to, bytes});
  Route &route = it->second;
  if (!isNew)
    return &route;
  route.idleNs = costs.costModel().transfer(from, to, bytes).ns;
  route.energy = costs.transfer(from, to, bytes);

  double onChip = static_cast<double>(bytes) * 8 /
                  static_cast<double>(chip.noc.link_bits) * 1e3 /
                  chip.noc.clock_mhz;
  double onPackage = static_cast<double>(bytes) / chip.nop.link_gb_per_s;
  double toHost = static_cast<double>(bytes) / chip.host.gb_per_s;
  int64_t cores = chip.cores();
  int64_t packageLinks =
      2 * cores + 4 * chip.chiplets() * chip.tilesPerChiplet();
  int64_t hostLinks = packageLinks + 4 * chip.chiplets();
  auto add = [&](int64_t link, double ns) {
    route.links.push_back(static_cast<uint32_t>(link));
    route.occupied.push_back(ns);
  };
  // The host and the other chiplets are reached through tile 0 of a chiplet.
  CorePosition origin = costs.costModel().position(0);
  CorePosition a = from < 0 ? origin : costs.costModel().position(from);
  CorePosition b = to < 0 ? origin : costs.costModel().position(to);
  auto tileIn = [&](const CorePosition &p) {
    return p.tileRow * chip.hierarchy.tile_columns + p.tileColumn;
  };
  if (from < 0)
    add(hostLinks, toHost);
  else
    add(from, onChip);
  if (a.chiplet == b.chiplet) {
    mesh(route, a.chiplet, tileIn(a), tileIn(b), onChip);
  } else {
    mesh(route, a.chiplet, tileIn(a), 0, onChip);
    walk(chip.hierarchy.chiplet_columns,
         a.chipletRow * chip.hierarchy.chiplet_columns + a.chipletColumn,
         b.chipletRow * chip.hierarchy.chiplet_columns + b.chipletColumn,
         [&](int64_t chiplet, Direction d) {
           add(packageLinks + 4 * chiplet + d, onPackage);
         });
    mesh(route, b.chiplet, 0, tileIn(b), onChip);
  }
  if (to < 0)
    add(hostLinks + 1, toHost);
  else
    add(cores + to, onChip);
  return &route;
}

Network::Times Network::reserve(const Route &route, double start) {
  // The head waits at every link until it is free; what follows is cut through.
  double head = start;
  double sent = start;
  for (size_t i = 0; i < route.links.size(); ++i) {
    double &link = free[route.links[i]];
    head = std::max(head, link);
    link = head + route.occupied[i];
    if (i == 0)
      sent = link;
  }
  // Within a core nothing is routed, but the bytes pass its port.
  return {sent, std::max(sent, head + route.idleNs)};
}

} // namespace cimc::sim
