//===- SplitCommand.cpp - cimc compile, of a network in parts -------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The integer network is cut into modules (nn-partition), and each is compiled
// like a network of its own. Cutting estimates; where a part turns out not to
// fit, the network is cut again so that no part contains it.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "cimc/Driver/Files.h"
#include "cimc/Mapping/PartitionEstimate.h"
#include "cimc/Sim/SplitSimulator.h"
#include "cimc/Support/File.h"
#include "cimc/Target/CostModel.h"

#include "CIM/CIM.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>

#include <map>

using namespace cimc;

static Error usage(std::string message) {
  return {ExitCode::Usage, std::move(message)};
}

namespace {
using Modules = std::vector<mlir::OwningOpRef<mlir::ModuleOp>>;
using Range = std::pair<int64_t, int64_t>; ///< of operations

/// Compiles the parts of a network at the nn level that is bound to its chip.
class PartsCompiler {
public:
  PartsCompiler(const CompileOptions &options, SplitGoal goal, int64_t parts)
      : options(options), goal(goal), parts(parts) {
    this->options.chip.clear(); // the module has it
    this->options.to = Phase::Emit;
  }

  Result<std::vector<Program>> compile(mlir::ModuleOp network,
                                       const std::string &name);

  std::vector<Message> messages;
  double seconds = 0;

private:
  Result<Modules> cut(mlir::ModuleOp network, const std::string &name);
  /// Compiles a part, if it has not been; its program, or why it does not fit.
  Status compilePart(mlir::ModuleOp part, Range range);

  CompileOptions options;
  SplitGoal goal;
  int64_t parts;
  std::vector<Range> apart; ///< no part that contains one of them fits
  std::map<Range, Program> programs;
};
} // namespace

Result<Modules> PartsCompiler::cut(mlir::ModuleOp network,
                                   const std::string &name) {
  mlir::OwningOpRef<mlir::ModuleOp> copy = network.clone();
  mlir::MLIRContext *context = network.getContext();
  DiagnosticCollector collector(context);
  mlir::PassManager pm(context, mlir::ModuleOp::getOperationName());
  std::string problem, ranges;
  for (auto [begin, end] : apart)
    ranges +=
        fmt::format("{}{},{}", ranges.empty() ? " apart=" : ",", begin, end);
  llvm::raw_string_ostream stream(problem);
  std::string pipeline =
      fmt::format("nn-partition{{parts={} goal={} name={}{}}}", parts,
                  cimc::name(goal), name, ranges);
  bool isCut = mlir::succeeded(mlir::parsePassPipeline(pipeline, pm, stream)) &&
               mlir::succeeded(pm.run(copy.get()));
  for (const Message &message : collector.take()) {
    if (message.severity == "error")
      problem += (problem.empty() ? "" : "\n") + format(message);
    messages.push_back(message);
  }
  if (!isCut)
    return Error{ExitCode::DoesNotFit, problem};
  Modules result;
  for (auto part : copy->getOps<mlir::ModuleOp>())
    result.push_back(part.clone());
  return result;
}

Status PartsCompiler::compilePart(mlir::ModuleOp part, Range range) {
  if (programs.count(range))
    return {};
  if (options.progress)
    options.progress(part.getSymName().value_or("").str().c_str());
  Compilation compilation;
  compilation.module = part.clone();
  compilation.reached = Phase::Quantize;
  Status status = runPhases(options, compilation);
  seconds += compilation.seconds;
  if (!status)
    return status;
  messages.insert(messages.end(), compilation.messages.begin(),
                  compilation.messages.end());
  programs.emplace(range, std::move(*compilation.program));
  return {};
}

Result<std::vector<Program>> PartsCompiler::compile(mlir::ModuleOp network,
                                                    const std::string &name) {
  // Of a long part that does not fit, one a little shorter at both ends does
  // not either, as a rule.
  constexpr int64_t shortenBy = 16;
  while (true) {
    Result<Modules> modules = cut(network, name);
    if (!modules)
      return modules.takeError();
    std::vector<Range> ranges;
    bool fits = true;
    for (const auto &part : *modules) {
      auto operations =
          part.get()->getAttrOfType<mlir::DenseI64ArrayAttr>("nn.operations");
      Range range = {operations[0], operations[1]};
      ranges.push_back(range);
      Status status = compilePart(part.get(), range);
      if (status)
        continue;
      if (status.error().code != ExitCode::DoesNotFit)
        return status.takeError();
      auto [begin, end] = range;
      if (end - begin < 2)
        return Error{ExitCode::DoesNotFit,
                     fmt::format("a network is cut between operations, and one "
                                 "alone does not fit: {}",
                                 status.error().message)};
      int64_t shorter = (end - begin) / shortenBy;
      apart.emplace_back(begin + shorter, end - shorter);
      fits = false;
    }
    if (!fits)
      continue;
    std::vector<Program> result;
    for (Range range : ranges)
      result.push_back(std::move(programs.at(range)));
    return result;
  }
}

