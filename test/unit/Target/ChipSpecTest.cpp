//===- ChipSpecTest.cpp - chip files and presets --------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Target/ChipSpec.h"
#include "../Support/TemporaryFolder.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>

using namespace cimc;
using Catch::Matchers::Contains;
using cimc::test::TemporaryFolder;

static std::string errorOf(const std::string &json) {
  Result<ChipSpec> chip = parseChip(json, "my.json");
  return chip ? "" : chip.error().message;
}

TEST_CASE("presets have the capacity and throughput they are named for") {
  struct Class {
    const char *name;
    double megabytes, tops;
  };
  for (const Class &c :
       {Class{"wearable", 2, 0.1}, Class{"camera", 32, 16},
        Class{"mobile", 64, 32}, Class{"xr", 128, 64}, Class{"auto", 512, 256},
        Class{"card", 64, 524.3}, Class{"card-dense", 1024, 524.3}}) {
    Result<ChipSpec> chip = loadPreset(c.name);
    INFO(c.name);
    REQUIRE(chip);
    CHECK(chip->name == c.name);
    CHECK(!chip->summary.empty());
    CHECK(chip->weightBytes() / (1 << 20) == Approx(c.megabytes));
    CHECK(chip->peakTops() == Approx(c.tops).epsilon(0.03));
  }
  REQUIRE(loadPreset("pimcomp-144x64"));
  // 144 cores of 64 crossbars of 128 x 128 weights.
  CHECK(loadPreset("pimcomp-144x64")->macros() == 144 * 64);
  CHECK(loadPreset("pimcomp-144x64")->weightBytes() == 144.0 * 64 * 128 * 128);
  CHECK(presetNames().size() == 8);
}

TEST_CASE("the default chip is the card") {
  CHECK(printChip(ChipSpec()) == printChip([] {
          ChipSpec chip = *loadPreset("card");
          chip.summary.clear();
          return chip;
        }()));
}

TEST_CASE("what is printed is what is read") {
  for (const std::string &name : presetNames()) {
    Result<ChipSpec> chip = loadPreset(name);
    REQUIRE(chip);
    std::string text = printChip(*chip);
    Result<ChipSpec> again = parseChip(text, "again.json");
    INFO(name);
    REQUIRE(again);
    CHECK(printChip(*again) == text);
    for (const ChipKey &key : chipKeys())
      CHECK(key.get(*again) == key.get(*chip));
  }
}

TEST_CASE("sources follow their values") {
  Result<ChipSpec> chip = parseChip(
      R"({"name": "mine", "extends": "auto", "macro": {"rows": 4096,
          "row_read_ns": {"value": 5, "kind": "measured", "source": "lab \"7\""}}})",
      "my.json");
  REQUIRE(chip);
  std::string text = printChip(*chip);
  CHECK_THAT(
      text,
      Contains(
          R"("rows": {"value": 4096, "kind": "assumed", "source": "stated by chip 'mine'"})"));
  CHECK_THAT(
      text,
      Contains(
          R"("row_read_ns": {"value": 5, "kind": "measured", "source": "lab \"7\""})"));
  CHECK_THAT(
      text,
      Contains(
          R"("clock_mhz": {"value": 250, "kind": "assumed", "source": "margin for the temperature range"})"));
  CHECK(chip->name == "mine");
}

