//===- VerifierTest.cpp - what the verifier accepts and refuses ----------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Programs.h"

#include <catch2/catch.hpp>

#include <functional>

using namespace cimc;
using namespace cimc::test;
using Catch::Matchers::Contains;

/// The message after a change to the small program.
static std::string after(const std::function<void(Program &)> &change) {
  Program program = smallProgram();
  change(program);
  Status status = verify(program);
  return status ? "accepted" : status.error().message;
}

#define REFUSED(CHANGE, TEXT)                                                  \
  CHECK_THAT(after([](Program &p) { CHANGE; }), Contains(TEXT))

/// The first such instruction of core 0's setup.
template <typename Record> static Record &setup(Program &p) {
  for (isa::SetupInstruction &instruction : p.cores[0].setup)
    if (auto *record = std::get_if<Record>(&instruction))
      return *record;
  FAIL("no such instruction");
  std::abort();
}

TEST_CASE("the small program is right") {
  CHECK(after([](Program &) {}) == "accepted");
}

TEST_CASE("cores") {
  REFUSED(p.cores[1].id = 512; p.channels[1].core = 512;
          p.channels[2].core = 512, "core 512: chip 'card' has cores 0 to 511");
  REFUSED(p.cores[1].id = 0, "core 0 is there twice");
  REFUSED(p.chip.core.streams = 1, "core 70 has 2 streams, but a core of chip "
                                   "'card' runs 1 (core.streams)");
  REFUSED(p.chip.macro.rows = 1000, "must divide macro.rows");
}

TEST_CASE("channels") {
  REFUSED(p.channels[1].id = 10, "channel 10: there are two of this number");
  REFUSED(p.channels[1].core = 9,
          "its consumer, core 9, is not in the program");
  REFUSED(p.channels[0].slots = 0, "channel 10: slots must be at least 1");
  REFUSED(p.channels[0].slots = 0xffffffff,
          "channel 10: its ring of 4294967295 rows of 8 bytes at 0 ends at "
          "34359738360, beyond the 98304 bytes of core 0");
  REFUSED(p.channels[3].slots = 0xffffffff, "of the host's buffer");
  REFUSED(
      p.channels[2].address = 39,
      "core 70: the ring of channel 20 (bytes 0 to 39) overlaps the ring of "
      "channel 30 (from 39)");
  REFUSED(p.channels[0].producers = 2, "the host must be the only producer");
  REFUSED(p.channels[1].producers = 2,
          "channel 20: no stream is its producer 1 (of 2)");
  REFUSED(p.channels[1].consumers = 3,
          "channel 20: no stream is its consumer 1 (of 3)");
}

TEST_CASE("inputs and outputs") {
  REFUSED(p.ios[0].shape[0] = -1,
          "input 'x': shape -1x2x4x4 has an axis of -1");
  REFUSED(p.ios[0].shape[0] = 0, "input 'x': has no elements, but 1 channels");
  REFUSED(p.ios[0].shape[0] = INT64_MAX, "takes more than");
  REFUSED(p.ios[0].perm[0] = 3, "is not a permutation of its 4 axes");
  REFUSED(p.ios[0].perm.pop_back(), "is not a permutation of its 4 axes");
  REFUSED(p.ios[0].channels[0] = 99, "input 'x': channel 99 does not exist");
  REFUSED(p.ios[0].channels[0] = 40, "an input's by a core");
  REFUSED(p.ios[1].channels[0] = 10, "an output's by the host (-1)");
  REFUSED(p.ios[1].channels.clear(), "has 0 channels; an output has one");
  REFUSED(p.ios[0].shape[1] = 3,
          "its 48 bytes are not 4 rows of at most 8 bytes");
  REFUSED(p.ios[0].channels.push_back(10), "carries another one too");
  REFUSED(p.ios.pop_back(),
          "channel 40 goes to the host, but no output takes it");
  REFUSED(p.ios.erase(p.ios.begin()),
          "channel 10: no stream is its producer 0 (of 1)");
}

