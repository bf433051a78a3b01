//===- NNIndexing.cpp - picking and placing elements by index -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NNOperations.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

using namespace mlir;

namespace cimc::reference {

namespace {

int64_t product(ArrayRef<int64_t> extents) {
  int64_t n = 1;
  for (int64_t extent : extents)
    n *= extent;
  return n;
}

/// Elements between two neighbours along each axis.
std::vector<int64_t> strides(ArrayRef<int64_t> shape) {
  std::vector<int64_t> result(shape.size());
  int64_t stride = 1;
  for (size_t axis = shape.size(); axis-- > 0;) {
    result[axis] = stride;
    stride *= shape[axis];
  }
  return result;
}

HostTensor copyOf(const Operand &operand) {
  HostTensor tensor(operand.info.dtype, operand.info.shape);
  if (!tensor.data.empty())
    std::memcpy(tensor.data.data(), operand.data, tensor.data.size());
  return tensor;
}

std::vector<int64_t> readIntegers(const Operand &operand) {
  std::vector<int64_t> values(operand.info.size());
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = operand.info.dtype == DType::I32 ? operand.as<int32_t>()[i]
                                                 : operand.as<int64_t>()[i];
  return values;
}

/// Counts a negative index from the end; false where it is outside.
bool resolve(int64_t &index, int64_t extent) {
  if (index < 0)
    index += extent;
  return index >= 0 && index < extent;
}

Error outside(Operation *op, int64_t index, int64_t axis,
              const TensorInfo &data) {
  return failure(op,
                 "an index is " + std::to_string(index) + ", outside axis " +
                     std::to_string(axis) + " of " + shapeString(data.shape),
                 ExitCode::InvalidInput);
}

/// The result with the element type and parameters of the data.
TensorInfo likeData(const TensorInfo &data, const TensorInfo &out) {
  TensorInfo info = data;
  info.shape = out.shape;
  return info;
}

/// Calls fn with a value of the C++ type of numbers; false for types without
/// arithmetic.
template <typename Fn> bool visitNumber(DType type, Fn fn) {
  if (type == DType::F32)
    return fn(float()), true;
  if (type == DType::F64)
    return fn(double()), true;
  return visitInteger(type, fn);
}

template <typename T> T combine(StringRef reduction, T old, T update) {
  if constexpr (std::is_integral_v<T>) {
    // Wrapping, in 64 bits: int would overflow for 16-bit operands.
    if (reduction == "add")
      return static_cast<T>(static_cast<uint64_t>(old) +
                            static_cast<uint64_t>(update));
    if (reduction == "mul")
      return static_cast<T>(static_cast<uint64_t>(old) *
                            static_cast<uint64_t>(update));
  } else {
    if (reduction == "add")
      return old + update;
    if (reduction == "mul")
      return old * update;
  }
  if (reduction == "max")
    return std::max(old, update);
  if (reduction == "min")
    return std::min(old, update);
  return update;
}

/// Puts `count` blocks of `inner` elements of `updates` at the offsets `to`.
std::optional<Error> place(Operation *op, StringRef reduction,
                           HostTensor &result, const Operand &updates,
                           const std::vector<int64_t> &to, int64_t inner) {
  size_t width = byteSize(result.type);
  if (reduction == "none") {
    for (size_t i = 0; i < to.size(); ++i)
      std::memcpy(result.data.data() + to[i] * width,
                  updates.data + i * inner * width, inner * width);
    return std::nullopt;
  }
  bool known = visitNumber(result.type, [&](auto tag) {
    using T = decltype(tag);
    T *data = result.as<T>();
    const T *from = updates.as<T>();
    for (size_t i = 0; i < to.size(); ++i)
      for (int64_t j = 0; j < inner; ++j)
        data[to[i] + j] = combine(reduction, data[to[i] + j],
                                  from[static_cast<int64_t>(i) * inner + j]);
  });
  if (!known || updates.info.quant)
    return failure(op, "cannot combine elements of this type");
  return std::nullopt;
}

/// The updates with the parameters of the data.
Result<HostTensor> alike(Operation *op, const Operand &operand,
                         const TensorInfo &data) {
  return requantized(op, copyOf(operand), operand.info,
                     likeData(data, operand.info));
}

} // namespace

/// One contiguous block for each index.
static Evaluated gather(nn::GatherOp op, Operands in, const TensorInfo &out) {
  const TensorInfo &data = in[0].info;
  int64_t axis = static_cast<int64_t>(op.getAxis());
  ArrayRef<int64_t> shape(data.shape);
  int64_t outer = product(shape.take_front(axis)), extent = shape[axis];
  size_t block = product(shape.drop_front(axis + 1)) * byteSize(data.dtype);
  std::vector<int64_t> indices = readIntegers(in[1]);
  HostTensor result(data.dtype, out.shape);
  std::byte *to = result.data.data();
  for (int64_t &index : indices)
    if (int64_t given = index; !resolve(index, extent))
      return outside(op, given, axis, data);
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t index : indices) {
      if (block)
        std::memcpy(to, in[0].data + (o * extent + index) * block, block);
      to += block;
    }
  return requantized(op, std::move(result), likeData(data, out), out);
}

