//===- ShowCommands.cpp - quantize, inspect, disasm, chips and ops --------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "cimc/Driver/Calibration.h"
#include "cimc/Driver/Files.h"
#include "cimc/Import/ONNX/Import.h"
#include "cimc/Quantize/Quantize.h"
#include "cimc/Support/File.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

using namespace cimc;

Result<Program> cimc::loadProgram(const std::string &path, int64_t *bytes) {
  Result<FileKind> kind = sniff(path);
  if (!kind)
    return kind.takeError();
  if (*kind != FileKind::Program)
    return Error{ExitCode::InvalidInput,
                 fmt::format("'{}' is {}, not a compiled program (.cimx)", path,
                             describe(*kind))};
  Result<std::string> content = readFile(path);
  if (!content)
    return content.takeError();
  if (bytes)
    *bytes = int64_t(content->size());
  return deserialize(reinterpret_cast<const uint8_t *>(content->data()),
                     content->size(), path);
}

/// The network in parts in a file; none where it is something else.
static Result<std::optional<SplitProgram>> readSplit(const std::string &path,
                                                     int64_t *bytes) {
  std::optional<SplitProgram> none;
  Result<FileKind> kind = sniff(path);
  if (!kind)
    return kind.takeError();
  if (*kind != FileKind::Program)
    return none;
  Result<std::string> content = readFile(path);
  if (!content)
    return content.takeError();
  auto *data = reinterpret_cast<const uint8_t *>(content->data());
  if (!holdsSplit(data, content->size()))
    return none;
  if (bytes)
    *bytes = int64_t(content->size());
  Result<SplitProgram> split = deserializeSplit(data, content->size(), path);
  if (!split)
    return split.takeError();
  return std::optional<SplitProgram>(std::move(*split));
}

Result<std::optional<SplitProgram>> cimc::loadSplit(const CommandLine &line,
                                                    int64_t *bytes) {
  if (line.has(Option::Part))
    return std::optional<SplitProgram>();
  auto split = readSplit(line.operands[0], bytes);
  if (split && *split && line.has(Option::Network))
    return Error{ExitCode::Usage,
                 fmt::format("--network: '{}' holds one network, in {} parts; "
                             "--part N takes one of them",
                             line.operands[0], (*split)->parts.size())};
  return split;
}

/// The part that --part names.
static Result<Program> loadPart(const CommandLine &line, int64_t *bytes) {
  if (line.has(Option::Network))
    return Error{ExitCode::Usage,
                 "--part chooses from a network in parts, --network from "
                 "several networks; give one or the other"};
  auto split = readSplit(line.operands[0], bytes);
  if (!split)
    return split.takeError();
  if (!*split)
    return Error{ExitCode::Usage,
                 fmt::format("--part chooses from a network in parts; '{}' is "
                             "none",
                             line.operands[0])};
  auto last = int64_t((*split)->parts.size()) - 1;
  Result<int64_t> part = line.integer(Option::Part, 0, 0, last);
  if (!part)
    return part.takeError();
  return std::move((*split)->parts[size_t(*part)]);
}

Result<Program> cimc::loadProgram(const CommandLine &line, int64_t *bytes) {
  if (line.has(Option::Part))
    return loadPart(line, bytes);
  Result<Program> program = loadProgram(line.operands[0], bytes);
  if (!program || !line.has(Option::Network))
    return program;
  Result<Program> one = extract(*program, line.get(Option::Network));
  if (!one)
    return Error{one.error().code, "--network: " + one.error().message};
  return one;
}

Status cimc::checkNoNetwork(const CommandLine &line) {
  if (line.has(Option::Part))
    return Error{ExitCode::Usage,
                 fmt::format("--part chooses from a network in parts; '{}' is "
                             "none",
                             line.operands[0])};
  if (!line.has(Option::Network))
    return {};
  return Error{ExitCode::Usage,
               fmt::format("--network chooses from a program of several "
                           "networks; '{}' is a model",
                           line.operands[0])};
}

