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
    route.hops.push_back({static_cast<double>(bytes) / link.gbPerS, link.ns,
                          static_cast<uint32_t>(link.id),
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
          {ns, 0, static_cast<uint32_t>(port), componentCount});
  }
  for (const Hop &hop : route.hops)
    ++route.links[hop.network - NetworkOnChip];
  return &route;
}

Energy Route::share(const LinkCounts &taken) const {
  Energy part = energy;
  for (int n = NetworkOnChip; n < componentCount; ++n)
    if (uint16_t all = links[n - NetworkOnChip])
      part.nj[n] *= static_cast<double>(taken[n - NetworkOnChip]) /
                    static_cast<double>(all);
  return part;
}

double Network::take(LinkState &link, double time, double ns, double now) {
  std::vector<Interval> &taken = link.taken;
  if (taken.size() >= 16) {
    auto isOver = [&](const Interval &i) { return i.end <= now; };
    taken.erase(taken.begin(),
                std::find_if_not(taken.begin(), taken.end(), isOver));
  }
  size_t at = taken.size();
  if (time < link.until)
    for (at = 0; at < taken.size() && time + ns > taken[at].begin; ++at)
      time = std::max(time, taken[at].end);
  if (at < taken.size()) {
    taken.insert(taken.begin() + static_cast<long>(at), {time, time + ns});
    return time;
  }
  link.until = time + ns;
  taken.push_back({time, time + ns});
  return time;
}

Network::Times Network::reserve(const Route &route, Message &message,
                                PixelSpan span) {
  // The first byte waits at every link until it is free for the whole message;
  // what follows is cut through.
  double head = message.start + message.delay;
  Times times{head, head + route.idleNs};
  latest = message.start;
  linkBegins.clear();
  bool isFirst = std::exchange(message.isNew, false);
  for (size_t i = 0; i < route.hops.size(); ++i) {
    const Hop &hop = route.hops[i];
    LinkState &link = links[hop.link];
    bool takes = link.message != message.id || !link.span.holds(span);
    if (takes) {
      link.begin = take(link, head, hop.ns, message.start);
      link.ns = hop.ns;
      link.message = message.id;
      link.span = span;
      ++times.taken[hop.network - NetworkOnChip];
    }
    if (keepsBegins)
      linkBegins.push_back(takes ? link.begin : -1);
    // Pixels in front of these go by first.
    double before = static_cast<double>(span.begin - link.span.begin) /
                    static_cast<double>(link.span.end - link.span.begin);
    double begin = link.begin + link.ns * before, end = begin + hop.ns;
    if (i == 0 && isFirst)
      message.sent = end;
    times.arrived = std::max(times.arrived, end + hop.restNs);
    if (i + 1 < route.hops.size())
      head = begin + hop.restNs - route.hops[i + 1].restNs;
  }
  if (isFirst && route.hops.empty())
    message.sent = head;
  times.sent = message.sent;
  // A message is sent before it has arrived, also within a core.
  times.arrived = std::max(times.arrived, times.sent);
  return times;
}

} // namespace cimc::sim
