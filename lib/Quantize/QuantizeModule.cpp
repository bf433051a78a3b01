//===- QuantizeModule.cpp - post-training quantization ----------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Quantize/Quantize.h"

#include "Constants.h"
#include "Fuse.h"
#include "RangePlan.h"

#include "cimc/Reference/Evaluator.h"
#include "cimc/Support/Parallel.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace cimc::quantization;

namespace cimc {

namespace {

DType dtypeOf(Type type) {
  if (type.isF32())
    return DType::F32;
  if (type.isInteger(64))
    return DType::I64;
  if (type.isInteger(32))
    return DType::I32;
  if (type.isInteger(1))
    return DType::Bool;
  return type.isUnsignedInteger(8) ? DType::U8 : DType::I8;
}

Status checkSample(func::FuncOp entry, const std::vector<HostTensor> &sample,
                   int64_t index) {
  auto where = "calibration sample " + std::to_string(index);
  if (sample.size() != entry.getNumArguments())
    return Error{ExitCode::InvalidInput,
                 where + " has " + std::to_string(sample.size()) +
                     " tensors, but the model has " +
                     std::to_string(entry.getNumArguments()) + " inputs"};
  for (auto [i, argument] : llvm::enumerate(entry.getArguments())) {
    auto type = cast<RankedTensorType>(argument.getType());
    std::vector<int64_t> shape(type.getShape());
    std::string name = "input " + std::to_string(i);
    if (auto attr = entry.getArgAttrOfType<StringAttr>(i, "nn.name"))
      name = "'" + attr.getValue().str() + "'";
    DType expected = dtypeOf(type.getElementType());
    if (sample[i].shape != shape || sample[i].type != expected)
      return Error{ExitCode::InvalidInput,
                   where + ": " + name + " is " + cimc::name(sample[i].type) +
                       " " + shapeString(sample[i].shape) +
                       ", but the model takes " + cimc::name(expected) + " " +
                       shapeString(shape)};
  }
  return {};
}

// Fills one histogram per group of the plan.
Status calibrate(ModuleOp module, func::FuncOp entry, SampleSource &samples,
                 unsigned threads, const RangePlan &plan,
                 std::vector<Histogram> &histograms) {
  threads = std::max(1u, threads);
  std::vector<std::vector<Histogram>> partial(threads);
  for (auto &part : partial)
    part.resize(plan.groupCount());
  int64_t done = 0;
  while (true) {
    std::vector<std::vector<HostTensor>> batch;
    while (batch.size() < 4 * static_cast<size_t>(threads)) {
      auto sample = samples.next();
      if (!sample)
        return sample.takeError();
      if (!*sample)
        break;
      int64_t index = done + static_cast<int64_t>(batch.size());
      if (Status status = checkSample(entry, **sample, index); !status)
        return status;
      batch.push_back(std::move(**sample));
    }
    if (batch.empty())
      break;
    std::vector<Status> failures(batch.size());
    parallelForRanges(
        static_cast<int64_t>(batch.size()), threads,
        [&](unsigned thread, int64_t begin, int64_t end) {
          auto count = [&](Value value, const HostTensor &tensor) {
            int64_t group = plan.observedGroup(value);
            if (group >= 0 && tensor.type == DType::F32)
              partial[thread][group].add(tensor.as<float>(), tensor.size());
          };
          for (int64_t i = begin; i < end; ++i) {
            for (auto [argument, tensor] :
                 llvm::zip_equal(entry.getArguments(), batch[i]))
              count(argument, tensor);
            auto outputs = evaluateNN(module, batch[i],
                                      [&](Value value, const HostTensor &t) {
                                        if (!isa<BlockArgument>(value))
                                          count(value, t);
                                      });
            if (!outputs)
              failures[i] = outputs.takeError();
          }
        });
    for (Status &failure : failures)
      if (!failure)
        return failure;
    done += static_cast<int64_t>(batch.size());
  }
  if (done == 0)
    return Error{ExitCode::InvalidInput,
                 "there are no calibration samples; give at least one, better "
                 "100 or more that cover what the model will see"};
  histograms.assign(plan.groupCount(), {});
  for (auto &part : partial)
    for (size_t i = 0; i < part.size(); ++i)
      histograms[i].merge(part[i]);
  return {};
}

class Inserter {
public:
  Inserter(func::FuncOp entry, const RangePlan &plan,
           const QuantizeOptions &options)
      : entry(entry), plan(plan), options(options),
        builder(entry.getContext()) {}

