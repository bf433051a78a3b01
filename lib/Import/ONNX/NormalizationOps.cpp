//===- NormalizationOps.cpp - softmax, normalizations, losses -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Node.h"

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

static int64_t rankOf(Value value) { return tensorType(value).getRank(); }

static Value sum(Node &node, Value value, ArrayRef<int64_t> axes) {
  return node.like<nn::ReduceSumOp>(
      value, {node.attr("axes", axes), node.unit("keep_dims")});
}

static Value mean(Node &node, Value value, ArrayRef<int64_t> axes) {
  return node.like<nn::ReduceMeanOp>(
      value, {node.attr("axes", axes), node.unit("keep_dims")});
}

static Shape axesFrom(int64_t begin, int64_t end) {
  Shape axes;
  for (int64_t i = begin; i < end; ++i)
    axes.push_back(i);
  return axes;
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

/// Calls fn(value, axis). Before version 13 everything from `axis` on is one
/// row.
template <typename Fn> static void alongRows(Node &node, Value input, Fn fn) {
  Shape shape(tensorType(input).getShape());
  int64_t rank = shape.size();
  bool flattens = node.opset < 13;
  int64_t axis = node.getInt("axis", flattens ? 1 : -1);
  if (rank == 0)
    failInvalid("the input is a scalar");
  axis = node.axis(axis, rank);
  int64_t inner = 1, rows = 1;
  for (int64_t i = 0; i < rank; ++i)
    (i < axis ? rows : inner) *= shape[i];
  if (!flattens || inner == shape[axis])
    return node.setResult(fn(input, axis));
  Value result = fn(node.reshape(input, {rows, inner}), int64_t(1));
  node.setResult(node.reshape(result, shape));
}

template <typename OpT> static void importRows(Node &node) {
  alongRows(node, node.real(0), [&](Value input, int64_t axis) {
    return node.like<OpT>(input, node.attr("axis", axis));
  });
}
void onnx_import::importSoftmax(Node &node) { importRows<nn::SoftmaxOp>(node); }
void onnx_import::importLogSoftmax(Node &node) {
  importRows<nn::LogSoftmaxOp>(node);
}

/// 1 where the first largest element is, else 0.
void onnx_import::importHardmax(Node &node) {
  alongRows(node, node.real(0), [&](Value input, int64_t axis) {
    Type i64 = node.builder().getI64Type();
    Value largest = node.emit<nn::ArgMaxOp>(
        i64, input, {node.attr("axis", axis), node.unit("keep_dims")});
    Value positions =
        node.iota(tensorType(input).getShape()[axis], axis, rankOf(input));
    return node.cast(node.emit<nn::EqualOp>(node.builder().getI1Type(),
                                            {positions, largest}),
                     node.f32());
  });
}

//===----------------------------------------------------------------------===//
// Normalizations
//===----------------------------------------------------------------------===//

/// A list of channels [C] along axis 1 of a tensor with `rank` axes.
static Value perChannel(Node &node, Value list, int64_t rank) {
  Shape shape(rank - 1, 1);
  shape[0] = tensorType(list).getNumElements();
  return node.reshape(list, shape);
}

static Value layerNorm(Node &node, Value input, Value scale, Value bias,
                       int64_t axis, float epsilon) {
  SmallVector<Value> operands{input};
  for (Value value : {scale, bias})
    if (value)
      operands.push_back(value);
  return node.like<nn::LayerNormOp>(
      operands,
      {node.attr("axis", axis), node.attr("epsilon", epsilon),
       node.builder().getNamedAttr("operandSegmentSizes",
                                   node.builder().getDenseI32ArrayAttr(
                                       {1, scale ? 1 : 0, bias ? 1 : 0}))});
}

static Value rmsNorm(Node &node, Value input, Value scale, int64_t axis,
                     float epsilon) {
  SmallVector<Value> operands{input};
  if (scale)
    operands.push_back(scale);
  return node.like<nn::RMSNormOp>(
      operands, {node.attr("axis", axis), node.attr("epsilon", epsilon)});
}

static Value optional(Node &node, size_t i) {
  return node.hasInput(i) ? node.real(i) : Value();
}

/// 1 / sqrt(value + epsilon).
static Value inverseRoot(Node &node, Value value, float epsilon) {
  Value shifted =
      node.like<nn::AddOp>({value, node.scalar(epsilon, node.f32())});
  return node.like<nn::ReciprocalOp>(node.like<nn::SqrtOp>(shifted));
}

void onnx_import::importLayerNormalization(Node &node) {
  Value input = node.real(0);
  int64_t axis = node.axis(node.getInt("axis", -1), rankOf(input));
  float epsilon = node.getFloat("epsilon", 1e-5f);
  node.ignore("stash_type"); // always computed in single precision
  node.setResult(layerNorm(node, input, optional(node, 1), optional(node, 2),
                           axis, epsilon));
  if (!node.hasOutput(1) && !node.hasOutput(2))
    return;
  // The statistics by themselves; the normalization stays whole.
  Shape axes = axesFrom(axis, rankOf(input));
  Value center = mean(node, input, axes);
  Value distance = node.like<nn::SubOp>({input, center});
  Value variance = mean(node, node.like<nn::MulOp>({distance, distance}), axes);
  node.resultFloat = DType::F32;
  node.setResult(center, 1);
  node.setResult(inverseRoot(node, variance, epsilon), 2);
}

void onnx_import::importRMSNormalization(Node &node) {
  Value input = node.real(0);
  int64_t axis = node.axis(node.getInt("axis", -1), rankOf(input));
  node.ignore("stash_type");
  node.setResult(rmsNorm(node, input, optional(node, 1), axis,
                         node.getFloat("epsilon", 1e-5f)));
}

/// com.microsoft: the sum of input, skip and bias is normalized and, as output
/// 3, given too.
static void importSkip(Node &node, bool isRMS) {
  Value total = node.like<nn::AddOp>({node.real(0), node.real(1)});
  size_t biasInput = isRMS ? 3 : 4;
  if (node.hasInput(biasInput))
    total = node.like<nn::AddOp>({total, node.real(biasInput)});
  float epsilon = node.getFloat("epsilon", 1e-12f);
  int64_t axis = rankOf(total) - 1;
  Value gamma = node.real(2);
  for (size_t i : {1, 2})
    if (node.hasOutput(i))
      failUnsupported("the training output {} is not supported", i);
  node.setResult(
      isRMS ? rmsNorm(node, total, gamma, axis, epsilon)
            : layerNorm(node, total, gamma, optional(node, 3), axis, epsilon));
  node.setResult(total, 3);
}
void onnx_import::importSkipLayerNormalization(Node &node) {
  importSkip(node, false);
}
void onnx_import::importSkipSimplifiedLayerNormalization(Node &node) {
  importSkip(node, true);
}

/// com.microsoft: the rows of tokens, positions and segments, added and
/// normalized.
void onnx_import::importEmbedLayerNormalization(Node &node) {
  Shape ids = node.shape(0), positions = node.shape(3);
  if (ids.size() != 2 || positions.size() != 2)
    failInvalid("token numbers {} and position embeddings {} must have 2 axes",
                shapeString(ids), shapeString(positions));
  auto rows = [&](Value table, Value numbers) {
    return node.like<nn::GatherOp>({table, numbers},
                                   node.attr("axis", int64_t(0)));
  };
  Value sum = rows(node.real(2), node.number(0)), places;
  if (node.hasInput(8))
    places = rows(node.real(3), node.number(8));
  else if (ids[1] <= positions[0])
    places = node.like<nn::SliceOp>(
        node.real(3), {node.attr("starts", Shape{0, 0}),
                       node.attr("sizes", Shape{ids[1], positions[1]}),
                       node.attr("steps", Shape{1, 1})});
  else
    failInvalid("there are {} tokens but {} position embeddings", ids[1],
                positions[0]);
  sum = node.like<nn::AddOp>({sum, places});
  if (node.hasInput(1) && node.hasInput(4))
    sum = node.like<nn::AddOp>({sum, rows(node.real(4), node.number(1))});
  node.setResult(layerNorm(node, sum, node.real(5), node.real(6), 2,
                           node.getFloat("epsilon", 1e-12f)));
  if (node.getInt("mask_index_type", 0))
    failUnsupported("mask_index_type is {}; 0, the number of tokens that are "
                    "not masked, is supported",
                    node.getInt("mask_index_type", 0));
  if (node.hasOutput(1)) {
    Type i32 = node.builder().getI32Type();
    Value count = node.scalar(0, i32);
    if (node.hasInput(7))
      count = node.like<nn::ReduceSumOp>(node.number(7),
                                         node.attr("axes", Shape{1}));
    node.setResult(
        node.like<nn::ExpandOp>(count, node.attr("shape", Shape{ids[0]})), 1);
  }
  if (node.hasOutput(2))
    node.setResult(sum, 2);
}

/// Channels in `groups` parts are rows; scale and bias are per channel, or per
/// group where there are as many.
static Value groupNorm(Node &node, Value input, int64_t groups, Value scale,
                       Value bias, float epsilon) {
  Shape shape(tensorType(input).getShape());
  int64_t rank = shape.size();
  if (rank < 2 || groups < 1 || shape[1] % groups)
    failInvalid("an input of shape {} has no {} groups of channels",
                shapeString(shape), groups);
  int64_t inner = shape[1] / groups;
  for (int64_t i = 2; i < rank; ++i)
    inner *= shape[i];
  Value rows = node.reshape(input, {shape[0], groups, inner});
  Value normal = layerNorm(node, rows, {}, {}, 2, epsilon);
  bool perGroup = tensorType(scale).getNumElements() == groups;
  if (!perGroup)
    normal = node.reshape(normal, shape);
  normal = node.like<nn::MulOp>(
      {normal, perChannel(node, scale, perGroup ? 3 : rank)});
  normal = node.like<nn::AddOp>(
      {normal, perChannel(node, bias, perGroup ? 3 : rank)});
  return node.reshape(normal, shape);
}

void onnx_import::importInstanceNormalization(Node &node) {
  Value input = node.real(0);
  if (rankOf(input) < 2)
    failInvalid("the input has no channel axis");
  node.setResult(groupNorm(node, input, tensorType(input).getShape()[1],
                           node.real(1), node.real(2),
                           node.getFloat("epsilon", 1e-5f)));
}

void onnx_import::importGroupNormalization(Node &node) {
  node.ignore("stash_type");
  node.setResult(groupNorm(node, node.real(0), node.getInt("num_groups", 0),
                           node.real(1), node.real(2),
                           node.getFloat("epsilon", 1e-5f)));
}

/// x / (bias + alpha * mean of squares of neighbouring channels)^beta. The mean
/// is a pooling along the channels.
void onnx_import::importLRN(Node &node) {
  Value input = node.real(0);
  Shape shape(tensorType(input).getShape());
  int64_t size = node.getInt("size", 0);
  if (shape.size() < 2 || size < 1)
    failInvalid("an input of shape {} has no {} neighbouring channels",
                shapeString(shape), size);
  int64_t inner = 1;
  for (size_t i = 2; i < shape.size(); ++i)
    inner *= shape[i];
  Value squares = node.reshape(node.like<nn::MulOp>({input, input}),
                               {shape[0], 1, shape[1], inner});
  int64_t before = (size - 1) / 2, after = size - 1 - before;
  Value means = node.like<nn::AvgPoolOp>(
      squares,
      {node.attr("kernel", Shape{size, 1}), node.attr("strides", Shape{1, 1}),
       node.attr("pads", Shape{before, 0, after, 0}),
       node.attr("dilations", Shape{1, 1}), node.unit("count_include_pad")});
  Value alpha = node.scalar(node.getFloat("alpha", 1e-4f), node.f32());
  Value bias = node.scalar(node.getFloat("bias", 1.0f), node.f32());
  Value beta = node.scalar(node.getFloat("beta", 0.75f), node.f32());
  Value base =
      node.like<nn::AddOp>({node.like<nn::MulOp>({means, alpha}), bias});
  Value divisor = node.like<nn::PowOp>({base, beta});
  node.setResult(node.like<nn::DivOp>({input, node.reshape(divisor, shape)}));
}

/// Where the norm is 0 the result is 0.
void onnx_import::importLpNormalization(Node &node) {
  Value input = node.real(0);
  int64_t axis = node.axis(node.getInt("axis", -1), rankOf(input));
  int64_t p = node.getInt("p", 2);
  if (p != 1 && p != 2)
    failInvalid("p is {}; it is 1 or 2", p);
  Value norm = p == 1 ? node.like<nn::AbsOp>(input)
                      : node.like<nn::MulOp>({input, input});
  norm = sum(node, norm, axis);
  if (p == 2)
    norm = node.like<nn::SqrtOp>(norm);
  Value zero = node.scalar(0, node.f32());
  Value isZero =
      node.emit<nn::EqualOp>(node.builder().getI1Type(), {norm, zero});
  Value one = node.scalar(1, node.f32());
  norm = node.emit<nn::WhereOp>(node.f32(), {isZero, one, norm});
  node.setResult(node.like<nn::DivOp>({input, norm}));
}

/// (x - mean) / (sqrt(mean of squares - square of mean) + 1e-9).
void onnx_import::importMeanVarianceNormalization(Node &node) {
  Value input = node.real(0);
  Shape axes;
  for (int64_t axis : node.getInts("axes").value_or(Shape{0, 2, 3}))
    axes.push_back(node.axis(axis, rankOf(input)));
  llvm::sort(axes);
  Value distance = node.like<nn::SubOp>({input, mean(node, input, axes)});
  Value variance = mean(node, node.like<nn::MulOp>({distance, distance}), axes);
  Value deviation = node.like<nn::AddOp>(
      {node.like<nn::SqrtOp>(variance), node.scalar(1e-9, node.f32())});
  node.setResult(node.like<nn::DivOp>({distance, deviation}));
}

/// Statistics of the batch itself, and running ones that it changes.
static void importTraining(Node &node, Value input, float epsilon) {
  Shape axes = axesFrom(0, rankOf(input));
  axes.erase(axes.begin() + 1);
  int64_t channels = tensorType(input).getShape()[1];
  Value center = mean(node, input, axes);
  Value distance = node.like<nn::SubOp>({input, center});
  Value variance = mean(node, node.like<nn::MulOp>({distance, distance}), axes);
  Value momentum = node.scalar(node.getFloat("momentum", 0.9f), node.f32());
  Value rest = node.like<nn::SubOp>({node.scalar(1, node.f32()), momentum});
  auto flat = [&](Value v) { return node.reshape(v, {channels}); };
  Value operands[] = {input, node.real(1), node.real(2), flat(center),
                      flat(variance)};
  node.setResult(
      node.like<nn::BatchNormOp>(operands, node.attr("epsilon", epsilon)));
  for (size_t i : {1, 2}) {
    Value kept = node.like<nn::MulOp>({node.real(2 + i), momentum});
    Value added = node.like<nn::MulOp>({operands[2 + i], rest});
    node.setResult(node.like<nn::AddOp>({kept, added}), i);
  }
}

void onnx_import::importBatchNormalization(Node &node) {
  SmallVector<Value> operands;
  for (size_t i = 0; i < 5; ++i)
    operands.push_back(node.real(i));
  float epsilon = node.getFloat("epsilon", 1e-5f);
  node.ignore("momentum");
  // Version 6 trains unless told otherwise, which exporters did not mean.
  if (node.opset < 7)
    node.ignore("is_test");
  if (!node.getInt("spatial", 1))
    failUnsupported("statistics for each position (spatial=0) are not "
                    "supported");
  if (node.getInt("training_mode", 0)) {
    if (rankOf(operands[0]) < 2)
      failInvalid("the input has no channel axis");
    return importTraining(node, operands[0], epsilon);
  }
  for (size_t i = 1; i < 5; ++i)
    if (node.hasOutput(i))
      failUnsupported("training outputs are not supported");
  node.setResult(
      node.like<nn::BatchNormOp>(operands, node.attr("epsilon", epsilon)));
}

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

/// -weight[target] * x[target] over classes on axis 1; targets that are to be
/// ignored have weight 0.
static Value logLikelihoodLoss(Node &node, Value logs) {
  Shape shape(tensorType(logs).getShape());
  int64_t rank = shape.size();
  if (rank < 2)
    failInvalid("the input of shape {} has no class axis", shapeString(shape));
  Type i64 = node.builder().getI64Type(), i1 = node.builder().getI1Type();
  Value target = node.cast(node.number(1), i64);
  // [N, d...] as [N, 1, d...], to compare with the classes.
  Shape kept = shape;
  kept[1] = 1;
  target = node.reshape(target, kept);
  Value isClass =
      node.emit<nn::EqualOp>(i1, {node.iota(shape[1], 1, rank), target});
  Value zero = node.scalar(0, node.f32());
  auto ofTarget = [&](Value values) {
    return sum(node,
               node.emit<nn::WhereOp>(node.f32(), {isClass, values, zero}), 1);
  };
  Value weight = node.hasInput(2) ? perChannel(node, node.real(2), rank)
                                  : node.scalar(1, node.f32());
  weight = ofTarget(weight);
  if (node.getAttribute("ignore_index")) {
    Value ignored =
        node.scalar(static_cast<double>(node.getInt("ignore_index", 0)), i64);
    weight = node.emit<nn::WhereOp>(
        node.f32(),
        {node.emit<nn::EqualOp>(i1, {target, ignored}), zero, weight});
  }
  Value loss =
      node.like<nn::NegOp>(node.like<nn::MulOp>({ofTarget(logs), weight}));
  std::string reduction = node.getString("reduction", "mean");
  if (reduction == "none") {
    kept.erase(kept.begin() + 1);
    return node.reshape(loss, kept);
  }
  Shape all = axesFrom(0, rank);
  Value total = sum(node, loss, all);
  if (reduction == "mean")
    total = node.like<nn::DivOp>({total, sum(node, weight, all)});
  else if (reduction != "sum")
    failInvalid("reduction is '{}'; it is none, mean or sum", reduction);
  return node.reshape(total, {});
}

void onnx_import::importNegativeLogLikelihoodLoss(Node &node) {
  node.setResult(logLikelihoodLoss(node, node.real(0)));
}

void onnx_import::importSoftmaxCrossEntropyLoss(Node &node) {
  Value scores = node.real(0);
  if (rankOf(scores) < 2)
    failInvalid("the scores have no class axis");
  Value logs =
      node.like<nn::LogSoftmaxOp>(scores, node.attr("axis", int64_t(1)));
  node.setResult(logLikelihoodLoss(node, logs));
  node.setResult(logs, 1);
}
