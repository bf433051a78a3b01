//===- AgreementTests.cpp - cim computes what nn computes -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RandomNetwork.h"

#include "CIM/CIM.h"
#include "NN/NN.h"
#include "cimc/Mapping/Passes.h"
#include "cimc/Reference/Evaluator.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

#include <catch2/catch.hpp>

#include <set>

using namespace cimc;
using namespace cimc::test;

namespace {

struct Fixture {
  mlir::MLIRContext context;
  /// Tiles of at most 16 x 16 weights, so that small networks are cut.
  ChipSpec chip;

  Fixture() {
    context.loadDialect<mlir::func::FuncDialect, mlir::quant::QuantDialect,
                        nn::NNDialect, cim::CIMDialect>();
    chip.macro.rows = 16;
    chip.macro.active_rows = 8;
    chip.macro.columns = 64;
    chip.core.streams = 64;
    chip.tile.sram_kb = 4096;
  }

  std::vector<HostTensor> inputs(RandomNetwork &network) {
    std::vector<HostTensor> tensors;
    for (const Tensor &argument : network.arguments()) {
      HostTensor tensor(argument.element.find("<u8") != std::string::npos
                            ? DType::U8
                            : DType::I8,
                        argument.shape);
      for (std::byte &value : tensor.data)
        value = static_cast<std::byte>(network.pick(0, 255));
      tensors.push_back(std::move(tensor));
    }
    return tensors;
  }

  /// Results that saturate everywhere would agree whatever is wrong.
  void countDistinct(const HostTensor &tensor) {
    std::set<std::byte> values(tensor.data.begin(), tensor.data.end());
    elements += tensor.data.size();
    distinct += values.size();
  }
  size_t elements = 0, distinct = 0;

  void check(RandomNetwork &network, const std::vector<Tensor> &results) {
    std::string text = network.text(results);
    INFO(text);
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    REQUIRE(module);
    (*module)->setAttr(cim::kChipAttrName, cim::getChipAttr(&context, chip));
    std::vector<HostTensor> in = inputs(network);
    Result<std::vector<HostTensor>> expected = evaluateNN(*module, in);
    if (!expected)
      FAIL(expected.error().message);
    mlir::PassManager pipeline(&context);
    pipeline.addPass(createConvertNNToCIM());
    pipeline.addPass(mlir::createCanonicalizerPass());
    pipeline.addPass(mlir::createCSEPass());
    pipeline.addPass(createCIMVerifyMapped());
    pipeline.addPass(createCIMPlace());
    REQUIRE(succeeded(pipeline.run(*module)));
    Result<std::vector<HostTensor>> actual = evaluateCIM(*module, in);
    if (!actual)
      FAIL(actual.error().message);
    REQUIRE(actual->size() == expected->size());
    for (size_t i = 0; i < expected->size(); ++i) {
      REQUIRE((*actual)[i].shape == (*expected)[i].shape);
      REQUIRE((*actual)[i].type == (*expected)[i].type);
      REQUIRE((*actual)[i].data == (*expected)[i].data);
      countDistinct((*expected)[i]);
    }
  }
};

} // namespace

TEST_CASE("convolutions of awkward sizes agree", "[mapping]") {
  Fixture fixture;
  uint32_t seed = 0;
  for (int64_t channels : {1, 3, 16, 17})
    for (int64_t outputs : {1, 15, 16, 17, 37})
      for (int64_t size : {1, 2, 7}) {
        RandomNetwork network(++seed);
        Tensor x = network.argument({1, channels, size, size + 1});
        fixture.check(network, {network.conv(x, outputs, 1)});
      }
}

TEST_CASE("grouped, depthwise and one-dimensional convolutions agree",
          "[mapping]") {
  Fixture fixture;
  for (uint32_t seed = 0; seed < 12; ++seed) {
    RandomNetwork network(seed);
    Tensor x = network.argument({1, 6, network.pick(1, 7), network.pick(1, 7)});
    Tensor line = network.argument({1, 6, network.pick(1, 9)});
    std::vector<Tensor> results;
    for (int64_t group : {2, 3, 6}) {
      results.push_back(network.conv(x, 12, group));
      results.push_back(network.conv(line, 6, group));
    }
    results.push_back(network.conv(line, 5, 1));
    fixture.check(network, results);
  }
}