Status cimc::checkNoCompileOptions(const CommandLine &line) {
  // evaluate --float compiles another model besides.
  bool hasModel = line.has(Option::Float);
  for (auto [option, name] :
       {std::pair(Option::Chip, "--chip"), std::pair(Option::Mode, "--mode"),
        std::pair(Option::Precision, "--precision"),
        std::pair(Option::Fit, "--fit"),
        std::pair(Option::MaxLatency, "--max-latency-us"),
        std::pair(Option::MaxPeriod, "--max-period-us"),
        std::pair(Option::MaxEnergy, "--max-energy-uj"),
        std::pair(Option::MaxDrop, "--max-drop"),
        std::pair(Option::MinCosine, "--min-cosine"),
        std::pair(Option::Table, "--table"),
        std::pair(Option::Calibrate, "--calibrate"),
        std::pair(Option::CalibrationMethod, "--calibration-method"),
        std::pair(Option::Rounding, "--rounding"),
        std::pair(Option::Seed, "--seed"),
        std::pair(Option::Effort, "--effort"),
        std::pair(Option::LoadPassPlugin, "--load-pass-plugin"),
        std::pair(Option::Replace, "--replace"),
        std::pair(Option::InputShape, "--input-shape"),
        std::pair(Option::ConstantInput, "--constant-input"),
        std::pair(Option::Dim, "--dim")}) {
    bool isOfModel = option == Option::InputShape || option == Option::Dim ||
                     option == Option::ConstantInput;
    if (line.has(option) && !(isOfModel && hasModel))
      return Error{ExitCode::Usage,
                   fmt::format("'{}' is compiled already: {} is for models",
                               line.operands[0], name)};
  }
  return {};
}

Status cimc::quantizeCommand(const CommandLine &line, CommandOutput &output) {
  const std::string &model = line.operands[0];
  Result<CompileOptions> parsed = compileOptions(line);
  if (!parsed)
    return parsed.takeError();
  CompileOptions options = std::move(*parsed);
  if (!line.has(Option::Output))
    return Error{ExitCode::Usage,
                 "cimc quantize: say where the model goes with -o FILE.onnx"};
  std::string path = line.get(Option::Output);
  Result<QuantizeOptions> quantize = quantizeOptions(options);
  if (!quantize)
    return quantize.takeError();
  // Standard pairs have one range for the whole tensor.
  quantize->rowRanges = false;
  if (options.calibrate.empty())
    return Error{ExitCode::Usage,
                 "quantizing needs samples to choose ranges from; give "
                 "--calibrate DIR|FILE.npz|FILE.npy"};
  if (path == "-" && line.has(Option::Json))
    return Error{ExitCode::Usage, "--json takes standard output; write the "
                                  "model with -o FILE.onnx"};
  if (path != "-")
    if (Status status = checkOutputFile(path, model); !status)
      return status;
  Compilation compilation;
  auto compile = [&]() -> Status {
    if (Status status = importModel(model, options, compilation); !status)
      return status;
    options.to = Phase::NN;
    if (compilation.reached > Phase::NN)
      return Error{ExitCode::Usage,
                   fmt::format("'{}' has finished phase '{}' and is no float "
                               "model",
                               model, info(compilation.reached).name)};
    if (Status status = runPhases(options, compilation); !status)
      return status;
    auto samples =
        openSamples(options.calibrate, compilation.inputs, options.images);
    if (!samples)
      return samples.takeError();
    output.json["samples"] = (*samples)->size();
    if (options.progress)
      options.progress("qnn");
    DiagnosticCollector collector(compilation.context.get());
    Status status = quantizeModule(compilation.module.get(), **samples,
                                   *quantize, &compilation.quantized);
    for (Message &message : collector.take())
      compilation.messages.push_back(std::move(message));
    return status;
  };
  Status status = compile();
  clearProgress();
  output.messages = compilation.messages;
  if (!status)
    return status;
  Result<std::string> bytes = exportONNX(compilation.module.get());
  if (!bytes)
    return bytes.takeError();
  output.json["model"] = model;
  output.json["output"] = path;
  output.json["output_sqnr_db"] = compilation.quantized.sqnrDb;
  output.json["output_cosine"] = compilation.quantized.cosine;
  output.json["quantization"] = quantizationJson(compilation.quantized);
  output.json["model_bytes"] = bytes->size();
  output.json["peak_rss_mb"] = peakMemoryMB();
  if (Status saved = saveTable(line, compilation); !saved)
    return saved;
  if (path == "-") {
    output.text = std::move(*bytes);
    return {};
  }
  output.text = fmt::format("{} -> {}: {} bytes, ranges from {} samples\n",
                            model, path, grouped(int64_t(bytes->size())),
                            output.json["samples"].get<int64_t>());
  output.text += quantizationText(compilation.quantized);
  if (line.has(Option::Explain))
    output.text += quantizationTable(compilation.quantized);
  return writeFileAtomically(path, *bytes);
}

