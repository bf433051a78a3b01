//===- FaultFile.cpp - rates and maps of faults ---------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Program/Faults.h"
#include "cimc/Support/File.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <optional>

using namespace cimc;
using Json = nlohmann::json;

namespace {

constexpr const char *known =
    "stuck, stuck0, stuck1, row, column, raw, transient, seed";

/// Sets one value; an error message, or nothing.
std::string set(FaultModel &faults, const std::string &name, double value) {
  if (name == "seed") {
    if (!(value >= 0) || value >= 0x1p53 ||
        value != static_cast<double>(static_cast<uint64_t>(value)))
      return fmt::format("seed is {}, but must be a whole number", value);
    faults.seed = static_cast<uint64_t>(value);
    return "";
  }
  if (!(value >= 0 && value <= 1))
    return fmt::format("{} is {}, but a rate is from 0 to 1", name, value);
  if (name == "stuck")
    faults.stuck0 = faults.stuck1 = value / 2;
  else if (name == "stuck0")
    faults.stuck0 = value;
  else if (name == "stuck1")
    faults.stuck1 = value;
  else if (name == "row")
    faults.row = value;
  else if (name == "column")
    faults.column = value;
  else if (name == "raw")
    faults.raw = value;
  else if (name == "transient")
    faults.transient = value;
  else
    return fmt::format("there is no '{}'; known are {}", name, known);
  if (faults.stuck0 + faults.stuck1 > 1)
    return "stuck0 and stuck1 are more than 1 together";
  return "";
}

Result<FaultModel> readRates(const std::string &text, const ChipSpec &chip) {
  auto fail = [](const std::string &what) {
    return Error{ExitCode::Usage, "--faults: " + what};
  };
  FaultModel faults;
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find(',', begin), text.size());
    std::string item = text.substr(begin, end - begin);
    begin = end + 1;
    if (item == "chip") {
      faults.raw = chip.macro.raw_bit_error_rate;
      continue;
    }
    size_t equals = item.find('=');
    if (equals == std::string::npos)
      return fail(fmt::format("'{}' is neither NAME=RATE nor a .json file; "
                              "names are {}, or say 'chip'",
                              item, known));
    std::string number = item.substr(equals + 1);
    char *stop = nullptr;
    double value = std::strtod(number.c_str(), &stop);
    if (number.empty() || *stop)
      return fail(fmt::format("'{}' of '{}' is not a number", number, item));
    if (std::string what = set(faults, item.substr(0, equals), value);
        !what.empty())
      return fail(what);
  }
  return faults;
}

/// Reads one entry of "defects"; an error message, or nothing.
std::string readDefect(const Json &entry, const ChipSpec &chip,
                       Defect &defect) {
  if (!entry.is_object())
    return "is not an object";
  std::map<std::string, int64_t> values;
  const std::map<std::string, int64_t> limits = {
      {"core", chip.cores()},
      {"macro", chip.hierarchy.macros_per_core},
      {"row", chip.macro.rows},
      {"column", physicalColumns(chip)},
      {"stuck", 2}};
  for (const auto &[name, value] : entry.items()) {
    auto limit = limits.find(name);
    if (limit == limits.end())
      return fmt::format("has an unknown key '{}'; known are core, macro, row, "
                         "column, stuck",
                         name);
    if (!value.is_number_integer() || value.get<int64_t>() < 0 ||
        value.get<int64_t>() >= limit->second)
      return fmt::format(
          "has {} = {}; on chip '{}' it is from 0 to {}", name,
          value.dump(-1, ' ', false, Json::error_handler_t::replace), chip.name,
          limit->second - 1);
    values[name] = value.get<int64_t>();
  }
  for (const char *name : {"core", "macro", "stuck"})
    if (!values.count(name))
      return fmt::format("has no '{}'", name);
  if (!values.count("row") && !values.count("column"))
    return "has neither 'row' nor 'column'";
  defect.core = static_cast<uint32_t>(values["core"]);
  defect.macro = static_cast<uint16_t>(values["macro"]);
  defect.value = values["stuck"] != 0;
  if (values.count("row"))
    defect.row = values["row"];
  if (values.count("column"))
    defect.column = values["column"];
  return "";
}

Result<FaultModel> readFile(const std::string &path, const ChipSpec &chip) {
  auto fail = [&](const std::string &what) {
    return Error{ExitCode::InvalidInput, fmt::format("{}: {}", path, what)};
  };
  Result<std::string> text = cimc::readFile(path);
  if (!text)
    return text.takeError();
  Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object())
    return fail("a fault map is a JSON object with rates and \"defects\"");
  FaultModel faults;
  for (const auto &[name, value] : json.items()) {
    if (name != "defects") {
      if (!value.is_number())
        return fail(fmt::format("'{}' is not a number", name));
      if (std::string what = set(faults, name, value.get<double>());
          !what.empty())
        return fail(what);
      continue;
    }
    if (!value.is_array())
      return fail("'defects' is not a list");
    for (size_t i = 0; i < value.size(); ++i) {
      Defect defect;
      if (std::string what = readDefect(value[i], chip, defect); !what.empty())
        return fail(fmt::format("defect {} {}", i, what));
      faults.defects.push_back(defect);
    }
  }
  return faults;
}

} // namespace

Result<FaultModel> cimc::readFaults(const std::string &text,
                                    const ChipSpec &chip) {
  constexpr std::string_view ending = ".json";
  bool isFile =
      text.size() > ending.size() &&
      text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
  return isFile ? ::readFile(text, chip) : readRates(text, chip);
}
