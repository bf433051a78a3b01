//===- ContainerTest.cpp - .cimx files, whole and damaged ----------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Program/Container.h"
#include "../Support/TemporaryFolder.h"
#include "Programs.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

using namespace cimc;
using namespace cimc::test;
using Catch::Matchers::Contains;

static std::string errorOf(const std::vector<uint8_t> &bytes) {
  Result<Program> program = deserialize(bytes.data(), bytes.size(), "foo.cimx");
  return program ? "" : program.error().message;
}

static void put32(std::vector<uint8_t> &bytes, size_t at, uint32_t value) {
  for (int i = 0; i < 4; ++i)
    bytes[at + i] = static_cast<uint8_t>(value >> (8 * i));
}

/// Makes all checksums right again, for damage that they do not find.
static void reseal(std::vector<uint8_t> &bytes) {
  auto get32 = [&](size_t at) {
    return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 |
           static_cast<size_t>(bytes[at + 3]) << 24;
  };
  for (size_t entry = 16; entry < 16 + 8 * 32; entry += 32) {
    size_t offset = get32(entry + 8), size = get32(entry + 16);
    if (offset <= bytes.size() && size <= bytes.size() - offset)
      put32(bytes, entry + 24, checksum(bytes.data() + offset, size));
  }
  put32(bytes, 12,
        checksum(bytes.data() + 16, 8 * 32, checksum(bytes.data(), 12)));
}

TEST_CASE("a program is the same after saving and loading") {
  Program program = smallProgram();
  // One bit, and odd numbers of bits, columns and rows.
  CellBlock cells;
  cells.rows = 3;
  cells.columns = 13;
  for (uint8_t bits : {1, 2, 3, 7}) {
    cells.bits = bits;
    cells.row = static_cast<uint16_t>(100 * bits);
    cells.weights.clear();
    for (int i = 0; i < 39; ++i)
      cells.weights.push_back(
          static_cast<int8_t>(i % (1 << bits) - (1 << (bits - 1))));
    program.cores[1].cells.push_back(cells);
  }
  isa::ProgramMacro write;
  write.blocks = 4;
  program.cores[1].setup = {write};
  std::vector<uint8_t> bytes = serialize(program);
  CHECK(bytes == serialize(program));
  Result<Program> again = deserialize(bytes.data(), bytes.size(), "foo.cimx");
  REQUIRE(again);
  CHECK(serialize(*again) == bytes);
  CHECK(again->model == "small");
  REQUIRE(again->cores.size() == 2);
  CHECK(again->cores[0].cells[0].weights == program.cores[0].cells[0].weights);
  for (size_t i = 0; i < 4; ++i)
    CHECK(again->cores[1].cells[i].weights ==
          program.cores[1].cells[i].weights);
  CHECK(again->cores[0].data[0].bytes == program.cores[0].data[0].bytes);
  CHECK(again->cores[1].streams[0].layer == "pass \"on\"");
  CHECK(again->ios[1].shape == program.ios[1].shape);
  CHECK(again->instructionCount() == 9 + 7 + 5);
  CHECK(again->macrosUsed() == 2);
  CHECK(disassemble(*again) == disassemble(program));
}

TEST_CASE("files") {
  TemporaryFolder folder;
  std::string path = folder.file("p.cimx");
  REQUIRE(save(smallProgram(), path));
  Result<Program> program = load(path);
  REQUIRE(program);
  CHECK(serialize(*program) == serialize(smallProgram()));
  Program wrong = smallProgram();
  wrong.channels[0].slots = wrong.cores[0].views[0].slots = 1;
  REQUIRE(save(wrong, path));
  program = load(path);
  REQUIRE(!program);
  CHECK_THAT(program.error().message,
             Contains("p.cimx: the program deadlocks"));
  CHECK(!load(folder.path()));
  CHECK(!load(path + ".none"));
  CHECK(!save(wrong, folder.file("none/p.cimx")));
}

TEST_CASE("damage is named") {
  std::vector<uint8_t> good = serialize(smallProgram()), bytes = good;
  Result<std::vector<SectionInfo>> table =
      readSectionTable(good.data(), good.size(), "");
  REQUIRE(table);
  bytes[(*table)[3].offset + 20] ^= 4;
  CHECK_THAT(
      errorOf(bytes),
      Contains("foo.cimx: section CELLS: checksum mismatch (expected 0x") &&
          Contains("; the file is damaged, compile again"));
  bytes = good;
  bytes[4] = 9;
  CHECK_THAT(errorOf(bytes), Contains("format version 9, but this cimc reads "
                                      "version 5"));
  bytes = good;
  bytes[0] = 'P';
  CHECK(errorOf(bytes) == "foo.cimx: this is not a compiled program (.cimx)");
  CHECK(errorOf({}) == "foo.cimx: this is not a compiled program (.cimx)");
  bytes = good;
  bytes.push_back(0);
  CHECK_THAT(errorOf(bytes), Contains("1 bytes follow the last section"));
  bytes = good;
  bytes.pop_back();
  CHECK_THAT(errorOf(bytes), Contains("section DEBUG") && Contains("cut off"));
  bytes = good;
  bytes[20] ^= 1;
  CHECK_THAT(errorOf(bytes), Contains("header: checksum mismatch"));
}

