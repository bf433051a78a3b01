//===- QuantizeModuleTest.cpp - post-training quantization ----------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NN/NN.h"
#include "cimc/Quantize/Passes.h"
#include "cimc/Quantize/Quantize.h"
#include "cimc/Reference/Evaluator.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>

using namespace cimc;

namespace {

// conv > relu > max_pool, a skip connection around a second conv, a concat and
// a matrix product.
const char *network = R"(
func.func @main(%x: tensor<1x2x5x5xf32> {nn.name = "x"}) -> (tensor<1x3xf32> {nn.name = "y"}) {
  %w = nn.constant dense<[[[[0.5]], [[-0.25]]], [[[1.0]], [[0.75]]]]> : tensor<2x2x1x1xf32> : tensor<2x2x1x1xf32>
  %b = nn.constant dense<[0.1, -0.2]> : tensor<2xf32> : tensor<2xf32>
  %c = nn.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
    : (tensor<1x2x5x5xf32>, tensor<2x2x1x1xf32>, tensor<2xf32>) -> tensor<1x2x5x5xf32>
  %r = nn.relu %c : (tensor<1x2x5x5xf32>) -> tensor<1x2x5x5xf32>
  %p = nn.max_pool %r {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
    : (tensor<1x2x5x5xf32>) -> tensor<1x2x3x3xf32>
  %d = nn.conv %p, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
    : (tensor<1x2x3x3xf32>, tensor<2x2x1x1xf32>, tensor<2xf32>) -> tensor<1x2x3x3xf32>
  %s = nn.add %d, %p : (tensor<1x2x3x3xf32>, tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  %k = nn.concat %s, %p {axis = 1 : i64} : (tensor<1x2x3x3xf32>, tensor<1x2x3x3xf32>) -> tensor<1x4x3x3xf32>
  %g = nn.global_avg_pool %k : (tensor<1x4x3x3xf32>) -> tensor<1x4x1x1xf32>
  %f = nn.reshape %g : (tensor<1x4x1x1xf32>) -> tensor<1x4xf32>
  %m = nn.constant dense<[[0.5, 1.0, -1.0], [0.0, 0.0, 0.0], [1.0, 0.5, 0.25], [-0.5, 0.0, 2.0]]> : tensor<4x3xf32> : tensor<4x3xf32>
  %h = nn.constant dense<[0.0, 1.0, -1.0]> : tensor<3xf32> : tensor<3xf32>
  %y = nn.matmul %f, %m, %h : (tensor<1x4xf32>, tensor<4x3xf32>, tensor<3xf32>) -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
})";

HostTensor sample(int seed, std::vector<int64_t> shape = {1, 2, 5, 5}) {
  HostTensor tensor(DType::F32, std::move(shape));
  for (int64_t i = 0; i < tensor.size(); ++i)
    tensor.as<float>()[i] = std::sin(static_cast<float>(i * 7 + seed * 13));
  return tensor;
}

struct Samples : SampleSource {
  explicit Samples(std::vector<HostTensor> tensors)
      : tensors(std::move(tensors)) {}
  Result<std::optional<std::vector<HostTensor>>> next() override {
    if (index == tensors.size())
      return std::optional<std::vector<HostTensor>>();
    return std::optional(std::vector<HostTensor>{tensors[index++]});
  }
  int64_t size() const override { return static_cast<int64_t>(tensors.size()); }
  std::vector<HostTensor> tensors;
  size_t index = 0;
};

struct Context {
  Context() {
    context.loadDialect<nn::NNDialect, mlir::func::FuncDialect,
                        mlir::quant::QuantDialect>();
  }
  mlir::OwningOpRef<mlir::ModuleOp> parse(const char *text) {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    REQUIRE(module);
    return module;
  }
  std::string print(mlir::ModuleOp module) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    module.print(stream);
    return text;
  }
  mlir::MLIRContext context;
};

Samples manySamples(int count) {
  std::vector<HostTensor> tensors;
  for (int i = 0; i < count; ++i)
    tensors.push_back(sample(i));
  return Samples(std::move(tensors));
}

} // namespace

TEST_CASE("a quantized network is integer and close to the float one") {
  Context c;
  auto real = c.parse(network), quantized = c.parse(network);
  Samples samples = manySamples(37);
  REQUIRE(quantizeModule(*quantized, samples, {}));
  mlir::PassManager passes(&c.context);
  passes.addPass(createNNFuseQDQ());
  passes.addPass(createNNDynamicRanges());
  REQUIRE(succeeded(passes.run(*quantized)));
  int quantizes = 0, dequantizes = 0;
  quantized->walk([&](mlir::Operation *op) {
    quantizes += mlir::isa<nn::QuantizeOp>(op);
    dequantizes += mlir::isa<nn::DequantizeOp>(op);
  });
  CHECK(quantizes == 1);
  // The last product gives fp32 as it is.
  CHECK(dequantizes == 0);
  for (int i = 0; i < 5; ++i) {
    auto expected = evaluateNN(*real, {sample(i)});
    auto got = evaluateNN(*quantized, {sample(i)});
    REQUIRE(expected);
    REQUIRE(got);
    for (int j = 0; j < 3; ++j)
      CHECK(std::fabs((*expected)[0].as<float>()[j] -
                      (*got)[0].as<float>()[j]) < 0.06f);
  }
}

