//===- RangePlan.cpp - what gets ranges -------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RangePlan.h"

#include "Constants.h"
#include "Fuse.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace cimc::quantization {

namespace {

bool isActivation(Value value) {
  return elementType(value).isF32() && !constantOf(value);
}

constexpr int32_t kMostLevels = 32767;

bool isSplatConstant(Value value) {
  nn::ConstantOp constant = constantOf(value);
  if (!constant)
    return false;
  std::vector<float> numbers = readFloats(constant);
  return !numbers.empty() && llvm::all_equal(numbers);
}

// Functions whose 256-entry table loses little; the others stay float.
bool isTableFunction(Operation *op) {
  return isa<nn::ReluOp, nn::ClipOp, nn::SigmoidOp, nn::TanhOp, nn::HardSwishOp,
             nn::LeakyReluOp, nn::HardSigmoidOp, nn::NegOp, nn::AbsOp>(op);
}

} // namespace

double TensorRange::low() const {
  // No -0.
  return 0.0 - static_cast<double>(bits == 16 ? levels : parameters.zero) *
                   parameters.scale;
}

double TensorRange::high() const {
  return (bits == 16 ? levels : 255.0 - parameters.zero) * parameters.scale;
}

Type TensorRange::type(MLIRContext *context) const {
  if (bits == 8)
    return unsignedType(context, parameters.scale, parameters.zero);
  Scales scales;
  scales.scale = {parameters.scale};
  scales.zero = {0};
  // Everything that 16 bits hold is what QuantizeLinear saturates to.
  bool isFull = levels == kMostLevels;
  return signedType(context, 16, isFull ? -kMostLevels - 1 : -levels, levels,
                    scales);
}

RangePlan::RangePlan(func::FuncOp entry, bool rowRanges, Predicate isWide) {
  auto add = [&](Value value) {
    if (!isa<RankedTensorType>(value.getType()) || !isActivation(value))
      return;
    number[value] = static_cast<int64_t>(values.size());
    values.push_back(value);
  };
  for (Value argument : entry.getArguments())
    add(argument);
  // What follows from constants alone is no activation.
  auto isVariable = [&](Value operand) {
    return isa<BlockArgument>(operand) || number.count(operand) ||
           !elementType(operand).isF32();
  };
  for (Operation &op : entry.front())
    if (llvm::any_of(op.getOperands(), isVariable))
      for (Value result : op.getResults())
        add(result);
  parent.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i)
    parent[i] = static_cast<int64_t>(i);
  absorbed.assign(values.size(), false);
  chosen.resize(values.size());
  decideOperations(entry, rowRanges, isWide);
  decideGroups(entry, rowRanges);
}

int64_t RangePlan::find(int64_t index) const {
  while (parent[index] != index)
    index = parent[index] = parent[parent[index]];
  return index;
}

// The lower number stands for the group.
void RangePlan::join(int64_t a, int64_t b) {
  a = find(a);
  b = find(b);
  parent[std::max(a, b)] = std::min(a, b);
}

bool RangePlan::comesFromInteger(Value value) const {
  Operation *op = value.getDefiningOp();
  while (op && movesElements(op)) {
    value = op->getOperand(0);
    op = value.getDefiningOp();
  }
  return !op || integer.lookup(op);
}

// Weighted sums and pooling are integer; what follows them, as far as it can
// be.
void RangePlan::decideOperations(func::FuncOp entry, bool rowRanges,
                                 Predicate isWide) {
  // Pooling behind wide layers would take their results back to 8 bits.
  llvm::DenseSet<Operation *> real; // looked up only
  auto isReal = [&](Value operand) {
    return real.contains(operand.getDefiningOp());
  };
  for (Operation &op : entry.front()) {
    bool isInteger = isIntegerOnly(&op);
    bool isLayer = isa<nn::ConvOp, nn::MatMulOp>(op);
    if (isWide(&op) || (!isLayer && llvm::any_of(op.getOperands(), isReal))) {
      real.insert(&op);
      integer[&op] = false;
      if (isLayer && isActivation(op.getOperand(0)) && canTakeRanges(&op))
        wide.insert(&op);
      continue;
    }
    if (auto matmul = dyn_cast<nn::MatMulOp>(op)) {
      Value a = matmul.getA(), b = matmul.getB();
      if (isActivation(a) && isActivation(b))
        isInteger = comesFromInteger(a) && comesFromInteger(b);
      if (rowRanges && isActivation(a) && canTakeRanges(matmul) &&
          !comesFromInteger(a)) {
        ranged.insert(matmul);
        isInteger = false;
      }
    }
    if (isTableFunction(&op))
      isInteger = comesFromInteger(op.getOperand(0));
    if (isa<nn::AddOp, nn::MulOp>(op)) {
      isInteger = true;
      for (Value operand : op.getOperands())
        isInteger &= isActivation(operand) ? comesFromInteger(operand)
                                           : isSplatConstant(operand);
    }
    if (isa<nn::ConcatOp>(op))
      isInteger = llvm::all_of(op.getOperands(), [&](Value operand) {
        return isActivation(operand) && comesFromInteger(operand);
      });
    integer[&op] = isInteger;
  }
}

