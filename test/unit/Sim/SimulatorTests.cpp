//===- SimulatorTests.cpp - whole programs ----------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Network.h"

#include "cimc/Sim/Simulator.h"

#include <catch2/catch.hpp>
#include <thread>

using namespace cimc;
using namespace cimc::test;

TEST_CASE("two cores, joined rows, a residual sum and a maximum") {
  std::mt19937 random(5);
  for (int slots : {3, 4, 7, 8}) {
    SmallNetwork net(slots);
    Simulator simulator(net.program);
    for (int sample = 0; sample < 5; ++sample) {
      HostTensor x = randomTensor(random, DType::U8, {1, 3, 8, 9});
      HostTensor wanted = net.expected(x);
      auto fast = simulator.run({x});
      REQUIRE(fast);
      REQUIRE((*fast)[0].shape == wanted.shape);
      CHECK((*fast)[0].data == wanted.data);
      RunOptions options;
      options.bitPlanes = true;
      auto planes = simulator.run({x}, options);
      REQUIRE(planes);
      CHECK((*planes)[0].data == wanted.data);
      CostReport report;
      auto timed = simulator.runTimed({x}, report);
      REQUIRE(timed);
      CHECK((*timed)[0].data == wanted.data);
    }
  }
}

TEST_CASE("the network passes the verifier") {
  SmallNetwork net;
  Status status = verify(net.program);
  INFO((status ? std::string() : status.error().message));
  CHECK(bool(status));
}

TEST_CASE("one simulator serves many threads") {
  SmallNetwork net;
  Simulator simulator(net.program);
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int i = 0; i < 50; ++i) {
        HostTensor x = randomTensor(random, DType::U8, {1, 3, 8, 9});
        RunOptions options;
        options.bitPlanes = i % 10 == 0;
        auto y = simulator.run({x}, options);
        wrong[t] += !y || (*y)[0].data != net.expected(x).data;
      }
    });
  for (std::thread &t : threads)
    t.join();
  CHECK(wrong == std::vector<int>(4, 0));
}

TEST_CASE("inputs are checked") {
  SmallNetwork net;
  Simulator simulator(net.program);
  auto none = simulator.run({});
  REQUIRE(!none);
  CHECK(none.error().code == ExitCode::InvalidInput);
  CHECK(none.error().message.find("'x'") != std::string::npos);
  auto shape = simulator.run({HostTensor(DType::U8, {1, 3, 9, 8})});
  REQUIRE(!shape);
  CHECK(shape.error().message.find("1x3x9x8") != std::string::npos);
  auto type = simulator.run({HostTensor(DType::F32, {1, 3, 8, 9})});
  REQUIRE(!type);
  CHECK(type.error().code == ExitCode::InvalidInput);
  HostTensor x(DType::U8, {1, 3, 8, 9});
  CHECK(!simulator.run({x, x}));
}

TEST_CASE("a program whose streams all block ends with an error") {
  // Two slots cannot hold the three rows that the window needs.
  SmallNetwork net(2);
  Simulator simulator(net.program);
  auto y = simulator.run({HostTensor(DType::U8, {1, 3, 8, 9})});
  REQUIRE(!y);
  CHECK(y.error().message.find("'conv' on core 0") != std::string::npos);
  auto timed = simulator.time();
  REQUIRE(!timed);
  CHECK(timed.error().message == y.error().message);
}
