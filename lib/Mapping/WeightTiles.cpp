//===- WeightTiles.cpp - weight matrices cut into tiles -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
#include "Lowering.h"

#include "cimc/Support/Permute.h"

#include <algorithm>
#include <numeric>

using namespace mlir;

namespace cimc::mapping {

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The most partial sums that one operation adds.
static constexpr int64_t kMostPartialSums = 16;

Dims swapLastAxes(ArrayRef<int64_t> perm) {
  Dims swapped(perm);
  auto rank = static_cast<int64_t>(perm.size());
  for (int64_t &axis : swapped)
    axis = axis == rank - 1 ? rank - 2 : axis == rank - 2 ? rank - 1 : axis;
  return swapped;
}

static StringRef nameOf(Location loc) {
  if (auto named = dyn_cast<NameLoc>(loc))
    return named.getName();
  if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      if (StringRef name = nameOf(part); !name.empty())
        return name;
  return {};
}

int64_t WeightedForm::weight(const nn::WeightMatrix &matrix, int64_t n,
                             int64_t i, int64_t j, int64_t c) const {
  if (!flattened.empty())
    return matrix.at(n, {0, 0, 0},
                     flattened[(i * window.getKernel()[1] + j) * channels + c]);
  return matrix.at(n, {c / matrix.channels, i, j}, c % matrix.channels);
}

namespace {

/// One axis of a map, copied into a longer one.
struct Placement {
  int64_t begin = 0, count = 0; ///< elements of the old axis
  int64_t first = 0, step = 1;  ///< where they go
  int64_t size = 0;             ///< of the new axis

