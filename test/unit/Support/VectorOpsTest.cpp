//===- VectorOpsTest.cpp - general operations of the vector unit ----------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/VectorOps.h"
#include "cimc/Support/MachineTypes.h"
#include "cimc/Support/TensorIO.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using namespace cimc;
using namespace cimc::numerics;

static const float kNaN = std::numeric_limits<float>::quiet_NaN();
static const float kInfinity = std::numeric_limits<float>::infinity();

TEST_CASE("functions of integers wrap in their own type") {
  DType result;
  CHECK(mapResult(Function::Add, DType::I8, result));
  CHECK(result == DType::I8);
  CHECK(mapResult(Function::Less, DType::I32, result));
  CHECK(result == DType::U8);
  CHECK_FALSE(mapResult(Function::Exp, DType::I32, result));
  int8_t a[] = {127, -128, 5}, b[] = {1, -1, 0}, sums[3];
  mapElements(Function::Add, DType::I8, a, 1, b, 1, sums, 3, 0, 0);
  CHECK(sums[0] == -128);
  CHECK(sums[1] == 127);
  int8_t quotients[3];
  mapElements(Function::Div, DType::I8, a, 1, b, 1, quotients, 3, 0, 0);
  CHECK(quotients[0] == 127);
  CHECK(quotients[2] == 0);
  int32_t x[] = {1, 2, 3}, two = 2;
  uint8_t less[3];
  mapElements(Function::Less, DType::I32, x, 1, &two, 0, less, 3, 0, 0);
  CHECK(less[0] == 1);
  CHECK(less[1] == 0);
}

TEST_CASE("conversions truncate, saturate and wrap") {
  float x[] = {1.9f, -1.9f, 3e9f, -3e9f, kNaN, kInfinity};
  int32_t y[6];
  convertElements(DType::F32, x, DType::I32, y, 6);
  CHECK(std::vector<int32_t>(y, y + 6) ==
        std::vector<int32_t>{1, -1, INT32_MAX, INT32_MIN, 0, INT32_MAX});
  int32_t wide[] = {300, -1};
  uint8_t narrow[2];
  convertElements(DType::I32, wide, DType::U8, narrow, 2);
  CHECK(narrow[0] == 44);
  CHECK(narrow[1] == 255);
  int32_t odd = (1 << 24) + 1;
  float real;
  convertElements(DType::I32, &odd, DType::F32, &real, 1);
  CHECK(real == 16777216.0f);
}

TEST_CASE("reductions go in order; ties of arguments are the first or last") {
  float x[] = {1e8f, 1.0f, -1e8f, 0.0f};
  float sum;
  reduce(Reduction::Sum, DType::F32, x, 4, &sum);
  CHECK(sum == 0.0f);
  int32_t y[] = {3, 7, 7, 1, 1};
  int32_t at;
  reduce(Reduction::ArgMax, DType::I32, y, 5, &at);
  CHECK(at == 1);
  reduce(Reduction::ArgMaxLast, DType::I32, y, 5, &at);
  CHECK(at == 2);
  reduce(Reduction::ArgMin, DType::I32, y, 5, &at);
  CHECK(at == 3);
  reduce(Reduction::ArgMinLast, DType::I32, y, 5, &at);
  CHECK(at == 4);
  int32_t large[] = {INT32_MAX, 1};
  reduce(Reduction::Sum, DType::I32, large, 2, &at);
  CHECK(at == INT32_MIN);
  float z[] = {1.0f, kNaN, 3.0f}, most;
  reduce(Reduction::Max, DType::F32, z, 3, &most);
  CHECK(std::isnan(most));
}

TEST_CASE("scans") {
  int32_t x[] = {1, 2, 3}, y[3];
  auto scanned = [&](Reduction r, bool exclusive, bool reverse) {
    scan(r, DType::I32, x, y, 3, exclusive, reverse);
    return std::vector<int32_t>(y, y + 3);
  };
  CHECK(scanned(Reduction::Sum, false, false) == std::vector{1, 3, 6});
  CHECK(scanned(Reduction::Sum, true, false) == std::vector{0, 1, 3});
  CHECK(scanned(Reduction::Sum, false, true) == std::vector{6, 5, 3});
  CHECK(scanned(Reduction::Prod, true, true) == std::vector{6, 3, 1});
}

