//===- EvaluateCommand.cpp - cimc evaluate --------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Labelled data through a program on the chip model, and through the float
// model it came from.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "cimc/Driver/Calibration.h"
#include "cimc/Driver/Files.h"
#include "cimc/Driver/TensorFile.h"
#include "cimc/Reference/Evaluator.h"
#include "cimc/Sim/Simulator.h"
#include "cimc/Sim/SplitSimulator.h"
#include "cimc/Support/File.h"
#include "cimc/Support/Parallel.h"
#include "cimc/Support/TensorIO.h"

#include "llvm/ADT/STLExtras.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <thread>

using namespace cimc;

static Error usage(std::string message) {
  return {ExitCode::Usage, std::move(message)};
}

static Error invalid(std::string message) {
  return {ExitCode::InvalidInput, std::move(message)};
}

//===----------------------------------------------------------------------===//
// Labels
//===----------------------------------------------------------------------===//

namespace {
/// One class for each sample, in the order of the samples, or by file name.
struct Labels {
  std::vector<int64_t> inOrder;
  std::map<std::string, int64_t> byName;

  Result<int64_t> of(int64_t index, const std::string &file) const {
    if (!byName.empty()) {
      if (file.empty())
        return invalid("the labels are by file name, but the samples do not "
                       "have a file each");
      auto found = byName.find(file.substr(file.rfind('/') + 1));
      if (found == byName.end())
        return invalid(
            fmt::format("sample {}: the labels do not name '{}'", index, file));
      return found->second;
    }
    if (index >= int64_t(inOrder.size()))
      return invalid(
          fmt::format("there are {} labels, but more samples", inOrder.size()));
    return inOrder[index];
  }
  int64_t size() const {
    return int64_t(byName.empty() ? inOrder.size() : byName.size());
  }
};
} // namespace

static std::optional<int64_t> wholeNumber(const std::string &text) {
  char *end = nullptr;
  long long value = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end)
    return std::nullopt;
  return value;
}

/// Text: LABEL or FILE,LABEL[,...] a line; a first line of words is skipped.
static Result<Labels> readTextLabels(const std::string &path) {
  Result<std::string> text = readFile(path);
  if (!text)
    return text.takeError();
  Labels labels;
  int64_t number = 0;
  for (size_t begin = 0; begin < text->size();) {
    size_t end = std::min(text->find('\n', begin), text->size());
    std::string row = text->substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (!row.empty() && row.back() == '\r')
      row.pop_back();
    if (row.empty())
      continue;
    size_t comma = row.find(',');
    std::string name = comma == std::string::npos ? "" : row.substr(0, comma);
    std::string rest = comma == std::string::npos ? row : row.substr(comma + 1);
    std::optional<int64_t> label = wholeNumber(rest.substr(0, rest.find(',')));
    if (!label && number == 1)
      continue;
    bool named = !name.empty();
    if (!label || (labels.size() > 0 && named == labels.byName.empty()))
      return invalid(fmt::format("{}:{}: '{}' is not LABEL or FILE,LABEL like "
                                 "the lines before it",
                                 path, number, row.substr(0, 80)));
    if (!named)
      labels.inOrder.push_back(*label);
    else if (!labels.byName.emplace(name, *label).second)
      return invalid(fmt::format("{}:{}: '{}' has two labels", path, number,
                                 name.substr(0, 80)));
  }
  if (labels.size() == 0)
    return invalid(fmt::format("'{}' holds no labels", path));
  return labels;
}

static Result<Labels> readLabels(const std::string &path) {
  Result<FileKind> kind = sniff(path);
  if (!kind)
    return kind.takeError();
  if (*kind != FileKind::Npy)
    return readTextLabels(path);
  Result<HostTensor> tensor = readTensor(path);
  if (!tensor)
    return tensor.takeError();
  Result<HostTensor> numbers = convertTo(*tensor, DType::I64);
  if (!numbers)
    return invalid(fmt::format("the labels in '{}' are not whole numbers: {}",
                               path, numbers.error().message));
  Labels labels;
  labels.inOrder.assign(numbers->as<int64_t>(),
                        numbers->as<int64_t>() + numbers->size());
  return labels;
}

