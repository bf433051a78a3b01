//===- Kernels.h - the chip model's inner loops -----------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_SIM_KERNELS_H
#define CIMC_LIB_SIM_KERNELS_H

#include "Arena.h"

#include "cimc/Support/HostIsa.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <vector>

// Core memory is bytes at any alignment; these types say so to the compiler.
#define CIMC_UNALIGNED __attribute__((aligned(1), may_alias))

namespace cimc::sim {

using UnalignedI32 CIMC_UNALIGNED = int32_t;
using UnalignedU32 CIMC_UNALIGNED = uint32_t;
using UnalignedF32 CIMC_UNALIGNED = float;

//===----------------------------------------------------------------------===//
// Matrix products
//===----------------------------------------------------------------------===//

/// 64-byte aligned allocation for packed weights.
template <typename T> struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <typename U> AlignedAllocator(const AlignedAllocator<U> &) {}
  T *allocate(size_t n) {
    return static_cast<T *>(
        ::operator new(n * sizeof(T), std::align_val_t(64)));
  }
  void deallocate(T *p, size_t) { ::operator delete(p, std::align_val_t(64)); }
  template <typename U> bool operator==(const AlignedAllocator<U> &) const {
    return true;
  }
  template <typename U> bool operator!=(const AlignedAllocator<U> &) const {
    return false;
  }
};
template <typename T> using AlignedVector = std::vector<T, AlignedAllocator<T>>;

/// Columns of one vector of a packed tile.
constexpr int64_t vectorColumns = 16;
/// Vectors of a panel at most.
constexpr int64_t panelVectors = 4;

/// A weight tile, packed for the kernels. K is cut into segments whose lengths
/// are rounded up to quads of 4 with zero weights. Columns are cut into panels
/// of up to 4 vectors of 16; a panel holds, quad by quad, 4 weights of each of
/// its columns.
struct PackedTile {
  struct Panel {
    int64_t column;  ///< first
    int64_t vectors; ///< 1 to 4
    int64_t offset;  ///< in `weights`
  };
  int64_t columns = 0;
  int64_t quads = 0; ///< of all segments
  int64_t bytes = 0; ///< of `weights`
  std::vector<int64_t> segmentQuads;
  std::vector<Panel> panels;
  std::shared_ptr<const int8_t> weights;
  /// -128 * column sum: corrects inputs that had 128 added; padded to vectors.
  AlignedVector<int32_t> offsetCorrection;
};

/// Packs `weights` (row-major, sum of `segmentLengths` rows x `columns`).
PackedTile packTile(const int8_t *weights, int64_t columns,
                    const std::vector<int64_t> &segmentLengths);

/// Keeps one of all tiles that are equal: copies of a layer lie in many arrays
/// of the chip, but should take their turns with one set of packed weights.
class TileStore {
public:
  std::shared_ptr<const PackedTile> keep(PackedTile tile);

private:
  std::shared_ptr<Arena> arena = std::make_shared<Arena>();
  std::map<uint32_t, std::vector<std::shared_ptr<const PackedTile>>> tiles;
};

/// The products of one packed tile with `pixels` windows. Up to 3 bytes after
/// a segment's end are read (and multiplied by zero).
struct Gemm {
  const PackedTile *tile = nullptr;
  /// Pixel 0's first byte of every segment, as unsigned bytes.
  const uint8_t *const *segments = nullptr;
  int64_t pixelStride = 0; ///< bytes from one window to the next
  int64_t pixels = 0;
  uint8_t *out = nullptr; ///< int32
  int64_t outPitch = 0;   ///< bytes from pixel to pixel
  bool accumulate = false;
  bool offsetInputs = false; ///< inputs had 128 added
};
using GemmKernel = void (*)(const Gemm &);
GemmKernel gemmKernel(HostIsa isa);

//===----------------------------------------------------------------------===//
// Vector unit
//===----------------------------------------------------------------------===//

/// Row loops of the vector unit. Integer types of 8 bits are passed as bytes
/// with a flag that says whether they are signed. Limits are integers that
/// fp32 holds exactly.
struct RowKernels {
  /// R1 to R3: n sums; bias and multiplier are repeated with period `period`,
  /// which divides n or exceeds it.
  void (*requantize)(const uint8_t *src, uint8_t *dst, int64_t n,
                     int64_t period, const int32_t *bias,
                     const float *multiplier, int32_t zero, int32_t low,
                     int32_t high);
  /// n pairs of a bias and a multiplier.
  void (*takeApart)(const uint8_t *pairs, int64_t n, int32_t *bias,
                    float *multiplier);
  /// R5 over n elements; strideA and strideB are 0 or 1.
  void (*addQ)(const uint8_t *a, bool signedA, int64_t strideA,
               const uint8_t *b, bool signedB, int64_t strideB, uint8_t *dst,
               int64_t n, float ra, float rb, float f, int32_t low,
               int32_t high);
  /// R6 over n elements.
  void (*mulQ)(const uint8_t *a, bool signedA, int64_t strideA,
               const uint8_t *b, bool signedB, int64_t strideB, uint8_t *dst,
               int64_t n, int32_t za, int32_t zb, float r, int32_t zc,
               int32_t low, int32_t high);
  /// dst = max(dst, src).
  void (*maxBytes)(uint8_t *dst, const uint8_t *src, int64_t n, bool isSigned);
  /// sums[c] = sum over taps of taps[t][c] * weights[t * n + c].
  void (*depthwise)(uint8_t *sums, const uint8_t *const *taps, int64_t tapCount,
                    const int8_t *weights, int64_t n, bool isSigned);
  /// sums[c] += src[c].
  void (*accumulate)(uint8_t *sums, const uint8_t *src, int64_t n,
                     bool isSigned);
  /// sums[c] += src[c], int32.
  void (*addI32)(uint8_t *sums, const uint8_t *src, int64_t n);
  /// R9, average: n channels of taps, `count` the divisor.
  void (*average)(uint8_t *dst, const uint8_t *const *taps, int64_t tapCount,
                  int64_t n, bool isSigned, float scaleIn, int32_t zeroIn,
                  int64_t count, float scaleOut, int32_t zeroOut, int32_t low,
                  int32_t high);
  /// R4: fp32 to 8 bits.
  void (*quantize)(const uint8_t *src, uint8_t *dst, int64_t n, float scale,
                   int32_t zero, int32_t low, int32_t high);
  /// R4: 8 bits to fp32.
  void (*dequantize)(const uint8_t *src, uint8_t *dst, int64_t n, bool isSigned,
                     float scale, int32_t zero);
  /// dst = src ^ 0x80.
  void (*flipSign)(const uint8_t *src, uint8_t *dst, int64_t n);
};
const RowKernels &rowKernels(HostIsa isa);

} // namespace cimc::sim

#endif // CIMC_LIB_SIM_KERNELS_H
