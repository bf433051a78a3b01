//===- NNMatMul.cpp - nn.matmul -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IntegerPlanes.h"
#include "NNOperations.h"

#include "cimc/Support/Gemm.h"

#include <algorithm>

using namespace mlir;

namespace cimc::reference {

namespace {

/// One operand of a matrix product: a stack of matrices.
struct Stack {
  /// Extents and strides (0 where broadcast) of the batch axes of the result.
  std::vector<int64_t> strides;
  int64_t rows, columns, rowStride, columnStride;
  /// Axes of the operand that are the matrix's rows and columns; -1: none.
  int64_t rowAxis, columnAxis;
};

/// Reads an operand's shape like numpy's matmul; `left` for the first one.
Stack readStack(const TensorInfo &info, bool transposed, bool left,
                size_t batchRank) {
  Stack s;
  int64_t rank = info.rank();
  if (rank == 1) {
    int64_t n = info.shape[0];
    s = left ? Stack{{}, 1, n, n, 1, -1, 0} : Stack{{}, n, 1, 1, 1, 0, -1};
  } else {
    int64_t outer = info.shape[rank - 2], inner = info.shape[rank - 1];
    s = transposed ? Stack{{}, inner, outer, 1, inner, rank - 1, rank - 2}
                   : Stack{{}, outer, inner, inner, 1, rank - 2, rank - 1};
  }
  s.strides.assign(batchRank, 0);
  int64_t stride = s.rows * s.columns;
  for (int64_t axis = rank - 3, b = static_cast<int64_t>(batchRank) - 1;
       axis >= 0 && b >= 0; --axis, --b) {
    s.strides[b] = info.shape[axis] == 1 ? 0 : stride;
    stride *= info.shape[axis];
  }
  return s;
}

/// What a product does, apart from its element type.
struct Product {
  Stack a, b;
  std::vector<int64_t> batch;

  int64_t m() const { return a.rows; }
  int64_t n() const { return b.columns; }
  int64_t k() const { return a.columns; }
  int64_t batches() const {
    int64_t count = 1;
    for (int64_t extent : batch)
      count *= extent;
    return count;
  }

  /// body(index, offset in a, offset in b) for every matrix of the result.
  template <typename Body> void forEachBatch(Body body) const {
    for (int64_t index = 0; index < batches(); ++index) {
      int64_t offsetA = 0, offsetB = 0, rest = index;
      for (size_t axis = batch.size(); axis-- > 0;) {
        offsetA += rest % batch[axis] * a.strides[axis];
        offsetB += rest % batch[axis] * b.strides[axis];
        rest /= batch[axis];
      }
      body(index, offsetA, offsetB);
    }
  }

