//===- DecomposeSampling.cpp - values at computed places --------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A map becomes a table with a row of channels for each of its elements. Every
// neighbour of the places is a gather of rows, times a weight; their sum is the
// sample. Places and weights are computed in single precision.
//
//===----------------------------------------------------------------------===//

#include "Decompose.h"

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

namespace {

int64_t product(ArrayRef<int64_t> sizes) {
  return ShapedType::getNumElements(sizes);
}

/// One of the neighbours of places along an axis: whole numbers within the
/// axis, as floats, and their weights (null: 1).
struct Tap {
  Value index, weight;
};

/// Computes elementwise on places of one shape.
class Places {
public:
  Places(NNBuilder &b, ArrayRef<int64_t> shape) : b(b), shape(shape) {}

  Value add(Value x, float y) { return binary<nn::AddOp>(x, b.scalar(y)); }
  Value mul(Value x, float y) { return binary<nn::MulOp>(x, b.scalar(y)); }
  Value sub(float x, Value y) { return binary<nn::SubOp>(b.scalar(x), y); }
  template <typename Op> Value binary(Value x, Value y) {
    return b.binary<Op>(x, y, shape);
  }

  /// Not a number, and what is far outside, as places that int32 holds.
  Value finite(Value x) {
    auto truth = b.type(shape, b.builder.getI1Type());
    Value undefined = nn::IsNaNOp::create(b.builder, b.loc, truth, x);
    return b.where(undefined, b.scalar(-1e9f), b.clip(x, -1e9f, 1e9f), shape);
  }

  /// Folded back between two borders, as often as it takes.
  Value reflect(Value x, float low, float high) {
    float range = high - low;
    if (range <= 0)
      return b.clip(x, low, low);
    Value distance = b.unary<nn::AbsOp>(add(x, -low));
    distance = binary<nn::FmodOp>(distance, b.scalar(2 * range));
    return add(binary<nn::MinOp>(distance, sub(2 * range, distance)), low);
  }

  /// `weight` where an index lies within an axis of `size`, else 0.
  Value inside(Value index, Value weight, int64_t size) {
    auto last = static_cast<float>(size - 1);
    Value low = b.compare<nn::LessOrEqualOp>(b.scalar(0), index, shape);
    Value high = b.compare<nn::LessOrEqualOp>(index, b.scalar(last), shape);
    Value both = b.binary<nn::AndOp>(low, high, shape);
    return b.where(both, weight ? weight : b.scalar(1), b.scalar(0), shape);
  }

  /// The two neighbours of a place, their weights linear in the distance.
  SmallVector<Tap> linear(Value x) {
    Value floor = b.unary<nn::FloorOp>(x);
    Value ratio = binary<nn::SubOp>(x, floor);
    return {{floor, sub(1, ratio)}, {add(floor, 1), ratio}};
  }

  /// Four neighbours, with the weights of a cubic convolution of a = -3/4.
  SmallVector<Tap> cubic(Value x) {
    constexpr float a = -0.75f;
    Value floor = b.unary<nn::FloorOp>(x);
    Value ratio = binary<nn::SubOp>(x, floor);
    // ((a d - 5 a) d + 8 a) d - 4 a, and ((a + 2) d - (a + 3)) d d + 1.
    auto far = [&](Value d) {
      Value y = binary<nn::MulOp>(add(mul(d, a), -5 * a), d);
      return add(binary<nn::MulOp>(add(y, 8 * a), d), -4 * a);
    };
    auto near = [&](Value d) {
      Value y = binary<nn::MulOp>(add(mul(d, a + 2), -(a + 3)), d);
      return add(binary<nn::MulOp>(y, d), 1);
    };
    return {{add(floor, -1), far(add(ratio, 1))},
            {floor, near(ratio)},
            {add(floor, 1), near(sub(1, ratio))},
            {add(floor, 2), far(sub(2, ratio))}};
  }

