//===- KernelTests.cpp - instruction sets of the host agree -----*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "cimc/Support/Numerics.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <random>

using namespace cimc;
using namespace cimc::sim;

static std::vector<HostIsa> hostIsas() {
  std::vector<HostIsa> isas = {HostIsa::Portable};
  if (bestHostIsa() != HostIsa::Portable)
    isas.push_back(HostIsa::Avx2);
  if (bestHostIsa() == HostIsa::Avx512Vnni)
    isas.push_back(HostIsa::Avx512Vnni);
  return isas;
}

TEST_CASE("matrix products equal the plain sums for ragged shapes") {
  std::mt19937 random(1);
  for (int round = 0; round < 400; ++round) {
    int64_t columns = 1 + random() % 150, pixels = 1 + random() % 30;
    std::vector<int64_t> lengths(1 + random() % 4);
    int64_t depth = 0;
    for (int64_t &n : lengths)
      depth += n = 1 + random() % 70;
    bool offset = random() & 1, accumulate = random() & 1;
    int64_t stride = 1 + random() % 80;
    std::vector<int8_t> weights(depth * columns);
    for (int8_t &w : weights)
      w = static_cast<int8_t>(round % 8 ? random() : -128);
    std::vector<std::vector<uint8_t>> inputs;
    std::vector<const uint8_t *> pointers;
    for (int64_t n : lengths) {
      inputs.emplace_back(pixels * stride + n + 4);
      for (uint8_t &x : inputs.back())
        x = static_cast<uint8_t>(round % 8 ? random() : 255);
    }
    for (const auto &input : inputs)
      pointers.push_back(input.data());
    PackedTile tile = packTile(weights.data(), columns, lengths);
    int64_t pitch = columns * 4 + 4 * (random() % 3);
    std::vector<uint8_t> before(pixels * pitch), expected;
    for (uint8_t &x : before)
      x = static_cast<uint8_t>(random());
    expected = before;
    for (int64_t p = 0; p < pixels; ++p)
      for (int64_t c = 0; c < columns; ++c) {
        uint32_t sum = 0;
        uint8_t *out = expected.data() + p * pitch + c * 4;
        if (accumulate)
          std::memcpy(&sum, out, 4);
        int64_t k = 0;
        for (size_t s = 0; s < lengths.size(); ++s)
          for (int64_t i = 0; i < lengths[s]; ++i, ++k)
            sum += static_cast<uint32_t>(
                (inputs[s][p * stride + i] - (offset ? 128 : 0)) *
                weights[k * columns + c]);
        std::memcpy(out, &sum, 4);
      }
    for (HostIsa isa : hostIsas()) {
      std::vector<uint8_t> out = before;
      Gemm gemm;
      gemm.tile = &tile;
      gemm.segments = pointers.data();
      gemm.pixelStride = stride;
      gemm.pixels = pixels;
      gemm.out = out.data();
      gemm.outPitch = pitch;
      gemm.accumulate = accumulate;
      gemm.offsetInputs = offset;
      gemmKernel(isa)(gemm);
      REQUIRE(out == expected);
    }
  }
}

/// Scales that make ties: small multiples of powers of two.
static float tieScale(std::mt19937 &random) {
  return std::ldexp(static_cast<float>(1 + random() % 7),
                    -static_cast<int>(random() % 12));
}

