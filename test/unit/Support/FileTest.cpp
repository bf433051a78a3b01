//===- FileTest.cpp - whole files -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/File.h"
#include "TemporaryFolder.h"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace cimc;
using cimc::test::TemporaryFolder;

TEST_CASE("files are replaced in one step") {
  TemporaryFolder temporary;
  const std::string &folder = temporary.path();
  std::string path = temporary.file("x");
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
}

TEST_CASE("large files are read whole") {
  TemporaryFolder folder;
  std::string path = folder.file("x"), text(3000001, 'a');
  REQUIRE(writeFileAtomically(path, text));
  Result<std::string> bytes = readFile(path);
  REQUIRE(bytes);
  CHECK(*bytes == text);
}