  void run() {
    for (Operation &op : llvm::make_early_inc_range(entry.front())) {
      if (isa<nn::ConvOp, nn::MatMulOp>(op))
        quantizeWeights(&op);
      else if (isa<nn::AddOp, nn::MulOp>(op))
        quantizeNumbers(&op);
    }
    for (Value value : plan.allValues())
      if (plan.isQuantized(value) && !value.use_empty())
        insertPair(value);
    // Constants that were replaced.
    for (Operation &op : llvm::make_early_inc_range(entry.front()))
      if (isa<nn::ConstantOp>(op) && op.use_empty())
        op.erase();
  }

private:
  Value dequantized(Location loc, Value integers) {
    auto type = cast<RankedTensorType>(integers.getType());
    return nn::DequantizeOp::create(
        builder, loc,
        RankedTensorType::get(type.getShape(), builder.getF32Type()), integers);
  }

  void insertPair(Value value) {
    builder.setInsertionPointAfterValue(value);
    AffineParameters p = plan.parameters(value);
    auto type = cast<RankedTensorType>(value.getType());
    Type element = unsignedType(builder.getContext(), p.scale, p.zero);
    auto quantize = nn::QuantizeOp::create(
        builder, value.getLoc(),
        RankedTensorType::get(type.getShape(), element), value);
    Value real = dequantized(value.getLoc(), quantize.getResult());
    value.replaceAllUsesExcept(real, quantize);
  }

  // Symmetric weights, one scale per slice along `axis` (-1: one for all), and
  // where a bias needs it a larger one (rule R7).
  Value symmetric(nn::ConstantOp constant, int64_t axis, float scaleX,
                  const std::vector<float> &bias, Scales &scales) {
    std::vector<float> values = readFloats(constant);
    auto shape = cast<ShapedType>(constant.getResult().getType()).getShape();
    int32_t limit = (1 << (options.weightBits - 1)) - 1;
    scales.axis = axis;
    std::vector<float> largest(axis < 0 ? 1 : shape[axis], 0.0f);
    forEachOnAxis(shape, axis, [&](int64_t i, int64_t at) {
      if (std::isfinite(values[i]))
        largest[at] = std::max(largest[at], std::fabs(values[i]));
    });
    for (size_t c = 0; c < largest.size(); ++c) {
      float scale = largest[c] / static_cast<float>(limit);
      // Half of int32 is left for the products.
      float needed = 0;
      for (size_t b = 0; b < bias.size(); ++b)
        if (axis < 0 || b == c)
          needed =
              std::max(needed, std::fabs(bias[b]) / (scaleX * 1073741824.0f));
      scale = std::max(scale, needed);
      scales.scale.push_back(scale > 1e-20f ? scale : 1.0f);
    }
    scales.zero.assign(scales.scale.size(), 0);
    std::vector<int32_t> integers(values.size());
    forEachOnAxis(shape, axis, [&](int64_t i, int64_t at) {
      integers[i] =
          numerics::quantize(values[i], scales.scale[at], 0, {-limit, limit});
    });
    Type element = signedType(builder.getContext(), 8, -limit, limit, scales);
    return makeIntegers(builder, constant.getLoc(),
                        RankedTensorType::get(shape, element), integers,
                        nodeName(constant));
  }

