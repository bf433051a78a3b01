//===- Sensitivity.cpp - how a chip depends on its numbers ----------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Target/Sensitivity.h"

#include "cimc/Target/CostModel.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

using namespace cimc;

namespace {

/// All arrays at work at R = `reuse`.
struct Peak {
  double tops = 0, watts = 0;
};

Peak peak(const ChipSpec &chip, int64_t reuse) {
  CostModel model(chip);
  int64_t columns = chip.weightColumns(8), vectors = 64 * reuse;
  Cost cost = model.mvm(vectors, chip.macro.rows, columns, 1, 8, 8, reuse);
  double fill =
      static_cast<double>(chip.macro.fill_cycles) * 1e3 / chip.core.clock_mhz;
  double ns = cost.ns - fill;
  double macs = static_cast<double>(vectors * chip.macro.rows * columns);
  auto macros = static_cast<double>(chip.macros());
  return {2e-3 * macs / ns * macros,
          model.withRegulator(cost.nj / ns * macros + model.staticPower())};
}

/// Throughput within the power limit.
double sustained(const ChipSpec &chip, int64_t reuse) {
  Peak p = peak(chip, reuse);
  CostModel model(chip);
  double rest = model.withRegulator(model.staticPower());
  if (p.watts <= chip.power.tdp_w)
    return p.tops;
  return p.tops * std::max(0.0, chip.power.tdp_w - rest) / (p.watts - rest);
}

std::string idOf(const ChipKey &key) {
  return fmt::format("{}.{}", key.group, key.name);
}

std::string kindOf(const ChipSpec &chip, const ChipKey &key) {
  auto own = chip.sources.find(idOf(key));
  if (own != chip.sources.end())
    return own->second.kind;
  return key.get(chip) == key.defaultValue ? key.kind : "assumed";
}

/// A chip with another value; an error where there is no such chip.
Result<SweepRow> rowOf(const ChipSpec &chip, const ChipKey &key, double value) {
  ChipSpec changed = chip;
  key.set(changed, value);
  if (key.isInteger && value != std::floor(value))
    return Error{ExitCode::Usage,
                 fmt::format("{} is a whole number, not {}", idOf(key), value)};
  if (!(value >= key.min && value <= key.max))
    return Error{ExitCode::Usage,
                 fmt::format("{} is {}, outside its limits {} to {}", idOf(key),
                             value, key.min, key.max)};
  if (Status status = checkChip(changed); !status)
    return Error{ExitCode::Usage, status.error().message};
  return SweepRow{idOf(key), kindOf(chip, key), value, value == key.get(chip),
                  chipFigures(changed)};
}

} // namespace

std::vector<ChipFigure> cimc::chipFigures(const ChipSpec &chip) {
  CostModel model(chip);
  int64_t depth = chip.macro.partial_sum_depth;
  Peak one = peak(chip, 1), deep = peak(chip, depth);
  Cost product =
      model.mvm(1, chip.macro.rows, chip.weightColumns(8), 1, 8, 8, 1);
  Cost message = model.transfer(0, chip.cores() - 1, 1024);
  Cost input = model.transfer(-1, 0, 1024);
  Cost sums = model.vector(1024, false);
  Cost memory = model.sramAccess(chip.coreBytes() - 512, 1024);
  std::vector<std::vector<int64_t>> cells(
      chip.chiplets(),
      std::vector<int64_t>(chip.macros() / chip.chiplets(),
                           chip.macro.rows * chip.macro.columns));
  Cost slow = model.program(cells),
       fast = model.program(cells, WriteProfile::Fast);
  return {
      {"weights_mb", chip.weightBytes() / (1 << 20)},
      {"peak_tops", deep.tops},
      {"r1_power_w", one.watts},
      {"deep_power_w", deep.watts},
      {"r1_tops_in_tdp", sustained(chip, 1)},
      {"deep_tops_in_tdp", sustained(chip, depth)},
      {"product_ns", product.ns},
      {"product_nj", product.nj},
      {"across_1kb_ns", message.ns},
      {"across_1kb_nj", message.nj},
      {"host_1kb_ns", input.ns},
      {"host_1kb_nj", model.withClock(input.nj)},
      {"vector_1k_ns", sums.ns},
      {"vector_1k_nj", sums.nj},
      {"sram_1kb_nj", memory.nj},
      {"rewrite_s", slow.ns * 1e-9},
      {"rewrite_j", slow.nj * 1e-9},
      {"fast_rewrite_s", fast.ns * 1e-9},
      {"fast_rewrite_j", fast.nj * 1e-9},
      {"arrays_mm2", static_cast<double>(chip.macros()) * chip.macro.area_mm2}};
}

Result<std::vector<SweepRow>> cimc::sweep(const ChipSpec &chip,
                                          const std::string &name,
                                          const std::vector<double> &values) {
  static const std::map<std::string, std::string> aliases = {
      {"read_energy", "macro.read_fj_per_bit"},
      {"write_energy", "macro.write_pj_per_bit"},
      {"mac_energy", "macro.mac_fj"}};
  auto alias = aliases.find(name);
  const std::string &wanted = alias == aliases.end() ? name : alias->second;
  std::vector<const ChipKey *> found;
  for (const ChipKey &key : chipKeys())
    if (wanted == key.name || wanted == idOf(key))
      found.push_back(&key);
  if (found.empty())
    return Error{ExitCode::Usage,
                 fmt::format("there is no key '{}'; 'cimc chips {}' lists them",
                             name, chip.name)};
  if (found.size() > 1)
    return Error{ExitCode::Usage,
                 fmt::format("'{}' is {} and {}; give the group too", name,
                             idOf(*found[0]), idOf(*found[1]))};
  std::vector<SweepRow> rows;
  for (double value : values) {
    Result<SweepRow> row = rowOf(chip, *found[0], value);
    if (!row)
      return row.takeError();
    rows.push_back(std::move(*row));
  }
  return rows;
}

std::vector<SweepRow> cimc::sweepAll(const ChipSpec &chip) {
  std::vector<SweepRow> rows;
  for (const ChipKey &key : chipKeys()) {
    std::string kind = kindOf(chip, key);
    if (kind != "assumed" && kind != "derived")
      continue;
    double own = key.get(chip);
    std::vector<double> values = {own / 2, own, own * 2};
    if (key.isInteger)
      values[0] = std::floor(values[0]);
    values.erase(std::unique(values.begin(), values.end()), values.end());
    for (double value : values)
      if (Result<SweepRow> row = rowOf(chip, key, value))
        rows.push_back(std::move(*row));
  }
  return rows;
}