TEST_CASE("views, windows, data") {
  REFUSED(
      p.cores[0].views[0].address = 98281,
      "core 0, view 1: it ends at byte 98305, beyond the core's 98304 bytes");
  CHECK(after([](Program &p) { p.cores[0].views[0].address = 98280; }) ==
        "accepted");
  REFUSED(p.cores[0].views[0].slots = p.cores[0].views[0].row_pitch =
              0xffffffff,
          "view 1: it ends at byte");
  REFUSED(p.cores[0].views[0].type = 7, "element type 7 is unknown");
  REFUSED(p.cores[0].views[0].type = 16, "does not fit its field of 4 bits");
  REFUSED(p.cores[0].views[0].channels = 0, "none may be 0");
  REFUSED(p.cores[0].views[0].pixel_pitch = 1,
          "pixels of 2 bytes every 1 bytes overlap");
  REFUSED(p.cores[0].views[1].id = 1, "core 0: there are two views 1");
  REFUSED(p.cores[0].windows[0].stride_rows = 0, "must be at least 1");
  REFUSED(p.cores[0].windows[0].kernel_rows = 65535;
          p.cores[0].windows[0].kernel_pixels = 65535, "are more than 1048576");
  REFUSED(p.cores[0].data[0].address = 98300, "40 bytes of data at 98300 end");
  REFUSED(p.cores[0].data[0].address = 10, "overlaps data at 10");
}

TEST_CASE("cells") {
  REFUSED(p.cores[0].cells[0].bits = 9, "weights of 9 bits");
  REFUSED(p.cores[0].cells[0].bits = 4, "weight -128 does not fit 4 bits");
  REFUSED(p.cores[0].cells[0].row = 1007, "go beyond the 1024 x 512 cells");
  REFUSED(p.cores[0].cells[0].column = 60, "go beyond the 1024 x 512 cells");
  REFUSED(p.cores[0].cells[0].rows = 17, "90 weights for 17 x 5 cells");
  REFUSED(p.cores[0].cells.push_back(p.cores[0].cells[0]);
          p.cores[0].cells[1].row += 17;
          setup<isa::ProgramMacro>(p).blocks = 2,
          "core 0: weights for macro 1, row 81, column 3: they overlap those "
          "at row 64, column 3");
}

TEST_CASE("the setup") {
  using isa::LoadData;
  using isa::ProgramMacro;
  REFUSED(setup<ProgramMacro>(p).macro = 2,
          "core 0, setup, instruction 1 (program_macro): macro 2, but a core "
          "has 2 macros");
  REFUSED(setup<ProgramMacro>(p).macro = 0,
          "of the 18 x 5 weights of 8 bits at row 64, column 3 of macro 1, 90 "
          "are not programmed");
  REFUSED(setup<ProgramMacro>(p).blocks = 0,
          "it names 0 blocks of weights from block 0 on, but the core has 1 in "
          "all");
  REFUSED(setup<ProgramMacro>(p).block = 0xffffffff,
          "it names 1 blocks of weights from block 4294967295 on");
  REFUSED(setup<LoadData>(p).blocks = 2,
          "core 0, setup, instruction 0 (load_data): it names 2 blocks of data "
          "from block 0 on, but the core has 1 in all");
  REFUSED(p.cores[0].setup.push_back(p.cores[0].setup[0]),
          "core 0, setup, instruction 2 (load_data): block 0 of data is loaded "
          "twice");
  REFUSED(p.cores[0].setup.push_back(p.cores[0].setup[1]),
          "core 0, setup, instruction 2 (program_macro): macro 1 is programmed "
          "twice");
  REFUSED(p.cores[0].setup.push_back(p.cores[0].setup[1]);
          std::get<ProgramMacro>(p.cores[0].setup[2]).macro = 0,
          "core 0, setup, instruction 2 (program_macro): block 0 of weights is "
          "written twice");
  REFUSED(p.cores[0].setup.pop_back(),
          "core 0: block 0 of weights is never written (program_macro)");
  REFUSED(p.cores[0].setup.erase(p.cores[0].setup.begin()),
          "core 0: the data at 256 are never loaded (load_data)");
}

