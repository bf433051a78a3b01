//===- Arena.cpp - memory that is freed as a whole --------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Arena.h"

#include <algorithm>
#include <cstring>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CIMC_BLOCK_FOR_EACH 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define CIMC_BLOCK_FOR_EACH 1
#endif

namespace cimc::sim {

constexpr size_t alignment = 64;
constexpr size_t pageBytes = size_t{2} << 20;
#if defined(CIMC_BLOCK_FOR_EACH)
constexpr bool sharesBlocks = false;
#else
constexpr bool sharesBlocks = true;
#endif

Arena::~Arena() {
  for (void *block : blocks)
    ::operator delete(block,
                      std::align_val_t(sharesBlocks ? pageBytes : alignment));
}

uint8_t *Arena::allocate(size_t bytes) {
  if (!sharesBlocks) {
    blocks.push_back(::operator new(bytes, std::align_val_t(alignment)));
    std::memset(blocks.back(), 0, bytes);
    return static_cast<uint8_t *>(blocks.back());
  }
  bytes = (bytes + alignment - 1) / alignment * alignment;
  if (bytes > left) {
    left = (std::max(bytes, 4 * pageBytes) + pageBytes - 1) / pageBytes *
           pageBytes;
    blocks.push_back(::operator new(left, std::align_val_t(pageBytes)));
    next = static_cast<uint8_t *>(blocks.back());
#if defined(MADV_HUGEPAGE)
    // Where it fails there are small pages, which is only slower.
    (void)madvise(next, left, MADV_HUGEPAGE);
#endif
  }
  uint8_t *piece = next;
  next += bytes;
  left -= bytes;
  std::memset(piece, 0, bytes);
  return piece;
}

} // namespace cimc::sim
