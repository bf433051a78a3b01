//===- MeshTests.cpp - the networks against a simulation by cycles --------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The chip model reserves links for whole messages. Here every flit of every
// message moves cycle by cycle through routers that know nothing of that:
// buffers, one flit a link and cycle, whoever came first goes first.
//
//===----------------------------------------------------------------------===//

#include "Timing.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <deque>
#include <random>

using namespace cimc;

namespace {

constexpr int size = 8; ///< tiles in each direction
constexpr int nodes = size * size;

struct Message {
  int64_t start;
  int from, to, flits;
};

/// Mean latency and throughput of a run; in cycles, and flits a cycle and node.
struct Figures {
  double latency, throughput;
};

/// Messages of `flits` flits that each node sends to random others, `load`
/// flits a cycle on average, in the order of time.
std::vector<Message> traffic(double load, int flits, int64_t cycles) {
  std::mt19937 random(12);
  std::vector<Message> messages;
  for (int64_t t = 0; t < cycles; ++t)
    for (int n = 0; n < nodes; ++n)
      if (static_cast<double>(random()) < load / flits * 0x1p32) {
        int to = static_cast<int>(random() % (nodes - 1));
        messages.push_back({t, n, to + (to >= n), flits});
      }
  return messages;
}

/// Latency over messages that start in the middle half; throughput at the
/// receivers over the time in which messages start.
Figures figuresOf(const std::vector<Message> &messages,
                  const std::vector<double> &arrived, int64_t cycles) {
  double sum = 0, count = 0, flits = 0;
  for (size_t i = 0; i < messages.size(); ++i) {
    auto start = static_cast<double>(messages[i].start);
    auto all = static_cast<double>(cycles);
    if (start >= all / 4 && start < all * 3 / 4) {
      sum += arrived[i] - start;
      ++count;
    }
    if (arrived[i] >= all / 4 && arrived[i] < all)
      flits += messages[i].flits;
  }
  return {sum / count, flits / (0.75 * static_cast<double>(cycles) * nodes)};
}

/// The simulation by cycles.
class Mesh {
public:
  explicit Mesh(const std::vector<Message> &messages) : messages(messages) {}

  std::vector<double> run() {
    links.resize(nodes * 6);
    paths.resize(messages.size());
    arrived.assign(messages.size(), -1);
    size_t next = 0, done = 0;
    for (int64_t now = 0; done < messages.size(); ++now) {
      for (; next < messages.size() && messages[next].start == now; ++next) {
        paths[next] = path(messages[next]);
        for (int f = 0; f < messages[next].flits; ++f)
          links[paths[next][0]].waiting.push_back({next, 0, f, now});
      }
      for (Link &link : links)
        done += step(link, now);
    }
    return arrived;
  }

private:
  struct Flit {
    size_t message;
    size_t hop; ///< index in its path
    int number;
    int64_t ready; ///< cycle in which it has come here
  };
  /// A link and the flits that wait for it, by message in the order in which
  /// their heads came.
  struct Link {
    std::deque<Flit> waiting;
  };

  // By node: out of it, into it, east, west, south, north.
  static std::vector<int> path(const Message &m) {
    std::vector<int> path = {m.from * 6};
    int x = m.from % size, y = m.from / size;
    for (; x < m.to % size; ++x)
      path.push_back((y * size + x) * 6 + 2);
    for (; x > m.to % size; --x)
      path.push_back((y * size + x) * 6 + 3);
    for (; y < m.to / size; ++y)
      path.push_back((y * size + x) * 6 + 4);
    for (; y > m.to / size; --y)
      path.push_back((y * size + x) * 6 + 5);
    path.push_back(m.to * 6 + 1);
    return path;
  }

