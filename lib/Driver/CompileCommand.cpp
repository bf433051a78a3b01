//===- CompileCommand.cpp - cimc compile ----------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "cimc/Driver/Calibration.h"
#include "cimc/Driver/Files.h"
#include "cimc/Driver/TensorFile.h"
#include "cimc/Sim/Simulator.h"
#include "cimc/Support/File.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>

#include <chrono>

#include <cmath>

#include <sys/stat.h>

using namespace cimc;

static Error usage(std::string message) {
  return {ExitCode::Usage, std::move(message)};
}

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

/// "1x3x224x224" as numbers.
static bool parseShape(llvm::StringRef text, std::vector<int64_t> &shape) {
  if (text.empty())
    return false;
  llvm::SmallVector<llvm::StringRef> parts;
  text.split(parts, 'x');
  for (llvm::StringRef part : parts) {
    int64_t value;
    if (part.getAsInteger(10, value) || value < 0)
      return false;
    shape.push_back(value);
  }
  return true;
}

/// "0.485,0.456,0.406" as numbers.
static Result<std::vector<float>> parseNumbers(const CommandLine &line,
                                               Option option, const char *name,
                                               std::vector<float> fallback) {
  if (!line.has(option))
    return fallback;
  std::string text = line.get(option);
  llvm::SmallVector<llvm::StringRef> parts;
  llvm::StringRef(text).split(parts, ',');
  std::vector<float> numbers;
  for (llvm::StringRef part : parts) {
    double value;
    if (part.trim().getAsDouble(value) || !std::isfinite(float(value)))
      return usage(fmt::format("{}: '{}' is not a number or a list of numbers "
                               "with commas",
                               name, text));
    numbers.push_back(float(value));
  }
  return numbers;
}

static Result<ImageOptions> imageOptions(const CommandLine &line) {
  ImageOptions images;
  Result<int64_t> resize = line.integer(Option::Resize, 0, 1, 65536);
  if (!resize)
    return resize.takeError();
  images.resize = *resize;
  Result<double> divide = line.real(Option::PixelDivide, 1);
  if (!divide)
    return divide.takeError();
  images.divide = float(*divide);
  auto mean = parseNumbers(line, Option::PixelMean, "--pixel-mean",
                           std::move(images.mean));
  if (!mean)
    return mean.takeError();
  images.mean = std::move(*mean);
  auto std = parseNumbers(line, Option::PixelStd, "--pixel-std",
                          std::move(images.std));
  if (!std)
    return std.takeError();
  images.std = std::move(*std);
  images.std.push_back(images.divide);
  if (llvm::is_contained(images.std, 0.0f))
    return usage("--pixel-divide and --pixel-std: pixels cannot be divided by "
                 "0");
  images.std.pop_back();
  images.bgr = line.get(Option::PixelOrder) == "bgr";
  return images;
}

/// The table and the search for bits.
static Status quantizationOptions(const CommandLine &line,
                                  CompileOptions &options) {
  const std::pair<Option, const char *> ofSamples[] = {
      {Option::Table, "--table"}, {Option::SaveTable, "--save-table"}};
  for (const auto &[option, name] : ofSamples)
    if (line.has(option) && !line.has(Option::Calibrate))
      return usage(fmt::format("{}: bits and ranges are chosen from samples; "
                               "give --calibrate too",
                               name));
  bool isMixed = options.precision == "mixed";
  if (isMixed && !line.has(Option::Calibrate))
    return usage("--precision mixed: what a layer loses with fewer bits is "
                 "measured on samples; give --calibrate too");
  if (options.precision == "w8a16" && !line.has(Option::Calibrate))
    return usage("--precision w8a16: ranges of 16 bits come from samples; give "
                 "--calibrate too");
  const std::pair<Option, const char *> ofSearch[] = {
      {Option::Fit, "--fit"},
      {Option::MaxLatency, "--max-latency-us"},
      {Option::MaxPeriod, "--max-period-us"},
      {Option::MaxEnergy, "--max-energy-uj"},
      {Option::MaxDrop, "--max-drop"},
      {Option::MinCosine, "--min-cosine"}};
  for (const auto &[option, name] : ofSearch)
    if (line.has(option) && !isMixed)
      return usage(fmt::format("{} is for --precision mixed", name));
  bool hasLimit = line.has(Option::MaxDrop) || line.has(Option::MinCosine);
  options.fit = line.get(Option::Fit);
  const std::pair<Option, std::optional<double> *> budgets[] = {
      {Option::MaxLatency, &options.budget.latencyUs},
      {Option::MaxPeriod, &options.budget.periodUs},
      {Option::MaxEnergy, &options.budget.energyUj}};
  for (const auto &[option, most] : budgets)
    if (line.has(option)) {
      Result<double> number = line.real(option, 0);
      if (!number)
        return number.takeError();
      *most = *number;
    }
  if ((line.has(Option::Fit) || options.budget.isGiven()) && hasLimit)
    return usage("--fit and budgets take the most accurate network, "
                 "--max-drop and --min-cosine the smallest; give one or the "
                 "other");
  if (line.has(Option::MaxDrop)) {
    Result<double> drop = line.real(Option::MaxDrop, 0);
    if (!drop)
      return drop.takeError();
    options.maxDropDb = *drop;
  }
  if (line.has(Option::MinCosine)) {
    Result<double> cosine = line.real(Option::MinCosine, 0);
    if (!cosine)
      return cosine.takeError();
    if (*cosine > 1)
      return usage("--min-cosine: a cosine is at most 1");
    options.minCosine = *cosine;
  }
  if (!line.has(Option::Table))
    return {};
  std::string path = line.get(Option::Table);
  Result<std::string> text = readFile(path);
  if (!text)
    return text.takeError();
  Result<QuantizationTable> table = parseTable(*text);
  if (!table)
    return Error{table.error().code,
                 fmt::format("{}: {}", path, table.error().message)};
  options.table = std::move(*table);
  return {};
}

