//===- RunCommand.cpp - cimc run ------------------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "cimc/Driver/Files.h"
#include "cimc/Quantize/Quantize.h"
#include "cimc/Reference/Evaluator.h"
#include "cimc/Sim/Simulator.h"
#include "cimc/Support/File.h"
#include "cimc/Support/TensorIO.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>

using namespace cimc;

static Error usage(std::string message) {
  return {ExitCode::Usage, std::move(message)};
}

namespace {
/// The thing that runs and what keeps it alive.
struct Machine {
  Compilation compilation;
  std::optional<Program> program;
  std::optional<SplitProgram> split; ///< or this
  std::unique_ptr<Simulator> simulator;
  std::unique_ptr<SplitSimulator> splitSimulator;
  Executable executable;
  /// What the run that computed one of the samples cost.
  CostReport cost;
  std::atomic<bool> isTimed{false};
};
} // namespace

static Status simulate(Machine &machine, const CommandLine &line) {
  bool bitPlanes = line.has(Option::BitPlanes);
  FaultModel faults;
  if (line.has(Option::Faults)) {
    Result<FaultModel> read =
        readFaults(line.get(Option::Faults), machine.program->chip);
    if (!read)
      return read.takeError();
    faults = std::move(*read);
  }
  machine.simulator = std::make_unique<Simulator>(*machine.program, faults);
  machine.executable.inputs = programIO(*machine.program, false);
  machine.executable.outputs = programIO(*machine.program, true);
  RunOptions options;
  options.bitPlanes = bitPlanes;
  Simulator *simulator = machine.simulator.get();
  // Time and energy are those of a run that computes, and the same for every
  // sample, so whichever thread comes first times its sample.
  machine.executable.run = [simulator, options,
                            &machine](const std::vector<HostTensor> &inputs) {
    if (!options.bitPlanes && !machine.isTimed.exchange(true))
      return simulator->runTimed(inputs, machine.cost);
    return simulator->run(inputs, options);
  };
  return {};
}

/// The same of a network in parts.
static Status simulateSplit(Machine &machine, const CommandLine &line) {
  for (auto [option, name] :
       {std::pair(Option::Trace, "--trace"),
        std::pair(Option::Faults, "--faults"),
        std::pair(Option::Energy, "--energy"),
        std::pair(Option::TimedSamples, "--timed-samples")})
    if (line.has(option))
      return usage(fmt::format("{}: '{}' holds a network in {} parts; take one "
                               "with --part N",
                               name, line.operands[0],
                               machine.split->parts.size()));
  if (line.has(Option::Rate) && machine.split->goal == SplitGoal::Cards)
    return usage(fmt::format("--rate: '{}' is for cards, which are written "
                             "once; take one with --part N",
                             line.operands[0]));
  machine.splitSimulator = std::make_unique<SplitSimulator>(*machine.split);
  machine.executable.inputs = programIO(*machine.split, false);
  machine.executable.outputs = programIO(*machine.split, true);
  RunOptions options;
  options.bitPlanes = line.has(Option::BitPlanes);
  SplitSimulator *simulator = machine.splitSimulator.get();
  machine.executable.run = [simulator,
                            options](const std::vector<HostTensor> &inputs) {
    return simulator->run(inputs, options);
  };
  return {};
}

