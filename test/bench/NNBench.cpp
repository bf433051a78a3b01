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
    std::fprintf(stderr, "usage: cimc-bench-nn MODEL THREADS [profile]\n");
    return 2;
  }
  keepFreedMemory();
  CompileOptions options;
  options.to = Phase::NN;
  Compilation compilation;
  double begin = now();
  if (Status status = importModel(argv[1], options, compilation); !status)
    return fail(status.error());
  double imported = now();
  if (Status status = runPhases(options, compilation); !status)
    return fail(status.error());
  double canonical = now();
  auto threads = static_cast<unsigned>(std::max(1, std::atoi(argv[2])));
  std::vector<HostTensor> inputs;
  for (const ModelIO &input : compilation.inputs)
    inputs.push_back(noise(input));
  auto evaluate = [&](const ValueObserver &observer) {
    auto outputs = evaluateNN(*compilation.module, inputs, observer, threads);
    if (!outputs)
      std::exit(fail(outputs.error()));
  };

  if (argc > 3) {
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

  std::printf("{\"import_ms\": %.1f, \"canonicalize_ms\": %.1f}\n",
              imported - begin, canonical - imported);
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