TEST_CASE("row loops equal the arithmetic contract") {
  std::mt19937 random(2);
  auto bytes = [&](int64_t n) {
    std::vector<uint8_t> v(n);
    for (uint8_t &x : v)
      x = static_cast<uint8_t>(random());
    return v;
  };
  auto at = [](const std::vector<uint8_t> &v, int64_t i, bool isSigned) {
    return isSigned ? int32_t(int8_t(v[i])) : int32_t(v[i]);
  };
  for (HostIsa isa : hostIsas())
    for (int round = 0; round < 300; ++round) {
      const RowKernels &k = rowKernels(isa);
      int64_t n = 1 + random() % 131;
      bool isSigned = random() & 1;
      numerics::Range range =
          isSigned ? numerics::Range{-128, 127} : numerics::Range{0, 255};
      int32_t zero = range.min + static_cast<int32_t>(random() % 256);
      std::vector<uint8_t> a = bytes(n), b = bytes(n), out(n), expected(n);

      // R3, with sums of all sizes and special multipliers.
      int64_t period = 1 + random() % n;
      std::vector<int32_t> sums(n), bias(period);
      std::vector<float> scale(period);
      for (int32_t &s : sums)
        s = static_cast<int32_t>(random()) >> (random() % 32);
      for (int32_t &s : bias)
        s = static_cast<int32_t>(random()) >> (random() % 32);
      for (float &s : scale)
        s = random() % 40 == 0 ? NAN : tieScale(random);
      k.requantize(reinterpret_cast<uint8_t *>(sums.data()), out.data(), n,
                   period, bias.data(), scale.data(), zero, range.min,
                   range.max);
      for (int64_t i = 0; i < n; ++i)
        expected[i] = static_cast<uint8_t>(numerics::requantize(
            numerics::addWrapping(sums[i], bias[i % period]), scale[i % period],
            zero, range));
      REQUIRE(out == expected);

      // R5 and R6, with broadcasting.
      bool otherSigned = random() & 1;
      int64_t strideB = random() & 1;
      float ra = tieScale(random), rb = tieScale(random);
      float f = static_cast<float>(static_cast<int>(random() % 513) - 256) / 2;
      if (round % 16 == 0)
        ra = 1e9f;
      k.addQ(a.data(), isSigned, 1, b.data(), otherSigned, strideB, out.data(),
             n, ra, rb, f, range.min, range.max);
      for (int64_t i = 0; i < n; ++i)
        expected[i] = static_cast<uint8_t>(
            numerics::add(at(a, i, isSigned), at(b, i * strideB, otherSigned),
                          {ra, rb, f}, range));
      REQUIRE(out == expected);
      k.mulQ(a.data(), isSigned, 1, b.data(), otherSigned, strideB, out.data(),
             n, zero, 3, ra, zero, range.min, range.max);
      for (int64_t i = 0; i < n; ++i)
        expected[i] = static_cast<uint8_t>(
            numerics::mul(at(a, i, isSigned), zero,
                          at(b, i * strideB, otherSigned), 3, ra, zero, range));
      REQUIRE(out == expected);

      // R4 both ways.
      std::vector<float> reals(n);
      for (float &x : reals)
        x = random() % 50 == 0 ? NAN
            : random() % 50 == 0
                ? INFINITY
                : (static_cast<int>(random() % 2001) - 1000) * 0.25f;
      k.quantize(reinterpret_cast<uint8_t *>(reals.data()), out.data(), n, ra,
                 zero, range.min, range.max);
      for (int64_t i = 0; i < n; ++i)
        expected[i] =
            static_cast<uint8_t>(numerics::quantize(reals[i], ra, zero, range));
      REQUIRE(out == expected);
      k.dequantize(a.data(), reinterpret_cast<uint8_t *>(reals.data()), n,
                   isSigned, ra, zero);
      for (int64_t i = 0; i < n; ++i)
        REQUIRE(reals[i] == numerics::dequantize(at(a, i, isSigned), ra, zero));

      // R9, maximum, sums over taps.
      int64_t taps = 1 + random() % 9;
      std::vector<std::vector<uint8_t>> tapBytes;
      std::vector<const uint8_t *> pointers;
      for (int64_t t = 0; t < taps; ++t)
        tapBytes.push_back(bytes(n));
      for (const auto &t : tapBytes)
        pointers.push_back(t.data());
      k.average(out.data(), pointers.data(), taps, n, isSigned, ra, zero, taps,
                rb, zero, range.min, range.max);
      for (int64_t i = 0; i < n; ++i) {
        float sum = 0;
        for (const auto &t : tapBytes)
          sum += numerics::dequantize(at(t, i, isSigned), ra, zero);
        expected[i] = static_cast<uint8_t>(
            numerics::averageFinish(sum, taps, rb, zero, range));
      }
      REQUIRE(out == expected);
      out = a;
      k.maxBytes(out.data(), b.data(), n, isSigned);
      for (int64_t i = 0; i < n; ++i)
        REQUIRE(at(out, i, isSigned) ==
                std::max(at(a, i, isSigned), at(b, i, isSigned)));
      std::vector<uint8_t> weights = bytes(n * taps);
      std::vector<int32_t> acc(n), wanted(n);
      k.depthwise(reinterpret_cast<uint8_t *>(acc.data()), pointers.data(),
                  taps, reinterpret_cast<const int8_t *>(weights.data()), n,
                  isSigned);
      for (int64_t i = 0; i < n; ++i)
        for (int64_t t = 0; t < taps; ++t)
          wanted[i] +=
              at(tapBytes[t], i, isSigned) * int8_t(weights[t * n + i]);
      REQUIRE(acc == wanted);
      k.accumulate(reinterpret_cast<uint8_t *>(acc.data()), a.data(), n,
                   isSigned);
      for (int64_t i = 0; i < n; ++i)
        REQUIRE(acc[i] == wanted[i] + at(a, i, isSigned));
    }
}
