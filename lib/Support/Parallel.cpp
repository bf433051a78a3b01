//===- Parallel.cpp - work on several threads -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/Parallel.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <unistd.h>

namespace cimc {

namespace {

using Task = std::function<void()>;

/// A thread that waits for work. Whoever waits looks for a moment
/// before it sleeps: the parts of one operation end almost together, and the
/// next operation begins soon.
class Worker {
public:
  Worker() : thread([this] { loop(); }) { thread.detach(); }

  void start(const Task &work) { set(&work); }
  void finish() {
    waitUntil([this] { return task.load() == nullptr; });
  }

private:
  void loop() {
    for (;;) {
      waitUntil([this] { return task.load() != nullptr; });
      (*task.load())();
      set(nullptr);
    }
  }
  void set(const Task *next) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      task.store(next);
    }
    changed.notify_one();
  }
  template <typename Condition> void waitUntil(Condition condition) {
    constexpr int looks = 4000;
    for (int i = 0; i < looks; ++i) {
      if (condition())
        return;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, condition);
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::atomic<const Task *> task{nullptr};
  std::thread thread; // last: it uses the others
};

/// Threads are kept, as starting one takes as long as a small layer.
class IdleWorkers {
public:
  /// Never destroyed: its threads wait until the process ends.
  static IdleWorkers &get() {
    static auto *workers = new IdleWorkers;
    return *workers;
  }

  Worker *take() {
    std::lock_guard<std::mutex> lock(mutex);
    if (process != getpid()) {
      // The threads stayed with the process that this one was forked from.
      process = getpid();
      idle.clear();
    }
    if (idle.empty())
      return new Worker;
    Worker *worker = idle.back();
    idle.pop_back();
    return worker;
  }
  void giveBack(Worker *worker) {
    std::lock_guard<std::mutex> lock(mutex);
    idle.push_back(worker);
  }

private:
  std::mutex mutex;
  std::vector<Worker *> idle;
  pid_t process = getpid();
};

} // namespace

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
  IdleWorkers &workers = IdleWorkers::get();
  std::vector<Task> tasks;
  for (unsigned t = 1; t < threads; ++t)
    tasks.push_back([&, t] { fn(t, start(t), start(t + 1)); });
  std::vector<Worker *> taken;
  for (const Task &task : tasks) {
    taken.push_back(workers.take());
    taken.back()->start(task);
  }
  fn(0, 0, start(1));
  for (Worker *worker : taken) {
    worker->finish();
    workers.giveBack(worker);
  }
}

void parallelFor(int64_t n, unsigned threads,
                 const std::function<void(int64_t index)> &fn) {
  parallelForRanges(n, threads, [&](unsigned, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      fn(i);
  });
}

} // namespace cimc
