//===- SplitTest.cpp - networks in parts ---------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Program/Split.h"
#include "Programs.h"
#include "cimc/Program/Container.h"

#include <catch2/catch.hpp>

#include <random>

using namespace cimc;
using namespace cimc::test;
using Catch::Matchers::Contains;

/// The small program with other names of its input and output.
static Program part(const std::string &input, const std::string &output) {
  Program program = smallProgram();
  for (IOBinding &io : program.ios)
    io.name = io.isOutput ? output : input;
  return program;
}

/// Two parts that read the same input.
static SplitProgram twoParts() {
  SplitProgram split;
  split.model = "two";
  split.batch = 7;
  split.inputs = {"x"};
  split.outputs = {"b", "a"};
  split.parts = {part("x", "a"), part("x", "b")};
  return split;
}

static std::string errorOf(const SplitProgram &split) {
  Status status = verify(split);
  return status ? "" : status.error().message;
}

static std::string errorOf(const std::vector<uint8_t> &bytes) {
  Result<SplitProgram> split =
      deserializeSplit(bytes.data(), bytes.size(), "s.cimx");
  if (split)
    return "";
  CHECK(split.error().code == ExitCode::InvalidInput);
  return split.error().message;
}

/// A container with this head and the parts of another.
static std::vector<uint8_t> withHead(const std::string &head,
                                     const SplitProgram &split) {
  std::vector<SectionContent> sections = {
      {"SPLIT", std::vector<uint8_t>(head.begin(), head.end())}};
  for (const Program &program : split.parts)
    sections.push_back({"PART", serialize(program)});
  return writeSections(sections);
}

TEST_CASE("a network in parts is the same after saving and loading") {
  SplitProgram split = twoParts();
  REQUIRE(errorOf(split) == "");
  std::vector<uint8_t> bytes = serialize(split);
  CHECK(holdsSplit(bytes.data(), bytes.size()));
  Result<SplitProgram> again =
      deserializeSplit(bytes.data(), bytes.size(), "s.cimx");
  REQUIRE(again);
  CHECK(again->model == "two");
  CHECK(again->batch == 7);
  CHECK(again->goal == SplitGoal::Reprogram);
  CHECK(again->outputs == split.outputs);
  CHECK(serialize(*again) == bytes);
  split.goal = SplitGoal::Cards;
  bytes = serialize(split);
  again = deserializeSplit(bytes.data(), bytes.size(), "s.cimx");
  REQUIRE(again);
  CHECK(again->goal == SplitGoal::Cards);
  // The network reads x itself, so nothing is kept between the parts.
  CHECK(bytesBetweenParts(*again) == 0);
}

TEST_CASE("a network in parts is no program, and the other way round") {
  std::vector<uint8_t> bytes = serialize(twoParts());
  Result<Program> program = deserialize(bytes.data(), bytes.size(), "s.cimx");
  REQUIRE(!program);
  CHECK(program.error().code == ExitCode::Usage);
  CHECK_THAT(program.error().message,
             Contains("s.cimx: the file holds a network in 2 parts"));
  bytes = serialize(smallProgram());
  CHECK(!holdsSplit(bytes.data(), bytes.size()));
  CHECK(errorOf(bytes) == "s.cimx: the file holds no network in parts");
}

TEST_CASE("parts that do not fit together are refused") {
  SplitProgram split = twoParts();
  split.parts.pop_back();
  CHECK(errorOf(split) == "a network in parts has two at least, not 1");
  split = twoParts();
  split.batch = 0;
  CHECK(errorOf(split) == "a batch of 0 samples");
  split = twoParts();
  split.outputs.clear();
  CHECK(errorOf(split) == "it has no outputs");
  split = twoParts();
  split.inputs = {"x", "x"};
  CHECK(errorOf(split) == "there are two inputs 'x'");
  split.inputs = {"x", "y"};
  CHECK(errorOf(split) == "input 'y' is of no part");
  split.inputs = {};
  CHECK(errorOf(split) == "part 0: input 'x' is neither the network's nor made "
                          "by an earlier part");
  split = twoParts();
  split.inputs = {"\xff"};
  for (Program &program : split.parts)
    program.ios[0].name = "\xff";
  CHECK(errorOf(split) ==
        "input '\xff' has a name that is not valid UTF-8, which the head of a "
        "network in parts cannot hold; rename it in the model");
  split = twoParts();
  split.outputs = {"a", "a"};
  CHECK(errorOf(split) == "there are two outputs 'a'");
  split.outputs = {"c"};
  CHECK(errorOf(split) == "output 'c' is made by no part");
  split = twoParts();
  split.parts[1] = part("x", "a");
  CHECK(errorOf(split) == "part 1: output 'a' is made before");
  split.parts[1] = part("a", "b");
  CHECK(errorOf(split) == "part 1: input 'a' is uint8 of 1x2x4x4, and uint8 of "
                          "1x5x4x4 before");
  split = twoParts();
  split.parts[1].chip.name = "other";
  CHECK(errorOf(split) == "part 1: it is for another chip, 'other', than part "
                          "0, 'card'");
  split = twoParts();
  split.parts[1].networks = {{"n", {0, 70}}};
  CHECK_THAT(errorOf(split), Contains("part 1: "));
  split = twoParts();
  split.parts[1].cores[0].views[0].address = UINT32_MAX;
  CHECK_THAT(errorOf(split), Contains("part 1: "));
}

