//===- SmallFloat.h - floats of 4, 8 and 16 bits -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_SUPPORT_SMALLFLOAT_H
#define CIMC_SUPPORT_SMALLFLOAT_H

#include "cimc/Support/HostTensor.h"

namespace cimc {

/// Whether single precision holds every value of the type: float16, bfloat16,
/// and the floats of 8 and 4 bits.
bool isSmallFloat(DType type);

/// The value of an encoding, exact.
float fromSmallFloat(DType type, uint16_t bits);

/// The nearest encoding, ties to even. What is too large becomes, in types of 8
/// and 4 bits, the largest number with `saturate`; else infinity, or NaN where
/// the type has none. float8e8m0 has powers of two only and rounds up.
uint16_t toSmallFloat(DType type, float value, bool saturate = true);

} // namespace cimc

#endif // CIMC_SUPPORT_SMALLFLOAT_H