TEST_CASE("topk keeps the order of equal ones") {
  float x[] = {1, 3, kNaN, 3, -kInfinity};
  int32_t at[5];
  topK(DType::F32, x, 5, 5, false, true, at);
  CHECK(std::vector<int32_t>(at, at + 5) ==
        std::vector<int32_t>{2, 1, 3, 0, 4});
  topK(DType::F32, x, 5, 3, true, true, at);
  CHECK(std::vector<int32_t>(at, at + 3) == std::vector<int32_t>{4, 0, 1});
  float values[2];
  topK(DType::F32, x + 3, 2, 2, true, false, values);
  CHECK(values[0] == -kInfinity);
  CHECK(values[1] == 3.0f);
}

TEST_CASE("indices of no block") {
  int32_t x[] = {1, 2, 3, 4, 5, 6}, index[] = {2, -1, 0, 3};
  int32_t y[8];
  gather(x, 3, 8, index, 4, y);
  CHECK(std::vector<int32_t>(y, y + 8) ==
        std::vector<int32_t>{5, 6, 0, 0, 1, 2, 0, 0});
  int32_t updates[] = {10, 10, 20, 20, 30, 30, 40, 40}, again[] = {1, 3, 1, -1};
  scatter(Reduction::Sum, DType::I32, x, 3, 2, again, 4, updates);
  CHECK(std::vector<int32_t>(x, x + 6) ==
        std::vector<int32_t>{1, 2, 43, 44, 5, 6});
  scatter(Reduction::Set, DType::I32, x, 3, 2, again, 4, updates);
  CHECK(x[2] == 30);
}

TEST_CASE("fp32 products add from the first k on") {
  float a[] = {1e8f, 1.0f, -1e8f}, b[] = {1.0f, 1.0f, 1.0f}, y;
  matmulF32(a, b, &y, 1, 3, 1, false);
  CHECK(y == 0.0f);
  float m[] = {1, 2, 3, 4}, n[] = {5, 6, 7, 8}, straight[4], turned[4];
  matmulF32(m, n, straight, 2, 2, 2, false);
  CHECK(std::vector<float>(straight, straight + 4) ==
        std::vector<float>{19, 22, 43, 50});
  matmulF32(m, n, turned, 2, 2, 2, true);
  CHECK(std::vector<float>(turned, turned + 4) ==
        std::vector<float>{17, 23, 39, 53});
}

TEST_CASE("what the host converts") {
  HostTensor x(DType::I64, {2});
  x.as<int64_t>()[0] = -5;
  x.as<int64_t>()[1] = int64_t(1) << 31;
  Result<HostTensor> refused = toMachine(x, "input 'ids'");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message ==
        "input 'ids': element 1 is 2147483648; the chip computes int64 in 32 "
        "bits, so values must lie within [-2147483648, 2147483647]");
  x.as<int64_t>()[1] = INT32_MIN;
  Result<HostTensor> machine = toMachine(x, "input 'ids'");
  REQUIRE(machine);
  CHECK(fromMachine(*machine, DType::I64).data == x.data);
  // Every half that is a number comes back.
  HostTensor halves(DType::F16, {65536});
  for (int i = 0; i < 65536; ++i)
    halves.as<uint16_t>()[i] =
        static_cast<uint16_t>((i & 0x7c00) == 0x7c00 ? i & 0xfc00 : i);
  HostTensor back = fromMachine(*toMachine(halves, "x"), DType::F16);
  CHECK(back.data == halves.data);
  // Ties go to even, what is too large to infinity.
  HostTensor reals(DType::F32, {4});
  float values[] = {1.0f + 1.0f / 2048, 1.0f + 3.0f / 2048, 65519.0f, 65520.0f};
  std::memcpy(reals.data.data(), values, sizeof(values));
  HostTensor rounded = fromMachine(reals, DType::F16);
  CHECK(halfToFloat(rounded.as<uint16_t>()[0]) == 1.0f);
  CHECK(halfToFloat(rounded.as<uint16_t>()[1]) == 1.0f + 2.0f / 1024);
  CHECK(halfToFloat(rounded.as<uint16_t>()[2]) == 65504.0f);
  CHECK(halfToFloat(rounded.as<uint16_t>()[3]) == kInfinity);
}