/// Offsets into `data` of the elements that `indices` name along an axis.
static Result<std::vector<int64_t>> elementOffsets(Operation *op,
                                                   const TensorInfo &data,
                                                   const Operand &indices,
                                                   int64_t axis) {
  std::vector<int64_t> offsets = readIntegers(indices);
  std::vector<int64_t> from = strides(data.shape);
  std::vector<int64_t> own = strides(indices.info.shape);
  for (size_t i = 0; i < offsets.size(); ++i) {
    int64_t index = offsets[i], offset = 0;
    if (!resolve(index, data.shape[axis]))
      return outside(op, offsets[i], axis, data);
    for (int64_t a = 0; a < data.rank(); ++a) {
      int64_t place = static_cast<int64_t>(i) / own[a] % indices.info.shape[a];
      offset += (a == axis ? index : place) * from[a];
    }
    offsets[i] = offset;
  }
  return offsets;
}

/// One element for each index.
static Evaluated gatherElements(nn::GatherElementsOp op, Operands in,
                                const TensorInfo &out) {
  const TensorInfo &data = in[0].info;
  Result<std::vector<int64_t>> offsets =
      elementOffsets(op, data, in[1], static_cast<int64_t>(op.getAxis()));
  if (!offsets)
    return offsets.takeError();
  HostTensor result(data.dtype, out.shape);
  size_t width = byteSize(data.dtype);
  for (size_t i = 0; i < offsets->size(); ++i)
    std::memcpy(result.data.data() + i * width,
                in[0].data + (*offsets)[i] * width, width);
  return requantized(op, std::move(result), likeData(data, out), out);
}

/// Offsets of the blocks that tuples of indices name; the first `batch` axes
/// of the data are those of the tuples.
static Result<std::vector<int64_t>> tupleOffsets(Operation *op,
                                                 const TensorInfo &data,
                                                 const Operand &indices,
                                                 int64_t batch) {
  std::vector<int64_t> values = readIntegers(indices);
  std::vector<int64_t> from = strides(data.shape);
  int64_t tuple = indices.info.shape.back();
  int64_t batches = product(ArrayRef<int64_t>(data.shape).take_front(batch));
  int64_t batchStride = batch ? from[batch - 1] : 0;
  int64_t count = static_cast<int64_t>(values.size()) / tuple;
  std::vector<int64_t> offsets(count);
  for (int64_t i = 0; i < count; ++i) {
    offsets[i] = i / std::max<int64_t>(count / batches, 1) * batchStride;
    for (int64_t k = 0; k < tuple; ++k) {
      int64_t index = values[i * tuple + k];
      if (!resolve(index, data.shape[batch + k]))
        return outside(op, values[i * tuple + k], batch + k, data);
      offsets[i] += index * from[batch + k];
    }
  }
  return offsets;
}

