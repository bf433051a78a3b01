//===- CostModel.cpp - time and energy of what a chip does ----------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Target/CostModel.h"
#include "cimc/Target/LinkNames.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

using namespace cimc;

namespace {

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// A partial sum spilled to memory is 24 bits, out and back.
constexpr double spillBytes = 6;

} // namespace

int64_t cimc::secdedCheckBits(int64_t dataBits) {
  int64_t check = 1;
  while ((INT64_C(1) << check) < dataBits + check + 1)
    ++check;
  return check + 1;
}

Cost CostModel::mvm(int64_t vectors, int64_t rows, int64_t columns,
                    int64_t macros, int64_t weightBits, int64_t inputBits,
                    int64_t reuse) const {
  if (vectors <= 0 || rows <= 0 || columns <= 0)
    return {};
  reuse = std::clamp<int64_t>(reuse, 1, vectors);
  const auto &macro = spec.macro;
  double cycle = 1e3 / spec.core.clock_mhz;
  int64_t groups = ceilDiv(rows, macro.active_rows);
  // A group is read while the one before computes; whichever takes longer sets
  // the pace. Column sets and macros work side by side and cost no time.
  auto groupNs = [&](int64_t served) {
    return std::max(static_cast<double>(served * inputBits) * cycle,
                    macro.row_read_ns);
  };
  int64_t whole = vectors / reuse, rest = vectors % reuse;
  Cost cost;
  cost.ns = static_cast<double>(groups * whole) * groupNs(reuse) +
            static_cast<double>(macro.fill_cycles) * cycle;
  if (rest)
    cost.ns += static_cast<double>(groups) * groupNs(rest);

  double weights = static_cast<double>(rows) * static_cast<double>(columns);
  double products = weights * static_cast<double>(vectors);
  // Energies per product are those of 8 by 8 bits; the adder tree and the
  // accumulator switch once per pair of bits.
  double bitPairs = static_cast<double>(weightBits * inputBits) / 64;
  double fj = weights * static_cast<double>(weightBits) * storedBits() *
              macro.read_fj_per_bit * static_cast<double>(whole + (rest != 0));
  fj += products * bitPairs * macro.mac_fj;
  if (reuse > 1)
    fj += products * bitPairs * macro.partial_sum_fj_per_mac;
  if (reuse > macro.partial_sum_depth && groups > 1) {
    double spilled = static_cast<double>(
        whole * (reuse - macro.partial_sum_depth) +
        std::max<int64_t>(rest - macro.partial_sum_depth, 0));
    fj += spilled * static_cast<double>(columns * groups) * spillBytes *
          spec.core.sram_pj_per_byte * 1e3;
  }
  cost.nj = fj * 1e-6;
  return cost;
}

Cost CostModel::vector(int64_t operations, bool isFloat) const {
  const auto &core = spec.core;
  int64_t lanes = isFloat ? core.vector_fp_lanes : core.vector_int_lanes;
  Cost cost;
  cost.ns =
      static_cast<double>(ceilDiv(std::max<int64_t>(operations, 0), lanes) +
                          core.vector_latency_cycles) *
      1e3 / core.clock_mhz;
  // An fp32 lane takes the place, and the energy, of several integer lanes.
  double weight =
      isFloat ? std::max(1.0, static_cast<double>(core.vector_int_lanes) /
                                  static_cast<double>(lanes))
              : 1.0;
  cost.nj =
      static_cast<double>(operations) * weight * core.vector_pj_per_op * 1e-3;
  return cost;
}

Cost CostModel::sramAccess(int64_t address, int64_t bytes) const {
  int64_t inCore = std::clamp<int64_t>(spec.coreBytes() - address, 0, bytes);
  double pj = static_cast<double>(inCore) * spec.core.sram_pj_per_byte +
              static_cast<double>(bytes - inCore) * spec.tile.sram_pj_per_byte;
  return {0, pj * 1e-3};
}

CorePosition CostModel::position(int64_t core) const {
  const auto &h = spec.hierarchy;
  CorePosition p;
  p.core = core % h.cores_per_tile;
  p.tile = core / h.cores_per_tile % spec.tilesPerChiplet();
  p.chiplet = core / h.cores_per_tile / spec.tilesPerChiplet();
  p.tileRow = p.tile / h.tile_columns;
  p.tileColumn = p.tile % h.tile_columns;
  p.chipletRow = p.chiplet / h.chiplet_columns;
  p.chipletColumn = p.chiplet % h.chiplet_columns;
  return p;
}

// Ports out of cores, ports into cores, tile links, chiplet edges, the host's
// two directions, the DRAM of chiplets.
int64_t CostModel::links() const {
  return 2 * spec.cores() + 4 * spec.chiplets() * (spec.tilesPerChiplet() + 1) +
         2 + spec.chiplets();
}

std::string cimc::linkName(const ChipSpec &spec, int64_t id) {
  static const char *const directions[] = {" east", " west", " south",
                                           " north"};
  int64_t cores = spec.cores(), tiles = spec.tilesPerChiplet();
  if (id < 2 * cores)
    return "core " + std::to_string(id % cores) + (id < cores ? " out" : " in");
  id -= 2 * cores;
  int64_t tile = id / 4;
  if (tile < spec.chiplets() * tiles)
    return "chiplet " + std::to_string(tile / tiles) + " tile " +
           std::to_string(tile % tiles) + directions[id % 4];
  int64_t chiplet = tile - spec.chiplets() * tiles;
  if (chiplet < spec.chiplets())
    return "chiplet " + std::to_string(chiplet) + " edge" + directions[id % 4];
  id -= 4 * spec.chiplets() * (tiles + 1);
  if (id >= 2)
    return "chiplet " + std::to_string(id - 2) + " dram";
  return id ? "host in" : "host out";
}

