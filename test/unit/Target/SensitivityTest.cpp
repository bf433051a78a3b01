//===- SensitivityTest.cpp - how a chip depends on its numbers ------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Target/Sensitivity.h"

#include "cimc/Target/CostModel.h"

#include <catch2/catch.hpp>

using namespace cimc;
using Catch::Matchers::Contains;

static double figure(const std::vector<ChipFigure> &figures,
                     const std::string &name) {
  for (const ChipFigure &f : figures)
    if (f.name == name)
      return f.value;
  FAIL("no figure " << name);
  return 0;
}

TEST_CASE("figures of the card are those of its reference") {
  std::vector<ChipFigure> own = chipFigures(*loadPreset("card"));
  CHECK(figure(own, "weights_mb") == 64);
  CHECK(figure(own, "peak_tops") == Approx(524.288));
  CHECK(figure(own, "product_ns") == 264);
  CHECK(figure(own, "rewrite_s") == Approx(0.20).epsilon(0.02));
  CHECK(figure(own, "rewrite_j") == Approx(0.32).epsilon(0.02));
  CHECK(figure(own, "fast_rewrite_s") == Approx(23.6e-3).epsilon(0.01));
  CHECK(figure(own, "fast_rewrite_j") == Approx(34e-3).epsilon(0.02));
  // (262.1 T * (92.7 + 240) fJ + 7.8 W) * 1.08, and with R = 8.
  CHECK(figure(own, "r1_power_w") ==
        Approx((262.144 * 0.3327 + 7.8) * 1.08).epsilon(1e-6));
  CHECK(
      figure(own, "deep_power_w") ==
      Approx((262.144 * (0.0927 + 0.03 + 0.0013) + 7.8) * 1.08).epsilon(1e-6));
  // What the power limit leaves of the peak at R = 1.
  CHECK(figure(own, "r1_tops_in_tdp") ==
        Approx(524.288 * (75 / 1.08 - 7.8) / (262.144 * 0.3327)).epsilon(1e-6));
  CHECK(figure(own, "deep_tops_in_tdp") == Approx(524.288));
  CHECK(figure(own, "arrays_mm2") == Approx(1024 * 0.32));
}

TEST_CASE("a sweep changes one key") {
  ChipSpec card = *loadPreset("card");
  auto rows = sweep(card, "read_energy", {5, 10, 30, 100});
  REQUIRE(rows);
  REQUIRE(rows->size() == 4);
  double before = 0;
  for (const SweepRow &row : *rows) {
    CHECK(row.key == "macro.read_fj_per_bit");
    CHECK(row.isOwn == (row.value == 30));
    CHECK(figure(row.figures, "r1_power_w") > before);
    before = figure(row.figures, "r1_power_w");
    CHECK(figure(row.figures, "peak_tops") == Approx(524.288));
  }
  CHECK(sweep(card, "macro.read_fj_per_bit", {30})->size() == 1);
  CHECK(sweep(card, "read_fj_per_bit", {30})->size() == 1);
  auto errorOf = [&](const std::string &key, double value) {
    auto r = sweep(card, key, {value});
    return r ? "accepted" : r.error().message;
  };
  CHECK_THAT(errorOf("reed", 1), Contains("there is no key 'reed'"));
  CHECK_THAT(errorOf("clock_mhz", 1),
             Contains("'clock_mhz' is core.clock_mhz and noc.clock_mhz"));
  CHECK_THAT(errorOf("macro.rows", 0.5), Contains("whole number, not 0.5"));
  CHECK_THAT(errorOf("macro.rows", 0), Contains("outside its limits 1"));
  CHECK_THAT(errorOf("macro.rows", 100), Contains("must divide macro.rows"));
}

TEST_CASE("every value that is assumed or derived is swept") {
  ChipSpec card = *loadPreset("card");
  std::vector<SweepRow> rows = sweepAll(card);
  size_t keys = 0;
  for (const ChipKey &key : chipKeys()) {
    std::string id = std::string(key.group) + "." + key.name, kind = key.kind;
    auto own = card.sources.find(id);
    if (own != card.sources.end())
      kind = own->second.kind;
    bool open = kind == "assumed" || kind == "derived";
    int found = 0;
    for (const SweepRow &row : rows)
      found += row.key == id;
    INFO(id);
    CHECK((found > 0) == open);
    keys += open;
  }
  CHECK(keys > 30);
}