// The largest sum of magnitudes of the weights that one output adds, in
// integers of 8 bits; an eighth more than the nearest, as other integers may be
// chosen.
static double largestSum(Operation *op) {
  nn::ConstantOp weights = constantOf(op->getOperand(1));
  auto shape = cast<ShapedType>(op->getOperand(1).getType()).getShape();
  std::vector<float> values = readFloats(weights);
  int64_t axis = weightAxis(op);
  std::vector<double> sums(shape[axis], 0.0), largest(shape[axis], 0.0);
  forEachOnAxis(shape, axis, [&](int64_t i, int64_t at) {
    double w = std::fabs(values[i]);
    sums[at] += w;
    largest[at] = std::max(largest[at], w);
  });
  double most = 0;
  for (size_t c = 0; c < sums.size(); ++c)
    if (largest[c] > 0)
      most = std::max(most, 127 * sums[c] / largest[c]);
  return most * 1.125;
}

// Tensors that wide layers read have 16 bits, for all layers that can read
// them so.
void RangePlan::decideWidths(func::FuncOp entry) {
  bool changed = !wide.empty();
  while (changed) {
    changed = false;
    for (Operation &op : entry.front()) {
      auto input =
          op.getNumOperands() ? number.find(op.getOperand(0)) : number.end();
      if (input == number.end() || !isa<nn::ConvOp, nn::MatMulOp>(op))
        continue;
      TensorRange &range = chosen[find(input->second)];
      if (range.bits == 16 && canTakeRanges(&op) && wide.insert(&op).second) {
        integer[&op] = false;
        ranged.erase(&op);
        changed = true;
      }
      if (wide.contains(&op) && range.bits != 16) {
        range.bits = 16;
        changed = true;
      }
    }
  }
  for (Operation &op : entry.front()) {
    if (!wide.contains(&op))
      continue;
    TensorRange &range = chosen[find(number.lookup(op.getOperand(0)))];
    double most = std::floor(2147483647.0 / std::max(largestSum(&op), 1.0));
    range.levels = static_cast<int32_t>(std::min<double>(range.levels, most));
  }
}

void RangePlan::decideGroups(func::FuncOp entry, bool realSums) {
  for (size_t i = 0; i < values.size(); ++i) {
    Operation *op = values[i].getDefiningOp();
    if (!op)
      continue;
    auto joinOperand = [&](Value operand) {
      auto it = number.find(operand);
      if (it != number.end())
        join(static_cast<int64_t>(i), it->second);
    };
    if (movesElements(op))
      joinOperand(op->getOperand(0));
    // Inputs that only this concatenation reads take its parameters, so that
    // integers move.
    if (isa<nn::ConcatOp>(op))
      for (Value operand : op->getOperands())
        if (operand.hasOneUse() && operand.getDefiningOp())
          joinOperand(operand);
    // A sum that is only clamped is quantized behind the clamp.
    if (op->getNumResults() == 1 && integer.lookup(op) &&
        values[i].hasOneUse() && !isTableFunction(op) &&
        isa<nn::ReluOp, nn::ClipOp>(*values[i].user_begin()))
      absorbed[i] = true;
  }
  decideWidths(entry);
  needed.assign(values.size(), false);
  std::vector<int> roots(values.size(), 0), bounded(values.size(), 0);
  for (size_t i = 0; i < values.size(); ++i) {
    int64_t group = find(static_cast<int64_t>(i));
    Operation *op = values[i].getDefiningOp();
    if (!op || !movesElements(op)) {
      ++roots[group];
      bounded[group] += op && isa<nn::SoftmaxOp, nn::SigmoidOp>(op);
    }
    if (absorbed[i])
      continue;
    // Sums that only float operations read become fp32 as they are.
    bool need = op && integer.lookup(op) && !(realSums && canTakeRanges(op));
    for (Operation *user : values[i].getUsers())
      need |= integer.lookup(user) ||
              (isWide(user) && user->getOperand(0) == values[i]);
    if (need)
      needed[group] = true;
  }
  fixed.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i)
    fixed[i] = roots[i] > 0 && roots[i] == bounded[i];
}

bool RangePlan::isQuantized(Value value) const {
  auto it = number.find(value);
  return it != number.end() && !absorbed[it->second] &&
         needed[find(it->second)];
}

int64_t RangePlan::observedGroup(Value value) const {
  if (!isQuantized(value))
    return -1;
  Operation *op = value.getDefiningOp();
  // Movement and concatenation repeat the numbers of their inputs.
  if (op && movesElements(op))
    return -1;
  return find(number.lookup(value));
}

int64_t RangePlan::observedHistogram(Value value) const {
  auto it = number.find(value);
  return it == number.end() ? -1 : find(it->second);
}

void RangePlan::setRange(TensorRange &range, double low, double high) {
  range.parameters = affineParameters(low, high);
  if (range.bits == 8)
    return;
  double largest = std::max(std::fabs(low), std::fabs(high));
  auto scale = static_cast<float>(largest / range.levels);
  range.parameters = {scale > 1e-15f ? scale : 1.0f, 0};
}

std::vector<Value> RangePlan::representatives() const {
  std::vector<Value> result;
  for (size_t i = 0; i < values.size(); ++i)
    if (find(static_cast<int64_t>(i)) == static_cast<int64_t>(i) && needed[i] &&
        (!fixed[i] || chosen[i].bits == 16))
      result.push_back(values[i]);
  return result;
}

void RangePlan::choose(const std::vector<Histogram> &histograms,
                       const std::string &method) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (find(static_cast<int64_t>(i)) != static_cast<int64_t>(i) || !needed[i])
      continue;
    // 16 bits have levels for everything seen.
    if (chosen[i].bits == 16)
      setRange(chosen[i], histograms[i].min(), histograms[i].max());
    else if (fixed[i])
      chosen[i].parameters = {1.0f / 256.0f, 0};
    else
      chosen[i].parameters = chooseParameters(histograms[i], method);
  }
}

} // namespace cimc::quantization
