//===- DoctorCommand.cpp - what compiling a model would do ----------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The file is surveyed before anything is translated, so that there is an
// answer for models that cannot be; then all phases run, on ranges from an
// invented sample where there is no calibration data, and nothing is written.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "cimc/Driver/Files.h"
#include "cimc/Import/ONNX/Import.h"
#include "cimc/Quantize/Quantize.h"
#include "cimc/Sim/Simulator.h"

#include "NN/NN.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>

using namespace cimc;

//===----------------------------------------------------------------------===//
// The file
//===----------------------------------------------------------------------===//

/// "41 Conv, 36 Relu, ..." of at most `most` kinds.
template <typename Pairs>
static std::string countsText(const Pairs &counts, size_t most) {
  std::string text;
  size_t shown = 0;
  for (const auto &[name, count] : counts) {
    if (shown++ == most)
      return text + fmt::format(", and {} more kinds", counts.size() - most);
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name);
  }
  return text.empty() ? "none" : text;
}

static void reportValues(const char *what,
                         const std::vector<DeclaredValue> &values,
                         std::string &text, Json &json) {
  constexpr size_t most = 6;
  json = Json::array();
  for (size_t i = 0; i < values.size(); ++i) {
    const DeclaredValue &value = values[i];
    json.push_back({{"name", value.name},
                    {"type", value.type},
                    {"shape", value.shape},
                    {"read", value.isRead},
                    {"bind_with", value.flags}});
    if (i < most)
      text += fmt::format(
          "{:<13}{}: {} of {}{}{}{}\n", what, value.name, value.type,
          value.shape,
          value.flags.empty() ? "" : ", open: ", fmt::join(value.flags, " "),
          value.isRead ? "" : ", not read");
  }
  if (values.size() > most)
    text += fmt::format("{:<13}... and {} more\n", what, values.size() - most);
}

static void reportSurvey(const ModelSurvey &survey, CommandOutput &output) {
  Json &json = output.json;
  std::string &text = output.text;
  json["producer"] = survey.producer;
  json["opsets"] = Json::object();
  std::string opsets;
  for (const auto &[domain, version] : survey.opsets) {
    json["opsets"][domain] = version;
    opsets +=
        fmt::format("{}{} {}", opsets.empty() ? "" : ", ", domain, version);
  }
  text += fmt::format("{:<13}ONNX{}, operator sets {}{}\n", "format",
                      survey.form == OnnxForm::Text ? " text" : "", opsets,
                      survey.producer.empty() ? "" : ", by " + survey.producer);
  std::vector<std::pair<std::string, int64_t>> counts;
  json["operators"] = Json::array();
  for (const ModelSurvey::OpCount &op : survey.ops) {
    counts.emplace_back(
        op.domain == "ai.onnx" ? op.op : op.domain + "." + op.op, op.count);
    json["operators"].push_back(
        {{"domain", op.domain}, {"op", op.op}, {"count", op.count}});
  }
  json["nodes"] = survey.nodes;
  json["functions"] = survey.functions;
  text += fmt::format("{:<13}{}: {}\n", "nodes", grouped(survey.nodes),
                      countsText(counts, 12));
  json["unsupported"] = Json::array();
  int64_t unsupported = 0;
  for (const UnsupportedOp &row : survey.unsupported) {
    unsupported += row.count;
    json["unsupported"].push_back({{"domain", row.domain},
                                   {"op", row.op},
                                   {"opset", row.opset},
                                   {"count", row.count},
                                   {"first_node", row.firstNode},
                                   {"reason", row.reason},
                                   {"nearest", row.nearest}});
  }
  if (unsupported)
    text += fmt::format("{:<13}{} nodes, of {} kinds (below)\n", "unsupported",
                        grouped(unsupported), survey.unsupported.size());
  reportValues("input", survey.inputs, text, json["inputs"]);
  reportValues("output", survey.outputs, text, json["outputs"]);
  json["parameters"] = survey.parameters;
  json["parameter_bytes"] = survey.parameterBytes;
  json["external_data"] = survey.externalData;
  text +=
      fmt::format("{:<13}{}, {} bytes{}\n", "parameters",
                  grouped(survey.parameters), grouped(survey.parameterBytes),
                  survey.externalData ? ", in external data" : "");
}

//===----------------------------------------------------------------------===//
// The network
//===----------------------------------------------------------------------===//

namespace {
struct Share {
  int64_t operations = 0, weights = 0, macs = 0;
  /// No chip needs fewer arrays: weights without regard to tiles.
  int64_t leastArrays = 0;
  std::map<std::string, int64_t> vector;
};
} // namespace

/// What the arrays can do of a network at the nn level.
static Share shareOf(mlir::ModuleOp module, const ChipSpec &chip) {
  Share share;
  double cells = 0;
  int64_t columns = std::max<int64_t>(1, chip.weightColumns(8));
  module.walk([&](mlir::Operation *op) {
    llvm::StringRef name = op->getName().getStringRef();
    if (!name.consume_front("nn.") || name == "constant")
      return;
    auto weighted = llvm::dyn_cast<nn::WeightMatrixOpInterface>(op);
    std::optional<nn::WeightMatrix> matrix =
        weighted ? weighted.getWeightMatrix() : std::nullopt;
    auto type =
        llvm::dyn_cast<mlir::RankedTensorType>(op->getResult(0).getType());
    // One column per group leaves an array nothing to share: vector work.
    if (!matrix || !type || (matrix->groups > 1 && matrix->columns == 1)) {
      ++share.vector[name.str()];
      return;
    }
    ++share.operations;
    share.weights += matrix->rows() * matrix->columns * matrix->groups;
    share.macs += matrix->rows() * type.getNumElements();
    if (matrix->groups == 1)
      cells += double(matrix->rows()) * double(matrix->columns);
  });
  share.leastArrays =
      int64_t(cells / (double(chip.macro.rows) * double(columns)));
  return share;
}

