//===- NNAttention.cpp - nn.attention and nn.rotary_embedding -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NNOperations.h"

#include "cimc/Support/Gemm.h"

#include <algorithm>
#include <limits>

using namespace mlir;

namespace cimc::reference {

namespace {

/// Strides of an operand that broadcasts to `shape`, 0 where it repeats.
std::vector<int64_t> broadcastStrides(const TensorInfo &info,
                                      ArrayRef<int64_t> shape) {
  std::vector<int64_t> result(shape.size(), 0);
  int64_t stride = 1;
  for (int64_t i = 1; i <= info.rank(); ++i) {
    int64_t extent = info.shape[info.rank() - i];
    result[shape.size() - i] = extent == 1 ? 0 : stride;
    stride *= extent;
  }
  return result;
}

/// Softmax of one row in place; a row of minus infinity alone becomes 0.
void softmaxRow(float *row, int64_t n) {
  float largest = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < n; ++i)
    largest = std::max(largest, row[i]);
  if (largest == -std::numeric_limits<float>::infinity()) {
    std::fill_n(row, n, 0.0f);
    return;
  }
  float sum = 0.0f;
  for (int64_t i = 0; i < n; ++i)
    row[i] -= largest;
  numerics::applyToAll(numerics::Function::Exp, row, row, n, 0, 0);
  for (int64_t i = 0; i < n; ++i)
    sum += row[i];
  for (int64_t i = 0; i < n; ++i)
    row[i] /= sum;
}

} // namespace

/// Head by head: scores, softmax, weighted sum of the values.
static Evaluated attention(nn::AttentionOp op, Operands in,
                           const TensorInfo &out) {
  for (const Operand &operand : in)
    if (!operand.info.isFloat())
      return failure(op, "is computed in float32 only");
  const TensorInfo &query = in[0].info, &key = in[1].info;
  int64_t batches = query.shape[0], heads = query.shape[1],
          rows = query.shape[2], depth = query.shape[3];
  int64_t keyHeads = key.shape[1], keys = key.shape[2], width = out.shape[3];
  float scale = op.getScale().convertToFloat();
  float softcap = op.getSoftcap().convertToFloat();
  HostTensor result(DType::F32, out.shape);
  std::vector<int64_t> biasStrides;
  if (op.getBias())
    biasStrides = broadcastStrides(in[3].info, {batches, heads, rows, keys});
  std::vector<float> scores(rows * keys);
  for (int64_t b = 0; b < batches; ++b)
    for (int64_t h = 0; h < heads; ++h) {
      int64_t g = b * keyHeads + h / (heads / keyHeads);
      const float *q = in[0].as<float>() + (b * heads + h) * rows * depth;
      const float *k = in[1].as<float>() + g * keys * depth;
      const float *v = in[2].as<float>() + g * keys * width;
      gemm(rows, keys, depth, MatrixRef<const float>{q, depth, 1},
           MatrixRef<const float>{k, 1, depth},
           MatrixRef<float>{scores.data(), keys, 1});
      for (float &score : scores)
        score *= scale;
      if (softcap != 0) {
        for (float &score : scores)
          score /= softcap;
        numerics::applyToAll(numerics::Function::Tanh, scores.data(),
                             scores.data(), rows * keys, 0, 0);
        for (float &score : scores)
          score *= softcap;
      }
      for (int64_t r = 0; r < rows; ++r) {
        float *row = scores.data() + r * keys;
        if (op.getBias()) {
          const float *bias = in[3].as<float>() + b * biasStrides[0] +
                              h * biasStrides[1] + r * biasStrides[2];
          for (int64_t i = 0; i < keys; ++i)
            row[i] += bias[i * biasStrides[3]];
        }
        softmaxRow(row, keys);
      }
      gemm(rows, width, keys, MatrixRef<const float>{scores.data(), keys, 1},
           MatrixRef<const float>{v, width, 1},
           MatrixRef<float>{result.as<float>() + (b * heads + h) * rows * width,
                            width, 1});
    }
  return result;
}

/// Every pair of channels turned by its angle.
static Evaluated rotaryEmbedding(nn::RotaryEmbeddingOp op, Operands in,
                                 const TensorInfo &out) {
  for (const Operand &operand : in)
    if (!operand.info.isFloat())
      return failure(op, "is computed in float32 only");
  const std::vector<int64_t> &shape = in[0].info.shape;
  int64_t pairs = in[1].info.shape.back(), depth = shape[3];
  std::vector<int64_t> strides =
      broadcastStrides(in[1].info, {shape[0], shape[1], shape[2], pairs});
  HostTensor result(DType::F32, out.shape);
  const float *x = in[0].as<float>();
  float *y = result.as<float>();
  bool interleaved = op.getInterleaved();
  for (int64_t b = 0; b < shape[0]; ++b)
    for (int64_t h = 0; h < shape[1]; ++h)
      for (int64_t t = 0; t < shape[2]; ++t, x += depth, y += depth) {
        int64_t base = b * strides[0] + h * strides[1] + t * strides[2];
        const float *cosine = in[1].as<float>() + base;
        const float *sine = in[2].as<float>() + base;
        std::copy_n(x, depth, y);
        for (int64_t i = 0; i < pairs; ++i) {
          int64_t first = interleaved ? 2 * i : i;
          int64_t second = interleaved ? 2 * i + 1 : i + pairs;
          float c = cosine[i * strides[3]], s = sine[i * strides[3]];
          y[first] = c * x[first] - s * x[second];
          y[second] = s * x[first] + c * x[second];
        }
      }
  return result;
}

std::optional<EvaluatedAll> evaluateAttention(Operation *op, Operands in,
                                              Outputs out) {
  return Family{op, in, out}
      .add<nn::AttentionOp>(attention)
      .add<nn::RotaryEmbeddingOp>(rotaryEmbedding)
      .take();
}

} // namespace cimc::reference
