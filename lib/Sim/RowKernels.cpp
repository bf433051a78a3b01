//===- RowKernels.cpp - vector unit, dispatch -------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include <cmath>

namespace cimc::sim {

#if defined(__GNUC__)
#define CIMC_SIM_INLINE __attribute__((always_inline))
#else
#define CIMC_SIM_INLINE
#endif

namespace portable {
#define CIMC_SIM_TARGET
#include "RowKernels.inc"
#undef CIMC_SIM_TARGET
} // namespace portable

#if defined(__x86_64__)
namespace avx2 {
#define CIMC_SIM_TARGET __attribute__((target("avx2,fma")))
#include "RowKernels.inc"
#undef CIMC_SIM_TARGET
} // namespace avx2
namespace avx512 {
#define CIMC_SIM_TARGET                                                        \
  __attribute__((target("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq")))
#include "RowKernels.inc"
#undef CIMC_SIM_TARGET
} // namespace avx512
#endif

const RowKernels &rowKernels(HostIsa isa) {
#if defined(__x86_64__)
  if (isa == HostIsa::Avx512Vnni)
    return avx512::table;
  if (isa == HostIsa::Avx2)
    return avx2::table;
#endif
  return portable::table;
}

} // namespace cimc::sim