//===----------------------------------------------------------------------===//
// Figures
//===----------------------------------------------------------------------===//

namespace {
/// What one sample adds.
struct Outcome {
  Status status;
  bool top1 = false, top5 = false, agrees = false;
  double noise = 0, signal = 0; ///< squares, over all float outputs
  /// By input: numbers far outside the range of the calibration samples.
  std::vector<int64_t> outside;
};

/// The range of an input, a quarter wider on both sides.
struct WideRange {
  double low = -std::numeric_limits<double>::infinity(),
         high = std::numeric_limits<double>::infinity();
};

struct Figures {
  int64_t samples = 0, top1 = 0, top5 = 0, agrees = 0;
  double noise = 0, signal = 0;

  void add(const Outcome &o) {
    ++samples;
    top1 += o.top1;
    top5 += o.top5;
    agrees += o.agrees;
    noise += o.noise;
    signal += o.signal;
  }
};
} // namespace

/// The numbers of the first output, for classes.
static Result<std::vector<float>> scoresOf(const HostTensor &output) {
  Result<HostTensor> values = convertTo(output, DType::F32);
  if (!values)
    return values.takeError();
  return std::vector<float>(values->as<float>(),
                            values->as<float>() + values->size());
}

/// How many scores are above that of `which`; of equal ones the first counts.
static int64_t rankOf(const std::vector<float> &scores, int64_t which) {
  int64_t rank = 0;
  for (int64_t i = 0; i < int64_t(scores.size()); ++i)
    rank +=
        scores[i] > scores[which] || (scores[i] == scores[which] && i < which);
  return rank;
}

static Json shareJson(int64_t count, int64_t samples) {
  // Wilson's 95 % interval.
  double n = double(samples), p = double(count) / n, z = 1.959964;
  double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
  double half =
      z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n);
  return {{"percent", 100 * p},
          {"low95_percent", 100 * std::max(0.0, middle - half)},
          {"high95_percent", 100 * std::min(1.0, middle + half)}};
}

static std::string shareText(const char *name, const Json &share) {
  return fmt::format("{:<13}{:.2f} % (95 %: {:.2f} to {:.2f})\n", name,
                     share["percent"].get<double>(),
                     share["low95_percent"].get<double>(),
                     share["high95_percent"].get<double>());
}

//===----------------------------------------------------------------------===//
// The command
//===----------------------------------------------------------------------===//

namespace {
/// What is evaluated.
struct Subject {
  Compilation compilation;
  std::optional<Program> program;
  std::optional<Simulator> simulator;
  std::optional<SplitProgram> split; ///< or this
  std::optional<SplitSimulator> splitSimulator;
  /// The float network, and the context it lives in.
  Compilation real;
  std::vector<ModelIO> inputs, outputs;
};
} // namespace

/// The float network of a model; none where it is quantized already.
static Status openReal(const std::string &model, CompileOptions options,
                       Subject &subject, bool needed) {
  options.to = Phase::NN;
  if (Status status = compileModel(model, options, subject.real); !status)
    return status;
  if (!hasQuantizedTypes(subject.real.module.get()))
    return {};
  if (needed)
    return usage(fmt::format("--float: '{}' is quantized already", model));
  subject.real.module = nullptr;
  return {};
}

