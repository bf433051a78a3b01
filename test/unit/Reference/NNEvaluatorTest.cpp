//===- NNEvaluatorTest.cpp - the nn level on hand-written IR -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NN/NN.h"
#include "cimc/Reference/Evaluator.h"

#include "mlir/Parser/Parser.h"

#include <catch2/catch.hpp>

#include <thread>

using namespace cimc;
using Catch::Matchers::Contains;

namespace {

mlir::MLIRContext &context() {
  static mlir::MLIRContext *instance = [] {
    mlir::DialectRegistry registry;
    registry.insert<mlir::func::FuncDialect, nn::NNDialect,
                    mlir::quant::QuantDialect>();
    auto *made = new mlir::MLIRContext(registry);
    made->loadAllAvailableDialects();
    return made;
  }();
  return *instance;
}

mlir::OwningOpRef<mlir::ModuleOp> parse(const std::string &text) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context());
  INFO(text);
  REQUIRE(module);
  return module;
}

/// A function around one operation: `TYPES -> TYPE` and the operation's text.
std::string function(const std::string &arguments, const std::string &result,
                     const std::string &body) {
  return "func.func @main(" + arguments + ") -> " + result + " {\n" + body +
         "\nreturn %r : " + result + "\n}";
}

template <typename T>
HostTensor tensor(DType type, std::vector<int64_t> shape,
                  std::vector<T> values) {
  HostTensor t(type, std::move(shape));
  REQUIRE(t.size() == static_cast<int64_t>(values.size()));
  std::copy(values.begin(), values.end(), t.as<T>());
  return t;
}
HostTensor floats(std::vector<int64_t> shape, std::vector<float> values) {
  return tensor<float>(DType::F32, std::move(shape), std::move(values));
}
HostTensor bytes(std::vector<int64_t> shape, std::vector<int8_t> values) {
  return tensor<int8_t>(DType::I8, std::move(shape), std::move(values));
}

template <typename T> std::vector<T> values(const HostTensor &t) {
  return std::vector<T>(t.as<T>(), t.as<T>() + t.size());
}

HostTensor run(const std::string &text, const std::vector<HostTensor> &inputs) {
  auto module = parse(text);
  auto outputs = evaluateNN(*module, inputs);
  if (!outputs)
    FAIL(outputs.error().message);
  REQUIRE(outputs->size() == 1);
  return (*outputs)[0];
}

Error fails(const std::string &text, const std::vector<HostTensor> &inputs) {
  auto module = parse(text);
  auto outputs = evaluateNN(*module, inputs);
  REQUIRE_FALSE(outputs);
  return outputs.takeError();
}

std::vector<float> count(int n, float start = 0) {
  std::vector<float> v(n);
  for (int i = 0; i < n; ++i)
    v[i] = start + i;
  return v;
}

} // namespace

TEST_CASE("float convolution: padding, stride, groups, bias") {
  auto y = run(function("%x: tensor<1x2x3x3xf32>", "tensor<1x2x2x2xf32>", R"(
    %w = nn.constant dense<1.0> : tensor<2x1x3x3xf32> : tensor<2x1x3x3xf32>
    %b = nn.constant dense<[0.5, -1.0]> : tensor<2xf32> : tensor<2xf32>
    %r = nn.conv %x, %w, %b {strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>,
      dilations = array<i64: 1, 1>, group = 2 : i64}
      : (tensor<1x2x3x3xf32>, tensor<2x1x3x3xf32>, tensor<2xf32>) -> tensor<1x2x2x2xf32>)"),
               {floats({1, 2, 3, 3}, count(18))});
  CHECK(values<float>(y) ==
        std::vector<float>{8.5f, 12.5f, 20.5f, 24.5f, 43, 47, 55, 59});
}

