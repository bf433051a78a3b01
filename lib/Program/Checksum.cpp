//===- Checksum.cpp - CRC-32 ----------------------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Program/Container.h"

#include <array>

using namespace cimc;

uint32_t cimc::checksum(const uint8_t *data, size_t size, uint32_t seed) {
  // Slices of 8 bytes: a file of a gigabyte is checked in about a second.
  static const auto tables = [] {
    std::array<std::array<uint32_t, 256>, 8> t{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit)
        c = (c >> 1) ^ (c & 1 ? 0xedb88320u : 0);
      t[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; ++i)
      for (size_t k = 1; k < 8; ++k)
        t[k][i] = (t[k - 1][i] >> 8) ^ t[0][t[k - 1][i] & 255];
    return t;
  }();
  uint32_t c = ~seed;
  for (; size >= 8; data += 8, size -= 8) {
    uint32_t low = c ^ (data[0] | data[1] << 8 | data[2] << 16 |
                        static_cast<uint32_t>(data[3]) << 24);
    c = tables[7][low & 255] ^ tables[6][(low >> 8) & 255] ^
        tables[5][(low >> 16) & 255] ^ tables[4][low >> 24] ^
        tables[3][data[4]] ^ tables[2][data[5]] ^ tables[1][data[6]] ^
        tables[0][data[7]];
  }
  for (; size > 0; ++data, --size)
    c = (c >> 8) ^ tables[0][(c ^ *data) & 255];
  return ~c;
}