TEST_CASE("convolutions of batches and of three axes agree", "[mapping]") {
  Fixture fixture;
  for (uint32_t seed = 0; seed < 16; ++seed) {
    RandomNetwork network(seed);
    int64_t batch = network.pick(1, 3);
    Tensor line = network.argument({batch, 4, network.pick(1, 7)});
    Tensor x =
        network.argument({batch, 4, network.pick(1, 6), network.pick(1, 6)});
    Tensor volume = network.argument(
        {batch, 4, network.pick(1, 5), network.pick(1, 4), network.pick(1, 4)});
    std::vector<Tensor> results;
    for (int64_t group : {1, 2, 4})
      for (const Tensor &input : {line, x, volume})
        results.push_back(network.conv(input, 4 * network.pick(1, 2), group));
    results.push_back(network.conv(results.back(), 3, 1));
    fixture.check(network, results);
  }
}

TEST_CASE("products agree whatever side and type the weights have",
          "[mapping]") {
  Fixture fixture;
  for (uint32_t seed = 0; seed < 10; ++seed) {
    RandomNetwork network(seed);
    Tensor x = network.argument({network.pick(1, 4), network.pick(1, 20)});
    Tensor batch = network.argument(
        {network.pick(1, 3), network.pick(1, 5), network.pick(1, 7)});
    std::vector<Tensor> results;
    for (const Tensor &input : {x, batch}) {
      results.push_back(network.unsignedMatmul(input, 5));
      results.push_back(network.leftMatmul(input, 3));
      results.push_back(network.leftMatmul(results.front(), 17));
    }
    fixture.check(network, results);
  }
}

TEST_CASE("a product of a flattened map agrees", "[mapping]") {
  Fixture fixture;
  for (uint32_t seed = 0; seed < 8; ++seed) {
    RandomNetwork network(seed);
    int64_t c = network.pick(1, 5), h = network.pick(1, 4),
            w = network.pick(1, 5);
    Tensor x = network.conv(network.argument({1, 3, h, w}), c, 1);
    int64_t size = x.shape[1] * x.shape[2] * x.shape[3];
    Tensor flat = network.reshape(x, {1, size});
    Tensor y = network.matmul(flat, network.pick(1, 33));
    // Another use makes the pending reshape a real one.
    Tensor z = network.softmax(seed % 2 ? flat : y, 1);
    fixture.check(network, {network.matmul(y, 10), z});
  }
}

TEST_CASE("matrices and transpositions agree", "[mapping]") {
  Fixture fixture;
  for (uint32_t seed = 0; seed < 12; ++seed) {
    RandomNetwork network(seed);
    int64_t t = network.pick(1, 7), heads = network.pick(1, 3),
            d = network.pick(1, 9);
    Tensor x = network.argument({1, t, heads * d});
    Tensor q = network.matmul(x, heads * d), k = network.matmul(x, heads * d);
    auto split = [&](const Tensor &v) {
      return network.transpose(network.reshape(v, {1, t, heads, d}),
                               {0, 2, 1, 3});
    };
    Tensor qh = split(q), kh = split(k);
    Tensor scores = network.matmul(qh, kh, true, {1, heads, t, t});
    Tensor p = network.softmax(scores, 3);
    Tensor y = network.matmul(p, split(x), false, {1, heads, t, d});
    Tensor merged =
        network.reshape(network.transpose(y, {0, 2, 1, 3}), {1, t, heads * d});
    fixture.check(network, {network.matmul(merged, 11), kh});
  }
}

TEST_CASE("channels-last models enter without a copy", "[mapping]") {
  Fixture fixture;
  RandomNetwork network(5);
  Tensor x = network.argument({1, 5, 6, 3});
  Tensor y = network.conv(network.transpose(x, {0, 3, 1, 2}), 4, 1);
  fixture.check(network, {network.transpose(y, {0, 2, 3, 1})});
}

TEST_CASE("random networks agree", "[mapping]") {
  Fixture fixture;
  for (uint32_t seed = 1; seed <= 120; ++seed) {
    RandomNetwork network(seed);
    Tensor x = network.argument(
        {1, network.pick(1, 9), network.pick(2, 9), network.pick(2, 9)});
    std::vector<Tensor> results;
    for (int64_t i = network.pick(1, 5); i > 0; --i)
      x = network.step(x);
    results.push_back(x);
    if (seed % 2)
      results.push_back(network.softmax(x, network.pick(1, 3)));
    Tensor pooled = network.globalPool(x);
    results.push_back(
        network.matmul(network.reshape(pooled, {1, x.shape[1]}), 7));
    fixture.check(network, results);
  }
  CHECK(fixture.distinct * 20 > fixture.elements);
}
