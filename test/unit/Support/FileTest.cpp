//===- FileTest.cpp - whole files -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/File.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>

using namespace cimc;

TEST_CASE("files are replaced in one step") {
  char name[] = "/tmp/cimc-file-XXXXXX";
  REQUIRE(mkdtemp(name));
  std::string folder = name, path = folder + "/x";
  REQUIRE(writeFileAtomically(path, "one"));
  REQUIRE(writeFileAtomically(path, std::string("two\0three", 9)));
  Result<std::string> bytes = readFile(path);
  REQUIRE(bytes);
  CHECK(*bytes == std::string("two\0three", 9));
  // No temporary files stay behind, also after a failure.
  CHECK_FALSE(writeFileAtomically(folder + "/missing/x", "one"));
  CHECK_FALSE(writeFileAtomically(folder, "one"));
  int count = 0;
  for (auto &entry : std::filesystem::directory_iterator(folder)) {
    (void)entry;
    ++count;
  }
  CHECK(count == 1);
  std::filesystem::remove_all(folder);
}

TEST_CASE("large files are read whole") {
  char name[] = "/tmp/cimc-file-XXXXXX";
  REQUIRE(mkdtemp(name));
  std::string path = std::string(name) + "/x", text(3000001, 'a');
  REQUIRE(writeFileAtomically(path, text));
  Result<std::string> bytes = readFile(path);
  REQUIRE(bytes);
  CHECK(*bytes == text);
  std::filesystem::remove_all(name);
}