/// What values between parts are called begins like no input or output.
static std::string partName(const Compilation &compilation) {
  std::string name = "part";
  auto begins = [&](const ModelIO &io) { return io.name.rfind(name, 0) == 0; };
  while (llvm::any_of(compilation.inputs, begins) ||
         llvm::any_of(compilation.outputs, begins))
    name += "_";
  return name;
}

static Status checkOptions(const CommandLine &line) {
  for (auto [option, name] :
       {std::pair(Option::To, "--to"), std::pair(Option::Report, "--report"),
        std::pair(Option::Faults, "--faults"),
        std::pair(Option::Explain, "--explain")})
    if (line.has(option))
      return usage(fmt::format("{} is for one program; --split makes one for "
                               "each part",
                               name));
  if (line.has(Option::Batch) && line.get(Option::Split) == "cards")
    return usage("--batch is for --split reprogram: cards are written once");
  // Both are of the whole network on one chip.
  for (auto [option, name] : {std::pair(Option::MaxLatency, "--max-latency-us"),
                              std::pair(Option::MaxPeriod, "--max-period-us"),
                              std::pair(Option::MaxEnergy, "--max-energy-uj")})
    if (line.has(option))
      return usage(fmt::format("{} is a budget of one program; it does not "
                               "hold for parts",
                               name));
  if (line.get(Option::Precision) == "mixed" && !line.has(Option::Fit) &&
      !line.has(Option::MaxDrop) && !line.has(Option::MinCosine))
    return usage("--precision mixed fits the weights to one chip, which is too "
                 "small where --split is needed; say with --fit CHIP what they "
                 "are to fit, give a limit with --max-drop or --min-cosine, or "
                 "take --precision w4a8");
  return {};
}

Status cimc::compileSplit(const CommandLine &line, CompileOptions options,
                          CommandOutput &output) {
  if (Status status = checkOptions(line); !status)
    return status;
  constexpr int64_t defaultBatch = 256;
  Result<int64_t> batch =
      line.integer(Option::Batch, defaultBatch, 1, INT32_MAX);
  if (!batch)
    return batch.takeError();
  Result<int64_t> parts = line.integer(Option::Parts, 1, 1, 65536);
  if (!parts)
    return parts.takeError();
  const std::string &model = line.operands[0];
  std::string path = line.get(Option::Output, stemOf(model) + ".cimx");
  if (path == "-")
    return usage("--split makes a program; write it with -o FILE.cimx");
  if (Status status = checkOutputFile(path, model); !status)
    return status;
  Result<ChipSpec> chip =
      openChip(options.chip.empty() ? "card" : options.chip);
  if (!chip)
    return chip.takeError();

  SplitProgram split;
  split.goal = line.get(Option::Split) == "cards" ? SplitGoal::Cards
                                                  : SplitGoal::Reprogram;
  split.batch = split.goal == SplitGoal::Cards ? 1 : *batch;
  options.to = Phase::Quantize;
  Compilation compilation;
  PartsCompiler compiler(options, split.goal, *parts);
  Status status = compileModel(model, options, compilation);
  if (status) {
    mlir::ModuleOp module = compilation.module.get();
    module->setAttr(cim::kChipAttrName,
                    cim::getChipAttr(module.getContext(), *chip));
    auto programs = compiler.compile(module, partName(compilation));
    if (programs)
      split.parts = std::move(*programs);
    else
      status = programs.takeError();
    compilation.module = nullptr;
  }
  clearProgress();
  output.messages = compilation.messages;
  output.messages.insert(output.messages.end(), compiler.messages.begin(),
                         compiler.messages.end());
  if (!status)
    return status;
  if (split.parts.size() < 2)
    return usage(fmt::format(
        "--split: the network fits '{}' in one part; "
        "leave --split away{}",
        chip->name,
        line.has(Option::Parts) ? "" : ", or ask for parts with --parts N"));
  split.model = stemOf(model);
  for (const ModelIO &io : compilation.inputs)
    split.inputs.push_back(io.name);
  for (const ModelIO &io : compilation.outputs)
    split.outputs.push_back(io.name);
  for (size_t i = 0; i < split.parts.size(); ++i)
    split.parts[i].model = fmt::format("{}.{}", split.model, i);
  if (Status safe = verify(split); !safe)
    return Error{ExitCode::Internal,
                 "the network in parts does not pass the verifier: " +
                     safe.error().message};
  std::vector<uint8_t> bytes = serialize(split);
  if (Status written = writeFileAtomically(
          path, {reinterpret_cast<const char *>(bytes.data()), bytes.size()});
      !written)
    return written;
  if (Status saved = saveTable(line, compilation); !saved)
    return saved;

  Result<SplitCost> cost = SplitSimulator(split).time();
  if (!cost)
    return Error{ExitCode::Internal, "the chip model cannot run the program: " +
                                         cost.error().message};
  double seconds = compilation.seconds + compiler.seconds;
  output.json = {{"model", model}, {"output", path}, {"mode", options.mode}};
  addSplitCost(output.json, split, *cost);
  output.json["program_bytes"] = bytes.size();
  output.json["inputs"] = ioJson(programIO(split, false));
  output.json["outputs"] = ioJson(programIO(split, true));
  output.json["run_time_ranges"] = compilation.runTimeRanges;
  output.json["compile_s"] = seconds;
  output.json["peak_rss_mb"] = peakMemoryMB();
  output.text = fmt::format("{} -> {}\n", model, path);
  output.text += splitSummary(split, *cost);
  output.text += quantizationText(compilation.quantized);
  output.text += fmt::format("compiled in {:.2f} s with at most {:.0f} MB\n",
                             seconds, peakMemoryMB());
  return {};
}

