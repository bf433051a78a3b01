//===- Permute.cpp - the axes of host tensors in another order ------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/Permute.h"

#include <algorithm>
#include <cstring>
#include <utility>

using namespace cimc;

namespace {

/// An axis of the permuted side: its extent, and its stride in the other one.
using Axis = std::pair<int64_t, int64_t>;

/// The axes in their new order, with units left out and runs merged.
std::vector<Axis> orderedAxes(const std::vector<int64_t> &shape,
                              const std::vector<int64_t> &perm) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;)
    strides[i - 1] = strides[i] * shape[i];
  std::vector<Axis> axes;
  for (int64_t axis : perm) {
    if (shape[axis] == 1)
      continue;
    if (!axes.empty() && axes.back().second == strides[axis] * shape[axis]) {
      axes.back().first *= shape[axis];
      axes.back().second = strides[axis];
    } else {
      axes.push_back({shape[axis], strides[axis]});
    }
  }
  return axes;
}

void copy(const std::vector<int64_t> &shape, const std::vector<int64_t> &perm,
          size_t width, const void *from, void *to, bool inverse) {
  size_t count = 1;
  for (int64_t extent : shape)
    count *= static_cast<size_t>(extent);
  if (count == 0)
    return;
  std::vector<Axis> axes = orderedAxes(shape, perm);
  if (axes.empty() || (axes.size() == 1 && axes[0].second == 1)) {
    std::memcpy(to, from, count * width);
    return;
  }
  auto [inner, step] = axes.back();
  const auto *in = static_cast<const std::byte *>(from);
  auto *out = static_cast<std::byte *>(to);
  std::vector<int64_t> index(axes.size(), 0);
  int64_t base = 0;
  for (size_t done = 0; done < count; done += static_cast<size_t>(inner)) {
    for (int64_t i = 0; i < inner; ++i) {
      size_t ordered = (done + static_cast<size_t>(i)) * width;
      size_t other = static_cast<size_t>(base + i * step) * width;
      if (inverse)
        std::memcpy(out + other, in + ordered, width);
      else
        std::memcpy(out + ordered, in + other, width);
    }
    for (size_t i = axes.size() - 1; i-- > 0;) {
      base += axes[i].second;
      if (++index[i] < axes[i].first)
        break;
      base -= axes[i].second * axes[i].first;
      index[i] = 0;
    }
  }
}

} // namespace

void cimc::permute(const std::vector<int64_t> &shape,
                   const std::vector<int64_t> &perm, size_t width,
                   const void *from, void *to) {
  copy(shape, perm, width, from, to, /*inverse=*/false);
}

void cimc::unpermute(const std::vector<int64_t> &shape,
                     const std::vector<int64_t> &perm, size_t width,
                     const void *from, void *to) {
  copy(shape, perm, width, from, to, /*inverse=*/true);
}

bool cimc::isPermutation(const std::vector<int64_t> &perm, size_t rank) {
  std::vector<int64_t> axes = perm;
  std::sort(axes.begin(), axes.end());
  for (size_t i = 0; i < axes.size(); ++i)
    if (axes[i] != static_cast<int64_t>(i))
      return false;
  return axes.size() == rank;
}

int64_t cimc::countElements(const std::vector<int64_t> &shape) {
  auto has = [&](auto test) {
    return std::any_of(shape.begin(), shape.end(), test);
  };
  if (has([](int64_t size) { return size < 0; }))
    return -1;
  // Sizes beside a 0 may be of any length.
  if (has([](int64_t size) { return size == 0; }))
    return 0;
  int64_t product = 1;
  for (int64_t size : shape)
    if (__builtin_mul_overflow(product, size, &product))
      return -1;
  return product;
}
