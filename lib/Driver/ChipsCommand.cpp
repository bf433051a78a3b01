//===- ChipsCommand.cpp - cimc chips --------------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "cimc/Driver/Files.h"
#include "cimc/Target/Sensitivity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

using namespace cimc;

static Error usage(std::string message) {
  return {ExitCode::Usage, std::move(message)};
}

/// "KEY=V,V,..."
static Result<std::vector<SweepRow>> sweepOne(const ChipSpec &chip,
                                              const std::string &text) {
  size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    return usage(
        fmt::format("--sweep: '{}' is neither KEY=V,V,... nor 'all'", text));
  std::vector<double> values;
  for (size_t begin = equals + 1; begin <= text.size();) {
    size_t end = std::min(text.find(',', begin), text.size());
    std::string number = text.substr(begin, end - begin);
    char *stop = nullptr;
    values.push_back(std::strtod(number.c_str(), &stop));
    if (number.empty() || *stop || !std::isfinite(values.back()))
      return usage(
          fmt::format("--sweep: '{}' of '{}' is not a number", number, text));
    begin = end + 1;
  }
  Result<std::vector<SweepRow>> rows =
      sweep(chip, text.substr(0, equals), values);
  if (!rows)
    return usage("--sweep: " + rows.error().message);
  return rows;
}

/// Only the figures that some row changes are worth a column.
static std::string sweepText(const ChipSpec &chip,
                             const std::vector<SweepRow> &rows) {
  std::vector<ChipFigure> own = chipFigures(chip);
  std::string text = fmt::format("chip '{}':", chip.name);
  for (const ChipFigure &figure : own)
    text += fmt::format(" {}={:.4g}", figure.name, figure.value);
  text += "\n";
  for (const SweepRow &row : rows) {
    text += fmt::format("{:<32}{:>10.5g}  {:<9}", row.key, row.value,
                        row.isOwn ? "(own)" : row.kind);
    bool any = false;
    for (size_t i = 0; i < own.size(); ++i)
      if (row.figures[i].value != own[i].value) {
        text += fmt::format("{} {} {:.4g}", any ? "," : "", own[i].name,
                            row.figures[i].value);
        any = true;
      }
    text += any ? "\n" : " no figure changes\n";
  }
  return text;
}

static Status sweepCommand(const CommandLine &line, const ChipSpec &chip,
                           CommandOutput &output) {
  std::vector<SweepRow> rows;
  for (const std::string &text : line.all(Option::Sweep)) {
    if (text == "all") {
      for (SweepRow &row : sweepAll(chip))
        rows.push_back(std::move(row));
      continue;
    }
    Result<std::vector<SweepRow>> some = sweepOne(chip, text);
    if (!some)
      return some.takeError();
    for (SweepRow &row : *some)
      rows.push_back(std::move(row));
  }
  auto figuresJson = [](const std::vector<ChipFigure> &figures) {
    Json json = Json::object();
    for (const ChipFigure &figure : figures)
      json[figure.name] = figure.value;
    return json;
  };
  output.json["chip"] = chip.name;
  output.json["figures"] = figuresJson(chipFigures(chip));
  Json list = Json::array();
  for (const SweepRow &row : rows)
    list.push_back({{"key", row.key},
                    {"kind", row.kind},
                    {"value", row.value},
                    {"own", row.isOwn},
                    {"figures", figuresJson(row.figures)}});
  output.json["sweep"] = std::move(list);
  output.text = sweepText(chip, rows);
  return {};
}

Status cimc::chipsCommand(const CommandLine &line, CommandOutput &output) {
  if (!line.operands.empty()) {
    Result<ChipSpec> chip = openChip(line.operands[0]);
    if (!chip)
      return chip.takeError();
    if (line.has(Option::Sweep))
      return sweepCommand(line, *chip, output);
    output.text = printChip(*chip);
    if (output.text.empty() || output.text.back() != '\n')
      output.text += '\n';
    output.rawJson = output.text;
    return {};
  }
  if (line.has(Option::Sweep))
    return usage("--sweep needs a chip: 'cimc chips card --sweep ...'");
  Json list = Json::array();
  for (const std::string &name : presetNames()) {
    Result<ChipSpec> chip = loadPreset(name);
    if (!chip)
      return chip.takeError();
    double megabytes =
        double(chip->macros() * chip->macro.rows * (chip->macro.columns / 8)) /
        1e6;
    list.push_back({{"name", chip->name},
                    {"summary", chip->summary},
                    {"chiplets", chip->chiplets()},
                    {"cores", chip->cores()},
                    {"arrays", chip->macros()},
                    {"rows", chip->macro.rows},
                    {"columns", chip->macro.columns},
                    {"int8_weights_million", megabytes}});
    output.text +=
        fmt::format("{:<15}{} chiplets, {} cores, {} arrays of {} x {} cells "
                    "({:.4g} million "
                    "int8 weights)\n",
                    chip->name, chip->chiplets(), chip->cores(), chip->macros(),
                    chip->macro.rows, chip->macro.columns, megabytes);
    if (!chip->summary.empty())
      output.text += fmt::format("{:<15}{}\n", "", chip->summary);
  }
  output.json["chips"] = std::move(list);
  output.text += "'cimc chips NAME' prints a chip in full; save and change it, "
                 "and give the file as --chip FILE.json\n";
  return {};
}
