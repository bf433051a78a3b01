//===- Quantization.cpp - what the quantizer is told ----------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Compiler.h"

#include "NN/NN.h"
#include "cimc/Sim/Simulator.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <tuple>

using namespace cimc;

/// Row groups of all arrays that a layer's weights take; depthwise convolutions
/// run on vector units.
static int64_t rowGroups(const nn::WeightMatrix &matrix, int bits,
                         const ChipSpec &chip) {
  if (matrix.groups > 1 && matrix.channels == 1)
    return 0;
  auto ceilDiv = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  int64_t rows = matrix.rows() * matrix.groups;
  int64_t columns = std::max<int64_t>(1, chip.weightColumns(bits));
  return ceilDiv(rows, chip.macro.active_rows) *
         ceilDiv(matrix.allColumns(), columns);
}

/// Whether a network with quantize/dequantize pairs fits: by compiling it, and
/// timing the program where there is a budget of time or energy.
static Status fits(mlir::ModuleOp module, CompileOptions options) {
  options.precision = "int8"; // for what has no pairs
  options.calibrate.clear();
  options.observer = nullptr;
  options.progress = nullptr;
  options.effort = 1;
  options.to = options.budget.isGiven() ? Phase::Emit : Phase::Schedule;
  Compilation trial;
  trial.module = module.clone();
  trial.reached = Phase::NN;
  if (Status status = runPhases(options, trial); !status)
    return status;
  if (!options.budget.isGiven())
    return {};
  Result<CostReport> cost = timeProgram(*trial.program);
  if (!cost)
    return cost.takeError();
  const auto &[latency, period, energy] = options.budget;
  const std::tuple<const char *, double, std::optional<double>, const char *>
      budgets[] = {{"a sample takes", cost->latency_ns, latency, "us"},
                   {"the period is", cost->period_ns, period, "us"},
                   {"a sample costs", cost->energy_nj, energy, "uJ"}};
  for (const auto &[what, needed, most, unit] : budgets)
    if (most && needed > *most * 1000)
      return Error{ExitCode::DoesNotFit,
                   fmt::format("{} {:.2f} {} on '{}', the budget is {:g}", what,
                               needed / 1000, unit, trial.program->chip.name,
                               *most)};
  return {};
}

Result<BitSearch> cimc::bitSearch(const CompileOptions &options) {
  CompileOptions target = options;
  if (!options.fit.empty())
    target.chip = options.fit;
  Result<ChipSpec> chip = openChip(target.chip.empty() ? "card" : target.chip);
  if (!chip)
    return chip.takeError();
  BitSearch search;
  search.cost = [chip = *chip](const nn::WeightMatrix &matrix, int bits) {
    return rowGroups(matrix, bits, chip);
  };
  search.fits = [target](mlir::ModuleOp module) {
    return fits(module, target);
  };
  search.countsReads = options.budget.isGiven();
  search.maxDropDb = options.maxDropDb;
  search.minCosine = options.minCosine;
  return search;
}

Result<QuantizeOptions> cimc::quantizeOptions(const CompileOptions &options) {
  QuantizeOptions result;
  if (options.precision == "w4a8") {
    result.weightBits = 4;
  } else if (options.precision == "w8a16") {
    result.inputBits = 16;
  } else if (options.precision == "mixed") {
    Result<BitSearch> search = bitSearch(options);
    if (!search)
      return search.takeError();
    result.search = std::move(*search);
  } else if (options.precision != "int8") {
    return Error{ExitCode::Unsupported,
                 fmt::format("--precision {} is not one of int8, w4a8, w8a16, "
                             "mixed and float",
                             options.precision)};
  }
  result.method = options.method;
  result.rounding = options.rounding;
  result.table = options.table;
  result.threads = options.threads
                       ? options.threads
                       : std::max(1u, std::thread::hardware_concurrency());
  return result;
}
