//===- AssemblyTest.cpp - programs as text, and back ----------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Programs.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>
#include <random>

using namespace cimc;
using namespace cimc::test;
using Catch::Matchers::Contains;

static std::string errorOf(const std::string &text) {
  Result<Program> program = assemble(text, "p.asm");
  return program ? "accepted" : program.error().message;
}

/// The text with one piece replaced.
static std::string changed(std::string text, const std::string &from,
                           const std::string &to) {
  size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST_CASE("text of a program gives the same bytes back") {
  Program program = smallProgram();
  program.model = "a \"name\"\nwith \\ and \x01";
  program.cores[0].streams[0].layer = "";
  program.chip.macro.read_fj_per_bit = 0.1;
  MacroRepair repair;
  repair.macro = 1;
  repair.moves = {{9, 0}, {11, 3}};
  repair.complemented = {24};
  program.repairs = {repair};
  std::string text = disassemble(program, true);
  Result<Program> again = assemble(text, "p.asm");
  REQUIRE(again);
  CHECK(serialize(*again) == serialize(program));
  CHECK(disassemble(*again, true) == text);
}

TEST_CASE("every record of the instruction set is read as it is written") {
  std::mt19937_64 random(5);
  for (const isa::RecordInfo *info : isa::allRecords())
    for (int round = 0; round < 200; ++round) {
      // Any bits are some record.
      std::vector<uint8_t> bytes(info->bytes);
      for (uint8_t &b : bytes)
        b = static_cast<uint8_t>(random());
      bytes[0] = info->opcode;
      size_t used = 8;
      for (const isa::FieldInfo &field : *info)
        used += field.width;
      for (size_t bit = used; bit < bytes.size() * 8; ++bit)
        bytes[bit / 8] &= static_cast<uint8_t>(~(1u << bit % 8));
      auto check = [&](void *record, void *copy) {
        REQUIRE(isa::decodeRecord(*info, bytes.data(), bytes.size(), record));
        std::string line = isa::formatRecord(*info, record);
        std::vector<std::string_view> fields;
        for (size_t at = line.find(' '); at != std::string::npos;) {
          size_t next = line.find(' ', at + 1);
          fields.push_back(
              std::string_view(line).substr(at + 1, next - at - 1));
          at = next;
        }
        INFO(line);
        REQUIRE(isa::parseRecord(*info, fields, copy));
        std::vector<uint8_t> out;
        isa::encodeRecord(*info, copy, out);
        REQUIRE(out == bytes);
      };
      if (info->use == isa::RecordUse::Setup) {
        isa::SetupInstruction record, copy;
        isa::makeInstruction(*info, record);
        isa::makeInstruction(*info, copy);
        check(isa::addressOf(record), isa::addressOf(copy));
      } else if (info->use == isa::RecordUse::Stream) {
        isa::Instruction record, copy;
        isa::makeInstruction(*info, record);
        isa::makeInstruction(*info, copy);
        check(isa::addressOf(record), isa::addressOf(copy));
      } else if (info == &isa::infoOf<isa::Channel>()) {
        isa::Channel record, copy;
        check(&record, &copy);
      } else if (info == &isa::infoOf<isa::View>()) {
        isa::View record, copy;
        check(&record, &copy);
      } else if (info == &isa::infoOf<isa::Window>()) {
        isa::Window record, copy;
        check(&record, &copy);
      } else {
        REQUIRE(info == &isa::infoOf<isa::Pattern>());
        isa::Pattern record, copy;
        check(&record, &copy);
      }
    }
}

TEST_CASE("text by hand may name a preset and leave lines empty") {
  std::string text = disassemble(smallProgram(), true);
  size_t begin = text.find("chip\n{"), end = text.find("end\n");
  text.erase(begin, end + 4 - begin);
  text = changed(text, "core 0\n", "# a comment\n\n  core 0\r\n");
  text = changed(text, "loop count=4", "\tloop   count=4");
  Result<Program> program = assemble(text, "p.asm");
  REQUIRE(program);
  CHECK(disassemble(*program) == disassemble(smallProgram()));
}

TEST_CASE("wrong text is named by line") {
  std::string text = disassemble(smallProgram(), true);
  auto with = [&](const std::string &from, const std::string &to) {
    return errorOf(changed(text, from, to));
  };
  CHECK_THAT(errorOf(""), Contains("p.asm:0: the first line must be 'program"));
  CHECK_THAT(errorOf("program \"a\" chip=\"nochip\"\n"), Contains("nochip"));
  CHECK_THAT(errorOf("program a chip=\"card\"\n"),
             Contains("p.asm:1: 'a' is not a name in quotes"));
  CHECK_THAT(with("loop count=4", "loop cont=4"),
             Contains("'loop': 'cont=4' is not one of its fields"));
  CHECK_THAT(with("loop count=4", "loop"),
             Contains("'loop': 'count' is missing"));
  CHECK_THAT(with("loop count=4", "loop count=4 count=4"),
             Contains("'count' is given twice"));
  CHECK_THAT(with("loop count=4", "loop count=x"),
             Contains("'count=x' is not a value"));
  CHECK_THAT(with("loop count=4", "loop count=-1"),
             Contains("'count=-1' does not fit its field"));
  CHECK_THAT(with("rows=2+1*i0", "rows=2+1*i2"), Contains("is not a value"));
  CHECK_THAT(with("loop count=4", "jump count=4"),
             Contains("'jump' begins nothing that is known here"));
  CHECK_THAT(with("  stream 1", "  stream 2"),
             Contains("stream 2 where stream 1 must be"));
  CHECK_THAT(with("  loop count=4", "  program_macro macro=1 block=0 blocks=1"),
             Contains("'program_macro' belongs to the setup of a core, before "
                      "its streams"));
  CHECK_THAT(with("program_macro macro=1", "program_macro macro=256"),
             Contains("'macro=256' does not fit its field"));
  CHECK_THAT(with("type=uint8", "type=uint9"),
             Contains("'uint9' is not an element type"));
  CHECK_THAT(with("perm=[0", "perm=[0.5"), Contains("'0.5' is not a whole"));
  CHECK_THAT(with("shape=[1, 2, 4, 4]", "shape=1"), Contains("is not a list"));
  CHECK_THAT(with("channels=[10]", "channels=[10] x"), Contains("too much"));
  CHECK_THAT(with("perm=", "prem="), Contains("'perm=...' must follow"));
  CHECK_THAT(with("bytes=40\n", "bytes=4000000000\n"),
             Contains("4000000000 bytes must follow"));
  CHECK_THAT(with("bytes=40\n", "bytes=80\n"), Contains("of 80 bytes"));
  CHECK_THAT(with("bytes=40\n", "bytes=20\n"), Contains("digits where 20"));
  CHECK_THAT(with("bytes=40\n    ", "bytes=40\n    zz"),
             Contains("'zz' is not a byte"));
  CHECK_THAT(with("end\n", "\n"), Contains("has no 'end'"));
  CHECK_THAT(with("\"rows\": {\"value\": 1024", "\"rows\": {\"value\": 0"),
             Contains("in the chip from line 3 on: chip:"));
  // What is well written but wrong is for the verifier.
  CHECK_THAT(with("loop count=4", "loop count=5"), Contains("p.asm: core 0"));
  CHECK_THAT(errorOf(disassemble(smallProgram())),
             Contains("'cimc disasm --complete' writes them"));
}
