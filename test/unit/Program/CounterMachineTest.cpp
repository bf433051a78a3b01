//===- CounterMachineTest.cpp - deadlock and ring sizes ---------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Program/CounterMachine.h"

#include <catch2/catch.hpp>

using namespace cimc;
using Kind = CounterStep::Kind;

namespace {
CounterStep loop(int64_t count) { return {Kind::Loop, 0, 0, count}; }
CounterStep next() { return {Kind::Next}; }
CounterStep send(uint32_t channel, uint32_t producer = 0) {
  return {Kind::Send, channel, producer};
}
CounterStep wait(uint32_t channel, int64_t add, int64_t mul,
                 uint32_t consumer = 0) {
  return {Kind::Wait, channel, consumer, add, mul};
}
CounterStep free(uint32_t channel, int64_t add, int64_t mul,
                 uint32_t consumer = 0) {
  return {Kind::Free, channel, consumer, add, mul};
}
/// Sends every row of a channel.
CounterStream source(uint32_t channel, int64_t rows, uint32_t producer = 0) {
  return {loop(rows), send(channel, producer), next()};
}
/// Reads a channel row by row.
CounterStream sink(uint32_t channel, int64_t rows, uint32_t consumer = 0) {
  return {loop(rows), wait(channel, 1, 1, consumer),
          free(channel, 1, 1, consumer), next()};
}
} // namespace

TEST_CASE("a window grows its ring to the rows it holds") {
  // Kernel 3, stride 1, padding 1 over n rows holds min(n, 3).
  for (int64_t rows : {1, 2, 3, 7, 16}) {
    CounterMachine machine(
        {{rows, 1}},
        {source(0, rows),
         {loop(rows), wait(0, 2, 1), free(0, 0, 1), next(), free(0, rows, 0)}});
    CHECK(machine.run() == (rows == 1));
    REQUIRE(machine.runGrowing());
    CHECK(machine.channels()[0].slots == std::min<int64_t>(rows, 3));
    CHECK(machine.run(1));
    CHECK(machine.run(3));
  }
}

TEST_CASE("a bypass grows to what the long way holds") {
  // 0 -> stream -> 2 (window of 5 rows) -> 3 joins 1, the bypass.
  int64_t rows = 12;
  CounterMachine machine({{rows, 1, 10}, {rows, 1, 10}, {rows, 1, 10}},
                         {{loop(rows), send(0), send(1), next()},
                          {loop(rows), wait(0, 5, 1), send(2), free(0, 0, 1),
                           next(), free(0, rows, 0)},
                          {loop(rows), wait(2, 1, 1), wait(1, 1, 1),
                           free(2, 1, 1), free(1, 1, 1), next()}});
  REQUIRE(machine.runGrowing());
  CHECK(machine.channels()[2].slots == 1);
  CHECK(machine.channels()[1].slots >= 4);
  CHECK(machine.channels()[1].slots <= 6);
  CHECK(machine.run(2));
}

TEST_CASE("a row is there when all producers have written their parts") {
  CounterMachine machine({{4, 1, 1, 2, 2}}, {source(0, 4, 0), source(0, 4, 1),
                                             sink(0, 4, 0), sink(0, 4, 1)});
  CHECK(machine.run());
  CHECK(machine.run(5));
  CounterMachine missing({{4, 1, 1, 2, 1}}, {source(0, 4, 0), sink(0, 4)});
  CHECK_FALSE(missing.run());
  REQUIRE(missing.blocked().size() == 2);
  CHECK_FALSE(missing.runGrowing());
}

TEST_CASE("producers that take turns fill the rows of every sample") {
  for (int64_t rows : {3, 4, 5, 7}) {
    std::vector<CounterStream> streams = {sink(0, rows)};
    for (uint32_t p = 0; p < 3; ++p)
      streams.push_back(
          {loop(RowPhase{p, 3}.own(rows)), {Kind::Send, 0, p, p, 2}, next()});
    CounterMachine machine({{rows, 1, 1, 3, 1}}, streams);
    CHECK(machine.run(3));
  }
  // The first of them does not run ahead of the ring by its own rows alone.
  CounterMachine machine({{6, 2, 1, 2, 1}, {6, 6}},
                         {{loop(3), {Kind::Send, 0, 0, 0, 1}, next()},
                          {wait(1, 6, 0),
                           free(1, 6, 0),
                           loop(3),
                           {Kind::Send, 0, 1, 1, 1},
                           next()},
                          source(1, 6),
                          {loop(6), wait(0, 1, 1), free(0, 1, 1), next()}});
  CHECK(machine.run(2));
}

