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
#include <random>
#include <set>

using namespace cimc;
using namespace cimc::mapping;


namespace {
/// The busiest link, counted anew from where everything is now.
double recount(const CostModel &costs, const std::vector<Message> &messages,
               const Traffic &traffic) {
  std::vector<double> busy(costs.links(), 0);
  for (const Message &message : messages) {
    std::set<int64_t> seen;
    for (int64_t to : message.to)
      for (const Link &link :
           costs.route(traffic.coreOf(message.from), traffic.coreOf(to)))
        if (seen.insert(link.id).second)
          busy[link.id] += message.bytes / link.gbPerS;
  }
  return *std::max_element(busy.begin(), busy.end());
}

std::vector<Message> randomMessages(const ChipSpec &chip, int count) {
  std::mt19937 random(3);
  std::vector<Message> messages;
  for (int i = 0; i < count; ++i) {
    Message message{static_cast<int64_t>(random() % chip.cores()), {}, 0};
    if (i % 7 == 0)
      message.from = -1; // the host
    for (unsigned n = 0; n < 1 + random() % 5; ++n)
      message.to.push_back(static_cast<int64_t>(random() % chip.cores()));
    message.bytes = 100 + static_cast<double>(random() % 10000);
    messages.push_back(message);
  }
  return messages;
}
} // namespace

TEST_CASE("links that a message to several cores shares count once") {
  ChipSpec chip;
  CostModel costs(chip);
  // Tiles 1, 2 and 3 of the first row: the port and the first link carry it.
  Traffic traffic(costs, {{0, {4, 8, 12}, 1600}});
  CHECK(traffic.busiestNs() == Approx(100));
  Traffic apart(costs, {{0, {4}, 1600}, {0, {8}, 1600}, {0, {12}, 1600}});
  CHECK(apart.busiestNs() == Approx(300));
}

TEST_CASE("changing places is a permutation that unloads the busiest link") {
  ChipSpec chip;
  CostModel costs(chip);
  std::vector<Message> messages = randomMessages(chip, 400);
  Traffic traffic(costs, messages);
  double before = traffic.busiestNs();
  CHECK(before == Approx(recount(costs, messages, traffic)));
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
  CHECK(traffic.busiestNs() == Approx(recount(costs, messages, traffic)));
}

TEST_CASE("the same messages end in the same places") {
  ChipSpec chip;
  CostModel costs(chip);
  Traffic a(costs, randomMessages(chip, 100)),
      b(costs, randomMessages(chip, 100));
  a.improve(500, 3);
  b.improve(500, 3);
  for (int64_t core = 0; core < chip.cores(); ++core)
    REQUIRE(a.coreOf(core) == b.coreOf(core));
}
