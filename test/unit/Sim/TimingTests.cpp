//===- TimingTests.cpp - time and energy ------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Network.h"
#include "Timing.h"

#include "cimc/Sim/Simulator.h"
#include "cimc/Target/CostModel.h"

#include <catch2/catch.hpp>

using namespace cimc;
using namespace cimc::test;

TEST_CASE("a product over all rows of a macro takes 132 cycles") {
  Program p = oneMvm(1024, 64, 1);
  CostReport r = *Simulator(p).time();
  REQUIRE(r.layers.size() == 1);
  CHECK(r.layers[0].busy_ns == Approx(132 * 2));
  CHECK(r.layers[0].macros == 1);
  CHECK(r.layers[0].cores == 1);
  CHECK(r.macs == 1024 * 64);
  // In, two core cycles, out: nothing else happens.
  CostModel model(p.chip);
  CHECK(r.latency_ns == Approx(model.transfer(-1, 0, 1024).ns + 2 + 264 + 2 +
                               model.transfer(0, -1, 256).ns));
  // Array energy from the chip's numbers: 240 fJ a product to read at R = 1.
  CHECK(r.energy_by_component_nj.at("array_read") ==
        Approx(1024 * 64 * 240e-6));
  CHECK(r.energy_by_component_nj.at("array_mac") ==
        Approx(1024 * 64 * 92.7e-6));
  CHECK(r.energy_by_component_nj.at("array_sums") == Approx(0).margin(1e-9));
  // All cells once.
  CHECK(r.setup.writing_ns == Approx(1024 * 512 / 64 * 3 * 1000.0));
  CHECK(r.setup.writing_nj == Approx(1024 * 512 * 0.6));
}

TEST_CASE("reading a row group for more vectors saves read energy") {
  CostReport one = *Simulator(oneMvm(1024, 64, 8)).time();
  CostReport eight = *Simulator(oneMvm(1024, 64, 8, 8)).time();
  CHECK(eight.energy_by_component_nj.at("array_read") ==
        Approx(one.energy_by_component_nj.at("array_read") / 8));
  CHECK(eight.energy_by_component_nj.at("array_sums") ==
        Approx(8 * 1024 * 64 * 1.3e-6));
  CHECK(one.latency_ns == Approx(eight.latency_ns));
}

TEST_CASE("time is deterministic and independent of data") {
  SmallNetwork net;
  Simulator simulator(net.program);
  CostReport still = *simulator.time();
  std::mt19937 random(6);
  for (int i = 0; i < 3; ++i) {
    CostReport r;
    REQUIRE(
        simulator.runTimed({randomTensor(random, DType::U8, {1, 3, 8, 9})}, r));
    CHECK(r.latency_ns == still.latency_ns);
    CHECK(r.period_ns == still.period_ns);
    CHECK(r.energy_nj == still.energy_nj);
    CHECK(r.energy_by_component_nj == still.energy_by_component_nj);
  }
}

/// Four streams take the eight rows of the input in turn and send them to the
/// host's ring of two; the first waits until it has seen all of them.
static Program takingTurns() {
  Program p;
  constexpr int rows = 8, bytes = 16, phases = 4;
  CoreBuilder b(0);
  uint32_t address = b.allocate(rows * bytes);
  uint32_t in = addChannel(p, 0, address, bytes, rows, rows, 1, phases);
  uint32_t out = addChannel(p, -1, 0, bytes, 2, rows, phases);
  addIO(p, "x", false, DType::I8, {1, bytes, rows, 1}, {0, 2, 3, 1}, {in});
  addIO(p, "y", true, DType::I8, {1, bytes, rows, 1}, {0, 2, 3, 1}, {out});
  uint16_t view = b.view(address, {rows, 1, bytes}, I8, rows);
  for (uint16_t phase = 0; phase < phases; ++phase) {
    Stream &s = b.stream("turn");
    emitLoop(s, rows / phases);
    emitWait(s, in, phase == 0 ? constant(rows) : affine(phase + 1, phases),
             phase);
    isa::Send send;
    send.channel = out;
    send.producer = phase;
    send.src = view;
    send.row = affine(phase, phases);
    send.pitch = bytes;
    send.first = phase;
    send.skipped = phases - 1;
    s.instructions.push_back(send);
    emitNext(s);
    emitFree(s, in, constant(rows), phase);
    emitHalt(s);
  }
  p.cores.push_back(b.core);
  return p;
}