TEST_CASE("rows of a producer number on over all samples") {
  for (int64_t rows : {1, 2, 5, 6})
    for (int64_t step : {1, 2, 3, 5})
      for (int64_t first = 0; first < std::min(step, rows); ++first) {
        RowPhase phase{first, step};
        int64_t row = first;
        for (int64_t n = 0; n < 3 * phase.own(rows); ++n) {
          REQUIRE(phase.row(n, rows) == row);
          REQUIRE(phase.before(row, rows) == n);
          REQUIRE(phase.before(row + 1, rows) == n + 1);
          row = phase.next(row, rows);
        }
        REQUIRE(row == 3 * rows + first);
      }
}

TEST_CASE("streams that wait for each other's rows cannot be helped") {
  CounterMachine machine(
      {{2, 2}, {2, 2}},
      {{loop(2), wait(0, 1, 1), send(1), free(0, 1, 1), next()},
       {loop(2), wait(1, 1, 1), send(0), free(1, 1, 1), next()}});
  CHECK_FALSE(machine.runGrowing());
  auto cycle = machine.cycle();
  REQUIRE(cycle.size() == 2);
  CHECK_FALSE(cycle[0].full);
}

TEST_CASE("a ring that does not divide the rows keeps its samples apart") {
  // Slot r mod 2 of 3 rows: the next sample's row 0 follows row 2.
  CounterMachine machine(
      {{3, 2}}, {source(0, 3), {wait(0, 3, 0), free(0, 1, 0), free(0, 3, 0)}});
  CHECK_FALSE(machine.run());
  REQUIRE(machine.runGrowing());
  CHECK(machine.channels()[0].slots == 3);
  CHECK(machine.run(4));
}

TEST_CASE("a step that a channel's rules forbid is a fault, not a deadlock") {
  using Fault = CounterMachine::Fault;
  auto fault = [](CounterStream writer, CounterStream reader) {
    CounterMachine machine({{3, 2}}, {std::move(writer), std::move(reader)});
    CHECK_FALSE(machine.run(2));
    REQUIRE(machine.fault());
    CHECK_FALSE(machine.runGrowing());
    return std::make_pair(*machine.fault(), machine.describeFault("c"));
  };
  auto [many, manyText] = fault(source(0, 4), sink(0, 3));
  CHECK(many.kind == Fault::TooManyWrites);
  CHECK(many.stream == 0);
  CHECK(many.step == 1);
  CHECK(manyText ==
        "producer 0 writes more than the 3 rows that c takes a sample");
  auto [few, fewText] = fault(source(0, 2), sink(0, 3));
  CHECK(few.kind == Fault::WrongWrites);
  CHECK(fewText == "producer 0 writes 2 rows to c, which takes 3 a sample");
  auto [kept, keptText] = fault(source(0, 3), {wait(0, 1, 0), free(0, 2, 0)});
  CHECK(kept.kind == Fault::WrongFrees);
  CHECK(kept.stream == 1);
  CHECK(keptText == "consumer 0 frees 2 rows of c, which has 3 a sample");
  auto [post, postText] = fault({{Kind::Post}}, sink(0, 3));
  CHECK(post.kind == Fault::PostWithoutAcquire);
  CHECK(postText == "producer 0 posts a row of c without having acquired it");
}

TEST_CASE("a producer keeps to its rows") {
  auto faultOf = [](const CounterStream &producer) {
    CounterMachine machine({{4, 4, 1, 1, 1}}, {producer, sink(0, 4)});
    CHECK_FALSE(machine.run());
    REQUIRE(machine.fault());
    return machine.describeFault("@c");
  };
  CHECK(faultOf({{Kind::Send, 0, 0, 4, 3}}) ==
        "producer 0 begins with row 4 of @c, which has 4 a sample");
  CHECK(faultOf({{Kind::Send, 0, 0, 0, 1}, {Kind::Send, 0, 0, 0, 0}}) ==
        "producer 0 writes other rows of @c than before: its first row and the "
        "rows it skips stay the same");
  CHECK(faultOf({{Kind::Send, 0, 0, 1, 1}}) ==
        "producer 0 writes 1 rows to @c, which takes 2 a sample");
  CHECK(faultOf({loop(3), {Kind::Send, 0, 0, 1, 1}, next()}) ==
        "producer 0 writes more than the 2 rows that @c takes a sample");
}

TEST_CASE("a loop that touches no channel is not run") {
  CounterStream stream{loop(5), send(0)};
  endLoop(stream);
  CHECK(stream.size() == 3);
  stream.push_back(loop(1000000));
  stream.push_back(loop(1000000));
  endLoop(stream);
  endLoop(stream);
  CHECK(stream.size() == 3);
}