  void quantizeWeights(Operation *op) {
    builder.setInsertionPoint(op);
    Value x = op->getOperand(0), w = op->getOperand(1);
    nn::ConstantOp left = constantOf(x), right = constantOf(w);
    nn::ConstantOp bias =
        op->getNumOperands() > 2 ? constantOf(op->getOperand(2)) : nullptr;
    if ((!left && !plan.isQuantized(x)) || (!right && !plan.isQuantized(w)))
      return;
    std::vector<float> biases;
    if (bias)
      biases = readFloats(bias);
    Scales xScales, wScales;
    if (left)
      op->setOperand(
          0, dequantized(op->getLoc(), symmetric(left, -1, 1, {}, xScales)));
    else
      xScales.scale = {plan.parameters(x).scale};
    if (right) {
      int64_t axis = 0;
      if (auto matmul = dyn_cast<nn::MatMulOp>(op)) {
        int64_t rank = cast<ShapedType>(w.getType()).getRank();
        axis = rank < 2 ? -1 : matmul.getTransposeB() ? rank - 2 : rank - 1;
      }
      op->setOperand(
          1, dequantized(op->getLoc(), symmetric(right, axis, xScales.scale[0],
                                                 biases, wScales)));
    } else {
      wScales.scale = {plan.parameters(w).scale};
    }
    if (!bias)
      return;
    Scales scales;
    scales.axis = wScales.axis < 0 ? -1 : 0;
    for (float scale : wScales.scale)
      scales.scale.push_back(xScales.scale[0] * scale);
    scales.zero.assign(scales.scale.size(), 0);
    std::vector<int32_t> integers(biases.size());
    for (size_t c = 0; c < biases.size(); ++c)
      integers[c] = numerics::quantizeBias(biases[c], xScales.scale[0],
                                           wScales.scaleAt(c));
    Type element =
        signedType(builder.getContext(), 32, INT32_MIN, INT32_MAX, scales);
    auto shape = cast<ShapedType>(bias.getResult().getType()).getShape();
    op->setOperand(
        2, dequantized(op->getLoc(),
                       makeIntegers(builder, bias.getLoc(),
                                    RankedTensorType::get(shape, element),
                                    integers, nodeName(bias))));
  }

  // Operands that are one number everywhere, exactly.
  void quantizeNumbers(Operation *op) {
    if (!plan.isQuantized(op->getOperand(0)) &&
        !plan.isQuantized(op->getOperand(1)))
      return;
    builder.setInsertionPoint(op);
    for (int i : {0, 1})
      if (constantOf(op->getOperand(i)))
        if (Value number = quantizeSplat(builder, op->getOperand(i), false))
          op->setOperand(i, dequantized(op->getLoc(), number));
  }

  func::FuncOp entry;
  const RangePlan &plan;
  const QuantizeOptions &options;
  OpBuilder builder;
};

} // namespace

bool hasQuantizedTypes(ModuleOp module) {
  WalkResult result = module.walk([](Operation *op) {
    for (Value value : op->getResults())
      if (isa<quant::QuantizedType>(elementType(value)))
        return WalkResult::interrupt();
    return WalkResult::advance();
  });
  return result.wasInterrupted();
}

Status quantizeModule(ModuleOp module, SampleSource &samples,
                      const QuantizeOptions &options) {
  if (options.method != "mse" && options.method != "minmax" &&
      options.method != "percentile")
    return Error{ExitCode::Usage, "unknown calibration method '" +
                                      options.method +
                                      "'; there are mse, minmax, percentile"};
  if (options.weightBits < 2 || options.weightBits > 8)
    return Error{ExitCode::Usage, "weights of " +
                                      std::to_string(options.weightBits) +
                                      " bits are not supported; choose 2 to 8"};
  if (hasQuantizedTypes(module))
    return Error{ExitCode::Usage,
                 "the model is quantized already (it has QuantizeLinear or "
                 "DequantizeLinear nodes); compile it without calibration"};
  auto entry = findEntry(module);
  if (!entry)
    return entry.takeError();
  RangePlan plan(*entry);
  std::vector<Histogram> histograms;
  if (Status status =
          calibrate(module, *entry, samples, options.threads, plan, histograms);
      !status)
    return status;
  plan.choose(histograms, options.method);
  Inserter(*entry, plan, options).run();
  return {};
}

} // namespace cimc
