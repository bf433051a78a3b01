//===- CIMEvaluatorLoops.cpp - operations that feed themselves -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CIMOperations.h"

#include <cstring>

using namespace mlir;

namespace cimc::reference {

/// Row `r` of a map, or all of a map of one row.
static HostTensor rowOf(const HostTensor &map, int64_t r) {
  if (map.shape[0] == 1)
    return map;
  HostTensor row(map.type, {1, map.shape[1], map.shape[2]});
  std::memcpy(row.data.data(), map.data.data() + r * row.data.size(),
              row.data.size());
  return row;
}

Status evaluateRowLoop(const cim::RowLoop &loop, LoopValues &values) {
  int64_t rows =
      cast<RankedTensorType>(loop.first->getResult(0).getType()).getDimSize(0);
  for (Operation *op : loop.body)
    for (Value result : op->getResults()) {
      Result<HostTensor> map = emptyMap(op, result.getType());
      if (!map)
        return map.takeError();
      values[result] = std::move(*map);
    }
  // By number, the row that the delay gives next.
  llvm::DenseMap<int64_t, HostTensor> state;
  for (int64_t r = 0; r < rows; ++r)
    for (Operation *op : loop.body) {
      if (auto input = dyn_cast<cim::DelayInputOp>(op)) {
        state[input.getNumber()] = rowOf(values[input.getInput()], r);
        continue;
      }
      std::vector<HostTensor> operands;
      for (Value operand : op->getOperands())
        operands.push_back(rowOf(values[operand], r));
      std::vector<const HostTensor *> in;
      for (const HostTensor &operand : operands)
        in.push_back(&operand);
      HostTensor row;
      if (auto delay = dyn_cast<cim::DelayOp>(op)) {
        row = r == 0 ? operands[0] : state[delay.getNumber()];
      } else {
        Result<HostTensor> result = evaluateCIMOp(op, in, 1);
        if (!result)
          return result.takeError();
        row = std::move(*result);
      }
      std::memcpy(values[op->getResult(0)].data.data() + r * row.data.size(),
                  row.data.data(), row.data.size());
    }
  return {};
}

} // namespace cimc::reference
