//===- Parallel.cpp - work on several threads -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/Parallel.h"

#include <algorithm>
#include <thread>
#include <vector>

namespace cimc {

void parallelForRanges(int64_t n, unsigned threads,
                       const std::function<void(unsigned thread, int64_t begin,
                                                int64_t end)> &fn) {
  if (n <= 0)
    return;
  if (threads == 0)
    threads = std::max(1u, std::thread::hardware_concurrency());
  threads = static_cast<unsigned>(std::min<int64_t>(threads, n));
  // n may be near 2^63: no products of n.
  int64_t share = n / threads, extra = n % threads;
  auto start = [&](unsigned t) {
    return share * t + std::min<int64_t>(t, extra);
  };
  std::vector<std::thread> workers;
  for (unsigned t = 1; t < threads; ++t)
    workers.emplace_back([&, t] { fn(t, start(t), start(t + 1)); });
  fn(0, 0, start(1));
  for (std::thread &worker : workers)
    worker.join();
}

void parallelFor(int64_t n, unsigned threads,
                 const std::function<void(int64_t index)> &fn) {
  parallelForRanges(n, threads, [&](unsigned, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      fn(i);
  });
}

} // namespace cimc
