//===- SchedEvaluatorWide.cpp - fp32 sums of products on rows ---*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SchedEvaluatorState.h"

#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <cstring>

using namespace mlir;
using namespace cimc;
using namespace cimc::reference;
namespace num = cimc::numerics;

/// Calls body(i, values) for the rows inside the map that a window on output
/// row `row` reads.
template <typename Body>
static void windowRows(const RowView &src, cim::WindowAttr window, int64_t row,
                       Body body) {
  for (int64_t i = 0; i < window.getKernel()[0]; ++i) {
    int64_t from = row * window.getStride()[0] - window.getPad()[0] +
                   i * window.getDilation()[0];
    if (from >= 0 && from < src.rows)
      body(i, src.floats(from));
  }
}

static Step depthwise(SchedState &state, sched::DepthwiseOp op) {
  RowView src = state.view(op.getSrc()), dst = state.view(op.getDst());
  const float *weights = state.data<float>(op.getWeights());
  int64_t multiplier = dst.channels / src.channels;
  return [=](Iteration i) mutable {
    auto window = op.getWindow();
    std::vector<float> out(dst.size(), 0.0f);
    auto tap = [&](const float *in, const float *w, float *sums) {
      for (int64_t c = 0; c < dst.channels; ++c)
        sums[c] = num::multiplyAdd(sums[c], in[c / multiplier], w[c]);
    };
    windowRows(
        src, window, evaluate(op.getSrcRow(), i),
        [&](int64_t k, const std::vector<float> &in) {
          for (int64_t p = 0; p < dst.pixels; ++p)
            for (int64_t j = 0; j < window.getKernel()[1]; ++j) {
              int64_t pixel = p * window.getStride()[1] - window.getPad()[1] +
                              j * window.getDilation()[1];
              if (pixel >= 0 && pixel < src.pixels)
                tap(in.data() + pixel * src.channels,
                    weights + (k * window.getKernel()[1] + j) * dst.channels,
                    out.data() + p * dst.channels);
            }
        });
    dst.store(evaluate(op.getDstRow(), i), out);
    return true;
  };
}

static Step unit(SchedState &state, sched::UnitOp op) {
  RowView src = state.view(op.getSrc()), dst = state.view(op.getDst());
  auto levels = static_cast<int32_t>(op.getLevels());
  return [=](Iteration i) mutable {
    float largest = 0.0f;
    windowRows(src, op.getWindow(), evaluate(op.getSrcRow(), i),
               [&](int64_t, const std::vector<float> &values) {
                 for (float x : values)
                   largest =
                       num::largerMagnitude(largest, num::inRange(x, levels));
               });
    dst.store(evaluate(op.getDstRow(), i),
              std::vector<float>{levels ? num::rangeStep(largest, levels)
                                        : num::wideUnit(largest)});
    return true;
  };
}

static Step digits(SchedState &state, sched::DigitsOp op) {
  RowView src = state.view(op.getSrc()), dst = state.view(op.getDst());
  RowView units = state.view(op.getUnits());
  auto levels = static_cast<int32_t>(op.getLevels());
  int64_t digits = levels ? 1 : num::kWideDigits;
  return [=](Iteration i) mutable {
    float unit = units.floats(evaluate(op.getUnitsRow(), i))[0];
    int64_t dstRow = evaluate(op.getDstRow(), i);
    for (int64_t p = 0; p < dst.pixels; ++p)
      std::memset(dst.at(dstRow, p), 0, dst.channels);
    windowRows(src, op.getWindow(), evaluate(op.getSrcRow(), i),
               [&](int64_t k, const std::vector<float> &values) {
                 for (int64_t n = 0; n < src.size(); ++n) {
                   auto *to = reinterpret_cast<int8_t *>(
                                  dst.at(dstRow, n / src.channels)) +
                              (k * src.channels + n % src.channels) * digits;
                   if (levels)
                     *to = static_cast<int8_t>(
                         num::quantizeByStep(values[n], unit, levels));
                   else
                     num::wideDigits(values[n], unit, to);
                 }
               });
    return true;
  };
}

static Step combine(SchedState &state, sched::CombineOp op) {
  RowView src = state.view(op.getSrc()), dst = state.view(op.getDst());
  RowView units = state.view(op.getUnits());
  const float *constants = state.data<float>(op.getConstants());
  int64_t count = op.getCount(), digits = op.getDigits();
  return [=](Iteration i) mutable {
    auto sums = src.integers(evaluate(op.getSrcRow(), i));
    float unit = units.floats(evaluate(op.getUnitsRow(), i))[0];
    int64_t first = evaluate(op.getDstPixel(), i);
    int64_t pixels = std::min(count, dst.pixels - first);
    for (int64_t p = 0; p < pixels; ++p) {
      auto *to = reinterpret_cast<float *>(
          dst.at(evaluate(op.getDstRow(), i), first + p));
      for (int64_t c = 0; c < dst.channels; ++c)
        to[c] = digits == 1
                    ? num::combineByStep(sums[p * dst.channels + c], unit,
                                         constants[c * 2], constants[c * 2 + 1])
                    : num::wideCombine(
                          sums.data() + (p * dst.channels + c) * digits, unit,
                          constants[c * 2], constants[c * 2 + 1]);
    }
    return true;
  };
}

Step reference::compileWideInstruction(SchedState &state, Operation *op) {
  return TypeSwitch<Operation *, Step>(op)
      .Case([&](sched::DepthwiseOp o) { return depthwise(state, o); })
      .Case([&](sched::UnitOp o) { return unit(state, o); })
      .Case([&](sched::DigitsOp o) { return digits(state, o); })
      .Case([&](sched::CombineOp o) { return combine(state, o); })
      .Default(Step());
}
