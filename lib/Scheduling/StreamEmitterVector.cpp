//===- StreamEmitterVector.cpp - streams of general vector operations -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StreamEmitter.h"

#include "cimc/Support/VectorOps.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace cimc;
using namespace cimc::sched;

int64_t sched::reductionNumber(StringRef name) {
  numerics::Reduction reduction = numerics::Reduction::Sum;
  numerics::parseReduction(name.str().c_str(), reduction);
  return static_cast<int64_t>(reduction);
}

LogicalResult StreamEmitter::emitVector(Operation *op, ArrayRef<Input> inputs,
                                        StringRef dst) {
  const Input &in = inputs.front();
  Affine row{0, 1, 0}, a = rowOf(in);
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](cim::MapOp map) -> LogicalResult {
        numerics::Function function;
        if (!numerics::parseFunction(map.getFunction().str().c_str(), function))
          return map.emitOpError("has no function '")
                 << map.getFunction() << "' on the vector unit";
        const Input &b = inputs.back();
        sched::MapOp::create(code, loc, uint64_t(function), in.view, a, b.view,
                             rowOf(b), dst, row, map.getAlpha(), map.getBeta());
        return success();
      })
      .Case([&](cim::SoftmaxF32Op) {
        sched::SoftmaxF32Op::create(code, loc, in.view, a, dst, row);
        return success();
      })
      .Case([&](cim::SelectOp) {
        sched::SelectOp::create(code, loc, in.view, a, inputs[1].view,
                                rowOf(inputs[1]), inputs[2].view,
                                rowOf(inputs[2]), dst, row);
        return success();
      })
      .Case([&](cim::ConvertOp) {
        sched::ConvertOp::create(code, loc, in.view, a, dst, row);
        return success();
      })
      .Case([&](cim::ReduceOp reduce) {
        sched::ReduceOp::create(code, loc, in.view, a, dst, row,
                                reductionNumber(reduce.getFunction()));
        return success();
      })
      .Case([&](cim::ScanOp scan) {
        sched::ScanOp::create(code, loc, in.view, a, dst, row,
                              reductionNumber(scan.getFunction()),
                              scan.getExclusive(), scan.getReverse());
        return success();
      })
      .Case([&](cim::TopKOp topk) {
        sched::TopKOp::create(code, loc, in.view, a, dst, row,
                              topk.getSmallest(), topk.getIndices());
        return success();
      })
      .Case([&](cim::MatMulF32Op matmul) {
        sched::MatMulF32Op::create(code, loc, in.view, a, inputs[1].view,
                                   matmul.getShared() ? row : rowOf(inputs[1]),
                                   dst, row, matmul.getTransposeB(),
                                   matmul.getShared());
        return success();
      })
      .Case([&](cim::SumPoolOp pool) {
        // Windows are placed by the output row.
        sched::SumPoolOp::create(code, loc, in.view, row, dst, row,
                                 pool.getWindow());
        return success();
      })
      .Default([](Operation *other) {
        return other->emitOpError("cannot be scheduled");
      });
}
