//===- Mutations.cpp - programs and files, changed a little ---------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Mutations.h"

#include "cimc/Program/Container.h"
#include "cimc/Program/Faults.h"

#include <algorithm>
#include <cmath>

using namespace cimc;
using namespace cimc::test;

static constexpr size_t headerBytes = 16, entryBytes = 32;

static void put32(std::vector<uint8_t> &bytes, size_t at, uint32_t value) {
  for (int i = 0; i < 4; ++i)
    bytes[at + i] = static_cast<uint8_t>(value >> (8 * i));
}

/// Writes the table with checksums that are right.
static void seal(std::vector<uint8_t> &bytes,
                 const std::vector<SectionInfo> &table) {
  for (size_t i = 0; i < table.size(); ++i) {
    size_t entry = headerBytes + entryBytes * i;
    const SectionInfo &now = table[i];
    put32(bytes, entry + 8, static_cast<uint32_t>(now.offset));
    put32(bytes, entry + 16, static_cast<uint32_t>(now.size));
    put32(bytes, entry + 24, checksum(bytes.data() + now.offset, now.size));
  }
  put32(bytes, 12,
        checksum(bytes.data() + headerBytes, table.size() * entryBytes,
                 checksum(bytes.data(), 12)));
}

std::vector<uint8_t> test::shortened(std::vector<uint8_t> bytes) {
  std::vector<SectionInfo> table =
      *readSectionTable(bytes.data(), bytes.size(), "");
  constexpr std::string_view meta =
      R"({"model": "m", "chip": {"name": "c", "power": {"tdp_w": 75}}})";
  auto begin = bytes.begin() + static_cast<long>(table[0].offset);
  bytes.erase(begin, begin + static_cast<long>(table[0].size));
  bytes.insert(begin, meta.begin(), meta.end());
  for (size_t i = 1; i < table.size(); ++i)
    table[i].offset = table[i].offset - table[0].size + meta.size();
  table[0].size = meta.size();
  seal(bytes, table);
  return bytes;
}

/// Field values near what is there, near limits, or anything.
int64_t Mutator::interesting(int64_t old) {
  static constexpr int64_t special[] = {
      0,    1,     2,     3,          4,          5,   7,    8,    9,
      15,   16,    31,    32,         63,         64,  100,  127,  128,
      255,  256,   511,   512,        513,        999, 1023, 1024, 4095,
      4096, 32767, 65535, 0x7fffffff, 0xffffffff, -1,  -2,   -128, -129};
  switch (below(6)) {
  case 0:
    return old + 1;
  case 1:
    return old - 1;
  case 2:
    return old ^ (INT64_C(1) << below(32));
  case 3:
    return old * static_cast<int64_t>(2 + below(3));
  case 4:
    return static_cast<int64_t>(below(64));
  default:
    return special[below(std::size(special))];
  }
}

void Mutator::mutateField(const isa::RecordInfo &info, void *record) {
  if (info.fieldCount == 0)
    return;
  const isa::FieldInfo &field = info.fields[below(info.fieldCount)];
  isa::FieldValue value = field.get(record), old = value;
  value.integer = interesting(value.integer);
  static constexpr float reals[] = {0,     -0.0f,  1,      -1,       0.5f,
                                    1e30f, 1e-40f, -3e38f, INFINITY, NAN};
  value.real = reals[below(std::size(reals))];
  int32_t *parts[] = {&value.affine.add, &value.affine.mul0,
                      &value.affine.mul1};
  int32_t &part = *parts[below(3)];
  part = static_cast<int32_t>(interesting(part));
  field.set(record, field.fits(value) ? value : old);
}

/// Small numbers, which are likely to name something.
void Mutator::randomize(const isa::RecordInfo &info, void *record) {
  for (const isa::FieldInfo &field : info) {
    isa::FieldValue value;
    value.integer = static_cast<int64_t>(below(oneIn(4) ? 256 : 20));
    value.real = 0.25f * static_cast<float>(below(8));
    value.affine.mul0 = static_cast<int32_t>(below(2));
    if (field.fits(value))
      field.set(record, value);
  }
}

