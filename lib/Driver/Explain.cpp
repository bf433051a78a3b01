//===- Explain.cpp - where a node lies and what bounds it -----------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Explain.h"

#include "llvm/Support/MathExtras.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

using namespace cimc;

/// Streams listed for a node in text; JSON has all.
static constexpr size_t mostStreams = 16;
/// Parts of the critical path listed in text.
static constexpr size_t mostParts = 4;
/// Times that differ by less are the same.
static constexpr double sameTime = 1e-3;

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

/// The least number of parts of `all`, below `parts`, that are larger; 0 where
/// there is none.
static int64_t fewerParts(int64_t all, int64_t parts) {
  return parts <= 1 ? 0
                    : llvm::divideCeilSigned(
                          all, llvm::divideCeilSigned(all, parts - 1));
}

/// The least number of parts of `all` that are smaller than with `parts`; 0
/// where there is none.
static int64_t moreParts(int64_t all, int64_t parts) {
  int64_t size = llvm::divideCeilSigned(all, parts);
  return size <= 1 ? 0 : llvm::divideCeilSigned(all, size - 1);
}

std::optional<cim::LayerCopies>
cimc::fewerCopies(const cim::LayerCopies &layer) {
  cim::LayerCopies fewer = layer;
  // Pixels are shared out first, so turns go first.
  if (layer.phases > 1)
    fewer.phases = fewerParts(layer.rows, layer.phases);
  else if (int64_t copies = fewerParts(layer.pixels, layer.copies))
    fewer.copies = copies;
  else
    return std::nullopt;
  return fewer;
}

std::optional<cim::LayerCopies>
cimc::moreCopies(const cim::LayerCopies &layer) {
  cim::LayerCopies more = layer;
  if (!layer.canCut)
    return std::nullopt;
  if (int64_t copies = moreParts(layer.pixels, layer.copies))
    more.copies = copies;
  else if (int64_t phases = moreParts(layer.rows, layer.phases);
           phases && layer.canTakeTurns)
    more.phases = phases;
  else
    return std::nullopt;
  return more;
}

//===----------------------------------------------------------------------===//
// Facts
//===----------------------------------------------------------------------===//

std::vector<std::string> cimc::nodesOf(const Program &program) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (const CoreProgram &core : program.cores)
    for (const Stream &stream : core.streams)
      if (seen.insert(stream.layer).second)
        names.push_back(stream.layer);
  return names;
}

static std::vector<TileFacts> tilesOf(const Stream &stream) {
  std::vector<TileFacts> tiles;
  std::set<std::tuple<int64_t, int64_t, int64_t>> seen;
  for (const isa::Instruction &instruction : stream.instructions) {
    const auto *mvm = std::get_if<isa::Mvm>(&instruction);
    if (!mvm || !seen.insert({mvm->macros, mvm->cell_row, mvm->column}).second)
      continue;
    TileFacts tile;
    for (int64_t m = 0; m < 8; ++m)
      if (mvm->macros >> m & 1)
        tile.arrays.push_back(m);
    tile.firstRow = mvm->cell_row;
    tile.rows = mvm->k_size;
    tile.firstColumn = mvm->column;
    tile.columns = mvm->columns;
    tile.weightBits = mvm->weight_bits;
    tile.reuse = std::max<int64_t>(mvm->reuse, 1);
    tiles.push_back(std::move(tile));
  }
  return tiles;
}

NodeFacts cimc::factsOf(const std::string &node, const Program &program,
                        const CostReport &cost) {
  NodeFacts facts;
  facts.name = node;
  CostModel model(program.chip);
  for (const StreamCost &busy : cost.streams) {
    const CoreProgram &core = program.cores[busy.core];
    const Stream &stream = core.streams[busy.stream];
    if (stream.layer != node)
      continue;
    facts.streams.push_back(
        {core.id, model.position(core.id), tilesOf(stream), busy});
  }
  for (const PathPart &part : cost.criticalPath)
    if (part.layer == node)
      facts.criticalNs += part.ns;
  return facts;
}

/// The stream that works longest.
static const StreamFacts &busiest(const NodeFacts &node) {
  return *std::max_element(node.streams.begin(), node.streams.end(),
                           [](const StreamFacts &a, const StreamFacts &b) {
                             return a.cost.allNs() < b.cost.allNs();
                           });
}

