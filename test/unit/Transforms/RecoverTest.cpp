//===- RecoverTest.cpp - recovered composites compute the same ------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NN/NN.h"
#include "cimc/Reference/Evaluator.h"
#include "cimc/Transforms/Passes.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <random>

using namespace cimc;

namespace {

struct Case {
  const char *composite; ///< what has to be there afterwards
  const char *pipeline;
  const char *text;
};

mlir::MLIRContext &context() {
  static mlir::MLIRContext *instance = [] {
    registerTransformsPasses();
    mlir::DialectRegistry registry;
    registry.insert<mlir::func::FuncDialect, nn::NNDialect,
                    mlir::quant::QuantDialect>();
    auto *made = new mlir::MLIRContext(registry);
    made->loadAllAvailableDialects();
    return made;
  }();
  return *instance;
}

std::vector<HostTensor> noiseFor(mlir::func::FuncOp function) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0, 2);
  std::vector<HostTensor> inputs;
  for (mlir::Type type : function.getArgumentTypes()) {
    auto shape = mlir::cast<mlir::RankedTensorType>(type).getShape();
    HostTensor tensor(DType::F32, shape.vec());
    for (int64_t i = 0; i < tensor.size(); ++i)
      tensor.as<float>()[i] = normal(random);
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

const Case cases[] = {
#include "RecoverCases.inc"
};

} // namespace

TEST_CASE("Recovered composites compute what was written out") {
  for (const Case &c : cases) {
    INFO(c.composite << "\n" << c.text);
    auto module = mlir::parseSourceString<mlir::ModuleOp>(c.text, &context());
    REQUIRE(module);
    auto function = *module->getOps<mlir::func::FuncOp>().begin();
    std::vector<HostTensor> inputs = noiseFor(function);
    auto expected = evaluateNN(*module, inputs);
    REQUIRE(expected);
    mlir::PassManager passes(&context(), "builtin.module");
    REQUIRE(mlir::succeeded(mlir::parsePassPipeline(c.pipeline, passes)));
    REQUIRE(mlir::succeeded(passes.run(*module)));
    int found = 0;
    module->walk([&](mlir::Operation *op) {
      found += op->getName().getStringRef() == c.composite;
    });
    CHECK(found == 1);
    auto actual = evaluateNN(*module, inputs);
    REQUIRE(actual);
    REQUIRE(actual->size() == expected->size());
    for (size_t k = 0; k < actual->size(); ++k) {
      const HostTensor &a = (*actual)[k], &e = (*expected)[k];
      REQUIRE(a.shape == e.shape);
      for (int64_t i = 0; i < a.size(); ++i) {
        float want = e.as<float>()[i];
        CHECK(std::abs(a.as<float>()[i] - want) <=
              2e-6f * std::max(1.0f, std::abs(want)) * 4);
      }
    }
  }
}
