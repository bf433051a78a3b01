//===- HostIsa.cpp - instruction sets of the host -------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/HostIsa.h"

using namespace cimc;

HostIsa cimc::bestHostIsa() {
#if defined(__x86_64__)
  static const HostIsa best = [] {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vnni"))
      return HostIsa::Avx512Vnni;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
      return HostIsa::Avx2;
    return HostIsa::Portable;
  }();
  return best;
#else
  return HostIsa::Portable;
#endif
}
