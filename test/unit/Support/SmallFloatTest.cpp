//===- SmallFloatTest.cpp - floats of 4, 8 and 16 bits -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/SmallFloat.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace cimc;

static int encodings(DType type) {
  return type == DType::F4E2M1 ? 16 : byteSize(type) == 2 ? 65536 : 256;
}

TEST_CASE("every small float is its own nearest") {
  for (DType type :
       {DType::F16, DType::BF16, DType::F8E4M3FN, DType::F8E4M3FNUZ,
        DType::F8E5M2, DType::F8E5M2FNUZ, DType::F8E8M0, DType::F4E2M1}) {
    for (int bits = 0; bits < encodings(type); ++bits) {
      float value = fromSmallFloat(type, static_cast<uint16_t>(bits));
      uint16_t back = toSmallFloat(type, value, false);
      if (std::isnan(value))
        CHECK(std::isnan(fromSmallFloat(type, back)));
      else
        CHECK(back == bits);
    }
  }
}

TEST_CASE("what small floats cannot hold") {
  const float infinity = std::numeric_limits<float>::infinity();
  auto rounded = [](DType type, float x, bool saturate = true) {
    return fromSmallFloat(type, toSmallFloat(type, x, saturate));
  };
  CHECK(rounded(DType::F8E4M3FN, 448) == 448);
  CHECK(rounded(DType::F8E4M3FN, 464) == 448); // a tie, down to even
  CHECK(rounded(DType::F8E4M3FN, 1000) == 448);
  CHECK(std::isnan(rounded(DType::F8E4M3FN, 1000, false)));
  CHECK(std::isnan(rounded(DType::F8E4M3FNUZ, -1000, false)));
  CHECK(rounded(DType::F8E4M3FNUZ, -1000) == -240);
  CHECK(rounded(DType::F8E5M2, 1e9f, false) == infinity);
  CHECK(rounded(DType::F8E5M2, -infinity) == -57344);
  CHECK(rounded(DType::F4E2M1, 100) == 6);
  CHECK(rounded(DType::F4E2M1, 2.5f) == 2); // a tie
  CHECK(rounded(DType::F16, 65520) == infinity);
  CHECK(rounded(DType::BF16, 3.4e38f) == infinity);
  CHECK(rounded(DType::BF16, 1.00390625f) == 1); // 1 + 2^-8, a tie
  CHECK(rounded(DType::F8E8M0, 3) == 4);
  CHECK(toSmallFloat(DType::F8E4M3FNUZ, -0.0f) == 0);
}
