//===- RowTimesTests.cpp - when rows of a channel were passed ---*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EventQueue.h"
#include "RowTimes.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>
#include <set>

using namespace cimc;

TEST_CASE("rows are passed when the last of their parties has passed them") {
  std::mt19937 random(11);
  for (int round = 0; round < 50; ++round) {
    // Parties that take rows in turn: party p of `step` makes rows p, p + step
    // and so on; or all make every row.
    bool inTurn = random() % 2;
    uint32_t parties = 1 + random() % 4, rows = parties + random() % 9;
    sim::RowTimes times(
        parties,
        inTurn ? std::vector<uint32_t>(rows, 1) : std::vector<uint32_t>(), 2);
    constexpr int64_t samples = 20;
    // What each party did, whole; rows of a sample are taken in turn anew.
    std::vector<std::vector<std::pair<int64_t, double>>> history(parties);
    std::vector<int64_t> next(parties);
    for (uint32_t p = 0; inTurn && p < parties; ++p)
      next[p] = p;
    int64_t kept = 0;
    double now = 0;
    while (times.complete() < samples * rows) {
      auto p = static_cast<uint32_t>(random() % parties);
      if (next[p] >= samples * rows || next[p] > times.complete() + 30)
        continue;
      now += static_cast<double>(random() % 5);
      // Times of parties are in order, of one beside the other they are not.
      double time = now + 7.0 * p;
      times.pass(next[p], time, p, std::min(kept, times.complete()));
      history[p].push_back({next[p], time});
      int64_t row = next[p] % rows, begin = next[p] - row;
      row += inTurn ? parties : 1;
      next[p] = row < rows ? begin + row : begin + rows + (inTurn ? p : 0);
      int64_t expected = samples * rows;
      for (uint32_t q = 0; q < parties; ++q)
        expected = std::min(expected, next[q]);
      REQUIRE(times.complete() == expected);
      for (int64_t r = kept; r < expected; r += 1 + random() % 3) {
        double last = 0;
        for (const auto &party : history)
          for (const auto &[passed, when] : party)
            if (passed <= r)
              last = std::max(last, when);
        REQUIRE(times.at(r).time == last);
      }
      kept = std::max(kept, expected - static_cast<int64_t>(random() % 12));
    }
    CHECK(times.at(0).time == 0); // forgotten
  }
}

TEST_CASE("events come in the order of time, then of actors") {
  std::mt19937 random(12);
  sim::EventQueue queue;
  std::set<std::pair<double, uint32_t>> expected;
  auto time = [&](double from) { return from + random() % 4 * 0.25; };
  for (uint32_t actor = 0; actor < 100; ++actor) {
    double t = time(0);
    queue.push({t, actor});
    expected.insert({t, actor});
  }
  while (!queue.empty()) {
    auto [t, actor] = *expected.begin();
    expected.erase(expected.begin());
    REQUIRE(queue.begin() == actor);
    double later = time(t);
    bool isBefore =
        expected.empty() || std::pair(later, actor) < *expected.begin();
    CHECK(queue.isBeforeOthers({later, actor}) == isBefore);
    if (random() % 8 == 0) {
      queue.pop();
      continue;
    }
    queue.replaceTop({later, actor});
    expected.insert({later, actor});
  }
  CHECK(expected.empty());
}
