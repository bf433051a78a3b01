//===- Compiler.cpp - from a model to a program ---------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Compiler.h"
#include "Tune.h"
#include "cimc/Codegen/Encode.h"
#include "cimc/Driver/Calibration.h"
#include "cimc/Driver/Files.h"
#include "cimc/Driver/ModuleFile.h"
#include "cimc/Driver/Register.h"
#include "cimc/Import/ONNX/Import.h"
#include "cimc/Quantize/Quantize.h"
#include "cimc/Reference/Evaluator.h"
#include "cimc/Support/File.h"

#include "CIM/CIM.h"
#include "NN/NN.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>

using namespace cimc;
using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The errors in `messages` from `begin` on, as one text.
static std::string errorText(const std::vector<Message> &messages,
                             size_t begin) {
  std::string text;
  for (size_t i = begin; i < messages.size(); ++i)
    if (messages[i].severity == "error")
      text += (text.empty() ? "" : "\n") + format(messages[i]);
  return text;
}

/// Writes a module where the maintainers can find it; returns the path or why
/// that failed.
static std::string writeReproducer(mlir::ModuleOp module,
                                   const PhaseInfo &phase,
                                   const std::string &pipeline) {
  llvm::SmallString<128> path;
  int fd;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile(
          fmt::format("cimc-reproducer-{}", phase.name), "mlir", fd, path))
    return fmt::format("(no reproducer: {})", error.message());
  llvm::raw_fd_ostream stream(fd, /*shouldClose=*/true);
  stream << "// cim-opt --pass-pipeline='builtin.module(" << pipeline << ")'\n";
  module->print(stream, mlir::OpPrintingFlags().enableDebugInfo(true, false));
  stream << "\n";
  stream.close();
  if (stream.has_error()) {
    stream.clear_error();
    return "(no reproducer: it cannot be written)";
  }
  return path.str().str();
}

Error cimc::blame(Error error, const Compilation &compilation) {
  if (error.code != ExitCode::Internal || compilation.levelFile.empty())
    return error;
  return {ExitCode::InvalidInput,
          fmt::format("{}: the module cannot be carried further: {}",
                      compilation.levelFile, error.message)};
}

static Error internalError(const PhaseInfo &phase, mlir::ModuleOp before,
                           const std::string &pipeline,
                           const std::string &what) {
  return {ExitCode::Internal,
          fmt::format("internal error in phase '{}' ({}): {}\nplease report it "
                      "with the reproducer {}",
                      phase.name, phase.summary,
                      what.empty() ? "a pass failed without saying why" : what,
                      writeReproducer(before, phase, pipeline))};
}

//===----------------------------------------------------------------------===//
// Reading the model
//===----------------------------------------------------------------------===//

static std::unique_ptr<mlir::MLIRContext> makeContext() {
  registerAllCimcPasses();
  mlir::DialectRegistry registry;
  registerAllCimc(registry);
  // Work is spread over threads by samples, not inside MLIR: the order of
  // diagnostics and names then never varies.
  auto context = std::make_unique<mlir::MLIRContext>(
      registry, mlir::MLIRContext::Threading::DISABLED);
  // A message names the node; the operation can be a whole network.
  context->printOpOnDiagnostic(false);
  context->loadAllAvailableDialects();
  return context;
}

/// The level, a dialect's name, that a phase's module is at.
static llvm::StringRef levelOf(Phase phase) {
  switch (phase) {
  case Phase::Import:
  case Phase::NN:
  case Phase::Quantize:
    return "nn";
  case Phase::Map:
  case Phase::Place:
    return "cim";
  case Phase::Schedule:
    return "sched";
  case Phase::Encode:
  case Phase::Emit:
    break;
  }
  return "isa";
}

/// A phase that --from names must have left operations of the level found.
static Status checkFrom(Phase from, mlir::ModuleOp module,
                        const std::string &path) {
  llvm::StringRef found = levelOf(detectPhase(module));
  bool any = false;
  module.walk([&](mlir::Operation *op) {
    any |= op->getDialect() && op->getDialect()->getNamespace() == found;
  });
  if (!any || found == levelOf(from))
    return {};
  return Error{ExitCode::Usage,
               fmt::format("--from {}: '{}' holds operations of the {} level, "
                           "which that phase does not leave; without --from "
                           "the phase is told from them",
                           info(from).name, path, found.str())};
}

