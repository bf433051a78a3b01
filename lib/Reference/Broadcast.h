//===- Broadcast.h - walking over broadcast tensors -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_REFERENCE_BROADCAST_H
#define CIMC_LIB_REFERENCE_BROADCAST_H

#include "NNOperations.h"

namespace cimc::reference {

/// Calls fn(i, a, b) with the flat indices of the result and of two operands
/// that broadcast to it like numpy's.
template <typename Fn>
void forBroadcast(const TensorInfo &out, const TensorInfo &a,
                  const TensorInfo &b, Fn fn) {
  size_t rank = out.shape.size();
  int64_t n = out.size();
  if (n == 0)
    return;
  auto stridesOf = [&](const TensorInfo &info) {
    std::vector<int64_t> strides(rank, 0);
    int64_t stride = 1;
    for (size_t i = 1; i <= info.shape.size() && i <= rank; ++i) {
      int64_t extent = info.shape[info.shape.size() - i];
      strides[rank - i] = extent == 1 ? 0 : stride;
      stride *= extent;
    }
    return strides;
  };
  std::vector<int64_t> strideA = stridesOf(a), strideB = stridesOf(b);
  int64_t inner = rank ? out.shape[rank - 1] : 1;
  int64_t stepA = rank ? strideA[rank - 1] : 0;
  int64_t stepB = rank ? strideB[rank - 1] : 0;
  std::vector<int64_t> index(rank, 0);
  int64_t baseA = 0, baseB = 0;
  for (int64_t i = 0; i < n; i += inner) {
    for (int64_t j = 0; j < inner; ++j)
      fn(i + j, baseA + j * stepA, baseB + j * stepB);
    for (size_t axis = rank; axis-- > 1;) {
      size_t outer = axis - 1;
      baseA += strideA[outer];
      baseB += strideB[outer];
      if (++index[outer] < out.shape[outer])
        break;
      baseA -= strideA[outer] * out.shape[outer];
      baseB -= strideB[outer] * out.shape[outer];
      index[outer] = 0;
    }
  }
}

} // namespace cimc::reference

#endif // CIMC_LIB_REFERENCE_BROADCAST_H