/// One block for each tuple of indices.
static Evaluated gatherNd(nn::GatherNdOp op, Operands in,
                          const TensorInfo &out) {
  const TensorInfo &data = in[0].info;
  int64_t batch = static_cast<int64_t>(op.getBatchDims());
  Result<std::vector<int64_t>> offsets = tupleOffsets(op, data, in[1], batch);
  if (!offsets)
    return offsets.takeError();
  HostTensor result(data.dtype, out.shape);
  size_t width = byteSize(data.dtype);
  size_t block = product(ArrayRef<int64_t>(data.shape)
                             .drop_front(batch + in[1].info.shape.back())) *
                 width;
  for (size_t i = 0; i < offsets->size(); ++i)
    std::memcpy(result.data.data() + i * block,
                in[0].data + (*offsets)[i] * width, block);
  return requantized(op, std::move(result), likeData(data, out), out);
}

/// The data with an element replaced or combined for each index.
static Evaluated scatterElements(nn::ScatterElementsOp op, Operands in,
                                 const TensorInfo &out) {
  const TensorInfo &data = in[0].info;
  Result<std::vector<int64_t>> offsets =
      elementOffsets(op, data, in[1], static_cast<int64_t>(op.getAxis()));
  if (!offsets)
    return offsets.takeError();
  Result<HostTensor> updates = alike(op, in[2], data);
  if (!updates)
    return updates.takeError();
  HostTensor result = copyOf(in[0]);
  if (std::optional<Error> error = place(
          op, op.getReduction(), result,
          {likeData(data, in[2].info), updates->data.data()}, *offsets, 1))
    return *error;
  return requantized(op, std::move(result), data, out);
}

/// The data with a block replaced or combined for each tuple of indices.
static Evaluated scatterNd(nn::ScatterNdOp op, Operands in,
                           const TensorInfo &out) {
  const TensorInfo &data = in[0].info;
  Result<std::vector<int64_t>> offsets = tupleOffsets(op, data, in[1], 0);
  if (!offsets)
    return offsets.takeError();
  Result<HostTensor> updates = alike(op, in[2], data);
  if (!updates)
    return updates.takeError();
  int64_t inner = product(
      ArrayRef<int64_t>(data.shape).drop_front(in[1].info.shape.back()));
  HostTensor result = copyOf(in[0]);
  if (std::optional<Error> error = place(
          op, op.getReduction(), result,
          {likeData(data, in[2].info), updates->data.data()}, *offsets, inner))
    return *error;
  return requantized(op, std::move(result), data, out);
}

/// Row i of the update goes to row position + i of the cache.
static Evaluated cacheUpdate(nn::CacheUpdateOp op, Operands in,
                             const TensorInfo &out) {
  const TensorInfo &cache = in[0].info, &update = in[1].info;
  int64_t axis = static_cast<int64_t>(op.getAxis());
  std::vector<int64_t> positions(cache.shape[0], 0);
  if (op.getPosition())
    positions = readIntegers(in[2]);
  Result<HostTensor> rows = alike(op, in[1], cache);
  if (!rows)
    return rows.takeError();
  HostTensor result = copyOf(in[0]);
  ArrayRef<int64_t> shape(cache.shape);
  int64_t length = shape[axis], count = update.shape[axis];
  int64_t outer = product(shape.take_front(axis));
  size_t block = product(shape.drop_front(axis + 1)) * byteSize(cache.dtype);
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < count; ++i) {
      int64_t row = positions[o / (outer / shape[0])] + i;
      if (op.getCircular())
        row = (row % length + length) % length;
      if (row < 0 || row >= length)
        return outside(op, row, axis, cache);
      std::memcpy(result.data.data() + (o * length + row) * block,
                  rows->data.data() + (o * count + i) * block, block);
    }
  return requantized(op, std::move(result), cache, out);
}

