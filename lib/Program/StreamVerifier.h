//===- StreamVerifier.h - checks the instructions of a stream -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_PROGRAM_STREAMVERIFIER_H
#define CIMC_LIB_PROGRAM_STREAMVERIFIER_H

#include "Verifier.h"

#include <string>
#include <utility>
#include <vector>

namespace cimc::verifier {

/// What an affine value can be while its loops run.
struct Interval {
  int64_t low, high;
};

/// Sets of element types, as bits by type number.
enum TypeSet : unsigned {
  Int8 = 0x01,
  UInt8 = 0x02,
  Bytes = 0x03,
  Halves = 0x0c,
  Int32 = 0x10,
  Float = 0x20,
  Int64 = 0x40,
  UpTo16 = Bytes | Halves,
  Integers = UpTo16 | Int32 | Int64,
  Any = 0x7f
};

std::string typeNames(unsigned set);

/// The most elements one instruction may gather before it computes; bounds the
/// memory that the chip model needs.
constexpr int64_t maxGathered = INT64_C(1) << 28;

/// Checks one stream. Checks record the first thing that is wrong and go on,
/// which keeps the rules below readable; views that do not exist stand in as an
/// empty one.
class StreamVerifier {
public:
  StreamVerifier(const Tables &tables, const CoreTables &core, uint32_t stream,
                 StreamUse &use)
      : tables(tables), core(core), chip(tables.program->chip), stream(stream),
        memory(chip.memoryBytes()), use(use) {}

  Status run();

  void operator()(const isa::Loop &r);
  void operator()(const isa::Next &r);
  void operator()(const isa::Halt &r);
  void operator()(const isa::Wait &r) { consumer(r.channel, r.consumer); }
  void operator()(const isa::Free &r) { consumer(r.channel, r.consumer); }
  void operator()(const isa::Acquire &r) {
    producer(r.channel, r.producer, true);
  }
  void operator()(const isa::Post &r) { producer(r.channel, r.producer, true); }
  void operator()(const isa::Send &r);
  void operator()(const isa::Load &r) {
    const isa::View &dst = view("dst", r.dst, Any);
    row("dst_row", dst, r.dst_row);
    dram(dst, r.line);
  }
  void operator()(const isa::Store &r) {
    const isa::View &src = view("src", r.src, Any);
    row("src_row", src, r.src_row);
    dram(src, r.line);
  }
  void operator()(const isa::Mvm &r);
#define CIMC_DECLARE(type) void operator()(const isa::type &r);
  CIMC_VECTOR_RECORDS(CIMC_DECLARE)
#undef CIMC_DECLARE

private:
  void fail(const std::string &what) {
    if (error.empty())
      error = what;
  }
  void require(bool holds, const char *what) {
    if (!holds)
      fail(what);
  }
  Interval range(const isa::Affine &a) const;
  /// No source of the instruction just seen overlaps its destination.
  void separate();
  const isa::Channel *channel(uint32_t id);
  void consumer(uint32_t id, uint32_t party);
  void producer(uint32_t id, uint32_t party, bool inPlace);
  const isa::View &view(const char *field, uint16_t id, unsigned types);
  const isa::Window &window(uint16_t id);
  void row(const char *field, const isa::View &v, const isa::Affine &index,
           bool broadcast = true);
  void constants(const char *field, uint32_t address, Wide bytes);
  void covers(const char *field, const isa::View &src, const isa::View &dst,
              bool broadcast);
  /// A source and a destination of one shape, or a source broadcast to it.
  template <typename Record>
  std::pair<const isa::View *, const isa::View *>
  pair(const Record &r, unsigned srcTypes, unsigned dstTypes, bool broadcast);
  template <typename Record>
  const isa::View &triple(const Record &r, unsigned types);
  void cellsProgrammed(const isa::Mvm &r, uint32_t macro, int64_t columns);
  /// One fp32 number a row.
  void units(uint16_t id, const isa::Affine &index);
  void levels(uint8_t count);
  /// The lines that a row of a view takes in DRAM.
  void dram(const isa::View &v, const isa::Affine &line);
  void element(const char *field, const isa::View &v, Wide low, Wide high);
  /// A view held whole, small enough to be gathered; its elements.
  Wide whole(const char *field, const isa::View &v);

  const Tables &tables;
  const CoreTables &core;
  const ChipSpec &chip;
  uint32_t stream;
  int64_t memory;
  StreamUse &use;
  std::vector<Access> accesses; ///< of the current instruction
  std::vector<int64_t> loops;   ///< counts of the open ones
  bool halted = false;
  /// The first send of the message that the instruction before sends, if any.
  const isa::Send *message = nullptr;
  std::string error;
};

template <typename Record>
std::pair<const isa::View *, const isa::View *>
StreamVerifier::pair(const Record &r, unsigned srcTypes, unsigned dstTypes,
                     bool broadcast) {
  const isa::View &src = view("src", r.src, srcTypes);
  const isa::View &dst = view("dst", r.dst, dstTypes);
  row("src_row", src, r.src_row);
  row("dst_row", dst, r.dst_row);
  covers("src", src, dst, broadcast);
  return {&src, &dst};
}

template <typename Record>
const isa::View &StreamVerifier::triple(const Record &r, unsigned types) {
  const isa::View &a = view("a", r.a, types), &b = view("b", r.b, types);
  const isa::View &dst = view("dst", r.dst, types);
  row("a_row", a, r.a_row);
  row("b_row", b, r.b_row);
  row("dst_row", dst, r.dst_row);
  covers("a", a, dst, true);
  covers("b", b, dst, true);
  return dst;
}

} // namespace cimc::verifier

#endif // CIMC_LIB_PROGRAM_STREAMVERIFIER_H