TEST_CASE("products") {
  using isa::Mvm;
  REFUSED(
      first<Mvm>(p, 0, 0).macros = 1,
      "core 0, stream 0 ('conv'), instruction 2 (mvm): of the 18 x 5 weights "
      "of 8 bits at row 64, column 3 of macro 0, 90 are not programmed");
  REFUSED(first<Mvm>(p, 0, 0).cell_row = 65, "5 are not programmed");
  REFUSED(first<Mvm>(p, 0, 0).column = 2, "18 are not programmed");
  REFUSED(first<Mvm>(p, 0, 0).weight_bits = 4, "90 are not programmed");
  REFUSED(first<Mvm>(p, 0, 0).weight_bits = 0, "weights have 1 to 8 bits");
  REFUSED(first<Mvm>(p, 0, 0).macros = 4, "macros=0x4, but a core has 2");
  REFUSED(first<Mvm>(p, 0, 0).cell_row = 1007, "rows 1007 to 1024 of a macro");
  REFUSED(first<Mvm>(p, 0, 0).k_begin = 1,
          "elements 1 to 18 of a window of 18");
  REFUSED(first<Mvm>(p, 0, 0).columns = 6, "6 columns, but dst has 5 channels");
  REFUSED(first<Mvm>(p, 0, 0).count = first<Mvm>(p, 0, 0).end = 5,
          "5 output pixels, but dst has 4");
  CHECK(after([](Program &p) { first<Mvm>(p, 0, 0).count = 5; }) == "accepted");
  REFUSED(first<Mvm>(p, 0, 0).pixel.mul0 = -1, "pixel can be negative");
  REFUSED(first<Mvm>(p, 0, 0).dst_row.add = 1,
          "dst_row goes from 1 to 4, but view 2 has rows 0 to 3");
  REFUSED(first<Mvm>(p, 0, 0).src = 9, "src: view 9 does not exist");
  REFUSED(first<Mvm>(p, 0, 0).dst = 7, "dst: view 7 holds u8, but this "
                                       "instruction takes i32");
  REFUSED(first<Mvm>(p, 0, 0).window = 9, "window 9 does not exist");
  REFUSED(first<Mvm>(p, 0, 0).reuse = 0, "reuse is at least 1");
  // Rows outside the map read as padding.
  CHECK(after([](Program &p) { first<Mvm>(p, 0, 0).row.add = -100; }) ==
        "accepted");
}

TEST_CASE("vector instructions") {
  REFUSED(first<isa::Requantize>(p, 0, 0).constants = 98265,
          "constants: 40 bytes at 98265 go beyond");
  REFUSED(first<isa::Requantize>(p, 0, 0).dst_pixel.add = -1,
          "can be negative");
  REFUSED(first<isa::Requantize>(p, 0, 0).low = 256, "low is above high");
  REFUSED(first<isa::Copy>(p, 1, 0).src_row.mul0 = -1,
          "src_row goes from -3 to 0, but view 0 has rows 0 to 3");
  REFUSED(p.cores[1].views[0].pixels = 3,
          "has 3 x 5 pixels and channels, but 4 "
          "x 5 are written");
  CHECK(after([](Program &p) { p.cores[1].views[0].pixels = 1; }) ==
        "accepted");
  REFUSED(p.cores[1].views[0].type = 0, "src and dst have different types");
}

TEST_CASE("moves and products of activations") {
  auto whole = [](Program &p) -> std::vector<isa::Instruction> & {
    for (uint16_t i = 0; i < 2; ++i) {
      isa::View v = p.cores[1].views[i];
      v.id = static_cast<uint16_t>(i + 2);
      v.address = 1000 + 100 * i;
      v.slots = 4;
      p.cores[1].views.push_back(v);
    }
    isa::Pattern pattern;
    pattern.element_bytes = 1;
    pattern.count0 = pattern.count1 = pattern.count2 = pattern.count3 = 1;
    pattern.count4 = 16;
    pattern.count5 = 5;
    pattern.src4 = 5;
    pattern.src5 = pattern.dst4 = 1;
    pattern.dst5 = 16;
    p.cores[1].patterns = {pattern};
    isa::Move move;
    move.src = 2;
    move.dst = 3;
    auto &code = p.cores[1].streams[0].instructions;
    code.insert(code.begin(), move);
    return code;
  };
  CHECK(after([&](Program &p) { whole(p); }) == "accepted");
  CHECK_THAT(after([&](Program &p) {
               whole(p);
               p.cores[1].patterns[0].dst_offset = 1;
             }),
             Contains("dst: elements 1 to 80 of view 3, which has 80"));
  CHECK_THAT(after([&](Program &p) {
               whole(p);
               p.cores[1].patterns[0].src5 = -1;
             }),
             Contains("src: elements -4 to 75"));
  CHECK_THAT(after([&](Program &p) {
               whole(p);
               p.cores[1].views[3].slots = 3;
             }),
             Contains("view 3 holds 3 of its 4 rows"));
  CHECK_THAT(after([&](Program &p) {
               whole(p);
               p.cores[1].patterns[0].element_bytes = 2;
             }),
             Contains("copies 2 bytes an element, but view 2 holds u8"));
  CHECK_THAT(after([&](Program &p) {
               whole(p);
               p.cores[1].patterns[0].count0 = 0xffffffff;
               p.cores[1].patterns[0].count1 = 0xffffffff;
             }),
             Contains("copy at most"));
  CHECK_THAT(after([&](Program &p) {
               isa::Matmul matmul;
               matmul.dst = 1;
               matmul.batch = matmul.m = matmul.k = matmul.n = 0xffffffff;
               whole(p)[0] = matmul;
             }),
             Contains("takes i32"));
}

