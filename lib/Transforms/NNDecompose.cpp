//===- NNDecompose.cpp - the pass nn-decompose ------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decompose.h"

#include "cimc/Transforms/Passes.h"

#include "cimc/Reference/Evaluator.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/TypeSwitch.h"

namespace cimc {
#define GEN_PASS_DEF_NNDECOMPOSE
#include "cimc/Transforms/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

namespace {

/// Whether no element of the value can be minus infinity.
bool isFinite(Value value) {
  auto constant = value.getDefiningOp<nn::ConstantOp>();
  if (!constant || !constant.getResult().getType().getElementType().isF32())
    return false;
  HostTensor tensor = toHostTensor(constant.getValue());
  for (int64_t i = 0, n = tensor.size(); i < n; ++i)
    if (!(tensor.as<float>()[i] >= -3.0e38f))
      return false;
  return true;
}

//===----------------------------------------------------------------------===//
// Normalizations
//===----------------------------------------------------------------------===//

/// x / sqrt(mean of squares + epsilon), along `axes`.
Value overRootMeanSquare(NNBuilder &b, Value x, ArrayRef<int64_t> axes,
                         float epsilon) {
  Dims shape = dimsOf(x);
  Value mean =
      b.reduce<nn::ReduceMeanOp>(b.binary<nn::MulOp>(x, x, shape), axes);
  Value root = b.unary<nn::SqrtOp>(
      b.binary<nn::AddOp>(mean, b.scalar(epsilon), dimsOf(mean)));
  return b.binary<nn::MulOp>(x, b.unary<nn::ReciprocalOp>(root), shape);
}

/// The axes from `axis` on.
Dims axesFrom(Value x, int64_t axis) {
  auto rank = static_cast<int64_t>(dimsOf(x).size());
  Dims axes;
  for (int64_t i = axis < 0 ? axis + rank : axis; i < rank; ++i)
    axes.push_back(i);
  return axes;
}

Value decompose(nn::LayerNormOp op) {
  NNBuilder b(op);
  Value x = op.getInput();
  Dims axes = axesFrom(x, op.getAxis()), shape = dimsOf(x);
  Value centred =
      b.binary<nn::SubOp>(x, b.reduce<nn::ReduceMeanOp>(x, axes), shape);
  Value y =
      overRootMeanSquare(b, centred, axes, op.getEpsilon().convertToFloat());
  if (op.getScale())
    y = b.binary<nn::MulOp>(y, op.getScale(), shape);
  if (op.getBias())
    y = b.binary<nn::AddOp>(y, op.getBias(), shape);
  return y;
}

Value decompose(nn::RMSNormOp op) {
  NNBuilder b(op);
  Value x = op.getInput();
  Value y = overRootMeanSquare(b, x, axesFrom(x, op.getAxis()),
                               op.getEpsilon().convertToFloat());
  if (op.getScale())
    y = b.binary<nn::MulOp>(y, op.getScale(), dimsOf(x));
  return y;
}

Value decompose(nn::LogSoftmaxOp op) {
  NNBuilder b(op);
  Value x = op.getInput();
  Dims shape = dimsOf(x);
  auto axis = static_cast<int64_t>(op.getAxis());
  Dims axes = {axis < 0 ? axis + static_cast<int64_t>(shape.size()) : axis};
  Value below =
      b.binary<nn::SubOp>(x, b.reduce<nn::ReduceMaxOp>(x, axes), shape);
  Value sum = b.reduce<nn::ReduceSumOp>(b.unary<nn::ExpOp>(below), axes);
  return b.binary<nn::SubOp>(below, b.unary<nn::LogOp>(sum), shape);
}

Value decompose(nn::BatchNormOp op) {
  NNBuilder b(op);
  Dims shape = dimsOf(op.getInput());
  // One number a channel, axis 1.
  Dims wide(shape.size() > 1 ? shape.size() - 1 : 1, 1);
  auto channels = [&](Value value) {
    wide[0] = dimsOf(value)[0];
    return b.reshape(value, wide);
  };
  Value variance = op.getVariance();
  Value root = b.unary<nn::SqrtOp>(b.binary<nn::AddOp>(
      variance, b.scalar(op.getEpsilon().convertToFloat()), dimsOf(variance)));
  Value centred =
      b.binary<nn::SubOp>(op.getInput(), channels(op.getMean()), shape);
  Value y = b.binary<nn::DivOp>(centred, channels(root), shape);
  y = b.binary<nn::MulOp>(y, channels(op.getScale()), shape);
  return b.binary<nn::AddOp>(y, channels(op.getBias()), shape);
}

//===----------------------------------------------------------------------===//
// Transformers
//===----------------------------------------------------------------------===//

/// [B, G, T, E] with every head repeated: [B, H, T, E].
Value repeatHeads(NNBuilder &b, Value value, int64_t heads) {
  Dims shape = dimsOf(value);
  if (shape[1] == heads)
    return value;
  int64_t each = heads / shape[1];
  Value apart = b.reshape(value, {shape[0], shape[1], 1, shape[2], shape[3]});
  Dims wide = {shape[0], shape[1], each, shape[2], shape[3]};
  Value repeated =
      nn::ExpandOp::create(b.builder, b.loc, b.type(wide), apart, wide);
  return b.reshape(repeated, {shape[0], heads, shape[2], shape[3]});
}

Value decompose(nn::AttentionOp op) {
  NNBuilder b(op);
  Dims query = dimsOf(op.getQuery());
  Value key = repeatHeads(b, op.getKey(), query[1]);
  Value value = repeatHeads(b, op.getValue(), query[1]);
  Dims form = {query[0], query[1], query[2], dimsOf(key)[2]};
  Value a = op.getQuery(), bias = op.getBias();
  // A head by itself has no leading axes: its matrices then pass row by row.
  if (query[0] * query[1] == 1) {
    auto matrix = [&](Value v) {
      return b.reshape(v, Dims(ArrayRef<int64_t>(dimsOf(v)).take_back(2)));
    };
    a = matrix(a);
    key = matrix(key);
    value = matrix(value);
    if (bias && dimsOf(bias).size() > 2)
      bias = matrix(bias);
    form = {form[2], form[3]};
  }
  Value scores = b.matmul(a, key, form, /*transposeB=*/true);
  scores = b.binary<nn::MulOp>(scores, b.scalar(op.getScale().convertToFloat()),
                               form);
  if (float cap = op.getSoftcap().convertToFloat(); cap != 0.0f) {
    scores = b.binary<nn::DivOp>(scores, b.scalar(cap), form);
    scores = b.unary<nn::TanhOp>(scores);
    scores = b.binary<nn::MulOp>(scores, b.scalar(cap), form);
  }
  if (bias)
    scores = b.binary<nn::AddOp>(scores, bias, form);
  auto last = static_cast<int64_t>(form.size()) - 1;
  Value weights =
      nn::SoftmaxOp::create(b.builder, b.loc, scores.getType(), scores, last);
  if (bias && !isFinite(op.getBias())) {
    // A row whose every key is forbidden.
    Type truth = IntegerType::get(op.getContext(), 1);
    Value undefined =
        nn::IsNaNOp::create(b.builder, b.loc, b.type(form, truth), weights);
    weights = nn::WhereOp::create(b.builder, b.loc, weights.getType(),
                                  undefined, b.scalar(0.0f), weights);
  }
  Dims result = form;
  result.back() = dimsOf(value).back();
  return b.reshape(b.matmul(weights, value, result, /*transposeB=*/false),
                   dimsOf(op.getResult()));
}

Value decompose(nn::RotaryEmbeddingOp op) {
  NNBuilder b(op);
  Dims shape = dimsOf(op.getInput());
  auto last = static_cast<int64_t>(shape.size()) - 1;
  int64_t half = dimsOf(op.getCosine()).back(), channels = shape[last];
  bool interleaved = op.getInterleaved();
  int64_t step = interleaved ? 2 : 1;
  Value x = b.slice(op.getInput(), last, 0, half, step);
  Value y = b.slice(op.getInput(), last, interleaved ? 1 : half, half, step);
  Dims pair = shape;
  pair[last] = half;
  auto times = [&](Value factor, Value value) {
    return b.binary<nn::MulOp>(value, factor, pair);
  };
  Value first = b.binary<nn::SubOp>(times(op.getCosine(), x),
                                    times(op.getSine(), y), pair);
  Value second = b.binary<nn::AddOp>(times(op.getSine(), x),
                                     times(op.getCosine(), y), pair);
  Value rotated;
  if (interleaved) {
    Dims apart = pair;
    apart.push_back(1);
    rotated =
        b.concat({b.reshape(first, apart), b.reshape(second, apart)}, last + 1);
    Dims together = shape;
    together[last] = 2 * half;
    rotated = b.reshape(rotated, together);
  } else {
    rotated = b.concat({first, second}, last);
  }
  if (2 * half == channels)
    return rotated;
  Value rest = b.slice(op.getInput(), last, 2 * half, channels - 2 * half, 1);
  return b.concat({rotated, rest}, last);
}

//===----------------------------------------------------------------------===//
// Resampling
//===----------------------------------------------------------------------===//

/// Along an axis resampling is a linear map: its columns are what becomes of
/// unit vectors. Nothing where it is not, or cannot be evaluated.
std::optional<HostTensor> axisMatrix(nn::ResizeOp op, int64_t axis) {
  int64_t in = dimsOf(op.getInput())[axis], out = dimsOf(op.getResult())[axis];
  auto rank = static_cast<int64_t>(op.getScales().size());
  SmallVector<float> roi;
  if (!op.getRoi().empty())
    roi = {0.0f, op.getRoi()[axis], 1.0f, op.getRoi()[axis + rank]};
  OpBuilder builder(op->getContext());
  auto f32 = builder.getF32Type();
  HostTensor unit(DType::F32, {in, in});
  for (int64_t i = 0; i < in; ++i)
    unit.as<float>()[i * in + i] = 1.0f;
  // An operation of its own, outside any function.
  OwningOpRef<ModuleOp> scratch = ModuleOp::create(op.getLoc());
  builder.setInsertionPointToEnd(scratch->getBody());
  auto type = RankedTensorType::get({in, in}, f32);
  Value operand =
      nn::ConstantOp::create(builder, op.getLoc(), type,
                             toElementsAttr(unit, op.getContext(), "unit"));
  auto single = nn::ResizeOp::create(
      builder, op.getLoc(), RankedTensorType::get({in, out}, f32), operand,
      ArrayRef<int64_t>{in, out}, ArrayRef<float>{1.0f, op.getScales()[axis]},
      op.getMode(), op.getCoordinates(), op.getNearestMode(), roi,
      op.getCubicCoefficient(), op.getExtrapolation(), op.getAntialias(),
      op.getExcludeOutside());
  Result<std::vector<HostTensor>> result = evaluateNNOp(single, {unit});
  if (!result)
    return std::nullopt;
  return std::move(result->front());
}

/// The row that each column takes, where all only take one.
std::optional<HostTensor> singleRows(const HostTensor &matrix) {
  int64_t in = matrix.shape[0], out = matrix.shape[1];
  HostTensor rows(DType::I64, {out});
  for (int64_t j = 0; j < out; ++j) {
    int64_t found = -1;
    for (int64_t i = 0; i < in; ++i) {
      float weight = matrix.as<float>()[i * out + j];
      if (weight == 0.0f)
        continue;
      if (weight != 1.0f || found >= 0)
        return std::nullopt;
      found = i;
    }
    if (found < 0)
      return std::nullopt;
    rows.as<int64_t>()[j] = found;
  }
  return rows;
}

Value decompose(nn::ResizeOp op) {
  NNBuilder b(op);
  Value value = op.getInput();
  Dims in = dimsOf(value), out = dimsOf(op.getResult());
  // What lies outside a region is a number, no combination of elements.
  if (op.getCoordinates() == "tf_crop_and_resize" &&
      op.getExtrapolation().convertToFloat() != 0.0f)
    return {};
  auto rank = static_cast<int64_t>(in.size());
  for (int64_t axis = 0; axis < rank; ++axis) {
    if (in[axis] == out[axis] && op.getScales()[axis] == 1.0f &&
        op.getCoordinates() != "tf_crop_and_resize")
      continue;
    std::optional<HostTensor> matrix = axisMatrix(op, axis);
    if (!matrix)
      return {};
    Dims shape = dimsOf(value);
    shape[axis] = out[axis];
    if (std::optional<HostTensor> rows = singleRows(*matrix)) {
      value = nn::GatherOp::create(b.builder, b.loc, b.type(shape), value,
                                   b.constant(*rows, "rows"), axis);
      continue;
    }
    // The axis last, times the matrix, and back.
    Dims perm, back(rank);
    for (int64_t other = 0; other < rank; ++other)
      if (other != axis)
        perm.push_back(other);
    perm.push_back(axis);
    for (int64_t i = 0; i < rank; ++i)
      back[perm[i]] = i;
    Dims moved;
    for (int64_t from : perm)
      moved.push_back(shape[from]);
    value = b.transpose(value, perm);
    value = b.matmul(value, b.constant(*matrix, "resize"), moved,
                     /*transposeB=*/false);
    value = b.transpose(value, back);
  }
  return value;
}

struct NNDecompose : cimc::impl::NNDecomposeBase<NNDecompose> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) { ops.push_back(op); });
    for (Operation *op : ops)
      run(op);
  }

  void run(Operation *op) {
    SmallVector<Value> values;
    if (auto reverse = dyn_cast<nn::ReverseSequenceOp>(op))
      values.push_back(decomposeSampling(reverse));
    else if (isa<nn::ConvOp, nn::MatMulOp>(op))
      values.push_back(decomposeIntegers(op));
    else if (llvm::all_of(op->getResults(), isFloatTensor))
      llvm::TypeSwitch<Operation *>(op)
          .Case<nn::AttentionOp, nn::RotaryEmbeddingOp, nn::ResizeOp,
                nn::LayerNormOp, nn::RMSNormOp, nn::LogSoftmaxOp,
                nn::BatchNormOp>(
              [&](auto concrete) { values.push_back(decompose(concrete)); })
          .Case<nn::GridSampleOp, nn::RoiAlignOp, nn::DeformConvOp>(
              [&](auto concrete) {
                values.push_back(decomposeSampling(concrete));
              })
          .Case<nn::LstmOp, nn::GruOp, nn::RnnOp>(
              [&](auto concrete) { values = unroll(concrete); });
    if (values.empty() || !values.front())
      return;
    op->emitRemark() << op->getName()
                     << " is made of operations of the vector unit";
    op->replaceAllUsesWith(values);
    op->erase();
  }
};

} // namespace