TEST_CASE("float convolution equals a direct sum for awkward shapes") {
  for (int group : {1, 3})
    for (int channels : {3, 9}) {
      const int m = 6, h = 7, w = 5, cg = channels / group;
      // Output 4x5: (7 + 1 + 0 - 2 * 1 - 1) / 1... rows stride 2, columns 1.
      const int oh = (h + 1 - 3) / 2 + 1, ow = w + 2 - 2 * 1;
      std::vector<float> x(channels * h * w), k(m * cg * 3 * 2);
      for (size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<float>(int(i * 7 % 11) - 5);
      for (size_t i = 0; i < k.size(); ++i)
        k[i] = static_cast<float>(int(i * 5 % 13) - 6);
      std::string xt = "tensor<1x" + std::to_string(channels) + "x7x5xf32>";
      std::string wt = "tensor<6x" + std::to_string(cg) + "x3x2xf32>";
      std::string yt = "tensor<1x6x" + std::to_string(oh) + "x" +
                       std::to_string(ow) + "xf32>";
      auto y = run(function("%x: " + xt + ", %w: " + wt, yt,
                            "%r = nn.conv %x, %w {strides = array<i64: 2, 1>, "
                            "pads = array<i64: 1, 0, 0, 2>, dilations = "
                            "array<i64: 1, 2>, group = " +
                                std::to_string(group) + " : i64} : (" + xt +
                                ", " + wt + ") -> " + yt),
                   {floats({1, channels, h, w}, x), floats({m, cg, 3, 2}, k)});
      int bad = 0;
      for (int o = 0; o < m; ++o)
        for (int i = 0; i < oh; ++i)
          for (int j = 0; j < ow; ++j) {
            float sum = 0;
            for (int c = 0; c < cg; ++c)
              for (int a = 0; a < 3; ++a)
                for (int b = 0; b < 2; ++b) {
                  int iy = i * 2 - 1 + a, ix = j + b * 2;
                  if (iy < 0 || iy >= h || ix >= w)
                    continue;
                  sum += x[((o / (m / group) * cg + c) * h + iy) * w + ix] *
                         k[((o * cg + c) * 3 + a) * 2 + b];
                }
            bad += y.as<float>()[(o * oh + i) * ow + j] != sum;
          }
      CHECK(bad == 0);
    }
}

TEST_CASE(
    "quantized convolution: padding is the zero point, scales per channel") {
  // x - 3 = {1, -1, 2}; padding contributes 0.
  auto y = run(function("%x: tensor<1x1x3x!quant.uniform<i8:f32, 0.5:3>>",
                        "tensor<1x2x3x!quant.uniform<i8:f32, 0.5:1>>", R"(
    %w = nn.constant dense<[[[1, 1, 1]], [[2, 0, -2]]]> : tensor<2x1x3xi8>
      : tensor<2x1x3x!quant.uniform<i8:f32:0, {0.5, 1.0:1}>>
    %b = nn.constant dense<[1, -1]> : tensor<2xi32> : tensor<2x!quant.uniform<i32:f32:0, {0.25, 0.5}>>
    %r = nn.conv %x, %w, %b {strides = array<i64: 1>, pads = array<i64: 1, 1>,
      dilations = array<i64: 1>, group = 1 : i64}
      : (tensor<1x1x3x!quant.uniform<i8:f32, 0.5:3>>, tensor<2x1x3x!quant.uniform<i8:f32:0, {0.5, 1.0:1}>>,
         tensor<2x!quant.uniform<i32:f32:0, {0.25, 0.5}>>) -> tensor<1x2x3x!quant.uniform<i8:f32, 0.5:1>>)"),
               {bytes({1, 1, 3}, {4, 2, 5})});
  // Channel 0: sums 0, 2, 1, + 1 = 1, 3, 2, times 0.5: 0, 2, 1. Channel 1 with
  // w - 1 = {1, -1, -3}: (-1 + 3), (1 + 1 - 6), (-1 - 2), - 1 = 1, -5, -4.
  CHECK(values<int8_t>(y) == std::vector<int8_t>{1, 3, 2, 2, -4, -3});
}

TEST_CASE("16-bit convolutions keep the bits that int16 cannot hold") {
  auto y = run(function("%x: tensor<1x1x2x!quant.uniform<u16:f32, 1.0:1>>",
                        "tensor<1x1x1x!quant.uniform<i32:f32, 1.0>>", R"(
    %w = nn.constant dense<[[[3, -5]]]> : tensor<1x1x2xi16> : tensor<1x1x2x!quant.uniform<i16:f32, 1.0>>
    %r = nn.conv %x, %w {strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}
      : (tensor<1x1x2x!quant.uniform<u16:f32, 1.0:1>>, tensor<1x1x2x!quant.uniform<i16:f32, 1.0>>)
      -> tensor<1x1x1x!quant.uniform<i32:f32, 1.0>>)"),
               {tensor<uint16_t>(DType::U16, {1, 1, 2}, {65535, 0})});
  CHECK(values<int32_t>(y) == std::vector<int32_t>{3 * 65534 + 5});
}

TEST_CASE("matrix products: batches, transposes, vectors") {
  auto y = run(function("%a: tensor<2x3x2xf32>, %b: tensor<2x2xf32>",
                        "tensor<2x3x2xf32>", R"(
    %r = nn.matmul %a, %b {transpose_b} : (tensor<2x3x2xf32>, tensor<2x2xf32>) -> tensor<2x3x2xf32>)"),
               {floats({2, 3, 2}, count(12)), floats({2, 2}, {1, 0, 1, 1})});
  CHECK(values<float>(y) ==
        std::vector<float>{0, 1, 2, 5, 4, 9, 6, 13, 8, 17, 10, 21});
  y = run(
      function("%a: tensor<2xf32>, %b: tensor<2x3xf32>", "tensor<3xf32>", R"(
    %r = nn.matmul %a, %b : (tensor<2xf32>, tensor<2x3xf32>) -> tensor<3xf32>)"),
      {floats({2}, {1, 2}), floats({2, 3}, count(6))});
  CHECK(values<float>(y) == std::vector<float>{6, 9, 12});
}

TEST_CASE("elementwise functions broadcast") {
  auto y = run(function("%a: tensor<2x1x2xf32>, %b: tensor<3x1xf32>",
                        "tensor<2x3x2xf32>", R"(
    %r = nn.sub %a, %b : (tensor<2x1x2xf32>, tensor<3x1xf32>) -> tensor<2x3x2xf32>)"),
               {floats({2, 1, 2}, {1, 2, 3, 4}), floats({3, 1}, {0, 1, 2})});
  CHECK(values<float>(y) ==
        std::vector<float>{1, 2, 0, 1, -1, 0, 3, 4, 2, 3, 1, 2});
  auto z =
      run(function("%a: tensor<3xi64>, %b: tensor<i64>", "tensor<3xi64>", R"(
    %r = nn.mul %a, %b : (tensor<3xi64>, tensor<i64>) -> tensor<3xi64>)"),
          {tensor<int64_t>(DType::I64, {3}, {1, -2, 3}),
           tensor<int64_t>(DType::I64, {}, {5})});
  CHECK(values<int64_t>(z) == std::vector<int64_t>{5, -10, 15});
  Error e = fails(
      function("%a: tensor<1xi64>, %b: tensor<1xi64>", "tensor<1xi64>", R"(
    %r = nn.div %a, %b : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>)"),
      {tensor<int64_t>(DType::I64, {1}, {1}),
       tensor<int64_t>(DType::I64, {1}, {0})});
  CHECK_THAT(e.message, Contains("division by zero"));
}

TEST_CASE(
    "quantized operations without a rule of their own take R4 around fp32") {
  std::string t = "tensor<3x!quant.uniform<i8:f32, 0.5:1>>";
  auto y = run(function("%a: " + t + ", %b: " + t, t,
                        "%r = nn.sub %a, %b : (" + t + ", " + t + ") -> " + t),
               {bytes({3}, {1, 10, 127}), bytes({3}, {3, 1, -128})});
  CHECK(values<int8_t>(y) == std::vector<int8_t>{-1, 10, 127});
  y = run(function("%a: " + t, t,
                   "%r = nn.clip %a {min = -1.0 : f32, max = 3.0 : f32} : (" +
                       t + ") -> " + t),
          {bytes({3}, {-100, 5, 100})});
  CHECK(values<int8_t>(y) == std::vector<int8_t>{-1, 5, 7});
}

TEST_CASE("pooling windows") {
  std::string attributes = "{kernel = array<i64: 2, 2>, strides = array<i64: "
                           "2, 2>, pads = array<i64: "
                           "1, 1, 0, 0>, dilations = array<i64: 1, 1>";
  auto x = floats({1, 1, 3, 3}, count(9));
  auto text = [&](const std::string &op, const std::string &extra) {
    return function("%x: tensor<1x1x3x3xf32>", "tensor<1x1x2x2xf32>",
                    "%r = nn." + op + " %x " + attributes + extra +
                        "} : (tensor<1x1x3x3xf32>) -> tensor<1x1x2x2xf32>");
  };
  CHECK(values<float>(run(text("max_pool", ""), {x})) ==
        std::vector<float>{0, 2, 6, 8});
  CHECK(values<float>(run(text("avg_pool", ""), {x})) ==
        std::vector<float>{0, 1.5f, 4.5f, 6});
  CHECK(values<float>(run(text("avg_pool", ", count_include_pad"), {x})) ==
        std::vector<float>{0, 0.75f, 2.25f, 6});
  auto negative =
      run(text("max_pool", ""), {floats({1, 1, 3, 3}, count(9, -20))});
  CHECK(values<float>(negative) == std::vector<float>{-20, -18, -14, -12});
}

TEST_CASE("a window as large as the map takes the global rule") {
  std::string in = "tensor<1x1x2x2x!quant.uniform<u8:f32, 0.5:3>>";
  std::string out = "tensor<1x1x1x1x!quant.uniform<u8:f32, 0.25:1>>";
  auto x = tensor<uint8_t>(DType::U8, {1, 1, 2, 2}, {3, 3, 3, 4});
  // 1 * 0.5: half to even 0, + 1. With the zero point inside it would be 2.
  auto y = run(function("%x: " + in, out,
                        "%r = nn.avg_pool %x {kernel = array<i64: 2, 2>, "
                        "strides = array<i64: 1, 1>, pads = array<i64: 0, 0, "
                        "0, 0>, dilations = array<i64: 1, 1>} : (" +
                            in + ") -> " + out),
               {x});
  CHECK(values<uint8_t>(y) == std::vector<uint8_t>{1});
  y = run(function("%x: " + in, out,
                   "%r = nn.global_avg_pool %x : (" + in + ") -> " + out),
          {x});
  CHECK(values<uint8_t>(y) == std::vector<uint8_t>{1});
}

TEST_CASE("data movement") {
  auto x = floats({2, 3}, count(6));
  CHECK(values<float>(run(function("%x: tensor<2x3xf32>", "tensor<3x2xf32>", R"(
    %r = nn.transpose %x {perm = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>)"),
                          {x})) == std::vector<float>{0, 3, 1, 4, 2, 5});
  CHECK(values<float>(run(function("%x: tensor<2x3xf32>", "tensor<1x2xf32>", R"(
    %r = nn.slice %x {starts = array<i64: 1, 2>, sizes = array<i64: 1, 2>, steps = array<i64: 1, -2>}
      : (tensor<2x3xf32>) -> tensor<1x2xf32>)"),
                          {x})) == std::vector<float>{5, 3});
  CHECK(values<float>(run(function("%x: tensor<2x3xf32>", "tensor<3x4xf32>", R"(
    %r = nn.pad %x {low = array<i64: 1, 0>, high = array<i64: 0, 1>, value = 9.0 : f32}
      : (tensor<2x3xf32>) -> tensor<3x4xf32>)"),
                          {x})) ==
        std::vector<float>{9, 9, 9, 9, 0, 1, 2, 9, 3, 4, 5, 9});
  CHECK(values<float>(run(function("%x: tensor<2x3xf32>", "tensor<2x6xf32>", R"(
    %r = nn.concat %x, %x {axis = 1 : i64} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x6xf32>)"),
                          {x})) ==
        std::vector<float>{0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5});
}

TEST_CASE("movement between different parameters requantizes") {
  auto y = run(function("%x: tensor<4x!quant.uniform<i8:f32, 0.5>>",
                        "tensor<2x2x!quant.uniform<u8:f32, 1.0:10>>", R"(
    %r = nn.reshape %x : (tensor<4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x2x!quant.uniform<u8:f32, 1.0:10>>)"),
               {bytes({4}, {1, 3, -128, 5})});
  CHECK(values<uint8_t>(y) == std::vector<uint8_t>{10, 12, 0, 12});
}

TEST_CASE("quantize and dequantize per axis") {
  std::string q = "tensor<2x2x!quant.uniform<i8:f32:1, {0.5:1, 2.0:-1}>>";
  auto y = run(function("%x: tensor<2x2xf32>", q,
                        "%r = nn.quantize %x : (tensor<2x2xf32>) -> " + q),
               {floats({2, 2}, {0.25f, 1.0f, 0.75f, 3.0f})});
  CHECK(values<int8_t>(y) == std::vector<int8_t>{1, -1, 3, 1});
  auto x =
      run(function("%x: " + q, "tensor<2x2xf32>",
                   "%r = nn.dequantize %x : (" + q + ") -> tensor<2x2xf32>"),
          {y});
  CHECK(values<float>(x) == std::vector<float>{0, 0, 1, 4});
}

TEST_CASE("casts truncate, wrap and saturate") {
  auto cast = [&](const HostTensor &in, const std::string &from,
                  const std::string &to) {
    return run(function("%x: tensor<3x" + from + ">", "tensor<3x" + to + ">",
                        "%r = nn.cast %x : (tensor<3x" + from +
                            ">) -> tensor<3x" + to + ">"),
               {in});
  };
  auto y = cast(floats({3}, {-1.9f, 1e20f, std::nanf("")}), "f32", "i32");
  CHECK(values<int32_t>(y) == std::vector<int32_t>{-1, 2147483647, 0});
  y = cast(tensor<int64_t>(DType::I64, {3}, {0, -1, 256}), "i64", "i1");
  CHECK(values<uint8_t>(y) == std::vector<uint8_t>{0, 1, 1});
}

TEST_CASE("constants: splats, hexadecimal and 4-bit storage") {
  auto y = run(R"(func.func @main() -> tensor<3x!quant.uniform<i4:f32, 1.0>> {
    %w = nn.constant dense<[-8, 7, -1]> : tensor<3xi4> : tensor<3x!quant.uniform<i4:f32, 1.0>>
    return %w : tensor<3x!quant.uniform<i4:f32, 1.0>> })",
               {});
  CHECK(values<int8_t>(y) == std::vector<int8_t>{-8, 7, -1});
  y = run(R"(func.func @main() -> tensor<2x!quant.uniform<u4:f32, 1.0>> {
    %w = nn.constant dense<[-1, 7]> : tensor<2xi4> : tensor<2x!quant.uniform<u4:f32, 1.0>>
    return %w : tensor<2x!quant.uniform<u4:f32, 1.0>> })",
          {});
  CHECK(values<uint8_t>(y) == std::vector<uint8_t>{15, 7});
  y = run(R"(func.func @main() -> tensor<2x2xf32> {
    %w = nn.constant dense<2.5> : tensor<2x2xf32> : tensor<2x2xf32>
    return %w : tensor<2x2xf32> })",
          {});
  CHECK(values<float>(y) == std::vector<float>(4, 2.5f));
}

