//===- TensorIOTest.cpp - tensor files -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/TensorIO.h"
#include "TemporaryFolder.h"
#include "cimc/Support/File.h"

#include <catch2/catch.hpp>

#include <cstring>
#include <zip.h>

using namespace cimc;
using Catch::Matchers::Contains;
using cimc::test::TemporaryFolder;

namespace {

std::string npy(const std::string &header, size_t bytes, char major = 1) {
  std::string text("\x93NUMPY", 6);
  text += major;
  text += '\0';
  text += static_cast<char>(header.size() & 0xff);
  text += static_cast<char>(header.size() >> 8);
  if (major > 1)
    text += std::string(2, '\0');
  text += header;
  return text + std::string(bytes, '\1');
}

std::string header(const std::string &descr, const std::string &shape,
                   const std::string &order = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + order +
         ", 'shape': " + shape + ", }\n";
}

std::string refused(const std::string &bytes) {
  Result<HostTensor> tensor = parseNpy(bytes, "x.npy");
  REQUIRE_FALSE(tensor);
  CHECK(tensor.error().code == ExitCode::InvalidInput);
  CHECK_THAT(tensor.error().message, Catch::StartsWith("x.npy: "));
  return tensor.error().message;
}

} // namespace

TEST_CASE("every element type survives a round trip") {
  for (DType type :
       {DType::I8, DType::U8, DType::I16, DType::U16, DType::I32, DType::F32,
        DType::I64, DType::Bool, DType::F64, DType::F16})
    for (const std::vector<int64_t> &shape :
         {std::vector<int64_t>{}, {1}, {3}, {2, 3, 5}, {0}, {4, 0, 2}}) {
      HostTensor tensor(type, shape);
      for (size_t i = 0; i < tensor.data.size(); ++i)
        tensor.data[i] = type == DType::Bool ? std::byte(i % 2) : std::byte(i);
      std::string bytes = formatNpy(tensor);
      CHECK((bytes.size() - tensor.data.size()) % 64 == 0);
      Result<HostTensor> back = parseNpy(bytes, "x.npy");
      REQUIRE(back);
      CHECK(back->type == type);
      CHECK(back->shape == shape);
      CHECK(back->data == tensor.data);
    }
}

TEST_CASE("headers of all versions and spellings are read") {
  for (char version : {1, 2, 3})
    CHECK(parseNpy(npy(header("<f4", "(2, 3)"), 24, version), "x"));
  CHECK(parseNpy(npy(header("<i1", "(3,)"), 3), "x"));
  CHECK(parseNpy(npy("{\"shape\": (2,), \"fortran_order\": False, "
                     "\"descr\": \"=i2\"}",
                     4),
                 "x"));
}

TEST_CASE("Fortran order becomes C order") {
  std::string bytes = npy(header("|u1", "(2, 3)", "True"), 0);
  for (char c = 0; c < 6; ++c)
    bytes += c;
  Result<HostTensor> tensor = parseNpy(bytes, "x");
  REQUIRE(tensor);
  const uint8_t expected[] = {0, 2, 4, 1, 3, 5};
  CHECK(std::memcmp(tensor->data.data(), expected, 6) == 0);
}

TEST_CASE("malformed .npy files are refused with what is wrong") {
  std::string good = npy(header("<f4", "(2, 3)"), 24);
  for (size_t cut = 0; cut < good.size(); ++cut)
    refused(good.substr(0, cut));
  CHECK_THAT(refused("PK\3\4 and more"), Contains("does not begin with"));
  CHECK_THAT(refused(good + "x"), Contains("needs 24 bytes, but 25"));
  CHECK_THAT(refused(npy(header(">f4", "(1,)"), 4)), Contains("'>f4'"));
  CHECK_THAT(refused(npy(header("<c8", "(1,)"), 8)), Contains("'<c8'"));
  CHECK_THAT(refused(npy(header("O", "(1,)"), 8)), Contains("'O'"));
  CHECK_THAT(refused(npy(header("<f4", "(2,)"), 8, 9)), Contains("version 9"));
  CHECK_THAT(refused(npy(header("<f4", "(4611686018427387904, 4)"), 8)),
             Contains("2^63"));
  CHECK_THAT(refused(npy(header("<f4", "(0, 9223372036854775807, 9)"), 0)),
             Contains("2^63"));
  CHECK_THAT(refused(npy(header("<f4", "(99999999999999999999,)"), 8)),
             Contains("shape"));
  CHECK_THAT(refused(npy(header("<f4", "(-1,)"), 8)), Contains("shape"));
  CHECK_THAT(refused(npy(header("<f4", "(2,)", "Maybe"), 8)),
             Contains("neither True nor False"));
  CHECK_THAT(refused(npy("{'descr': '<f4'}", 8)), Contains("lacks"));
  CHECK_THAT(refused(npy("{'descr': [('a', '<f4')]}", 8)),
             Contains("structured"));
  CHECK_THAT(refused(npy(header("<f4", "(2,)") + "more", 8)),
             Contains("after the header"));
  CHECK_THAT(refused(npy("{'descr': '<f4', 'descr': '<f4'}", 8)),
             Contains("repeated"));
}

