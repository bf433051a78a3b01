//===- PermuteTest.cpp - the axes of host tensors in another order --------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/Permute.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstring>

using namespace cimc;

/// Element by element, from the definition.
static std::vector<char> expected(const std::vector<int64_t> &shape,
                                  const std::vector<int64_t> &perm,
                                  size_t width, const std::vector<char> &from) {
  std::vector<char> to(from.size());
  std::vector<int64_t> index(shape.size());
  for (size_t n = 0; n < from.size() / width; ++n) {
    size_t rest = n, at = 0;
    for (size_t i = perm.size(); i-- > 0;) {
      index[perm[i]] = rest % shape[perm[i]];
      rest /= shape[perm[i]];
    }
    for (size_t i = 0; i < shape.size(); ++i)
      at = at * shape[i] + index[i];
    std::memcpy(to.data() + n * width, from.data() + at * width, width);
  }
  return to;
}

TEST_CASE("permute moves every element of awkward shapes, and back") {
  for (std::vector<int64_t> shape : std::vector<std::vector<int64_t>>{
           {}, {1}, {7}, {1, 1}, {3, 5}, {2, 1, 7}, {3, 4, 5}, {2, 3, 5, 7}})
    for (size_t width : {1, 2, 4, 8}) {
      size_t count = width;
      std::vector<int64_t> perm;
      for (int64_t extent : shape) {
        perm.push_back(static_cast<int64_t>(perm.size()));
        count *= extent;
      }
      std::vector<char> from(count), to(count), back(count);
      for (size_t i = 0; i < count; ++i)
        from[i] = static_cast<char>(i * 31 + i / 251);
      do {
        CAPTURE(shape, perm, width);
        permute(shape, perm, width, from.data(), to.data());
        CHECK(to == expected(shape, perm, width, from));
        unpermute(shape, perm, width, to.data(), back.data());
        CHECK(back == from);
      } while (std::next_permutation(perm.begin(), perm.end()));
    }
}

TEST_CASE("permute takes a tensor without elements") {
  permute({2, 0, 3}, {2, 0, 1}, 4, nullptr, nullptr);
}
