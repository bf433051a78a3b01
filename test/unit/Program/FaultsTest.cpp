//===- FaultsTest.cpp - defects, repair, correction -----------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Program/Faults.h"
#include "../Support/TemporaryFolder.h"
#include "Programs.h"
#include "cimc/Program/FaultRandom.h"
#include "cimc/Target/CostModel.h"

#include <catch2/catch.hpp>

#include <fstream>
#include <random>

using namespace cimc;
using namespace cimc::test;
using Catch::Matchers::Contains;

/// A program of one core whose macro 0 is full of random 8-bit weights.
static Program fullMacro(unsigned seed) {
  Program program;
  CoreProgram core;
  core.id = seed;
  CellBlock block;
  block.rows = static_cast<uint16_t>(program.chip.macro.rows);
  block.columns = static_cast<uint16_t>(program.chip.macro.columns / 8);
  std::mt19937 random(seed);
  for (int i = 0; i < block.rows * block.columns; ++i)
    block.weights.push_back(static_cast<int8_t>(random()));
  core.cells = {block};
  isa::ProgramMacro write;
  write.blocks = 1;
  core.setup = {write};
  program.cores = {core};
  return program;
}

static ReadErrors read(const Program &program, const FaultModel &faults) {
  const CoreProgram &core = program.cores[0];
  return readErrors(program, faults, core.id, 0,
                    macroBits(core, program.chip).at(0));
}

static FaultModel withDefects(std::vector<Defect> defects) {
  FaultModel faults;
  faults.defects = std::move(defects);
  return faults;
}

TEST_CASE("events fall as often as their rate says, the same ones every time") {
  FaultRandom random{1, 2}, again{1, 2}, other{2, 1};
  std::vector<int64_t> hits, same, others;
  random.hits(1000000, 1e-3, [&](int64_t i) { hits.push_back(i); });
  again.hits(1000000, 1e-3, [&](int64_t i) { same.push_back(i); });
  other.hits(1000000, 1e-3, [&](int64_t i) { others.push_back(i); });
  CHECK(hits == same);
  CHECK(hits != others);
  // Five standard deviations.
  CHECK(std::abs(static_cast<double>(hits.size()) - 1000) < 160);
  CHECK(std::is_sorted(hits.begin(), hits.end()));
  CHECK(hits.back() < 1000000);
  int all = 0;
  random.hits(7, 1, [&](int64_t) { ++all; });
  random.hits(7, 0, [&](int64_t) { ++all; });
  CHECK(all == 7);
}

TEST_CASE("a stuck cell is a wrong bit where the weight wants the other") {
  Program program = fullMacro(0);
  const MacroBits bits = macroBits(program.cores[0], program.chip).at(0);
  for (bool value : {false, true}) {
    ReadErrors errors = read(program, withDefects({{0, 0, 17, 100, value},
                                                   {0, 1, 18, 100, value},
                                                   {1, 0, 18, 100, value}}));
    CHECK(errors.defects == 1);
    CHECK(errors.wrong.size() == (bits.at(17, 100) != value));
  }
  // A dead row: all ones of the row are missing.
  int64_t ones = 0;
  for (int64_t c = 0; c < 512; ++c)
    ones += bits.at(40, c);
  ReadErrors row = read(program, withDefects({{0, 0, 40, -1, false}}));
  CHECK(static_cast<int64_t>(row.wrong.size()) == ones);
  CHECK(row.defects == 512 + 32);
  ReadErrors column = read(program, withDefects({{0, 0, -1, 3, true}}));
  int64_t zeros = 0;
  for (int64_t r = 0; r < 1024; ++r)
    zeros += !bits.at(r, 3);
  CHECK(static_cast<int64_t>(column.wrong.size()) == zeros);
}

