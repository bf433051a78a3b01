//===- Quantization.cpp - what the quantizer is told ----------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Compiler.h"

#include "NN/NN.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

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

/// Whether a network with quantize/dequantize pairs fits: by compiling it.
static Result<bool> fits(mlir::ModuleOp module, CompileOptions options) {
  options.precision = "int8"; // for what has no pairs
  options.calibrate.clear();
  options.observer = nullptr;
  options.progress = nullptr;
  options.to = Phase::Schedule;
  Compilation trial;
  trial.module = module.clone();
  trial.reached = Phase::NN;
  Status status = runPhases(options, trial);
  if (!status && status.error().code != ExitCode::DoesNotFit)
    return status.takeError();
  return bool(status);
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
  search.maxDropDb = options.maxDropDb;
  search.minCosine = options.minCosine;
  return search;
}

Result<QuantizeOptions> cimc::quantizeOptions(const CompileOptions &options) {
  QuantizeOptions result;
  if (options.precision == "w4a8") {
    result.weightBits = 4;
  } else if (options.precision == "mixed") {
    Result<BitSearch> search = bitSearch(options);
    if (!search)
      return search.takeError();
    result.search = std::move(*search);
  } else if (options.precision != "int8") {
    return Error{ExitCode::Unsupported,
                 fmt::format("--precision {} is not supported yet; use int8, "
                             "w4a8 or mixed",
                             options.precision)};
  }
  result.method = options.method;
  result.table = options.table;
  result.threads = options.threads
                       ? options.threads
                       : std::max(1u, std::thread::hardware_concurrency());
  return result;
}
