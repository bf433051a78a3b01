//===- SimBench.cpp - speed of the chip model -------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// cimc-bench-sim   kernels, chains of convolutions made here
// cimc-bench-sim FILE.cimx [SECONDS [SAMPLES]]   samples a second of a
// compiled program; when each of so many samples leaves the chip
//
// Times are of the processor, so that other work on the machine counts less.
//
//===----------------------------------------------------------------------===//

#include "Builder.h"
#include "Kernels.h"

#include "cimc/Sim/Simulator.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>

using namespace cimc;
using namespace cimc::test;

static double now() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_nsec) * 1e-9;
}

static void benchKernels() {
  struct Shape {
    int64_t depth, columns, pixels;
  };
  const char *names[] = {"portable", "AVX2", "AVX-512 VNNI"};
  std::mt19937 random(1);
  for (Shape s : {Shape{144, 16, 32}, Shape{64, 64, 56}, Shape{576, 64, 8},
                  Shape{1024, 128, 14}, Shape{1024, 64, 1}}) {
    std::vector<int8_t> weights = randomWeights(random, s.depth * s.columns, 8);
    std::vector<uint8_t> input(s.depth * s.pixels + 64);
    std::vector<int32_t> out(s.columns * s.pixels);
    sim::PackedTile tile = sim::packTile(weights.data(), s.columns, {s.depth});
    const uint8_t *segment = input.data();
    sim::Gemm gemm;
    gemm.tile = &tile;
    gemm.segments = &segment;
    gemm.pixelStride = s.depth;
    gemm.pixels = s.pixels;
    gemm.out = reinterpret_cast<uint8_t *>(out.data());
    gemm.outPitch = s.columns * 4;
    std::printf(
        "mvm %4lld x %3lld, %2lld windows:", static_cast<long long>(s.depth),
        static_cast<long long>(s.columns), static_cast<long long>(s.pixels));
    for (int i = 0; i <= static_cast<int>(bestHostIsa()); ++i) {
      sim::GemmKernel kernel = sim::gemmKernel(static_cast<HostIsa>(i));
      double begin = now(), seconds = 0;
      int64_t rounds = 0;
      for (; (seconds = now() - begin) < 0.2; rounds += 16)
        for (int r = 0; r < 16; ++r)
          kernel(gemm);
      std::printf("  %s %.1f GMAC/s", names[i],
                  static_cast<double>(rounds * s.depth * s.columns * s.pixels) /
                      seconds * 1e-9);
    }
    std::printf("\n");
  }
}

/// `layers` 3x3 convolutions over size x size x channels, one on each core,
/// signed values so that no input can be read in place.
static Program chain(int layers, int size, int channels) {
  Program p;
  std::mt19937 random(2);
  int rowBytes = size * channels;
  std::vector<CoreBuilder> cores;
  for (int l = 0; l < layers; ++l) {
    cores.emplace_back(l);
    addChannel(p, l, cores.back().allocate(4 * rowBytes), rowBytes, 4, size);
  }
  addChannel(p, -1, 0, rowBytes, 4, size);
  addIO(p, "x", false, DType::I8, {1, channels, size, size}, {0, 2, 3, 1}, {0});
  addIO(p, "y", true, DType::I8, {1, channels, size, size}, {0, 2, 3, 1},
        {static_cast<uint32_t>(layers)});
  for (int l = 0; l < layers; ++l) {
    CoreBuilder &b = cores[l];
    uint16_t src = b.view(0, {size, size, channels}, I8, 4);
    uint16_t sums = b.buffer({1, size, channels}, I32, 1);
    uint16_t bytes = b.buffer({1, size, channels}, I8, 1);
    b.cells(0, 0, 0, 9 * channels, channels, 8,
            randomWeights(random, int64_t{9} * channels * channels, 8));
    std::vector<uint8_t> constants(channels * 8);
    float scale = 0.01f;
    for (int c = 0; c < channels; ++c)
      std::memcpy(&constants[c * 8 + 4], &scale, 4);
    isa::Mvm mvm;
    mvm.macros = 1;
    mvm.columns = static_cast<uint16_t>(channels);
    mvm.weight_bits = 8;
    mvm.src = src;
    mvm.window = b.window(3, 3, 1, 1);
    mvm.k_size = static_cast<uint16_t>(9 * channels);
    mvm.dst = sums;
    mvm.row = affine(0, 1);
    mvm.count = mvm.end = static_cast<uint32_t>(size);
    mvm.reuse = 1;
    isa::Requantize r;
    r.src = sums;
    r.dst = bytes;
    r.count = static_cast<uint32_t>(size);
    r.constants = b.data(constants.data(), constants.size());
    r.low = -128;
    r.high = 127;
    auto channel = static_cast<uint32_t>(l);
    Stream &s = b.stream("conv");
    emitLoop(s, static_cast<uint32_t>(size));
    emitWait(s, channel, affine(2, 1));
    s.instructions.push_back(mvm);
    s.instructions.push_back(r);
    emitFree(s, channel, affine(0, 1));
    emitSend(s, channel + 1, bytes, constant(0),
             static_cast<uint32_t>(channels));
    emitNext(s);
    emitFree(s, channel, constant(size));
    p.cores.push_back(b.core);
  }
  return p;
}