static Status open(const CommandLine &line, CompileOptions &options,
                   Subject &subject) {
  const std::string &path = line.operands[0];
  Result<FileKind> kind = sniff(path);
  if (!kind)
    return kind.takeError();
  std::string real = line.get(Option::Float);
  if (*kind == FileKind::Program) {
    if (Status status = checkNoCompileOptions(line); !status)
      return status;
    auto split = loadSplit(line);
    if (!split)
      return split.takeError();
    subject.split = std::move(*split);
    if (!subject.split) {
      Result<Program> program = loadProgram(line);
      if (!program)
        return program.takeError();
      subject.program = std::move(*program);
    }
  } else {
    if (Status status = checkNoNetwork(line); !status)
      return status;
    if (Status status = compileModel(path, options, subject.compilation);
        !status)
      return status;
    subject.program = std::move(subject.compilation.program);
    if (real.empty() && subject.compilation.levelFile.empty())
      if (Status status = openReal(path, options, subject, false); !status)
        return status;
  }
  if (!real.empty()) {
    if (Status status = openReal(real, options, subject, true); !status)
      return status;
  }
  if (subject.split) {
    subject.inputs = programIO(*subject.split, false);
    subject.outputs = programIO(*subject.split, true);
    subject.splitSimulator.emplace(*subject.split);
    return {};
  }
  subject.inputs = programIO(*subject.program, false);
  subject.outputs = programIO(*subject.program, true);
  subject.simulator.emplace(*subject.program);
  return {};
}

/// What calibration says of each input.
static std::vector<WideRange> inputRanges(const Subject &subject) {
  std::vector<WideRange> ranges(subject.inputs.size());
  const auto &known = subject.compilation.quantized.table.ranges;
  for (auto [range, input] : llvm::zip_equal(ranges, subject.inputs)) {
    auto found = known.find(input.name);
    if (found == known.end())
      continue;
    auto [low, high] = found->second;
    range = {low - (high - low) / 4, high + (high - low) / 4};
  }
  return ranges;
}

/// Warns where the samples leave the range of those that calibrated.
static void warnOfRanges(const std::vector<int64_t> &outside,
                         const std::vector<int64_t> &total,
                         const Subject &subject, CommandOutput &output) {
  constexpr double many = 1e-3;
  for (size_t i = 0; i < outside.size(); ++i) {
    double share = total[i] ? double(outside[i]) / double(total[i]) : 0;
    if (share <= many)
      continue;
    const std::string &name = subject.inputs[i].name;
    auto [low, high] = subject.compilation.quantized.table.ranges.at(name);
    output.messages.push_back(
        {"warning",
         "",
         fmt::format("'{}': {:.2g} % of its numbers are far outside [{:.4g}, "
                     "{:.4g}], which the calibration samples showed, and are "
                     "cut; calibrate with samples that look like these",
                     name, 100 * share, low, high),
         {}});
  }
}

static Outcome evaluateSample(Subject &subject, const Labels *labels,
                              int64_t offset, int64_t index,
                              const std::string &file,
                              const std::vector<HostTensor> &sample) {
  Outcome result;
  auto fail = [&](Error error) {
    result.status = std::move(error);
    return std::move(result);
  };
  Result<std::vector<HostTensor>> got =
      subject.split ? subject.splitSimulator->run(sample)
                    : subject.simulator->run(sample);
  if (!got)
    return fail(got.takeError());
  Result<std::vector<float>> scores = scoresOf(got->front());
  if (!scores)
    return fail(scores.takeError());
  auto best = std::max_element(scores->begin(), scores->end());
  if (labels) {
    Result<int64_t> label = labels->of(index, file);
    if (!label)
      return fail(label.takeError());
    int64_t which = *label + offset;
    if (which < 0 || which >= int64_t(scores->size()))
      return fail(invalid(fmt::format(
          "sample {} has label {}, but output '{}' has {} classes{}", index,
          *label, subject.outputs[0].name, scores->size(),
          offset ? fmt::format(" and --label-offset is {}", offset) : "")));
    int64_t rank = rankOf(*scores, which);
    result.top1 = rank == 0;
    result.top5 = rank < 5;
  }
  if (!subject.real.module)
    return result;
  auto expected = evaluateNN(subject.real.module.get(), sample);
  if (!expected)
    return fail(expected.takeError());
  Result<std::vector<float>> reals = scoresOf(expected->front());
  if (!reals)
    return fail(reals.takeError());
  if (reals->size() != scores->size() || expected->size() != got->size())
    return fail(usage("--float: the model has other outputs than the program"));
  auto realBest = std::max_element(reals->begin(), reals->end());
  result.agrees = best - scores->begin() == realBest - reals->begin();
  for (size_t k = 0; k < got->size(); ++k) {
    const HostTensor &a = (*got)[k], &b = (*expected)[k];
    if (a.type != DType::F32 || b.type != DType::F32 || a.size() != b.size())
      continue;
    for (int64_t i = 0; i < a.size(); ++i) {
      double x = a.as<float>()[i], y = b.as<float>()[i];
      if (std::isfinite(x - y)) {
        result.noise += (x - y) * (x - y);
        result.signal += y * y;
      }
    }
  }
  return result;
}

