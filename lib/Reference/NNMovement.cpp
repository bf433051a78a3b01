//===- NNMovement.cpp - elements in other places -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NNOperations.h"

#include <algorithm>
#include <cstring>

using namespace mlir;

namespace cimc::reference {

namespace {

/// out[index] = in[base + sum index[axis] * stride[axis]], for elements of one
/// size.
template <typename T>
void gather(const T *in, T *out, const std::vector<int64_t> &shape,
            const std::vector<int64_t> &strides, int64_t base) {
  size_t rank = shape.size();
  int64_t n = 1;
  for (int64_t extent : shape)
    n *= extent;
  if (n == 0)
    return;
  int64_t inner = rank ? shape[rank - 1] : 1;
  int64_t step = rank ? strides[rank - 1] : 0;
  std::vector<int64_t> index(rank, 0);
  for (int64_t i = 0; i < n; i += inner) {
    for (int64_t j = 0; j < inner; ++j)
      out[i + j] = in[base + j * step];
    for (size_t axis = rank; axis-- > 1;) {
      size_t outer = axis - 1;
      base += strides[outer];
      if (++index[outer] < shape[outer])
        break;
      base -= strides[outer] * shape[outer];
      index[outer] = 0;
    }
  }
}

HostTensor gatherElements(const Operand &operand, std::vector<int64_t> shape,
                          const std::vector<int64_t> &strides, int64_t base) {
  HostTensor result(operand.info.dtype, std::move(shape));
  switch (byteSize(result.type)) {
  case 1:
    gather(operand.as<uint8_t>(), result.as<uint8_t>(), result.shape, strides,
           base);
    break;
  case 2:
    gather(operand.as<uint16_t>(), result.as<uint16_t>(), result.shape, strides,
           base);
    break;
  case 4:
    gather(operand.as<uint32_t>(), result.as<uint32_t>(), result.shape, strides,
           base);
    break;
  default:
    gather(operand.as<uint64_t>(), result.as<uint64_t>(), result.shape, strides,
           base);
    break;
  }
  return result;
}

std::vector<int64_t> rowMajorStrides(const std::vector<int64_t> &shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

HostTensor copyOf(const Operand &operand) {
  HostTensor tensor(operand.info.dtype, operand.info.shape);
  if (!tensor.data.empty())
    std::memcpy(tensor.data.data(), operand.data, tensor.data.size());
  return tensor;
}

} // namespace

/// The same elements in row-major order.
static Evaluated reshape(nn::ReshapeOp op, Operands in, const TensorInfo &out) {
  if (in[0].info.size() != out.size())
    return failure(op, "operand and result differ in the number of elements",
                   ExitCode::InvalidInput);
  return requantized(op, copyOf(in[0]), in[0].info, out);
}

/// Result axis i is operand axis perm[i].
static Evaluated transpose(nn::TransposeOp op, Operands in,
                           const TensorInfo &out) {
  std::vector<int64_t> from = rowMajorStrides(in[0].info.shape), strides;
  ArrayRef<int64_t> perm = op.getPerm();
  for (size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] < 0 || perm[i] >= in[0].info.rank() ||
        in[0].info.shape[perm[i]] != out.shape[i])
      return failure(op, "the permutation does not fit the shapes",
                     ExitCode::InvalidInput);
    strides.push_back(from[perm[i]]);
  }
  return requantized(op, gatherElements(in[0], out.shape, strides, 0),
                     in[0].info, out);
}

/// Element i of an axis is operand element start + i * step.
static Evaluated slice(nn::SliceOp op, Operands in, const TensorInfo &out) {
  const TensorInfo &input = in[0].info;
  std::vector<int64_t> strides = rowMajorStrides(input.shape);
  ArrayRef<int64_t> starts = op.getStarts(), steps = op.getSteps();
  if (starts.size() != input.shape.size() || steps.size() != starts.size() ||
      out.rank() != input.rank())
    return failure(op, "needs a start, size and step for every axis",
                   ExitCode::InvalidInput);
  int64_t base = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    int64_t last = starts[i] + (out.shape[i] - 1) * steps[i];
    if (out.shape[i] > 0 && (std::min(starts[i], last) < 0 ||
                             std::max(starts[i], last) >= input.shape[i]))
      return failure(op, "reads outside its operand", ExitCode::InvalidInput);
    base += starts[i] * strides[i];
    strides[i] *= steps[i];
  }
  return requantized(op, gatherElements(in[0], out.shape, strides, base), input,
                     out);
}

