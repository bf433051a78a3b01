//===- SplitSimulator.cpp - networks in parts on the chip model -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Sim/SplitSimulator.h"
#include "cimc/Target/CostModel.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

using namespace cimc;

/// Bytes of a part's weights, as they come over the host's link.
static int64_t weightBytes(const Program &part) {
  int64_t bits = 0;
  for (const CoreProgram &core : part.cores)
    for (const CellBlock &block : core.cells)
      bits += block.cells();
  return (bits + 7) / 8;
}

/// How many parts write the array that most of them use.
static int64_t writesABatch(const SplitProgram &program) {
  std::map<std::pair<uint32_t, uint16_t>, int64_t> writes;
  // A part's setup writes an array once.
  for (const Program &part : program.parts)
    for (const CoreProgram &core : part.cores)
      for (const isa::SetupInstruction &instruction : core.setup)
        if (const auto *r = std::get_if<isa::ProgramMacro>(&instruction))
          ++writes[{core.id, r->macro}];
  int64_t most = 0;
  for (const auto &[array, count] : writes)
    most = std::max(most, count);
  return most;
}

/// Years of batches at such a distance.
static Wear wearOfBatches(const ChipSpec &chip, int64_t writes, double ns) {
  constexpr double nsPerYear = 365.25 * 24 * 3600 * 1e9;
  Wear wear;
  if (writes > 0) {
    double yearsAWrite = ns / nsPerYear / static_cast<double>(writes);
    wear.warn_years = chip.macro.endurance_warn_writes * yearsAWrite;
    wear.lifetime_years = chip.macro.endurance_writes * yearsAWrite;
  }
  return wear;
}

BatchCost cimc::batchCost(const SplitProgram &program, const SplitCost &cost,
                          int64_t batch, bool isFast) {
  const ChipSpec &chip = program.chip();
  CostModel model(chip);
  auto samples = static_cast<double>(batch);
  BatchCost result;
  double computing = 0;
  for (size_t i = 0; i < program.parts.size(); ++i) {
    const CostReport &part = cost.parts[i];
    const SetupCost &setup = isFast ? part.fast_setup : part.setup;
    result.writing_ns += setup.ns;
    result.writing_nj += setup.nj;
    result.computing_ns += part.latency_ns + (samples - 1) * part.period_ns;
    // Each sample's energy has the rest of one period in it; filling the
    // pipeline takes longer.
    computing += part.energy_nj +
                 model.withRegulator(model.staticPower() *
                                     (part.latency_ns - part.period_ns)) /
                     samples;
  }
  result.period_ns = result.batch_ns() / samples;
  result.energy_nj = result.writing_nj / samples + computing;
  Wear wear = wearOfBatches(chip, cost.writes_a_batch, result.batch_ns());
  result.warn_years = wear.warn_years;
  result.lifetime_years = wear.lifetime_years;
  return result;
}

Wear cimc::splitWear(const SplitProgram &program, const SplitCost &cost,
                     double samplesPerS) {
  double fastest = cost.period_ns > 0 ? 1e9 / cost.period_ns : samplesPerS;
  double rate = std::min(samplesPerS, fastest);
  Wear wear = wearOfBatches(program.chip(), cost.writes_a_batch,
                            1e9 * static_cast<double>(program.batch) / rate);
  wear.samples_per_s = rate;
  return wear;
}

SplitCost cimc::splitCost(const SplitProgram &program,
                          std::vector<CostReport> parts) {
  SplitCost cost;
  cost.parts = std::move(parts);
  cost.between_bytes = bytesBetweenParts(program);
  for (size_t i = 0; i < program.parts.size(); ++i) {
    cost.weight_bytes += weightBytes(program.parts[i]);
    if (cost.parts[i].period_ns > cost.parts[cost.slowest].period_ns)
      cost.slowest = i;
  }
  if (program.goal == SplitGoal::Reprogram) {
    cost.writes_a_batch = writesABatch(program);
    cost.own = batchCost(program, cost, program.batch, false);
    cost.fast = batchCost(program, cost, program.batch, true);
    cost.latency_ns = cost.own.batch_ns();
    cost.period_ns = cost.own.period_ns;
    cost.energy_nj = cost.own.energy_nj;
    return cost;
  }
  CostModel model(program.chip());
  cost.period_ns = cost.parts[cost.slowest].period_ns;
  for (const CostReport &part : cost.parts) {
    cost.latency_ns += part.latency_ns;
    // A part's energy has its rest in it for its own period.
    cost.energy_nj +=
        part.energy_nj + model.withRegulator(model.staticPower() *
                                             (cost.period_ns - part.period_ns));
  }
  return cost;
}

SplitSimulator::SplitSimulator(const SplitProgram &program) : program(program) {
  for (const Program &part : program.parts)
    parts.push_back(std::make_unique<Simulator>(part));
}

Result<std::vector<HostTensor>>
SplitSimulator::run(const std::vector<HostTensor> &inputs,
                    const RunOptions &options) const {
  return runParts(program, inputs,
                  [&](size_t part, const std::vector<HostTensor> &values) {
                    return parts[part]->run(values, options);
                  });
}

Result<SplitCost> SplitSimulator::time() const {
  std::vector<CostReport> costs;
  for (size_t i = 0; i < parts.size(); ++i) {
    Result<CostReport> cost = parts[i]->time();
    if (!cost)
      return Error{cost.error().code,
                   fmt::format("part {}: {}", i, cost.error().message)};
    costs.push_back(std::move(*cost));
  }
  return splitCost(program, std::move(costs));
}