TEST_CASE("parts run in order, and pass on what they make") {
  SplitProgram split = twoParts();
  HostTensor x(DType::U8, {1, 2, 4, 4});
  std::vector<size_t> order;
  auto run = [&](size_t i, const std::vector<HostTensor> &inputs)
      -> Result<std::vector<HostTensor>> {
    order.push_back(i);
    REQUIRE(inputs.size() == 1);
    CHECK(inputs[0].shape == x.shape);
    std::vector<HostTensor> outputs;
    outputs.emplace_back(DType::U8, std::vector<int64_t>{1, 5, 4, 4});
    outputs[0].as<uint8_t>()[0] = static_cast<uint8_t>(10 + i);
    return outputs;
  };
  Result<std::vector<HostTensor>> outputs = runParts(split, {x}, run);
  REQUIRE(outputs);
  CHECK(order == std::vector<size_t>{0, 1});
  REQUIRE(outputs->size() == 2);
  CHECK((*outputs)[0].as<uint8_t>()[0] == 11);
  CHECK((*outputs)[1].as<uint8_t>()[0] == 10);
  outputs = runParts(split, {x},
                     [](size_t, const std::vector<HostTensor> &)
                         -> Result<std::vector<HostTensor>> {
                       return Error{ExitCode::Unsupported, "no"};
                     });
  REQUIRE(!outputs);
  CHECK(outputs.error().message == "part 0: no");
}

TEST_CASE("a damaged network in parts is refused") {
  SplitProgram split = twoParts();
  for (
      const char *head :
      {"", "[]", "{}", R"({"model": 1})",
       R"({"model":"m","goal":"cards","batch":-1,"inputs":["x"],"outputs":["a"]})",
       R"({"model":"m","goal":"cards","batch":1e30,"inputs":["x"],"outputs":["a"]})",
       R"({"model":"m","goal":"cards","batch":99999999999,"inputs":["x"],"outputs":["a"]})",
       R"({"model":"m","goal":"cards","batch":1,"inputs":[1],"outputs":["a"]})",
       R"({"model":"m","goal":"cards","batch":1,"inputs":"x","outputs":["a"]})",
       R"({"model":"m","goal":"cards","batch":1,"inputs":["x"]})"}) {
    INFO(head);
    CHECK_THAT(errorOf(withHead(head, split)),
               Contains("s.cimx: section SPLIT: it is not the head"));
  }
  CHECK_THAT(
      errorOf(withHead(
          R"({"model":"m","goal":"x","batch":1,"inputs":["x"],"outputs":["a"]})",
          split)),
      Contains("goal 'x' is neither 'reprogram' nor 'cards'"));
  CHECK_THAT(
      errorOf(withHead(
          R"({"model":"m","goal":"cards","batch":1,"inputs":["z"],"outputs":["a"]})",
          split)),
      Contains("s.cimx: part 0: input 'x' is neither"));
  std::vector<uint8_t> good = serialize(split);
  std::vector<SectionContent> nested = {
      {"SPLIT", {}}, {"PART", good}, {"PART", good}};
  std::string head =
      R"({"model":"m","goal":"cards","batch":1,"inputs":["x"],"outputs":["a"]})";
  nested[0].bytes.assign(head.begin(), head.end());
  CHECK_THAT(errorOf(writeSections(nested)),
             Contains("s.cimx: part 0: the file holds a network in 2 parts"));
  nested[1].name = "CORES";
  CHECK_THAT(errorOf(writeSections(nested)), Contains("section 1 is 'CORES'"));
  // Every cut, and any bit.
  for (size_t size = 0; size < good.size(); size += size < 300 ? 1 : 97)
    CHECK(errorOf(std::vector<uint8_t>(good.begin(),
                                       good.begin() + long(size))) != "");
  std::mt19937 random(5);
  for (int i = 0; i < 500; ++i) {
    std::vector<uint8_t> bytes = good;
    bytes[random() % bytes.size()] ^= static_cast<uint8_t>(1u << random() % 8);
    REQUIRE(errorOf(bytes) != "");
  }
}