TEST_CASE("complement, spare columns and rotation mend what they can") {
  Program program = fullMacro(0);
  const MacroBits bits = macroBits(program.cores[0], program.chip).at(0);
  auto stuck = [&](int64_t row, int64_t column, bool matches) {
    return Defect{0, 0, row, column, bool(bits.at(row, column)) == matches};
  };
  // Cells that read right anyway need nothing.
  FaultModel harmless = withDefects({stuck(5, 9, true), stuck(6, 9, true)});
  RepairReport report = repair(program, harmless);
  CHECK(report.macros == 1);
  CHECK(report.macrosDefective == 0);
  CHECK(program.repairs.empty());
  // All wrong: the complement is right.
  FaultModel wrong = withDefects({stuck(5, 9, false), stuck(6, 9, false)});
  CHECK(read(program, wrong).wrong.size() == 2);
  report = repair(program, wrong);
  CHECK(report.macrosDefective == 1);
  CHECK(report.macrosRepaired == 1);
  CHECK(report.columnsComplemented == 1);
  CHECK(report.columnsMoved == 0);
  CHECK(read(program, wrong).wrong.empty());
  // One right, one wrong: neither polarity; a spare that has no defect there.
  FaultModel mixed = withDefects({stuck(5, 9, true), stuck(6, 9, false)});
  mixed.defects.push_back({0, 0, -1, 512, false});
  report = repair(program, mixed);
  CHECK(report.columnsMoved == 1);
  REQUIRE(program.repairs.size() == 1);
  CHECK(program.repairs[0].moves[0].column == 9);
  CHECK(program.repairs[0].moves[0].spare == 1);
  CHECK(read(program, mixed).wrong.empty());
  // Without spares: the rows of the group are rotated until both fit.
  program.chip.macro.spare_columns = 0;
  mixed.defects.pop_back();
  report = repair(program, mixed);
  CHECK(report.groupsRotated == 1);
  CHECK(report.macrosRepaired == 1);
  CHECK(read(program, mixed).wrong.empty());
  // A column that is all ones cannot be helped.
  FaultModel dead = withDefects({{0, 0, -1, 9, true}});
  report = repair(program, dead);
  CHECK(report.macrosRepaired == 0);
  CHECK(report.yield() == 0);
  CHECK(report.cellsWrong > 0);
  CHECK(report.cellsWrong ==
        static_cast<int64_t>(read(program, dead).wrong.size()));
  // A dead row is one defect in every column: complements mend it.
  FaultModel row = withDefects({{0, 0, 40, -1, false}});
  CHECK(repair(program, row).macrosRepaired == 1);
  CHECK(read(program, row).wrong.empty());
}

TEST_CASE("at 1e-4 stuck cells and 6.3 % spares, 99.9 % of macros are right") {
  FaultModel faults;
  faults.stuck0 = faults.stuck1 = 0.5e-4;
  faults.seed = 3;
  int64_t defective = 0, repaired = 0;
  for (unsigned core = 0; core < 128; ++core) {
    Program program = fullMacro(core);
    RepairReport report = repair(program, faults);
    CHECK(report.cellsWrong ==
          static_cast<int64_t>(read(program, faults).wrong.size()));
    defective += report.macrosDefective;
    repaired += report.macrosRepaired;
  }
  CHECK(defective == 128);
  CHECK(repaired == defective);
}

TEST_CASE("a word with one error is corrected, with two it is not") {
  Program program = fullMacro(0);
  program.chip.macro.secded_word_bits = 64;
  CHECK(secdedCheckBits(64) == 8);
  CHECK(secdedCheckBits(8) == 5);
  CHECK(physicalColumns(program.chip) == 512 + 32 + 8 * 8);
  const MacroBits bits = macroBits(program.cores[0], program.chip).at(0);
  auto wrong = [&](std::vector<std::pair<int64_t, int64_t>> cells) {
    FaultModel faults;
    for (auto [row, column] : cells)
      faults.defects.push_back({0, 0, row, column, !bits.at(row, column)});
    return read(program, faults);
  };
  ReadErrors one = wrong({{7, 100}});
  CHECK(one.wrong.empty());
  CHECK(one.corrected == 1);
  CHECK(one.weakWords.count({7, 1}) == 1);
  // Other words and other rows do not matter.
  CHECK(wrong({{7, 100}, {7, 200}, {8, 100}}).wrong.empty());
  ReadErrors two = wrong({{7, 100}, {7, 101}});
  CHECK(two.wrong.size() == 2);
  CHECK(two.corrected == 0);
  // Three look like one: a real decoder does harm.
  ReadErrors three = wrong({{7, 100}, {7, 101}, {7, 105}});
  CHECK(three.wrong.size() >= 2);
  // Read energy and writing pay for check bits, time does not.
  ChipSpec sound;
  CostModel plain(sound), coded(program.chip);
  CHECK(coded.storedBits() == Approx(1.125));
  CHECK(coded.program(51200).nj == Approx(plain.program(51200).nj * 1.125));
  CHECK(coded.mvm(1, 1024, 64, 1, 8, 8, 1).nj ==
        Approx(1024 * 64 * (92.7 + 240 * 1.125) * 1e-6));
  CHECK(coded.mvm(1, 1024, 64, 1, 8, 8, 1).ns ==
        plain.mvm(1, 1024, 64, 1, 8, 8, 1).ns);
}

