//===- Banks.cpp - accesses and the banks they meet in ----------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Timing.h"

#include <algorithm>

namespace cimc::sim {

BankLoad::BankLoad(const ChipSpec &chip, int64_t core)
    : chip(chip), tileOffset(core % chip.hierarchy.cores_per_tile *
                             (chip.memoryBytes() - chip.coreBytes())),
      words(chip.core.sram_banks + chip.tile.sram_banks) {}

void BankLoad::piece(int64_t address, int64_t bytes, double times,
                     std::array<int64_t, 2> &next) {
  // Words of one memory, spread over its banks: as many for each, and one more
  // for those where the rest lies. Every row of banks is shifted by one, so
  // that pixels a power of two apart do not all lie in the same banks.
  auto spread = [&](int64_t first, int64_t banks, int64_t begin, int64_t end,
                    int64_t wordBytes, int64_t &nextWord) {
    if (begin >= end)
      return;
    // The word that the piece before ended in is there still.
    int64_t word = std::max(begin / wordBytes, nextWord);
    nextWord = (end - 1) / wordBytes + 1;
    int64_t count = std::max<int64_t>(nextWord - word, 0);
    if (int64_t each = count / banks)
      for (int64_t b = 0; b < banks; ++b)
        words[first + b] += times * static_cast<double>(each);
    for (int64_t i = 0; i < count % banks; ++i)
      words[first + (word + i + (word + i) / banks) % banks] += times;
  };
  int64_t own = chip.coreBytes(), end = address + bytes;
  spread(0, chip.core.sram_banks, address, std::min(end, own),
         chip.core.sram_bank_bytes, next[0]);
  spread(chip.core.sram_banks, chip.tile.sram_banks,
         std::max(address, own) - own + tileOffset, end - own + tileOffset,
         chip.tile.sram_bank_bytes, next[1]);
}

void BankLoad::add(int64_t address, int64_t pitch, int64_t bytes, int64_t count,
                   double times) {
  std::array<int64_t, 2> next{}; // words, of the core's memory and the tile's
  if (pitch == bytes)
    return piece(address, bytes * count, times, next);
  for (; count > 0; --count, address += pitch)
    piece(address, bytes, times, next);
}

std::vector<double> BankLoad::ns() const {
  std::vector<double> result = words;
  while (!result.empty() && result.back() == 0)
    result.pop_back();
  for (double &ns : result)
    ns *= 1e3 / chip.core.clock_mhz;
  return result;
}

} // namespace cimc::sim
