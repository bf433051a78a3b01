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
    : costs(costs), free(costs.costModel().links()) {}

const Route *Network::route(int64_t from, int64_t to, int64_t bytes) {
  auto [it, isNew] = routes.try_emplace({from, to, bytes});
  Route &route = it->second;
  if (!isNew)
    return &route;
  const CostModel &model = costs.costModel();
  route.idleNs = model.transfer(from, to, bytes).ns;
  route.energy = costs.transfer(from, to, bytes);
  for (const Link &link : model.route(from, to)) {
    route.links.push_back(static_cast<uint32_t>(link.id));
    route.occupied.push_back(static_cast<double>(bytes) / link.gbPerS);
  }
  // Within a core nothing is routed, but the bytes pass its ports.
  if (from == to && from >= 0) {
    const ChipSpec &chip = model.chip();
    double ns = static_cast<double>(bytes) * 8e3 /
                static_cast<double>(chip.noc.link_bits) / chip.noc.clock_mhz;
    for (int64_t port : {from, chip.cores() + from}) {
      route.links.push_back(static_cast<uint32_t>(port));
      route.occupied.push_back(ns);
    }
  }
  return &route;
}

Network::Times Network::reserve(const Route &route, double start) {
  // The head waits at every link until it is free; what follows is cut through.
  double head = start;
  double sent = start;
  for (size_t i = 0; i < route.links.size(); ++i) {
    double &link = free[route.links[i]];
    head = std::max(head, link);
    link = head + route.occupied[i];
    if (i == 0)
      sent = link;
  }
  // Within a core nothing is routed, but the bytes pass its port.
  return {sent, std::max(sent, head + route.idleNs)};
}

} // namespace cimc::sim