TEST_CASE("repairs are stored and verified") {
  Program program = smallProgram();
  MacroRepair repair;
  repair.core = 0;
  repair.macro = 1;
  repair.moves = {{3, 0}, {200, 31}};
  repair.complemented = {24, 25};
  repair.rotations.assign(16, 5);
  program.repairs = {repair};
  std::vector<uint8_t> bytes = serialize(program);
  Result<Program> again = deserialize(bytes.data(), bytes.size(), "r");
  REQUIRE(again);
  CHECK(serialize(*again) == bytes);
  auto errorOf = [&](auto change) {
    Program wrong = program;
    change(wrong.repairs[0]);
    Status status = verify(wrong);
    return status ? "accepted" : status.error().message;
  };
  CHECK_THAT(errorOf([](MacroRepair &r) { r.macro = 0; }),
             Contains("core 0, repair of macro 0: the program has no weights"));
  CHECK_THAT(
      errorOf([](MacroRepair &r) { r.moves[0].spare = 32; }),
      Contains("column 3 is moved to spare 32, but there are 512 columns "
               "and 32 spares"));
  CHECK_THAT(errorOf([](MacroRepair &r) { r.moves[0].spare = 31; }),
             Contains("is moved twice"));
  CHECK_THAT(errorOf([](MacroRepair &r) { r.complemented[0] = 25; }),
             Contains("complemented, or is twice"));
  CHECK_THAT(errorOf([](MacroRepair &r) { r.rotations.pop_back(); }),
             Contains("15 rotations for 16 row groups"));
  CHECK_THAT(errorOf([](MacroRepair &r) { r.rotations[3] = 64; }),
             Contains("rotated by 64 in groups of 64"));
  program.repairs.push_back(repair);
  CHECK_THAT(verify(program).error().message, Contains("there twice"));
}

TEST_CASE("rates and maps are read") {
  ChipSpec chip;
  Result<FaultModel> rates =
      readFaults("stuck=1e-4,row=1e-6,transient=1e-9,chip,seed=7", chip);
  REQUIRE(rates);
  CHECK(rates->stuck0 == 0.5e-4);
  CHECK(rates->stuck1 == 0.5e-4);
  CHECK(rates->row == 1e-6);
  CHECK(rates->transient == 1e-9);
  CHECK(rates->raw == 1e-6);
  CHECK(rates->seed == 7);
  auto errorOf = [&](const std::string &text) {
    Result<FaultModel> r = readFaults(text, chip);
    return r ? "accepted" : r.error().message;
  };
  CHECK_THAT(errorOf("stuk=1"),
             Contains("there is no 'stuk'; known are stuck"));
  CHECK_THAT(errorOf("stuck=2"), Contains("a rate is from 0 to 1"));
  CHECK_THAT(errorOf("stuck=x"), Contains("'x' of 'stuck=x' is not a number"));
  CHECK_THAT(errorOf("nothing"),
             Contains("neither NAME=RATE nor a .json file"));
  CHECK_THAT(errorOf("seed=1.5"), Contains("must be a whole number"));
  CHECK_THAT(errorOf("stuck0=0.6,stuck1=0.6"), Contains("more than 1"));

  TemporaryFolder folder;
  std::string path = folder.file("map.json");
  auto file = [&](const std::string &text) {
    std::ofstream(path) << text;
    return errorOf(path);
  };
  CHECK(file(R"({"raw": 1e-5, "seed": 2, "defects": [
    {"core": 511, "macro": 1, "row": 1023, "column": 543, "stuck": 1},
    {"core": 0, "macro": 0, "row": 4, "stuck": 0}]})") == "accepted");
  Result<FaultModel> map = readFaults(path, chip);
  REQUIRE(map->defects.size() == 2);
  CHECK(map->defects[0].column == 543);
  CHECK(map->defects[1].column == -1);
  CHECK_THAT(file("[1]"), Contains("a fault map is a JSON object"));
  CHECK_THAT(file(R"({"stuck": "a"})"), Contains("'stuck' is not a number"));
  CHECK_THAT(file(R"({"defects": 1})"), Contains("'defects' is not a list"));
  CHECK_THAT(
      file(R"({"defects": [{"core": 0, "macro": 2, "row": 1, "stuck": 0}]})"),
      Contains("defect 0 has macro = 2; on chip 'card' it is from 0 to 1"));
  CHECK_THAT(file(R"({"defects": [{"core": 0, "macro": 1, "stuck": 0}]})"),
             Contains("defect 0 has neither 'row' nor 'column'"));
  CHECK_THAT(file(R"({"defects": [{"core": 0, "row": 1, "stuck": 0}]})"),
             Contains("defect 0 has no 'macro'"));
  CHECK_THAT(file(R"({"defects": [{"cor": 0}]})"),
             Contains("unknown key 'cor'"));
  CHECK_THAT(file(R"({"defects": [4]})"), Contains("is not an object"));
  CHECK_THAT(errorOf(path), Contains("map.json"));
}