TEST_CASE("who takes rows in turn waits for the first row's slot, too") {
  Program p = takingTurns();
  Status status = verify(p);
  INFO((status ? std::string() : status.error().message));
  REQUIRE(bool(status));
  Simulator simulator(p);
  std::mt19937 random(9);
  HostTensor x = randomTensor(random, DType::I8, {1, 16, 8, 1});
  auto untimed = simulator.run({x});
  CostReport report;
  auto timed = simulator.runTimed({x}, report);
  REQUIRE(untimed);
  REQUIRE(timed);
  CHECK((*untimed)[0].data == x.data);
  CHECK((*timed)[0].data == x.data);
}

TEST_CASE("energy is conserved and bounds hold") {
  SmallNetwork net;
  CostReport r = *Simulator(net.program).time();
  double sum = 0;
  for (const auto &[name, nj] : r.energy_by_component_nj) {
    INFO(name);
    CHECK(nj >= 0);
    sum += nj;
  }
  CHECK(r.energy_nj == Approx(sum));
  CHECK(r.average_power_w == Approx(r.energy_nj / r.period_ns));
  CHECK(r.peak_power_w >= r.average_power_w);
  CHECK(r.macs == 8 * 9 * 27 * 16);
  CHECK(r.utilization > 0);
  CHECK(r.utilization <= 1);
  CHECK(r.latency_ns >= r.period_ns);
  double layers = 0;
  for (const LayerCost &layer : r.layers) {
    // No unit works longer than a period.
    CHECK(layer.busy_ns <= r.period_ns * (1 + 1e-9));
    layers += layer.energy_nj;
  }
  CHECK(layers < r.energy_nj);
  REQUIRE(r.layers.size() == 4);
  CHECK(r.layers[0].layer == "conv");
  CHECK(r.layers[0].macros == 2);
  CHECK(r.energy_by_component_nj.at("nop") > 0);
  CHECK(r.energy_by_component_nj.at("host") > 0);
}

TEST_CASE("samples overlap, and a deeper ring never slows a network down") {
  CostReport narrow = *Simulator(SmallNetwork(3).program).time();
  CostReport wide = *Simulator(SmallNetwork(8).program).time();
  CHECK(narrow.period_ns < narrow.latency_ns);
  CHECK(wide.latency_ns <= narrow.latency_ns * (1 + 1e-9));
  CHECK(wide.period_ns <= narrow.period_ns * (1 + 1e-9));
}

TEST_CASE("a power budget stretches the period") {
  Program p = oneMvm(1024, 64, 64);
  CostReport free = *Simulator(p).time();
  CHECK(!free.throttled);
  CostModel model(p.chip);
  p.chip.power.tdp_w =
      (free.average_power_w + model.withRegulator(model.staticPower())) / 2;
  CostReport bound = *Simulator(p).time();
  CHECK(bound.throttled);
  CHECK(bound.unthrottled_period_ns == Approx(free.period_ns));
  CHECK(bound.period_ns > free.period_ns);
  CHECK(bound.average_power_w == Approx(p.chip.power.tdp_w));
}

TEST_CASE("R = 1, and inputs that all toggle, are caught by the power limit") {
  // One macro with its share of 75 W; nothing but the array takes energy.
  auto run = [](int reuse, double macFj) {
    Program p = oneMvm(1024, 64, 64, reuse);
    auto &h = p.chip.hierarchy;
    h.chiplet_rows = h.chiplet_columns = h.tile_rows = h.tile_columns = 1;
    h.cores_per_tile = h.macros_per_core = 1;
    p.chip.power.static_w = p.chip.power.static_w_per_chiplet = 0;
    p.chip.power.tdp_w = 75.0 / 1024;
    p.chip.host.pj_per_bit = p.chip.noc.pj_per_bit_hop = 0;
    p.chip.host.gb_per_s = 1e5;
    p.chip.noc.link_bits = 65536;
    p.chip.macro.mac_fj = macFj;
    return *Simulator(p).time();
  };
  // Tree and AND gates switch twice as often as at 50 % toggle.
  double toggling = 92.7 + 59.6 + 4.5;
  CHECK(!run(8, 92.7).throttled);
  CHECK(run(1, 92.7).throttled);
  CostReport worst = run(1, toggling);
  CHECK(worst.throttled);
  CHECK(worst.average_power_w == Approx(75.0 / 1024));
  CHECK(worst.period_ns > run(1, 92.7).period_ns);
}

