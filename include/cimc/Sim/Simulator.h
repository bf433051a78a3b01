//===- Simulator.h - the chip model -----------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_SIM_SIMULATOR_H
#define CIMC_SIM_SIMULATOR_H

#include "cimc/Program/Faults.h"
#include "cimc/Program/Program.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace cimc {

/// What one stream's layer cost.
struct LayerCost {
  std::string layer;
  double busy_ns = 0; ///< time its busiest unit worked, per sample
  /// Per sample: dynamic energy with its clock and regulator share.
  double energy_nj = 0;
  int64_t macros = 0; ///< arrays it occupies
  int64_t cores = 0;
};

/// What kept one stream of a program busy while it made one sample.
struct StreamCost {
  size_t core = 0, stream = 0; ///< Program::cores[core].streams[stream]
  double arrayNs = 0;          ///< its arrays worked
  double vectorNs = 0;         ///< its vector unit worked
  double memoryNs = 0;         ///< banks of memory worked beyond these
  double sendNs = 0;           ///< rows left its core
  double allNs() const { return arrayNs + vectorNs + memoryNs + sendNs; }
};

/// A part of the chain of waits that decides the period.
struct PathPart {
  std::string layer; ///< empty: the host
  std::string what;  ///< "arrays", "vector unit", "memory", "sending",
                     ///< "networks" within a chiplet, "chiplet network" where
                     ///< a message passes from one to another, "dram", "host"
  double ns = 0;     ///< its share of one period
};

/// What the setup of a program costs, once before the first sample.
struct SetupCost {
  double ns = 0; ///< until all macros are written and all constants are there
  /// With the way of bits and constants to the cores and the power at rest.
  double nj = 0;
  /// Writing the cells alone, as if their bits were in the cores.
  double writing_ns = 0, writing_nj = 0;
};

/// Time and energy of a program, from the events of one run.
struct CostReport {
  double latency_ns = 0; ///< first input row sent to last output row received
  double period_ns = 0;  ///< between samples in steady state
  /// The power budget (`power.tdp_w`) stretched the period; without it the
  /// period would be `unthrottled_period_ns`.
  bool throttled = false;
  double unthrottled_period_ns = 0;
  int64_t samples_timed = 0; ///< run back to back
  /// Of these, run event by event; the others repeated what had been.
  int64_t samples_simulated = 0;
  /// After so many samples the chip is as it was, and the period is exact; 0:
  /// it never was, and the period is a mean.
  int64_t steady_cycle = 0;
  /// When the last output row of each sample simulated was at the host.
  std::vector<double> finished_ns;
  /// Time on the chip that the samples timed took.
  double simulated_ns = 0;
  /// Of a run of just so many samples: from the first input row to the last
  /// output row, with the power limit, and its energy with that at rest; else
  /// 0.
  double makespan_ns = 0, makespan_nj = 0;
  double energy_nj = 0; ///< per sample, static share included
  /// Highest mean over 1 us while running unthrottled, and over a period.
  double peak_power_w = 0, average_power_w = 0;
  double utilization =
      0; ///< MACs done over MACs the used arrays could do in a period
  int64_t macs = 0; ///< per sample, on arrays
  /// Of the gates between inputs and weights, those that switch in a cycle: as
  /// assumed by macro.mac_fj, or of the data where the energy is theirs.
  double array_switching = 0;
  int64_t instructions_executed = 0;
  SetupCost setup, fast_setup; ///< with the write profiles foundry and fast
  int64_t reads_per_cell = 0;  ///< of the cell read most, per sample
  /// Sums to `energy_nj`: array_read, array_mac, array_sums, sram, vector, noc,
  /// nop, host, clock, static, regulator.
  std::map<std::string, double> energy_by_component_nj;
  std::vector<LayerCost> layers;
  std::vector<StreamCost> streams; ///< in the order of the program
  /// Where asked for: what decides the period. One period of the chain from the
  /// end of the last sample back through whatever each instruction waited for
  /// last, summed by layer and kind, the largest first. Their sum is the
  /// period.
  std::vector<PathPart> criticalPath;
  /// The channels whose full rings that chain waited for, by number, and how
  /// often: with more slots the period would be shorter.
  std::vector<std::pair<uint32_t, int64_t>> fullRings;
};

/// How long cells last that are read at some rate. They are written again
/// before reading or time has disturbed them, and last as many such writes as
/// `macro.endurance_writes`.
struct Wear {
  double samples_per_s = 0;
  double reads_per_cell_year = 0; ///< of the cell read most
  double refresh_years = 0;       ///< between two writes of all cells
  bool reads_limit = false;       ///< reading sets it, else retention
  /// Until writes reach macro.endurance_warn_writes and endurance_writes.
  double warn_years = 0, lifetime_years = 0;
};
Wear wearAt(const ChipSpec &chip, const CostReport &cost, double samplesPerS);

/// What faults did to the weights of a program.
struct FaultReport {
  int64_t macros = 0;      ///< that the program uses
  int64_t macrosWrong = 0; ///< with a weight that reads wrong
  int64_t defects = 0;     ///< defective cells in them
  int64_t rawErrors = 0;   ///< cells wrong after programming
  int64_t wordsCorrected = 0;
  int64_t bitsWrong = 0; ///< of weights, after repair and correction
};

struct RunOptions {
  bool bitPlanes = false; ///< go bit plane by bit plane, row group by row group
};

/// Executes a verified program. One object serves any number of threads.
class Simulator {
public:
  /// `program` must outlive the simulator.
  explicit Simulator(const Program &program);
  /// The same on a chip with faults. Results change, time and energy do not.
  Simulator(const Program &program, const FaultModel &faults);
  ~Simulator();

  const FaultReport &faultReport() const;

  /// Computes the outputs of one sample, in the order of the program's output
  /// bindings; `inputs` in the order of its input bindings.
  Result<std::vector<HostTensor>> run(const std::vector<HostTensor> &inputs,
                                      const RunOptions &options = {}) const;

  /// Computes the outputs of one sample and times the same run. With
  /// `activity`, products cost what the bits of this sample make switch, not
  /// what `macro.mac_fj` assumes.
  Result<std::vector<HostTensor>>
  runTimed(const std::vector<HostTensor> &inputs, CostReport &report,
           bool activity = false) const;

  /// Times the program; no data is needed because time never depends on it.
  /// `criticalPath`: say what decides the period, too. `samples`: feed so many
  /// back to back; 0: without end, until the period is known. `skips`: of so
  /// many, cycles after which the chip is as it was are not run again, which
  /// gives the same figures but for the peak power, whose windows fall
  /// elsewhere.
  Result<CostReport> time(bool criticalPath = false, int64_t samples = 0,
                          bool skips = true) const;

  /// What every unit of every core did while `time` ran, as a JSON document in
  /// the Chrome trace format (for chrome://tracing or ui.perfetto.dev).
  Result<std::string> trace() const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

/// `Simulator::time` without a simulator: weights are not held, which takes a
/// third of the memory of a large network's.
Result<CostReport> timeProgram(const Program &program,
                               bool criticalPath = false);

} // namespace cimc

#endif // CIMC_SIM_SIMULATOR_H
