//===- SplitSimulator.h - networks in parts on the chip model ---*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_SIM_SPLITSIMULATOR_H
#define CIMC_SIM_SPLITSIMULATOR_H

#include "cimc/Program/Split.h"
#include "cimc/Sim/Simulator.h"

#include <memory>
#include <vector>

namespace cimc {

/// What running one batch after the other costs with one way of writing cells.
struct BatchCost {
  /// Of a batch: the setups of all parts, and samples passing the parts.
  double writing_ns = 0, computing_ns = 0;
  double writing_nj = 0; ///< of the setups
  double period_ns = 0;  ///< a sample's share of a batch
  double energy_nj = 0;  ///< a sample's share
  /// Until the array written most often has had so many writes as
  /// macro.endurance_warn_writes and endurance_writes.
  double warn_years = 0, lifetime_years = 0;

  double batch_ns() const { return writing_ns + computing_ns; }
};

/// Time and energy of a network in parts.
struct SplitCost {
  std::vector<CostReport> parts; ///< of each part alone
  int64_t weight_bytes = 0;      ///< of all parts
  int64_t between_bytes = 0;     ///< a sample, that the host keeps
  int64_t writes_a_batch = 0;    ///< of the array written most often
  double latency_ns = 0;         ///< of a sample; reprogrammed: of a batch
  double period_ns = 0;
  double energy_nj = 0; ///< a sample
  size_t slowest = 0;   ///< the part with the longest period
  BatchCost own, fast;  ///< reprogrammed: by write profile, else unset
};

/// What a network in parts costs, from what each part does.
///
/// On one chip the setup of every part writes the cells it uses, then a batch
/// passes it as a pipeline; parts share no time.
/// A sample is done when its batch is. On cards a sample passes all as a
/// pipeline that is as fast as the slowest card, and cards at rest take their
/// power.
SplitCost splitCost(const SplitProgram &program, std::vector<CostReport> parts);

/// The same for another number of samples a batch.
BatchCost batchCost(const SplitProgram &program, const SplitCost &cost,
                    int64_t batch, bool isFast);

/// How long the cells of a reprogrammed network last at a rate, of which as
/// much counts as the chip does; only rate and years are set.
Wear splitWear(const SplitProgram &program, const SplitCost &cost,
               double samplesPerS);

/// Executes a verified network in parts. One object serves any number of
/// threads.
class SplitSimulator {
public:
  /// `program` must outlive the simulator.
  explicit SplitSimulator(const SplitProgram &program);

  /// The outputs of one sample, in the order of the network's outputs, from its
  /// inputs in theirs.
  Result<std::vector<HostTensor>> run(const std::vector<HostTensor> &inputs,
                                      const RunOptions &options = {}) const;

  Result<SplitCost> time() const;

private:
  const SplitProgram &program;
  std::vector<std::unique_ptr<Simulator>> parts;
};

} // namespace cimc

#endif // CIMC_SIM_SPLITSIMULATOR_H
