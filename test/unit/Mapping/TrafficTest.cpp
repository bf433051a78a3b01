//===- TrafficTest.cpp - load of the links, and placing against it --------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../../../lib/Mapping/Traffic.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <set>

using namespace cimc;
using namespace cimc::mapping;

namespace {
/// The busiest link or port, counted anew from where everything is now.
double recount(const CostModel &costs, const std::vector<Message> &messages,
               const std::vector<double> &issueNs, const Traffic &traffic) {
  std::vector<double> busy(costs.links(), 0);
  for (const Message &message : messages) {
    std::map<int64_t, PixelRange> passed;
    for (const Message::Reader &reader : message.to)
      for (const Link &link : costs.route(traffic.coreOf(message.from),
                                          traffic.coreOf(reader.core))) {
        auto [last, isFirst] = passed.try_emplace(link.id, reader.pixels);
        if (!isFirst && last->second.holds(reader.pixels))
          continue;
        last->second = reader.pixels;
        busy[link.id] += reader.bytes / link.gbPerS;
      }
  }
  int64_t perTile = costs.chip().hierarchy.cores_per_tile;
  std::vector<double> ports(costs.chip().cores() / perTile, 0);
  for (int64_t core = 0; core < costs.chip().cores(); ++core)
    ports[traffic.coreOf(core) / perTile] += issueNs[core];
  return std::max(*std::max_element(busy.begin(), busy.end()),
                  *std::max_element(ports.begin(), ports.end()));
}

std::vector<double> noIssues(const ChipSpec &chip) {
  return std::vector<double>(chip.cores(), 0);
}

Message::Reader wholeRow(int64_t core, double bytes) {
  return {core, {0, 8}, bytes};
}

std::vector<Message> randomMessages(const ChipSpec &chip, int count) {
  std::mt19937 random(3);
  std::vector<Message> messages;
  for (int i = 0; i < count; ++i) {
    Message message{static_cast<int64_t>(random() % chip.cores()), {}};
    if (i % 7 == 0)
      message.from = -1; // the host
    double pixel = 10 + static_cast<double>(random() % 1000);
    for (unsigned n = 0; n < 1 + random() % 5; ++n) {
      int64_t begin = n ? random() % 8 : 0;
      int64_t end = n ? begin + 1 + random() % (8 - begin) : 8;
      message.to.push_back({static_cast<int64_t>(random() % chip.cores()),
                            {begin, end},
                            pixel * static_cast<double>(end - begin)});
    }
    messages.push_back(message);
  }
  return messages;
}
} // namespace

TEST_CASE("links that a message to several cores shares count once") {
  ChipSpec chip;
  CostModel costs(chip);
  // Tiles 1, 2 and 3 of the first row: the port and the first link carry it.
  Traffic traffic(
      costs, {{0, {wholeRow(4, 1600), wholeRow(8, 1600), wholeRow(12, 1600)}}},
      noIssues(chip));
  CHECK(traffic.busiestNs() == Approx(100));
  Traffic apart(costs,
                {{0, {wholeRow(4, 1600)}},
                 {0, {wholeRow(8, 1600)}},
                 {0, {wholeRow(12, 1600)}}},
                noIssues(chip));
  CHECK(apart.busiestNs() == Approx(300));
}

TEST_CASE("pixels that pass a link in any case count once") {
  ChipSpec chip;
  CostModel costs(chip);
  // The halves that tile 2 gets are of the row that tile 1 gets; behind tile 1
  // they are all there is.
  Traffic traffic(
      costs, {{0, {wholeRow(4, 1600), {8, {0, 4}, 800}, {8, {4, 8}, 800}}}},
      noIssues(chip));
  CHECK(traffic.busiestNs() == Approx(100));
  // Without one that gets the whole row, its parts add up.
  Traffic parts(costs, {{0, {{8, {0, 5}, 1000}, {8, {3, 8}, 1000}}}},
                noIssues(chip));
  CHECK(parts.busiestNs() == Approx(125));
}

TEST_CASE("cores that change places keep the ports of tiles even") {
  ChipSpec chip;
  CostModel costs(chip);
  std::vector<Message> messages = randomMessages(chip, 400);
  // One core of each tile starts products for long.
  int64_t perTile = chip.hierarchy.cores_per_tile;
  std::vector<double> issueNs = noIssues(chip);
  for (int64_t core = 0; core < chip.cores(); core += perTile)
    issueNs[core] = 1e6;
  Traffic traffic(costs, messages, issueNs);
  CHECK(traffic.busiestNs() == Approx(1e6));
  CHECK(traffic.busiestLinkNs() < 1e6);
  double links = traffic.busiestLinkNs();
  traffic.improve(2000, 0);
  CHECK(traffic.busiestNs() == Approx(1e6));
  CHECK(traffic.busiestLinkNs() < links);
  CHECK(traffic.busiestNs() ==
        Approx(recount(costs, messages, issueNs, traffic)));
}

TEST_CASE("changing places is a permutation that unloads the busiest link") {
  ChipSpec chip;
  CostModel costs(chip);
  std::vector<Message> messages = randomMessages(chip, 400);
  Traffic traffic(costs, messages, noIssues(chip));
  double before = traffic.busiestNs();
  CHECK(before == Approx(recount(costs, messages, noIssues(chip), traffic)));
  traffic.improve(2000, 0);
  std::set<int64_t> places;
  for (int64_t core = 0; core < chip.cores(); ++core)
    places.insert(traffic.coreOf(core));
  CHECK(places.size() == static_cast<size_t>(chip.cores()));
  CHECK(*places.begin() == 0);
  CHECK(*places.rbegin() == chip.cores() - 1);
  CHECK(traffic.coreOf(-1) == -1);
  CHECK(traffic.busiestNs() < before);
  // What is kept up to date is what a count from the beginning gives.
  CHECK(traffic.busiestNs() ==
        Approx(recount(costs, messages, noIssues(chip), traffic)));
}

TEST_CASE("the same messages end in the same places") {
  ChipSpec chip;
  CostModel costs(chip);
  Traffic a(costs, randomMessages(chip, 100), noIssues(chip)),
      b(costs, randomMessages(chip, 100), noIssues(chip));
  a.improve(500, 3);
  b.improve(500, 3);
  for (int64_t core = 0; core < chip.cores(); ++core)
    REQUIRE(a.coreOf(core) == b.coreOf(core));
}