/// "top1=80": a figure and the least it may be.
static Result<std::map<std::string, double>>
requirements(const CommandLine &line) {
  std::map<std::string, double> result;
  for (const std::string &text : line.all(Option::Require)) {
    size_t equals = text.find('=');
    std::string name = text.substr(0, equals);
    char *end = nullptr;
    std::string number =
        equals == std::string::npos ? "" : text.substr(equals + 1);
    double value = std::strtod(number.c_str(), &end);
    bool known = name == "top1" || name == "top5" || name == "agreement" ||
                 name == "sqnr_db";
    if (!known || number.empty() || *end || !std::isfinite(value))
      return usage(fmt::format("--require: '{}' is not NAME=NUMBER with NAME "
                               "top1, top5, agreement (percent) or sqnr_db",
                               text));
    result[name] = value;
  }
  return result;
}

Status cimc::evaluateCommand(const CommandLine &line, CommandOutput &output) {
  Result<CompileOptions> parsed = compileOptions(line);
  if (!parsed)
    return parsed.takeError();
  CompileOptions options = std::move(*parsed);
  options.reportLayers |= !options.calibrate.empty();
  if (!line.has(Option::Data))
    return usage("cimc evaluate: say what to run with --data "
                 "DIR|FILE.npz|FILE.npy");
  Result<std::map<std::string, double>> least = requirements(line);
  if (!least)
    return least.takeError();
  Result<int64_t> offset =
      line.integer(Option::LabelOffset, 0, -1000000, 1000000);
  if (!offset)
    return offset.takeError();
  std::optional<Labels> labels;
  if (line.has(Option::Labels)) {
    Result<Labels> read = readLabels(line.get(Option::Labels));
    if (!read)
      return read.takeError();
    labels = std::move(*read);
  }
  Subject subject;
  Status status = open(line, options, subject);
  clearProgress();
  output.messages = subject.compilation.messages;
  if (!status)
    return status;
  if (!labels && !subject.real.module)
    return usage("there is nothing to compare with: give --labels FILE, or the "
                 "float model with --float MODEL");
  for (const auto &[name, value] : *least) {
    bool needsLabels = name == "top1" || name == "top5";
    if (needsLabels ? !labels : !subject.real.module)
      return usage(fmt::format("--require {}: give {}", name,
                               needsLabels ? "--labels FILE"
                                           : "the float model with --float "
                                             "MODEL"));
  }
  Result<std::unique_ptr<SampleSource>> opened =
      openSamples(line.get(Option::Data), subject.inputs, options.images);
  if (!opened)
    return opened.takeError();
  SampleSource &samples = **opened;
  if (labels && labels->byName.empty() && labels->size() != samples.size())
    return invalid(fmt::format("there are {} labels for {} samples",
                               labels->size(), samples.size()));

  unsigned threads = options.threads
                         ? options.threads
                         : std::max(1u, std::thread::hardware_concurrency());
  auto start = std::chrono::steady_clock::now();
  Figures figures;
  std::vector<WideRange> ranges = inputRanges(subject);
  std::vector<int64_t> outside(ranges.size(), 0), total = outside;
  // Only so many samples are in memory.
  const size_t batch = size_t(threads) * 4;
  for (bool more = true; more;) {
    std::vector<std::vector<HostTensor>> taken;
    std::vector<std::string> files;
    while (taken.size() < batch) {
      auto sample = samples.next();
      if (!sample)
        return sample.takeError();
      more = bool(*sample);
      if (!more)
        break;
      taken.push_back(std::move(**sample));
      files.push_back(samples.nameOfLast());
    }
    std::vector<Outcome> outcomes(taken.size());
    parallelFor(int64_t(taken.size()), threads, [&](int64_t i) {
      std::vector<int64_t> beyond(ranges.size(), 0);
      for (size_t k = 0; k < ranges.size(); ++k)
        if (taken[i][k].type == DType::F32)
          beyond[k] = std::count_if(
              taken[i][k].as<float>(),
              taken[i][k].as<float>() + taken[i][k].size(),
              [&](float x) { return x < ranges[k].low || x > ranges[k].high; });
      outcomes[i] =
          evaluateSample(subject, labels ? &*labels : nullptr, *offset,
                         figures.samples + i, files[i], taken[i]);
      outcomes[i].outside = std::move(beyond);
    });
    for (auto [sample, outcome] : llvm::zip_equal(taken, outcomes)) {
      for (size_t k = 0; k < ranges.size(); ++k) {
        outside[k] += outcome.outside[k];
        total[k] += sample[k].size();
      }
      if (!outcome.status) {
        clearProgress();
        return outcome.status;
      }
      figures.add(outcome);
    }
    if (options.progress)
      options.progress(
          fmt::format("{} of {} samples", figures.samples, samples.size())
              .c_str());
  }
  clearProgress();
  if (figures.samples == 0)
    return invalid(
        fmt::format("'{}' holds no samples", line.get(Option::Data)));
  warnOfRanges(outside, total, subject, output);
  double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();

  Json &json = output.json;
  json["program"] = line.operands[0];
  json["data"] = line.get(Option::Data);
  json["samples"] = figures.samples;
  json["evaluate_s"] = seconds;
  output.text = fmt::format("{:<13}{} samples on the chip model in {:.2f} s\n",
                            "data", figures.samples, seconds);
  std::map<std::string, double> got;
  auto share = [&](const char *name, const char *title, int64_t count) {
    json[name] = shareJson(count, figures.samples);
    output.text += shareText(title, json[name]);
    got[name] = json[name]["percent"].get<double>();
  };
  if (labels) {
    share("top1", "top-1", figures.top1);
    share("top5", "top-5", figures.top5);
  }
  if (subject.real.module) {
    share("agreement", "agreement", figures.agrees);
    if (figures.signal > 0) {
      // A difference of nothing is given as 200 dB.
      double ratio = figures.noise > 0 ? figures.signal / figures.noise : 1e20;
      got["sqnr_db"] = std::min(200.0, 10 * std::log10(ratio));
      json["sqnr_db"] = got["sqnr_db"];
      output.text += fmt::format("{:<13}{:.2f} dB against the float model\n",
                                 "SQNR", got["sqnr_db"]);
    }
  }
  json["peak_rss_mb"] = peakMemoryMB();
  std::string missed;
  for (const auto &[name, value] : *least)
    if (!got.count(name) || got[name] < value)
      missed += fmt::format("{}{} is {:.4g}, --require asks for {:.6g}",
                            missed.empty() ? "" : "\n", name,
                            got.count(name) ? got[name] : std::nan(""), value);
  if (!missed.empty())
    return Error{ExitCode::AccuracyMissed, missed};
  return {};
}
