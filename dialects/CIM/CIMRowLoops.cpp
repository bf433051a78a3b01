//===- CIMRowLoops.cpp - operations that feed themselves -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CIM/CIM.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"

#include <map>

using namespace mlir;
using namespace cimc::cim;

LogicalResult DelayOp::verify() {
  auto in = cast<RankedTensorType>(getInitial().getType());
  auto out = cast<RankedTensorType>(getResult().getType());
  if (in.getDimSize(0) != 1 ||
      in != out.clone({1, out.getDimSize(1), out.getDimSize(2)}))
    return emitOpError() << "needs one row of " << out << ", got " << in;
  return success();
}

RowDependence DelayOp::getRowDependence(unsigned) { return {0, 1, 0}; }

/// Whether row r of the result needs row r of every operand only, or one row
/// that serves all.
static LogicalResult checkRowByRow(Operation *op, int64_t rows) {
  auto stream = dyn_cast<StreamOpInterface>(op);
  if (!stream)
    return op->emitOpError("depends on a delayed row and is no operation on "
                           "rows");
  auto rowsOf = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getDimSize(0);
  };
  for (OpOperand &operand : op->getOpOperands()) {
    RowDependence need = stream.getRowDependence(operand.getOperandNumber());
    bool constant = rowsOf(operand.get()) == 1 && need.mul == 0;
    if (rowsOf(op->getResult(0)) != rows ||
        (!constant && (need.mul != 1 || need.need != 1)))
      return op->emitOpError("lies between a cim.delay and its input, where "
                             "row r may need row r only");
  }
  return success();
}

FailureOr<SmallVector<RowLoop>> cimc::cim::findRowLoops(Block &block) {
  std::map<int64_t, std::pair<DelayOp, DelayInputOp>> numbers;
  llvm::DenseMap<Operation *, size_t> position;
  for (auto [i, op] : llvm::enumerate(block)) {
    position[&op] = i;
    if (auto delay = dyn_cast<DelayOp>(op)) {
      DelayOp &known = numbers[delay.getNumber()].first;
      if (known)
        return delay.emitOpError("number ")
               << delay.getNumber() << " is used twice";
      known = delay;
    } else if (auto input = dyn_cast<DelayInputOp>(op)) {
      auto &[delay, known] = numbers[input.getNumber()];
      if (!delay || known)
        return input.emitOpError("is ")
               << (known ? "a second input" : "before any cim.delay")
               << " of number " << input.getNumber();
      if (delay.getResult().getType() != input.getInput().getType())
        return input.emitOpError("has type ")
               << input.getInput().getType() << ", the cim.delay of number "
               << input.getNumber() << " has type "
               << delay.getResult().getType();
      known = input;
    }
  }
  // Delays in program order; those that overlap are one loop.
  SmallVector<std::pair<DelayOp, DelayInputOp>> pairs;
  for (auto &[number, pair] : numbers) {
    if (!pair.second)
      return pair.first.emitOpError("number ")
             << number << " has no cim.delay_input";
    pairs.push_back(pair);
  }
  llvm::sort(pairs, [&](auto &a, auto &b) {
    return position.lookup(a.first) < position.lookup(b.first);
  });
  SmallVector<RowLoop> loops;
  for (auto &[delay, input] : pairs) {
    if (loops.empty() ||
        position.lookup(delay) > position.lookup(loops.back().last))
      loops.push_back(RowLoop{delay, input, {}, {}});
    RowLoop &loop = loops.back();
    if (position.lookup(input) > position.lookup(loop.last))
      loop.last = input;
    loop.inputs.emplace_back(delay, input);
  }
  for (RowLoop &loop : loops) {
    int64_t rows = cast<RankedTensorType>(loop.first->getResult(0).getType())
                       .getDimSize(0);
    llvm::DenseSet<Value> delayed;
    for (Operation *op = loop.first; op; op = op->getNextNode()) {
      bool depends = isa<DelayOp>(op) ||
                     llvm::any_of(op->getOperands(), [&](Value operand) {
                       return delayed.contains(operand);
                     });
      if (depends) {
        if (!isa<DelayInputOp>(op) && failed(checkRowByRow(op, rows)))
          return failure();
        if (isa<DelayOp>(op) && delayed.contains(op->getOperand(0)))
          return op->emitOpError("begins with a row that a delay gives");
        loop.body.push_back(op);
        for (Value result : op->getResults())
          delayed.insert(result);
      } else if (isa<DelayInputOp>(op)) {
        loop.body.push_back(op);
      }
      if (op == loop.last)
        break;
    }
  }
  return loops;
}
