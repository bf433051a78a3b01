//===- Sections.cpp - the section table of .cimx files ----------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ByteStream.h"
#include "cimc/Program/Container.h"

#include <fmt/format.h>

#include <cstring>

using namespace cimc;

static constexpr size_t headerBytes = 16, entryBytes = 32, nameBytes = 8;

Result<std::vector<SectionInfo>>
cimc::readSectionTable(const uint8_t *data, size_t size,
                       const std::string &origin) {
  auto fail = [&](const std::string &what) {
    return Error{ExitCode::InvalidInput, fmt::format("{}: {}", origin, what)};
  };
  if (size < 4 || std::memcmp(data, "CIMX", 4) != 0)
    return fail("this is not a compiled program (.cimx)");
  ByteReader in(data + 4, size - 4);
  auto version = in.get<uint32_t>(), count = in.get<uint32_t>(),
       expected = in.get<uint32_t>();
  if (in.failed)
    return fail("the file is cut off in its header; compile again");
  if (version != containerVersion)
    return fail(
        fmt::format("the file has format version {}, but this cimc reads "
                    "version {}; compile again, or use the cimc that "
                    "wrote it",
                    version, containerVersion));
  if (count == 0 || in.left() / entryBytes < count)
    return fail(fmt::format("the header is damaged ({} sections in {} bytes); "
                            "compile again",
                            count, size));
  uint32_t found = checksum(data + headerBytes, count * entryBytes,
                            checksum(data, headerBytes - 4));
  if (found != expected)
    return fail(
        fmt::format("header: checksum mismatch (expected {:#010x}, found "
                    "{:#010x}); the file is damaged, compile again",
                    expected, found));
  std::vector<SectionInfo> table(count);
  size_t next = headerBytes + count * entryBytes;
  for (size_t i = 0; i < count; ++i) {
    SectionInfo &section = table[i];
    const char *name = reinterpret_cast<const char *>(in.take(nameBytes));
    section.name.assign(name, strnlen(name, nameBytes));
    auto offset = in.get<uint64_t>(), bytes = in.get<uint64_t>();
    section.checksum = in.get<uint32_t>();
    if (in.get<uint32_t>() != 0 || offset != next)
      return fail(
          fmt::format("the header is damaged (section {} is '{}' at {}); "
                      "compile again",
                      i, section.name, offset));
    if (bytes > size - next)
      return fail(fmt::format("section {}: {} bytes at {} go beyond the end at "
                              "{}; the file is cut off, compile again",
                              section.name, bytes, offset, size));
    section.offset = next;
    section.size = static_cast<size_t>(bytes);
    next += section.size;
  }
  if (next != size)
    return fail(fmt::format("{} bytes follow the last section; the file is "
                            "damaged, compile again",
                            size - next));
  // Before sections are read: what checksums find is clearer than what follows
  // from it.
  for (const SectionInfo &section : table) {
    uint32_t sum = checksum(data + section.offset, section.size);
    if (sum != section.checksum)
      return fail(fmt::format("section {}: checksum mismatch (expected "
                              "{:#010x}, found {:#010x}); the file is damaged, "
                              "compile again",
                              section.name, section.checksum, sum));
  }
  return table;
}

std::vector<uint8_t>
cimc::writeSections(const std::vector<SectionContent> &sections) {
  ByteWriter header, table;
  size_t offset = headerBytes + sections.size() * entryBytes;
  for (const SectionContent &section : sections) {
    char name[nameBytes] = {};
    std::memcpy(name, section.name.data(),
                std::min(section.name.size(), nameBytes));
    table.bytes.insert(table.bytes.end(), name, name + nameBytes);
    table.put(static_cast<uint64_t>(offset));
    table.put(static_cast<uint64_t>(section.bytes.size()));
    table.put(checksum(section.bytes.data(), section.bytes.size()));
    table.put(uint32_t(0));
    offset += section.bytes.size();
  }
  for (char c : {'C', 'I', 'M', 'X'})
    header.put(c);
  header.put(containerVersion);
  header.put(static_cast<uint32_t>(sections.size()));
  header.put(checksum(table.bytes.data(), table.bytes.size(),
                      checksum(header.bytes.data(), header.bytes.size())));
  std::vector<uint8_t> bytes = std::move(header.bytes);
  bytes.reserve(offset);
  bytes.insert(bytes.end(), table.bytes.begin(), table.bytes.end());
  for (const SectionContent &section : sections)
    bytes.insert(bytes.end(), section.bytes.begin(), section.bytes.end());
  return bytes;
}
