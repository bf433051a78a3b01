//===- Network.cpp - links and who holds them -------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Timing.h"

#include <algorithm>

namespace cimc::sim {

Network::Network(const Costs &costs)
    : costs(costs), taken(costs.costModel().links()) {}

const Route *Network::route(int64_t from, int64_t to, int64_t bytes) {
  auto [it, isNew] = routes.try_emplace({from, to, bytes});
  Route &route = it->second;
  if (!isNew)
    return &route;
  const CostModel &model = costs.costModel();
  route.idleNs = model.transfer(from, to, bytes).ns;
  route.energy = costs.transfer(from, to, bytes);
  std::vector<Link> links = model.route(from, to);
  for (const Link &link : links) {
    route.links.push_back(static_cast<uint32_t>(link.id));
    route.occupied.push_back(static_cast<double>(bytes) / link.gbPerS);
  }
  // What the model charges beyond the links, parts of flits, comes at the end.
  double rest = route.idleNs;
  if (!links.empty())
    rest -= *std::max_element(route.occupied.begin(), route.occupied.end());
  for (const Link &link : links) {
    route.restNs.push_back(rest);
    rest -= link.ns;
  }
  // Within a core nothing is routed, but the bytes pass its ports.
  if (from == to && from >= 0) {
    const ChipSpec &chip = model.chip();
    double ns = static_cast<double>(bytes) * 8e3 /
                static_cast<double>(chip.noc.link_bits) / chip.noc.clock_mhz;
    for (int64_t port : {from, chip.cores() + from}) {
      route.links.push_back(static_cast<uint32_t>(port));
      route.occupied.push_back(ns);
      route.restNs.push_back(0);
    }
  }
  return &route;
}

double Network::take(std::vector<Interval> &link, double time, double ns,
                     double now) {
  size_t past = 0;
  while (past < link.size() && link[past].end <= now)
    ++past;
  link.erase(link.begin(), link.begin() + static_cast<long>(past));
  size_t at = 0;
  for (; at < link.size() && time + ns > link[at].begin; ++at)
    time = std::max(time, link[at].end);
  link.insert(link.begin() + static_cast<long>(at), {time, time + ns});
  return time;
}

Network::Times Network::reserve(const Route &route, double start) {
  // The first byte waits at every link until it is free for the whole message;
  // what follows is cut through.
  Times times{start, start + route.idleNs};
  double head = start;
  linkBegins.clear();
  for (size_t i = 0; i < route.links.size(); ++i) {
    double begin = take(taken[route.links[i]], head, route.occupied[i], start);
    double end = begin + route.occupied[i];
    linkBegins.push_back(begin);
    if (i == 0)
      times.sent = end;
    times.arrived = std::max(times.arrived, end + route.restNs[i]);
    if (i + 1 < route.links.size())
      head = begin + route.restNs[i] - route.restNs[i + 1];
  }
  // A message is sent before it has arrived, also within a core.
  times.arrived = std::max(times.arrived, times.sent);
  return times;
}

} // namespace cimc::sim