  /// Element e goes to `pad + e * step`, if that exists.
  static Placement of(int64_t extent, int64_t size, int64_t pad, int64_t step) {
    Placement p;
    p.size = size;
    p.step = step;
    p.begin = pad < 0 ? ceilDiv(-pad, step) : 0;
    p.first = pad + p.begin * step;
    int64_t fitting = size > p.first ? ceilDiv(size - p.first, step) : 0;
    p.count = std::max<int64_t>(0, std::min(extent - p.begin, fitting));
    return p;
  }
};

} // namespace

void Lowering::placeWindows(Operation *op, const nn::WeightMatrix &matrix,
                            int64_t pad, WeightedForm &form) {
  Location loc = op->getLoc();
  Value input = op->getOperand(matrix.input);
  Dims shape = shapeOf(input), result = shapeOf(op->getResult(0));
  form.map = inLayout(input, channelsLast(shape.size()));
  form.outputPerm = channelsLast(result.size());
  Type element = getElementTypeOrSelf(form.map.value.getType());
  // Planes, rows and pixels of the input and of the result.
  std::array<int64_t, 3> in = {1, 1, 1}, out = {1, 1, 1}, extent, whole;
  size_t first = shape.size() == 5 ? 0 : 1;
  for (size_t i = 2; i < shape.size(); ++i) {
    in[first + i - 2] = shape[i];
    out[first + i - 2] = result[i];
  }
  for (int i = 0; i < 3; ++i) {
    extent[i] = (matrix.kernel[i] - 1) * matrix.dilation[i] + 1;
    whole[i] = (out[i] - 1) * matrix.stride[i] + extent[i];
  }
  int64_t samples = shape[0], channels = matrix.channels * matrix.groups;
  // Copies blocks x (placed axes) x inner elements; what is not written reads
  // `pad`.
  auto place = [&](int64_t blocks, ArrayRef<Placement> axes, int64_t inner,
                   ArrayRef<int64_t> extents, RankedTensorType type) {
    Dims counts{inner}, src{1}, dst{1};
    int64_t srcOffset = 0, dstOffset = 0, from = inner, to = inner;
    for (size_t i = axes.size(); i-- > 0;) {
      counts.insert(counts.begin(), axes[i].count);
      src.insert(src.begin(), from);
      dst.insert(dst.begin(), to * axes[i].step);
      srcOffset += axes[i].begin * from;
      dstOffset += axes[i].first * to;
      from *= extents[i];
      to *= axes[i].size;
    }
    counts.insert(counts.begin(), blocks);
    src.insert(src.begin(), from);
    dst.insert(dst.begin(), to);
    for (int64_t count : counts)
      if (count == 0) {
        // Windows that read padding only: nothing is copied but one element,
        // over which the fill is written again.
        fail(op, "reads nothing but padding");
        return form.map.value;
      }
    return move(loc, form.map.value, type, counts, src, dst, srcOffset,
                dstOffset, pad);
  };

  // Planes become samples, each with the channels of all planes under it.
  auto isPlain = [&](int i) {
    return matrix.kernel[i] == 1 && matrix.stride[i] == 1 &&
           matrix.pad[i] == 0 && matrix.upsampling[i] == 1 && in[i] == out[i];
  };
  if (!isPlain(0)) {
    int64_t planes = matrix.kernel[0], area = in[1] * in[2];
    Placement depth =
        Placement::of(in[0], whole[0], matrix.pad[0], matrix.upsampling[0]);
    form.map.value =
        place(samples, depth, area * channels, in[0],
              RankedTensorType::get(
                  {samples * whole[0] * in[1], in[2], channels}, element));
    // (sample, plane of the result), plane of the kernel, element, group,
    // channel.
    int64_t plane = area * channels, taken = planes * plane;
    form.map.value =
        move(loc, form.map.value,
             RankedTensorType::get(
                 {samples * out[0] * in[1], in[2], planes * channels}, element),
             {samples, out[0], planes, area, matrix.groups, matrix.channels},
             {whole[0] * plane, matrix.stride[0] * plane,
              matrix.dilation[0] * plane, channels, matrix.channels, 1},
             {out[0] * taken, taken, matrix.channels, planes * channels,
              planes * matrix.channels, 1});
    channels *= planes;
    form.channels *= planes;
  }
  samples *= out[0];

  // Rows of all samples below each other, those between reading `pad`; a
  // sample's rows are a multiple of the stride.
  std::array<int64_t, 2> begin = {matrix.pad[1], matrix.pad[2]};
  int64_t rows = out[1];
  bool upsampled = matrix.upsampling[1] > 1 || matrix.upsampling[2] > 1 ||
                   matrix.pad[1] < 0 || matrix.pad[2] < 0;
  if (upsampled || (samples > 1 && !isPlain(1))) {
    int64_t height =
        samples > 1 ? ceilDiv(whole[1], matrix.stride[1]) * matrix.stride[1]
                    : whole[1];
    if (samples > 1)
      rows = height / matrix.stride[1];
    Placement axes[] = {
        Placement::of(in[1], height, matrix.pad[1], matrix.upsampling[1]),
        Placement::of(in[2], in[2], 0, 1)};
    begin[0] = 0;
    if (upsampled) {
      axes[1] =
          Placement::of(in[2], whole[2], matrix.pad[2], matrix.upsampling[2]);
      begin[1] = 0;
    }
    form.map.value =
        place(samples, axes, channels, {in[1], in[2]},
              RankedTensorType::get({samples * height, axes[1].size, channels},
                                    element));
  }
  int64_t step = matrix.stride[2];
  auto map = cast<RankedTensorType>(form.map.value.getType());
  if (matrix.kernel[2] == 1 && step > 1 && begin[1] == 0 &&
      (out[2] - 1) * step < map.getDimSize(1) &&
      !map.getElementType().isF32()) {
    // Pixels between windows need not come, unless a range is taken of them.
    int64_t shape[] = {map.getDimSize(0), out[2], map.getDimSize(2)};
    form.map.value = cim::SliceOp::create(builder, loc, map.clone(shape),
                                          form.map.value, 0, step);
    step = 1;
  }
  form.window = cim::WindowAttr::get(op->getContext(),
                                     {matrix.kernel[1], matrix.kernel[2]},
                                     {matrix.stride[1], step}, begin,
                                     {matrix.dilation[1], matrix.dilation[2]});
  form.samples = samples;
  form.keptRows = out[1];
  form.out = {samples * rows, out[2], matrix.allColumns()};
}

WeightedForm Lowering::weightedForm(Operation *op,
                                    const nn::WeightMatrix &matrix,
                                    int64_t pad) {
  Location loc = op->getLoc();
  Value input = op->getOperand(matrix.input);
  WeightedForm form;
  form.window =
      cim::WindowAttr::get(op->getContext(), {1, 1}, {1, 1}, {0, 0}, {1, 1});
  form.channels = matrix.channels;
  Dims outputShape = shapeOf(op->getResult(0));
  Map &map = form.map;
  if (matrix.windowed) {
    placeWindows(op, matrix, pad, form);
    return form;
  }
  auto pending = maps.find(input);
  Dims shape = shapeOf(input);
  if (pending != maps.end() &&
      ArrayRef<int64_t>(pending->second.shape) != ArrayRef<int64_t>(shape) &&
      product(shape) == matrix.channels) {
    // A reshape to one vector: the window is the whole map.
    map = pending->second;
    std::vector<int64_t> index(matrix.channels);
    std::iota(index.begin(), index.end(), 0);
    form.flattened.resize(index.size());
    permute({map.shape.begin(), map.shape.end()},
            {map.perm.begin(), map.perm.end()}, sizeof(int64_t), index.data(),
            form.flattened.data());
    auto type = cast<RankedTensorType>(map.value.getType());
    int64_t kernel[] = {type.getDimSize(0), type.getDimSize(1)};
    form.window =
        cim::WindowAttr::get(op->getContext(), kernel, {1, 1}, {0, 0}, {1, 1});
    form.outputPerm = identityPerm(outputShape.size());
  } else {
    map = use(input);
    size_t rank = shape.size();
    if (rank > 0 && map.perm.back() != matrix.channelAxis) {
      Dims perm = identityPerm(rank);
      if (matrix.channelAxis != static_cast<int64_t>(rank) - 1)
        perm = swapLastAxes(perm);
      map = relayout(loc, map, perm);
    }
    Dims perm = map.perm;
    auto last = static_cast<int64_t>(rank) - 1;
    if (rank > outputShape.size()) {
      // The product with a vector has no columns.
      perm.pop_back();
      for (int64_t &axis : perm)
        axis -= axis > matrix.channelAxis ? 1 : 0;
    } else if (rank > 1 && (matrix.channelAxis != last) != matrix.isLeft) {
      perm = swapLastAxes(perm);
    }
    // Leading axes that the weights' rank adds.
    size_t added = outputShape.size() - perm.size();
    form.outputPerm = identityPerm(added);
    for (int64_t axis : perm)
      form.outputPerm.push_back(axis + static_cast<int64_t>(added));
  }
  auto inputType = cast<RankedTensorType>(map.value.getType());
  form.out = {1, 1, matrix.allColumns()};
  if (form.flattened.empty())
    form.out = {inputType.getDimSize(0), inputType.getDimSize(1), form.out[2]};
  else
    form.channels = inputType.getDimSize(2);
  form.keptRows = form.out[0];
  return form;
}

cim::WeightsOp Lowering::makeWeights(Location loc, int64_t rows,
                                     int64_t columns,
                                     const std::vector<char> &cells,
                                     int64_t bits) {
  StringRef name = nameOf(loc);
  if (name.empty())
    name = "weights";
  auto type = RankedTensorType::get({rows, columns}, builder.getI8Type());
  OpBuilder detached(builder.getContext());
  auto symbol = cim::WeightsOp::create(detached, loc, name,
                                       makeElements(type, cells, name), bits);
  symbols.insert(symbol, module.getBody()->begin());
  return symbol;
}

int64_t Lowering::tileColumns(int64_t bits) const {
  return std::max<int64_t>(1, chip.weightColumns(bits)) *
         chip.hierarchy.macros_per_core;
}

Value Lowering::tileSums(Location loc, const WeightedForm &form,
                         cim::WeightsOp weights, const std::vector<char> &cells,
                         int64_t begin, int64_t end, int64_t column,
                         int64_t columns, int64_t pad) {
  // Tiles of equal height, in whole row groups.
  int64_t K = end - begin;
  int64_t width =
      cast<RankedTensorType>(weights.getValue().getType()).getDimSize(1);
  int64_t pieces = ceilDiv(K, chip.macro.rows);
  int64_t height = std::min(
      chip.macro.rows, ceilDiv(ceilDiv(K, pieces), chip.macro.active_rows) *
                           chip.macro.active_rows);
  auto type = RankedTensorType::get({form.out[0], form.out[1], columns},
                                    builder.getI32Type());
  // Blocks between groups hold zeros only.
  auto isZero = [&](int64_t first, int64_t rows) {
    for (int64_t k = first; k < first + rows; ++k) {
      const char *from = cells.data() + k * width + column;
      if (std::any_of(from, from + columns, [](char w) { return w != 0; }))
        return false;
    }
    return true;
  };
  SmallVector<Value> partials;
  for (int64_t k = begin; k < end; k += height) {
    int64_t rows = std::min(height, end - k);
    bool last = k + rows == end;
    if (isZero(k, rows) && !(last && partials.empty()))
      continue;
    partials.push_back(cim::MvmOp::create(
        builder, loc, type, form.map.value, weights.getSymName(), form.window,
        k, rows, column, 0, pad, IntegerAttr(), DenseI64ArrayAttr(), 0));
  }
  // A core keeps a piece of every partial sum that it adds, as scheduling cuts
  // rows of them, in half of its memory; more are added in a tree.
  int64_t piece = std::max(
      columns * 4, std::min(form.out[1] * columns * 4,
                            std::max<int64_t>(chip.coreBytes() / 4, 256)));
  size_t most =
      std::clamp<int64_t>(chip.memoryBytes() / 2 / piece, 2, kMostPartialSums);
  while (partials.size() > 1) {
    SmallVector<Value> sums;
    for (ArrayRef<Value> rest = partials; !rest.empty();) {
      ArrayRef<Value> some = rest.take_front(most);
      rest = rest.drop_front(some.size());
      sums.push_back(
          some.size() == 1
              ? some.front()
              : cim::SumOp::create(builder, loc, type, some, IntegerAttr()));
    }
    partials = std::move(sums);
  }
  return partials.front();
}

Value Lowering::joinChannels(Location loc, const WeightedForm &form,
                             ArrayRef<Value> parts) {
  if (parts.size() == 1)
    return parts.front();
  Type element = getElementTypeOrSelf(parts.front().getType());
  return cim::ConcatOp::create(builder, loc,
                               RankedTensorType::get(form.out, element), parts,
                               2, IntegerAttr());
}

void Lowering::defineWeighted(Value output, const WeightedForm &form,
                              ArrayRef<Value> parts) {
  Location loc = output.getLoc();
  Value value = joinChannels(loc, form, parts);
  Type element = getElementTypeOrSelf(value.getType());
  int64_t rows = form.out[0] / form.samples;
  if (rows != form.keptRows) {
    int64_t row = form.out[1] * form.out[2];
    value = move(
        loc, value,
        RankedTensorType::get(
            {form.samples * form.keptRows, form.out[1], form.out[2]}, element),
        {form.samples, form.keptRows * row}, {rows * row, 1},
        {form.keptRows * row, 1});
  }
  define(output, value, form.outputPerm);
}

} // namespace cimc::mapping