/// What a stream spends its time on, the longest first.
static std::vector<std::pair<const char *, double>>
timesOf(const StreamCost &cost) {
  std::vector<std::pair<const char *, double>> times = {
      {"arrays", cost.arrayNs},
      {"vector unit", cost.vectorNs},
      {"memory", cost.memoryNs},
      {"sending", cost.sendNs}};
  std::stable_sort(times.begin(), times.end(),
                   [](auto &a, auto &b) { return a.second > b.second; });
  return times;
}

/// The arrays of a node; several of its streams may share one.
static int64_t arraysOf(const NodeFacts &node) {
  std::set<std::pair<int64_t, int64_t>> arrays;
  for (const StreamFacts &stream : node.streams)
    for (const TileFacts &tile : stream.tiles)
      for (int64_t array : tile.arrays)
        arrays.insert({stream.core, array});
  return int64_t(arrays.size());
}

template <typename Of> static int64_t countOf(const NodeFacts &node, Of of) {
  std::set<int64_t> all;
  for (const StreamFacts &stream : node.streams)
    all.insert(of(stream));
  return int64_t(all.size());
}

static double percent(double part, double whole) {
  return whole > 0 ? 100 * part / whole : 0;
}

/// "1 array", "2 arrays".
static std::string counted(int64_t count, const char *what) {
  return fmt::format("{} {}{}", grouped(count), what, count == 1 ? "" : "s");
}