/// Operands one after the other along an axis, each requantized by itself.
static Evaluated concat(nn::ConcatOp op, Operands in, const TensorInfo &out) {
  int64_t axis = static_cast<int64_t>(op.getAxis());
  if (axis < 0)
    axis += out.rank();
  if (axis < 0 || axis >= out.rank())
    return failure(op, "the axis does not exist", ExitCode::InvalidInput);
  HostTensor result(out.dtype, out.shape);
  size_t inner = byteSize(out.dtype);
  for (int64_t i = axis + 1; i < out.rank(); ++i)
    inner *= out.shape[i];
  int64_t outer = 1;
  for (int64_t i = 0; i < axis; ++i)
    outer *= out.shape[i];
  size_t row = inner * out.shape[axis], offset = 0;
  for (const Operand &operand : in) {
    TensorInfo part = out;
    part.shape = operand.info.shape;
    if (part.rank() != out.rank())
      return failure(op, "operands differ in rank", ExitCode::InvalidInput);
    Result<HostTensor> piece =
        requantized(op, copyOf(operand), operand.info, part);
    if (!piece)
      return piece.takeError();
    size_t bytes = inner * part.shape[axis];
    if (offset + bytes > row ||
        piece->data.size() != bytes * static_cast<size_t>(outer))
      return failure(op, "operands do not fit the result",
                     ExitCode::InvalidInput);
    for (int64_t i = 0; i < outer && bytes; ++i)
      std::memcpy(result.data.data() + i * row + offset,
                  piece->data.data() + i * bytes, bytes);
    offset += bytes;
  }
  return result;
}

/// The operand within a constant; the constant is quantized with the result's
/// parameters.
static Evaluated pad(nn::PadOp op, Operands in, const TensorInfo &out) {
  const TensorInfo &input = in[0].info;
  ArrayRef<int64_t> low = op.getLow();
  if (low.size() != input.shape.size() || out.rank() != input.rank())
    return failure(op, "needs a low and a high extent for every axis",
                   ExitCode::InvalidInput);
  for (size_t i = 0; i < low.size(); ++i)
    if (low[i] < 0 || low[i] + input.shape[i] > out.shape[i])
      return failure(op, "the operand does not fit the result",
                     ExitCode::InvalidInput);
  TensorInfo moved = out;
  moved.shape = input.shape;
  Result<HostTensor> inside = requantized(op, copyOf(in[0]), input, moved);
  if (!inside)
    return inside.takeError();

  HostTensor result(out.dtype, out.shape);
  float value = op.getValue().convertToFloat();
  if (out.quant && !out.quant->perAxis()) {
    int32_t q = numerics::quantize(value, out.quant->scale(), out.quant->zero(),
                                   out.quant->range);
    visitInteger(out.dtype, [&](auto tag) {
      using T = decltype(tag);
      std::fill_n(result.as<T>(), result.size(), static_cast<T>(q));
    });
  } else if (out.isFloat()) {
    std::fill_n(result.as<float>(), result.size(), value);
  } else if (out.quant) {
    return failure(op, "cannot pad a tensor that is quantized per axis");
  } else {
    if (!visitInteger(out.dtype, [&](auto tag) {
          using T = decltype(tag);
          std::fill_n(result.as<T>(), result.size(), static_cast<T>(value));
        }))
      return failure(op, std::string("cannot pad values of type ") +
                             name(out.dtype));
  }
  // Rows of the innermost axis.
  std::vector<int64_t> strides = rowMajorStrides(out.shape);
  int64_t width = input.rank() ? input.shape.back() : 1;
  int64_t rows = width ? inside->size() / width : 0;
  size_t bytes = byteSize(out.dtype);
  for (int64_t row = 0; row < rows; ++row) {
    int64_t rest = row, to = input.rank() ? low.back() : 0;
    for (int64_t axis = input.rank() - 2; axis >= 0; --axis) {
      to += (rest % input.shape[axis] + low[axis]) * strides[axis];
      rest /= input.shape[axis];
    }
    std::memcpy(result.data.data() + to * bytes,
                inside->data.data() + row * width * bytes, width * bytes);
  }
  return result;
}

/// Axes of extent 1 and new axes repeat.
static Evaluated expand(nn::ExpandOp op, Operands in, const TensorInfo &out) {
  const TensorInfo &input = in[0].info;
  std::vector<int64_t> from = rowMajorStrides(input.shape);
  std::vector<int64_t> strides(out.rank(), 0);
  for (int64_t i = 1; i <= input.rank(); ++i)
    if (input.shape[input.rank() - i] != 1)
      strides[out.rank() - i] = from[input.rank() - i];
  return requantized(op, gatherElements(in[0], out.shape, strides, 0), input,
                     out);
}

std::optional<EvaluatedAll> evaluateMovement(Operation *op, Operands in,
                                             Outputs out) {
  return Family{op, in, out}
      .add<nn::ReshapeOp>(reshape)
      .add<nn::TransposeOp>(transpose)
      .add<nn::ConcatOp>(concat)
      .add<nn::PadOp>(pad)
      .add<nn::SliceOp>(slice)
      .add<nn::ExpandOp>(expand)
      .take();
}

} // namespace cimc::reference