TEST_CASE("control") {
  auto code = [](Program &p) -> std::vector<isa::Instruction> & {
    return p.cores[0].streams[0].instructions;
  };
  CHECK_THAT(after([&](Program &p) { code(p).erase(code(p).begin()); }),
             Contains("(next): there is no loop that it ends"));
  CHECK_THAT(after([&](Program &p) { code(p).erase(code(p).begin() + 6); }),
             Contains("(halt): it is inside a loop"));
  CHECK_THAT(after([&](Program &p) { code(p).push_back(isa::Next()); }),
             Contains("it follows 'halt'"));
  CHECK_THAT(after([&](Program &p) { code(p).resize(6); }),
             Contains("a loop is not ended"));
  CHECK_THAT(after([&](Program &p) {
               for (int i = 0; i < 3; ++i)
                 code(p).insert(code(p).begin(), code(p)[0]);
             }),
             Contains("nested more than two deep"));
  REFUSED(first<isa::Loop>(p, 0, 0).count = 0, "a loop runs at least once");
  REFUSED(first<isa::Loop>(p, 0, 0).count = 5, "goes from 0 to 4");
}

TEST_CASE("who may touch a channel") {
  REFUSED(first<isa::Wait>(p, 0, 0).channel = 20,
          "channel 20 is consumed by core 70, not by this one");
  REFUSED(first<isa::Wait>(p, 0, 0).channel = 99, "channel 99 does not exist");
  REFUSED(first<isa::Wait>(p, 0, 0).consumer = 1, "has consumers 0 to 0");
  REFUSED(first<isa::Send>(p, 0, 0).producer = 1, "has producers 0 to 0");
  REFUSED(first<isa::Acquire>(p, 1, 0).channel = 10,
          "channel 10 lies in core 0; rows in another core are sent");
  REFUSED(first<isa::Send>(p, 0, 0).offset = 1,
          "4 pixels of 5 bytes every 5 bytes from 1 end at 21, but rows of "
          "channel 20 have 20 bytes");
  REFUSED(first<isa::Send>(p, 0, 0).joined = 1,
          "it is joined, but the first send of its message does not send the "
          "same row with all of its pixels");
  REFUSED(first<isa::Send>(p, 0, 0).pitch = 0xffffffff, "end at 12884901890");
  REFUSED(first<isa::Send>(p, 0, 0).first = 100, "begins with row 100");
  REFUSED(first<isa::Send>(p, 0, 0).skipped = 1, "writes more than the");
  REFUSED(
      first<isa::Wait>(p, 1, 1).channel = 20,
      "core 70, stream 1 ('conv'), instruction 1: consumer 0 of channel 20 is "
      "core 70, stream 0 ('pass \"on\"') already");
}

TEST_CASE("rows are written and freed once") {
  REFUSED(p.channels[1].rows = 5,
          "producer 0 writes 4 rows to channel 20, which "
          "takes 5 a sample");
  REFUSED(p.channels[1].rows = 3, "producer 0 writes more than the 3 rows that "
                                  "channel 20 takes a sample");
  REFUSED(first<isa::Free>(p, 1, 0).rows.add = 0,
          "consumer 0 frees 3 rows of channel 20, which has 4 a sample");
  CHECK_THAT(after([](Program &p) {
               auto &code = p.cores[1].streams[0].instructions;
               code.erase(code.begin() + 2);
             }),
             Contains("posts a row of channel 30 without having acquired it"));
}

TEST_CASE("deadlocks are found and explained") {
  // A window of three rows does not fit a ring of two.
  REFUSED(
      p.channels[0].slots = p.cores[0].views[0].slots = 2,
      "the program deadlocks: core 0, stream 0 ('conv'), instruction 1, waits "
      "for 3 rows of channel 10 (2 arrived)");
  REFUSED(
      p.channels[0].slots = p.cores[0].views[0].slots = 2,
      "the host (feeding channel 10), instruction 0, waits for one of the 2 "
      "slots of channel 10 to write row 2");
  // Slots need not divide rows.
  CHECK(after([](Program &p) {
          p.channels[1].slots = 3;
          p.channels[2].address = 100;
          p.cores[1].views[1].address = 100;
        }) == "accepted");
  // Two streams of a core that wait for each other's first row.
  CHECK_THAT(after([](Program &p) {
               auto &code = p.cores[1].streams[0].instructions;
               code.insert(code.begin() + 1, first<isa::Wait>(p, 1, 1));
               p.channels[2].consumers = 2;
               first<isa::Wait>(p, 1, 0).consumer = 1;
               isa::Free free;
               free.channel = 30;
               free.consumer = 1;
               free.rows = {1, 1, 0};
               code.insert(code.end() - 1, free);
             }),
             Contains("deadlocks"));
}