static Status readModel(const std::string &path, const CompileOptions &options,
                        Compilation &result) {
  Result<FileKind> kind = sniff(path);
  if (!kind)
    return kind.takeError();
  switch (*kind) {
  case FileKind::Onnx:
  case FileKind::OnnxText: {
    if (options.from && *options.from != Phase::Import)
      return Error{ExitCode::Usage,
                   fmt::format("--from {}: '{}' is {}, which begins with the "
                               "import; --from is for .mlir files",
                               info(*options.from).name, path,
                               describe(*kind))};
    ImportOptions import;
    import.dims = options.dims;
    import.inputShapes = options.inputShapes;
    import.constantInputs = options.constantInputs;
    auto module = importONNX(path, *result.context, import);
    if (!module)
      return module.takeError();
    result.module = std::move(*module);
    result.reached = Phase::Import;
    return {};
  }
  case FileKind::Mlir:
  case FileKind::MlirBytecode: {
    auto module = readModule(path, *kind, *result.context);
    if (!module)
      return module.takeError();
    result.module = std::move(*module);
    if (options.from == Phase::Emit)
      return Error{ExitCode::Usage,
                   "--from cimx: that phase is the last and leaves no module"};
    if (options.from)
      if (Status status = checkFrom(*options.from, result.module.get(), path);
          !status)
        return status;
    result.reached =
        options.from ? *options.from : detectPhase(result.module.get());
    if (result.reached >= Phase::Map)
      result.levelFile = path;
    return {};
  }
  case FileKind::Program:
    return Error{
        ExitCode::Usage,
        fmt::format("'{}' is a compiled program, not a model; use 'cimc "
                    "run', 'inspect' or 'disasm'",
                    path)};
  default:
    return Error{
        ExitCode::InvalidInput,
        fmt::format("'{}' is {}, not a model; a model is an ONNX file "
                    "(.onnx, .onnxtxt) or an MLIR file (.mlir, .mlirbc)",
                    path, describe(*kind))};
  }
}

Status cimc::importModel(const std::string &path, const CompileOptions &options,
                         Compilation &result) {
  // Before anything slow.
  if (!options.chip.empty())
    if (Result<ChipSpec> chip = openChip(options.chip); !chip)
      return chip.takeError();
  auto start = Clock::now();
  if (options.progress)
    options.progress(info(Phase::Import).name);
  result.context = makeContext();
  DiagnosticCollector collector(result.context.get());
  Status status = readModel(path, options, result);
  result.messages = collector.take();
  if (!status) {
    Error error = status.takeError();
    std::string text = errorText(result.messages, 0);
    if (error.message.empty())
      error.message =
          text.empty() ? fmt::format("'{}' cannot be read", path) : text;
    else if (!text.empty() && error.message.find(text) == std::string::npos)
      error.message += "\n" + text;
    return error;
  }
  // The program's name, through all levels.
  if (!result.module->getSymName())
    result.module->setSymName(stemOf(path));
  // Modules at the sched and isa levels have no entry function.
  if (result.reached < Phase::Schedule) {
    auto io = networkIO(result.module.get());
    if (!io)
      return Error{io.error().code,
                   fmt::format("{}: {}", path, io.error().message)};
    result.inputs = io->first;
    result.outputs = io->second;
  }
  result.times.push_back({Phase::Import, secondsSince(start)});
  result.seconds += secondsSince(start);
  if (options.observer)
    if (Status seen = options.observer(Phase::Import, result.module.get());
        !seen)
      return seen;
  return {};
}

Result<ChipSpec> cimc::openChip(const std::string &nameOrPath) {
  Result<ChipSpec> chip = loadChip(nameOrPath);
  bool isName = nameOrPath.find_first_of("./") == std::string::npos;
  if (!chip && isName && !fileExists(nameOrPath))
    return Error{ExitCode::Usage, chip.error().message};
  return chip;
}

Phase cimc::detectPhase(mlir::ModuleOp module) {
  Phase phase = Phase::Import;
  module.walk([&](mlir::Operation *op) {
    llvm::StringRef dialect =
        op->getDialect() ? op->getDialect()->getNamespace() : "";
    Phase seen = Phase::Import;
    if (dialect == "isa")
      seen = Phase::Encode;
    else if (dialect == "sched")
      seen = Phase::Schedule;
    else if (dialect == "cim")
      seen = op->hasAttr("core") ? Phase::Place : Phase::Map;
    else if (dialect == "nn" && op->getNumOperands() && op->getNumResults() &&
             mlir::isa<mlir::quant::QuantizedType>(
                 mlir::getElementTypeOrSelf(op->getOperand(0))) &&
             mlir::isa<mlir::quant::QuantizedType>(
                 mlir::getElementTypeOrSelf(op->getResult(0))))
      seen = Phase::Quantize;
    phase = std::max(phase, seen);
  });
  return phase;
}

//===----------------------------------------------------------------------===//
// Phases
//===----------------------------------------------------------------------===//

