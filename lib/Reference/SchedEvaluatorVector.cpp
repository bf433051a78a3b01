//===- SchedEvaluatorVector.cpp - general vector instructions -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SchedEvaluatorState.h"

#include "cimc/Support/VectorOps.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace cimc;
using namespace cimc::reference;
namespace num = cimc::numerics;

namespace {

using Bytes = std::vector<uint8_t>;

/// A row's elements side by side.
Bytes readRow(const RowView &view, int64_t row) {
  auto bytes = view.channels * static_cast<int64_t>(byteSize(view.type));
  Bytes out(static_cast<size_t>(view.pixels * bytes));
  if (view.rows == 1)
    row = 0;
  for (int64_t p = 0; p < view.pixels; ++p)
    std::memcpy(out.data() + p * bytes, view.at(row, p),
                static_cast<size_t>(bytes));
  return out;
}

void writeRow(const RowView &view, int64_t row, const Bytes &in) {
  auto bytes = view.channels * static_cast<int64_t>(byteSize(view.type));
  for (int64_t p = 0; p < view.pixels; ++p)
    std::memcpy(view.at(row, p), in.data() + p * bytes,
                static_cast<size_t>(bytes));
}

Bytes readAll(const RowView &view) {
  Bytes all;
  for (int64_t r = 0; r < view.rows; ++r) {
    Bytes row = readRow(view, r);
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

void writeAll(const RowView &view, const Bytes &in) {
  size_t bytes = static_cast<size_t>(view.size()) * byteSize(view.type);
  for (int64_t r = 0; r < view.rows; ++r)
    writeRow(view, r,
             Bytes(in.begin() + r * bytes, in.begin() + (r + 1) * bytes));
}

/// An operand's row, its pixels and channels of 1 broadcast.
struct Operand {
  Operand(const RowView &view, int64_t row)
      : bytes(readRow(view, row)), width(byteSize(view.type)),
        step(view.channels == 1 ? 0 : 1),
        pixel(view.pixels == 1 ? 0 : view.channels) {}
  const uint8_t *at(int64_t p) const {
    return bytes.data() + p * pixel * width;
  }
  Bytes bytes;
  int64_t width, step, pixel;
};

/// Fills a row of `dst` pixel by pixel: fn(pixel, where its channels go).
template <typename Fn> void forPixels(const RowView &dst, int64_t row, Fn fn) {
  auto bytes = dst.channels * static_cast<int64_t>(byteSize(dst.type));
  Bytes out(static_cast<size_t>(dst.pixels * bytes));
  for (int64_t p = 0; p < dst.pixels; ++p)
    fn(p, out.data() + p * bytes);
  writeRow(dst, row, out);
}

} // namespace

static Step map(SchedState &state, sched::MapOp op) {
  RowView a = state.view(op.getA()), b = state.view(op.getB());
  RowView dst = state.view(op.getDst());
  auto function = static_cast<num::Function>(op.getFunction());
  float alpha = op.getAlpha().convertToFloat();
  float beta = op.getBeta().convertToFloat();
  return [=](Iteration i) mutable {
    Operand x(a, evaluate(op.getARow(), i)), y(b, evaluate(op.getBRow(), i));
    forPixels(dst, evaluate(op.getDstRow(), i), [&](int64_t p, uint8_t *to) {
      num::mapElements(function, a.type, x.at(p), x.step, y.at(p), y.step, to,
                       dst.channels, alpha, beta);
    });
    return true;
  };
}

static Step softmaxF32(SchedState &state, sched::SoftmaxF32Op op) {
  RowView src = state.view(op.getSrc()), dst = state.view(op.getDst());
  return [=](Iteration i) mutable {
    auto in = src.floats(evaluate(op.getSrcRow(), i));
    std::vector<float> out(dst.size());
    for (int64_t p = 0; p < dst.pixels; ++p)
      num::softmaxF32(in.data() + p * dst.channels,
                      out.data() + p * dst.channels, dst.channels);
    dst.store(evaluate(op.getDstRow(), i), out);
    return true;
  };
}

static Step select(SchedState &state, sched::SelectOp op) {
  RowView c = state.view(op.getC()), a = state.view(op.getA()),
          b = state.view(op.getB()), dst = state.view(op.getDst());
  return [=](Iteration i) mutable {
    Operand z(c, evaluate(op.getCRow(), i)), x(a, evaluate(op.getARow(), i)),
        y(b, evaluate(op.getBRow(), i));
    forPixels(dst, evaluate(op.getDstRow(), i), [&](int64_t p, uint8_t *to) {
      num::selectElements(x.width, z.at(p), z.step, x.at(p), x.step, y.at(p),
                          y.step, to, dst.channels);
    });
    return true;
  };
}

/// An instruction on the channels of each pixel: fn(source, destination, where
/// the source's channels are, where the destination's go).
template <typename Op, typename Fn>
static Step onPixels(SchedState &state, Op op, Fn fn) {
  RowView src = state.view(op.getSrc()), dst = state.view(op.getDst());
  return [=](Iteration i) mutable {
    Operand x(src, evaluate(op.getSrcRow(), i));
    forPixels(dst, evaluate(op.getDstRow(), i),
              [&](int64_t p, uint8_t *to) { fn(src, dst, x.at(p), to); });
    return true;
  };
}

static Step vectorRow(SchedState &state, Operation *op) {
  return TypeSwitch<Operation *, Step>(op)
      .Case([&](sched::ConvertOp o) {
        return onPixels(state, o,
                        [](const RowView &src, const RowView &dst,
                           const uint8_t *x, uint8_t *y) {
                          num::convertElements(src.type, x, dst.type, y,
                                               dst.channels);
                        });
      })
      .Case([&](sched::ReduceOp o) {
        auto function = static_cast<num::Reduction>(o.getFunction());
        return onPixels(state, o,
                        [=](const RowView &src, const RowView &,
                            const uint8_t *x, uint8_t *y) {
                          num::reduce(function, src.type, x, src.channels, y);
                        });
      })
      .Case([&](sched::ScanOp o) {
        auto function = static_cast<num::Reduction>(o.getFunction());
        bool exclusive = o.getExclusive(), reverse = o.getReverse();
        return onPixels(state, o,
                        [=](const RowView &src, const RowView &,
                            const uint8_t *x, uint8_t *y) {
                          num::scan(function, src.type, x, y, src.channels,
                                    exclusive, reverse);
                        });
      })
      .Case([&](sched::TopKOp o) {
        bool smallest = o.getSmallest(), indices = o.getIndices();
        return onPixels(state, o,
                        [=](const RowView &src, const RowView &dst,
                            const uint8_t *x, uint8_t *y) {
                          num::topK(src.type, x, src.channels, dst.channels,
                                    smallest, indices, y);
                        });
      })
      .Default(Step());
}

static Step gather(SchedState &state, sched::GatherOp op) {
  RowView a = state.view(op.getA()), b = state.view(op.getB()),
          dst = state.view(op.getDst());
  int64_t block = op.getBlock();
  return [=](Iteration) {
    Bytes in = readAll(a), index = readAll(b);
    auto bytes = block * static_cast<int64_t>(byteSize(a.type));
    auto count = static_cast<int64_t>(index.size() / sizeof(int32_t));
    Bytes out(static_cast<size_t>(count * bytes));
    num::gather(in.data(), static_cast<int64_t>(in.size()) / bytes, bytes,
                reinterpret_cast<const int32_t *>(index.data()), count,
                out.data());
    writeAll(dst, out);
    return true;
  };
}

static Step scatter(SchedState &state, sched::ScatterOp op) {
  RowView a = state.view(op.getA()), b = state.view(op.getB()),
          dst = state.view(op.getDst());
  int64_t block = op.getBlock();
  auto function = static_cast<num::Reduction>(op.getFunction());
  return [=](Iteration) {
    Bytes updates = readAll(a), index = readAll(b), inout = readAll(dst);
    auto elements = static_cast<int64_t>(inout.size() / byteSize(dst.type));
    num::scatter(function, dst.type, inout.data(), elements / block, block,
                 reinterpret_cast<const int32_t *>(index.data()),
                 static_cast<int64_t>(index.size() / sizeof(int32_t)),
                 updates.data());
    writeAll(dst, inout);
    return true;
  };
}

static Step matmulF32(SchedState &state, sched::MatMulF32Op op) {
  RowView a = state.view(op.getA()), b = state.view(op.getB()),
          dst = state.view(op.getDst());
  bool shared = op.getShared(), transposed = op.getTransposeB();
  return [=](Iteration i) mutable {
    Bytes x = readRow(a, evaluate(op.getARow(), i));
    Bytes y = shared ? readAll(b) : readRow(b, evaluate(op.getBRow(), i));
    std::vector<float> out(dst.size());
    num::matmulF32(reinterpret_cast<const float *>(x.data()),
                   reinterpret_cast<const float *>(y.data()), out.data(),
                   dst.pixels, a.channels, dst.channels, transposed);
    dst.store(evaluate(op.getDstRow(), i), out);
    return true;
  };
}

Step reference::windowF32(const RowView &src, const RowView &dst,
                          cim::WindowAttr window, llvm::ArrayRef<int64_t> place,
                          llvm::ArrayRef<int64_t> dstRow, bool sum) {
  return [=](Iteration i) {
    int64_t row = evaluate(place, i);
    std::vector<float> out(dst.size(), sum ? 0.0f : -INFINITY);
    for (int64_t p = 0; p < dst.pixels; ++p)
      for (int64_t y = 0; y < window.getKernel()[0]; ++y)
        for (int64_t x = 0; x < window.getKernel()[1]; ++x) {
          int64_t r = row * window.getStride()[0] - window.getPad()[0] +
                      y * window.getDilation()[0];
          int64_t q = p * window.getStride()[1] - window.getPad()[1] +
                      x * window.getDilation()[1];
          if (r < 0 || r >= src.rows || q < 0 || q >= src.pixels)
            continue;
          const float *in = reinterpret_cast<const float *>(src.at(r, q));
          float *to = out.data() + p * dst.channels;
          if (sum)
            num::addElements(to, in, dst.channels);
          else
            for (int64_t c = 0; c < dst.channels; ++c)
              to[c] = in[c] > to[c] ? in[c] : to[c];
        }
    dst.store(evaluate(dstRow, i), out);
    return true;
  };
}

static Step sumPool(SchedState &state, sched::SumPoolOp op) {
  return windowF32(state.view(op.getSrc()), state.view(op.getDst()),
                   op.getWindow(), op.getSrcRow(), op.getDstRow(), true);
}

Step reference::compileVector(SchedState &state, Operation *op) {
  return TypeSwitch<Operation *, Step>(op)
      .Case([&](sched::MapOp o) { return map(state, o); })
      .Case([&](sched::SoftmaxF32Op o) { return softmaxF32(state, o); })
      .Case([&](sched::SelectOp o) { return select(state, o); })
      .Case([&](sched::GatherOp o) { return gather(state, o); })
      .Case([&](sched::ScatterOp o) { return scatter(state, o); })
      .Case([&](sched::MatMulF32Op o) { return matmulF32(state, o); })
      .Case([&](sched::SumPoolOp o) { return sumPool(state, o); })
      .Default([&](Operation *other) { return vectorRow(state, other); });
}
