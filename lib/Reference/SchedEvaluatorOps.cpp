//===- SchedEvaluatorOps.cpp - row operations on views ----------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SchedEvaluatorState.h"

#include "cimc/Reference/Evaluator.h"
#include "cimc/Support/VectorOps.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cstring>

using namespace mlir;
using namespace cimc;
using namespace cimc::reference;
namespace num = cimc::numerics;

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

/// Calls body(index of dst, index of an operand) for every element of a row,
/// with the operand's pixels or channels of 1 broadcast.
template <typename Body>
static void broadcast(const RowView &dst, const RowView &a, const RowView &b,
                      Body body) {
  for (int64_t p = 0, n = 0; p < dst.pixels; ++p)
    for (int64_t c = 0; c < dst.channels; ++c, ++n) {
      auto index = [&](const RowView &v) {
        return (v.pixels == 1 ? 0 : p) * v.channels + (v.channels == 1 ? 0 : c);
      };
      body(n, index(a), index(b));
    }
}

static Step addQ(SchedState &state, sched::AddQOp op) {
  RowView a = state.view(op.getA()), b = state.view(op.getB());
  RowView dst = state.view(op.getDst());
  num::AddConstants constants{op.getRa().convertToFloat(),
                              op.getRb().convertToFloat(),
                              op.getF().convertToFloat()};
  num::Range range{int32_t(op.getLow()), int32_t(op.getHigh())};
  return [=](Iteration i) mutable {
    auto x = a.integers(evaluate(op.getARow(), i));
    auto y = b.integers(evaluate(op.getBRow(), i));
    std::vector<int32_t> out(dst.size());
    broadcast(dst, a, b, [&](int64_t n, int64_t ia, int64_t ib) {
      out[n] = num::add(x[ia], y[ib], constants, range);
    });
    dst.store(evaluate(op.getDstRow(), i), 0, dst.pixels, out.data());
    return true;
  };
}

static Step mulQ(SchedState &state, sched::MulQOp op) {
  RowView a = state.view(op.getA()), b = state.view(op.getB());
  RowView dst = state.view(op.getDst());
  float r = op.getR().convertToFloat();
  int32_t za = op.getZa(), zb = op.getZb(), zc = op.getZc();
  num::Range range{int32_t(op.getLow()), int32_t(op.getHigh())};
  return [=](Iteration i) mutable {
    auto x = a.integers(evaluate(op.getARow(), i));
    auto y = b.integers(evaluate(op.getBRow(), i));
    std::vector<int32_t> out(dst.size());
    broadcast(dst, a, b, [&](int64_t n, int64_t ia, int64_t ib) {
      out[n] = num::mul(x[ia], za, y[ib], zb, r, zc, range);
    });
    dst.store(evaluate(op.getDstRow(), i), 0, dst.pixels, out.data());
    return true;
  };
}

/// An instruction of one source row and one destination row; `body` fills the
/// integers of a destination row.
template <typename Op, typename Body>
static Step unary(SchedState &state, Op op, Body body) {
  RowView src = state.view(op.getSrc()), dst = state.view(op.getDst());
  return [=](Iteration i) mutable {
    std::vector<int32_t> out(dst.size());
    body(src, evaluate(op.getSrcRow(), i), dst, evaluate(op.getDstRow(), i),
         out);
    dst.store(evaluate(op.getDstRow(), i), 0, dst.pixels, out.data());
    return true;
  };
}

