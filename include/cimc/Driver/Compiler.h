//===- Compiler.h - from a model to a program -----------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DRIVER_COMPILER_H
#define CIMC_DRIVER_COMPILER_H

#include "cimc/Driver/Diagnostics.h"
#include "cimc/Driver/Execution.h"
#include "cimc/Driver/Image.h"
#include "cimc/Driver/Phases.h"
#include "cimc/Driver/Plugins.h"
#include "cimc/Program/Program.h"
#include "cimc/Program/Split.h"
#include "cimc/Quantize/Quantize.h"
#include "cimc/Support/Status.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cimc {

/// What a program may take for one sample, by the chip model.
struct Budget {
  std::optional<double> latencyUs, periodUs, energyUj;
  bool isGiven() const { return latencyUs || periodUs || energyUj; }
};

/// What `cimc compile` is told; every field has a default that works.
struct CompileOptions {
  std::string chip;                ///< preset or file, "" for the default
  std::string mode = "throughput"; ///< or "latency"
  /// Percent of a core's memory that mapping plans with. It estimates what
  /// scheduling will need; where that turns out to be more, it plans with less.
  int memoryPercent = 100;
  std::string precision = "int8";
  std::string method = "mse";   ///< of QuantizeOptions
  std::string rounding = "fit"; ///< of QuantizeOptions
  QuantizationTable table;      ///< of QuantizeOptions
  /// Of `BitSearch`, for precision "mixed"; `fit`: a chip, "" for `chip`.
  std::string fit;
  Budget budget;
  std::optional<double> maxDropDb, minCosine;
  /// Fill `Compilation::quantized`.
  bool reportLayers = false;
  std::string calibrate; ///< directory, .npz or .npy; "" for none
  ImageOptions images;   ///< how samples are made of images
  std::vector<std::pair<std::string, std::vector<int64_t>>> inputShapes;
  std::vector<std::pair<std::string, int64_t>> dims;
  /// Inputs of an ONNX model that are constants, by name.
  std::vector<std::pair<std::string, HostTensor>> constantInputs;
  std::vector<PassReplacement> replace; ///< passes of the phases, and others
  std::optional<Phase> from;            ///< the phase an .mlir has finished
  Phase to = Phase::Emit;
  unsigned threads = 0; ///< 0: one per processor
  uint64_t seed = 0;
  /// Programs that are timed to take the fastest; 1: the first, untimed.
  int64_t effort = 1;
  /// Rows that mapping plans rings with beyond what an even flow needs, in
  /// percent of one; negative: some, where there is memory for them.
  int slackPercent = -1;
  /// Called with the name of each phase as it begins.
  std::function<void(const char *)> progress;
  /// Called after each phase.
  std::function<Status(Phase, mlir::ModuleOp)> observer;
};

/// Seconds a phase took.
struct PhaseTime {
  Phase phase;
  double seconds;
};

/// A compilation and what it made. The module's weights may be shared with the
/// context, which therefore lives as long.
struct Compilation {
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::optional<Program> program; ///< after Phase::Emit
  Phase reached = Phase::Import;
  /// The file, where the module was read from one at a level that only cimc
  /// writes, cim or later.
  std::string levelFile;
  std::vector<ModelIO> inputs, outputs; ///< of the network, at the nn level
  /// Sums of products whose ranges are taken while running (rule R14).
  int64_t runTimeRanges = 0;
  QuantizeReport quantized;      ///< where asked for and calibrated
  std::vector<Message> messages; ///< errors, warnings and remarks
  std::vector<PhaseTime> times;
  double seconds = 0;
};

/// What the quantizer is told; Unsupported for a precision that it does not
/// have.
Result<QuantizeOptions> quantizeOptions(const CompileOptions &options);

/// What `--precision mixed` asks: costs are row groups of the arrays of a chip,
/// and a network fits where it can be placed and scheduled, and its program
/// keeps to the budget.
Result<BitSearch> bitSearch(const CompileOptions &options);

/// Compiles the model in `path`, told apart by content, as far as
/// `options.to`. On failure the error's message holds all error diagnostics.
Status compileModel(const std::string &path, const CompileOptions &options,
                    Compilation &result);

/// The first part of a compilation: reads the model, and no more.
Status importModel(const std::string &path, const CompileOptions &options,
                   Compilation &result);

/// Runs the phases behind `result.reached` up to `options.to`.
Status runPhases(const CompileOptions &options, Compilation &result);

/// The error to show: what would be a bug in cimc is a fault of the file where
/// its module was read at a level behind those that are checked in full.
Error blame(Error error, const Compilation &compilation);

/// A chip by name or file; a name that no chip has is a `Usage` error.
Result<ChipSpec> openChip(const std::string &nameOrPath);

/// The last phase that a module has finished, from its operations.
Phase detectPhase(mlir::ModuleOp module);

/// The inputs and outputs of a module's network at the nn or cim level.
Result<std::pair<std::vector<ModelIO>, std::vector<ModelIO>>>
networkIO(mlir::ModuleOp module);

/// The inputs or outputs of a program.
std::vector<ModelIO> programIO(const Program &program, bool outputs);
std::vector<ModelIO> programIO(const SplitProgram &program, bool outputs);

/// Megabytes (10^6 bytes) this process has had in memory at most.
double peakMemoryMB();

} // namespace cimc

#endif // CIMC_DRIVER_COMPILER_H