  NNBuilder &b;
  Dims shape;
};

/// Calls `fn` with every choice of one tap for each axis: the rows of the
/// table, for which `base` is that of the first element of each place's map,
/// and the products of the weights.
template <typename Fn>
void forNeighbours(Places &places, ArrayRef<SmallVector<Tap>> taps,
                   ArrayRef<int64_t> extents, Value base, Fn fn) {
  NNBuilder &b = places.b;
  Type i64 = b.builder.getI64Type();
  size_t combinations = 1;
  for (const SmallVector<Tap> &axis : taps)
    combinations *= axis.size();
  for (size_t i = 0; i < combinations; ++i) {
    size_t rest = i;
    Value row, weight;
    for (auto [axis, extent] : llvm::zip(taps, extents)) {
      const Tap &tap = axis[rest % axis.size()];
      rest /= axis.size();
      Value index = b.cast(tap.index, i64);
      row = row ? b.binary<nn::AddOp>(
                      b.binary<nn::MulOp>(row, b.integers({}, {extent}),
                                          places.shape),
                      index, places.shape)
                : index;
      if (tap.weight)
        weight =
            weight ? places.binary<nn::MulOp>(weight, tap.weight) : tap.weight;
    }
    fn(b.binary<nn::AddOp>(row, base, places.shape), weight);
  }
}

/// The rows of the table at the places, times the weights: [places, columns].
Value weightedRows(Places &places, Value table, Value row, Value weight) {
  NNBuilder &b = places.b;
  int64_t count = product(places.shape);
  Value values = b.gatherRows(table, b.reshape(row, {count}));
  if (!weight)
    return values;
  return b.binary<nn::MulOp>(values, b.reshape(weight, {count, 1}),
                             dimsOf(values));
}

Value sumOfNeighbours(Places &places, ArrayRef<SmallVector<Tap>> taps,
                      ArrayRef<int64_t> extents, Value base, Value table) {
  Value sum;
  forNeighbours(places, taps, extents, base, [&](Value row, Value weight) {
    Value part = weightedRows(places, table, row, weight);
    sum = sum ? places.b.binary<nn::AddOp>(sum, part, dimsOf(part)) : part;
  });
  return sum;
}

/// [N, C, spatial...] as a table of [N * spatial, C].
Value tableOf(NNBuilder &b, Value map) {
  Dims shape = dimsOf(map);
  int64_t pixels = product(ArrayRef<int64_t>(shape).drop_front(2));
  Value apart = b.reshape(map, {shape[0], shape[1], pixels});
  return b.reshape(b.transpose(apart, {0, 2, 1}),
                   {shape[0] * pixels, shape[1]});
}

/// 0, step, 2 step, ...
Value multiples(NNBuilder &b, ArrayRef<int64_t> shape, int64_t step) {
  SmallVector<int64_t> values;
  for (int64_t i = 0, n = product(shape); i < n; ++i)
    values.push_back(i * step);
  return b.integers(shape, values);
}

} // namespace

Value transforms::decomposeSampling(nn::GridSampleOp op) {
  NNBuilder b(op);
  Dims map = dimsOf(op.getInput()), grid = dimsOf(op.getGrid());
  int64_t axes = grid.back(), samples = map[0], channels = map[1];
  ArrayRef<int64_t> extents = ArrayRef<int64_t>(map).drop_front(2);
  int64_t count = product(grid) / (samples * axes);
  Places places(b, {samples, count});
  bool zeros = op.getPadding() == "zeros";
  bool reflects = op.getPadding() == "reflection";
  bool nearest = op.getMode() == "nearest", cubic = op.getMode() == "cubic";
  auto last = static_cast<int64_t>(grid.size()) - 1;
  SmallVector<SmallVector<Tap>> taps;
  for (auto [axis, extent] : llvm::enumerate(extents)) {
    auto n = static_cast<float>(extent);
    float low = op.getAlignCorners() ? 0.0f : -0.5f;
    float high = op.getAlignCorners() ? n - 1 : n - 0.5f;
    // The grid has the last axis first.
    Value v = b.slice(op.getGrid(), last, axes - 1 - axis, 1, 1);
    v = places.add(b.reshape(v, places.shape), 1);
    Value x = op.getAlignCorners()
                  ? places.mul(places.mul(v, 0.5f), n - 1)
                  : places.mul(places.add(places.mul(v, n), -1), 0.5f);
    x = places.finite(x);
    if (nearest)
      x = b.unary<nn::RoundOp>(x);
    if (reflects)
      x = places.reflect(x, low, high);
    else if (!zeros && !cubic)
      x = b.clip(x, 0, n - 1);
    SmallVector<Tap> &neighbours = taps.emplace_back();
    if (nearest)
      neighbours = {{x, Value()}};
    else
      neighbours = cubic ? places.cubic(x) : places.linear(x);
    for (Tap &tap : neighbours) {
      if (zeros)
        tap.weight = places.inside(tap.index, tap.weight, extent);
      else if (reflects)
        tap.index = places.reflect(tap.index, low, high);
      tap.index = b.clip(tap.index, 0, n - 1);
    }
  }
  Value base = multiples(b, {samples, 1}, product(extents));
  Value sum =
      sumOfNeighbours(places, taps, extents, base, tableOf(b, op.getInput()));
  sum = b.transpose(b.reshape(sum, {samples, count, channels}), {0, 2, 1});
  return b.reshape(sum, dimsOf(op.getResult()));
}