Result<CompileOptions> cimc::compileOptions(const CommandLine &line) {
  CompileOptions options;
  options.chip = line.get(Option::Chip);
  if (line.has(Option::Chip) && options.chip.empty())
    return usage("--chip: no name given; see 'cimc chips'");
  options.mode = line.get(Option::Mode, options.mode);
  options.precision = line.get(Option::Precision, options.precision);
  options.calibrate = line.get(Option::Calibrate);
  options.method = line.get(Option::CalibrationMethod, options.method);
  options.rounding = line.get(Option::Rounding, options.rounding);
  options.reportLayers = line.has(Option::Explain) || line.has(Option::Json) ||
                         line.has(Option::Report) ||
                         line.has(Option::SaveTable) ||
                         options.precision == "mixed";
  if (Status status = quantizationOptions(line, options); !status)
    return status.takeError();
  if (line.has(Option::Calibrate) && !fileExists(options.calibrate))
    return Error{
        ExitCode::InvalidInput,
        fmt::format("--calibrate: '{}' does not exist", options.calibrate)};
  Result<ImageOptions> images = imageOptions(line);
  if (!images)
    return images.takeError();
  options.images = std::move(*images);
  for (const std::string &text : line.all(Option::InputShape)) {
    // Names may contain '='; shapes do not.
    size_t equals = text.rfind('=');
    std::vector<int64_t> shape;
    if (equals == std::string::npos || equals == 0 ||
        !parseShape(llvm::StringRef(text).drop_front(equals + 1), shape))
      return usage(fmt::format(
          "--input-shape: '{}' is not of the form NAME=1x3x224x224", text));
    std::string name = text.substr(0, equals);
    for (const auto &[other, value] : options.inputShapes)
      if (other == name)
        return usage(fmt::format("--input-shape: input '{}' is given twice, {} "
                                 "and {}",
                                 name, shapeString(value), shapeString(shape)));
    options.inputShapes.emplace_back(std::move(name), std::move(shape));
  }
  for (const std::string &text : line.all(Option::ConstantInput)) {
    size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return usage(fmt::format("--constant-input: '{}' is not of the form "
                               "NAME=FILE",
                               text));
    std::string name = text.substr(0, equals);
    for (const auto &[other, tensor] : options.constantInputs)
      if (other == name)
        return usage(
            fmt::format("--constant-input: input '{}' is given twice", name));
    Result<HostTensor> tensor = readTensor(text.substr(equals + 1));
    if (!tensor)
      return tensor.takeError();
    options.constantInputs.emplace_back(std::move(name), std::move(*tensor));
  }
  for (const std::string &text : line.all(Option::Dim)) {
    size_t equals = text.rfind('=');
    int64_t value = 0;
    if (equals == std::string::npos || equals == 0 ||
        llvm::StringRef(text).drop_front(equals + 1).getAsInteger(10, value) ||
        value < 0)
      return usage(
          fmt::format("--dim: '{}' is not of the form NAME=N with N of "
                      "at least 0",
                      text));
    std::string name = text.substr(0, equals);
    for (const auto &[other, first] : options.dims)
      if (other == name)
        return usage(fmt::format("--dim: dimension '{}' is given twice, {} and "
                                 "{}",
                                 name, first, value));
    options.dims.emplace_back(std::move(name), value);
  }
  for (const std::string &plugin : line.all(Option::LoadPassPlugin))
    if (Status status = loadPassPlugin(plugin); !status)
      return status.takeError();
  for (const std::string &text : line.all(Option::Replace)) {
    Result<PassReplacement> replacement = parseReplacement(text);
    if (!replacement)
      return replacement.takeError();
    for (const PassReplacement &other : options.replace)
      if (other.pass == replacement->pass)
        return usage(fmt::format("--replace: '{}' is replaced twice, by '{}' "
                                 "and '{}'",
                                 other.pass, other.pipeline,
                                 replacement->pipeline));
    options.replace.push_back(std::move(*replacement));
  }
  if (line.has(Option::From)) {
    Result<Phase> phase = parsePhase(line.get(Option::From));
    if (!phase)
      return usage("--from: " + phase.error().message);
    options.from = *phase;
  }
  Result<int64_t> threads = line.integer(Option::Threads, 0, 1, 4096);
  if (!threads)
    return threads.takeError();
  options.threads = unsigned(*threads);
  Result<int64_t> seed = line.integer(Option::Seed, 0, 0, INT64_MAX);
  if (!seed)
    return seed.takeError();
  options.seed = uint64_t(*seed);
  Result<int64_t> effort = line.integer(Option::Effort, 1, 1, 1000);
  if (!effort)
    return effort.takeError();
  options.effort = *effort;
  options.progress = terminalProgress(line.has(Option::Json));
  return options;
}