  /// result[batch][m][n] in one buffer.
  template <typename T, typename Sum>
  void compute(const T *left, const T *right, Sum *result) const {
    forEachBatch([&](int64_t index, int64_t offsetA, int64_t offsetB) {
      gemm(m(), n(), k(),
           MatrixRef<const T>{left + offsetA, a.rowStride, a.columnStride},
           MatrixRef<const T>{right + offsetB, b.rowStride, b.columnStride},
           MatrixRef<Sum>{result + index * m() * n(), n(), 1});
    });
  }
};

/// Broadcasts the batch axes; nothing where the shapes do not agree.
std::optional<Product> readProduct(nn::MatMulOp op, const TensorInfo &a,
                                   const TensorInfo &b, const TensorInfo &out) {
  if (a.rank() < 1 || b.rank() < 1)
    return std::nullopt;
  int64_t batchA = std::max<int64_t>(a.rank() - 2, 0);
  int64_t batchB = std::max<int64_t>(b.rank() - 2, 0);
  Product p;
  p.batch.assign(std::max(batchA, batchB), 1);
  for (size_t i = 1; i <= p.batch.size(); ++i) {
    int64_t extentA =
        i <= static_cast<size_t>(batchA) ? a.shape[batchA - i] : 1;
    int64_t extentB =
        i <= static_cast<size_t>(batchB) ? b.shape[batchB - i] : 1;
    if (extentA != extentB && extentA != 1 && extentB != 1)
      return std::nullopt;
    p.batch[p.batch.size() - i] = extentA == 1 ? extentB : extentA;
  }
  p.a = readStack(a, op.getTransposeA(), true, p.batch.size());
  p.b = readStack(b, op.getTransposeB(), false, p.batch.size());
  if (p.a.columns != p.b.rows || p.batches() * p.m() * p.n() != out.size())
    return std::nullopt;
  // Many samples times one matrix are one product of taller matrices.
  if (batchB == 0 && !op.getTransposeA() && a.rank() > 2 &&
      !(a.quant && a.quant->perAxis())) {
    p.a.rows *= p.batches();
    p.batch.clear();
  }
  return p;
}

/// Rule R14: every row of `a` has a range of its own.
Evaluated rangedProduct(nn::MatMulOp op, const Product &p, Operands in,
                        const Operand *bias, HostTensor result) {
  const Quantization &weight = *in[1].info.quant;
  if (weight.perAxis() && weight.axis != p.b.columnAxis)
    return failure(op, "scales per axis must go with the columns of the second "
                       "operand");
  int32_t levels =
      op.getNonnegative() ? numerics::kUnsignedLevels : numerics::kSignedLevels;
  std::vector<IntegerPlane> planes = integerPlanes(in[1]);
  int64_t m = p.m(), n = p.n(), k = p.k();
  std::vector<float> row(k), steps(m);
  std::vector<int16_t> left(m * k);
  std::vector<int32_t> sums(m * n), part(m * n);
  float *to = result.as<float>();
  p.forEachBatch([&](int64_t, int64_t offsetA, int64_t offsetB) {
    const float *x = in[0].as<float>() + offsetA;
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < k; ++j)
        row[j] = x[i * p.a.rowStride + j * p.a.columnStride];
      steps[i] = quantizeSet(row.data(), k, levels, &left[i * k]);
    }
    std::fill(sums.begin(), sums.end(), 0);
    for (const IntegerPlane &w : planes) {
      gemm(m, n, k, MatrixRef<const int16_t>{left.data(), k, 1},
           MatrixRef<const int16_t>{w.values.data() + offsetB, p.b.rowStride,
                                    p.b.columnStride},
           MatrixRef<int32_t>{part.data(), n, 1});
      for (size_t i = 0; i < sums.size(); ++i)
        sums[i] = numerics::addWrapping(sums[i], part[i] * w.factor);
    }
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j)
        *to++ =
            numerics::combineByStep(sums[i * n + j], steps[i], weight.scale(j),
                                    bias ? bias->as<float>()[j] : 0.0f);
  });
  return result;
}

} // namespace

float quantizeSet(const float *values, int64_t count, int32_t levels,
                  int16_t *integers) {
  float largest = 0.0f;
  for (int64_t i = 0; i < count; ++i)
    largest = numerics::largerMagnitude(largest,
                                        numerics::inRange(values[i], levels));
  float step = numerics::rangeStep(largest, levels);
  for (int64_t i = 0; i < count; ++i)
    integers[i] =
        static_cast<int16_t>(numerics::quantizeByStep(values[i], step, levels));
  return step;
}