Value transforms::decomposeSampling(nn::RoiAlignOp op) {
  auto sampling = static_cast<int64_t>(op.getSampling());
  // As many samples as cover a cell: their number depends on the region.
  if (sampling == 0)
    return {};
  NNBuilder b(op);
  Dims map = dimsOf(op.getInput());
  int64_t regions = dimsOf(op.getBoxes())[0], channels = map[1];
  int64_t cells[2] = {op.getSize()[0], op.getSize()[1]};
  float shift = op.getHalfPixel() ? 0.5f : 0.0f;
  Places all(b, {regions, cells[0] * sampling, cells[1] * sampling});
  SmallVector<SmallVector<Tap>> taps;
  for (int64_t axis : {0, 1}) {
    auto n = static_cast<float>(map[2 + axis]);
    int64_t along = cells[axis] * sampling;
    Places edges(b, {regions, 1}), places(b, {regions, along});
    auto edge = [&](int64_t column) {
      Value value = b.slice(op.getBoxes(), 1, column, 1, 1);
      return edges.add(edges.mul(value, op.getScale().convertToFloat()),
                       -shift);
    };
    // Boxes are x1, y1, x2, y2.
    Value start = edge(1 - axis);
    Value span = edges.binary<nn::SubOp>(edge(3 - axis), start);
    if (!op.getHalfPixel())
      span = edges.binary<nn::MaxOp>(span, b.scalar(1));
    Value cell = edges.mul(span, 1.0f / static_cast<float>(cells[axis]));
    SmallVector<float> steps;
    for (int64_t i = 0; i < along; ++i)
      steps.push_back((static_cast<float>(i) + 0.5f) /
                      static_cast<float>(sampling));
    Value x = places.binary<nn::AddOp>(
        places.binary<nn::MulOp>(cell, b.floats({1, along}, steps)), start);
    // More than one element outside: 0.
    Value low = b.compare<nn::LessOrEqualOp>(b.scalar(-1), x, places.shape);
    Value high = b.compare<nn::LessOrEqualOp>(x, b.scalar(n), places.shape);
    Value valid = b.binary<nn::AndOp>(low, high, places.shape);
    SmallVector<Tap> neighbours =
        places.linear(b.clip(places.finite(x), 0, n - 1));
    Dims wide = {regions, axis == 0 ? along : 1, axis == 0 ? 1 : along};
    auto spread = [&](Value value) {
      return nn::ExpandOp::create(b.builder, b.loc,
                                  b.type(all.shape, elementOf(value)),
                                  b.reshape(value, wide), all.shape)
          .getResult();
    };
    for (Tap &tap : neighbours) {
      tap.weight =
          spread(b.where(valid, tap.weight, b.scalar(0), places.shape));
      tap.index = spread(b.clip(tap.index, 0, n - 1));
    }
    taps.push_back(std::move(neighbours));
  }
  ArrayRef<int64_t> extents = ArrayRef<int64_t>(map).drop_front(2);
  Value sample =
      b.reshape(b.cast(op.getBatch(), b.builder.getI64Type()), {regions, 1, 1});
  Value base = b.binary<nn::MulOp>(sample, b.integers({}, {product(extents)}),
                                   dimsOf(sample));
  Value table = tableOf(b, op.getInput());
  bool average = op.getMode() == "avg";
  Value pooled;
  forNeighbours(all, taps, extents, base, [&](Value row, Value weight) {
    Value part = weightedRows(all, table, row, weight);
    Dims shape = dimsOf(part);
    pooled = !pooled   ? part
             : average ? b.binary<nn::AddOp>(pooled, part, shape)
                       : b.binary<nn::MaxOp>(pooled, part, shape);
  });
  pooled = b.reshape(
      pooled, {regions, cells[0], sampling, cells[1], sampling, channels});
  pooled = average ? b.reduce<nn::ReduceMeanOp>(pooled, {2, 4})
                   : b.reduce<nn::ReduceMaxOp>(pooled, {2, 4});
  pooled = b.reshape(pooled, {regions, cells[0] * cells[1], channels});
  return b.reshape(b.transpose(pooled, {0, 2, 1}), dimsOf(op.getResult()));
}

/// Rows [begin, begin + count) of a weight as a matrix; those of a constant
/// are one, so that they can lie in arrays.
static Value weightRows(NNBuilder &b, Value weight, int64_t begin,
                        int64_t count) {
  Dims shape = dimsOf(weight);
  int64_t depth = product(ArrayRef<int64_t>(shape).drop_front(1));
  auto constant = weight.getDefiningOp<nn::ConstantOp>();
  if (!constant)
    return b.slice(b.reshape(weight, {shape[0], depth}), 0, begin, count, 1);
  HostTensor all = toHostTensor(constant.getValue());
  HostTensor rows(DType::F32, {count, depth});
  std::copy_n(all.as<float>() + begin * depth, count * depth, rows.as<float>());
  return b.constant(rows, "weights");
}

