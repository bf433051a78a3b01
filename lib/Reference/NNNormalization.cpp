//===- NNNormalization.cpp - softmax and batch normalization -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Broadcast.h"
#include "NNOperations.h"

#include <cmath>

using namespace mlir;

namespace cimc::reference {

/// Float: numerics::softmaxF32. Bytes with one type on both sides:
/// QLinearSoftmax. Other quantized types: R4 around the fp32 softmax.
static Evaluated softmax(nn::SoftmaxOp op, Operands in, const TensorInfo &out) {
  const TensorInfo &input = in[0].info;
  int64_t axis = static_cast<int64_t>(op.getAxis());
  if (axis < 0)
    axis += input.rank();
  if (axis < 0 || axis >= input.rank())
    return failure(op, "the axis does not exist", ExitCode::InvalidInput);
  bool floats = input.isFloat() && out.isFloat();
  if (!floats && (!input.quant || !out.quant))
    return failure(op, "operand and result must both be f32 or both be "
                       "quantized");
  int64_t length = input.shape[axis], inner = 1;
  for (int64_t i = axis + 1; i < input.rank(); ++i)
    inner *= input.shape[i];
  int64_t rows = length ? input.size() / length : 0;
  // Calls fn(offset of a row's first element).
  auto forRows = [&](auto fn) {
    for (int64_t row = 0; row < rows; ++row)
      fn(row / inner * inner * length + row % inner);
  };

  if (!floats && input.isByteTensor() && out.isByteTensor() &&
      input.dtype == out.dtype) {
    numerics::SoftmaxConstants constants = numerics::softmaxConstants(
        input.quant->scale(), out.quant->scale(), length);
    HostTensor result(out.dtype, out.shape);
    std::vector<uint8_t> from(length), to(length);
    forRows([&](int64_t offset) {
      for (int64_t i = 0; i < length; ++i)
        from[i] = in[0].as<uint8_t>()[offset + i * inner];
      numerics::softmaxRow(from.data(), to.data(), length,
                           input.dtype == DType::I8, constants.table,
                           constants.y, out.quant->zero());
      for (int64_t i = 0; i < length; ++i)
        result.as<uint8_t>()[offset + i * inner] = to[i];
    });
    return result;
  }

  std::vector<float> values = toReal(in[0]), from(length), to(length);
  forRows([&](int64_t offset) {
    for (int64_t i = 0; i < length; ++i)
      from[i] = values[offset + i * inner];
    numerics::softmaxF32(from.data(), to.data(), length);
    for (int64_t i = 0; i < length; ++i)
      values[offset + i * inner] = to[i];
  });
  return fromReal(values, out);
}

static Evaluated logSoftmax(nn::LogSoftmaxOp op, Operands in,
                            const TensorInfo &out) {
  const TensorInfo &input = in[0].info;
  if (input.isFloat() != out.isFloat() || (!input.quant && !input.isFloat()))
    return failure(op, "operand and result must both be f32 or both be "
                       "quantized");
  auto axis = static_cast<int64_t>(op.getAxis());
  int64_t length = input.shape[axis], inner = 1;
  for (int64_t i = axis + 1; i < input.rank(); ++i)
    inner *= input.shape[i];
  std::vector<float> values = toReal(in[0]), from(length), to(length);
  for (int64_t row = 0, rows = length ? input.size() / length : 0; row < rows;
       ++row) {
    float *x = values.data() + row / inner * inner * length + row % inner;
    for (int64_t i = 0; i < length; ++i)
      from[i] = x[i * inner];
    numerics::logSoftmaxF32(from.data(), to.data(), length);
    for (int64_t i = 0; i < length; ++i)
      x[i * inner] = to[i];
  }
  return fromReal(values, out);
}

/// Rows of a normalization, then the parameters that are there.
template <typename Fn>
static HostTensor normalizedRows(Operands in, int64_t axis, bool hasScale,
                                 const TensorInfo &out, Fn row) {
  int64_t length = 1;
  for (int64_t i = axis; i < out.rank(); ++i)
    length *= out.shape[i];
  HostTensor result(DType::F32, out.shape);
  float *y = result.as<float>();
  const float *x = in[0].as<float>();
  for (int64_t begin = 0, n = out.size(); begin < n; begin += length)
    row(x + begin, y + begin, length);
  for (const Operand &parameter : in.drop_front()) {
    const float *p = parameter.as<float>();
    bool isScale = hasScale && &parameter == in.begin() + 1;
    forBroadcast(out, parameter.info, parameter.info,
                 [&](int64_t i, int64_t k, int64_t) {
                   y[i] = isScale ? y[i] * p[k] : y[i] + p[k];
                 });
  }
  return result;
}

static Evaluated layerNorm(nn::LayerNormOp op, Operands in,
                           const TensorInfo &out) {
  float epsilon = op.getEpsilon().convertToFloat();
  return normalizedRows(in, static_cast<int64_t>(op.getAxis()),
                        static_cast<bool>(op.getScale()), out,
                        [&](const float *x, float *y, int64_t n) {
                          numerics::layerNormF32(x, y, n, epsilon);
                        });
}

static Evaluated rmsNorm(nn::RMSNormOp op, Operands in, const TensorInfo &out) {
  float epsilon = op.getEpsilon().convertToFloat();
  return normalizedRows(in, static_cast<int64_t>(op.getAxis()),
                        static_cast<bool>(op.getScale()), out,
                        [&](const float *x, float *y, int64_t n) {
                          numerics::rmsNormF32(x, y, n, epsilon);
                        });
}

/// (x - mean) * (scale / sqrt(variance + epsilon)) + bias, per channel, fp32.
static Evaluated batchNorm(nn::BatchNormOp op, Operands in,
                           const TensorInfo &out) {
  for (const Operand &operand : in)
    if (!operand.info.isFloat() || !out.isFloat())
      return failure(op, "is computed in f32 only");
  const TensorInfo &input = in[0].info;
  int64_t channels = input.rank() > 1 ? input.shape[1] : 1;
  for (const Operand &operand : in.drop_front())
    if (operand.info.size() != channels)
      return failure(op, "the parameters must have one element per channel",
                     ExitCode::InvalidInput);
  int64_t inner = 1;
  for (int64_t i = 2; i < input.rank(); ++i)
    inner *= input.shape[i];
  float epsilon = op.getEpsilon().convertToFloat();
  HostTensor result(DType::F32, out.shape);
  for (int64_t i = 0; i < out.size(); ++i) {
    int64_t c = i / inner % channels;
    float factor =
        in[1].as<float>()[c] / std::sqrt(in[4].as<float>()[c] + epsilon);
    float centered = in[0].as<float>()[i] - in[3].as<float>()[c];
    result.as<float>()[i] = centered * factor + in[2].as<float>()[c];
  }
  return result;
}

std::optional<EvaluatedAll> evaluateNormalization(Operation *op, Operands in,
                                                  Outputs out) {
  return Family{op, in, out}
      .add<nn::SoftmaxOp>(softmax)
      .add<nn::BatchNormOp>(batchNorm)
      .add<nn::LayerNormOp>(layerNorm)
      .add<nn::LogSoftmaxOp>(logSoftmax)
      .add<nn::RMSNormOp>(rmsNorm)
      .take();
}

} // namespace cimc::reference