TEST_CASE("files that cannot be read say why") {
  Result<HostTensor> missing = readNpy("/nonexistent/x.npy");
  REQUIRE_FALSE(missing);
  CHECK_THAT(missing.error().message, Contains("No such file"));
  Result<HostTensor> folder = readNpy("/");
  REQUIRE_FALSE(folder);
  CHECK_THAT(folder.error().message, Contains("directory"));
  CHECK_FALSE(readNpz("/nonexistent/x.npz"));
}

TEST_CASE("archives give their arrays by name, in order") {
  TemporaryFolder folder;
  std::string path = folder.file("x.npz");
  HostTensor small(DType::I8, {3}), large(DType::F32, {100, 70});
  large.as<float>()[6999] = 5.0f;
  std::string parts[] = {formatNpy(large), formatNpy(small), "not an array"};
  auto write = [&](int count) {
    zip_t *archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
    REQUIRE(archive);
    const char *names[] = {"z.npy", "a.npy", "b.npy"};
    for (int i = 0; i < count; ++i)
      REQUIRE(zip_file_add(archive, names[i],
                           zip_source_buffer(archive, parts[i].data(),
                                             parts[i].size(), 0),
                           0) >= 0);
    REQUIRE(zip_close(archive) == 0);
  };
  write(2);
  auto tensors = readNpz(path);
  REQUIRE(tensors);
  REQUIRE(tensors->size() == 2);
  CHECK((*tensors)[0].first == "z");
  CHECK((*tensors)[0].second.data == large.data);
  CHECK((*tensors)[1].first == "a");
  CHECK((*tensors)[1].second.shape == small.shape);

  // Damage in the packed bytes is found by the archive's checksum.
  Result<std::string> bytes = readFile(path);
  REQUIRE(bytes);
  (*bytes)[60] ^= 0x10;
  REQUIRE(writeFileAtomically(path, *bytes));
  CHECK_FALSE(readNpz(path));
  REQUIRE(writeFileAtomically(path, bytes->substr(0, bytes->size() / 2)));
  CHECK_FALSE(readNpz(path));
  write(3);
  auto mixed = readNpz(path);
  REQUIRE_FALSE(mixed);
  CHECK_THAT(mixed.error().message, Contains("[b.npy]"));
}

TEST_CASE("an archive that is none is refused") {
  TemporaryFolder folder;
  std::string path = folder.file("x");
  REQUIRE(writeFileAtomically(path, "this is not a zip file"));
  auto archive = readNpz(path);
  CHECK_FALSE(archive);
  CHECK(archive.error().code == ExitCode::InvalidInput);
}

TEST_CASE("conversions keep values or are refused") {
  HostTensor halves(DType::F16, {4});
  const uint16_t bits[] = {0x3c00, 0xc000, 0x0001, 0xfc00};
  std::memcpy(halves.data.data(), bits, sizeof bits);
  Result<HostTensor> floats = convertTo(halves, DType::F32);
  REQUIRE(floats);
  CHECK(floats->as<float>()[0] == 1.0f);
  CHECK(floats->as<float>()[1] == -2.0f);
  CHECK(floats->as<float>()[2] == 5.9604644775390625e-8f);
  CHECK(std::isinf(floats->as<float>()[3]));

  HostTensor integers(DType::I64, {2});
  integers.as<int64_t>()[1] = 200;
  CHECK(convertTo(integers, DType::U8));
  CHECK(convertTo(integers, DType::F32));
  Result<HostTensor> narrow = convertTo(integers, DType::I8);
  REQUIRE_FALSE(narrow);
  CHECK_THAT(narrow.error().message, Contains("element 1 is 200"));
  integers.as<int64_t>()[1] = (1 << 24) + 1;
  CHECK_FALSE(convertTo(integers, DType::F32));
  CHECK(convertTo(integers, DType::F64));
  CHECK_FALSE(convertTo(*floats, DType::I8));
  HostTensor wide(DType::F64, {1});
  wide.as<double>()[0] = 0.1;
  CHECK(convertTo(wide, DType::F32)->as<float>()[0] == 0.1f);
}
