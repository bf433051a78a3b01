//===- Memory.cpp - how the process keeps its memory ----------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/Memory.h"

// __GLIBC__ is defined by the library's headers, so one comes first.
#include <cstdlib>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

void cimc::keepFreedMemory() {
#if defined(__GLIBC__)
  constexpr int bytes = 64 << 20;
  mallopt(M_MMAP_THRESHOLD, bytes);
  mallopt(M_TRIM_THRESHOLD, bytes);
#endif
}
