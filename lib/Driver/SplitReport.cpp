//===- SplitReport.cpp - what networks in parts cost ----------------------===//
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

using namespace cimc;

/// Batches that the report compares, besides the one chosen.
static constexpr int64_t comparedBatches[] = {1, 16, 256, 4096, 65536};

static std::string rateText(double periodNs) {
  return fmt::format("{:.4g} samples/s", periodNs > 0 ? 1e9 / periodNs : 0);
}

static std::string kilobytes(int64_t bytes) {
  return fmt::format("{:.4g} KB", double(bytes) / 1000);
}

static std::string yearsText(double years) {
  constexpr double daysPerYear = 365.25;
  double days = years * daysPerYear;
  return years >= 1        ? fmt::format("{:.3g} years", years)
         : days >= 1       ? fmt::format("{:.3g} days", days)
         : days >= 1. / 24 ? fmt::format("{:.3g} hours", days * 24)
                           : fmt::format("{:.3g} minutes", days * 24 * 60);
}

/// Bytes that a part reads and makes, a sample.
static int64_t ioBytes(const Program &part, bool outputs) {
  int64_t bytes = 0;
  for (const IOBinding &io : part.ios)
    if (io.isOutput == outputs)
      bytes += byteSize(io);
  return bytes;
}

std::string cimc::splitSummary(const SplitProgram &program,
                               const SplitCost &cost) {
  const ChipSpec &chip = program.chip();
  bool isCards = program.goal == SplitGoal::Cards;
  std::string text;
  auto line = [&](const std::string &name, const std::string &value) {
    text += fmt::format("{:<13}{}\n", name, value);
  };
  line("chip",
       fmt::format("{}{}, {} arrays",
                   isCards ? fmt::format("{} cards of ", program.parts.size())
                           : "",
                   chip.name, chip.macros()));
  for (size_t i = 0; i < program.parts.size(); ++i) {
    const Program &part = program.parts[i];
    const CostReport &its = cost.parts[i];
    line(fmt::format("part {}", i),
         fmt::format(
             "{} arrays on {} cores, {} layers; a sample every {}, in "
             "{}, {}; reads {}, makes {}",
             part.macrosUsed(), part.cores.size(), its.layers.size(),
             withUnit(its.period_ns, "s"), withUnit(its.latency_ns, "s"),
             withUnit(its.energy_nj, "J"), kilobytes(ioBytes(part, false)),
             kilobytes(ioBytes(part, true))));
  }
  if (isCards) {
    line("latency", withUnit(cost.latency_ns, "s") + ", through all cards");
    line("throughput",
         fmt::format("{} (one every {}: part {} is the slowest)",
                     rateText(cost.period_ns), withUnit(cost.period_ns, "s"),
                     cost.slowest));
    line("energy", withUnit(cost.energy_nj, "J") +
                       " per inference, with the power of cards at rest");
    line("host links", fmt::format("{} a sample from card to card",
                                   kilobytes(cost.between_bytes)));
    return text;
  }
  line("host link",
       fmt::format("{} of weights a batch; {} a sample wait on the host "
                   "between parts, {} a batch",
                   kilobytes(cost.weight_bytes), kilobytes(cost.between_bytes),
                   kilobytes(cost.between_bytes * program.batch)));
  line("a batch", fmt::format("{} samples; the array written most often is "
                              "written {} times",
                              program.batch, cost.writes_a_batch));
  for (bool isFast : {false, true}) {
    const BatchCost &its = isFast ? cost.fast : cost.own;
    line(isFast ? "  fast" : "  foundry",
         fmt::format(
             "{}: writing {}, computing {}; {}, {} a sample, of which "
             "writing {}; {} writes guaranteed last {} without pause",
             withUnit(its.batch_ns(), "s"), withUnit(its.writing_ns, "s"),
             withUnit(its.computing_ns, "s"), rateText(its.period_ns),
             withUnit(its.energy_nj, "J"),
             withUnit(its.writing_nj / double(program.batch), "J"),
             chip.macro.endurance_writes, yearsText(its.lifetime_years)));
  }
  text += fmt::format("{:<13}{:>14}{:>12}{:>15}   {:>14}{:>12}{:>15}\n",
                      "batch", "foundry", "a sample", "cells last", "fast",
                      "a sample", "cells last");
  for (int64_t batch : comparedBatches) {
    BatchCost own = batchCost(program, cost, batch, false),
              fast = batchCost(program, cost, batch, true);
    text +=
        fmt::format("{:<13}{:>12.4g}/s{:>12}{:>15}   {:>12.4g}/s{:>12}{:>15}\n",
                    fmt::format("  {}", batch), 1e9 / own.period_ns,
                    withUnit(own.energy_nj, "J"), yearsText(own.lifetime_years),
                    1e9 / fast.period_ns, withUnit(fast.energy_nj, "J"),
                    yearsText(fast.lifetime_years));
  }
  return text;
}

