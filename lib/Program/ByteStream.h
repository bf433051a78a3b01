//===- ByteStream.h - little-endian bytes, bounds checked -------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_PROGRAM_BYTESTREAM_H
#define CIMC_LIB_PROGRAM_BYTESTREAM_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cimc {

class ByteWriter {
public:
  template <typename T> void put(T value) {
    auto bits = static_cast<uint64_t>(value);
    for (size_t i = 0; i < sizeof(T); ++i)
      bytes.push_back(static_cast<uint8_t>(bits >> (8 * i)));
  }
  void string(std::string_view text) {
    put(static_cast<uint32_t>(text.size()));
    bytes.insert(bytes.end(), text.begin(), text.end());
  }

  std::vector<uint8_t> bytes;
};

/// Reads until something is missing; from then on everything read is 0 and
/// `failed` stays set, so that callers check where they need to.
class ByteReader {
public:
  ByteReader(const uint8_t *data, size_t size) : data(data), size(size) {}

  template <typename T> T get() {
    if (!need(sizeof(T)))
      return T();
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof(T); ++i)
      bits |= static_cast<uint64_t>(data[at + i]) << (8 * i);
    at += sizeof(T);
    return static_cast<T>(bits);
  }
  std::string string() {
    auto length = get<uint32_t>();
    const uint8_t *begin = take(length);
    return begin ? std::string(reinterpret_cast<const char *>(begin), length)
                 : std::string();
  }
  /// The next `count` bytes, or null.
  const uint8_t *take(size_t count) {
    if (!need(count))
      return nullptr;
    const uint8_t *begin = data + at;
    at += count;
    return begin;
  }
  /// A number of things that take at least `smallest` bytes each: more than the
  /// rest can hold is an error, before anything is allocated.
  uint32_t count(size_t smallest) {
    auto n = get<uint32_t>();
    if (failed || n > left() / smallest) {
      failed = true;
      return 0;
    }
    return n;
  }
  size_t left() const { return size - at; }
  size_t position() const { return at; }
  const uint8_t *here() const { return data + at; }

  bool failed = false;

private:
  bool need(size_t count) {
    if (failed || count > size - at)
      failed = true;
    return !failed;
  }

  const uint8_t *data;
  size_t size, at = 0;
};

} // namespace cimc

#endif // CIMC_LIB_PROGRAM_BYTESTREAM_H
