//===- ContainerFuzz.cpp - mutated programs are refused or run safely -----===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// cimcContainerFuzz MUTANTS SEED [FILE.cimx ...]
//
// Mutates containers in this process: a third of them field by field, the
// others byte by byte, most with right checksums. Every mutant is loaded and
// verified. Of those that the verifier accepts, one in 8 is written and read
// again, also as text, and becomes a part of a network in parts, which is
// damaged in turn; one in 4, and all with new kinds of instructions, are
// run if they ask for little memory and work: fast and bit plane by bit plane
// with the same results, then in time. Meant for a sanitized build, where any
// access out of bounds ends the process. Says what happened on one line.
//
//===----------------------------------------------------------------------===//

#include "../Program/Programs.h"
#include "MutantCost.h"
#include "Network.h"
#include "Timing.h"

#include "cimc/Program/Container.h"
#include "cimc/Program/Split.h"

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <unistd.h>

using namespace cimc;
using namespace cimc::test;

namespace {

/// A mutant that takes longer than this to read, verify and run hangs.
constexpr unsigned hangSeconds = 120;
/// Mutants beyond these are verified but not run: what they ask for is allowed,
/// only slow.
constexpr double maxLaneOperations = 2e5;
constexpr int64_t maxBytes = 4 << 20;
constexpr size_t maxCorpus = 256;
constexpr size_t headerBytes = 16, entryBytes = 32;

void put32(std::vector<uint8_t> &bytes, size_t at, uint32_t value) {
  for (int i = 0; i < 4; ++i)
    bytes[at + i] = static_cast<uint8_t>(value >> (8 * i));
}

class Fuzzer {
public:
  explicit Fuzzer(uint64_t seed) : random(seed) {}

  void addSeed(Program program) {
    for (const CoreProgram &core : program.cores)
      for (const Stream &stream : core.streams)
        for (const isa::Instruction &i : stream.instructions)
          kinds.insert(i.index());
    files.push_back(shortened(serialize(program)));
    corpus.push_back(std::move(program));
  }
  /// False where results differ; the message is printed.
  bool run(int64_t mutants);

private:
  uint64_t below(uint64_t n) { return n ? random() % n : 0; }
  bool oneIn(uint64_t n) { return below(n) == 0; }
  template <typename T> T *any(std::vector<T> &list) {
    return list.empty() ? nullptr : &list[below(list.size())];
  }
  static void seal(std::vector<uint8_t> &bytes,
                   const std::vector<SectionInfo> &table);
  static std::vector<uint8_t> shortened(std::vector<uint8_t> bytes);
  int64_t interesting(int64_t old);
  void mutateField(const isa::RecordInfo &info, void *record);
  void randomize(const isa::RecordInfo &info, void *record);
  void insertInstruction(Program &program, Stream &stream);
  void mutateStream(Program &program, Stream &stream);
  void mutateIO(IOBinding &io);
  void mutateCells(CellBlock &block);
  void mutateChip(ChipSpec &chip);
  void mutateRepair(Program &program);
  void mutate(Program &program);
  void mutate(std::vector<uint8_t> &bytes);
  void damage(std::vector<uint8_t> &bytes, size_t begin, size_t end);
  bool accepted(const Program &program);
  bool inParts(const Program &program);
  bool execute(const Program &program);
  bool wrong(const std::string &what) {
    std::printf("mutant %" PRId64 ": %s\n", mutant, what.c_str());
    return false;
  }

