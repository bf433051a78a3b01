//===- LayerSweep.cpp - a network evaluated layer by layer ----------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerSweep.h"

#include "Constants.h"

#include "cimc/Reference/Evaluator.h"
#include "cimc/Support/Parallel.h"

using namespace mlir;

namespace cimc::quantization {

namespace {

// A dequantized value stands for the integers behind it.
Value keptValue(Value value) {
  if (auto dequantize = value.getDefiningOp<nn::DequantizeOp>())
    return dequantize.getInput();
  return value;
}

bool isConstant(Value value) { return bool(constantOf(keptValue(value))); }

size_t usesOf(Value value) {
  size_t uses = 0;
  for (Operation *user : value.getUsers())
    if (auto dequantize = dyn_cast<nn::DequantizeOp>(user))
      uses += std::distance(dequantize.getResult().use_begin(),
                            dequantize.getResult().use_end());
    else
      ++uses;
  return uses;
}

} // namespace

LayerSweep::LayerSweep(func::FuncOp entry,
                       const std::vector<std::vector<HostTensor>> &samples,
                       unsigned threads)
    : entry(entry), all(samples), threads(threads),
      next(&entry.front().front()) {}

Status LayerSweep::shareConstant(Value value) {
  if (!isConstant(value) || shared.count(value))
    return {};
  auto tensors = evaluateNNOp(constantOf(keptValue(value)), {});
  if (tensors && keptValue(value) != value)
    tensors = evaluateNNOp(value.getDefiningOp(), *tensors);
  if (!tensors)
    return tensors.takeError();
  shared[value] = std::move(tensors->front());
  return {};
}

Result<HostTensor> LayerSweep::valueOf(Values &values, Value value) {
  auto constant = shared.find(value);
  if (constant != shared.end())
    return constant->second;
  auto found = values.find(keptValue(value));
  if (found == values.end())
    return Error{ExitCode::Internal, "a value is read before it is computed"};
  if (keptValue(value) == value)
    return found->second.tensor;
  auto reals = evaluateNNOp(value.getDefiningOp(), {found->second.tensor});
  if (!reals)
    return reals.takeError();
  return std::move(reals->front());
}

void LayerSweep::release(Values &values, Value value) {
  auto found = values.find(keptValue(value));
  if (found != values.end() && --found->second.remaining == 0)
    values.erase(found);
}

Status LayerSweep::evaluate(Values &values, Operation *op) {
  std::vector<HostTensor> operands;
  for (Value value : op->getOperands()) {
    Result<HostTensor> tensor = valueOf(values, value);
    if (!tensor)
      return tensor.takeError();
    operands.push_back(std::move(*tensor));
  }
  auto results = evaluateNNOp(op, operands);
  if (!results)
    return results.takeError();
  for (Value value : op->getOperands())
    release(values, value);
  for (auto [value, tensor] : llvm::zip_equal(op->getResults(), *results))
    if (size_t uses = usesOf(value))
      values[value] = {std::move(tensor), uses};
  return {};
}

Status LayerSweep::advanceTo(Operation *end, size_t count) {
  shared.clear();
  size_t joined = live.size();
  live.resize(std::max(joined, std::min(count, all.size())));
  for (size_t s = joined; s < live.size(); ++s)
    for (auto [argument, tensor] :
         llvm::zip_equal(entry.getArguments(), all[s]))
      live[s][argument] = {tensor, usesOf(argument)};
  // Who joins now begins at the begin; the others are `done` operations ahead.
  Operation *first = live.size() > joined ? &entry.front().front() : next;
  std::vector<Operation *> segment;
  size_t done = 0;
  for (Operation *op = first; op != end; op = op->getNextNode()) {
    if (!op)
      return Error{ExitCode::Internal, "layers are visited out of order"};
    if (op == next)
      done = segment.size();
    if (isa<nn::ConstantOp, nn::DequantizeOp>(op))
      continue;
    segment.push_back(op);
    for (Value value : op->getOperands())
      if (Status status = shareConstant(value); !status)
        return status;
  }
  if (next == end)
    done = segment.size();
  next = end;
  std::vector<Status> failures(live.size());
  parallelFor(int64_t(live.size()), threads, [&](int64_t s) {
    for (size_t i = size_t(s) < joined ? done : 0; i < segment.size(); ++i)
      if (failures[s] = evaluate(live[s], segment[i]); !failures[s])
        return;
  });
  for (Status &failure : failures)
    if (!failure)
      return failure;
  return {};
}

Status LayerSweep::forEachSample(
    Operation *op,
    const std::function<Status(size_t, const std::vector<HostTensor> &)>
        &visit) {
  shared.clear();
  for (Value value : op->getOperands())
    if (Status status = shareConstant(value); !status)
      return status;
  std::vector<Status> failures(live.size());
  parallelFor(int64_t(live.size()), threads, [&](int64_t s) {
    std::vector<HostTensor> operands;
    for (Value value : op->getOperands()) {
      Result<HostTensor> tensor = valueOf(live[s], value);
      if (!tensor) {
        failures[s] = tensor.takeError();
        return;
      }
      operands.push_back(std::move(*tensor));
    }
    failures[s] = visit(size_t(s), operands);
  });
  for (Status &failure : failures)
    if (!failure)
      return failure;
  return {};
}

} // namespace cimc::quantization
