//===- TemporaryFolder.h - a folder that goes with its test -----*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_TEST_UNIT_SUPPORT_TEMPORARYFOLDER_H
#define CIMC_TEST_UNIT_SUPPORT_TEMPORARYFOLDER_H

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace cimc::test {

/// An empty folder where the system wants temporary files; removed with all
/// that is in it.
class TemporaryFolder {
public:
  TemporaryFolder()
      : folder((std::filesystem::temp_directory_path() / "cimc-test-XXXXXX")
                   .string()) {
    if (!mkdtemp(folder.data()))
      throw std::runtime_error("cannot make " + folder);
  }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(folder); }

  const std::string &path() const { return folder; }
  std::string file(const std::string &name) const {
    return folder + "/" + name;
  }

private:
  std::string folder;
};

} // namespace cimc::test

#endif // CIMC_TEST_UNIT_SUPPORT_TEMPORARYFOLDER_H
