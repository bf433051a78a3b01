//===- Program.cpp - counts and text of programs --------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Program/Program.h"

#include <set>

using namespace cimc;

int64_t cimc::byteSize(const IOBinding &io) {
  auto bytes = static_cast<int64_t>(byteSize(io.type));
  for (int64_t size : io.shape)
    bytes *= size;
  return bytes;
}

int64_t Program::instructionCount() const {
  int64_t count = 0;
  for (const CoreProgram &core : cores)
    for (const Stream &stream : core.streams)
      count += static_cast<int64_t>(stream.instructions.size());
  return count;
}

int64_t Program::setupCount() const {
  int64_t count = 0;
  for (const CoreProgram &core : cores)
    count += static_cast<int64_t>(core.setup.size());
  return count;
}

int64_t Program::macrosUsed() const {
  int64_t count = 0;
  for (const CoreProgram &core : cores) {
    std::set<uint16_t> macros;
    eachProgrammed(
        core, [&](uint16_t macro, const CellBlock &) { macros.insert(macro); });
    count += static_cast<int64_t>(macros.size());
  }
  return count;
}

/// A string that any line of the text can hold.