/// Compiles a model up to a level and makes that level's evaluator the
/// executable.
static Status evaluate(const CommandLine &line, const std::string &level,
                       Machine &machine, CommandOutput &output) {
  Result<CompileOptions> parsed = compileOptions(line);
  if (!parsed)
    return parsed.takeError();
  CompileOptions options = std::move(*parsed);
  Compilation &compilation = machine.compilation;
  auto finish = [&](Status status) {
    output.messages = compilation.messages;
    return status;
  };
  if (Status status = importModel(line.operands[0], options, compilation);
      !status)
    return finish(status);

  // The phases whose modules a level's evaluator takes.
  Phase first = Phase::Emit, last = Phase::Emit;
  if (level == "nn") {
    bool integers = !options.calibrate.empty() ||
                    hasQuantizedTypes(compilation.module.get());
    first = integers ? Phase::Quantize : Phase::NN;
    last = Phase::Quantize;
  } else if (level == "cim") {
    first = Phase::Map;
    last = Phase::Place;
  } else if (level == "sched") {
    first = last = Phase::Schedule;
  }
  if (compilation.reached > last)
    return finish(usage(fmt::format(
        "--level {}: '{}' has finished phase '{}', which is behind that level",
        level, line.operands[0], info(compilation.reached).name)));
  options.to = first;
  if (Status status = runPhases(options, compilation); !status)
    return finish(status);
  output.json["compile_s"] = compilation.seconds;

  if (level == "isa") {
    machine.program = std::move(compilation.program);
    return finish(simulate(machine, line));
  }
  machine.executable.inputs = compilation.inputs;
  machine.executable.outputs = compilation.outputs;
  mlir::ModuleOp module = compilation.module.get();
  machine.executable.run = [module, level,
                            &compilation](const std::vector<HostTensor> &inputs)
      -> Result<std::vector<HostTensor>> {
    Result<std::vector<HostTensor>> outputs =
        level == "nn"    ? evaluateNN(module, inputs)
        : level == "cim" ? evaluateCIM(module, inputs)
                         : evaluateSched(module, inputs);
    if (!outputs)
      return blame(outputs.takeError(), compilation);
    return outputs;
  };
  return finish({});
}

/// What a run costs at the activity of the first sample's data.
static Result<CostReport> activityCost(const Machine &machine,
                                       const InputSet &inputs) {
  CostReport cost;
  auto outputs = machine.simulator->runTimed(
      inputs.isBatch() ? inputs.sample(0) : inputs.tensors, cost, true);
  if (!outputs)
    return outputs.takeError();
  return cost;
}

/// The first values of a tensor, for people.
static std::string preview(const HostTensor &tensor) {
  Result<HostTensor> values = convertTo(tensor, DType::F32);
  if (!values)
    return "";
  std::string text = ":";
  int64_t shown = std::min<int64_t>(tensor.size(), 10);
  for (int64_t i = 0; i < shown; ++i)
    text += fmt::format(" {:.6g}", values->as<float>()[i]);
  return text + (shown < tensor.size() ? " ..." : "");
}

/// Each output needs a file of its own.
static Status checkFileNames(const std::vector<ModelIO> &outputs) {
  std::map<std::string, std::string> names;
  for (const ModelIO &output : outputs) {
    auto [first, isNew] =
        names.try_emplace(fileNameOf(output.name), output.name);
    if (!isNew && first->second != output.name)
      return Error{ExitCode::InvalidInput,
                   fmt::format("outputs '{}' and '{}' would both be written "
                               "to '{}.npy'; rename one in the model",
                               first->second, output.name, first->first)};
  }
  return {};
}

static Json comparisonJson(const Comparison &comparison) {
  Json json = {{"output", comparison.output},
               {"equal", comparison.equal()},
               {"elements", comparison.elements},
               {"different", comparison.different},
               {"largest_difference", comparison.largest}};
  if (!comparison.problem.empty())
    json["problem"] = comparison.problem;
  if (comparison.different) {
    json["first_index"] = comparison.first;
    json["got"] = comparison.got;
    json["expected"] = comparison.expected;
  }
  return json;
}

