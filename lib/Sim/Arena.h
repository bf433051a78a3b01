//===- Arena.h - memory that is freed as a whole ----------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_SIM_ARENA_H
#define CIMC_LIB_SIM_ARENA_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cimc::sim {

/// Zeroed pieces of memory, aligned to 64 bytes, that live as long as the
/// arena. They lie side by side in large pages where the system has them: tens
/// of megabytes of weights stream through the kernels, more than a processor's
/// table of small pages covers. Under a sanitizer each piece is a block of its
/// own, so that running over its end is seen.
class Arena {
public:
  Arena() = default;
  Arena(const Arena &) = delete;
  Arena &operator=(const Arena &) = delete;
  ~Arena();
  uint8_t *allocate(size_t bytes);

private:
  std::vector<void *> blocks;
  uint8_t *next = nullptr;
  size_t left = 0;
};

} // namespace cimc::sim

#endif // CIMC_LIB_SIM_ARENA_H
