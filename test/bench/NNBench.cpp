//===- NNBench.cpp - speed of the nn evaluator ------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// cimc-bench-nn MODEL THREADS   evaluates a model at the nn level on noise. It
//     prints one JSON line with what the import made, then for every line N
//     read from standard input one with the milliseconds of N evaluations.
// cimc-bench-nn MODEL THREADS profile   where one evaluation spends its time.
// cimc-bench-nn MODEL THREADS import [INPUT=1x3x224x224...]   only the first
//     line.
//
// test/bench/evaluator.py compares the times with ONNX Runtime's.
//
//===----------------------------------------------------------------------===//

#include "NN/NN.h"

#include "cimc/Driver/Compiler.h"
#include "cimc/Reference/Evaluator.h"
#include "cimc/Support/Memory.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>

using namespace cimc;

static double now() {
  using namespace std::chrono;
  return duration<double, std::milli>(steady_clock::now().time_since_epoch())
      .count();
}

static int fail(const Error &error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return static_cast<int>(error.code);
}

/// How often each operation of the nn level but constants occurs, as JSON.
static std::string countOperations(mlir::ModuleOp module) {
  std::map<std::string, int64_t> counts;
  module.walk([&](mlir::Operation *op) {
    if (nn::NNDialect::getDialectNamespace() ==
            op->getName().getDialectNamespace() &&
        !mlir::isa<nn::ConstantOp>(op))
      ++counts[op->getName().stripDialect().str()];
  });
  std::string text;
  for (auto &[name, count] : counts)
    text +=
        (text.empty() ? "\"" : ", \"") + name + "\": " + std::to_string(count);
  return "{" + text + "}";
}

/// NAME=1x3x224x224.
static std::pair<std::string, std::vector<int64_t>>
inputShape(const std::string &text) {
  size_t split = text.rfind('=');
  std::vector<int64_t> shape;
  for (size_t i = split; i != std::string::npos; i = text.find('x', i + 1))
    shape.push_back(std::atoll(text.c_str() + i + 1));
  return {text.substr(0, split), shape};
}

/// Uniform floats in [0, 1); zeros of other types, which are valid indices.
static HostTensor noise(const ModelIO &input) {
  HostTensor tensor(input.type, input.shape);
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform;
  if (input.type == DType::F32)
    for (int64_t i = 0; i < tensor.size(); ++i)
      tensor.as<float>()[i] = uniform(random);
  return tensor;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: cimc-bench-nn MODEL THREADS "
                         "[profile | import [INPUT=SHAPE...]]\n");
    return 2;
  }
  keepFreedMemory();
  CompileOptions options;
  options.to = Phase::NN;
  std::string mode = argc > 3 ? argv[3] : "";
  for (int i = 4; i < argc; ++i)
    options.inputShapes.push_back(inputShape(argv[i]));
  Compilation compilation;
  double begin = now();
  if (Status status = importModel(argv[1], options, compilation); !status)
    return fail(status.error());
  double imported = now();
  std::string importedOps = countOperations(*compilation.module);
  if (Status status = runPhases(options, compilation); !status)
    return fail(status.error());
  double canonical = now();
  std::string summary =
      "{\"import_ms\": " + std::to_string(imported - begin) +
      ", \"canonicalize_ms\": " + std::to_string(canonical - imported) +
      ", \"imported_ops\": " + importedOps +
      ", \"canonical_ops\": " + countOperations(*compilation.module) +
      ", \"peak_mb\": " + std::to_string(peakMemoryMB()) + "}";
  if (mode == "import") {
    std::printf("%s\n", summary.c_str());
    return 0;
  }
  auto threads = static_cast<unsigned>(std::max(1, std::atoi(argv[2])));
  std::vector<HostTensor> inputs;
  for (const ModelIO &input : compilation.inputs)
    inputs.push_back(noise(input));
  auto evaluate = [&](const ValueObserver &observer) {
    auto outputs = evaluateNN(*compilation.module, inputs, observer, threads);
    if (!outputs)
      std::exit(fail(outputs.error()));
  };

  if (mode == "profile") {
    evaluate(nullptr);
    std::map<std::string, double> times;
    double last = now();
    evaluate([&](mlir::Value value, const HostTensor &) {
      double time = now();
      if (mlir::Operation *op = value.getDefiningOp())
        times[op->getName().getStringRef().str()] += time - last;
      last = now();
    });
    for (auto &[name, time] : times)
      std::printf("%-24s %8.2f ms\n", name.c_str(), time);
    return 0;
  }

  std::printf("%s\n", summary.c_str());
  std::fflush(stdout);
  int rounds;
  while (std::cin >> rounds) {
    std::printf("[");
    for (int i = 0; i < rounds; ++i) {
      double start = now();
      evaluate(nullptr);
      std::printf(i ? ", %.3f" : "%.3f", now() - start);
    }
    std::printf("]\n");
    std::fflush(stdout);
  }
  return 0;
}