static std::string range(int64_t first, int64_t count) {
  return fmt::format("{}-{}", first, first + count - 1);
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

/// "  name       value".
static std::string field(const char *name, const std::string &value) {
  return fmt::format("  {:<11}{}\n", name, value);
}

std::string cimc::networkText(const Program &program, const CostReport &cost) {
  std::string text = fmt::format(
      "{} on '{}': a sample every {}, in {}; {} of {} arrays\n", program.model,
      program.chip.name, withUnit(cost.period_ns, "s"),
      withUnit(cost.latency_ns, "s"), grouped(program.macrosUsed()),
      grouped(program.chip.macros()));
  if (cost.throttled)
    text += field("bound by",
                  fmt::format("the power limit of {:.3g} W; without it a "
                              "sample every {}",
                              program.chip.power.tdp_w,
                              withUnit(cost.unthrottled_period_ns, "s")));
  std::string parts;
  for (size_t i = 0; i < std::min(cost.criticalPath.size(), mostParts); ++i) {
    const PathPart &part = cost.criticalPath[i];
    parts +=
        fmt::format("{}{} ({}) {:.1f} %", i ? ", " : "",
                    part.layer.empty() ? "the host" : part.layer, part.what,
                    percent(part.ns, cost.unthrottled_period_ns));
  }
  if (!parts.empty())
    text +=
        field("critical", "one period of the chain that decides it: " + parts);
  return text;
}

/// "1 copy", "2 copies".
static std::string copiesOf(const cim::LayerCopies &layer) {
  return layer.all() == 1 ? "1 copy" : fmt::format("{} copies", layer.all());
}

static std::string copiesText(const cim::LayerCopies &layer) {
  std::string text = copiesOf(layer);
  if (layer.macros)
    text +=
        fmt::format(" of its weights, {} each", counted(layer.macros, "array"));
  else
    text += " of what it does on vector units";
  int64_t widest = llvm::divideCeilSigned(layer.pixels, layer.copies);
  if (layer.all() > 1)
    text += fmt::format(": each makes {} of {} of a row", widest,
                        counted(layer.pixels, "pixel"));
  if (layer.phases > 1)
    text += fmt::format(", and one of {} rows", layer.phases);
  if (layer.nodes.size() > 1)
    text += fmt::format(" (cut alike: {})", fmt::join(layer.nodes, ", "));
  return text;
}

/// "12 copies: 40 arrays of the chip (984 free), a sample every ...".
static std::string alternativeText(const Alternative &other,
                                   const Program &program,
                                   const CostReport &cost) {
  std::string copies = copiesOf(other.layer) + ": ";
  if (!other.failure.empty())
    return copies + other.failure;
  int64_t change = other.arrays - program.macrosUsed();
  return fmt::format(
      "{}{} arrays ({:+}; {} free now), a sample every {} ({:+.1f} %), in {} "
      "({:+.1f} %), {}",
      copies, grouped(other.arrays), change,
      grouped(program.chip.macros() - program.macrosUsed()),
      withUnit(other.periodNs, "s"),
      percent(other.periodNs, cost.period_ns) - 100,
      withUnit(other.latencyNs, "s"),
      percent(other.latencyNs, cost.latency_ns) - 100,
      withUnit(other.energyNj, "J"));
}

/// Why a layer is copied as often as it is, from what its neighbours come to.
static std::string why(const LayerFacts &layer, const CostReport &cost,
                       bool latency) {
  const cim::LayerCopies &copies = layer.copies;
  if (!copies.canCut)
    return copies.pixels == 1 && copies.rows == 1
               ? "its result is one pixel of one row: there is nothing to cut"
               : "it cannot be cut: a part would need all of what it reads";
  const char *goal = latency ? "latency and period" : "period";
  auto of = [&](double periodNs, double latencyNs) {
    return latency ? periodNs + latencyNs : periodNs;
  };
  double now = of(cost.period_ns, cost.latency_ns);
  // 1: longer, -1: shorter, 2: impossible
  auto compare = [&](const Alternative &other) {
    if (!other.failure.empty())
      return 2;
    double then = of(other.periodNs, other.latencyNs);
    return then > now * (1 + sameTime)   ? 1
           : then < now * (1 - sameTime) ? -1
                                         : 0;
  };
  auto says = [&](const char *which, int result) {
    return result == 2 ? fmt::format("{} do not fit", which)
           : result == 1
               ? fmt::format("{} would make the {} longer", which, goal)
           : result == 0
               ? fmt::format("{} would leave the {} as it is", which, goal)
               : fmt::format("{} would make the {} shorter, which the search "
                             "for all layers at once did not find",
                             which, goal);
  };
  std::string text;
  if (layer.fewer)
    text = says("fewer", compare(*layer.fewer));
  if (layer.more)
    text += (text.empty() ? "" : "; ") + says("more", compare(*layer.more));
  else
    text += fmt::format("{}each makes one pixel of {} already, so there are "
                        "no more to share",
                        text.empty() ? "" : "; ",
                        copies.canTakeTurns ? "one row" : "a row");
  return text;
}

static std::string streamLine(const StreamFacts &stream,
                              const TileFacts *tile) {
  std::string where =
      tile ? fmt::format("{:<8} {:<11} {:<11} {:>4} {:>3}",
                         fmt::format("{}", fmt::join(tile->arrays, ",")),
                         range(tile->firstRow, tile->rows),
                         range(tile->firstColumn, tile->columns),
                         tile->weightBits, tile->reuse)
           : fmt::format("{:<8} {:<11} {:<11} {:>4} {:>3}", "-", "-", "-", "-",
                         "-");
  return fmt::format(
      "    {:>7} {:>4} {:>5}  {} {:>9} {:>9} {:>9} {:>9}\n",
      stream.position.chiplet, stream.position.tile, stream.core, where,
      withUnit(stream.cost.arrayNs, "s"), withUnit(stream.cost.vectorNs, "s"),
      withUnit(stream.cost.memoryNs, "s"), withUnit(stream.cost.sendNs, "s"));
}

std::string cimc::nodeText(const NodeFacts &node, const Program &program,
                           const CostReport &cost, bool latency) {
  std::string text = fmt::format("\n{}\n", node.name);
  int64_t arrays = arraysOf(node);
  text += field(
      "where",
      fmt::format(
          "{} on {} of {}",
          arrays ? counted(arrays, "array") + " and " +
                       counted(int64_t(node.streams.size()), "stream")
                 : counted(int64_t(node.streams.size()), "stream") +
                       " on vector units",
          counted(countOf(node, [](auto &s) { return s.core; }), "core"),
          counted(countOf(node, [](auto &s) { return s.position.chiplet; }),
                  "chiplet")));
  std::set<int64_t> reuse;
  for (const StreamFacts &stream : node.streams)
    for (const TileFacts &tile : stream.tiles)
      reuse.insert(tile.reuse);
  if (!reuse.empty())
    text += field("R", fmt::format("{} input vectors for each read of a row "
                                   "group, of at most {}",
                                   fmt::join(reuse, " or "),
                                   program.chip.macro.partial_sum_depth));
  for (const LayerFacts &layer : node.layers) {
    text += field("copies", copiesText(layer.copies));
    if (!layer.isMeasured)
      continue;
    text += field("why", why(layer, cost, latency));
    if (layer.fewer)
      text += field("fewer", alternativeText(*layer.fewer, program, cost));
    if (layer.more)
      text += field("more", alternativeText(*layer.more, program, cost));
  }
  const StreamFacts &most = busiest(node);
  auto times = timesOf(most.cost);
  std::string shares;
  for (const auto &[what, ns] : times)
    if (ns > 0)
      shares += fmt::format("{}{} {}", shares.empty() ? "" : ", ", what,
                            withUnit(ns, "s"));
  text += field("bound by",
                fmt::format("{}: its busiest stream, on core {}, works {} a "
                            "sample ({}), {:.1f} % of the period",
                            times.front().first, most.core,
                            withUnit(most.cost.allNs(), "s"), shares,
                            percent(most.cost.allNs(), cost.period_ns)));
  text += field(
      "critical",
      node.criticalNs > 0
          ? fmt::format("{} of the chain that decides the period, "
                        "{:.1f} %",
                        withUnit(node.criticalNs, "s"),
                        percent(node.criticalNs, cost.unthrottled_period_ns))
          : "no: it is not on the chain that decides the period");
  text += "    chiplet tile  core  arrays   rows        columns     bits   R  "
          "  arrays    vector    memory   sending\n";
  size_t shown = 0;
  for (const StreamFacts &stream : node.streams) {
    if (++shown > mostStreams)
      break;
    if (stream.tiles.empty())
      text += streamLine(stream, nullptr);
    for (const TileFacts &tile : stream.tiles)
      text += streamLine(stream, &tile);
  }
  if (node.streams.size() > mostStreams)
    text += fmt::format("    ... and {} more streams (--json lists all)\n",
                        node.streams.size() - mostStreams);
  return text;
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

Json cimc::networkJson(const Program &program, const CostReport &cost) {
  Json path = Json::array();
  for (const PathPart &part : cost.criticalPath)
    path.push_back(
        {{"layer", part.layer}, {"what", part.what}, {"ns", part.ns}});
  return Json{{"chip", program.chip.name},
              {"period_ns", cost.period_ns},
              {"latency_ns", cost.latency_ns},
              {"throttled", cost.throttled},
              {"arrays_used", program.macrosUsed()},
              {"arrays_total", program.chip.macros()},
              {"critical_path", std::move(path)}};
}

static Json alternativeJson(const std::optional<Alternative> &other) {
  if (!other)
    return nullptr;
  Json json = {{"copies", other->layer.all()}};
  if (!other->failure.empty()) {
    json["failure"] = other->failure;
    return json;
  }
  json["arrays_used"] = other->arrays;
  json["period_ns"] = other->periodNs;
  json["latency_ns"] = other->latencyNs;
  json["energy_nj"] = other->energyNj;
  return json;
}

Json cimc::nodeJson(const NodeFacts &node) {
  Json layers = Json::array(), streams = Json::array();
  for (const LayerFacts &layer : node.layers) {
    Json json = {{"nodes", layer.copies.nodes},
                 {"copies", layer.copies.all()},
                 {"ranges_of_pixels", layer.copies.copies},
                 {"turns_of_rows", layer.copies.phases},
                 {"arrays_of_a_copy", layer.copies.macros},
                 {"pixels", layer.copies.pixels},
                 {"rows", layer.copies.rows},
                 {"can_be_cut", layer.copies.canCut}};
    if (layer.isMeasured) {
      json["fewer"] = alternativeJson(layer.fewer);
      json["more"] = alternativeJson(layer.more);
    }
    layers.push_back(std::move(json));
  }
  for (const StreamFacts &stream : node.streams) {
    Json tiles = Json::array();
    for (const TileFacts &tile : stream.tiles)
      tiles.push_back({{"arrays", tile.arrays},
                       {"first_row", tile.firstRow},
                       {"rows", tile.rows},
                       {"first_column", tile.firstColumn},
                       {"columns", tile.columns},
                       {"weight_bits", tile.weightBits},
                       {"reuse", tile.reuse}});
    streams.push_back({{"chiplet", stream.position.chiplet},
                       {"tile", stream.position.tile},
                       {"core", stream.core},
                       {"tiles", std::move(tiles)},
                       {"array_ns", stream.cost.arrayNs},
                       {"vector_ns", stream.cost.vectorNs},
                       {"memory_ns", stream.cost.memoryNs},
                       {"send_ns", stream.cost.sendNs}});
  }
  const StreamCost &most = busiest(node).cost;
  return Json{{"name", node.name},
              {"arrays", arraysOf(node)},
              {"bound_by", timesOf(most).front().first},
              {"busiest_ns", most.allNs()},
              {"critical_ns", node.criticalNs},
              {"layers", std::move(layers)},
              {"streams", std::move(streams)}};
}
