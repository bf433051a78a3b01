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
#include "Mutations.h"
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
  bool accepted(const Program &program);
  bool inParts(const Program &program);
  bool execute(const Program &program);
  bool wrong(const std::string &what) {
    std::printf("mutant %" PRId64 ": %s\n", mutant, what.c_str());
    return false;
  }

  Mutator random;
  std::vector<Program> corpus;
  std::vector<std::vector<uint8_t>> files; ///< of the corpus
  std::set<size_t> kinds; ///< of instructions that some seed has
  std::set<size_t> executed;
  int64_t mutant = 0, splits = 0, verified = 0, ran = 0, ended = 0, large = 0;
};

bool Fuzzer::execute(const Program &program) {
  // A macro takes as many bytes as it has cells to look for defects.
  FaultModel faults;
  bool isSmall =
      program.chip.macro.rows * physicalColumns(program.chip) < maxBytes;
  if (isSmall && random.oneIn(4)) {
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
        b = static_cast<std::byte>(random.number());
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
                                    /*samples=*/random.oneIn(8) ? 0 : 4);
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
    else if (std::string *made = random.any(split.outputs);
             made && random.oneIn(8))
      io.name = *made;
  }
  std::vector<uint8_t> bytes = serialize(split);
  Result<SplitProgram> read =
      deserializeSplit(bytes.data(), bytes.size(), "split");
  Status inMemory = verify(split);
  if (bool(read) != bool(inMemory))
    return wrong(
        "a network in parts is accepted in memory or in a file only: " +
        (read ? inMemory.error() : read.error()).message);
  if (read && serialize(*read) != bytes)
    return wrong("a network in parts changes when it is written and read");
  splits += bool(read);
  for (int i = 0; i < 8; ++i) {
    std::vector<uint8_t> damaged = bytes;
    random.mutate(damaged);
    if (deserialize(damaged.data(), damaged.size(), "damaged"))
      return wrong("a damaged network in parts is a program");
    read = deserializeSplit(damaged.data(), damaged.size(), "damaged");
    splits += bool(read);
    if (read && !verify(*read))
      return wrong("a network in parts is read, but not verified");
    if (read && random.oneIn(4) && !execute(read->parts.back()))
      return false;
  }
  return true;
}

bool Fuzzer::accepted(const Program &program) {
  ++verified;
  if (random.oneIn(8)) {
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
    if (random.oneIn(4) && !inParts(program))
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
  return isNew || random.oneIn(4) ? execute(program) : true;
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
    size_t seed = random.below(corpus.size());
    std::vector<uint8_t> bytes;
    if (random.below(3)) {
      bytes = random.oneIn(16) ? serialize(corpus[seed]) : files[seed];
      random.mutate(bytes);
    } else {
      Program program = corpus[seed];
      for (uint64_t n = 1 + random.below(2); n > 0; --n)
        random.mutate(program, corpus);
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
