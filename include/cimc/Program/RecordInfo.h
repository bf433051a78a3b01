//===- RecordInfo.h - machine records seen generically ----------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The structs themselves are in Records.h, made from ISA.td, which includes
// this. Code that treats all records alike (encoding, text, filling records
// from attributes) goes through these tables.
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_PROGRAM_RECORDINFO_H
#define CIMC_PROGRAM_RECORDINFO_H

#include "cimc/Support/Status.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cimc::isa {

/// add + mul0 * i0 + mul1 * i1 with the iterations of the running loops.
struct Affine {
  int32_t add = 0, mul0 = 0, mul1 = 0;

  int64_t at(int64_t i0, int64_t i1) const {
    return add + static_cast<int64_t>(mul0) * i0 +
           static_cast<int64_t>(mul1) * i1;
  }
  bool operator==(const Affine &o) const {
    return add == o.add && mul0 == o.mul0 && mul1 == o.mul1;
  }
};

/// Bytes of a line of DRAM, which `load` and `store` count in.
inline constexpr int64_t dramLineBytes = 64;

enum class FieldKind : uint8_t { Unsigned, Signed, Float, Affine };

/// Signed and unsigned fields use `integer`, the others their own member.
struct FieldValue {
  int64_t integer = 0;
  float real = 0;
  Affine affine;
};

/// One field of a record. `get` and `set` take the address of a record struct;
/// `set` truncates, so check with `fits` first.
struct FieldInfo {
  const char *name, *text;
  FieldKind kind;
  uint8_t width; ///< bits in the encoding
  FieldValue (*get)(const void *record);
  void (*set)(void *record, const FieldValue &value);

  /// Whether the encoding can hold `value`.
  bool fits(const FieldValue &value) const;
};

/// Where a record stands: what instructions refer to, what a core executes
/// once before the first sample, or what a stream executes for every one.
enum class RecordUse : uint8_t { Descriptor, Setup, Stream };

struct RecordInfo {
  const char *mnemonic, *summary;
  uint8_t opcode;
  RecordUse use;
  const FieldInfo *fields;
  size_t fieldCount;
  size_t bytes; ///< of the encoding

  const FieldInfo *begin() const { return fields; }
  const FieldInfo *end() const { return fields + fieldCount; }
  /// Null where there is none of that name.
  const FieldInfo *find(std::string_view name) const;
};

/// All records, by opcode.
const std::vector<const RecordInfo *> &allRecords();
/// Null where there is none.
const RecordInfo *findRecord(std::string_view mnemonic);
const RecordInfo *findRecord(uint8_t opcode);

/// The table entry of a record struct; specialized in Records.h.
template <typename Record> const RecordInfo &infoOf();

/// Appends the encoding of the record of type `info` at `record`. Fields must
/// fit (checkFields).
void encodeRecord(const RecordInfo &info, const void *record,
                  std::vector<uint8_t> &out);
/// Reads the fields of a record whose encoding starts at data[0] and sets
/// `record`. Fails on a wrong opcode, missing bytes and padding that is not 0.
Status decodeRecord(const RecordInfo &info, const uint8_t *data, size_t size,
                    void *record);
/// Names the first field whose value the encoding cannot hold.
Status checkFields(const RecordInfo &info, const void *record);

/// One line of assembly: "mvm macros=1 columns=64 ... row=3+2*i0".
std::string formatRecord(const RecordInfo &info, const void *record);
/// Sets `record` from the fields of such a line, in any order. Errors name the
/// field.
Status parseRecord(const RecordInfo &info,
                   const std::vector<std::string_view> &fields, void *record);

template <typename Record>
void encode(const Record &record, std::vector<uint8_t> &out) {
  encodeRecord(infoOf<Record>(), &record, out);
}
/// Reads a record and moves `at` behind it.
template <typename Record>
Status decode(const uint8_t *data, size_t size, size_t &at, Record &record) {
  Status status = decodeRecord(infoOf<Record>(), data + at, size - at, &record);
  if (status)
    at += infoOf<Record>().bytes;
  return status;
}

} // namespace cimc::isa

#endif // CIMC_PROGRAM_RECORDINFO_H
