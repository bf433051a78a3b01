//===- VerifyVectorTest.cpp - operands of general vector instructions -----===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Programs.h"

#include "cimc/Support/VectorOps.h"

#include <catch2/catch.hpp>

using namespace cimc;
using namespace cimc::test;
using Catch::Matchers::Contains;

namespace {

constexpr uint8_t U8 = 1, I32 = 4, F32 = 5;

/// The views of core 70 that the instructions below name.
enum : uint16_t { Reals = 10, Sums, Ids, Flags, Results, Others };

/// What the verifier says of one more instruction.
std::string with(const isa::Instruction &instruction) {
  Program program = smallProgram();
  CoreProgram &core = program.cores[1];
  uint32_t address = 4096;
  auto view = [&](uint16_t id, uint8_t type, uint32_t rows, uint32_t pixels,
                  uint32_t channels, uint32_t slots) {
    isa::View v;
    v.id = id;
    v.address = address;
    v.rows = rows;
    v.slots = slots;
    v.pixels = pixels;
    v.channels = channels;
    v.pixel_pitch = channels * (type == U8 ? 1 : 4);
    v.row_pitch = v.pixel_pitch * pixels;
    v.type = type;
    core.views.push_back(v);
    address += v.row_pitch * slots;
  };
  view(Reals, F32, 2, 3, 4, 2);
  view(Sums, F32, 2, 3, 1, 2);
  view(Ids, I32, 1, 1, 6, 1);
  view(Flags, U8, 2, 3, 4, 2);
  view(Results, F32, 2, 3, 4, 1);
  view(Others, F32, 2, 3, 4, 2);
  auto &code = core.streams[0].instructions;
  code.insert(code.begin(), instruction);
  Status status = verify(program);
  return status ? "accepted" : status.error().message;
}

template <typename Record> Record unary(uint16_t src, uint16_t dst) {
  Record r;
  r.src = src;
  r.dst = dst;
  return r;
}

} // namespace

TEST_CASE("maps") {
  isa::Map r;
  r.function = static_cast<uint8_t>(numerics::Function::Less);
  r.a = r.b = Reals;
  r.dst = Flags;
  CHECK(with(r) == "accepted");
  r.dst = Results;
  CHECK_THAT(with(r), Contains("dst: view 14 holds f32, but this instruction "
                               "takes u8"));
  r.function = static_cast<uint8_t>(numerics::Function::Exp);
  CHECK(with(r) == "accepted");
  r.a = r.b = Ids;
  CHECK_THAT(with(r), Contains("function 'exp' has no form on i32"));
  r.function = 255;
  CHECK_THAT(with(r), Contains("function 255 of "));
}

TEST_CASE("choices and conversions") {
  isa::Select r;
  r.c = Flags;
  r.a = r.b = Reals;
  r.dst = Results;
  CHECK(with(r) == "accepted");
  r.a = Ids;
  CHECK_THAT(with(r), Contains("a: view 12 holds i32"));
  r.a = Reals;
  r.c = Reals;
  CHECK_THAT(with(r), Contains("c: view 10 holds f32"));
  CHECK(with(unary<isa::Convert>(Reals, Flags)) == "accepted");
  CHECK_THAT(with(unary<isa::Convert>(Sums, Flags)),
             Contains("3 x 1 pixels and channels, but 3 x 4 are written"));
}

TEST_CASE("reductions and scans") {
  auto r = unary<isa::Reduce>(Reals, Sums);
  CHECK(with(r) == "accepted");
  r.function = 8;
  CHECK_THAT(with(r), Contains("function 8 is none of a reduction"));
  r.function = 4;
  CHECK_THAT(with(r), Contains("dst: view 11 holds f32"));
  CHECK_THAT(with(unary<isa::Reduce>(Reals, Results)),
             Contains("dst has more than one channel"));
  auto s = unary<isa::Scan>(Reals, Results);
  CHECK(with(s) == "accepted");
  s.function = 2;
  CHECK_THAT(with(s), Contains("function is neither 0 nor 1"));
  CHECK_THAT(with(unary<isa::Scan>(Reals, Flags)), Contains("types"));
  CHECK(with(unary<isa::Topk>(Reals, Sums)) == "accepted");
  CHECK_THAT(with(unary<isa::Topk>(Sums, Reals)), Contains("are written"));
}

TEST_CASE("blocks") {
  isa::Gather r;
  r.a = Reals;
  r.b = Ids;
  r.dst = Reals;
  r.block = 4;
  CHECK_THAT(with(r), Contains("overlaps its source, view 10"));
  r.dst = Others;
  CHECK(with(r) == "accepted");
  r.block = 3;
  CHECK_THAT(with(r),
             Contains("6 indices of blocks of 3 for the 24 elements of dst"));
  r.block = 4;
  r.dst = Results;
  CHECK_THAT(with(r), Contains("holds 1 of its 2 rows, but this instruction "
                               "needs all"));
  isa::Scatter s;
  s.a = Reals;
  s.b = Ids;
  s.dst = Sums;
  s.block = 4;
  CHECK(with(s) == "accepted");
  s.function = 4;
  CHECK_THAT(with(s), Contains("function is none of 0 to 3 and 8"));
}

TEST_CASE("products of activations") {
  isa::MatmulF32 r;
  r.a = r.b = Reals;
  r.transpose_b = 1;
  r.dst = Results;
  CHECK_THAT(with(r), Contains("a is 3 x 4, a matrix of b 4 x 3, dst 3 x 4"));
  r.b = Sums;
  r.transpose_b = 0;
  CHECK_THAT(with(r), Contains("a matrix of b 3 x 1"));
  r.a_row.add = 2;
  CHECK_THAT(with(r), Contains("a_row goes from 2 to 2"));
}
