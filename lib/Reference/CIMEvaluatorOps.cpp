//===- CIMEvaluatorOps.cpp - cim operations without a window -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CIMOperations.h"

#include "cimc/Reference/Elements.h"
#include "cimc/Reference/Evaluator.h"
#include "cimc/Support/Gemm.h"
#include "cimc/Support/Numerics.h"
#include "cimc/Support/VectorOps.h"

#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <array>
#include <cstring>

using namespace mlir;

namespace cimc::reference {
namespace {

using Inputs = const std::vector<const HostTensor *> &;

/// Element i of an integer tensor.
int32_t integerAt(const HostTensor &tensor, int64_t i) {
  switch (tensor.type) {
  case DType::U8:
    return tensor.as<uint8_t>()[i];
  case DType::I16:
    return tensor.as<int16_t>()[i];
  case DType::U16:
    return tensor.as<uint16_t>()[i];
  case DType::I32:
    return tensor.as<int32_t>()[i];
  default:
    return tensor.as<int8_t>()[i];
  }
}

/// Stores the low bits of an integer.
void setInteger(HostTensor &tensor, int64_t i, int32_t value) {
  if (byteSize(tensor.type) == 2)
    tensor.as<int16_t>()[i] = static_cast<int16_t>(value);
  else
    tensor.as<int8_t>()[i] = static_cast<int8_t>(value);
}

/// Calls fn(result index, index in a, index in b) for operands whose
/// dimensions of 1 are broadcast.
template <typename Fn>
void forBroadcast(const HostTensor &result, const HostTensor &a,
                  const HostTensor &b, Fn fn) {
  auto strides = [&](const HostTensor &t) {
    std::array<int64_t, 3> s = {t.shape[1] * t.shape[2], t.shape[2], 1};
    for (int i = 0; i < 3; ++i)
      if (t.shape[i] == 1)
        s[i] = 0;
    return s;
  };
  std::array<int64_t, 3> sa = strides(a), sb = strides(b);
  int64_t i = 0;
  for (int64_t r = 0; r < result.shape[0]; ++r)
    for (int64_t p = 0; p < result.shape[1]; ++p) {
      int64_t ia = r * sa[0] + p * sa[1], ib = r * sb[0] + p * sb[1];
      for (int64_t c = 0; c < result.shape[2]; ++c, ++i)
        fn(i, ia + c * sa[2], ib + c * sb[2]);
    }
}

HostTensor sum(cim::SumOp, Inputs in, HostTensor result) {
  auto *to = result.as<int32_t>();
  for (const HostTensor *term : in)
    for (int64_t i = 0, size = result.size(); i < size; ++i)
      to[i] = numerics::addWrapping(to[i], term->as<int32_t>()[i]);
  return result;
}

HostTensor requantize(cim::RequantizeOp op, Inputs in, HostTensor result) {
  ArrayRef<int32_t> bias = op.getBias();
  ArrayRef<float> multiplier = op.getMultiplier();
  numerics::Range range{static_cast<int32_t>(op.getLow()),
                        static_cast<int32_t>(op.getHigh())};
  auto zero = static_cast<int32_t>(op.getZero());
  int64_t channels = result.shape[2];
  for (int64_t i = 0, size = result.size(); i < size; ++i) {
    int64_t c = i % channels;
    int32_t acc = numerics::addWrapping(in[0]->as<int32_t>()[i],
                                        bias[bias.size() == 1 ? 0 : c]);
    setInteger(result, i,
               numerics::requantize(acc,
                                    multiplier[multiplier.size() == 1 ? 0 : c],
                                    zero, range));
  }
  return result;
}

HostTensor combine(cim::CombineOp op, Inputs in, HostTensor result) {
  ArrayRef<float> units = op.getWeightUnits(), bias = op.getBias();
  int64_t channels = result.shape[2], row = result.shape[1] * channels;
  const auto *sums = in[0]->as<int32_t>();
  for (int64_t i = 0, size = result.size(); i < size; ++i) {
    int64_t c = i % channels;
    float unitX = in[1]->as<float>()[i / row];
    float unitW = units[units.size() == 1 ? 0 : c];
    float b = bias[bias.size() == 1 ? 0 : c];
    result.as<float>()[i] =
        op.getDigits() == 1
            ? numerics::combineByStep(sums[i], unitX, unitW, b)
            : numerics::wideCombine(sums + i * numerics::kWideDigits, unitX,
                                    unitW, b);
  }
  return result;
}

HostTensor add(cim::AddOp op, Inputs in, HostTensor result) {
  numerics::AddConstants constants{op.getRa().convertToFloat(),
                                   op.getRb().convertToFloat(),
                                   op.getF().convertToFloat()};
  numerics::Range range{static_cast<int32_t>(op.getLow()),
                        static_cast<int32_t>(op.getHigh())};
  forBroadcast(result, *in[0], *in[1], [&](int64_t i, int64_t a, int64_t b) {
    setInteger(result, i,
               numerics::add(integerAt(*in[0], a), integerAt(*in[1], b),
                             constants, range));
  });
  return result;
}

HostTensor mul(cim::MulOp op, Inputs in, HostTensor result) {
  float r = op.getR().convertToFloat();
  auto za = static_cast<int32_t>(op.getZa()),
       zb = static_cast<int32_t>(op.getZb()),
       zc = static_cast<int32_t>(op.getZc());
  numerics::Range range{static_cast<int32_t>(op.getLow()),
                        static_cast<int32_t>(op.getHigh())};
  forBroadcast(result, *in[0], *in[1], [&](int64_t i, int64_t a, int64_t b) {
    setInteger(result, i,
               numerics::mul(integerAt(*in[0], a), za, integerAt(*in[1], b), zb,
                             r, zc, range));
  });
  return result;
}

HostTensor lookup(cim::LookupOp op, Inputs in, HostTensor result) {
  ArrayRef<int8_t> table = op.getTable();
  for (int64_t i = 0, size = result.size(); i < size; ++i)
    result.as<int8_t>()[i] = table[in[0]->as<uint8_t>()[i]];
  return result;
}

HostTensor rowSum(cim::RowSumOp, Inputs in, HostTensor result) {
  int64_t channels = result.shape[2];
  if (result.type == DType::F32) {
    for (int64_t i = 0, size = in[0]->size(); i < size; i += channels)
      numerics::addElements(result.as<float>(), in[0]->as<float>() + i,
                            channels);
    return result;
  }
  auto *sums = result.as<int32_t>();
  withBytes(*in[0], [&](auto *x) {
    for (int64_t i = 0, size = in[0]->size(); i < size; ++i)
      sums[i % channels] = numerics::addWrapping(sums[i % channels], x[i]);
  });
  return result;
}

HostTensor softmax(cim::SoftmaxOp op, Inputs in, HostTensor result) {
  std::array<float, 256> table;
  std::copy(op.getTable().begin(), op.getTable().end(), table.begin());
  int64_t length = result.shape[2];
  for (int64_t i = 0, size = result.size(); i < size; i += length)
    numerics::softmaxRow(in[0]->as<uint8_t>() + i, result.as<uint8_t>() + i,
                         length, in[0]->type == DType::I8, table,
                         op.getY().convertToFloat(),
                         static_cast<int32_t>(op.getZero()));
  return result;
}

HostTensor softmaxF32(cim::SoftmaxF32Op, Inputs in, HostTensor result) {
  int64_t length = result.shape[2];
  for (int64_t i = 0, size = result.size(); i < size; i += length)
    numerics::softmaxF32(in[0]->as<float>() + i, result.as<float>() + i,
                         length);
  return result;
}

HostTensor matMul(cim::MatMulOp op, Inputs in, HostTensor result) {
  auto batch = static_cast<int64_t>(op.getBatch());
  auto m = static_cast<int64_t>(op.getM()), k = static_cast<int64_t>(op.getK()),
       n = static_cast<int64_t>(op.getN());
  auto shifted = [](const HostTensor &tensor, int32_t zero) {
    std::vector<int16_t> values(static_cast<size_t>(tensor.size()));
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<int16_t>(
          integerAt(tensor, static_cast<int64_t>(i)) - zero);
    return values;
  };
  std::vector<int16_t> a = shifted(*in[0], static_cast<int32_t>(op.getZa()));
  std::vector<int16_t> b = shifted(*in[1], static_cast<int32_t>(op.getZb()));
  bool transposed = op.getTransposeB();
  for (int64_t i = 0; i < batch; ++i)
    gemm(m, n, k, MatrixRef<const int16_t>{a.data() + i * m * k, k, 1},
         MatrixRef<const int16_t>{b.data() + i * k * n, transposed ? 1 : n,
                                  transposed ? k : 1},
         MatrixRef<int32_t>{result.as<int32_t>() + i * m * n, n, 1});
  return result;
}

HostTensor quantize(cim::QuantizeOp op, Inputs in, HostTensor result) {
  float scale = op.getScale().convertToFloat();
  auto zero = static_cast<int32_t>(op.getZero());
  numerics::Range range = rangeOf(result.type);
  for (int64_t i = 0, size = result.size(); i < size; ++i)
    setInteger(result, i,
               numerics::quantize(in[0]->as<float>()[i], scale, zero, range));
  return result;
}

HostTensor dequantize(cim::DequantizeOp op, Inputs in, HostTensor result) {
  float scale = op.getScale().convertToFloat();
  auto zero = static_cast<int32_t>(op.getZero());
  for (int64_t i = 0, size = result.size(); i < size; ++i)
    result.as<float>()[i] =
        numerics::dequantize(integerAt(*in[0], i), scale, zero);
  return result;
}

HostTensor concat(cim::ConcatOp op, Inputs in, HostTensor result) {
  size_t width = byteSize(result.type);
  auto axis = static_cast<size_t>(op.getAxis());
  size_t outer = 1, inner = width;
  for (size_t i = 0; i < 3; ++i)
    (i < axis ? outer : inner) *=
        i == axis ? 1 : static_cast<size_t>(result.shape[i]);
  std::byte *to = result.data.data();
  for (size_t o = 0; o < outer; ++o)
    for (const HostTensor *part : in) {
      size_t bytes = inner * static_cast<size_t>(part->shape[axis]);
      std::memcpy(to, part->data.data() + o * bytes, bytes);
      to += bytes;
    }
  return result;
}

HostTensor slice(cim::SliceOp op, Inputs in, HostTensor result) {
  size_t pixel = byteSize(result.type) * static_cast<size_t>(result.shape[2]);
  size_t from = pixel * static_cast<size_t>(in[0]->shape[1]);
  size_t to = pixel * static_cast<size_t>(result.shape[1]);
  for (int64_t row = 0; row < result.shape[0]; ++row)
    for (int64_t p = 0; p < result.shape[1]; ++p)
      std::memcpy(result.data.data() + row * to + p * pixel,
                  in[0]->data.data() +
                      (op.getRowBegin() + row * op.getRowStep()) * from +
                      (op.getBegin() + p * op.getStep()) * pixel,
                  pixel);
  return result;
}

HostTensor interleave(cim::InterleaveOp, Inputs in, HostTensor result) {
  size_t bytes = byteSize(result.type) *
                 static_cast<size_t>(result.shape[1] * result.shape[2]);
  for (int64_t row = 0; row < result.shape[0]; ++row)
    std::memcpy(result.data.data() + row * bytes,
                in[row % in.size()]->data.data() + row / in.size() * bytes,
                bytes);
  return result;
}

HostTensor move(cim::MoveOp op, Inputs in, HostTensor result) {
  size_t width = byteSize(result.type);
  auto fill = static_cast<int64_t>(op.getFill());
  for (int64_t i = 0, size = result.size(); i < size; ++i)
    std::memcpy(result.data.data() + i * width, &fill, width);
  ArrayRef<int64_t> counts = op.getCounts();
  std::vector<int64_t> index(counts.size(), 0);
  auto src = static_cast<int64_t>(op.getSrcOffset());
  auto dst = static_cast<int64_t>(op.getDstOffset());
  while (true) {
    std::memcpy(result.data.data() + dst * width,
                in[0]->data.data() + src * width, width);
    size_t axis = counts.size();
    while (axis-- > 0) {
      src += op.getSrcStrides()[axis];
      dst += op.getDstStrides()[axis];
      if (++index[axis] < counts[axis])
        break;
      src -= op.getSrcStrides()[axis] * counts[axis];
      dst -= op.getDstStrides()[axis] * counts[axis];
      index[axis] = 0;
    }
    if (axis == static_cast<size_t>(-1))
      return result;
  }
}

} // namespace

Result<HostTensor> emptyMap(Operation *op, Type type) {
  auto map = dyn_cast<RankedTensorType>(type);
  std::optional<DType> element =
      map ? elementDType(map.getElementType()) : std::nullopt;
  if (!element || !map.hasStaticShape() || map.getRank() != 3)
    return Error{ExitCode::InvalidInput,
                 "the result of '" + op->getName().getStringRef().str() +
                     "' is no feature map"};
  return HostTensor(*element, map.getShape().vec());
}

Result<HostTensor> evaluateCIMOp(Operation *op, Inputs in, int64_t rows) {
  if (!isa<cim::StreamOpInterface>(op))
    return Error{ExitCode::InvalidInput,
                 "'" + op->getName().getStringRef().str() +
                     "' does not belong to the cim level"};
  Result<HostTensor> empty = emptyMap(op, op->getResult(0).getType());
  if (!empty)
    return empty;
  HostTensor result = std::move(*empty);
  if (rows >= 0)
    result = HostTensor(result.type, {rows, result.shape[1], result.shape[2]});
  using R = Result<HostTensor>;
  auto with = [&](auto fn) {
    return [&, fn](auto concrete) {
      return R(fn(concrete, in, std::move(result)));
    };
  };
  return llvm::TypeSwitch<Operation *, R>(op)
      .Case<cim::MvmOp, cim::DepthwiseOp, cim::MaxPoolOp, cim::AvgPoolOp,
            cim::UnitOp>([&](auto o) {
        return evaluateWindowOp(o, *in[0], std::move(result));
      })
      .Case<cim::ConstantOp>([&](auto o) {
        HostTensor value = toHostTensor(o.getValue());
        value.shape = result.shape;
        return R(std::move(value));
      })
      .Case<cim::ReshapeOp>([&](auto) {
        result.data = in[0]->data;
        return R(std::move(result));
      })
      .Case<cim::DigitsOp>([&](auto o) {
        return R(evaluateDigits(o, *in[0], *in[1], std::move(result)));
      })
      .Case<cim::CombineOp>(with(combine))
      .Case<cim::SumOp>(with(sum))
      .Case<cim::RequantizeOp>(with(requantize))
      .Case<cim::AddOp>(with(add))
      .Case<cim::MulOp>(with(mul))
      .Case<cim::LookupOp>(with(lookup))
      .Case<cim::RowSumOp>(with(rowSum))
      .Case<cim::SoftmaxOp>(with(softmax))
      .Case<cim::SoftmaxF32Op>(with(softmaxF32))
      .Case<cim::MatMulOp>(with(matMul))
      .Case<cim::QuantizeOp>(with(quantize))
      .Case<cim::DequantizeOp>(with(dequantize))
      .Case<cim::ConcatOp>(with(concat))
      .Case<cim::SliceOp>(with(slice))
      .Case<cim::InterleaveOp>(with(interleave))
      .Case<cim::MoveOp>(with(move))
      .Default([&](Operation *other) {
        return evaluateVectorOp(other, in, std::move(result));
      });
}

} // namespace cimc::reference