TEST_CASE("partial sums beyond the file are charged to the run") {
  auto sums = [](int reuse) {
    return Simulator(oneMvm(1024, 64, 16, reuse))
        .time()
        ->energy_by_component_nj.at("array_sums");
  };
  // 8 of 16 vectors, 64 sums of 16 row groups, 3 bytes out and back at 1 pJ.
  CHECK(sums(16) - sums(8) == Approx(8 * 64 * 16 * 6 * 1e-3));
}

TEST_CASE("a trace has a track for every unit that worked") {
  SmallNetwork net;
  auto trace = Simulator(net.program).trace();
  REQUIRE(trace);
  for (const char *text :
       {"\"traceEvents\":[", "\"core 70\"", "\"macro 1\"", "\"vector\"",
        "\"port\"", "\"conv mvm\"", "\"pool send\"", "\"networks\"",
        "\"host out\"", "\"core 0 in\"", "\"chiplet 0 edge east\"",
        "\"core 70 out\"", "\"host in\""})
    CHECK(trace->find(text) != std::string::npos);
  CHECK(trace->substr(trace->size() - 4) == "\n]}\n");
}

TEST_CASE("an idle network takes what the cost model says") {
  ChipSpec chip;
  sim::Costs costs(chip);
  const CostModel &model = costs.costModel();
  std::mt19937 random(8);
  for (int i = 0; i < 300; ++i) {
    int64_t from = static_cast<int64_t>(random() % 513) - 1;
    int64_t to = static_cast<int64_t>(random() % 513) - 1;
    int64_t bytes = 1 + random() % 4000;
    if (from == to)
      continue;
    sim::Network network(costs);
    const sim::Route *route = network.route(from, to, bytes);
    Cost cost = model.transfer(from, to, bytes);
    sim::Message message(network, 1000);
    auto times = network.reserve(*route, message);
    CHECK(route->share(times.taken).others() == Approx(cost.nj));
    CHECK(times.arrived == Approx(1000 + cost.ns));
    CHECK(times.sent <= times.arrived);
    CHECK(route->energy.others() == Approx(cost.nj));
  }
}

TEST_CASE("transfers over one link queue, others do not") {
  ChipSpec chip; // 4 cores a tile, 4 x 4 tiles a chiplet
  sim::Costs costs(chip);
  sim::Network network(costs);
  // Tile 0 to tile 1 and tile 0 to tile 2 share the first link: 1600 bytes
  // take 100 ns on it.
  double alone = costs.costModel().transfer(1, 8, 1600).ns;
  auto arrival = [&](int64_t from, int64_t to) {
    sim::Message message(network, 0);
    return network.reserve(*network.route(from, to, 1600), message).arrived;
  };
  arrival(0, 4);
  CHECK(arrival(1, 8) == Approx(alone + 100));
  // The other direction, and a column, are free.
  CHECK(arrival(5, 2) == Approx(costs.costModel().transfer(5, 2, 1600).ns));
  CHECK(arrival(3, 17) == Approx(costs.costModel().transfer(3, 17, 1600).ns));
}

TEST_CASE("a message to several readers passes common links once") {
  ChipSpec chip;
  sim::Costs costs(chip);
  sim::Network network(costs);
  const CostModel &model = costs.costModel();
  // From tile 0 to tiles 2 and 3 of the same row, and to tile 3 again.
  sim::Message message(network, 0);
  auto send = [&](int64_t to, sim::Energy &energy) {
    const sim::Route *route = network.route(0, to, 1600);
    auto times = network.reserve(*route, message);
    energy = route->share(times.taken);
    return times;
  };
  sim::Energy first, second, third;
  auto near = send(8, first);
  auto far = send(12, second);
  auto same = send(13, third);
  CHECK(near.arrived == Approx(model.transfer(0, 8, 1600).ns));
  CHECK(far.arrived == Approx(model.transfer(0, 12, 1600).ns));
  CHECK(same.arrived == Approx(model.transfer(0, 13, 1600).ns));
  CHECK(near.sent == far.sent);
  CHECK(first.others() == Approx(model.transfer(0, 8, 1600).nj));
  CHECK(second.others() == Approx(model.transfer(0, 12, 1600).nj / 3));
  CHECK(third.others() == 0);
  // Its links were taken once.
  sim::Message next(network, 0);
  CHECK(network.reserve(*network.route(0, 4, 1600), next).sent == Approx(200));
}