TEST_CASE("the result does not depend on threads") {
  Context c;
  std::string first;
  for (unsigned threads : {1u, 2u, 3u}) {
    auto module = c.parse(network);
    Samples samples = manySamples(13);
    QuantizeOptions options;
    options.threads = threads;
    REQUIRE(quantizeModule(*module, samples, options));
    auto bytes = exportONNX(*module);
    REQUIRE(bytes);
    if (first.empty())
      first = *bytes;
    CHECK(first == *bytes);
  }
}

TEST_CASE("what is wrong is said") {
  Context c;
  auto module = c.parse(network);
  auto check = [&](SampleSource &samples, QuantizeOptions options,
                   ExitCode code, const char *text) {
    Status status = quantizeModule(*module, samples, options);
    REQUIRE(!status);
    CHECK(status.error().code == code);
    CHECK(status.error().message.find(text) != std::string::npos);
  };
  Samples none({}), wrong({sample(0), sample(1, {1, 2, 5, 4})});
  check(none, {}, ExitCode::InvalidInput, "no calibration samples");
  check(wrong, {}, ExitCode::InvalidInput,
        "calibration sample 1: 'x' is float32 1x2x5x4, but the model takes "
        "float32 1x2x5x5");
  QuantizeOptions options;
  options.method = "best";
  check(none, options, ExitCode::Usage, "unknown calibration method 'best'");
  options = {};
  options.weightBits = 9;
  check(none, options, ExitCode::Usage, "9 bits");
  Samples good = manySamples(3);
  REQUIRE(quantizeModule(*module, good, {}));
  check(good, {}, ExitCode::Usage, "quantized already");
}

TEST_CASE("weights grow where a bias needs it") {
  Context c;
  auto module = c.parse(R"(
func.func @main(%x: tensor<1x2x5x5xf32>) -> tensor<1x2x5x5xf32> {
  %w = nn.constant dense<[[[[1.0e-9]], [[1.0e-9]]], [[[0.0]], [[0.0]]]]> : tensor<2x2x1x1xf32> : tensor<2x2x1x1xf32>
  %b = nn.constant dense<[3.0, -5.0]> : tensor<2xf32> : tensor<2xf32>
  %c = nn.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
    : (tensor<1x2x5x5xf32>, tensor<2x2x1x1xf32>, tensor<2xf32>) -> tensor<1x2x5x5xf32>
  return %c : tensor<1x2x5x5xf32>
})");
  Samples samples = manySamples(3);
  REQUIRE(quantizeModule(*module, samples, {}));
  auto result = evaluateNN(*module, {sample(1)});
  REQUIRE(result);
  CHECK((*result)[0].as<float>()[0] == Approx(3).margin(0.02));
  CHECK((*result)[0].as<float>()[25] == Approx(-5).margin(0.02));
}

TEST_CASE("inputs of 16 bits have the levels whose sums int32 holds") {
  Context c;
  // 4096 weights that are all the largest: 2^31 / (127 * 4096 * 1.125) levels.
  auto module = c.parse(R"mlir(
    func.func @main(%x: tensor<1x4096xf32>, %s: tensor<1x8xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>) {
      %w = nn.constant dense<0.25> : tensor<4096x2xf32> : tensor<4096x2xf32>
      %v = nn.constant dense<0.25> : tensor<8x2xf32> : tensor<8x2xf32>
      %y = nn.matmul %x, %w : (tensor<1x4096xf32>, tensor<4096x2xf32>) -> tensor<1x2xf32>
      %z = nn.matmul %s, %v : (tensor<1x8xf32>, tensor<8x2xf32>) -> tensor<1x2xf32>
      return %y, %z : tensor<1x2xf32>, tensor<1x2xf32>
    })mlir");
  struct Pair : SampleSource {
    Result<std::optional<std::vector<HostTensor>>> next() override {
      if (given++)
        return std::optional<std::vector<HostTensor>>();
      return std::optional(
          std::vector<HostTensor>{sample(1, {1, 4096}), sample(2, {1, 8})});
    }
    int64_t size() const override { return 1; }
    int given = 0;
  } samples;
  QuantizeOptions options;
  options.inputBits = 16;
  QuantizeReport report;
  REQUIRE(quantizeModule(*module, samples, options, &report));
  std::string text = c.print(*module);
  CHECK(text.find("!quant.uniform<i16<-3669:3669>:f32") != std::string::npos);
  CHECK(text.find("!quant.uniform<i16:f32") != std::string::npos);
  REQUIRE(report.layers.size() == 2);
  CHECK(report.layers[0].inputBits == 16);
  CHECK(report.layers[0].low == -report.layers[0].high);
  options.inputBits = 12;
  Pair again;
  auto other = c.parse(network);
  Status status = quantizeModule(*other, again, options);
  REQUIRE(!status);
  CHECK(status.error().message ==
        "inputs of 12 bits are not supported; choose 8 or 16");
}

TEST_CASE("integer operations have no QDQ form") {
  Context c;
  auto module = c.parse(R"(
!a = !quant.uniform<u8:f32, 0.5:3>
func.func @main(%x: tensor<3xf32>) -> tensor<3xf32> {
  %q = nn.quantize %x : (tensor<3xf32>) -> tensor<3x!a>
  %r = nn.relu %q : (tensor<3x!a>) -> tensor<3x!a>
  %d = nn.dequantize %r : (tensor<3x!a>) -> tensor<3xf32>
  return %d : tensor<3xf32>
})");
  auto bytes = exportONNX(*module);
  REQUIRE(!bytes);
  CHECK(bytes.error().message.find("export before nn-fuse-qdq") !=
        std::string::npos);
}