  std::mt19937_64 random;
  std::vector<Program> corpus;
  std::vector<std::vector<uint8_t>> files; ///< of the corpus
  std::set<size_t> kinds; ///< of instructions that some seed has
  std::set<size_t> executed;
  int64_t mutant = 0, splits = 0, verified = 0, ran = 0, ended = 0, large = 0;
};

/// Field values near what is there, near limits, or anything.
int64_t Fuzzer::interesting(int64_t old) {
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

void Fuzzer::mutateField(const isa::RecordInfo &info, void *record) {
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
void Fuzzer::randomize(const isa::RecordInfo &info, void *record) {
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
void Fuzzer::insertInstruction(Program &program, Stream &stream) {
  std::vector<const isa::RecordInfo *> all;
  for (const isa::RecordInfo *info : isa::allRecords())
    if (!info->isDescriptor)
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

void Fuzzer::mutateStream(Program &program, Stream &stream) {
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

void Fuzzer::mutateIO(IOBinding &io) {
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

void Fuzzer::mutateCells(CellBlock &block) {
  uint16_t *fields[] = {&block.macro, &block.row, &block.column, &block.rows,
                        &block.columns};
  uint16_t &field = *fields[below(5)];
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

void Fuzzer::mutateChip(ChipSpec &chip) {
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

void Fuzzer::mutateRepair(Program &program) {
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

void Fuzzer::mutate(Program &program) {
  CoreProgram *core = any(program.cores);
  if (core && oneIn(16))
    return mutateRepair(program);
  auto field = [&](auto &list) {
    if (auto *record = any(list))
      mutateField(isa::infoOf<std::decay_t<decltype(*record)>>(), record);
  };
  switch (below(core ? 12 : 3)) {
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
  default:
    if (Stream *stream = any(core->streams))
      mutateStream(program, *stream);
  }
}

void Fuzzer::damage(std::vector<uint8_t> &bytes, size_t begin, size_t end) {
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

/// Writes the table with checksums that are right.
void Fuzzer::seal(std::vector<uint8_t> &bytes,
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

/// The same program for a chip that states nothing of its own: most of a small
/// file is the chip, whose reader has tests of its own.
std::vector<uint8_t> Fuzzer::shortened(std::vector<uint8_t> bytes) {
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

void Fuzzer::mutate(std::vector<uint8_t> &bytes) {
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

bool Fuzzer::execute(const Program &program) {
  // A macro takes as many bytes as it has cells to look for defects.
  FaultModel faults;
  bool isSmall =
      program.chip.macro.rows * physicalColumns(program.chip) < maxBytes;
  if (isSmall && oneIn(4)) {
    faults.stuck0 = faults.stuck1 = faults.raw = 0.01;
    faults.transient = 0.001;
  }
  sim::Machine machine(program, faults);
  if (bytesOf(machine) > maxBytes || workOf(machine) > maxLaneOperations) {
    ++large;
    return true;
  }
  std::vector<HostTensor> inputs;
  for (const IOBinding &io : program.ios)
    if (!io.isOutput) {
      inputs.push_back(HostTensor(io.type, io.shape));
      for (std::byte &b : inputs.back().data)
        b = static_cast<std::byte>(random());
    }
  ++ran;
  std::vector<HostTensor> first;
  for (bool bitPlanes : {false, true}) {
    std::unique_ptr<sim::State> state = machine.makeState();
    state->bitPlanes = bitPlanes;
    if (!machine.loadInputs(*state, inputs) || !machine.runUntimed(*state))
      return true;
    std::vector<HostTensor> outputs = machine.takeOutputs(*state);
    for (size_t i = 0; i < first.size(); ++i)
      if (outputs[i].data != first[i].data)
        return wrong("fast and bit planes differ:\n" + disassemble(program));
    first = std::move(outputs);
  }
  ++ended;
  for (const CoreProgram &core : program.cores)
    for (const Stream &stream : core.streams)
      for (const isa::Instruction &i : stream.instructions)
        executed.insert(i.index());
  std::unique_ptr<sim::State> state = machine.makeState();
  if (!machine.loadInputs(*state, inputs))
    return wrong("inputs were taken before and are refused now");
  CostReport report;
  if (Status status = sim::runTimed(machine, state.get(), report,
                                    /*trace=*/nullptr, /*path=*/nullptr,
                                    /*samples=*/oneIn(8) ? 0 : 4);
      !status)
    return wrong("ends without time, but not in time: " +
                 status.error().message);
  return true;
}

/// Two parts of a program that was accepted: they read the same inputs, or the
/// second what the first makes. Then with damage.
bool Fuzzer::inParts(const Program &program) {
  SplitProgram split;
  split.parts = {program, program};
  if (!program.networks.empty())
    return true;
  for (IOBinding &io : split.parts[0].ios)
    (io.isOutput ? split.outputs : split.inputs).push_back(io.name);
  for (IOBinding &io : split.parts[1].ios) {
    if (io.isOutput)
      split.outputs.push_back(io.name += "'");
    else if (std::string *made = any(split.outputs); made && oneIn(8))
      io.name = *made;
  }
  std::vector<uint8_t> bytes = serialize(split);
  Result<SplitProgram> read =
      deserializeSplit(bytes.data(), bytes.size(), "split");
  if (bool(read) != bool(verify(split)))
    return wrong("a network in parts is accepted in memory or in a file only");
  if (read && serialize(*read) != bytes)
    return wrong("a network in parts changes when it is written and read");
  splits += bool(read);
  for (int i = 0; i < 8; ++i) {
    std::vector<uint8_t> damaged = bytes;
    mutate(damaged);
    if (deserialize(damaged.data(), damaged.size(), "damaged"))
      return wrong("a damaged network in parts is a program");
    read = deserializeSplit(damaged.data(), damaged.size(), "damaged");
    splits += bool(read);
    if (read && !verify(*read))
      return wrong("a network in parts is read, but not verified");
    if (read && oneIn(4) && !execute(read->parts.back()))
      return false;
  }
  return true;
}

bool Fuzzer::accepted(const Program &program) {
  ++verified;
  if (oneIn(8)) {
    std::vector<uint8_t> bytes = serialize(program);
    Result<Program> again = deserialize(bytes.data(), bytes.size(), "again");
    if (!again)
      return wrong("accepted, but not after being written again: " +
                   again.error().message);
    if (serialize(*again) != bytes)
      return wrong("changes when it is written and read");
    again = assemble(disassemble(program, true), "text");
    if (!again || serialize(*again) != bytes)
      return wrong("changes when it is written as text and read");
    if (oneIn(4) && !inParts(program))
      return false;
  }
  // New kinds of instructions are worth mutating further.
  bool isNew = false;
  for (const CoreProgram &core : program.cores)
    for (const Stream &stream : core.streams)
      for (const isa::Instruction &i : stream.instructions)
        isNew |= kinds.insert(i.index()).second;
  if (isNew && corpus.size() < maxCorpus)
    addSeed(program);
  return isNew || oneIn(4) ? execute(program) : true;
}

bool Fuzzer::run(int64_t mutants) {
  double slowest = 0;
  auto begin = std::chrono::steady_clock::now();
  auto seconds = [](auto since) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                         since)
        .count();
  };
  for (mutant = 0; mutant < mutants; ++mutant) {
    auto start = std::chrono::steady_clock::now();
    alarm(hangSeconds);
    size_t seed = below(corpus.size());
    std::vector<uint8_t> bytes;
    if (below(3)) {
      bytes = oneIn(16) ? serialize(corpus[seed]) : files[seed];
      mutate(bytes);
    } else {
      Program program = corpus[seed];
      for (uint64_t n = 1 + below(2); n > 0; --n)
        mutate(program);
      bytes = serialize(program);
    }
    Result<Program> read = deserialize(bytes.data(), bytes.size(), "mutant");
    if (read && !accepted(*read))
      return false;
    slowest = std::max(slowest, seconds(start));
  }
  alarm(0);
  std::printf(
      "%" PRId64 " mutants: %" PRId64 " refused, %" PRId64 " accepted; %" PRId64
      " run (%" PRId64 " to the end, %" PRId64
      " too large to run here), with %zu kinds of instructions; %" PRId64
      " accepted as networks in parts; %.0f s, slowest %.2f s\n",
      mutants, mutants - verified, verified, ran, ended, large, executed.size(),
      splits, seconds(begin), slowest);
  return true;
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s MUTANTS SEED [FILE.cimx ...]\n", argv[0]);
    return 2;
  }
  Fuzzer fuzzer(std::strtoull(argv[2], nullptr, 10));
  fuzzer.addSeed(smallProgram());
  fuzzer.addSeed(richProgram());
  fuzzer.addSeed(SmallNetwork().program);
  for (int i = 3; i < argc; ++i) {
    Result<Program> program = load(argv[i]);
    if (!program) {
      std::fprintf(stderr, "%s\n", program.error().message.c_str());
      return 2;
    }
    fuzzer.addSeed(std::move(*program));
  }
  return fuzzer.run(std::strtoll(argv[1], nullptr, 10)) ? 0 : 1;
}