Value transforms::decomposeSampling(nn::DeformConvOp op) {
  NNBuilder b(op);
  Dims map = dimsOf(op.getInput()), weight = dimsOf(op.getWeight()),
       out = dimsOf(op.getResult());
  int64_t samples = map[0], channels = map[1], groups = op.getOffsetGroup();
  int64_t each = channels / groups, taps = weight[2] * weight[3];
  int64_t pixels = out[2] * out[3];
  ArrayRef<int64_t> extents = ArrayRef<int64_t>(map).drop_front(2);
  Places places(b, {samples, groups, taps, pixels});
  Value offsets = b.reshape(op.getOffset(), {samples, groups, taps, 2, pixels});
  SmallVector<SmallVector<Tap>> neighbours;
  for (int64_t axis : {0, 1}) {
    // Where the taps are before they are moved.
    SmallVector<float> still;
    for (int64_t t = 0; t < taps; ++t)
      for (int64_t p = 0; p < pixels; ++p) {
        int64_t pixel = axis == 0 ? p / out[3] : p % out[3];
        int64_t tap = axis == 0 ? t / weight[3] : t % weight[3];
        still.push_back(static_cast<float>(pixel * op.getStrides()[axis] -
                                           op.getPads()[axis] +
                                           tap * op.getDilations()[axis]));
      }
    Value moved = b.reshape(b.slice(offsets, 3, axis, 1, 1), places.shape);
    Value x = places.finite(
        places.binary<nn::AddOp>(moved, b.floats({1, 1, taps, pixels}, still)));
    for (Tap &tap : neighbours.emplace_back(places.linear(x))) {
      tap.weight = places.inside(tap.index, tap.weight, extents[axis]);
      tap.index = b.clip(tap.index, 0, static_cast<float>(extents[axis] - 1));
    }
  }
  Value table = tableOf(b, b.reshape(op.getInput(), {samples * groups, each,
                                                     extents[0], extents[1]}));
  Value base = multiples(b, {samples, groups, 1, 1}, product(extents));
  Value values = sumOfNeighbours(places, neighbours, extents, base, table);
  if (op.getMask())
    values = b.binary<nn::MulOp>(
        values, b.reshape(op.getMask(), {product(places.shape), 1}),
        dimsOf(values));
  // A row of samples for each pixel, times the weights.
  values = b.reshape(values, {samples, groups, taps, pixels, each});
  values = b.transpose(values, {0, 3, 1, 4, 2});
  values = b.reshape(values, {samples * pixels, channels * taps});
  int64_t parts = op.getGroup(), share = out[1] / parts,
          depth = channels * taps / parts;
  SmallVector<Value> products;
  for (int64_t g = 0; g < parts; ++g)
    products.push_back(
        b.matmul(parts == 1 ? values : b.slice(values, 1, g * depth, depth, 1),
                 weightRows(b, op.getWeight(), g * share, share),
                 {samples * pixels, share}, /*transposeB=*/true));
  Value result = parts == 1 ? products.front() : b.concat(products, 1);
  if (op.getBias())
    result = b.binary<nn::AddOp>(result, op.getBias(), dimsOf(result));
  result = b.transpose(b.reshape(result, {samples, pixels, out[1]}), {0, 2, 1});
  return b.reshape(result, out);
}

Value transforms::decomposeSampling(nn::ReverseSequenceOp op) {
  NNBuilder b(op);
  Dims shape = dimsOf(op.getInput());
  auto time = static_cast<int64_t>(op.getTimeAxis());
  auto batch = static_cast<int64_t>(op.getBatchAxis());
  int64_t steps = shape[time], samples = shape[batch];
  Dims perm = {batch, time}, back(shape.size()), moved;
  for (int64_t axis = 0; axis < static_cast<int64_t>(shape.size()); ++axis)
    if (axis != time && axis != batch)
      perm.push_back(axis);
  for (auto [to, from] : llvm::enumerate(perm)) {
    back[from] = static_cast<int64_t>(to);
    moved.push_back(shape[from]);
  }
  Value table = b.reshape(b.transpose(op.getInput(), perm),
                          {samples * steps, product(shape) / samples / steps});
  Dims form = {samples, steps};
  Value length =
      b.reshape(b.cast(op.getLengths(), b.builder.getI64Type()), {samples, 1});
  Value step = multiples(b, {1, steps}, 1);
  Value mirrored = b.binary<nn::SubOp>(
      b.binary<nn::SubOp>(length, b.integers({}, {1}), {samples, 1}), step,
      form);
  Value row =
      b.where(b.compare<nn::LessOp>(step, length, form), mirrored, step, form);
  row = b.binary<nn::AddOp>(row, multiples(b, {samples, 1}, steps), form);
  Value rows = b.gatherRows(table, b.reshape(row, {samples * steps}));
  return b.transpose(b.reshape(rows, moved), back);
}
