//===- RowTimes.cpp - when rows of a channel were passed --------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RowTimes.h"

#include <algorithm>
#include <utility>

namespace cimc::sim {

RowTimes::RowTimes(uint32_t parties, std::vector<uint32_t> perRow,
                   int64_t capacity)
    : parties(parties) {
  if (!perRow.empty())
    this->perRow = std::make_unique<std::vector<uint32_t>>(std::move(perRow));
  size_t size = 2;
  while (size < static_cast<size_t>(capacity))
    size *= 2;
  ring.resize(size);
  mask = size - 1;
}

void RowTimes::advance() {
  for (; done < top; ++done) {
    Entry &entry = ring[static_cast<size_t>(done) & mask];
    if (entry.passed < (perRow ? (*perRow)[row] : parties))
      return;
    // A row is asked for with all rows before it.
    if (entry.time < last.time) {
      entry.time = last.time;
      entry.cause = last.cause;
    } else {
      last = {entry.time, entry.cause};
    }
    if (perRow && ++row == perRow->size())
      row = 0;
  }
}

void RowTimes::grow(int64_t row, int64_t kept) {
  auto old = static_cast<int64_t>(ring.size()), size = old;
  while (row - kept >= size)
    size *= 2;
  std::vector<Entry> larger(static_cast<size_t>(size));
  for (int64_t r = std::max<int64_t>(top - old, 0); r < top; ++r)
    larger[static_cast<size_t>(r & (size - 1))] =
        ring[static_cast<size_t>(r) & mask];
  ring = std::move(larger);
  mask = static_cast<size_t>(size - 1);
}

} // namespace cimc::sim