TEST_CASE("readers of some of a message's pixels take what of it passes") {
  ChipSpec chip;
  sim::Costs costs(chip);
  sim::Network network(costs);
  // From tile 0 along its row: eight pixels to tile 1, and of them four to
  // tile 2; those pass behind tile 1 only, as soon as they are there.
  sim::Message message(network, 0);
  auto send = [&](int64_t to, PixelSpan span) {
    return network.reserve(
        *network.route(0, to, 200 * (span.end - span.begin) / span.step),
        message, span);
  };
  auto onChip = [](const sim::Network::Times &times) { return times.taken[0]; };
  const sim::Route &all = *network.route(0, 4, 1600);
  const sim::Route &part = *network.route(0, 8, 800);
  auto first = send(4, {0, 8, 1});
  CHECK(first.taken == all.links);
  auto middle = send(8, {2, 6, 1});
  CHECK(onChip(middle) > 0);
  CHECK(onChip(middle) < part.links[0]);
  CHECK(middle.sent == first.sent);
  // Two of those once more, to the same tile: only its core's port is new.
  auto again = send(9, {3, 5, 1});
  CHECK(onChip(again) <= onChip(middle));
  CHECK(onChip(again) < network.route(0, 9, 400)->links[0]);
  // What passed was every pixel of the middle; every second one of the end did
  // not.
  auto end = send(8, {1, 8, 2});
  CHECK(onChip(end) == onChip(middle));
  auto none = send(8, {1, 8, 2});
  CHECK(onChip(none) == 0);
}

TEST_CASE("rings that hold up a network are named") {
  SmallNetwork narrow(3);
  CostReport report = *Simulator(narrow.program).time(/*criticalPath=*/true);
  REQUIRE(!report.fullRings.empty());
  for (auto [channel, waits] : report.fullRings) {
    CHECK(waits > 0);
    CHECK(std::count_if(narrow.program.channels.begin(),
                        narrow.program.channels.end(),
                        [id = channel](const isa::Channel &c) {
                          return c.id == id && c.consumers > 0;
                        }) == 1);
  }
  CHECK(Simulator(narrow.program).time()->fullRings.empty());
}

TEST_CASE("streams of a core share its vector unit") {
  // Each core does two rows of work in two streams, or one in each of two.
  auto build = [](bool sameCore) {
    Program p;
    for (int i = 0; i < 2; ++i) {
      if (i == 0 || !sameCore) {
        CoreProgram core;
        core.id = static_cast<uint32_t>(i);
        p.cores.push_back(core);
      }
      CoreBuilder b(0);
      b.core = p.cores.back();
      b.nextAddress = static_cast<uint32_t>(i * 16384);
      uint16_t row = b.buffer({1, 64, 64}, U8, 1);
      isa::Fill fill;
      fill.dst = row;
      uint32_t out = addChannel(p, -1, 0, 4096, 1, 1);
      addIO(p, i ? "b" : "a", true, DType::U8, {4096}, {0}, {out});
      Stream &s = b.stream("fill");
      for (int n = 0; n < 10; ++n)
        s.instructions.push_back(fill);
      emitSend(s, out, row, constant(0), 64);
      p.cores.back() = b.core;
    }
    return p;
  };
  CostReport shared = *Simulator(build(true)).time();
  CostReport apart = *Simulator(build(false)).time();
  // A fill of 4096 bytes: 64 cycles and 4 of latency.
  CHECK(apart.layers[0].busy_ns == Approx(10 * 68 * 2));
  CHECK(shared.layers[0].busy_ns == Approx(20 * 68 * 2));
  CHECK(shared.latency_ns - apart.latency_ns > 8 * 68 * 2);
}
