//===- NNVerifyQuantized.cpp - the pass nn-verify-quantized -----*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
#include "Fuse.h"

#include "cimc/Quantize/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace cimc {
#define GEN_PASS_DEF_NNVERIFYQUANTIZED
#include "cimc/Quantize/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc::quantization;

namespace cimc {
namespace {

bool isFloat(Value value) { return isa<FloatType>(elementType(value)); }

bool anyFloat(Operation *op) {
  return llvm::any_of(op->getOperands(), isFloat) ||
         llvm::any_of(op->getResults(), isFloat);
}

// A sum of products of an activation with constant weights, perhaps stored as
// integers.
bool isWeighted(Operation *op) {
  if (isa<nn::ConvOp, nn::LstmOp, nn::GruOp, nn::RnnOp>(op))
    return true;
  if (auto weighted = dyn_cast<nn::WeightMatrixOpInterface>(op);
      weighted && weighted.getWeightMatrix())
    return true;
  auto matmul = dyn_cast<nn::MatMulOp>(op);
  if (!matmul)
    return false;
  Value source = quantizedSource(matmul.getB());
  return source && constantOf(source);
}

struct NNVerifyQuantized : impl::NNVerifyQuantizedBase<NNVerifyQuantized> {
  using NNVerifyQuantizedBase::NNVerifyQuantizedBase;

  void runOnOperation() override {
    // A module without any quantized type has never seen calibration data.
    bool everQuantized = false;
    getOperation().walk([&](Operation *op) {
      for (Value result : op->getResults())
        everQuantized |= isa<quant::QuantizedType>(elementType(result));
    });
    bool failed = false;
    getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (!isa<nn::NNDialect>(op->getDialect()) ||
          isa<nn::ConstantOp, nn::QuantizeOp, nn::DequantizeOp>(op))
        return;
      std::string why = reason(op, everQuantized);
      if (why.empty())
        return;
      failed = true;
      std::string name = nodeName(op),
                  kind = op->getName().getStringRef().str();
      op->emitError() << "'" << name << "' "
                      << (name == kind ? "" : "(" + kind + ") ") << why;
    });
    if (failed)
      signalPassFailure();
  }

private:
  // Why the chip cannot compute an operation; empty where it can.
  std::string reason(Operation *op, bool everQuantized) {
    // What the arrays do not compute runs on the vector unit; mapping says
    // where it cannot.
    if (precision == "float" || !anyFloat(op) || !isWeighted(op))
      return "";
    std::string what = "is a weighted sum in float, which the arrays compute "
                       "with --precision float only";
    if (!everQuantized)
      return what + "; the model is float and its ranges are unknown: give "
                    "samples with --calibrate DIR";
    return what + missing(op);
  }

  static std::string missing(Operation *op) {
    for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
      std::string which = i == 0   ? "its input"
                          : i == 1 ? "operand 1"
                                   : "its bias";
      Value source = quantizedSource(operand);
      if (source && i == 0 && !activationType(elementType(source)))
        return "; " + which + " must be 8 bits with one scale for the tensor";
      if (source && i == 1 && isa<nn::ConvOp, nn::MatMulOp>(op))
        if (auto scales = scalesOf(elementType(source));
            scales && scales->axis >= 0)
          if (scales->axis != weightAxis(op))
            return "; its weight has scales along axis " +
                   std::to_string(scales->axis) +
                   ", they must run along the output channels, axis " +
                   std::to_string(weightAxis(op));
      if (!source && !constantOf(operand))
        return "; " + which +
               " is not quantized: there is no QuantizeLinear, "
               "DequantizeLinear pair on it (calibrate the float model with "
               "--calibrate DIR instead)";
    }
    return "; its result is not quantized: there is no QuantizeLinear behind "
           "it (calibrate the float model with --calibrate DIR instead)";
  }

  static int64_t weightAxis(Operation *op) {
    auto matmul = dyn_cast<nn::MatMulOp>(op);
    if (!matmul)
      return 0;
    int64_t rank = cast<ShapedType>(matmul.getB().getType()).getRank();
    return matmul.getTransposeB() ? rank - 2 : rank - 1;
  }
};

} // namespace
} // namespace cimc