TEST_CASE("a wrong chip file is named with line, key and limits") {
  CHECK(errorOf("{\"macro\": {\n \"row\": 3}}") ==
        "my.json:2: unknown key \"row\" in group \"macro\"; did you mean "
        "\"rows\"?");
  CHECK_THAT(errorOf("{\n\"clock_mhz\": 3}"),
             Contains("my.json:2: unknown key \"clock_mhz\"; write it inside "
                      "group core and noc"));
  CHECK_THAT(errorOf("{\"marco\": {}}"), Contains("did you mean \"macro\"?"));
  CHECK_THAT(errorOf("{\"core\": {\"hop_ns\": 1}}"),
             Contains("it belongs to group nop"));
  CHECK(errorOf("{\"macro\": {\n\n \"rows\": 0}}") ==
        "my.json:3: macro.rows is 0, below its limit 1 (1 to 32768)");
  CHECK_THAT(errorOf("{\"core\": {\"clock_mhz\": 1e9}}"),
             Contains("above its limit 100000"));
  CHECK_THAT(errorOf("{\"macro\": {\"rows\": 1.5}}"),
             Contains("macro.rows must be a whole number, not 1.5"));
  CHECK_THAT(errorOf("{\"macro\": {\"rows\": \"1\"}}"),
             Contains("macro.rows must be a number, not a string"));
  CHECK_THAT(
      errorOf("{\"macro\": {\"rows\": {\"kind\": \"guess\"}}}"),
      Contains("must be one of measured, modelled, derived and assumed"));
  CHECK_THAT(errorOf("{\"macro\": {\"rows\": {\"kind\": \"assumed\"}}}"),
             Contains("the field \"value\" is missing"));
  CHECK_THAT(errorOf("{\"macro\": {\"rows\": {\"value\": 8, \"unit\": \"\"}}}"),
             Contains("unknown field \"unit\""));
  CHECK_THAT(errorOf("{\"macro\": 3}"), Contains("must be an object"));
  CHECK_THAT(errorOf("{\"name\": 3}"), Contains("must be a string"));
  CHECK(errorOf("{\"macro\": {\"rows\": 8,\n\"rows\": 16}}") ==
        "my.json:2: \"rows\" is given twice; the first is on line 1");
  CHECK_THAT(errorOf("[]"), Contains("a chip file is an object"));
  CHECK_THAT(errorOf("{\n\n\"macro\": }"),
             Contains("my.json:3: this is not JSON"));
  CHECK_THAT(errorOf(""), Contains("this is not JSON"));
  CHECK_THAT(errorOf("{\"a\": 1e999}"), Contains("my.json:1: "));
  CHECK_THAT(errorOf(std::string(100000, '[')), Contains("nested too deeply"));
  CHECK_THAT(errorOf("{\"name\": \"\xff\"}"), Contains("this is not JSON"));
  CHECK_THAT(errorOf("{\"extends\": \"crad\"}"),
             Contains("did you mean \"card\"?"));
}

TEST_CASE("keys must agree with each other") {
  CHECK_THAT(
      errorOf("{\"macro\": {\"active_rows\": 60}}"),
      Contains("macro.active_rows is 60 but must divide macro.rows, which "
               "is 1024"));
  CHECK_THAT(errorOf("{\"macro\": {\"columns\": 30}}"),
             Contains("multiple of 8"));
  CHECK_THAT(errorOf("{\"core\": {\"vector_int_lanes\": 8}}"),
             Contains("core.vector_fp_lanes is 16, more than"));
  CHECK_THAT(errorOf("{\"hierarchy\": {\"chiplet_rows\": 64, \"tile_rows\": 64,"
                     "\"tile_columns\": 64, \"cores_per_tile\": 64}}"),
             Contains("cores; at most 1048576 are supported"));
}

TEST_CASE("any cut of a chip file is an error or a chip, never a crash") {
  std::string text = printChip(ChipSpec());
  for (size_t cut = 0; cut + 2 < text.size(); cut += 7)
    CHECK(!parseChip(std::string_view(text).substr(0, cut), "cut.json"));
  for (size_t at = 0; at < text.size(); at += 3)
    for (char c : {'\0', '"', '}', '9', '\xff'}) {
      std::string other = text;
      other[at] = c;
      (void)parseChip(other, "flip.json");
    }
}

TEST_CASE("chip files extend files") {
  TemporaryFolder folder;
  const std::string &base = folder.path();
  auto write = [&](const char *name, const char *text) {
    std::ofstream(base + "/" + name) << text;
  };
  write("a.json", R"({"extends": "b.json", "core": {"clock_mhz": 400}})");
  write("b.json", R"({"extends": "camera", "macro": {"rows": 512}})");
  write("loop1.json", "{\n\"extends\": \"loop2.json\"}");
  write("loop2.json", R"({"extends": "loop1.json"})");
  Result<ChipSpec> chip = loadChip(base + "/a.json");
  REQUIRE(chip);
  CHECK(chip->name == "a");
  CHECK(chip->core.clock_mhz == 400);
  CHECK(chip->macro.rows == 512);
  CHECK(chip->macro.active_rows == 8);
  Result<ChipSpec> loop = loadChip(base + "/loop1.json");
  REQUIRE(!loop);
  CHECK_THAT(loop.error().message, Contains("extends itself"));
  CHECK(loop.error().code == ExitCode::InvalidInput);
  Result<ChipSpec> none = loadChip(base + "/none.json");
  REQUIRE(!none);
  CHECK_THAT(none.error().message, Contains("there is no chip or chip file"));
  CHECK(!loadChip(base));
}