TEST_CASE("every cut is an error") {
  std::vector<uint8_t> good = serialize(smallProgram());
  for (size_t size = 0; size < good.size(); size += size < 300 ? 1 : 97)
    CHECK(!deserialize(good.data(), size, "cut"));
  // Also of each section, with checksums that are right.
  Result<std::vector<SectionInfo>> table =
      readSectionTable(good.data(), good.size(), "");
  REQUIRE(table);
  for (size_t s = 0; s < table->size(); ++s)
    for (size_t size = 0; size < (*table)[s].size;
         size += 1 + (*table)[s].size / 97) {
      std::vector<uint8_t> bytes = good;
      size_t gone = (*table)[s].size - size;
      auto begin = bytes.begin() + static_cast<long>((*table)[s].offset + size);
      bytes.erase(begin, begin + static_cast<long>(gone));
      put32(bytes, 16 + 32 * s + 16, static_cast<uint32_t>(size));
      for (size_t i = s + 1; i < table->size(); ++i)
        put32(bytes, 16 + 32 * i + 8,
              static_cast<uint32_t>((*table)[i].offset - gone));
      put32(bytes, 12,
            checksum(bytes.data() + 16, 8 * 32, checksum(bytes.data(), 12)));
      reseal(bytes);
      INFO("section " << (*table)[s].name << " cut to " << size);
      CHECK(!deserialize(bytes.data(), bytes.size(), "cut"));
    }
}

TEST_CASE("what programs arrays runs once") {
  // The records of core 0's setup: load_data, program_macro, block and number
  // of blocks in each; the stream of core 0 ends in next, free, halt.
  std::vector<uint8_t> good = serialize(smallProgram());
  std::vector<SectionInfo> table =
      *readSectionTable(good.data(), good.size(), "");
  auto patched = [&](const std::vector<uint8_t> &from, size_t at,
                     uint8_t opcode) {
    std::vector<uint8_t> bytes = good;
    auto begin = bytes.begin() + static_cast<long>(table[2].offset);
    auto end = begin + static_cast<long>(table[2].size);
    auto found = std::search(begin, end, from.begin(), from.end());
    REQUIRE(found != end);
    found[static_cast<long>(at)] = opcode;
    reseal(bytes);
    return errorOf(bytes);
  };
  std::vector<uint8_t> setup = {2, 0, 0, 0, 19, 0, 0, 0, 8, 0, 0, 0, 0, 1};
  CHECK_THAT(patched(setup, 8, 0x12),
             Contains("section CORES: core 0, setup, instruction 0: halt "
                      "belongs to a stream"));
  CHECK_THAT(patched(setup, 8, 0x0f),
             Contains("core 0, setup, instruction 0: 0x0f is not the opcode of "
                      "an instruction"));
  std::vector<uint8_t> stream;
  Program small = smallProgram();
  for (const isa::Instruction &i : small.cores[0].streams[0].instructions)
    isa::encodeRecord(isa::infoOf(i), isa::addressOf(i), stream);
  CHECK_THAT(patched(stream, stream.size() - 1, 0x09),
             Contains("core 0, stream 0, instruction 8: program_macro belongs "
                      "to a setup, which runs once; a stream runs for every "
                      "sample"));
}

TEST_CASE("every flipped bit is an error, or with right checksums no crash") {
  std::vector<uint8_t> good = serialize(smallProgram());
  std::mt19937 random(11);
  for (int i = 0; i < 2000; ++i) {
    std::vector<uint8_t> bytes = good;
    bytes[random() % bytes.size()] ^= static_cast<uint8_t>(1u << random() % 8);
    REQUIRE(!deserialize(bytes.data(), bytes.size(), "flip"));
  }
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    std::vector<uint8_t> bytes = good;
    for (int n = 1 + static_cast<int>(random() % 3); n > 0; --n) {
      size_t at = 272 + random() % (bytes.size() - 272);
      if (random() % 2)
        bytes[at] ^= static_cast<uint8_t>(1u << random() % 8);
      else
        bytes[at] = static_cast<uint8_t>(random());
    }
    reseal(bytes);
    Result<Program> program = deserialize(bytes.data(), bytes.size(), "flip");
    if (program)
      ++accepted;
  }
  // Some damage only changes values.
  CHECK(accepted > 0);
  CHECK(accepted < 20000);
}

TEST_CASE("checksums are those of IEEE 802.3") {
  const char *text = "123456789";
  auto *bytes = reinterpret_cast<const uint8_t *>(text);
  CHECK(checksum(bytes, 9) == 0xcbf43926);
  for (size_t cut = 0; cut <= 9; ++cut)
    CHECK(checksum(bytes + cut, 9 - cut, checksum(bytes, cut)) == 0xcbf43926);
}

TEST_CASE("text of a program") {
  std::string text = disassemble(smallProgram());
  CHECK_THAT(text,
             Contains("program \"small\" chip=\"card\"\n"
                      "input \"x\" type=uint8 shape=[1, 2, 4, 4] perm=[0, "
                      "2, 3, 1] channels=[10]\n"));
  CHECK_THAT(text, Contains("\ncore 70\n"));
  CHECK_THAT(text, Contains("  stream 0 \"pass \\\"on\\\"\"\n    loop count=4\n"
                            "      wait channel=20 consumer=0 rows=1+1*i0\n"
                            "      acquire channel=30 producer=0\n"));
}