static int benchProgram(const char *name, const Program &program,
                        double atLeast = 1, int64_t timed = 0) {
  double begin = now();
  Simulator simulator(program);
  double built = now();
  std::vector<HostTensor> inputs;
  std::mt19937 random(3);
  for (const IOBinding &io : program.ios)
    if (!io.isOutput)
      inputs.push_back(HostTensor(io.type, io.shape));
  for (HostTensor &t : inputs)
    if (t.type != DType::F32)
      for (std::byte &b : t.data)
        b = static_cast<std::byte>(random());
  int64_t samples = 0;
  double start = now(), seconds = 0;
  for (; (seconds = now() - start) < atLeast; ++samples)
    if (auto y = simulator.run(inputs); !y) {
      std::fprintf(stderr, "error: %s\n", y.error().message.c_str());
      return 1;
    }
  double timing = now();
  auto report = simulator.time(/*criticalPath=*/false, timed, /*skips=*/false);
  timing = now() - timing;
  if (!report) {
    std::fprintf(stderr, "error: %s\n", report.error().message.c_str());
    return 1;
  }
  double perSecond = static_cast<double>(samples) / seconds;
  std::printf(
      "%s: prepared in %.1f ms; %.1f samples/s, %.1f GMAC/s on one "
      "thread; timed in %.2f ms (%lld samples, %lld instructions "
      "each), %.1f M simulated cycles/s: latency %.2f us, period %.2f us\n",
      name, (built - begin) * 1e3, perSecond,
      perSecond * static_cast<double>(report->macs) * 1e-9, timing * 1e3,
      static_cast<long long>(report->samples_timed),
      static_cast<long long>(report->instructions_executed),
      report->simulated_ns * 1e-3 * program.chip.core.clock_mhz / timing * 1e-6,
      report->latency_ns * 1e-3, report->period_ns * 1e-3);
  if (!timed)
    return 0;
  double skipping = now();
  auto skipped = simulator.time(/*criticalPath=*/false, timed);
  skipping = now() - skipping;
  if (skipped)
    std::printf("without cycles that come back: %.2f ms (%lld samples), "
                "%.1f M simulated cycles/s; makespan %.6f us, before %.6f us\n",
                skipping * 1e3,
                static_cast<long long>(skipped->samples_simulated),
                skipped->simulated_ns * 1e-3 * program.chip.core.clock_mhz /
                    skipping * 1e-6,
                skipped->makespan_ns * 1e-3, report->makespan_ns * 1e-3);
  for (double ns : report->finished_ns)
    std::printf("%.6f\n", ns);
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 1) {
    auto program = load(argv[1]);
    if (!program) {
      std::fprintf(stderr, "error: %s\n", program.error().message.c_str());
      return 1;
    }
    return benchProgram(argv[1], *program,
                        argc > 2 ? std::strtod(argv[2], nullptr) : 1,
                        argc > 3 ? std::strtol(argv[3], nullptr, 10) : 0);
  }
  benchKernels();
  int failed = benchProgram("20 convolutions 32x32x16", chain(20, 32, 16));
  failed |= benchProgram("50 convolutions 56x56x64", chain(50, 56, 64));
  return failed;
}