/// Float: products summed in gemm's order, then the bias. Quantized: R1 to R3;
/// scales of `b` may go with columns and those of `a` with rows.
Evaluated matMul(nn::MatMulOp op, Operands in, const TensorInfo &out) {
  const TensorInfo &a = in[0].info, &b = in[1].info;
  std::optional<Product> product = readProduct(op, a, b, out);
  if (!product)
    return failure(op, "the shapes do not describe a matrix product",
                   ExitCode::InvalidInput);
  const Product &p = *product;
  int64_t columns = p.n(), rows = columns ? out.size() / columns : 0;
  const Operand *bias = in.size() > 2 ? &in[2] : nullptr;
  if (bias && bias->info.size() != columns)
    return failure(op, "the bias must have one element per column",
                   ExitCode::InvalidInput);
  HostTensor result(out.dtype, out.shape);

  if (a.isFloat() && b.isFloat() && out.isFloat()) {
    if (bias && !bias->info.isFloat())
      return failure(op, "the bias of a float product must be f32");
    float *y = result.as<float>();
    p.compute(in[0].as<float>(), in[1].as<float>(), y);
    for (int64_t i = 0; bias && i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        y[i * columns + j] += bias->as<float>()[j];
    return result;
  }

  if (a.isFloat() && b.quant && out.isFloat()) {
    if (bias && !bias->info.isFloat())
      return failure(op,
                     "the bias of a product with an f32 result must be f32");
    return rangedProduct(op, p, in, bias, std::move(result));
  }

  if (!a.quant && !b.quant && !out.quant && !bias && out.dtype == DType::I32) {
    auto x = shortIntegers(in[0]), y = shortIntegers(in[1]);
    if (!x || !y)
      return failure(op, "multiplies plain integers of at most 16 bits");
    p.compute(x->data(), y->data(), result.as<int32_t>());
    return result;
  }
  bool isReal = a.quant && b.quant && out.isFloat();
  if (isReal && b.rank() != 2)
    return failure(op, "an f32 result of integers takes a matrix of weights");
  if (!isReal && (!a.quant || !b.quant || !out.quant))
    return failure(op, "both operands and the result must all be f32 or all be "
                       "quantized");
  if ((a.quant->perAxis() && a.quant->axis != p.a.rowAxis) ||
      (b.quant->perAxis() && b.quant->axis != p.b.columnAxis) ||
      (isReal ? a.quant->perAxis() : out.quant->perAxis()))
    return failure(op, "scales per axis must go with the rows of the first or "
                       "the columns of the second operand");
  if (bias && (isReal ? !bias->info.isFloat() : bias->info.dtype != DType::I32))
    return failure(op, "the bias of a quantized product must be i32, that of a "
                       "product with an f32 result f32");
  std::vector<int32_t> sums(out.size());
  std::vector<IntegerPlane> left = integerPlanes(in[0]);
  std::vector<IntegerPlane> right = integerPlanes(in[1]);
  bool simple = left.size() == 1 && right.size() == 1;
  std::vector<int32_t> part(simple ? 0 : sums.size());
  for (const IntegerPlane &x : left) {
    for (const IntegerPlane &w : right) {
      p.compute(x.values.data(), w.values.data(),
                simple ? sums.data() : part.data());
      uint32_t factor = static_cast<uint32_t>(x.factor * w.factor);
      for (size_t i = 0; i < part.size(); ++i)
        sums[i] = numerics::addWrapping(
            sums[i],
            static_cast<int32_t>(static_cast<uint32_t>(part[i]) * factor));
    }
  }
  if (isReal) {
    // One matrix of weights for all rows.
    std::vector<int32_t> weights(columns, 0);
    for (const IntegerPlane &w : right)
      for (int64_t j = 0; j < columns; ++j)
        for (int64_t l = 0; l < p.k(); ++l)
          weights[j] +=
              w.factor * w.values[l * p.b.rowStride + j * p.b.columnStride];
    FixedStep real{a.quant->scale(), a.quant->zero()};
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        result.as<float>()[i * columns + j] =
            real(sums[i * columns + j], b.quant->scale(j), weights[j],
                 bias ? bias->as<float>()[j] : 0.0f);
    return result;
  }
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      float multiplier = numerics::multiplier(
          a.quant->scale(i % p.m()), b.quant->scale(j), out.quant->scale());
      int32_t &sum = sums[i * columns + j];
      int32_t offset = bias ? bias->as<int32_t>()[j] : 0;
      sum = numerics::requantize(numerics::addWrapping(sum, offset), multiplier,
                                 out.quant->zero(), out.quant->range);
    }
  }
  return fromIntegers(sums, out);
}

std::optional<EvaluatedAll> evaluateWeighted(Operation *op, Operands in,
                                             Outputs out) {
  return Family{op, in, out}
      .add<nn::ConvOp>([](nn::ConvOp op, Operands in, const TensorInfo &out) {
        return convolution(op, in, out);
      })
      .add<nn::MatMulOp>(matMul)
      .add<nn::ConvTransposeOp>(convTranspose)
      .take();
}

} // namespace cimc::reference
