//===- Permute.h - the axes of host tensors in another order ----*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_SUPPORT_PERMUTE_H
#define CIMC_SUPPORT_PERMUTE_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cimc {

/// Copies a row-major tensor of `shape`, with elements of `width` bytes, so
/// that axis i of the result is axis perm[i]. `perm` is a permutation of the
/// axes; the two sides do not overlap.
void permute(const std::vector<int64_t> &shape,
             const std::vector<int64_t> &perm, size_t width, const void *from,
             void *to);

/// Undoes `permute`: `shape` is that of the result, and axis i of `from` is its
/// axis perm[i].
void unpermute(const std::vector<int64_t> &shape,
               const std::vector<int64_t> &perm, size_t width, const void *from,
               void *to);

/// Whether `perm` holds every axis of a tensor of `rank` axes once.
bool isPermutation(const std::vector<int64_t> &perm, size_t rank);

/// The number of elements; -1 where a size is negative or int64 does not hold
/// their number.
int64_t countElements(const std::vector<int64_t> &shape);

} // namespace cimc

#endif // CIMC_SUPPORT_PERMUTE_H