//===----------------------------------------------------------------------===//
// What would fit
//===----------------------------------------------------------------------===//

/// Writing so many arrays in full, with what the chip can write at once.
static Cost writingCost(const ChipSpec &chip, int64_t arrays,
                        WriteProfile profile) {
  std::vector<std::vector<int64_t>> chiplets(size_t(chip.chiplets()));
  for (int64_t i = 0; i < arrays; ++i)
    chiplets[size_t(i % chip.chiplets())].push_back(chip.macro.rows *
                                                    chip.macro.columns);
  return CostModel(chip).program(chiplets, profile);
}

/// Lines to add to a message; "" where nothing helps. `network`: at phase qnn.
static std::string proposals(mlir::ModuleOp network, const ChipSpec &chip,
                             const CompileOptions &options) {
  PartitionEstimate all = estimatePartition(network, chip);
  std::string text;
  if (all.parts > 0) {
    // Where the weights alone have room, something else has not, and smaller
    // parts are what helps.
    int64_t parts = std::max<int64_t>(all.parts, 2);
    std::string between =
        all.parts < 2 ? ""
                      : fmt::format(", {} KB a sample",
                                    grouped((all.betweenBytes + 999) / 1000));
    Cost own = writingCost(chip, all.arrays, WriteProfile::Foundry),
         fast = writingCost(chip, all.arrays, WriteProfile::Fast);
    text += fmt::format(
        "\n  --split reprogram [--batch N]: in {} parts at least, one after "
        "the other, {} arrays written for each batch in about {} (profile "
        "'fast': {}){}{}",
        parts, grouped(all.arrays), withUnit(own.ns, "s"),
        withUnit(fast.ns, "s"), between,
        between.empty() ? "" : " waiting on the host in between");
    text += fmt::format("\n  --split cards: on {} cards at least{}{}", parts,
                        between, between.empty() ? "" : " from card to card");
  }
  constexpr int64_t narrowBits = 4;
  PartitionEstimate narrow = estimatePartition(network, chip, narrowBits);
  if (options.precision == "int8" && narrow.parts > 0 &&
      narrow.arrays < all.arrays)
    text += fmt::format(
        "\n  --precision w4a8: 4-bit weights take about {} arrays instead of "
        "{}{}",
        grouped(narrow.arrays), grouped(all.arrays),
        narrow.parts == 1
            ? "; --precision mixed takes them only where it must"
            : fmt::format(", with --split {} parts at least", narrow.parts));
  return text.empty() ? "" : "\nwhat may fit:" + text;
}

Status
cimc::withProposals(const CompileOptions &options,
                    const std::function<Status(const CompileOptions &)> &run) {
  mlir::OwningOpRef<mlir::ModuleOp> network;
  CompileOptions watched = options;
  watched.observer = [&](Phase done, mlir::ModuleOp module) -> Status {
    if (done == Phase::Quantize)
      network = module.clone();
    return options.observer ? options.observer(done, module) : Status();
  };
  Status status = run(watched);
  if (status || !network || status.error().code != ExitCode::DoesNotFit)
    return status;
  Error error = status.takeError();
  Result<ChipSpec> chip =
      openChip(options.chip.empty() ? "card" : options.chip);
  if (chip)
    error.message += proposals(network.get(), *chip, options);
  return error;
}