/// Any instruction, also of kinds that no compiler puts here; tried until the
/// verifier accepts one, so that all kinds are run.
void Mutator::insertInstruction(Program &program, Stream &stream) {
  std::vector<const isa::RecordInfo *> all;
  for (const isa::RecordInfo *info : isa::allRecords())
    if (info->use == isa::RecordUse::Stream)
      all.push_back(info);
  const isa::RecordInfo *info = *any(all);
  auto &code = stream.instructions;
  size_t at = below(code.size() + 1);
  code.insert(code.begin() + static_cast<long>(at), isa::Instruction());
  for (int tries = 0; tries < 64; ++tries) {
    isa::makeInstruction(*info, code[at]);
    randomize(*info, isa::addressOf(code[at]));
    if (verify(program))
      return;
  }
}

void Mutator::mutateStream(Program &program, Stream &stream) {
  auto &code = stream.instructions;
  size_t at = below(code.size() + 1);
  auto here = code.begin() + static_cast<long>(at);
  switch (below(6)) {
  case 0:
    return insertInstruction(program, stream);
  case 1:
    if (at < code.size())
      code.erase(here);
    return;
  case 2:
    if (at < code.size()) {
      isa::Instruction copy = *here;
      code.insert(code.begin() + static_cast<long>(below(code.size() + 1)),
                  copy);
    }
    return;
  default:
    if (at < code.size())
      mutateField(isa::infoOf(*here), isa::addressOf(*here));
  }
}

void Mutator::mutateSetup(CoreProgram &core) {
  auto &code = core.setup;
  size_t at = below(code.size() + 1);
  auto here = code.begin() + static_cast<long>(at);
  switch (below(6)) {
  case 0: {
    isa::SetupInstruction any;
    if (oneIn(2))
      any = isa::ProgramMacro();
    randomize(isa::infoOf(any), isa::addressOf(any));
    code.insert(here, any);
    return;
  }
  case 1:
    if (at < code.size())
      code.erase(here);
    return;
  case 2:
    // Another order, or twice.
    if (at < code.size()) {
      isa::SetupInstruction copy = *here;
      if (oneIn(2))
        code.erase(here);
      code.insert(code.begin() + static_cast<long>(below(code.size() + 1)),
                  copy);
    }
    return;
  default:
    if (at < code.size())
      mutateField(isa::infoOf(*here), isa::addressOf(*here));
  }
}

void Mutator::mutateIO(IOBinding &io) {
  switch (below(6)) {
  case 0:
    if (int64_t *axis = any(io.shape))
      *axis = interesting(*axis);
    return;
  case 1:
    if (int64_t *axis = any(io.perm))
      *axis = interesting(*axis);
    return;
  case 2:
    if (uint32_t *channel = any(io.channels))
      *channel = static_cast<uint32_t>(interesting(*channel));
    return;
  case 3:
    io.isOutput = !io.isOutput;
    return;
  case 4:
    io.type = static_cast<DType>(below(static_cast<uint64_t>(kLastDType) + 1));
    return;
  default:
    io.shape.push_back(1);
    io.perm.push_back(static_cast<int64_t>(io.perm.size()));
  }
}

void Mutator::mutateCells(CellBlock &block) {
  uint16_t *fields[] = {&block.row, &block.column, &block.rows, &block.columns};
  uint16_t &field = *fields[below(4)];
  field = static_cast<uint16_t>(interesting(field));
  if (oneIn(4))
    block.bits = static_cast<uint8_t>(1 + below(8));
  // The size that the header says, so that the file can be written.
  block.rows = std::min<uint16_t>(block.rows, 2048);
  block.columns = std::min<uint16_t>(block.columns, 512);
  block.weights.resize(size_t{block.rows} * block.columns);
  int low = -(1 << (block.bits - 1)), high = -low - 1;
  for (int8_t &weight : block.weights)
    weight = static_cast<int8_t>(std::clamp<int>(weight, low, high));
}

void Mutator::mutateChip(ChipSpec &chip) {
  const ChipKey &key = chipKeys()[below(chipKeys().size())];
  double old = key.get(chip), value = old;
  switch (below(4)) {
  case 0:
    value = key.min;
    break;
  case 1:
    value = key.max;
    break;
  case 2:
    value = static_cast<double>(
        interesting(static_cast<int64_t>(std::clamp(old, -1e9, 1e9))));
    break;
  default:
    value = old / 2;
  }
  // Set within the limits: what lies outside is the reader's to refuse, and
  // bytes are damaged for that.
  key.set(chip, std::clamp(value, key.min, key.max));
}

