//===- ReductionOps.cpp - folds along axes -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "QuantizedTypes.h"

#include "llvm/ADT/STLExtras.h"

#include <limits>

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

namespace {

/// What every Reduce operator says.
struct Reduction {
  Shape axes;
  bool keepDims;
};

} // namespace

/// Axes are an attribute, from `inputSince` on the second input; none means
/// all, or with noop_with_empty_axes nothing.
static Reduction readReduction(Node &node, int64_t rank, int64_t inputSince) {
  Reduction result;
  result.keepDims = node.getInt("keepdims", 1);
  bool noop = node.getInt("noop_with_empty_axes", 0);
  std::optional<Shape> given;
  if (node.opset < inputSince)
    given = node.getInts("axes");
  else if (node.hasInput(1))
    given = node.integers(1, "the axes");
  if (given)
    for (int64_t value : *given) {
      int64_t axis = node.axis(value, rank);
      if (!llvm::is_contained(result.axes, axis))
        result.axes.push_back(axis);
    }
  if (result.axes.empty() && !noop)
    for (int64_t i = 0; i < rank; ++i)
      result.axes.push_back(i);
  llvm::sort(result.axes);
  return result;
}

template <typename OpT>
static Value reduce(Node &node, Value input, const Reduction &r) {
  if (r.axes.empty())
    return input;
  SmallVector<NamedAttribute> attributes{node.attr("axes", r.axes)};
  if (r.keepDims)
    attributes.push_back(node.unit("keep_dims"));
  return node.like<OpT>(input, attributes);
}

template <typename OpT>
static void importReduce(Node &node, int64_t inputSince = 18) {
  Value input = node.number(0);
  Reduction r = readReduction(node, tensorType(input).getRank(), inputSince);
  node.setResult(reduce<OpT>(node, input, r));
}

void onnx_import::importReduceSum(Node &node) {
  importReduce<nn::ReduceSumOp>(node, 13);
}
void onnx_import::importQLinearReduceMean(Node &node) {
  Value input = dequantized(node, 0);
  Reduction r = readReduction(node, tensorType(input).getRank(), 18);
  quantizeResult(node, reduce<nn::ReduceMeanOp>(node, input, r), 3,
                 node.dtype(0));
}

void onnx_import::importReduceProd(Node &node) {
  importReduce<nn::ReduceProdOp>(node);
}
void onnx_import::importReduceMax(Node &node) {
  importReduce<nn::ReduceMaxOp>(node);
}
void onnx_import::importReduceMin(Node &node) {
  importReduce<nn::ReduceMinOp>(node);
}

/// Over all spatial axes it is a pooling, which chips do best.
void onnx_import::importReduceMean(Node &node) {
  Value input = node.number(0);
  Shape shape = node.shape(0);
  int64_t rank = shape.size();
  Reduction r = readReduction(node, rank, 18);
  bool spatial = rank > 2 && elementType(input).isF32() &&
                 static_cast<int64_t>(r.axes.size()) == rank - 2 &&
                 r.axes.front() == 2;
  if (!spatial)
    return node.setResult(reduce<nn::ReduceMeanOp>(node, input, r));
  Value mean = node.emit<nn::GlobalAvgPoolOp>(node.f32(), input);
  node.setResult(r.keepDims ? mean : node.reshape(mean, {shape[0], shape[1]}));
}

/// Sums of something: `before` makes it of the input, `after` of the sum.
template <typename Before, typename After>
static void importReduceOf(Node &node, Before before, After after) {
  Value input = node.number(0);
  Reduction r = readReduction(node, tensorType(input).getRank(), 18);
  node.setResult(after(reduce<nn::ReduceSumOp>(node, before(input), r)));
}

void onnx_import::importReduceL1(Node &node) {
  importReduceOf(
      node, [&](Value x) { return node.like<nn::AbsOp>(x); },
      [](Value sum) { return sum; });
}

void onnx_import::importReduceSumSquare(Node &node) {
  importReduceOf(
      node, [&](Value x) { return node.like<nn::MulOp>({x, x}); },
      [](Value sum) { return sum; });
}

/// Integers go through real numbers.
void onnx_import::importReduceL2(Node &node) {
  Type type = elementType(node.number(0));
  importReduceOf(
      node, [&](Value x) { return node.like<nn::MulOp>({x, x}); },
      [&](Value sum) {
        Value root = node.like<nn::SqrtOp>(node.cast(sum, node.f32()));
        return node.cast(root, type);
      });
}

void onnx_import::importReduceLogSum(Node &node) {
  Type type = elementType(node.number(0));
  importReduceOf(
      node, [](Value x) { return x; },
      [&](Value sum) {
        Value logarithm = node.like<nn::LogOp>(node.cast(sum, node.f32()));
        return node.cast(logarithm, type);
      });
}

/// max + log(sum(exp(x - max))), which does not overflow.
void onnx_import::importReduceLogSumExp(Node &node) {
  Value input = node.number(0);
  Type type = elementType(input);
  Value x = node.cast(input, node.f32());
  Reduction r = readReduction(node, tensorType(x).getRank(), 18);
  Reduction kept{r.axes, true};
  Value largest = reduce<nn::ReduceMaxOp>(node, x, kept);
  // Of nothing, or of infinities, the difference has no meaning.
  constexpr float most = std::numeric_limits<float>::max();
  largest = node.like<nn::ClipOp>(
      largest, {node.attr("min", -most), node.attr("max", most)});
  Value shifted = node.like<nn::SubOp>({x, largest});
  Value sum =
      reduce<nn::ReduceSumOp>(node, node.like<nn::ExpOp>(shifted), kept);
  Value result = node.like<nn::AddOp>({node.like<nn::LogOp>(sum), largest});
  if (!r.keepDims) {
    Shape shape;
    for (auto [i, extent] : llvm::enumerate(tensorType(result).getShape()))
      if (!llvm::is_contained(r.axes, static_cast<int64_t>(i)))
        shape.push_back(extent);
    result = node.reshape(result, shape);
  }
  node.setResult(node.cast(result, type));
}

template <typename OpT> static void importArgument(Node &node) {
  Value input = node.number(0);
  int64_t axis = node.axis(node.getInt("axis", 0), tensorType(input).getRank());
  SmallVector<NamedAttribute> attributes{node.attr("axis", axis)};
  if (node.getInt("keepdims", 1))
    attributes.push_back(node.unit("keep_dims"));
  if (node.getInt("select_last_index", 0))
    attributes.push_back(node.unit("last"));
  node.setResult(
      node.emit<OpT>(node.builder().getI64Type(), input, attributes));
}
void onnx_import::importArgMax(Node &node) {
  importArgument<nn::ArgMaxOp>(node);
}
void onnx_import::importArgMin(Node &node) {
  importArgument<nn::ArgMinOp>(node);
}

template <typename OpT> static void importCumulative(Node &node) {
  Value input = node.number(0);
  Shape axes = node.integers(1, "the axis");
  if (axes.size() != 1)
    failInvalid("the axis ('{}') must be one number", node.inputName(1));
  SmallVector<NamedAttribute> attributes{
      node.attr("axis", node.axis(axes[0], tensorType(input).getRank()))};
  if (node.getInt("exclusive", 0))
    attributes.push_back(node.unit("exclusive"));
  if (node.getInt("reverse", 0))
    attributes.push_back(node.unit("reverse"));
  node.setResult(node.like<OpT>(input, attributes));
}
void onnx_import::importCumSum(Node &node) {
  importCumulative<nn::CumSumOp>(node);
}
void onnx_import::importCumProd(Node &node) {
  importCumulative<nn::CumProdOp>(node);
}
