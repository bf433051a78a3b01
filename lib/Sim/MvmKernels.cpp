//===- MvmKernels.cpp - matrix products of 8 bits ---------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "cimc/Program/Container.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__clang__)
#define CIMC_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CIMC_UNROLL _Pragma("GCC unroll 16")
#endif

namespace cimc::sim {

PackedTile packTile(const int8_t *weights, int64_t columns,
                    const std::vector<int64_t> &segmentLengths) {
  PackedTile tile;
  tile.columns = columns;
  for (int64_t length : segmentLengths) {
    tile.segmentQuads.push_back((length + 3) / 4);
    tile.quads += tile.segmentQuads.back();
  }
  int64_t vectors = (columns + vectorColumns - 1) / vectorColumns;
  int64_t panels = (vectors + panelVectors - 1) / panelVectors;
  tile.bytes = tile.quads * 4 * vectors * vectorColumns;
  auto packed = std::make_shared<AlignedVector<int8_t>>(tile.bytes);
  tile.weights = {packed, packed->data()};
  tile.offsetCorrection.resize(vectors * vectorColumns);
  int64_t vector = 0, offset = 0;
  for (int64_t p = 0; p < panels; ++p) {
    // Widths differ by at most one, so that no panel is needlessly narrow.
    int64_t width = (vectors - vector + (panels - p) - 1) / (panels - p);
    int64_t first = vector * vectorColumns;
    tile.panels.push_back({first, width, offset});
    int64_t quad = 0, row = 0;
    for (size_t s = 0; s < segmentLengths.size(); ++s) {
      for (int64_t k = 0; k < segmentLengths[s]; ++k) {
        const int8_t *source = weights + (row + k) * columns;
        int8_t *to = packed->data() + offset +
                     (quad + k / 4) * width * vectorColumns * 4 + k % 4;
        int64_t end = std::min(first + width * vectorColumns, columns);
        for (int64_t c = first; c < end; ++c)
          to[(c - first) * 4] = source[c];
      }
      row += segmentLengths[s];
      quad += tile.segmentQuads[s];
    }
    vector += width;
    offset += tile.quads * 4 * width * vectorColumns;
  }
  int64_t rows =
      std::accumulate(segmentLengths.begin(), segmentLengths.end(), int64_t{0});
  for (int64_t k = 0; k < rows; ++k)
    for (int64_t c = 0; c < columns; ++c)
      tile.offsetCorrection[c] -= 128 * weights[k * columns + c];
  return tile;
}

std::shared_ptr<const PackedTile> TileStore::keep(PackedTile tile) {
  auto *bytes = reinterpret_cast<const uint8_t *>(tile.weights.get());
  auto &alike = tiles[checksum(bytes, tile.bytes)];
  for (const std::shared_ptr<const PackedTile> &other : alike)
    if (other->columns == tile.columns &&
        other->segmentQuads == tile.segmentQuads &&
        other->offsetCorrection == tile.offsetCorrection &&
        std::memcmp(other->weights.get(), bytes, tile.bytes) == 0)
      return other;
  uint8_t *copy = arena->allocate(tile.bytes);
  std::memcpy(copy, bytes, tile.bytes);
  tile.weights = {arena, reinterpret_cast<const int8_t *>(copy)};
  alike.push_back(std::make_shared<const PackedTile>(std::move(tile)));
  return alike.back();
}

namespace {

//===----------------------------------------------------------------------===//
// Portable
//===----------------------------------------------------------------------===//

void gemmPortable(const Gemm &g) {
  const PackedTile &tile = *g.tile;
  for (const PackedTile::Panel &panel : tile.panels) {
    int64_t width = panel.vectors * vectorColumns;
    int64_t valid = std::min(width, tile.columns - panel.column);
    for (int64_t p = 0; p < g.pixels; ++p) {
      uint32_t acc[panelVectors * vectorColumns] = {};
      if (g.offsetInputs)
        for (int64_t c = 0; c < width; ++c)
          acc[c] =
              static_cast<uint32_t>(tile.offsetCorrection[panel.column + c]);
      const int8_t *w = tile.weights.get() + panel.offset;
      for (size_t s = 0; s < tile.segmentQuads.size(); ++s) {
        const uint8_t *x = g.segments[s] + p * g.pixelStride;
        for (int64_t q = 0; q < tile.segmentQuads[s]; ++q, x += 4) {
          for (int64_t c = 0; c < width; ++c, w += 4)
            acc[c] += static_cast<uint32_t>(x[0] * w[0] + x[1] * w[1] +
                                            x[2] * w[2] + x[3] * w[3]);
        }
      }
      auto *out = reinterpret_cast<UnalignedU32 *>(g.out + p * g.outPitch +
                                                   panel.column * 4);
      if (g.accumulate)
        for (int64_t c = 0; c < valid; ++c)
          out[c] += acc[c];
      else
        for (int64_t c = 0; c < valid; ++c)
          out[c] = acc[c];
    }
  }
}

#if defined(__x86_64__)

//===----------------------------------------------------------------------===//
// AVX-512 VNNI
//===----------------------------------------------------------------------===//

#define CIMC_VNNI                                                              \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))

// NV vectors of a panel, from `vector` on, for M windows. Windows are addressed
// in groups of three (base, base + stride, base + 2 * stride), which x86 has
// modes for.
template <int M, int NV>
CIMC_VNNI void vnniBlock(const Gemm &g, const PackedTile::Panel &panel,
                         int64_t vector, int64_t first) {
  const PackedTile &tile = *g.tile;
  int64_t column = panel.column + vector * vectorColumns;
  __m512i acc[M][NV];
  if (g.offsetInputs) {
    const int32_t *c = tile.offsetCorrection.data() + column;
    CIMC_UNROLL
    for (int v = 0; v < NV; ++v) {
      __m512i start = _mm512_loadu_si512(c + v * vectorColumns);
      CIMC_UNROLL
      for (int m = 0; m < M; ++m)
        acc[m][v] = start;
    }
  } else {
    CIMC_UNROLL
    for (int m = 0; m < M; ++m) {
      CIMC_UNROLL
      for (int v = 0; v < NV; ++v)
        acc[m][v] = _mm512_setzero_si512();
    }
  }
  constexpr int groups = (M + 2) / 3;
  const int8_t *w = tile.weights.get() + panel.offset + vector * 64;
  int64_t step = panel.vectors * 64;
  int64_t stride = g.pixelStride;
  size_t segmentCount = tile.segmentQuads.size();
  for (size_t s = 0; s < segmentCount; ++s) {
    const uint8_t *x[groups];
    CIMC_UNROLL
    for (int i = 0; i < groups; ++i)
      x[i] = g.segments[s] + (first + 3 * i) * stride;
    for (int64_t q = tile.segmentQuads[s]; q > 0; --q) {
      __m512i weights[NV];
      CIMC_UNROLL
      for (int v = 0; v < NV; ++v)
        weights[v] = _mm512_loadu_si512(w + v * 64);
      CIMC_UNROLL
      for (int m = 0; m < M; ++m) {
        int32_t four;
        std::memcpy(&four, x[m / 3] + (m % 3) * stride, 4);
        __m512i input = _mm512_set1_epi32(four);
        CIMC_UNROLL
        for (int v = 0; v < NV; ++v)
          acc[m][v] = _mm512_dpbusd_epi32(acc[m][v], input, weights[v]);
      }
      CIMC_UNROLL
      for (int i = 0; i < groups; ++i)
        x[i] += 4;
      w += step;
    }
  }
  int64_t left = std::min<int64_t>(vectorColumns, tile.columns - column -
                                                      (NV - 1) * vectorColumns);
  auto last = static_cast<__mmask16>((1u << left) - 1);
  CIMC_UNROLL
  for (int m = 0; m < M; ++m) {
    uint8_t *out = g.out + (first + m) * g.outPitch + column * 4;
    CIMC_UNROLL
    for (int v = 0; v < NV; ++v) {
      __mmask16 mask = v == NV - 1 ? last : static_cast<__mmask16>(0xffff);
      __m512i sum = acc[m][v];
      if (g.accumulate)
        sum =
            _mm512_add_epi32(sum, _mm512_maskz_loadu_epi32(mask, out + v * 64));
      _mm512_mask_storeu_epi32(out + v * 64, mask, sum);
    }
  }
}

using Block = void (*)(const Gemm &, const PackedTile::Panel &, int64_t,
                       int64_t);

// Windows a block of NV vectors takes at most: accumulators, weights and one
// input are in 32 registers.
constexpr int64_t vnniWindows[panelVectors + 1] = {0, 14, 14, 8, 6};

template <int NV, int... Less>
constexpr std::array<Block, sizeof...(Less) + 1>
vnniBlocks(std::integer_sequence<int, Less...>) {
  return {nullptr, vnniBlock<Less + 1, NV>...};
}

template <int NV>
void vnniVectors(const Gemm &g, const PackedTile::Panel &p, int64_t vector) {
  static constexpr auto blocks =
      vnniBlocks<NV>(std::make_integer_sequence<int, vnniWindows[NV]>());
  // Blocks of nearly equal size, so that none is left with a single window.
  int64_t count = (g.pixels + vnniWindows[NV] - 1) / vnniWindows[NV];
  for (int64_t first = 0; count > 0; --count) {
    int64_t windows = (g.pixels - first + count - 1) / count;
    blocks[windows](g, p, vector, first);
    first += windows;
  }
}

void gemmVnni(const Gemm &g) {
  for (const PackedTile::Panel &panel : g.tile->panels) {
    // Weights come from far more slowly than inputs: with more windows than
    // one block of wide panels takes, go through them in halves, once.
    if (panel.vectors == 4 && g.pixels > vnniWindows[4]) {
      vnniVectors<2>(g, panel, 0);
      vnniVectors<2>(g, panel, 2);
      continue;
    }
    switch (panel.vectors) {
    case 1:
      vnniVectors<1>(g, panel, 0);
      break;
    case 2:
      vnniVectors<2>(g, panel, 0);
      break;
    case 3:
      vnniVectors<3>(g, panel, 0);
      break;
    default:
      vnniVectors<4>(g, panel, 0);
      break;
    }
  }
}

//===----------------------------------------------------------------------===//
// AVX2: 16-bit products, because the 8-bit ones of this set saturate
//===----------------------------------------------------------------------===//

#define CIMC_AVX2 __attribute__((target("avx2")))

// One vector of 16 columns (as 4 registers of 4 columns x 2 halves) for M
// windows.
template <int M>
CIMC_AVX2 void avx2Block(const Gemm &g, const PackedTile::Panel &panel,
                         int64_t vector, int64_t first) {
  const PackedTile &tile = *g.tile;
  int64_t column = panel.column + vector * vectorColumns;
  __m256i acc[M][4];
  CIMC_UNROLL
  for (int m = 0; m < M; ++m) {
    CIMC_UNROLL
    for (int v = 0; v < 4; ++v)
      acc[m][v] = _mm256_setzero_si256();
  }
  const int8_t *w = tile.weights.get() + panel.offset + vector * 64;
  int64_t step = panel.vectors * 64;
  for (size_t s = 0; s < tile.segmentQuads.size(); ++s) {
    const uint8_t *x = g.segments[s] + first * g.pixelStride;
    for (int64_t q = tile.segmentQuads[s]; q > 0; --q, x += 4, w += step) {
      __m256i inputs[M];
      CIMC_UNROLL
      for (int m = 0; m < M; ++m) {
        int32_t four;
        std::memcpy(&four, x + m * g.pixelStride, 4);
        inputs[m] =
            _mm256_broadcastq_epi64(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(four)));
      }
      CIMC_UNROLL
      for (int v = 0; v < 4; ++v) {
        __m256i weights = _mm256_cvtepi8_epi16(
            _mm_loadu_si128(reinterpret_cast<const __m128i *>(w + v * 16)));
        CIMC_UNROLL
        for (int m = 0; m < M; ++m)
          acc[m][v] = _mm256_add_epi32(acc[m][v],
                                       _mm256_madd_epi16(inputs[m], weights));
      }
    }
  }
  int64_t valid = std::min(vectorColumns, tile.columns - column);
  for (int m = 0; m < M; ++m) {
    uint32_t sums[vectorColumns];
    for (int v = 0; v < 4; ++v) {
      uint32_t halves[8];
      _mm256_storeu_si256(reinterpret_cast<__m256i *>(halves), acc[m][v]);
      for (int c = 0; c < 4; ++c)
        sums[v * 4 + c] = halves[2 * c] + halves[2 * c + 1];
    }
    if (g.offsetInputs)
      for (int64_t c = 0; c < valid; ++c)
        sums[c] += static_cast<uint32_t>(tile.offsetCorrection[column + c]);
    auto *out = reinterpret_cast<UnalignedU32 *>(
        g.out + (first + m) * g.outPitch + column * 4);
    for (int64_t c = 0; c < valid; ++c)
      out[c] = g.accumulate ? out[c] + sums[c] : sums[c];
  }
}

void gemmAvx2(const Gemm &g) {
  for (const PackedTile::Panel &panel : g.tile->panels)
    for (int64_t v = 0; v < panel.vectors; ++v) {
      int64_t p = 0;
      for (; p + 2 <= g.pixels; p += 2)
        avx2Block<2>(g, panel, v, p);
      if (p < g.pixels)
        avx2Block<1>(g, panel, v, p);
    }
}

#endif // __x86_64__

} // namespace

GemmKernel gemmKernel(HostIsa isa) {
#if defined(__x86_64__)
  if (isa == HostIsa::Avx512Vnni)
    return gemmVnni;
  if (isa == HostIsa::Avx2)
    return gemmAvx2;
#endif
  return gemmPortable;
}

} // namespace cimc::sim
