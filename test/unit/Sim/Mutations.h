//===- Mutations.h - programs and files, changed a little -----------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_TEST_UNIT_SIM_MUTATIONS_H
#define CIMC_TEST_UNIT_SIM_MUTATIONS_H

#include "cimc/Program/Program.h"

#include <cstdint>
#include <random>
#include <vector>

namespace cimc::test {

/// Changes programs field by field and files byte by byte.
class Mutator {
public:
  explicit Mutator(uint64_t seed) : random(seed) {}

  /// `corpus` lends its streams.
  void mutate(Program &program, const std::vector<Program> &corpus);
  /// Mostly with checksums that are right.
  void mutate(std::vector<uint8_t> &bytes);

  uint64_t number() { return random(); }
  uint64_t below(uint64_t n) { return n ? random() % n : 0; }
  bool oneIn(uint64_t n) { return below(n) == 0; }
  /// Null where there is none.
  template <typename T> T *any(std::vector<T> &list) {
    return list.empty() ? nullptr : &list[below(list.size())];
  }

private:
  int64_t interesting(int64_t old);
  void mutateField(const isa::RecordInfo &info, void *record);
  void randomize(const isa::RecordInfo &info, void *record);
  void insertInstruction(Program &program, Stream &stream);
  void mutateStream(Program &program, Stream &stream);
  void mutateSetup(CoreProgram &core);
  void mutateIO(IOBinding &io);
  void mutateCells(CellBlock &block);
  void mutateChip(ChipSpec &chip);
  void mutateRepair(Program &program);
  void damage(std::vector<uint8_t> &bytes, size_t begin, size_t end);

  std::mt19937_64 random;
};

/// The same program for a chip that states nothing of its own: most of a small
/// file is the chip, whose reader has tests of its own.
std::vector<uint8_t> shortened(std::vector<uint8_t> bytes);

} // namespace cimc::test

#endif // CIMC_TEST_UNIT_SIM_MUTATIONS_H
