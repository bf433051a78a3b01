//===- HostIsa.h - instruction sets of the host -----------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_SUPPORT_HOSTISA_H
#define CIMC_SUPPORT_HOSTISA_H

namespace cimc {

/// Which instructions of the host kernels use. All give the same bits.
enum class HostIsa { Portable, Avx2, Avx512Vnni };

/// The best one this processor has.
HostIsa bestHostIsa();

} // namespace cimc

#endif // CIMC_SUPPORT_HOSTISA_H
