//===- Container.h - the layout of .cimx files ------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Little-endian throughout:
//
//   "CIMX", u32 version, u32 number of sections, u32 checksum of the 12 bytes
//   before and of the table
//   table: for each section char name[8], u64 offset, u64 size, u32 checksum,
//   u32 0
//   the sections, without gaps, in this order:
//
//   META      JSON: "model", "chip" (a chip file); of several networks also
//             "networks", a list of {"name", "cores" (their numbers)}
//   CHANNELS  u32 count, channel records
//   CORES     u32 count; for each u32 id, u32 views, u32 windows, u32 patterns,
//             those records, then the setup: u32 instructions, u32 bytes,
//             records; then u32 streams, for each the same as of the setup
//   CELLS     for each core u32 blocks; for each block u16 row, column, rows,
//             columns, u8 bits, u8 0, then `bits` planes from the lowest:
//             rows x columns bits, each row padded to bytes, low bit first
//   DATA      for each core u32 blocks; for each u32 address, u32 size, bytes
//   IO        u32 count; for each string name, u8 output, u8 element type,
//             u32 rank, i64 shape[rank], u32 rank, i64 perm[rank], u32
//             channels, u32 channel[]
//   REPAIR    u32 count; for each u32 core, u16 macro, u16 0, u32 moves, moves
//             of u16 bit column, u16 spare, u32 columns, u16 complemented
//             column[], u32 row groups, u16 rotation[]
//   DEBUG     u32 names, strings; u32 name for each stream of each core
//
// A network in parts (Program/Split.h) has these sections instead:
//
//   SPLIT     JSON: "model", "goal" ("reprogram" or "cards"), "batch", "inputs"
//             and "outputs" (names)
//   PART      for each part: a container, of a program
//
// A string is u32 size and bytes. Checksums are CRC-32 (IEEE 802.3).
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_PROGRAM_CONTAINER_H
#define CIMC_PROGRAM_CONTAINER_H

#include "cimc/Support/Status.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace cimc {

constexpr uint32_t containerVersion = 5;

/// One section of a container.
struct SectionInfo {
  std::string name;
  size_t offset = 0, size = 0;
  uint32_t checksum = 0;
};

/// The section table, with checksums and all else but what sections hold
/// checked; there is one at least. `origin` names the bytes in messages.
Result<std::vector<SectionInfo>>
readSectionTable(const uint8_t *data, size_t size, const std::string &origin);

/// What is written into one section.
struct SectionContent {
  std::string name; ///< at most 8 characters
  std::vector<uint8_t> bytes;
};

/// A container of these sections.
std::vector<uint8_t> writeSections(const std::vector<SectionContent> &sections);

/// Whether a container's sections are those of a network in parts.
inline bool isSplit(const std::vector<SectionInfo> &table) {
  return table.front().name == "SPLIT";
}

/// CRC-32, continued from `seed`.
uint32_t checksum(const uint8_t *data, size_t size, uint32_t seed = 0);

} // namespace cimc

#endif // CIMC_PROGRAM_CONTAINER_H