Status cimc::runCommand(const CommandLine &line, CommandOutput &output) {
  const std::string &path = line.operands[0];
  std::string level = line.get(Option::Level, "isa");
  Tolerance tolerance;
  for (auto [option, target] : {std::pair(Option::Rtol, &tolerance.relative),
                                std::pair(Option::Atol, &tolerance.absolute)}) {
    if (!line.has(option))
      continue;
    Result<double> value = line.real(option, 0);
    if (!value)
      return value.takeError();
    if (!line.has(Option::Expect))
      return usage(fmt::format("{} is a tolerance of --expect DIR, which is "
                               "not given",
                               option == Option::Rtol ? "--rtol" : "--atol"));
    *target = *value;
  }
  Result<int64_t> threads = line.integer(Option::Threads, 0, 1, 4096);
  if (!threads)
    return threads.takeError();
  // Before anything is computed and written.
  if (Result<double> rate = line.real(Option::Rate, 0); !rate)
    return rate.takeError();
  Result<int64_t> timedSamples =
      line.integer(Option::TimedSamples, 0, 2, 1000000);
  if (!timedSamples)
    return timedSamples.takeError();
  bool activity = line.get(Option::Energy, "constants") == "activity";
  if (*timedSamples && activity)
    return usage("--timed-samples times samples without their data, which "
                 "'--energy activity' needs");
  if (level != "isa")
    for (auto [option, name] :
         {std::pair(Option::Trace, "--trace"),
          std::pair(Option::BitPlanes, "--bit-planes"),
          std::pair(Option::Faults, "--faults"),
          std::pair(Option::Energy, "--energy"),
          std::pair(Option::Rate, "--rate"),
          std::pair(Option::TimedSamples, "--timed-samples")})
      if (line.has(option))
        return usage(fmt::format("{} is for --level isa", name));
  if (line.has(Option::Trace))
    if (Status status = checkOutputFile(line.get(Option::Trace), path); !status)
      return status;

  Result<FileKind> kind = sniff(path);
  if (!kind)
    return kind.takeError();
  Machine machine;
  if (*kind == FileKind::Program) {
    if (level != "isa")
      return usage(
          fmt::format("--level {}: '{}' is a compiled program and holds "
                      "only the isa level; give the model instead",
                      level, path));
    if (Status status = checkNoCompileOptions(line); !status)
      return status;
    auto split = loadSplit(line);
    if (!split)
      return split.takeError();
    if (*split) {
      machine.split = std::move(*split);
      if (Status status = simulateSplit(machine, line); !status)
        return status;
    } else {
      Result<Program> program = loadProgram(line);
      if (!program)
        return program.takeError();
      machine.program = std::move(*program);
      if (Status status = simulate(machine, line); !status)
        return status;
    }
  } else if (Status status = checkNoNetwork(line); !status) {
    return status;
  } else if (Status status = evaluate(line, level, machine, output); !status) {
    clearProgress();
    return status;
  }
  clearProgress();

  const Executable &executable = machine.executable;
  Result<InputSet> inputs =
      readInputs(line.all(Option::Input), executable.inputs);
  if (!inputs)
    return inputs.takeError();
  std::string directory = line.get(Option::Output);
  if (line.has(Option::Output))
    if (Status status = checkFileNames(executable.outputs); !status)
      return status;
  if (line.has(Option::Output))
    if (Status status = makeDirectory(directory); !status)
      return status;
  std::vector<HostTensor> expected;
  if (line.has(Option::Expect)) {
    auto read = readExpected(executable.outputs, line.get(Option::Expect));
    if (!read)
      return read.takeError();
    expected = std::move(*read);
  }
  auto start = std::chrono::steady_clock::now();
  auto progress =
      terminalProgress(line.has(Option::Json) || !inputs->isBatch());
  Result<std::vector<HostTensor>> outputs =
      runAll(executable, *inputs, unsigned(*threads), [&](int64_t done) {
        if (progress && done % 16 == 0)
          progress(
              fmt::format("{} of {} samples", done, inputs->samples).c_str());
      });
  clearProgress();
  if (!outputs)
    return outputs.takeError();
  double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();

  output.json["program"] = path;
  output.json["level"] = level;
  output.json["samples"] = inputs->samples;
  output.json["run_s"] = seconds;
  Json list = ioJson(executable.outputs);
  for (size_t i = 0; i < outputs->size(); ++i) {
    const HostTensor &tensor = (*outputs)[i];
    const ModelIO &io = executable.outputs[i];
    output.text += fmt::format("output {}: {} of {}", io.name,
                               name(tensor.type), shapeString(tensor.shape));
    if (directory.empty()) {
      output.text += preview(tensor);
    } else {
      std::string file = directory + "/" + fileNameOf(io.name) + ".npy";
      if (Status status = writeNpy(file, tensor); !status)
        return status;
      output.text += " -> " + file;
      list[i]["file"] = file;
    }
    output.text += "\n";
  }
  output.json["outputs"] = std::move(list);
  output.text += fmt::format("{} sample{} in {:.2f} s\n", inputs->samples,
                             inputs->samples == 1 ? "" : "s", seconds);

  if (machine.program) {
    // Activity is that of one sample, the same one on any number of threads.
    Result<CostReport> cost =
        activity ? activityCost(machine, *inputs)
        : machine.isTimed && !*timedSamples
            ? Result<CostReport>(machine.cost)
            : machine.simulator->time(/*criticalPath=*/false, *timedSamples);
    if (!cost)
      return cost.takeError();
    addCost(output.json, *machine.program, *cost);
    Result<double> rate = line.real(Option::Rate, 0);
    if (!rate)
      return rate.takeError();
    double fastest = cost->period_ns > 0 ? 1e9 / cost->period_ns : 0;
    Wear wear = wearAt(machine.program->chip, *cost,
                       line.has(Option::Rate) ? *rate : fastest);
    output.json["wear"] = wearJson(wear);
    output.json["chip"] = machine.program->chip.name;
    output.text +=
        fmt::format("on chip '{}', per sample: latency {}, one every {}, "
                    "energy {}, {:.3g} W "
                    "on average\n",
                    machine.program->chip.name, withUnit(cost->latency_ns, "s"),
                    withUnit(cost->period_ns, "s"),
                    withUnit(cost->energy_nj, "J"), cost->average_power_w);
    if (activity)
      output.text += fmt::format("of the gates between inputs and weights "
                                 "{:.3g} % switch in a cycle; the chip's "
                                 "constants assume 25 %\n",
                                 100 * cost->array_switching);
    if (*timedSamples)
      output.text += runText(*cost);
    output.text += wearText(machine.program->chip, *cost, wear);
    if (line.has(Option::Faults)) {
      const FaultReport &faults = machine.simulator->faultReport();
      output.json["faults"] = faultJson(faults);
      output.text += faultText(faults);
    }
    if (line.has(Option::Trace)) {
      Result<std::string> trace = machine.simulator->trace();
      if (!trace)
        return trace.takeError();
      if (Status status = writeFileAtomically(line.get(Option::Trace), *trace);
          !status)
        return status;
    }
  }
  if (machine.split) {
    Result<SplitCost> cost = machine.splitSimulator->time();
    if (!cost)
      return cost.takeError();
    addSplitCost(output.json, *machine.split, *cost);
    output.text += splitSummary(*machine.split, *cost);
    Result<double> rate = line.real(Option::Rate, 0);
    if (!rate)
      return rate.takeError();
    if (line.has(Option::Rate)) {
      Wear wear = splitWear(*machine.split, *cost, *rate);
      output.json["wear"] = {{"samples_per_s", wear.samples_per_s},
                             {"warn_years", wear.warn_years},
                             {"lifetime_years", wear.lifetime_years}};
      output.text += splitWearText(*machine.split, wear);
    }
  }
  output.json["peak_rss_mb"] = peakMemoryMB();

  if (!line.has(Option::Expect))
    return {};
  Json compared = Json::array();
  std::string problems;
  for (size_t i = 0; i < expected.size(); ++i) {
    Comparison comparison = compare(executable.outputs[i].name, (*outputs)[i],
                                    expected[i], tolerance);
    compared.push_back(comparisonJson(comparison));
    if (comparison.equal())
      output.text += describe(comparison) + "\n";
    else
      problems += (problems.empty() ? "" : "\n") + describe(comparison);
  }
  output.json["expect"] = std::move(compared);
  if (!problems.empty())
    return Error{ExitCode::Mismatch, problems};
  return {};
}
