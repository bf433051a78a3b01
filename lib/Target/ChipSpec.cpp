//===- ChipSpec.cpp - the keys of a chip and what must hold between them --===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Target/ChipSpec.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <type_traits>

using namespace cimc;

const std::vector<ChipKey> &cimc::chipKeys() {
  static const std::vector<ChipKey> keys = {
#define CIMC_CHIP_KEY(GROUP, NAME, TYPE, DEFAULT, MIN, MAX, KIND, SOURCE)      \
  {#GROUP,                                                                     \
   #NAME,                                                                      \
   #KIND,                                                                      \
   SOURCE,                                                                     \
   std::is_integral_v<TYPE>,                                                   \
   DEFAULT,                                                                    \
   MIN,                                                                        \
   MAX,                                                                        \
   [](const ChipSpec &c) { return static_cast<double>(c.GROUP.NAME); },        \
   [](ChipSpec &c, double v) { c.GROUP.NAME = static_cast<TYPE>(v); }},
#include "cimc/Target/ChipSpec.def"
  };
  return keys;
}

Status cimc::checkChip(const ChipSpec &spec) {
  auto fail = [&](const std::string &message) {
    return Error{ExitCode::InvalidInput,
                 fmt::format("chip '{}': {}", spec.name, message)};
  };
  for (const ChipKey &key : chipKeys()) {
    double value = key.get(spec);
    if (!(value >= key.min && value <= key.max))
      return fail(fmt::format("{}.{} is {}, outside its limits {} to {}",
                              key.group, key.name, value, key.min, key.max));
  }
  const auto &macro = spec.macro;
  if (macro.rows % macro.active_rows != 0)
    return fail(
        fmt::format("macro.active_rows is {} but must divide macro.rows, "
                    "which is {}",
                    macro.active_rows, macro.rows));
  if (macro.columns % 8 != 0)
    return fail(fmt::format("macro.columns is {} but must be a multiple of 8, "
                            "the bits of an int8 weight",
                            macro.columns));
  if (macro.write_parallel_cells > macro.rows * macro.columns)
    return fail(fmt::format(
        "macro.write_parallel_cells is {}, more than the {} cells of a macro",
        macro.write_parallel_cells, macro.rows * macro.columns));
  if (spec.core.vector_fp_lanes > spec.core.vector_int_lanes)
    return fail(fmt::format("core.vector_fp_lanes is {}, more than "
                            "core.vector_int_lanes, which is {}",
                            spec.core.vector_fp_lanes,
                            spec.core.vector_int_lanes));
  constexpr int64_t maxCores = 1 << 20;
  // The limits of the keys keep this product within 64 bits.
  if (spec.cores() > maxCores)
    return fail(fmt::format("the hierarchy has {} cores; at most {} are "
                            "supported",
                            spec.cores(), maxCores));
  return {};
}

std::string cimc::printChip(const ChipSpec &spec) {
  auto quoted = [](const std::string &text) {
    return nlohmann::json(text).dump(-1, ' ', false,
                                     nlohmann::json::error_handler_t::replace);
  };
  std::string out = fmt::format("{{\n  \"name\": {},\n  \"summary\": {}",
                                quoted(spec.name), quoted(spec.summary));
  std::string group;
  for (const ChipKey &key : chipKeys()) {
    if (group != key.group) {
      out += fmt::format("{},\n  \"{}\": {{\n", group.empty() ? "" : "\n  }",
                         key.group);
      group = key.group;
    } else {
      out += ",\n";
    }
    double value = key.get(spec);
    std::string kind = key.kind, source = key.source;
    auto it = spec.sources.find(fmt::format("{}.{}", key.group, key.name));
    if (it != spec.sources.end()) {
      kind = it->second.kind;
      source = it->second.text;
    } else if (value != key.defaultValue) {
      // The table's source is one for its default only.
      kind = "assumed";
      source = fmt::format("stated by chip '{}'", spec.name);
    }
    std::string number = key.isInteger
                             ? fmt::format("{}", static_cast<int64_t>(value))
                             : fmt::format("{}", value);
    out += fmt::format(
        "    \"{}\": {{\"value\": {}, \"kind\": {}, \"source\": {}}}", key.name,
        number, quoted(kind), quoted(source));
  }
  return out + "\n  }\n}\n";
}