static Step requantize(SchedState &state, sched::RequantizeOp op) {
  RowView src = state.view(op.getSrc()), dst = state.view(op.getDst());
  const int32_t *constants = state.data<int32_t>(op.getConstants());
  num::Range range{int32_t(op.getLow()), int32_t(op.getHigh())};
  int32_t zero = op.getZero();
  int64_t count = op.getCount();
  return [=](Iteration i) mutable {
    auto sums = src.integers(evaluate(op.getSrcRow(), i));
    int64_t first = evaluate(op.getDstPixel(), i);
    int64_t pixels = std::min(count, dst.pixels - first);
    for (int64_t n = 0; n < pixels * dst.channels; ++n) {
      const int32_t *c = constants + n % dst.channels * 2;
      float multiplier;
      std::memcpy(&multiplier, c + 1, sizeof multiplier);
      sums[n] = num::requantize(num::addWrapping(sums[n], c[0]), multiplier,
                                zero, range);
    }
    dst.store(evaluate(op.getDstRow(), i), first, pixels, sums.data());
    return true;
  };
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

namespace {
/// The input rows that a window on output row `row` reads.
struct WindowRows {
  WindowRows(const RowView &src, cim::WindowAttr window, int64_t row)
      : src(src), window(window) {
    for (int64_t i = 0; i < window.getKernel()[0]; ++i) {
      int64_t r = row * window.getStride()[0] - window.getPad()[0] +
                  i * window.getDilation()[0];
      inside.push_back(r >= 0 && r < src.rows);
      rows.push_back(src.integers(r));
    }
  }
  /// The channels of kernel cell (i, j) at an output pixel; null outside.
  const int32_t *at(int64_t pixel, int64_t i, int64_t j) const {
    int64_t p = pixel * window.getStride()[1] - window.getPad()[1] +
                j * window.getDilation()[1];
    if (!inside[i] || p < 0 || p >= src.pixels)
      return nullptr;
    return rows[i].data() + p * src.channels;
  }

  const RowView &src;
  cim::WindowAttr window;
  std::vector<std::vector<int32_t>> rows;
  std::vector<bool> inside;
};
} // namespace

/// The weights of a tile, put together from the macros that hold them.
static std::vector<int8_t> tileWeights(SchedState &state, sched::MvmOp op,
                                       int64_t core) {
  int64_t columns = op.getColumns(), k = op.getKSize();
  std::vector<int8_t> tile(columns * k, 0);
  int64_t perMacro = state.chip.weightColumns(op.getWeightBits());
  int64_t begin = 0;
  for (int64_t macro = 0; macro < 64 && begin < columns; ++macro) {
    if (!(op.getMacros() >> macro & 1))
      continue;
    for (auto cells : state.program.getBody().getOps<sched::CellsOp>()) {
      if (int64_t(cells.getCore()) != core ||
          int64_t(cells.getMacro()) != macro ||
          cells.getRow() != op.getCellRow())
        continue;
      auto weights =
          state.module.lookupSymbol<cim::WeightsOp>(cells.getWeights());
      if (!weights)
        continue;
      HostTensor all = toHostTensor(weights.getValue());
      int64_t width = all.shape[1], n = cells.getNSize();
      for (int64_t r = 0; r < std::min<int64_t>(k, cells.getKSize()); ++r)
        for (int64_t c = 0; c < n && begin + c < columns; ++c)
          tile[r * columns + begin + c] =
              all.as<int8_t>()[(cells.getKBegin() + r) * width +
                               cells.getNBegin() + c];
    }
    begin += perMacro;
  }
  return tile;
}

static Step mvm(SchedState &state, sched::MvmOp op, int64_t core) {
  RowView src = state.view(op.getSrc()), dst = state.view(op.getDst());
  auto weights =
      std::make_shared<std::vector<int8_t>>(tileWeights(state, op, core));
  int64_t columns = op.getColumns(), begin = op.getKBegin(), k = op.getKSize();
  int64_t count = op.getCount(), end = op.getEnd();
  bool accumulate = op.getAccumulate();
  return [=](Iteration i) mutable {
    WindowRows rows(src, op.getWindow(), evaluate(op.getRow(), i));
    int64_t first = evaluate(op.getPixel(), i);
    int64_t pixels = std::min(count, end - first);
    int64_t dstRow = evaluate(op.getDstRow(), i);
    std::vector<int32_t> sums(dst.size(), 0);
    if (accumulate)
      sums = dst.integers(dstRow);
    std::vector<int32_t> flat;
    for (int64_t p = 0; p < pixels; ++p) {
      flat.clear();
      for (int64_t r = 0; r < op.getWindow().getKernel()[0]; ++r)
        for (int64_t c = 0; c < op.getWindow().getKernel()[1]; ++c) {
          const int32_t *cell = rows.at(first + p, r, c);
          if (cell)
            flat.insert(flat.end(), cell, cell + src.channels);
          else
            flat.insert(flat.end(), src.channels, int32_t(src.pad));
        }
      uint32_t *out = reinterpret_cast<uint32_t *>(sums.data() + p * columns);
      for (int64_t j = 0; j < k; ++j) {
        int32_t x = flat[begin + j];
        const int8_t *w = weights->data() + j * columns;
        for (int64_t n = 0; n < columns; ++n)
          out[n] += static_cast<uint32_t>(x * w[n]);
      }
    }
    dst.store(dstRow, 0, pixels, sums.data());
    return true;
  };
}

static Step maxPool(SchedState &state, sched::MaxPoolOp op) {
  auto window = op.getWindow();
  if (state.view(op.getSrc()).type == DType::F32)
    return windowF32(state.view(op.getSrc()), state.view(op.getDst()), window,
                     op.getSrcRow(), op.getDstRow(), false);
  return unary(state, op,
               [window](const RowView &src, int64_t row, const RowView &dst,
                        int64_t, std::vector<int32_t> &out) {
                 WindowRows rows(src, window, row);
                 std::fill(out.begin(), out.end(),
                           static_cast<int32_t>(src.pad));
                 for (int64_t p = 0; p < dst.pixels; ++p)
                   for (int64_t i = 0; i < window.getKernel()[0]; ++i)
                     for (int64_t j = 0; j < window.getKernel()[1]; ++j)
                       if (const int32_t *cell = rows.at(p, i, j))
                         for (int64_t c = 0; c < dst.channels; ++c)
                           out[p * dst.channels + c] =
                               std::max(out[p * dst.channels + c], cell[c]);
               });
}

static Step avgPool(SchedState &state, sched::AvgPoolOp op) {
  auto window = op.getWindow();
  float scaleIn = op.getScaleIn().convertToFloat();
  float scaleOut = op.getScaleOut().convertToFloat();
  int32_t zeroIn = op.getZeroIn(), zeroOut = op.getZeroOut();
  bool includePad = op.getIncludePad();
  return unary(state, op,
               [=](const RowView &src, int64_t row, const RowView &dst, int64_t,
                   std::vector<int32_t> &out) {
                 WindowRows rows(src, window, row);
                 int64_t height = window.getKernel()[0],
                         width = window.getKernel()[1];
                 for (int64_t p = 0; p < dst.pixels; ++p)
                   for (int64_t c = 0; c < dst.channels; ++c) {
                     float sum = 0;
                     int64_t count = 0;
                     for (int64_t i = 0; i < height; ++i)
                       for (int64_t j = 0; j < width; ++j)
                         if (const int32_t *cell = rows.at(p, i, j)) {
                           sum += num::dequantize(cell[c], scaleIn, zeroIn);
                           ++count;
                         }
                     out[p * dst.channels + c] = num::averageFinish(
                         sum, includePad ? height * width : count, scaleOut,
                         zeroOut, dst.range());
                   }
               });
}

static Step depthwise(SchedState &state, sched::DepthwiseOp op) {
  auto window = op.getWindow();
  const int8_t *weights = state.data<int8_t>(op.getWeights());
  return unary(state, op,
               [=](const RowView &src, int64_t row, const RowView &dst, int64_t,
                   std::vector<int32_t> &out) {
                 WindowRows rows(src, window, row);
                 int64_t width = window.getKernel()[1];
                 int64_t multiplier = dst.channels / src.channels;
                 for (int64_t p = 0; p < dst.pixels; ++p)
                   for (int64_t i = 0; i < window.getKernel()[0]; ++i)
                     for (int64_t j = 0; j < width; ++j) {
                       const int32_t *cell = rows.at(p, i, j);
                       const int8_t *w =
                           weights + (i * width + j) * dst.channels;
                       for (int64_t c = 0; c < dst.channels; ++c) {
                         int32_t x =
                             cell ? cell[c / multiplier] : int32_t(src.pad);
                         int32_t &sum = out[p * dst.channels + c];
                         sum = num::addWrapping(sum, x * w[c]);
                       }
                     }
               });
}

//===----------------------------------------------------------------------===//
// Other rows
//===----------------------------------------------------------------------===//

static Step lookup(SchedState &state, sched::LookupOp op) {
  const int8_t *table = state.data<int8_t>(op.getTable());
  return unary(state, op,
               [=](const RowView &src, int64_t row, const RowView &, int64_t,
                   std::vector<int32_t> &out) {
                 auto in = src.integers(row);
                 for (size_t n = 0; n < out.size(); ++n)
                   out[n] = table[static_cast<uint8_t>(in[n])];
               });
}

static Step quantize(SchedState &state, sched::QuantizeOp op) {
  float scale = op.getScale().convertToFloat();
  int32_t zero = op.getZero();
  return unary(state, op,
               [=](const RowView &src, int64_t row, const RowView &dst, int64_t,
                   std::vector<int32_t> &out) {
                 auto in = src.floats(row);
                 for (size_t n = 0; n < out.size(); ++n)
                   out[n] = num::quantize(in[n], scale, zero, dst.range());
               });
}

static Step dequantize(SchedState &state, sched::DequantizeOp op) {
  RowView src = state.view(op.getSrc()), dst = state.view(op.getDst());
  float scale = op.getScale().convertToFloat();
  int32_t zero = op.getZero();
  return [=](Iteration i) mutable {
    auto in = src.integers(evaluate(op.getSrcRow(), i));
    std::vector<float> out(dst.size());
    for (size_t n = 0; n < out.size(); ++n)
      out[n] = num::dequantize(in[n], scale, zero);
    dst.store(evaluate(op.getDstRow(), i), out);
    return true;
  };
}

static Step softmaxQ(SchedState &state, sched::SoftmaxQOp op) {
  RowView src = state.view(op.getSrc()), dst = state.view(op.getDst());
  std::array<float, 256> table;
  std::memcpy(table.data(), state.data<float>(op.getTable()), sizeof table);
  float y = op.getY().convertToFloat();
  int32_t zero = op.getZero();
  return [=](Iteration i) mutable {
    for (int64_t p = 0; p < dst.pixels; ++p)
      num::softmaxRow(src.at(evaluate(op.getSrcRow(), i), p),
                      dst.at(evaluate(op.getDstRow(), i), p), dst.channels,
                      src.type == DType::I8, table, y, zero);
    return true;
  };
}

static Step rowSum(SchedState &state, sched::RowSumOp op) {
  bool clear = op.getClear();
  if (RowView src = state.view(op.getSrc()), dst = state.view(op.getDst());
      src.type == DType::F32)
    return [=](Iteration i) mutable {
      auto in = src.floats(evaluate(op.getSrcRow(), i));
      int64_t row = evaluate(op.getDstRow(), i);
      std::vector<float> out(dst.size());
      if (!clear)
        out = dst.floats(row);
      for (int64_t p = 0; p < src.pixels; ++p)
        num::addElements(out.data(), in.data() + p * src.channels,
                         src.channels);
      dst.store(row, out);
      return true;
    };
  return unary(state, op,
               [=](const RowView &src, int64_t row, const RowView &dst,
                   int64_t dstRow, std::vector<int32_t> &out) {
                 auto in = src.integers(row);
                 if (!clear)
                   out = dst.integers(dstRow);
                 for (size_t n = 0; n < in.size(); ++n)
                   out[n % out.size()] =
                       num::addWrapping(out[n % out.size()], in[n]);
               });
}

static Step copyBytes(SchedState &state, sched::CopyOp op) {
  RowView src = state.view(op.getSrc()), dst = state.view(op.getDst());
  return [=](Iteration i) mutable {
    for (int64_t p = 0; p < dst.pixels; ++p)
      std::memcpy(dst.at(evaluate(op.getDstRow(), i), p),
                  src.at(evaluate(op.getSrcRow(), i), p),
                  dst.channels * byteSize(dst.type));
    return true;
  };
}

static Step addI(SchedState &state, sched::AddIOp op) {
  return unary(state, op,
               [](const RowView &src, int64_t row, const RowView &dst,
                  int64_t dstRow, std::vector<int32_t> &out) {
                 auto in = src.integers(row);
                 out = dst.integers(dstRow);
                 for (size_t n = 0; n < out.size(); ++n)
                   out[n] = num::addWrapping(out[n], in[n]);
               });
}

//===----------------------------------------------------------------------===//
// Whole maps
//===----------------------------------------------------------------------===//

/// The address of a row-major element of a map held whole.
static uint8_t *elementAt(const RowView &view, int64_t index) {
  int64_t row = index / view.size(), inRow = index % view.size();
  return view.at(row, inRow / view.channels) +
         inRow % view.channels * byteSize(view.type);
}

static Step move(SchedState &state, sched::MoveOp op) {
  RowView src = state.view(op.getSrc()), dst = state.view(op.getDst());
  return [=](Iteration) mutable {
    ArrayRef<int64_t> p = op.getPattern();
    ArrayRef<int64_t> counts = p.slice(3, 6), from = p.slice(9, 6),
                      to = p.slice(15, 6);
    int64_t total = 1;
    for (int64_t count : counts)
      total *= count;
    for (int64_t n = 0; n < total; ++n) {
      int64_t rest = n, source = p[1], target = p[2];
      for (int axis = 5; axis >= 0; --axis) {
        int64_t index = rest % counts[axis];
        rest /= counts[axis];
        source += index * from[axis];
        target += index * to[axis];
      }
      std::memcpy(elementAt(dst, target), elementAt(src, source), p[0]);
    }
    return true;
  };
}

static Step fill(SchedState &state, sched::FillOp op) {
  RowView dst = state.view(op.getDst());
  return [=](Iteration i) mutable {
    // A float's bits are stored like an integer of its size.
    std::vector<int32_t> out(dst.size(), static_cast<int32_t>(op.getValue()));
    dst.store(evaluate(op.getDstRow(), i), 0, dst.pixels, out.data());
    return true;
  };
}

static std::vector<int32_t> wholeMap(const RowView &view) {
  std::vector<int32_t> all;
  for (int64_t r = 0; r < view.rows; ++r) {
    auto row = view.integers(r);
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

static Step matmul(SchedState &state, sched::MatMulOp op) {
  RowView a = state.view(op.getA()), b = state.view(op.getB());
  RowView dst = state.view(op.getDst());
  int64_t batch = op.getBatch(), m = op.getM(), k = op.getK(), n = op.getN();
  int32_t za = op.getZa(), zb = op.getZb();
  bool transposed = op.getTransposeB();
  return [=](Iteration) mutable {
    auto x = wholeMap(a), y = wholeMap(b);
    for (int64_t row = 0; row < batch * m; ++row) {
      std::vector<int32_t> out(n, 0);
      const int32_t *rhs = y.data() + row / m * k * n;
      for (int64_t column = 0; column < n; ++column)
        for (int64_t j = 0; j < k; ++j) {
          int32_t w = rhs[transposed ? column * k + j : j * n + column] - zb;
          out[column] =
              num::addWrapping(out[column], (x[row * k + j] - za) * w);
        }
      dst.store(row, 0, 1, out.data());
    }
    return true;
  };
}

Step reference::compileInstruction(SchedState &state, Operation *op,
                                   int64_t core) {
  return TypeSwitch<Operation *, Step>(op)
      .Case([&](sched::MvmOp o) { return mvm(state, o, core); })
      .Case([&](sched::RequantizeOp o) { return requantize(state, o); })
      .Case([&](sched::AddQOp o) { return addQ(state, o); })
      .Case([&](sched::MulQOp o) { return mulQ(state, o); })
      .Case([&](sched::LookupOp o) { return lookup(state, o); })
      .Case([&](sched::MaxPoolOp o) { return maxPool(state, o); })
      .Case([&](sched::AvgPoolOp o) { return avgPool(state, o); })
      .Case([&](sched::RowSumOp o) { return rowSum(state, o); })
      .Case([&](sched::DepthwiseOp o) {
        return state.view(o.getDst()).type == DType::F32
                   ? compileWideInstruction(state, o)
                   : depthwise(state, o);
      })
      .Case([&](sched::MoveOp o) { return move(state, o); })
      .Case([&](sched::FillOp o) { return fill(state, o); })
      .Case([&](sched::SoftmaxQOp o) { return softmaxQ(state, o); })
      .Case([&](sched::QuantizeOp o) { return quantize(state, o); })
      .Case([&](sched::DequantizeOp o) { return dequantize(state, o); })
      .Case([&](sched::AddIOp o) { return addI(state, o); })
      .Case([&](sched::CopyOp o) { return copyBytes(state, o); })
      .Case([&](sched::MatMulOp o) { return matmul(state, o); })
      .Default([&](Operation *other) {
        Step step = compileVector(state, other);
        return step ? step : compileWideInstruction(state, other);
      });
}
