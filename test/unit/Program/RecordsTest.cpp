//===- RecordsTest.cpp - encoding of machine records ---------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Program/Records.h"

#include <catch2/catch.hpp>

#include <cstring>
#include <limits>
#include <random>

using namespace cimc;
using namespace cimc::isa;
using Catch::Matchers::Contains;

static std::mt19937_64 random64(7);

/// A value of the field: its limits often, anything else otherwise.
static FieldValue randomValue(const FieldInfo &field) {
  FieldValue value;
  uint64_t bits = random64();
  auto number = [&](unsigned width, bool isSigned) {
    int64_t low = isSigned ? -(INT64_C(1) << (width - 1)) : 0;
    int64_t high = low + ((INT64_C(1) << width) - 1);
    switch (random64() % 4) {
    case 0:
      return low;
    case 1:
      return high;
    }
    auto span = static_cast<uint64_t>(high - low) + 1;
    return low + static_cast<int64_t>(random64() % span);
  };
  switch (field.kind) {
  case FieldKind::Unsigned:
    value.integer = number(field.width, false);
    break;
  case FieldKind::Signed:
    value.integer = number(field.width, true);
    break;
  case FieldKind::Float: {
    auto raw = static_cast<uint32_t>(bits);
    std::memcpy(&value.real, &raw, 4);
    if (value.real != value.real)
      value.real = -std::numeric_limits<float>::infinity();
    break;
  }
  case FieldKind::Affine:
    value.affine.add = static_cast<int32_t>(number(32, true));
    value.affine.mul0 = static_cast<int32_t>(number(24, true));
    value.affine.mul1 = static_cast<int32_t>(number(24, true));
    break;
  }
  return value;
}

static bool equal(const FieldInfo &field, const void *a, const void *b) {
  FieldValue x = field.get(a), y = field.get(b);
  return x.integer == y.integer && x.affine == y.affine &&
         std::memcmp(&x.real, &y.real, 4) == 0;
}

template <typename Record> static void roundTrip(const RecordInfo &info) {
  for (int i = 0; i < 200; ++i) {
    Record record, other;
    for (const FieldInfo &field : info) {
      FieldValue value = randomValue(field);
      REQUIRE(field.fits(value));
      field.set(&record, value);
    }
    REQUIRE(checkFields(info, &record));
    std::vector<uint8_t> bytes(3, 0xaa);
    encodeRecord(info, &record, bytes);
    REQUIRE(bytes.size() == 3 + info.bytes);
    REQUIRE(decodeRecord(info, bytes.data() + 3, info.bytes, &other));
    for (const FieldInfo &field : info) {
      INFO(info.mnemonic << "." << field.name);
      REQUIRE(equal(field, &record, &other));
    }
    // Every shorter piece is an error.
    for (size_t size = 0; size < info.bytes; ++size)
      REQUIRE(!decodeRecord(info, bytes.data() + 3, size, &other));
    if (i == 0)
      CHECK_THAT(formatRecord(info, &record), Contains(info.mnemonic));
  }
}

template <size_t... I> static void allInstructions(std::index_sequence<I...>) {
  (roundTrip<std::variant_alternative_t<I, Instruction>>(
       infoOf<std::variant_alternative_t<I, Instruction>>()),
   ...);
}

TEST_CASE("every record is the same after encoding and decoding") {
  roundTrip<Channel>(infoOf<Channel>());
  roundTrip<View>(infoOf<View>());
  roundTrip<Window>(infoOf<Window>());
  roundTrip<Pattern>(infoOf<Pattern>());
  allInstructions(std::make_index_sequence<std::variant_size_v<Instruction>>());
}

TEST_CASE("tables name every record once") {
  size_t instructions = 0, setups = 0;
  for (const RecordInfo *info : allRecords()) {
    CHECK(findRecord(info->opcode) == info);
    CHECK(findRecord(std::string_view(info->mnemonic)) == info);
    CHECK(info->use == (info->opcode < 0x08   ? RecordUse::Descriptor
                        : info->opcode < 0x10 ? RecordUse::Setup
                                              : RecordUse::Stream));
    Instruction instruction;
    SetupInstruction setup;
    CHECK(makeInstruction(*info, instruction) ==
          (info->use == RecordUse::Stream));
    CHECK(makeInstruction(*info, setup) == (info->use == RecordUse::Setup));
    if (info->use == RecordUse::Stream) {
      ++instructions;
      CHECK(&infoOf(instruction) == info);
    } else if (info->use == RecordUse::Setup) {
      ++setups;
      CHECK(&infoOf(setup) == info);
    }
  }
  CHECK(setups == std::variant_size_v<SetupInstruction>);
  CHECK(instructions == std::variant_size_v<Instruction>);
  CHECK(findRecord(uint8_t(0)) == nullptr);
  CHECK(findRecord("nothing") == nullptr);
  CHECK(infoOf<Mvm>().find("k_size")->width == 16);
  CHECK(infoOf<Mvm>().find("nothing") == nullptr);
}

TEST_CASE("the bits are where the manual says") {
  Wait wait;
  wait.channel = 0x01020304;
  wait.consumer = 0x0506;
  wait.rows = {-2, 3, -1};
  std::vector<uint8_t> bytes;
  encode(wait, bytes);
  CHECK(bytes == std::vector<uint8_t>{0x13, 4, 3, 2, 1, 6, 5, 0xfe, 0xff, 0xff,
                                      0xff, 3, 0, 0, 0xff, 0xff, 0xff});
  size_t at = 0;
  Wait other;
  REQUIRE(decode(bytes.data(), bytes.size(), at, other));
  CHECK(at == bytes.size());
  CHECK(other.rows == wait.rows);
}

TEST_CASE("what does not fit, or is not 0 where it must be, is an error") {
  Mvm mvm;
  mvm.weight_bits = 32;
  Status status = checkFields(infoOf<Mvm>(), &mvm);
  REQUIRE(!status);
  CHECK(status.error().message ==
        "'mvm': weight_bits = 32 does not fit its field of 5 bits");
  Wait wait;
  wait.rows.mul0 = 1 << 23;
  CHECK(!checkFields(infoOf<Wait>(), &wait));
  wait.rows.mul0 = -(1 << 23);
  CHECK(checkFields(infoOf<Wait>(), &wait));

  std::vector<uint8_t> bytes;
  encode(View(), bytes);
  View view;
  REQUIRE(decodeRecord(infoOf<View>(), bytes.data(), bytes.size(), &view));
  bytes.back() |= 0x80;
  status = decodeRecord(infoOf<View>(), bytes.data(), bytes.size(), &view);
  REQUIRE(!status);
  CHECK_THAT(status.error().message, Contains("padding bits that are not 0"));
  bytes[0] = 0x10;
  CHECK(!decodeRecord(infoOf<View>(), bytes.data(), bytes.size(), &view));
}

TEST_CASE("text of a record") {
  Wait wait;
  wait.channel = 9;
  wait.rows = {3, 1, -2};
  CHECK(formatRecord(infoOf<Wait>(), &wait) ==
        "wait channel=9 consumer=0 rows=3+1*i0-2*i1");
  wait.rows = {0, -1, 0};
  CHECK(formatRecord(infoOf<Wait>(), &wait) ==
        "wait channel=9 consumer=0 rows=-1*i0");
  wait.rows = {};
  CHECK(formatRecord(infoOf<Wait>(), &wait) ==
        "wait channel=9 consumer=0 rows=0");
  CHECK(formatRecord(infoOf<Next>(), nullptr) == "next");
}