static void reportShare(const Share &share, const ChipSpec &chip,
                        CommandOutput &output) {
  output.json["array_operations"] = share.operations;
  output.json["array_weights"] = share.weights;
  output.json["array_macs"] = share.macs;
  output.json["arrays_at_least"] = share.leastArrays;
  output.json["arrays_total"] = chip.macros();
  output.json["vector_operations"] = Json(share.vector);
  std::vector<std::pair<std::string, int64_t>> vector(share.vector.begin(),
                                                      share.vector.end());
  std::stable_sort(
      vector.begin(), vector.end(),
      [](const auto &a, const auto &b) { return a.second > b.second; });
  output.text += fmt::format(
      "{:<13}{} matrix products, {} weights, {} multiply-adds a sample\n",
      "arrays", grouped(share.operations), grouped(share.weights),
      grouped(share.macs));
  output.text +=
      fmt::format("{:<13}{}\n", "vector units", countsText(vector, 12));
}

/// The phases behind the nn level.
static Status compileRest(CompileOptions &options, Compilation &compilation,
                          CommandOutput &output) {
  bool isQuantized = hasQuantizedTypes(compilation.module.get());
  bool ranges =
      !isQuantized && options.precision != "float" && options.calibrate.empty();
  output.json["quantized"] = isQuantized;
  output.json["run_time_ranges"] = ranges;
  output.text += fmt::format(
      "{:<13}{}\n", "precision",
      isQuantized ? "quantized already"
      : ranges    ? "float; ranges taken while running, --calibrate saves that"
      : options.calibrate.empty() ? options.precision
                                  : "float; ranges from --calibrate");
  options.to = Phase::Emit;
  return withProposals(options, [&](const CompileOptions &watched) {
    return runPhases(watched, compilation);
  });
}

static Status examine(const std::string &model, CompileOptions &options,
                      Compilation &compilation, CommandOutput &output) {
  Result<FileKind> kind = sniff(model);
  if (!kind)
    return kind.takeError();
  if (*kind == FileKind::Onnx || *kind == FileKind::OnnxText) {
    ImportOptions import;
    import.dims = options.dims;
    import.inputShapes = options.inputShapes;
    import.constantInputs = options.constantInputs;
    Result<ModelSurvey> survey = surveyONNX(model, import);
    if (!survey)
      return survey.takeError();
    reportSurvey(*survey, output);
  }
  Status status = importModel(model, options, compilation);
  output.json["import_s"] = compilation.seconds;
  if (!status)
    return status;
  Result<ChipSpec> chip =
      openChip(options.chip.empty() ? "card" : options.chip);
  if (!chip)
    return chip.takeError();
  output.json["chip"] = chip->name;
  if (compilation.reached < Phase::NN) {
    options.to = Phase::NN;
    if (status = runPhases(options, compilation); !status)
      return status;
  }
  if (compilation.reached == Phase::NN) {
    Share share = shareOf(compilation.module.get(), *chip);
    reportShare(share, *chip, output);
    if (share.leastArrays > chip->macros())
      return Error{
          ExitCode::DoesNotFit,
          fmt::format("{}: the weights need at least {} arrays of 8 bit "
                      "weights, chip '{}' has {}; 'cimc compile' says what "
                      "--split or fewer bits would come to",
                      model, grouped(share.leastArrays), chip->name,
                      grouped(chip->macros()))};
  }
  return compileRest(options, compilation, output);
}

//===----------------------------------------------------------------------===//
// The command
//===----------------------------------------------------------------------===//

Status cimc::doctorCommand(const CommandLine &line, CommandOutput &output) {
  const std::string &model = line.operands[0];
  Result<CompileOptions> parsed = compileOptions(line);
  if (!parsed)
    return parsed.takeError();
  CompileOptions options = std::move(*parsed);
  output.json["model"] = model;
  output.text = fmt::format("{:<13}{}\n", "model", model);
  Compilation compilation;
  Status status = examine(model, options, compilation, output);
  clearProgress();
  output.messages = compilation.messages;
  if (status && compilation.program) {
    Result<CostReport> cost = timeProgram(*compilation.program);
    if (!cost)
      return Error{ExitCode::Internal,
                   "the chip model cannot run the program: " +
                       cost.error().message};
    addCost(output.json, *compilation.program, *cost);
    output.text += fmt::format("{:<13}'{}', {} of {} arrays, {:.6g} us a "
                               "sample, one every {:.6g} us\n",
                               "chip", compilation.program->chip.name,
                               output.json["arrays_used"].get<int64_t>(),
                               output.json["arrays_total"].get<int64_t>(),
                               output.json["latency_ns"].get<double>() / 1000,
                               output.json["period_ns"].get<double>() / 1000);
  }
  output.json["would_compile"] = bool(status);
  output.json["compile_s"] = compilation.seconds;
  output.json["peak_rss_mb"] = peakMemoryMB();
  output.text += fmt::format("{:<13}{:.2f} s and at most {:.0f} MB\n",
                             "this took", compilation.seconds, peakMemoryMB());
  output.text += fmt::format(
      "{:<13}{}\n", "verdict",
      status
          ? "compiles"
          : fmt::format("does not compile, exit code {}; the message says why",
                        static_cast<int>(status.error().code)));
  return status;
}