Status cimc::inspectCommand(const CommandLine &line, CommandOutput &output) {
  int64_t bytes = 0;
  auto split = loadSplit(line, &bytes);
  if (!split)
    return split.takeError();
  if (*split) {
    output.text = inspect(**split, bytes);
    output.json = inspectJson(**split, bytes);
    return {};
  }
  Result<Program> program = loadProgram(line, &bytes);
  if (!program)
    return program.takeError();
  output.text = inspect(*program, bytes);
  output.json = inspectJson(*program, bytes);
  return {};
}

Status cimc::disasmCommand(const CommandLine &line, CommandOutput &output) {
  Result<Program> program = loadProgram(line);
  if (!program)
    return program.takeError();
  std::string text = disassemble(*program, line.has(Option::Complete));
  std::string path = line.get(Option::Output, "-");
  if (path == "-") {
    output.text = std::move(text);
    return {};
  }
  if (Status status = checkOutputFile(path, line.operands[0]); !status)
    return status;
  return writeFileAtomically(path, text);
}

Status cimc::asmCommand(const CommandLine &line, CommandOutput &output) {
  const std::string &source = line.operands[0];
  Result<std::string> text = readFile(source);
  if (!text)
    return text.takeError();
  std::string path = line.get(Option::Output, stemOf(source) + ".cimx");
  if (path == "-")
    return Error{ExitCode::Usage,
                 "a program is not text; write it with -o FILE.cimx"};
  if (Status status = checkOutputFile(path, source); !status)
    return status;
  Result<Program> program = assemble(*text, source);
  if (!program)
    return program.takeError();
  std::vector<uint8_t> bytes = serialize(*program);
  output.json = {{"source", source},
                 {"output", path},
                 {"program_bytes", bytes.size()},
                 {"instructions", program->instructionCount()}};
  output.text = fmt::format("{} -> {}: {} instructions, {} bytes\n", source,
                            path, grouped(program->instructionCount()),
                            grouped(int64_t(bytes.size())));
  return writeFileAtomically(
      path, {reinterpret_cast<const char *>(bytes.data()), bytes.size()});
}

Status cimc::opsCommand(const CommandLine &, CommandOutput &output) {
  Json list = Json::array();
  for (const SupportedOp &op : supportedOps()) {
    std::string name = op.domain.empty() ? op.op : op.domain + "." + op.op;
    list.push_back({{"domain", op.domain},
                    {"op", op.op},
                    {"opsets", op.versions},
                    {"constraints", op.constraints}});
    std::string row =
        fmt::format("{:<32}{:<10}{}", name, op.versions, op.constraints);
    output.text += row.substr(0, row.find_last_not_of(' ') + 1) + "\n";
  }
  output.json["ops"] = std::move(list);
  return {};
}
