//===- IntegerPlanes.h - integers without zero points, 16 bits at a time -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_REFERENCE_INTEGERPLANES_H
#define CIMC_LIB_REFERENCE_INTEGERPLANES_H

#include "NNOperations.h"

namespace cimc::reference {

/// The integers `q - z` of a quantized operand as a sum of factor * values.
/// 8-bit tensors and signed 16-bit tensors without a zero point need one plane;
/// differences of 17 bits need a second for the lowest bit.
struct IntegerPlane {
  int32_t factor;
  std::vector<int16_t> values;
};
std::vector<IntegerPlane> integerPlanes(const Operand &operand);

} // namespace cimc::reference

#endif // CIMC_LIB_REFERENCE_INTEGERPLANES_H