TEST_CASE("attributes and host tensors agree") {
  for (int64_t n : {1, 8, 9, 100}) {
    HostTensor t(DType::U8, {n});
    for (int64_t i = 0; i < n; ++i)
      t.as<uint8_t>()[i] = static_cast<uint8_t>(i * 37 + 200);
    auto attr = toElementsAttr(t, &context(), "w");
    HostTensor back = toHostTensor(attr);
    CHECK(back.type == t.type);
    CHECK(back.shape == t.shape);
    CHECK(back.data == t.data);
  }
  HostTensor flags(DType::Bool, {11});
  flags.as<uint8_t>()[3] = flags.as<uint8_t>()[10] = 1;
  CHECK(toHostTensor(toElementsAttr(flags, &context(), "b")).data ==
        flags.data);
}

TEST_CASE("observers see inputs and every computed value in order") {
  auto module = parse(function("%x: tensor<2xf32>", "tensor<2xf32>", R"(
    %a = nn.neg %x : (tensor<2xf32>) -> tensor<2xf32>
    %unused = nn.exp %a : (tensor<2xf32>) -> tensor<2xf32>
    %r = nn.add %a, %x : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>)"));
  std::vector<float> firsts;
  auto outputs = evaluateNN(*module, {floats({2}, {1, 2})},
                            [&](mlir::Value, const HostTensor &t) {
                              firsts.push_back(t.as<float>()[0]);
                            });
  REQUIRE(outputs);
  CHECK(firsts == std::vector<float>{1, -1, std::exp(-1.0f), 0});
}

TEST_CASE("a function after a convolution, whether or not somebody looks") {
  // Ordinary and depthwise; a result that two read, of which one is the
  // function; enough pixels for several blocks.
  auto module = parse(R"(
func.func @main(%x: tensor<2x4x90x70xf32>, %w: tensor<8x4x1x1xf32>,
                %d: tensor<8x1x3x3xf32>, %b: tensor<8xf32>)
    -> (tensor<2x8x90x70xf32>, tensor<2x8x90x70xf32>) {
  %0 = nn.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : (tensor<2x4x90x70xf32>, tensor<8x4x1x1xf32>, tensor<8xf32>) -> tensor<2x8x90x70xf32>
  %1 = nn.clip %0 {min = -1.0 : f32, max = 1.0 : f32} : (tensor<2x8x90x70xf32>) -> tensor<2x8x90x70xf32>
  %2 = nn.conv %1, %d {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 8 : i64} : (tensor<2x8x90x70xf32>, tensor<8x1x3x3xf32>) -> tensor<2x8x90x70xf32>
  %3 = nn.tanh %2 : (tensor<2x8x90x70xf32>) -> tensor<2x8x90x70xf32>
  %4 = nn.conv %3, %d {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 8 : i64} : (tensor<2x8x90x70xf32>, tensor<8x1x3x3xf32>) -> tensor<2x8x90x70xf32>
  %5 = nn.neg %4 : (tensor<2x8x90x70xf32>) -> tensor<2x8x90x70xf32>
  return %4, %5 : tensor<2x8x90x70xf32>, tensor<2x8x90x70xf32>
})");
  std::vector<HostTensor> inputs;
  for (std::vector<int64_t> shape :
       {std::vector<int64_t>{2, 4, 90, 70}, {8, 4, 1, 1}, {8, 1, 3, 3}, {8}}) {
    HostTensor t(DType::F32, shape);
    for (int64_t i = 0; i < t.size(); ++i)
      t.as<float>()[i] = static_cast<float>(i * 7 % 23 - 11) / 8;
    inputs.push_back(t);
  }
  int64_t seen = 0, negative = 0, large = 0;
  auto slow =
      evaluateNN(*module, inputs, [&](mlir::Value v, const HostTensor &t) {
        if (v.getDefiningOp() && mlir::isa<nn::ClipOp>(v.getDefiningOp()))
          for (int64_t i = 0; i < t.size(); ++i) {
            negative += t.as<float>()[i] == -1;
            large += t.as<float>()[i] == 1;
          }
        ++seen;
      });
  REQUIRE(slow);
  CHECK(seen == 10);
  CHECK(negative > 0);
  CHECK(large > 0);
  for (unsigned threads : {1u, 2u, 3u}) {
    auto fast = evaluateNN(*module, inputs, nullptr, threads);
    REQUIRE(fast);
    for (int i : {0, 1})
      CHECK((*fast)[i].data == (*slow)[i].data);
  }
}

TEST_CASE("a function after a convolution that nobody reads") {
  std::string t = "tensor<1x1x1x2xf32>";
  HostTensor y =
      run(function("%x: " + t + ", %w: tensor<1x1x1x1xf32>", t,
                   "%0 = nn.conv %x, %w {strides = array<i64: 1, 1>, pads = "
                   "array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, "
                   "group = 1 : i64} : (" +
                       t + ", tensor<1x1x1x1xf32>) -> " + t +
                       "\n%unread = nn.tanh %0 : (" + t + ") -> " + t +
                       "\n%r = nn.neg %x : (" + t + ") -> " + t),
          {floats({1, 1, 1, 2}, {1, -2}), floats({1, 1, 1, 1}, {3})});
  CHECK(values<float>(y) == std::vector<float>{-1, 2});
}

TEST_CASE("a value may be returned twice, and be an input") {
  auto module = parse(
      R"(func.func @main(%x: tensor<1xf32>) -> (tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) {
    %y = nn.neg %x : (tensor<1xf32>) -> tensor<1xf32>
    return %y, %x, %y : tensor<1xf32>, tensor<1xf32>, tensor<1xf32> })");
  auto outputs = evaluateNN(*module, {floats({1}, {3})});
  REQUIRE(outputs);
  CHECK((*outputs)[0].as<float>()[0] == -3);
  CHECK((*outputs)[1].as<float>()[0] == 3);
  CHECK((*outputs)[2].as<float>()[0] == -3);
}