void Mutator::mutateRepair(Program &program) {
  if (program.repairs.empty() || oneIn(8)) {
    FaultModel faults;
    faults.stuck0 = faults.stuck1 = 0.02;
    faults.seed = random();
    // As in the compiler, only what is verified is repaired.
    if (verify(program))
      repair(program, faults);
    return;
  }
  MacroRepair &repair = *any(program.repairs);
  uint16_t *fields[] = {&repair.macro, any(repair.complemented),
                        any(repair.rotations)};
  uint16_t *field = fields[below(3)];
  if (MacroRepair::Move *move = any(repair.moves); move && oneIn(2))
    field = oneIn(2) ? &move->column : &move->spare;
  if (field)
    *field = static_cast<uint16_t>(interesting(*field));
}

void Mutator::mutate(Program &program, const std::vector<Program> &corpus) {
  CoreProgram *core = any(program.cores);
  if (core && oneIn(16))
    return mutateRepair(program);
  auto field = [&](auto &list) {
    if (auto *record = any(list))
      mutateField(isa::infoOf<std::decay_t<decltype(*record)>>(), record);
  };
  switch (below(core ? 13 : 3)) {
  case 0:
    return field(program.channels);
  case 1:
    if (IOBinding *io = any(program.ios))
      mutateIO(*io);
    return;
  case 2:
    return mutateChip(program.chip);
  case 3:
    return field(core->views);
  case 4:
    return field(core->windows);
  case 5:
    return field(core->patterns);
  case 6:
    if (CellBlock *block = any(core->cells))
      mutateCells(*block);
    return;
  case 7:
    if (DataBlock *block = any(core->data))
      block->address = static_cast<uint32_t>(interesting(block->address));
    return;
  case 8:
    if (oneIn(4))
      core->id = static_cast<uint32_t>(interesting(core->id));
    else if (oneIn(2))
      core->streams.push_back(corpus[below(corpus.size())].cores[0].streams[0]);
    return;
  case 9:
    return mutateSetup(*core);
  default:
    if (Stream *stream = any(core->streams))
      mutateStream(program, *stream);
  }
}

void Mutator::damage(std::vector<uint8_t> &bytes, size_t begin, size_t end) {
  if (begin >= end)
    return;
  size_t at = begin + below(end - begin);
  switch (below(5)) {
  case 0:
    bytes[at] ^= static_cast<uint8_t>(1u << below(8));
    return;
  case 1:
    bytes[at] = static_cast<uint8_t>(random());
    return;
  case 2:
    if (at + 4 <= end)
      put32(bytes, at, static_cast<uint32_t>(interesting(bytes[at])));
    return;
  case 3:
    bytes[at] = static_cast<uint8_t>(bytes[at] + (oneIn(2) ? 1 : -1));
    return;
  default: {
    size_t from = begin + below(end - begin);
    size_t length = std::min({1 + below(16), end - from, end - at});
    std::vector<uint8_t> piece(bytes.begin() + static_cast<long>(from),
                               bytes.begin() +
                                   static_cast<long>(from + length));
    std::copy(piece.begin(), piece.end(),
              bytes.begin() + static_cast<long>(at));
  }
  }
}

void Mutator::mutate(std::vector<uint8_t> &bytes) {
  Result<std::vector<SectionInfo>> table =
      readSectionTable(bytes.data(), bytes.size(), "");
  if (!table)
    return;
  if (oneIn(16)) {
    // As it comes, header and checksums included.
    damage(bytes, 0, bytes.size());
    if (oneIn(4))
      bytes.resize(below(bytes.size()));
    return;
  }
  size_t s = below(table->size());
  SectionInfo &section = (*table)[s];
  for (uint64_t n = 1 + below(3); n > 0; --n)
    damage(bytes, section.offset, section.offset + section.size);
  if (oneIn(4) && section.size > 0) {
    // A section shorter or longer than it says inside.
    auto at =
        bytes.begin() + static_cast<long>(section.offset + below(section.size));
    auto rest = static_cast<size_t>(
        bytes.begin() + static_cast<long>(section.offset + section.size) - at);
    size_t before = bytes.size();
    if (oneIn(2))
      bytes.erase(at, at + static_cast<long>(1 + below(rest)));
    else
      bytes.insert(at, 1 + below(8), static_cast<uint8_t>(below(4)));
    section.size += bytes.size() - before;
    for (size_t i = s + 1; i < table->size(); ++i)
      (*table)[i].offset += bytes.size() - before;
  }
  seal(bytes, *table);
}
