//===- GemmTest.cpp - matrix products -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/Gemm.h"
#include "cimc/Support/Parallel.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <random>
#include <vector>

using namespace cimc;

TEST_CASE("integer products are exact for awkward shapes and strides") {
  std::mt19937 random(1);
  const int sizes[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 255, 256, 257};
  auto size = [&](int limit) { return sizes[random() % limit]; };
  for (int round = 0; round < 120; ++round) {
    int m = size(12), n = size(12), k = size(15);
    std::vector<int16_t> a(m * k), b(k * n);
    for (int16_t &v : a)
      v = static_cast<int16_t>(random());
    for (int16_t &v : b)
      v = static_cast<int16_t>(random());
    bool ta = random() & 1, tb = random() & 1, tc = random() & 1;
    std::vector<int32_t> c(m * n, -1);
    gemm(m, n, k, MatrixRef<const int16_t>{a.data(), ta ? 1 : k, ta ? m : 1},
         MatrixRef<const int16_t>{b.data(), tb ? 1 : n, tb ? k : 1},
         MatrixRef<int32_t>{c.data(), tc ? 1 : n, tc ? m : 1});
    int bad = 0;
    for (int i = 0; i < m; ++i)
      for (int j = 0; j < n; ++j) {
        uint32_t sum = 0;
        for (int p = 0; p < k; ++p)
          sum += static_cast<uint32_t>(int32_t(a[ta ? i + p * m : i * k + p]) *
                                       b[tb ? p + j * k : p * n + j]);
        bad += static_cast<uint32_t>(c[tc ? i + j * m : i * n + j]) != sum;
      }
    INFO(m << "x" << n << "x" << k);
    REQUIRE(bad == 0);
  }
}

TEST_CASE("float products have one order of summation") {
  std::mt19937 random(2);
  std::uniform_real_distribution<float> value(-1.0f, 1.0f);
  for (int k : {1, 255, 256, 257, 600}) {
    int m = 7, n = 33;
    std::vector<float> a(m * k), b(k * n), c(m * n), row(n);
    for (float &v : a)
      v = value(random);
    for (float &v : b)
      v = value(random);
    gemm(m, n, k, MatrixRef<const float>{a.data(), k, 1},
         MatrixRef<const float>{b.data(), n, 1},
         MatrixRef<float>{c.data(), n, 1});
    int bad = 0;
    for (int i = 0; i < m; ++i)
      for (int j = 0; j < n; ++j) {
        float total = 0;
        for (int p0 = 0; p0 < k; p0 += 256) {
          float sum = 0;
          for (int p = p0; p < std::min(k, p0 + 256); ++p)
            sum += a[i * k + p] * b[p * n + j];
          total = p0 ? total + sum : sum;
        }
        bad += c[i * n + j] != total;
      }
    // A row alone takes another path.
    gemm(1, n, k, MatrixRef<const float>{a.data(), k, 1},
         MatrixRef<const float>{b.data(), n, 1},
         MatrixRef<float>{row.data(), n, 1});
    for (int j = 0; j < n; ++j)
      bad += row[j] != c[j];
    INFO(k);
    CHECK(bad == 0);
  }
}

TEST_CASE("windowSums adds the taps of every pixel in order") {
  // Lengths around the vectors of every instruction set.
  for (int64_t n : {1, 3, 4, 7, 15, 16, 17, 63, 64, 65, 131}) {
    const std::vector<int64_t> offsets = {0, 1, 70, 72};
    std::vector<int16_t> x(n + 73), w = {32767, -32768, 3, 32767};
    std::vector<float> u(n + 73), v = {0.1f, -3.0f, 1e-6f, 7.5f};
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<int16_t>(i * 31013);
      u[i] = static_cast<float>(i * i % 101) * 0.37f;
    }
    std::vector<int32_t> y(n);
    std::vector<float> z(n);
    windowSums(n, 4, w.data(), offsets.data(), x.data(), y.data());
    windowSums(n, 4, v.data(), offsets.data(), u.data(), z.data());
    for (int64_t i = 0; i < n; ++i) {
      uint32_t sum = 0;
      float real = 0;
      for (int t = 0; t < 4; ++t) {
        sum += static_cast<uint32_t>(w[t] * x[i + offsets[t]]);
        real += v[t] * u[i + offsets[t]];
      }
      CHECK(y[i] == static_cast<int32_t>(sum));
      CHECK(z[i] == real);
    }
  }
}

TEST_CASE("parallelFor visits every index once") {
  for (int64_t n : {0, 1, 2, 7, 100})
    for (unsigned threads : {0u, 1u, 2u, 7u, 200u}) {
      std::vector<int> visits(n, 0);
      parallelFor(n, threads, [&](int64_t i) { ++visits[i]; });
      CHECK(visits == std::vector<int>(n, 1));
    }
}

TEST_CASE("parallelFor within parallelFor, again and again") {
  std::atomic<int64_t> sum{0};
  for (int round = 0; round < 50; ++round)
    parallelFor(3, 3, [&](int64_t i) {
      parallelFor(5, 2, [&](int64_t j) { sum += 10 * i + j; });
    });
  CHECK(sum == 50 * (5 * 10 * (0 + 1 + 2) + 3 * (0 + 1 + 2 + 3 + 4)));
}

TEST_CASE("parallelForRanges splits into contiguous shares") {
  std::vector<unsigned> owner(10, 99);
  parallelForRanges(10, 3, [&](unsigned thread, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      owner[i] = thread;
  });
  CHECK(owner == std::vector<unsigned>{0, 0, 0, 0, 1, 1, 1, 2, 2, 2});
}