  /// Moves one flit over a link, if one is there.
  int step(Link &link, int64_t now) {
    if (link.waiting.empty() || link.waiting.front().ready > now)
      return 0;
    Flit flit = link.waiting.front();
    link.waiting.pop_front();
    const std::vector<int> &way = paths[flit.message];
    bool isPort = flit.hop == 0 || flit.hop + 1 == way.size();
    flit.ready = now + (isPort ? 1 : 2);
    if (++flit.hop < way.size()) {
      enqueue(links[way[flit.hop]], flit);
      return 0;
    }
    if (flit.number + 1 < messages[flit.message].flits)
      return 0;
    arrived[flit.message] = static_cast<double>(flit.ready);
    return 1;
  }

  /// Behind the flits of its own message: a link is not given to another one
  /// before the tail has passed.
  void enqueue(Link &link, const Flit &flit) {
    auto &queue = link.waiting;
    auto at = queue.end();
    if (flit.number > 0) {
      auto own = std::find_if(queue.rbegin(), queue.rend(), [&](const Flit &f) {
        return f.message == flit.message;
      });
      at = own == queue.rend() ? queue.begin() : own.base();
    } else {
      // Heads by the time they are ready; whole messages stay together.
      while (at != queue.begin() && std::prev(at)->number == 0 &&
             std::prev(at)->ready > flit.ready)
        --at;
    }
    queue.insert(at, flit);
  }

  const std::vector<Message> &messages;
  std::vector<std::vector<int>> paths;
  std::vector<Link> links;
  std::vector<double> arrived;
};

ChipSpec meshChip() {
  ChipSpec chip;
  chip.hierarchy.chiplet_rows = chip.hierarchy.chiplet_columns = 1;
  chip.hierarchy.tile_rows = chip.hierarchy.tile_columns = size;
  chip.hierarchy.cores_per_tile = 1;
  return chip; // 1 GHz, so a cycle is a nanosecond
}

std::vector<double> model(const std::vector<Message> &messages) {
  ChipSpec chip = meshChip();
  sim::Costs costs(chip);
  sim::Network network(costs);
  std::vector<double> arrived;
  for (const Message &m : messages) {
    sim::Message message(network, static_cast<double>(m.start));
    const sim::Route *route =
        network.route(m.from, m.to, m.flits * chip.noc.link_bits / 8);
    arrived.push_back(network.reserve(*route, message).arrived);
  }
  return arrived;
}

} // namespace

TEST_CASE("a message alone takes the same cycles") {
  for (int flits : {1, 4, 30})
    for (int to : {1, 7, 9, 63, 56}) {
      std::vector<Message> one = {{0, 0, to, flits}};
      CHECK(Mesh(one).run()[0] == model(one)[0]);
    }
}

TEST_CASE("latency under load is within 10 % of a simulation by cycles") {
  constexpr int64_t cycles = 6000;
  for (int flits : {4, 16})
    for (double load : {0.05, 0.15, 0.25, 0.35}) {
      std::vector<Message> messages = traffic(load, flits, cycles);
      Figures mesh = figuresOf(messages, Mesh(messages).run(), cycles);
      Figures ours = figuresOf(messages, model(messages), cycles);
      INFO(flits << " flits, load " << load << ": " << ours.latency
                 << " cycles, by cycles " << mesh.latency);
      CHECK(ours.latency == Approx(mesh.latency).epsilon(0.10));
      CHECK(ours.throughput == Approx(mesh.throughput).epsilon(0.02));
    }
}

TEST_CASE("saturation is within 10 % of a simulation by cycles") {
  constexpr int64_t cycles = 4000;
  for (int flits : {4, 16})
    for (double load : {0.6, 0.9}) {
      std::vector<Message> messages = traffic(load, flits, cycles);
      Figures mesh = figuresOf(messages, Mesh(messages).run(), cycles);
      Figures ours = figuresOf(messages, model(messages), cycles);
      INFO(flits << " flits, load " << load << ": " << ours.throughput
                 << " flits, by cycles " << mesh.throughput);
      CHECK(ours.throughput == Approx(mesh.throughput).epsilon(0.10));
      // The links in the middle set the limit, 1/2 at this size.
      CHECK(ours.throughput < 0.55);
    }
}
