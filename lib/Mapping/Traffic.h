//===- Traffic.h - load of the links, and placing against it ----*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What streams send to one another in a sample loads the links of the networks.
// Packing only looks at cores; here whole cores change places until the links
// that are taken longest are taken less: a quadratic assignment, by a seeded
// descent. The cores of a tile share the port that starts products, so it
// counts like a link.
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_MAPPING_TRAFFIC_H
#define CIMC_LIB_MAPPING_TRAFFIC_H

#include "Load.h"

#include <cstdint>
#include <vector>

namespace cimc::mapping {

/// What a core (-1: the host) sends to others in a sample: all pixels of its
/// rows to the first, and pixels that are among them to the others. A link that
/// is on the way to several of them is passed once by pixels that one of them
/// gets in any case.
struct Message {
  struct Reader {
    int64_t core;
    PixelRange pixels;
    double bytes;
  };
  int64_t from;
  std::vector<Reader> to;
};

class Traffic {
public:
  /// `issueNs`: how long each core takes its tile's port.
  Traffic(const CostModel &costs, std::vector<Message> messages,
          std::vector<double> issueNs);

  /// The time the busiest link is taken, and the busiest link or port.
  double busiestLinkNs() const;
  double busiestNs() const;

  /// For how many cores swaps are worth trying.
  int64_t coresToTry() const;
  /// Lets cores change places, trying `tries` swaps that `seed` chooses.
  void improve(int64_t tries, uint64_t seed);

  /// Where what was on a core is now.
  int64_t coreOf(int64_t core) const {
    return core < 0 ? core : positions[core];
  }

private:
  template <typename Visit> void forLinks(const Message &message, Visit visit);
  void add(const Message &message, double sign);
  void addIssues(int64_t core, double sign);
  void take(size_t link, double ns);
  void swap(int64_t a, int64_t b);
  int64_t random(int64_t below);
  int64_t goal(int64_t core);

  const CostModel &costs;
  std::vector<Message> messages; ///< between the cores of the beginning
  std::vector<std::vector<int64_t>> with; ///< messages by core
  std::vector<int64_t> positions;         ///< by core of the beginning
  std::vector<int64_t> occupant;          ///< the inverse
  std::vector<double> issueNs;            ///< by core of the beginning
  std::vector<double> busy;               ///< ns by link, then by tile
  struct Passed {
    uint64_t tree = 0; ///< the last message
    PixelRange pixels{};
  };
  std::vector<Passed> passed; ///< by link
  uint64_t tree = 0, state = 1;
  double cost = 0; ///< sum of the fourth powers of `busy`
};

} // namespace cimc::mapping

#endif // CIMC_LIB_MAPPING_TRAFFIC_H