/// What a phase does before its passes.
static Status prepare(Phase phase, const CompileOptions &options,
                      Compilation &result) {
  mlir::ModuleOp module = result.module.get();
  if (phase == Phase::Quantize) {
    if (options.precision == "float") {
      if (!options.calibrate.empty())
        result.messages.push_back(
            {"warning",
             "",
             "--calibrate is not used: --precision float needs no ranges",
             {}});
      return {};
    }
    Result<QuantizeOptions> quantize = quantizeOptions(options);
    if (!quantize)
      return quantize.takeError();
    if (hasQuantizedTypes(module)) {
      if (!options.calibrate.empty())
        result.messages.push_back(
            {"warning",
             "",
             "--calibrate is not used: the model is quantized already",
             {}});
      return {};
    }
    // Ranges are then taken while running.
    if (options.calibrate.empty())
      return {};
    auto samples =
        openSamples(options.calibrate, result.inputs, options.images);
    if (!samples)
      return samples.takeError();
    return quantizeModule(module, **samples, *quantize,
                          options.reportLayers ? &result.quantized : nullptr);
  }
  // A module that has its chip already keeps it.
  if (phase >= Phase::Map && !module->hasAttr(cim::kChipAttrName)) {
    Result<ChipSpec> chip =
        openChip(options.chip.empty() ? "card" : options.chip);
    if (!chip)
      return chip.takeError();
    module->setAttr(cim::kChipAttrName,
                    cim::getChipAttr(module.getContext(), *chip));
  }
  return {};
}

/// A phase's pipeline with the options in it filled in; `replaced`: its passes
/// that plugins make.
static std::string pipelineOf(const PhaseInfo &phase,
                              const CompileOptions &options,
                              std::vector<std::string> &replaced) {
  std::string text = replacePasses(phase.pipeline, options.replace, replaced);
  const std::pair<std::string, std::string> values[] = {
      {"${mode}", options.mode},
      {"${precision}", options.precision},
      {"${seed}", std::to_string(options.seed)},
      {"${slack}", std::to_string(options.slackPercent)},
      {"${memory}", std::to_string(options.memoryPercent)}};
  for (const auto &[hole, value] : values)
    for (size_t at; (at = text.find(hole)) != std::string::npos;)
      text.replace(at, hole.size(), value);
  return text;
}

/// Runs one phase; diagnostics go to the collector.
static Status runPhase(const PhaseInfo &phase, const CompileOptions &options,
                       Compilation &result, DiagnosticCollector &collector) {
  mlir::ModuleOp module = result.module.get();
  std::vector<std::string> replaced;
  std::string pipeline = pipelineOf(phase, options, replaced);
  // Weights are shared, so the copy is small.
  mlir::OwningOpRef<mlir::ModuleOp> before;
  auto explain = [&](ExitCode code, const std::string &otherwise) -> Status {
    size_t begin = result.messages.size();
    for (Message &message : collector.take())
      result.messages.push_back(std::move(message));
    std::string text = errorText(result.messages, begin);
    if ((text.empty() || code == ExitCode::Internal) && !replaced.empty())
      return Error{code == ExitCode::Usage ? code : ExitCode::Internal,
                   fmt::format("phase '{}' with --replace {}: {}", phase.name,
                               fmt::join(replaced, ", "),
                               !text.empty()       ? text
                               : otherwise.empty() ? "a pass failed without "
                                                     "saying why"
                                                   : otherwise)};
    if (text.empty() || code == ExitCode::Internal)
      return result.levelFile.empty()
                 ? internalError(phase, before ? before.get() : module,
                                 pipeline, text.empty() ? otherwise : text)
                 : Error{ExitCode::Internal, text.empty() ? otherwise : text};
    return Error{code, text};
  };
  if (Status status = prepare(phase.phase, options, result); !status) {
    // What the station says in its error and what it emitted.
    Error error = status.takeError();
    size_t begin = result.messages.size();
    for (Message &message : collector.take())
      result.messages.push_back(std::move(message));
    std::string text = errorText(result.messages, begin);
    if (error.message.empty())
      error.message = text;
    return error;
  }
  if (*phase.pipeline) {
    before = module.clone();
    mlir::PassManager pm(module.getContext(),
                         mlir::ModuleOp::getOperationName());
    // Passes that leave an invalid module behind are told apart from models
    // that a pass rejects.
    pm.enableVerifier(false);
    std::string problem;
    llvm::raw_string_ostream stream(problem);
    if (mlir::failed(mlir::parsePassPipeline(pipeline, pm, stream)))
      return explain(replaced.empty() ? ExitCode::Internal : ExitCode::Usage,
                     llvm::StringRef(problem).rtrim().str());
    if (mlir::failed(pm.run(module)))
      return explain(phase.failure, "");
    if (mlir::failed(mlir::verify(module)))
      return explain(ExitCode::Internal, "the module is invalid");
  }
  if (phase.phase == Phase::Emit) {
    Result<Program> program = encodeProgram(module);
    if (!program) {
      for (Message &message : collector.take())
        result.messages.push_back(std::move(message));
      return program.takeError();
    }
    if (Status status = verify(*program); !status)
      return Error{ExitCode::Internal,
                   "the compiled program does not pass the verifier: " +
                       status.error().message};
    result.program = std::move(*program);
  }
  for (Message &message : collector.take())
    result.messages.push_back(std::move(message));
  return {};
}

