//===- CIMEvaluatorVector.cpp - general vector operations of cim -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CIMOperations.h"

#include "cimc/Reference/Evaluator.h"
#include "cimc/Support/VectorOps.h"

#include "llvm/ADT/TypeSwitch.h"

#include <array>

using namespace mlir;

namespace cimc::reference {
namespace {

using Inputs = const std::vector<const HostTensor *> &;

/// Walks the pixels of a result; operand dimensions of 1 are broadcast.
struct Broadcast {
  explicit Broadcast(const HostTensor &tensor)
      : data(tensor.data.data()), width(byteSize(tensor.type)),
        step(tensor.shape[2] == 1 ? 0 : 1),
        row(tensor.shape[0] == 1 ? 0 : tensor.shape[1] * tensor.shape[2]),
        pixel(tensor.shape[1] == 1 ? 0 : tensor.shape[2]) {}
  const std::byte *at(int64_t r, int64_t p) const {
    return data + (r * row + p * pixel) * static_cast<int64_t>(width);
  }
  const std::byte *data;
  size_t width;
  int64_t step, row, pixel;
};

/// Calls fn(row, pixel, where the result's channels go).
template <typename Fn> void forPixels(HostTensor &result, Fn fn) {
  auto bytes = static_cast<int64_t>(byteSize(result.type)) * result.shape[2];
  std::byte *to = result.data.data();
  for (int64_t r = 0; r < result.shape[0]; ++r)
    for (int64_t p = 0; p < result.shape[1]; ++p, to += bytes)
      fn(r, p, to);
}

template <typename Op> numerics::Reduction reductionOf(Op op) {
  numerics::Reduction reduction = numerics::Reduction::Sum;
  numerics::parseReduction(op.getFunction().str().c_str(), reduction);
  return reduction;
}

HostTensor map(cim::MapOp op, Inputs in, HostTensor result) {
  numerics::Function function = numerics::Function::Identity;
  numerics::parseFunction(op.getFunction().str().c_str(), function);
  float alpha = op.getAlpha().convertToFloat();
  float beta = op.getBeta().convertToFloat();
  Broadcast a(*in[0]), b(*in.back());
  int64_t channels = result.shape[2];
  forPixels(result, [&](int64_t r, int64_t p, std::byte *to) {
    numerics::mapElements(function, in[0]->type, a.at(r, p), a.step, b.at(r, p),
                          b.step, to, channels, alpha, beta);
  });
  return result;
}

HostTensor select(cim::SelectOp, Inputs in, HostTensor result) {
  Broadcast c(*in[0]), a(*in[1]), b(*in[2]);
  forPixels(result, [&](int64_t r, int64_t p, std::byte *to) {
    numerics::selectElements(static_cast<int64_t>(a.width),
                             reinterpret_cast<const uint8_t *>(c.at(r, p)),
                             c.step, a.at(r, p), a.step, b.at(r, p), b.step, to,
                             result.shape[2]);
  });
  return result;
}

HostTensor convert(cim::ConvertOp, Inputs in, HostTensor result) {
  numerics::convertElements(in[0]->type, in[0]->data.data(), result.type,
                            result.data.data(), result.size());
  return result;
}

/// An operation on the channels of each pixel.
template <typename Fn>
HostTensor onPixels(Inputs in, HostTensor result, Fn fn) {
  Broadcast x(*in[0]);
  forPixels(result, [&](int64_t r, int64_t p, std::byte *to) {
    fn(in[0]->type, x.at(r, p), in[0]->shape[2], to);
  });
  return result;
}

HostTensor reduce(cim::ReduceOp op, Inputs in, HostTensor result) {
  numerics::Reduction reduction = reductionOf(op);
  return onPixels(in, std::move(result),
                  [&](DType type, const void *x, int64_t n, void *to) {
                    numerics::reduce(reduction, type, x, n, to);
                  });
}

HostTensor scan(cim::ScanOp op, Inputs in, HostTensor result) {
  numerics::Reduction reduction = reductionOf(op);
  return onPixels(in, std::move(result),
                  [&](DType type, const void *x, int64_t n, void *to) {
                    numerics::scan(reduction, type, x, to, n, op.getExclusive(),
                                   op.getReverse());
                  });
}

HostTensor topK(cim::TopKOp op, Inputs in, HostTensor result) {
  int64_t k = result.shape[2];
  return onPixels(in, std::move(result),
                  [&](DType type, const void *x, int64_t n, void *to) {
                    numerics::topK(type, x, n, k, op.getSmallest(),
                                   op.getIndices(), to);
                  });
}

HostTensor gather(cim::GatherOp op, Inputs in, HostTensor result) {
  auto block = static_cast<int64_t>(op.getBlock());
  numerics::gather(in[0]->data.data(), in[0]->size() / block,
                   block * static_cast<int64_t>(byteSize(result.type)),
                   in[1]->as<int32_t>(), in[1]->size(), result.data.data());
  return result;
}

HostTensor scatter(cim::ScatterOp op, Inputs in, HostTensor result) {
  auto block = static_cast<int64_t>(op.getBlock());
  result.data = in[0]->data;
  numerics::scatter(reductionOf(op), result.type, result.data.data(),
                    result.size() / block, block, in[1]->as<int32_t>(),
                    in[1]->size(), in[2]->data.data());
  return result;
}

HostTensor matmul(cim::MatMulF32Op op, Inputs in, HostTensor result) {
  const std::vector<int64_t> &a = in[0]->shape, &b = in[1]->shape;
  for (int64_t r = 0; r < a[0]; ++r)
    numerics::matmulF32(in[0]->as<float>() + r * a[1] * a[2],
                        in[1]->as<float>() +
                            (op.getShared() ? 0 : r * b[1] * b[2]),
                        result.as<float>() + r * a[1] * result.shape[2], a[1],
                        a[2], result.shape[2], op.getTransposeB());
  return result;
}

HostTensor sumPool(cim::SumPoolOp op, Inputs in, HostTensor result) {
  cim::WindowAttr w = op.getWindow();
  const std::vector<int64_t> &shape = in[0]->shape;
  int64_t channels = shape[2];
  forPixels(result, [&](int64_t r, int64_t p, std::byte *to) {
    auto *sums = reinterpret_cast<float *>(to);
    for (int64_t i = 0; i < w.getKernel()[0]; ++i)
      for (int64_t j = 0; j < w.getKernel()[1]; ++j) {
        int64_t y = r * w.getStride()[0] - w.getPad()[0] +
                    i * w.getDilation()[0],
                x = p * w.getStride()[1] - w.getPad()[1] +
                    j * w.getDilation()[1];
        if (y >= 0 && y < shape[0] && x >= 0 && x < shape[1])
          numerics::addElements(
              sums, in[0]->as<float>() + (y * shape[1] + x) * channels,
              channels);
      }
  });
  return result;
}

} // namespace

Result<HostTensor> evaluateVectorOp(Operation *op, Inputs in,
                                    HostTensor result) {
  using R = Result<HostTensor>;
  auto with = [&](auto fn) {
    return [&, fn](auto concrete) {
      return R(fn(concrete, in, std::move(result)));
    };
  };
  return llvm::TypeSwitch<Operation *, R>(op)
      .Case<cim::MapOp>(with(map))
      .Case<cim::SelectOp>(with(select))
      .Case<cim::ConvertOp>(with(convert))
      .Case<cim::ReduceOp>(with(reduce))
      .Case<cim::ScanOp>(with(scan))
      .Case<cim::TopKOp>(with(topK))
      .Case<cim::GatherOp>(with(gather))
      .Case<cim::ScatterOp>(with(scatter))
      .Case<cim::MatMulF32Op>(with(matmul))
      .Case<cim::SumPoolOp>(with(sumPool))
      .Default([](Operation *other) {
        return R(Error{ExitCode::Unsupported,
                       "'" + other->getName().getStringRef().str() +
                           "' cannot be evaluated"});
      });
}

} // namespace cimc::reference