Status cimc::checkOutputFile(const std::string &path,
                             const std::string &source) {
  if (path.empty())
    return usage("no name given for the file to write");
  if (isSameFile(path, source))
    return usage(fmt::format("cannot write '{}': it is the file that is read; "
                             "give another name",
                             path));
  if (isDirectory(path))
    return usage(fmt::format("cannot write '{}': it is a directory", path));
  size_t slash = path.rfind('/');
  std::string directory = slash == std::string::npos ? "."
                          : slash == 0               ? "/"
                                                     : path.substr(0, slash);
  if (!isDirectory(directory))
    return usage(fmt::format("cannot write '{}': there is no directory '{}'",
                             path, directory));
  return {};
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

namespace {
/// What LLVM prints, on its way into a file.
class SinkStream : public llvm::raw_ostream {
public:
  explicit SinkStream(const FileSink &write) : write(write) {}
  ~SinkStream() override { flush(); }

private:
  void write_impl(const char *data, size_t size) override {
    write({data, size});
    position += size;
  }
  uint64_t current_pos() const override { return position; }

  const FileSink &write;
  uint64_t position = 0;
};
} // namespace

/// A module as text; `locations`: with the places in the model, so that a later
/// `--from` knows them.
static void printModule(mlir::ModuleOp module, bool locations,
                        llvm::raw_ostream &stream) {
  mlir::OpPrintingFlags flags;
  if (locations)
    flags.enableDebugInfo(/*enable=*/true, /*prettyForm=*/false);
  module->print(stream, flags);
  stream << "\n";
}

/// Writes a module into a file: as bytecode where its name ends in .mlirbc,
/// else as text. Weights go from where they are into the file.
static Status writeModule(mlir::ModuleOp module, const std::string &path) {
  return writeFileAtomically(path, [&](const FileSink &write) -> Status {
    SinkStream stream(write);
    if (!llvm::StringRef(path).ends_with(".mlirbc"))
      printModule(module, /*locations=*/true, stream);
    else if (mlir::failed(mlir::writeBytecodeToFile(module, stream)))
      return Error{ExitCode::Internal,
                   "the module cannot be written as bytecode"};
    stream.flush();
    return {};
  });
}

/// Writes the module after each phase into the report's directory, weights
/// elided.
static Status dumpPhase(const std::string &directory, Phase phase,
                        mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  mlir::OpPrintingFlags flags;
  flags.elideLargeElementsAttrs(64).elideLargeResourceString(256);
  module->print(stream, flags);
  return writeFileAtomically(fmt::format("{}/{}-{}.mlir", directory,
                                         static_cast<int>(phase),
                                         info(phase).name),
                             text + "\n");
}

static Status writeReport(const std::string &directory, const Program &program,
                          const CostReport &cost, const CommandOutput &output) {
  const std::pair<const char *, std::string> files[] = {
      {"summary.txt", output.text},
      {"report.json", dump(output.json)},
      {"layers.csv", layerCsv(cost)},
      {"program.asm", disassemble(program)}};
  for (const auto &[name, text] : files)
    if (Status status = writeFileAtomically(directory + "/" + name, text);
        !status)
      return status;
  return {};
}

/// What a sample would cost if the model were calibrated: with ranges from an
/// invented sample, as costs do not depend on ranges.
static Result<CostReport> calibratedCost(const std::string &model,
                                         CompileOptions options) {
  options.observer = nullptr;
  options.to = Phase::NN;
  Compilation compilation;
  if (Status status = compileModel(model, options, compilation); !status)
    return status.takeError();
  Result<QuantizeOptions> quantize = quantizeOptions(options);
  if (!quantize)
    return quantize.takeError();
  quantize->rounding = "nearest";
  quantize->biasCorrection = quantize->equalize = false;
  std::unique_ptr<SampleSource> sample = inventSample(compilation.inputs);
  DiagnosticCollector collector(compilation.context.get());
  Status status = quantizeModule(compilation.module.get(), *sample, *quantize);
  collector.take();
  options.to = Phase::Emit;
  if (status)
    status = runPhases(options, compilation);
  if (!status)
    return status.takeError();
  return timeProgram(*compilation.program);
}

/// Says that ranges are taken while running, and what calibrating would cost.
static void reportRanges(const std::string &model,
                         const CompileOptions &options,
                         const Compilation &compilation, const CostReport &cost,
                         CommandOutput &output) {
  output.json["run_time_ranges"] = compilation.runTimeRanges;
  if (compilation.runTimeRanges == 0 || !options.calibrate.empty())
    return;
  std::string gain;
  // Where it cannot be had, the program is there all the same.
  if (Result<CostReport> other = calibratedCost(model, options)) {
    gain = fmt::format(", which here is {:.4g} us and {:.4g} uJ a sample "
                       "instead of {:.4g} and {:.4g}",
                       other->latency_ns / 1000, other->energy_nj / 1000,
                       cost.latency_ns / 1000, cost.energy_nj / 1000);
    output.json["calibrated_latency_ns"] = other->latency_ns;
    output.json["calibrated_period_ns"] = other->period_ns;
    output.json["calibrated_energy_nj"] = other->energy_nj;
  }
  output.text += fmt::format(
      "ranges       of {} sums of products are taken while running; "
      "--calibrate takes them before{}\n",
      compilation.runTimeRanges, gain);
}

Status cimc::saveTable(const CommandLine &line,
                       const Compilation &compilation) {
  if (!line.has(Option::SaveTable))
    return {};
  return writeFileAtomically(line.get(Option::SaveTable),
                             printTable(compilation.quantized.table));
}

//===----------------------------------------------------------------------===//
// The command
//===----------------------------------------------------------------------===//

Status cimc::compileCommand(const CommandLine &line, CommandOutput &output) {
  if (line.operands.size() > 1)
    return compileNetworks(line, output);
  const std::string &model = line.operands[0];
  Result<CompileOptions> parsed = compileOptions(line);
  if (!parsed)
    return parsed.takeError();
  CompileOptions options = std::move(*parsed);
  if (line.has(Option::Split))
    return compileSplit(line, std::move(options), output);
  for (auto [option, name] : {std::pair(Option::Parts, "--parts"),
                              std::pair(Option::Batch, "--batch")})
    if (line.has(option))
      return usage(fmt::format("{} is for --split", name));
  std::string to = line.get(Option::To, "cimx");
  bool assembly = to == "asm";
  Result<Phase> phase = parsePhase(assembly ? "cimx" : to);
  if (!phase)
    return usage("--to: " + phase.error().message + ", and asm");
  options.to = *phase;
  bool binary = options.to == Phase::Emit && !assembly;
  std::string path =
      line.get(Option::Output, binary ? stemOf(model) + ".cimx" : "-");
  bool toStdout = path == "-";
  bool json = line.has(Option::Json);
  if (line.has(Option::Faults) && options.to != Phase::Emit)
    return usage("--faults repairs a finished program; it needs --to cimx or "
                 "asm");
  if (line.has(Option::Effort) && options.to < Phase::Schedule)
    return usage("--effort times programs; it needs --to sched or later");
  if (toStdout && json && (!binary || line.has(Option::Output)))
    return usage("--json takes standard output; write the result with -o FILE");
  if (!toStdout)
    if (Status status = checkOutputFile(path, model); !status)
      return status;
  std::string report = line.get(Option::Report);
  if (line.has(Option::Report)) {
    if (Status status = makeDirectory(report); !status)
      return status;
    options.observer = [&](Phase done, mlir::ModuleOp module) {
      return dumpPhase(report, done, module);
    };
  }

  Compilation compilation;
  Status status = withProposals(options, [&](const CompileOptions &watched) {
    return compileModel(model, watched, compilation);
  });
  output.messages = compilation.messages;
  clearProgress();
  if (!status)
    return status;
  if (line.has(Option::Effort) &&
      llvm::none_of(compilation.times, [](const PhaseTime &time) {
        return time.phase == Phase::Place;
      }))
    return usage(fmt::format("--effort: '{}' is placed already", model));

  if (!compilation.program) {
    if (toStdout) {
      llvm::raw_string_ostream stream(output.text);
      printModule(compilation.module.get(), /*locations=*/false, stream);
    } else if (Status written = writeModule(compilation.module.get(), path);
               !written) {
      return written;
    }
    output.json = {{"model", model},
                   {"phase", to},
                   {"output", path},
                   {"compile_s", compilation.seconds},
                   {"peak_rss_mb", peakMemoryMB()}};
    return {};
  }

  Program &program = *compilation.program;
  std::optional<RepairReport> repaired;
  if (line.has(Option::Faults)) {
    Result<FaultModel> faults =
        readFaults(line.get(Option::Faults), program.chip);
    if (!faults)
      return faults.takeError();
    repaired = repair(program, *faults);
  }
  std::vector<uint8_t> bytes = serialize(program);
  if (toStdout) {
    output.text = disassemble(program);
    return {};
  }
  std::string_view content(reinterpret_cast<const char *>(bytes.data()),
                           bytes.size());
  std::string text = assembly ? disassemble(program) : std::string();
  if (Status written = writeFileAtomically(
          path, assembly ? std::string_view(text) : content);
      !written)
    return written;

  auto start = std::chrono::steady_clock::now();
  Result<CostReport> cost = timeProgram(program, line.has(Option::Explain));
  std::chrono::duration<double> timing =
      std::chrono::steady_clock::now() - start;
  if (!cost)
    return Error{ExitCode::Internal, "the chip model cannot run the program: " +
                                         cost.error().message};
  output.json = {{"model", model},
                 {"output", path},
                 {"chip", program.chip.name},
                 {"mode", options.mode}};
  addCost(output.json, program, *cost);
  output.json["program_bytes"] = bytes.size();
  if (repaired)
    output.json["repair"] = repairJson(*repaired);
  output.json["inputs"] = ioJson(programIO(program, false));
  output.json["outputs"] = ioJson(programIO(program, true));
  if (!compilation.quantized.layers.empty()) {
    output.json["output_sqnr_db"] = compilation.quantized.sqnrDb;
    output.json["output_cosine"] = compilation.quantized.cosine;
    output.json["quantization"] = quantizationJson(compilation.quantized);
  }
  Json times = Json::object();
  for (const PhaseTime &time : compilation.times)
    times[info(time.phase).name] = time.seconds;
  output.json["phases_s"] = std::move(times);
  output.json["compile_s"] = compilation.seconds;
  output.json["timing_s"] = timing.count();
  output.json["peak_rss_mb"] = peakMemoryMB();

  output.text = fmt::format("{} -> {}\n", model, path);
  output.text += summary(program, *cost, int64_t(bytes.size()));
  if (repaired)
    output.text += repairText(*repaired);
  reportRanges(model, options, compilation, *cost, output);
  output.text += quantizationText(compilation.quantized);
  if (options.precision == "mixed" && !line.has(Option::Explain))
    output.text += quantizationTable(compilation.quantized) + "\n";
  output.text += fmt::format("compiled in {:.2f} s with at most {:.0f} MB\n",
                             compilation.seconds, peakMemoryMB());
  if (Status saved = saveTable(line, compilation); !saved)
    return saved;
  if (line.has(Option::Explain)) {
    output.text += "\n" + layerTable(*cost) + "\n" + criticalPathTable(*cost);
    output.text += quantizationTable(compilation.quantized);
    for (const Message &message : compilation.messages)
      if (message.severity == "remark")
        output.text += format(message) + "\n";
  }
  if (!report.empty())
    if (Status written = writeReport(report, program, *cost, output); !written)
      return written;
  return {};
}