TEST_CASE("what cannot be evaluated says so") {
  std::string relu = function("%x: tensor<2xf32>", "tensor<2xf32>", R"(
    %r = nn.relu %x : (tensor<2xf32>) -> tensor<2xf32>)");
  Error e = fails(relu, {});
  CHECK(e.code == ExitCode::InvalidInput);
  CHECK_THAT(e.message, Contains("has 1 inputs, but 0"));
  e = fails(relu, {floats({3}, {1, 2, 3})});
  CHECK_THAT(e.message, Contains("input 0 must be float32 of shape 2, but is "
                                 "float32 of shape 3"));
  e = fails(relu, {bytes({2}, {1, 2})});
  CHECK_THAT(e.message, Contains("but is int8"));
  e = fails("func.func @a() { return }\nfunc.func @b() { return }", {});
  CHECK_THAT(e.message, Contains("2 functions"));
  e = fails("", {});
  CHECK_THAT(e.message, Contains("0 functions"));
  e = fails(function("%x: tensor<1xf80>", "tensor<1xf32>", R"(
    %r = nn.cast %x : (tensor<1xf80>) -> tensor<1xf32>)"),
            {HostTensor(DType::F64, {1})});
  CHECK(e.code == ExitCode::Unsupported);
  CHECK_THAT(e.message, Contains("input 0 is not a static tensor of a known "
                                 "element type"));
}