TEST_CASE("a program that runs for hours is refused at once") {
  auto loops = [](Program &p, uint32_t outer, uint32_t inner, bool waits) {
    auto &code = p.cores[0].streams[0].instructions;
    isa::Loop loop;
    loop.count = inner;
    std::vector<isa::Instruction> added = {loop, isa::Next(), isa::Next()};
    if (waits)
      added.insert(added.begin() + 1, first<isa::Wait>(p, 0, 0));
    loop.count = outer;
    added.insert(added.begin(), loop);
    code.insert(code.begin(), added.begin(), added.end());
  };
  CHECK_THAT(after([&](Program &p) { loops(p, 100000, 100000, false); }),
             Contains("executes more than 4294967296 instructions a sample"));
  CHECK_THAT(after([&](Program &p) { loops(p, 30000, 30000, true); }),
             Contains("more than 268435456 times a sample"));
  // A loop that only computes costs the verifier nothing.
  CHECK(after([&](Program &p) { loops(p, 30000, 30000, false); }) ==
        "accepted");
}

TEST_CASE("streams of a core share nothing but channels") {
  // Core 0: input ring 0 to 23, sums from 64, result from 160, constants from
  // 256. Core 70: rings 0 to 39 and 64 to 83.
  REFUSED(p.cores[0].views[0].address = 4,
          "core 0, stream 0 ('conv'): view 1 (bytes 4 to 27) is read from the "
          "ring of channel 10 (bytes 0 to 23) and beyond it");
  REFUSED(p.cores[0].views[2].address = 4,
          "view 7 (bytes 4 to 23) is written over the ring of channel 10, "
          "whose producer it is not");
  auto overData = [](uint32_t address) {
    return after([&](Program &p) {
      p.cores[1].data = {{500, std::vector<uint8_t>(32)}};
      isa::LoadData load;
      load.blocks = 1;
      p.cores[1].setup = {load};
      p.cores[1].views.push_back(p.cores[1].views[1]);
      p.cores[1].views[2].id = 2;
      p.cores[1].views[2].address = address;
      isa::Fill fill;
      fill.dst = 2;
      auto &code = p.cores[1].streams[0].instructions;
      code.insert(code.begin(), fill);
    });
  };
  CHECK_THAT(overData(512),
             Contains("view 2 (bytes 512 to 531) is written over "
                      "the data at 500, which never changes"));
  CHECK_THAT(overData(490), Contains("is written over the data at 500 (bytes "
                                     "500 to 531) and beyond it"));
  CHECK(overData(532) == "accepted");
  REFUSED(p.cores[0].views[2].address = 64,
          "instruction 3 (requantize): its destination, view 7 (bytes 64 to "
          "83), overlaps its source, view 2 (bytes 64 to 143)");
  REFUSED(first<isa::Copy>(p, 1, 0).src = 1,
          "instruction 3 (copy): its destination, view 1 (bytes 64 to 83), "
          "overlaps its source, view 1");
  // The second stream reads the first one's ring and never waits for it.
  CHECK_THAT(after([](Program &p) {
               p.cores[1].views.push_back(p.cores[1].views[0]);
               p.cores[1].views[2].id = 2;
               first<isa::Send>(p, 1, 1).src = 2;
             }),
             Contains("core 70, stream 1 ('conv'): view 2 (bytes 0 to 39) is "
                      "read from the ring of channel 20, whose consumer it is "
                      "not"));
  // Both keep something at one place that is no ring.
  CHECK_THAT(after([](Program &p) {
               p.cores[1].views.push_back(p.cores[1].views[1]);
               p.cores[1].views[2].id = 2;
               p.cores[1].views[2].address = 500;
               isa::Fill fill;
               fill.dst = 2;
               for (Stream &stream : p.cores[1].streams)
                 stream.instructions.insert(stream.instructions.begin(), fill);
             }),
             Contains("core 70, stream 1 ('conv'): view 2 (bytes 500 to 519) "
                      "overlaps view 2 (bytes 500 to 519) of stream 0 ('pass "
                      "\"on\"'); streams share memory through channels only"));
}