std::string cimc::splitWearText(const SplitProgram &program, const Wear &wear) {
  const auto &macro = program.chip().macro;
  return fmt::format(
      "cells        at {:.4g} samples/s {} writes are reached in "
      "{}, the {} guaranteed in {}\n",
      wear.samples_per_s, macro.endurance_warn_writes,
      yearsText(wear.warn_years), macro.endurance_writes,
      yearsText(wear.lifetime_years));
}

static Json batchJson(const BatchCost &cost, int64_t batch) {
  return {{"batch", batch},
          {"batch_ns", cost.batch_ns()},
          {"writing_ns", cost.writing_ns},
          {"computing_ns", cost.computing_ns},
          {"writing_nj", cost.writing_nj},
          {"period_ns", cost.period_ns},
          {"energy_nj", cost.energy_nj},
          {"warn_years", cost.warn_years},
          {"lifetime_years", cost.lifetime_years}};
}

void cimc::addSplitCost(Json &json, const SplitProgram &program,
                        const SplitCost &cost) {
  json["chip"] = program.chip().name;
  json["split"] = name(program.goal);
  json["latency_ns"] = cost.latency_ns;
  json["period_ns"] = cost.period_ns;
  json["throughput_per_s"] = cost.period_ns > 0 ? 1e9 / cost.period_ns : 0;
  json["energy_nj"] = cost.energy_nj;
  json["arrays_total"] = program.chip().macros();
  json["weight_bytes"] = cost.weight_bytes;
  json["between_bytes"] = cost.between_bytes;
  Json parts = Json::array();
  for (size_t i = 0; i < program.parts.size(); ++i) {
    Json part = {{"inputs", ioJson(programIO(program.parts[i], false))},
                 {"outputs", ioJson(programIO(program.parts[i], true))}};
    addCost(part, program.parts[i], cost.parts[i]);
    parts.push_back(std::move(part));
  }
  json["parts"] = std::move(parts);
  if (program.goal == SplitGoal::Cards) {
    json["slowest_part"] = cost.slowest;
    return;
  }
  json["batch"] = program.batch;
  json["writes_a_batch"] = cost.writes_a_batch;
  json["foundry"] = batchJson(cost.own, program.batch);
  json["fast"] = batchJson(cost.fast, program.batch);
  Json batches = Json::array();
  for (int64_t batch : comparedBatches)
    batches.push_back(
        {{"foundry", batchJson(batchCost(program, cost, batch, false), batch)},
         {"fast", batchJson(batchCost(program, cost, batch, true), batch)}});
  json["batches"] = std::move(batches);
}

//===----------------------------------------------------------------------===//
// What is in a program
//===----------------------------------------------------------------------===//

std::string cimc::inspect(const SplitProgram &program, int64_t programBytes) {
  const ChipSpec &chip = program.chip();
  bool isCards = program.goal == SplitGoal::Cards;
  std::string text = fmt::format(
      "model    {}\nchip     {}\nprogram  {} bytes, {} parts, {}\n",
      program.model, chip.name, grouped(programBytes), program.parts.size(),
      isCards ? "each on a card of its own"
              : fmt::format("written in turn for batches of {} samples",
                            program.batch));
  for (bool outputs : {false, true})
    for (const ModelIO &io : programIO(program, outputs))
      text += fmt::format("{:<9}{}: {} of {}\n", outputs ? "output" : "input",
                          io.name, name(io.type), shapeString(io.shape));
  for (size_t i = 0; i < program.parts.size(); ++i) {
    const Program &part = program.parts[i];
    text +=
        fmt::format("part {:<4}{} of {} arrays, {} cores, {} instructions\n", i,
                    part.macrosUsed(), chip.macros(), part.cores.size(),
                    grouped(part.instructionCount()));
    for (bool outputs : {false, true})
      for (const ModelIO &io : programIO(part, outputs))
        text +=
            fmt::format("  {:<7}{}: {} of {}\n", outputs ? "makes" : "reads",
                        io.name, name(io.type), shapeString(io.shape));
  }
  return text;
}

Json cimc::inspectJson(const SplitProgram &program, int64_t programBytes) {
  Json parts = Json::array();
  for (const Program &part : program.parts)
    parts.push_back({{"instructions", part.instructionCount()},
                     {"arrays_used", part.macrosUsed()},
                     {"cores_used", part.cores.size()},
                     {"inputs", ioJson(programIO(part, false))},
                     {"outputs", ioJson(programIO(part, true))}});
  Json json = {{"model", program.model},
               {"split", name(program.goal)},
               {"batch", program.batch},
               {"chip", program.chip().name},
               {"program_bytes", programBytes},
               {"arrays_total", program.chip().macros()},
               {"inputs", ioJson(programIO(program, false))},
               {"outputs", ioJson(programIO(program, true))},
               {"parts", std::move(parts)}};
  return json;
}
