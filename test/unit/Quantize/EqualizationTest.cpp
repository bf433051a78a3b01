//===- EqualizationTest.cpp - scales moved between layers -----------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../../../lib/Quantize/Equalization.h"
#include "NN/NN.h"
#include "cimc/Reference/Evaluator.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace cimc;

namespace {

struct Network {
  explicit Network(const char *text) {
    context.loadDialect<nn::NNDialect, mlir::func::FuncDialect,
                        mlir::quant::QuantDialect>();
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    REQUIRE(module);
  }
  std::vector<float> run(const HostTensor &input) {
    auto outputs = evaluateNN(module.get(), {input});
    REQUIRE(outputs);
    const HostTensor &y = outputs->front();
    return std::vector<float>(y.as<float>(), y.as<float>() + y.size());
  }
  int64_t equalize(const std::vector<HostTensor> &inputs) {
    std::vector<std::vector<HostTensor>> samples;
    for (const HostTensor &input : inputs)
      samples.push_back({input});
    auto entry = *module->getOps<mlir::func::FuncOp>().begin();
    auto done = quantization::equalize(module.get(), entry, samples, 8, 0.5, 2);
    REQUIRE(done);
    return *done;
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

std::vector<HostTensor> samples(std::vector<int64_t> shape) {
  std::vector<HostTensor> result;
  for (int seed = 0; seed < 8; ++seed) {
    HostTensor &tensor = result.emplace_back(DType::F32, shape);
    for (int64_t i = 0; i < tensor.size(); ++i)
      tensor.as<float>()[i] = std::sin(static_cast<float>(i * 7 + seed * 13));
  }
  return result;
}

/// Equalizes, and expects the same outputs but for rounding.
void checkSame(const char *text, std::vector<int64_t> shape, int64_t tensors) {
  Network network(text);
  std::vector<HostTensor> inputs = samples(shape);
  std::vector<std::vector<float>> before;
  for (const HostTensor &input : inputs)
    before.push_back(network.run(input));
  CHECK(network.equalize(inputs) == tensors);
  for (size_t s = 0; s < inputs.size(); ++s) {
    std::vector<float> after = network.run(inputs[s]);
    REQUIRE(after.size() == before[s].size());
    for (size_t i = 0; i < after.size(); ++i)
      CHECK(after[i] == Approx(before[s][i]).epsilon(1e-4).margin(1e-5));
  }
}

} // namespace

TEST_CASE("channels of a depthwise network are equalized through a clip") {
  // The first channel reaches the clip, the second is tiny.
  checkSame(R"(
func.func @main(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %w = nn.constant dense<[[[[9.0]], [[1.0]]], [[[0.01]], [[-0.02]]]]> : tensor<2x2x1x1xf32> : tensor<2x2x1x1xf32>
  %b = nn.constant dense<[0.1, 0.01]> : tensor<2xf32> : tensor<2xf32>
  %c = nn.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
    : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
  %r = nn.clip %c {min = 0.0 : f32, max = 6.0 : f32} : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %d = nn.constant dense<[[[[0.5]]], [[[7.0]]]]> : tensor<2x1x1x1xf32> : tensor<2x1x1x1xf32>
  %y = nn.conv %r, %d {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64}
    : (tensor<1x2x4x4xf32>, tensor<2x1x1x1xf32>) -> tensor<1x2x4x4xf32>
  return %y : tensor<1x2x4x4xf32>
})",
            {1, 2, 4, 4}, 1);
}

TEST_CASE("a normalization's scale takes the factors of several readers") {
  checkSame(R"(
func.func @main(%x: tensor<3x4xf32>) -> tensor<3x2xf32> {
  %s = nn.constant dense<[20.0, 0.1, 0.2, 0.1]> : tensor<4xf32> : tensor<4xf32>
  %n = nn.rms_norm %x, %s {axis = 1 : i64, epsilon = 1.0e-5 : f32} : (tensor<3x4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  %v = nn.constant dense<[[0.01, 0.02], [1.0, -2.0], [1.5, 1.0], [0.5, 2.5]]> : tensor<4x2xf32> : tensor<4x2xf32>
  %w = nn.constant dense<[[0.02, -0.01], [2.0, -1.0], [0.5, 1.0], [2.5, 0.5]]> : tensor<4x2xf32> : tensor<4x2xf32>
  %a = nn.matmul %n, %v : (tensor<3x4xf32>, tensor<4x2xf32>) -> tensor<3x2xf32>
  %b = nn.matmul %n, %w : (tensor<3x4xf32>, tensor<4x2xf32>) -> tensor<3x2xf32>
  %y = nn.add %a, %b : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
})",
            {3, 4}, 1);
}

TEST_CASE("a tensor with another reader keeps its scale") {
  checkSame(R"(
func.func @main(%x: tensor<3x2xf32>) -> (tensor<3x2xf32>, tensor<3x2xf32>) {
  %v = nn.constant dense<[[9.0, 0.01], [8.0, -0.02]]> : tensor<2x2xf32> : tensor<2x2xf32>
  %w = nn.constant dense<[[0.1, 1.0], [5.0, -1.0]]> : tensor<2x2xf32> : tensor<2x2xf32>
  %a = nn.matmul %x, %v : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %r = nn.relu %a : (tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = nn.matmul %r, %w : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  return %y, %r : tensor<3x2xf32>, tensor<3x2xf32>
})",
            {3, 2}, 0);
}