/// Element t of a sample comes from lengths - 1 - t while that is not negative.
static Evaluated reverseSequence(nn::ReverseSequenceOp op, Operands in,
                                 const TensorInfo &out) {
  const TensorInfo &input = in[0].info;
  int64_t time = static_cast<int64_t>(op.getTimeAxis());
  int64_t batch = static_cast<int64_t>(op.getBatchAxis());
  std::vector<int64_t> lengths = readIntegers(in[1]);
  for (int64_t length : lengths)
    if (length < 0 || length > input.shape[time])
      return failure(op,
                     "a length is " + std::to_string(length) + ", but axis " +
                         std::to_string(time) + " of " +
                         shapeString(input.shape) + " is shorter",
                     ExitCode::InvalidInput);
  std::vector<int64_t> stride = strides(input.shape);
  HostTensor result(input.dtype, input.shape);
  size_t width = byteSize(input.dtype);
  for (int64_t i = 0, e = input.size(); i < e; ++i) {
    int64_t t = i / stride[time] % input.shape[time];
    int64_t n = lengths[i / stride[batch] % input.shape[batch]];
    int64_t from = t < n ? n - 1 - t : t;
    std::memcpy(result.data.data() + i * width,
                in[0].data + (i + (from - t) * stride[time]) * width, width);
  }
  return requantized(op, std::move(result), input, out);
}

/// A stable sort of every row; not-a-number comes first when descending.
static EvaluatedAll topK(nn::TopKOp op, Operands in, ArrayRef<TensorInfo> out) {
  const TensorInfo &input = in[0].info;
  int64_t axis = static_cast<int64_t>(op.getAxis());
  int64_t k = static_cast<int64_t>(op.getK());
  bool smallest = op.getSmallest();
  HostTensor values(input.dtype, out[0].shape);
  HostTensor indices(DType::I64, out[1].shape);
  ArrayRef<int64_t> shape(input.shape);
  int64_t outer = product(shape.take_front(axis)), extent = shape[axis];
  int64_t inner = product(shape.drop_front(axis + 1));
  bool known = visitNumber(input.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *from = in[0].as<T>();
    std::vector<int64_t> order(extent);
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t i = 0; i < inner; ++i) {
        auto at = [&](int64_t j) { return from[(o * extent + j) * inner + i]; };
        // A strict weak order over all values: NaN counts as the largest.
        auto less = [&](T a, T b) { return a == a ? b != b || a < b : false; };
        std::iota(order.begin(), order.end(), 0);
        std::partial_sort(order.begin(), order.begin() + k, order.end(),
                          [&](int64_t a, int64_t b) {
                            T x = at(a), y = at(b);
                            if (less(x, y) || less(y, x))
                              return smallest ? less(x, y) : less(y, x);
                            return a < b;
                          });
        for (int64_t j = 0; j < k; ++j) {
          int64_t to = (o * k + j) * inner + i;
          values.as<T>()[to] = at(order[j]);
          indices.as<int64_t>()[to] = order[j];
        }
      }
  });
  if (!known)
    return failure(op, std::string("cannot sort values of type ") +
                           name(input.dtype));
  Result<HostTensor> sorted =
      requantized(op, std::move(values), likeData(input, out[0]), out[0]);
  if (!sorted)
    return sorted.takeError();
  std::vector<HostTensor> results;
  results.push_back(std::move(*sorted));
  results.push_back(std::move(indices));
  return results;
}

std::optional<EvaluatedAll> evaluateIndexing(Operation *op, Operands in,
                                             Outputs out) {
  return Family{op, in, out}
      .add<nn::GatherOp>(gather)
      .add<nn::GatherElementsOp>(gatherElements)
      .add<nn::GatherNdOp>(gatherNd)
      .add<nn::ScatterElementsOp>(scatterElements)
      .add<nn::ScatterNdOp>(scatterNd)
      .add<nn::CacheUpdateOp>(cacheUpdate)
      .add<nn::ReverseSequenceOp>(reverseSequence)
      .add<nn::TopKOp>(topK)
      .take();
}

} // namespace cimc::reference