/// Operations with a float input and integer weights.
static int64_t countRunTimeRanges(mlir::ModuleOp module) {
  int64_t count = 0;
  module.walk([&](mlir::Operation *op) {
    count +=
        mlir::isa<nn::ConvOp, nn::MatMulOp, nn::LstmOp, nn::GruOp, nn::RnnOp>(
            op) &&
        !mlir::isa<mlir::quant::QuantizedType>(
            mlir::getElementTypeOrSelf(op->getOperand(0))) &&
        mlir::isa<mlir::quant::QuantizedType>(
            mlir::getElementTypeOrSelf(op->getOperand(1)));
  });
  return count;
}

/// How much less memory mapping plans with from try to try, in percent, and
/// the last it tries.
static constexpr int kMemoryStep = 30, kLeastMemory = 40;

Status cimc::runPhases(const CompileOptions &options, Compilation &result) {
  if (result.reached > options.to)
    return Error{ExitCode::Usage,
                 fmt::format("the model has already finished phase '{}', which "
                             "is after '{}'",
                             info(result.reached).name, info(options.to).name)};
  if (!options.chip.empty() && result.module.get()->hasAttr(cim::kChipAttrName))
    return Error{ExitCode::Usage,
                 fmt::format("--chip: the model has finished phase '{}' and is "
                             "bound to its chip",
                             info(result.reached).name)};
  DiagnosticCollector collector(result.module.get().getContext());
  // Before layers are copied, for a chip that turns out to be too small.
  mlir::OwningOpRef<mlir::ModuleOp> unplaced, mapped;
  size_t messagesBefore = 0;
  for (const PhaseInfo &phase : phases()) {
    if (phase.phase <= result.reached || phase.phase > options.to)
      continue;
    if (phase.phase == Phase::Place) {
      unplaced = result.module->clone();
      messagesBefore = result.messages.size();
      if (options.effort > 1)
        mapped = result.module->clone();
    }
    auto start = Clock::now();
    if (options.progress)
      options.progress(phase.name);
    Status status = runPhase(phase, options, result, collector);
    result.times.push_back({phase.phase, secondsSince(start)});
    result.seconds += secondsSince(start);
    if (!status && phase.phase == Phase::Schedule && unplaced &&
        status.error().code == ExitCode::DoesNotFit &&
        options.memoryPercent > kLeastMemory) {
      // Mapping only estimates memory.
      std::vector<Message> messages(result.messages.begin() + messagesBefore,
                                    result.messages.end());
      result.messages.resize(messagesBefore);
      result.messages.push_back(
          {"remark",
           "",
           fmt::format("placed again for less memory: a core overflows where "
                       "{} % of it are planned with",
                       options.memoryPercent),
           {}});
      result.module = std::move(unplaced);
      result.reached = Phase::Map;
      CompileOptions tighter = options;
      tighter.chip.clear();
      tighter.memoryPercent -= kMemoryStep;
      Status again = runPhases(tighter, result);
      if (again || again.error().code != ExitCode::DoesNotFit)
        return again;
      result.messages.resize(messagesBefore);
      result.messages.insert(result.messages.end(), messages.begin(),
                             messages.end());
    }
    if (!status)
      return blame(status.takeError(), result);
    result.reached = phase.phase;
    if (phase.phase == Phase::Place && mapped)
      keepCopies(*result.module, *mapped);
    if (phase.phase == Phase::Schedule && mapped) {
      auto tuning = Clock::now();
      tune(options, *mapped, result);
      result.times.back().seconds += secondsSince(tuning);
      result.seconds += secondsSince(tuning);
    }
    if (phase.phase == Phase::Quantize)
      result.runTimeRanges = countRunTimeRanges(result.module.get());
    if (options.observer)
      if (Status seen = options.observer(phase.phase, result.module.get());
          !seen)
        return seen;
  }
  return {};
}

Status cimc::compileModel(const std::string &path,
                          const CompileOptions &options, Compilation &result) {
  if (Status status = importModel(path, options, result); !status)
    return status;
  return runPhases(options, result);
}
