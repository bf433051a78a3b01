//===- Network.cpp - links and who holds them -------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Timing.h"

#include <algorithm>
#include <utility>

namespace cimc::sim {

Network::Network(const Costs &costs)
    : costs(costs), links(costs.costModel().links()) {}

Message::Message(Network &network, double start)
    : id(network.newMessage()), start(start) {}

static Component componentOf(Link::Network network) {
  switch (network) {
  case Link::Port:
    break;
  case Link::OnChip:
    return NetworkOnChip;
  case Link::OnPackage:
    return NetworkOnPackage;
  case Link::Host:
    return HostLink;
  case Link::Dram:
    return DramMemory;
  }
  return componentCount;
}

const Route *Network::route(int64_t from, int64_t to, int64_t bytes) {
  auto [it, isNew] = routes.try_emplace({from, to, bytes});
  Route &route = it->second;
  if (!isNew)
    return &route;
  const CostModel &model = costs.costModel();
  route.idleNs = model.transfer(from, to, bytes).ns;
  route.energy = costs.transfer(from, to, bytes);
  for (const Link &link : model.route(from, to))
    route.hops.push_back({static_cast<uint32_t>(link.id),
                          static_cast<double>(bytes) / link.gbPerS, link.ns,
                          componentOf(link.network)});
  // What the model charges beyond the links, parts of flits, comes at the end.
  double rest = route.idleNs;
  if (!route.hops.empty())
    rest -=
        std::max_element(route.hops.begin(), route.hops.end(),
                         [](const Hop &a, const Hop &b) { return a.ns < b.ns; })
            ->ns;
  for (Hop &hop : route.hops)
    rest -= std::exchange(hop.restNs, rest);
  // Within a core nothing is routed, but the bytes pass its ports.
  if (from == to && from >= 0) {
    const ChipSpec &chip = model.chip();
    double ns = static_cast<double>(bytes) * 8e3 /
                static_cast<double>(chip.noc.link_bits) / chip.noc.clock_mhz;
    for (int64_t port : {from, chip.cores() + from})
      route.hops.push_back(
          {static_cast<uint32_t>(port), ns, 0, componentCount});
  }
  return &route;
}

double Network::take(LinkState &link, double time, double ns, double now) {
  std::vector<Interval> &taken = link.taken;
  while (link.past < taken.size() && taken[link.past].end <= now)
    ++link.past;
  if (link.past > 64) {
    taken.erase(taken.begin(), taken.begin() + static_cast<long>(link.past));
    link.past = 0;
  }
  size_t at = link.past;
  for (; at < taken.size() && time + ns > taken[at].begin; ++at)
    time = std::max(time, taken[at].end);
  taken.insert(taken.begin() + static_cast<long>(at), {time, time + ns});
  return time;
}

Network::Times Network::reserve(const Route &route, Message &message,
                                Energy &energy) {
  // The first byte waits at every link until it is free for the whole message;
  // what follows is cut through.
  double head = message.start + message.delay;
  Times times{head, head + route.idleNs};
  linkBegins.clear();
  std::array<int64_t, componentCount + 1> all{}, isNew{};
  bool isFirst = std::exchange(message.isNew, false);
  for (size_t i = 0; i < route.hops.size(); ++i) {
    const Hop &hop = route.hops[i];
    LinkState &link = links[hop.link];
    bool takes = link.message != message.id;
    if (takes) {
      link.begin = take(link, head, hop.ns, message.start);
      link.message = message.id;
    }
    ++all[hop.network];
    isNew[hop.network] += takes;
    linkBegins.push_back(takes ? link.begin : -1);
    double begin = link.begin, end = begin + hop.ns;
    if (i == 0 && isFirst)
      message.sent = end;
    times.arrived = std::max(times.arrived, end + hop.restNs);
    if (i + 1 < route.hops.size())
      head = begin + hop.restNs - route.hops[i + 1].restNs;
  }
  if (isFirst && route.hops.empty())
    message.sent = head;
  times.sent = message.sent;
  energy = route.energy;
  for (Component network :
       {NetworkOnChip, NetworkOnPackage, HostLink, DramMemory})
    if (all[network])
      energy.nj[network] *= static_cast<double>(isNew[network]) /
                            static_cast<double>(all[network]);
  // A message is sent before it has arrived, also within a core.
  times.arrived = std::max(times.arrived, times.sent);
  return times;
}

} // namespace cimc::sim
