//===- VectorOps.h - general operations of the vector unit ------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the operations `cim.map`, `select`, `convert`, `reduce`, `scan`, `topk`,
// `gather`, `scatter` and `matmul_f32` compute, once, for the evaluators of
// every level and the chip model. Operands are dense arrays of machine types
// (i8, u8, i16, u16, i32, f32); pointers need no alignment beyond the type's.
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_SUPPORT_VECTOROPS_H
#define CIMC_SUPPORT_VECTOROPS_H

#include "cimc/Support/HostTensor.h"
#include "cimc/Support/Numerics.h"

#include <cstdint>

namespace cimc::numerics {

/// How elements are combined; the numbers are those of instruction fields.
/// `Set` is for scatter: the later value.
enum class Reduction : uint8_t {
  Sum,
  Prod,
  Max,
  Min,
  ArgMax,
  ArgMin,
  ArgMaxLast,
  ArgMinLast,
  Set
};
constexpr int reductionCount = 9;

/// "sum", "arg_max_last", ...
const char *mnemonic(Reduction reduction);
bool parseReduction(const char *mnemonic, Reduction &reduction);
inline bool isArgument(Reduction r) {
  return r >= Reduction::ArgMax && r <= Reduction::ArgMinLast;
}

/// The element type a function gives for operands of `type`; false where it
/// has no form for them.
bool mapResult(Function function, DType type, DType &result);

/// Whether a lane computes the function in several steps, like a division.
bool isIterated(Function function);

/// out[i] = function(a[i * stepA], b[i * stepB]) for i < n, steps 0 or 1.
/// Operands are of `type`, results of mapResult's. Integers are those of
/// integerFunction; a division by 0 gives 0.
void mapElements(Function function, DType type, const void *a, int64_t stepA,
                 const void *b, int64_t stepB, void *out, int64_t n,
                 float alpha, float beta);

/// out[i] = c[i * stepC] ? a[i * stepA] : b[i * stepB], elements of `bytes`.
void selectElements(int64_t bytes, const uint8_t *c, int64_t stepC,
                    const void *a, int64_t stepA, const void *b, int64_t stepB,
                    void *out, int64_t n);

/// Integers wrap; fp32 is truncated towards zero and saturates, NaN gives 0.
void convertElements(DType from, const void *in, DType to, void *out,
                     int64_t n);

/// One element of `in`'s type, an int32 for arguments, from n >= 1 elements,
/// in order. A NaN wins a maximum or minimum.
void reduce(Reduction reduction, DType type, const void *in, int64_t n,
            void *out);

/// acc[i] = acc[i] + in[i], fp32.
void addElements(float *acc, const float *in, int64_t n);

/// Running Sum or Prod.
void scan(Reduction reduction, DType type, const void *in, void *out, int64_t n,
          bool exclusive, bool reverse);

/// The k <= n largest or smallest in order; equal ones by position, NaN is
/// largest. `indices`: their positions as int32 instead.
void topK(DType type, const void *in, int64_t n, int64_t k, bool smallest,
          bool indices, void *out);

/// Block i of `out` is block index[i] of the `blocks` of `in`, else zeros.
/// Blocks have `bytes` bytes.
void gather(const void *in, int64_t blocks, int64_t bytes, const int32_t *index,
            int64_t n, void *out);

/// Combines block i of `updates` into block index[i] of `inout`, in order.
/// Blocks have `block` elements.
void scatter(Reduction reduction, DType type, void *inout, int64_t blocks,
             int64_t block, const int32_t *index, int64_t n,
             const void *updates);

/// out, m x n, = a, m x k, times b, k x n (n x k where `transposeB`); sums
/// start at 0 and add from the first k on, each step rounded.
void matmulF32(const float *a, const float *b, float *out, int64_t m, int64_t k,
               int64_t n, bool transposeB);

} // namespace cimc::numerics

#endif // CIMC_SUPPORT_VECTOROPS_H