std::vector<Link> CostModel::route(int64_t from, int64_t to) const {
  std::vector<Link> links;
  visitRoute(from, to, [&](const Link &link) { links.push_back(link); });
  // Also a message within a tile, or only over edges, passes a router.
  bool isRouted = links.empty();
  for (const Link &link : links)
    isRouted |= link.network == Link::OnChip;
  if (!isRouted)
    links[links.size() - 2].ns +=
        1e3 / spec.noc.clock_mhz * static_cast<double>(spec.noc.hop_cycles);
  return links;
}

Cost CostModel::transfer(int64_t from, int64_t to, int64_t bytes) const {
  if (from == to || bytes <= 0)
    return {};
  // The head of the message walks the way, then the rest follows through the
  // narrowest link.
  CorePosition a = position(routerOf(from, to));
  CorePosition b = position(routerOf(to, from));
  const auto &h = spec.hierarchy;
  int64_t nopHops = std::abs(a.chipletRow - b.chipletRow) +
                    std::abs(a.chipletColumn - b.chipletColumn);
  int64_t hops = std::abs(a.chipletRow * h.tile_rows + a.tileRow -
                          b.chipletRow * h.tile_rows - b.tileRow) +
                 std::abs(a.chipletColumn * h.tile_columns + a.tileColumn -
                          b.chipletColumn * h.tile_columns - b.tileColumn);
  // Also a message within a tile passes its router.
  int64_t nocHops = std::max<int64_t>(hops - nopHops, 1);

  double bits = static_cast<double>(bytes) * 8,
         size = static_cast<double>(bytes);
  double nocCycle = 1e3 / spec.noc.clock_mhz;
  Cost cost;
  cost.ns = nocCycle * static_cast<double>(spec.noc.inject_cycles +
                                           spec.noc.hop_cycles * nocHops);
  double serial =
      nocCycle * static_cast<double>(ceilDiv(bytes * 8, spec.noc.link_bits));
  double pj = bits * spec.noc.pj_per_bit_hop * static_cast<double>(nocHops);
  if (nopHops > 0) {
    cost.ns += spec.nop.hop_ns * static_cast<double>(nopHops);
    serial = std::max(serial, size / spec.nop.link_gb_per_s);
    pj += bits * spec.nop.pj_per_bit_hop * static_cast<double>(nopHops);
  }
  if (from == dram || to == dram) {
    cost.ns += spec.dram.latency_ns;
    serial = std::max(serial, size / dramGbPerS());
    pj += bits * spec.dram.pj_per_bit;
  }
  if (from == host || to == host) {
    cost.ns += spec.host.latency_ns;
    serial = std::max(serial, size / spec.host.gb_per_s);
    pj += bits * spec.host.pj_per_bit;
  }
  cost.ns += serial;
  cost.nj = pj * 1e-3;
  return cost;
}

double CostModel::storedBits() const {
  int64_t word = spec.macro.secded_word_bits;
  return word ? 1 + static_cast<double>(secdedCheckBits(word)) /
                        static_cast<double>(word)
              : 1;
}

Cost CostModel::program(int64_t cells, WriteProfile profile) const {
  const auto &macro = spec.macro;
  bool fast = profile == WriteProfile::Fast;
  double loopNs = fast ? macro.fast_write_pulse_ns + macro.fast_write_verify_ns
                       : macro.write_pulse_ns + macro.write_verify_ns;
  int64_t loops = fast ? macro.fast_write_loops : macro.write_loops;
  double pj = fast ? macro.fast_write_pj_per_bit : macro.write_pj_per_bit;
  cells = std::llround(static_cast<double>(cells) * storedBits());
  return {
      static_cast<double>(ceilDiv(cells, macro.write_parallel_cells) * loops) *
          loopNs,
      static_cast<double>(cells) * pj * 1e-3};
}

Cost CostModel::program(const std::vector<std::vector<int64_t>> &cells,
                        WriteProfile profile) const {
  Cost total;
  size_t batch = static_cast<size_t>(spec.macro.write_parallel_macros);
  for (const std::vector<int64_t> &chiplet : cells) {
    double ns = 0;
    for (size_t begin = 0; begin < chiplet.size(); begin += batch) {
      double longest = 0;
      for (size_t i = begin; i < std::min(begin + batch, chiplet.size()); ++i) {
        Cost one = program(chiplet[i], profile);
        longest = std::max(longest, one.ns);
        total.nj += one.nj;
      }
      ns += longest;
    }
    total.ns = std::max(total.ns, ns);
  }
  return total;
}

double CostModel::staticPower() const {
  return spec.power.static_w_per_chiplet *
             static_cast<double>(spec.chiplets()) +
         spec.power.static_w;
}

double CostModel::withClock(double nj) const {
  return nj * (1 + spec.power.clock_fraction);
}

double CostModel::withRegulator(double nj) const {
  return nj * (1 + spec.power.regulator_loss);
}