TEST_CASE("a constant whose data is not in the file is an error") {
  std::string body = R"(func.func @main() -> tensor<2xf32> {
    %w = nn.constant dense_resource<left_out> : tensor<2xf32> : tensor<2xf32>
    return %w : tensor<2xf32> })";
  Error e = fails(body, {});
  CHECK(e.code == ExitCode::InvalidInput);
  CHECK_THAT(e.message, Contains("no data for the resource 'left_out'"));
  e = fails(R"(func.func @main() -> tensor<3xf32> {
    %w = nn.constant dense_resource<short> : tensor<3xf32> : tensor<3xf32>
    return %w : tensor<3xf32> }
  {-# dialect_resources: { builtin: { short: "0x040000000000803F" } } #-})",
            {});
  CHECK_THAT(e.message, Contains("has 4 bytes, but its type needs 12"));
}

TEST_CASE("single operations are evaluated for constant folding") {
  auto module = parse(function("%x: tensor<2xf32>", "tensor<2xf32>", R"(
    %r = nn.sqrt %x : (tensor<2xf32>) -> tensor<2xf32>)"));
  mlir::Operation *op = nullptr;
  module->walk([&](nn::SqrtOp found) { op = found; });
  REQUIRE(op);
  auto result = evaluateNNOp(op, {floats({2}, {4, 9})});
  REQUIRE(result);
  CHECK(values<float>((*result)[0]) == std::vector<float>{2, 3});
  CHECK_FALSE(evaluateNNOp(op, {}));
  CHECK_FALSE(evaluateNNOp(op, {bytes({2}, {1, 2})}));
}

TEST_CASE("one module serves several threads") {
  auto module =
      parse(function("%x: tensor<1x8x9x9xf32>", "tensor<1x16x9x9xf32>", R"(
    %w = nn.constant dense<0.5> : tensor<16x8x3x3xf32> : tensor<16x8x3x3xf32>
    %r = nn.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>,
      dilations = array<i64: 1, 1>} : (tensor<1x8x9x9xf32>, tensor<16x8x3x3xf32>) -> tensor<1x16x9x9xf32>)"));
  HostTensor x(DType::F32, {1, 8, 9, 9});
  for (int64_t i = 0; i < x.size(); ++i)
    x.as<float>()[i] = static_cast<float>(i % 17);
  auto expected = evaluateNN(*module, {x});
  REQUIRE(expected);
  std::vector<std::thread> threads;
  std::vector<int> equal(4, 0);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        auto y = evaluateNN(*module, {x});
        equal[t] += y && (*y)[0].data == (*expected)[0].data;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  CHECK(equal == std::vector<int>(4, 10));
}
