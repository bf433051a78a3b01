//===- Report.cpp - summaries for people and machines ---------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

using namespace cimc;

std::string cimc::withUnit(double value, const char *unit) {
  static const char *const prefixes[] = {"n", "u", "m", ""};
  int step = 0;
  while (step < 3 && std::fabs(value) >= 999.5) {
    value /= 1000;
    ++step;
  }
  return fmt::format("{:.3g} {}{}", value, prefixes[step], unit);
}

std::string cimc::grouped(int64_t value) {
  std::string text = std::to_string(value);
  for (int64_t i = int64_t(text.size()) - 3; i > (value < 0); i -= 3)
    text.insert(size_t(i), ",");
  return text;
}

std::string cimc::dump(const Json &json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

static double percent(double part, double whole) {
  return whole > 0 ? 100 * part / whole : 0;
}

static std::string sizeText(int64_t bytes) {
  return bytes < 10000      ? fmt::format("{} bytes", bytes)
         : bytes < 10000000 ? fmt::format("{} KB", bytes / 1000)
                            : fmt::format("{} MB", bytes / 1000000);
}

/// The layers, slowest first; equal ones by name.
static std::vector<LayerCost> slowestFirst(const CostReport &cost) {
  std::vector<LayerCost> layers = cost.layers;
  std::sort(layers.begin(), layers.end(),
            [](const LayerCost &a, const LayerCost &b) {
              return a.busy_ns != b.busy_ns ? a.busy_ns > b.busy_ns
                                            : a.layer < b.layer;
            });
  return layers;
}

static std::string layerLine(const LayerCost &layer, const CostReport &cost) {
  std::string name = layer.layer.empty() ? "(unnamed)" : layer.layer;
  if (name.size() > 32)
    name = "..." + name.substr(name.size() - 29);
  std::string where =
      layer.macros ? fmt::format("{} array{}, {} core{}", layer.macros,
                                 layer.macros == 1 ? "" : "s", layer.cores,
                                 layer.cores == 1 ? "" : "s")
                   : fmt::format("vector unit, {} core{}", layer.cores,
                                 layer.cores == 1 ? "" : "s");
  return fmt::format("  {:<32} {:>9} {:>9} {:>5.1f} %  {}\n", name,
                     withUnit(layer.busy_ns, "s"),
                     withUnit(layer.energy_nj, "J"),
                     percent(layer.energy_nj, cost.energy_nj), where);
}

std::string cimc::layerTable(const CostReport &cost) {
  std::string text = fmt::format("{} layers, in the order of the program: busy "
                                 "time, energy per sample and its share\n",
                                 cost.layers.size());
  for (const LayerCost &layer : cost.layers)
    text += layerLine(layer, cost);
  return text;
}

std::string cimc::layerCsv(const CostReport &cost) {
  std::string text = "layer,busy_ns,energy_nj,arrays,cores\n";
  for (const LayerCost &layer : cost.layers) {
    std::string name = layer.layer;
    for (size_t at = 0; (at = name.find('"', at)) != std::string::npos; at += 2)
      name.insert(at, "\"");
    text += fmt::format("\"{}\",{},{},{},{}\n", name, layer.busy_ns,
                        layer.energy_nj, layer.macros, layer.cores);
  }
  return text;
}

std::string cimc::criticalPathTable(const CostReport &cost) {
  if (cost.criticalPath.empty())
    return "";
  std::string text = fmt::format(
      "the period of {} is the time of these, each waiting for another\n",
      withUnit(cost.period_ns, "s"));
  for (size_t i = 0; i < std::min<size_t>(cost.criticalPath.size(), 12); ++i) {
    const PathPart &part = cost.criticalPath[i];
    text +=
        fmt::format("  {:<30} {:<12} {:>10} {:>5.1f} %\n",
                    part.layer.empty() ? "(host)" : part.layer, part.what,
                    withUnit(part.ns, "s"), percent(part.ns, cost.period_ns));
  }
  return text;
}

static int64_t chipletsUsed(const Program &program) {
  std::set<int64_t> chiplets;
  int64_t perChiplet =
      program.chip.tilesPerChiplet() * program.chip.hierarchy.cores_per_tile;
  for (const CoreProgram &core : program.cores)
    chiplets.insert(core.id / std::max<int64_t>(perChiplet, 1));
  return int64_t(chiplets.size());
}

static std::string programmingText(const CostReport &cost) {
  return fmt::format("takes {} and {} (profile 'fast': {} and {})",
                     withUnit(cost.setup.writing_ns, "s"),
                     withUnit(cost.setup.writing_nj, "J"),
                     withUnit(cost.fast_setup.writing_ns, "s"),
                     withUnit(cost.fast_setup.writing_nj, "J"));
}

std::string cimc::runText(const CostReport &cost) {
  std::string text = fmt::format(
      "{} samples back to back: {}, energy {}; {} of them run event by event",
      grouped(cost.samples_timed), withUnit(cost.makespan_ns, "s"),
      withUnit(cost.makespan_nj, "J"), grouped(cost.samples_simulated));
  if (cost.samples_simulated < cost.samples_timed)
    text += ", as the chip is the same again after " +
            (cost.steady_cycle == 1 ? std::string("each")
                                    : "every " + grouped(cost.steady_cycle));
  return text + "\n";
}

std::string cimc::summary(const Program &program, const CostReport &cost,
                          int64_t programBytes) {
  const ChipSpec &chip = program.chip;
  int64_t onArrays = 0, onVector = 0;
  for (const LayerCost &layer : cost.layers)
    (layer.macros ? onArrays : onVector) += 1;
  std::string text;
  auto line = [&](const char *name, const std::string &value) {
    text += fmt::format("{:<13}{}\n", name, value);
  };
  line("chip",
       fmt::format("{}: {} chiplets, {} cores, {} arrays of {} x {} cells",
                   chip.name, chip.chiplets(), chip.cores(), chip.macros(),
                   chip.macro.rows, chip.macro.columns));
  line("arrays",
       fmt::format("{} of {} ({:.1f} %), on {} cores of {} chiplets",
                   program.macrosUsed(), chip.macros(),
                   percent(double(program.macrosUsed()), double(chip.macros())),
                   program.cores.size(), chipletsUsed(program)));
  line("placement", fmt::format("{} layers on arrays, {} on vector units",
                                onArrays, onVector));
  line("latency", withUnit(cost.latency_ns, "s"));
  line("throughput",
       fmt::format("{} samples/s (one every {})",
                   cost.period_ns > 0
                       ? grouped(std::llround(1e9 / cost.period_ns))
                       : std::string("-"),
                   withUnit(cost.period_ns, "s")));
  std::vector<std::pair<std::string, double>> parts(
      cost.energy_by_component_nj.begin(), cost.energy_by_component_nj.end());
  std::sort(parts.begin(), parts.end(), [](auto &a, auto &b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  std::string shares;
  for (size_t i = 0; i < std::min<size_t>(parts.size(), 4); ++i)
    shares += fmt::format("{}{} {:.0f} %", i ? ", " : "", parts[i].first,
                          percent(parts[i].second, cost.energy_nj));
  line("energy",
       fmt::format("{} per inference{}{}{}", withUnit(cost.energy_nj, "J"),
                   shares.empty() ? "" : " (", shares,
                   shares.empty() ? "" : ")"));
  line("utilization",
       fmt::format("{:.1f} % of what the arrays used could do; {} MACs per "
                   "inference",
                   100 * cost.utilization, grouped(cost.macs)));
  line("power",
       fmt::format("{:.3g} W on average, {:.3g} W at most (limit {:.3g} W){}",
                   cost.average_power_w, cost.peak_power_w, chip.power.tdp_w,
                   cost.throttled ? "; the limit slows it down" : ""));
  line("program",
       fmt::format("{} instructions, {}", grouped(program.instructionCount()),
                   sizeText(programBytes)));
  line("weights", "writing all arrays once " + programmingText(cost));
  line("setup",
       fmt::format("{} instructions; with weights and constants brought to the "
                   "chip {} and {} (profile 'fast': {} and {})",
                   grouped(program.setupCount()), withUnit(cost.setup.ns, "s"),
                   withUnit(cost.setup.nj, "J"),
                   withUnit(cost.fast_setup.ns, "s"),
                   withUnit(cost.fast_setup.nj, "J")));
  std::vector<LayerCost> layers = slowestFirst(cost);
  if (!layers.empty())
    text += "slowest layers: busy time, energy and its share\n";
  for (size_t i = 0; i < std::min<size_t>(layers.size(), 5); ++i)
    text += layerLine(layers[i], cost);
  return text;
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

Json cimc::ioJson(const std::vector<ModelIO> &ios) {
  Json list = Json::array();
  for (const ModelIO &io : ios)
    list.push_back(
        {{"name", io.name}, {"type", name(io.type)}, {"shape", io.shape}});
  return list;
}

void cimc::addCost(Json &json, const Program &program, const CostReport &cost) {
  json["latency_ns"] = cost.latency_ns;
  json["period_ns"] = cost.period_ns;
  json["throughput_per_s"] = cost.period_ns > 0 ? 1e9 / cost.period_ns : 0;
  json["samples_timed"] = cost.samples_timed;
  json["samples_simulated"] = cost.samples_simulated;
  if (cost.makespan_ns > 0) {
    json["makespan_ns"] = cost.makespan_ns;
    json["makespan_nj"] = cost.makespan_nj;
  }
  json["steady_cycle"] = cost.steady_cycle;
  json["simulated_ns"] = cost.simulated_ns;
  json["throttled"] = cost.throttled;
  json["unthrottled_period_ns"] = cost.unthrottled_period_ns;
  json["energy_nj"] = cost.energy_nj;
  json["energy_by_component_nj"] = cost.energy_by_component_nj;
  json["average_power_w"] = cost.average_power_w;
  json["peak_power_w"] = cost.peak_power_w;
  json["tdp_w"] = program.chip.power.tdp_w;
  json["utilization"] = cost.utilization;
  json["macs"] = cost.macs;
  json["array_switching"] = cost.array_switching;
  json["arrays_used"] = program.macrosUsed();
  json["arrays_total"] = program.chip.macros();
  json["cores_used"] = program.cores.size();
  json["cores_total"] = program.chip.cores();
  json["chiplets_used"] = chipletsUsed(program);
  json["instructions"] = program.instructionCount();
  json["instructions_executed"] = cost.instructions_executed;
  json["program_arrays_ns"] = cost.setup.writing_ns;
  json["program_arrays_nj"] = cost.setup.writing_nj;
  json["program_arrays_fast_ns"] = cost.fast_setup.writing_ns;
  json["program_arrays_fast_nj"] = cost.fast_setup.writing_nj;
  json["setup_instructions"] = program.setupCount();
  json["setup_ns"] = cost.setup.ns;
  json["setup_nj"] = cost.setup.nj;
  json["setup_fast_ns"] = cost.fast_setup.ns;
  json["setup_fast_nj"] = cost.fast_setup.nj;
  json["reads_per_cell"] = cost.reads_per_cell;
  Json layers = Json::array();
  for (const LayerCost &layer : cost.layers)
    layers.push_back({{"name", layer.layer},
                      {"busy_ns", layer.busy_ns},
                      {"energy_nj", layer.energy_nj},
                      {"arrays", layer.macros},
                      {"cores", layer.cores}});
  json["layers"] = std::move(layers);
  if (cost.criticalPath.empty())
    return;
  Json path = Json::array();
  for (const PathPart &part : cost.criticalPath)
    path.push_back(
        {{"name", part.layer}, {"what", part.what}, {"ns", part.ns}});
  json["critical_path"] = std::move(path);
}

//===----------------------------------------------------------------------===//
// Wear and faults
//===----------------------------------------------------------------------===//

std::string cimc::wearText(const ChipSpec &chip, const CostReport &cost,
                           const Wear &wear) {
  return fmt::format(
      "weights: writing them {}; at {:.4g} samples/s a cell is read up to "
      "{:.3g} times a year and written again every {:.3g} years ({}): {:.0f} "
      "writes are reached in {:.3g} years, the {:.0f} guaranteed in {:.3g}\n",
      programmingText(cost), wear.samples_per_s, wear.reads_per_cell_year,
      wear.refresh_years, wear.reads_limit ? "read disturb" : "retention",
      chip.macro.endurance_warn_writes, wear.warn_years,
      chip.macro.endurance_writes, wear.lifetime_years);
}

Json cimc::wearJson(const Wear &wear) {
  return {{"samples_per_s", wear.samples_per_s},
          {"reads_per_cell_year", wear.reads_per_cell_year},
          {"refresh_years", wear.refresh_years},
          {"refresh_because", wear.reads_limit ? "read_disturb" : "retention"},
          {"warn_years", wear.warn_years},
          {"lifetime_years", wear.lifetime_years}};
}

std::string cimc::repairText(const RepairReport &r) {
  return fmt::format(
      "repair       {} of {} arrays have defects that matter, {} read right "
      "again ({:.4g} % of all right); {} columns complemented, {} moved to "
      "spares, {} row groups rotated, {} bits wrong\n",
      grouped(r.macrosDefective), grouped(r.macros), grouped(r.macrosRepaired),
      100 * r.yield(), grouped(r.columnsComplemented), grouped(r.columnsMoved),
      grouped(r.groupsRotated), grouped(r.cellsWrong));
}

Json cimc::repairJson(const RepairReport &r) {
  return {{"arrays", r.macros},
          {"arrays_defective", r.macrosDefective},
          {"arrays_repaired", r.macrosRepaired},
          {"yield", r.yield()},
          {"defective_cells", r.defects},
          {"columns_complemented", r.columnsComplemented},
          {"columns_moved", r.columnsMoved},
          {"row_groups_rotated", r.groupsRotated},
          {"bits_wrong", r.cellsWrong}};
}

std::string cimc::faultText(const FaultReport &r) {
  return fmt::format("faults: {} defective cells and {} wrong after "
                     "programming; {} weight bits read wrong, in {} of {} "
                     "arrays; {} words corrected\n",
                     grouped(r.defects), grouped(r.rawErrors),
                     grouped(r.bitsWrong), grouped(r.macrosWrong),
                     grouped(r.macros), grouped(r.wordsCorrected));
}

Json cimc::faultJson(const FaultReport &r) {
  return {{"arrays", r.macros},
          {"arrays_wrong", r.macrosWrong},
          {"defective_cells", r.defects},
          {"raw_errors", r.rawErrors},
          {"words_corrected", r.wordsCorrected},
          {"bits_wrong", r.bitsWrong}};
}

//===----------------------------------------------------------------------===//
// Quantization
//===----------------------------------------------------------------------===//

std::string cimc::quantizationText(const QuantizeReport &report) {
  int64_t narrow = 0, open = 0, wide = 0, inputs = 0;
  for (const QuantizedLayer &layer : report.layers) {
    open += layer.dropDb.has_value();
    narrow += layer.dropDb && layer.weightBits < 8;
    inputs += layer.inputGainDb.has_value();
    wide += layer.inputGainDb && layer.inputBits == 16;
  }
  if (report.layers.empty())
    return "";
  std::string text = fmt::format(
      "quantized: outputs at {:.1f} dB, cosine {:.5f} to the float network's",
      report.sqnrDb, report.cosine);
  if (open)
    text += fmt::format("; {} of {} layers with a choice have 4-bit weights",
                        narrow, open);
  if (inputs)
    text += fmt::format("; {} of {} inputs with a choice have 16 bits", wide,
                        inputs);
  return text + "\n";
}

std::string cimc::quantizationTable(const QuantizeReport &report) {
  if (report.layers.empty())
    return "";
  std::string text =
      fmt::format("\n{:<28}{:<10}{:>5}  {:<22}{:>9}{:>9}{:>10}  {}\n", "layer",
                  "kind", "bits", "input", "clipped", "SQNR", "cosine", "why");
  for (const QuantizedLayer &layer : report.layers) {
    bool fixed = layer.input == "fixed";
    text += fmt::format(
        "{:<28}{:<10}{:>5}  {:<22}{:>9}{:>9}{:>10.5f}  {}\n", layer.name,
        layer.kind, layer.weightBits,
        fixed ? fmt::format("[{:.4g}, {:.4g}]{}", layer.low, layer.high,
                            layer.inputBits == 8 ? "" : " 16 bits")
              : layer.input,
        fixed ? fmt::format("{:.3f} %", 100 * layer.clipped) : "",
        fmt::format("{:.1f} dB", layer.sqnrDb), layer.cosine, layer.why);
  }
  return text;
}

Json cimc::quantizationJson(const QuantizeReport &report) {
  Json list = Json::array();
  for (const QuantizedLayer &layer : report.layers) {
    Json row = {{"name", layer.name},
                {"kind", layer.kind},
                {"weight_bits", layer.weightBits},
                {"input", layer.input},
                {"sqnr_db", layer.sqnrDb},
                {"cosine", layer.cosine},
                {"dead_channels", layer.deadChannels},
                {"why", layer.why}};
    if (layer.dropDb) {
      row["narrow_drop_db"] = *layer.dropDb;
      row["narrow_saves_row_groups"] = layer.saved;
    }
    if (layer.inputGainDb)
      row["wide_input_gain_db"] = *layer.inputGainDb;
    if (layer.input == "fixed") {
      row["input_bits"] = layer.inputBits;
      row["low"] = layer.low;
      row["high"] = layer.high;
      row["clipped_share"] = layer.clipped;
    }
    list.push_back(std::move(row));
  }
  return list;
}
