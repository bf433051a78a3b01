//===- Traffic.cpp - load of the links, and placing against it --*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Traffic.h"

#include <algorithm>
#include <numeric>

namespace cimc::mapping {

/// Of a chip that is nearly empty only so many cores count for each that is
/// used: changing empty ones with each other gains nothing.
static constexpr int64_t kEmptyCores = 32;

Traffic::Traffic(const CostModel &costs, std::vector<Message> list,
                 std::vector<double> issues)
    : costs(costs), messages(std::move(list)), with(costs.chip().cores()),
      positions(costs.chip().cores()), occupant(costs.chip().cores()),
      issueNs(std::move(issues)),
      busy(costs.links() +
           costs.chip().cores() / costs.chip().hierarchy.cores_per_tile),
      passed(costs.links()) {
  std::iota(positions.begin(), positions.end(), 0);
  std::iota(occupant.begin(), occupant.end(), 0);
  for (size_t m = 0; m < messages.size(); ++m) {
    std::vector<int64_t> cores = {messages[m].from};
    for (const Message::Reader &reader : messages[m].to)
      cores.push_back(reader.core);
    std::sort(cores.begin(), cores.end());
    cores.erase(std::unique(cores.begin(), cores.end()), cores.end());
    for (int64_t core : cores)
      if (core >= 0)
        with[core].push_back(static_cast<int64_t>(m));
    add(messages[m], 1);
  }
  for (int64_t core = 0; core < costs.chip().cores(); ++core)
    addIssues(core, 1);
}

template <typename Visit>
void Traffic::forLinks(const Message &message, Visit visit) {
  ++tree;
  int64_t from = coreOf(message.from);
  for (const Message::Reader &reader : message.to)
    costs.visitRoute(from, coreOf(reader.core), [&](const Link &link) {
      Passed &last = passed[link.id];
      if (last.tree == tree && last.pixels.holds(reader.pixels))
        return;
      last = {tree, reader.pixels};
      visit(link, reader.bytes);
    });
}

void Traffic::take(size_t link, double ns) {
  auto fourth = [](double ns) { return ns * ns * ns * ns; };
  cost -= fourth(busy[link]);
  busy[link] = std::max(0.0, busy[link] + ns);
  cost += fourth(busy[link]);
}

void Traffic::add(const Message &message, double sign) {
  forLinks(message, [&](const Link &link, double bytes) {
    take(static_cast<size_t>(link.id), sign * bytes / link.gbPerS);
  });
}

void Traffic::addIssues(int64_t core, double sign) {
  if (issueNs[core] > 0)
    take(static_cast<size_t>(costs.links() +
                             coreOf(core) /
                                 costs.chip().hierarchy.cores_per_tile),
         sign * issueNs[core]);
}

double Traffic::busiestLinkNs() const {
  return *std::max_element(busy.begin(), busy.begin() + costs.links());
}

double Traffic::busiestNs() const {
  return *std::max_element(busy.begin(), busy.end());
}

void Traffic::swap(int64_t a, int64_t b) {
  // Both may be part of a message; it moves once.
  std::vector<int64_t> moved;
  std::set_union(with[a].begin(), with[a].end(), with[b].begin(), with[b].end(),
                 std::back_inserter(moved));
  for (int64_t m : moved)
    add(messages[m], -1);
  addIssues(a, -1);
  addIssues(b, -1);
  std::swap(positions[a], positions[b]);
  occupant[positions[a]] = a;
  occupant[positions[b]] = b;
  for (int64_t m : moved)
    add(messages[m], 1);
  addIssues(a, 1);
  addIssues(b, 1);
}

int64_t Traffic::random(int64_t below) { // xorshift64
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return static_cast<int64_t>(state % static_cast<uint64_t>(below));
}

/// A place for what is on `core`: near someone it talks to, or anywhere.
int64_t Traffic::goal(int64_t core) {
  auto cores = static_cast<int64_t>(positions.size());
  if (with[core].empty() || random(4) == 0)
    return random(cores);
  const Message &message =
      messages[with[core][random(static_cast<int64_t>(with[core].size()))]];
  int64_t other =
      message.from == core
          ? message.to[random(static_cast<int64_t>(message.to.size()))].core
          : message.from;
  int64_t perTile = costs.chip().hierarchy.cores_per_tile;
  int64_t reach = 2 * perTile * costs.chip().hierarchy.tile_columns;
  int64_t place =
      coreOf(std::max<int64_t>(other, 0)) + random(2 * reach + 1) - reach;
  return std::clamp<int64_t>(place, 0, cores - 1);
}

int64_t Traffic::coresToTry() const {
  int64_t inUse = std::count_if(with.begin(), with.end(),
                                [](const auto &of) { return !of.empty(); });
  return std::min(static_cast<int64_t>(positions.size()), kEmptyCores * inUse);
}

void Traffic::improve(int64_t tries, uint64_t seed) {
  state = std::max<uint64_t>((seed + 1) * 0x9e3779b97f4a7c15, 1);
  auto cores = static_cast<int64_t>(positions.size());
  std::vector<int64_t> hot; // messages over the busiest link
  // Looking for it must not cost more than the tries, on chips of any size.
  auto between = std::max<int64_t>(128, static_cast<int64_t>(busy.size()) / 64);
  for (int64_t i = 0; i < tries; ++i) {
    if (i % between == 0) {
      hot.clear();
      auto busiest = static_cast<int64_t>(
          std::max_element(busy.begin(), busy.end()) - busy.begin());
      for (size_t m = 0; m < messages.size(); ++m)
        forLinks(messages[m], [&](const Link &link, double) {
          if (link.id == busiest &&
              (hot.empty() || hot.back() != static_cast<int64_t>(m)))
            hot.push_back(static_cast<int64_t>(m));
        });
    }
    int64_t a = random(cores);
    if (!hot.empty() && random(2)) {
      const Message &message =
          messages[hot[random(static_cast<int64_t>(hot.size()))]];
      int64_t end = random(static_cast<int64_t>(message.to.size()) + 1);
      int64_t core = end ? message.to[end - 1].core : message.from;
      a = core < 0 ? a : core;
    }
    int64_t b = occupant[goal(a)];
    if (a == b)
      continue;
    double before = cost;
    swap(a, b);
    if (cost > before)
      swap(a, b);
  }
}

} // namespace cimc::mapping
