//===- Programs.h - a small program to test with -------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_TEST_UNIT_PROGRAM_PROGRAMS_H
#define CIMC_TEST_UNIT_PROGRAM_PROGRAMS_H

#include "cimc/Program/Program.h"

namespace cimc::test {

/// A 3x3 convolution of a 4x4x2 map to 5 channels on core 0, its rows sent to
/// core 70 (on another chiplet), passed on there in place, and sent to the
/// host.
Program smallProgram();

/// The same with views of all element types, a window and a pattern on core 70,
/// so that any instruction finds operands.
Program richProgram();

/// The first instruction of type T in a stream.
template <typename T> T &first(Program &program, size_t core, size_t stream) {
  for (isa::Instruction &i : program.cores[core].streams[stream].instructions)
    if (auto *record = std::get_if<T>(&i))
      return *record;
  std::abort();
}

} // namespace cimc::test

#endif // CIMC_TEST_UNIT_PROGRAM_PROGRAMS_H
