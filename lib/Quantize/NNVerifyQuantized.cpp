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

// What the fp32 vector unit computes, and what only moves elements.
bool isFloatFunction(Operation *op) {
  return movesElements(op) || isa<nn::ElementwiseOpInterface, nn::WhereOp,
                                  nn::SoftmaxOp, nn::ConcatOp>(op);
}

// A sum of products of an activation with constant weights.
bool isWeighted(Operation *op) {
  auto weighted = dyn_cast<nn::WeightMatrixOpInterface>(op);
  return weighted && weighted.getWeightMatrix();
}

// A number type that the chip does not have, such as int64; null where there is
// none.
Type foreignType(Operation *op) {
  auto isForeign = [](Type type) {
    return !type.isF32() && !type.isInteger(32) &&
           !isa<quant::QuantizedType>(type);
  };
  for (Value operand : op->getOperands())
    if (isForeign(elementType(operand)))
      return elementType(operand);
  for (Value result : op->getResults())
    if (isForeign(elementType(result)))
      return elementType(result);
  return {};
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
    if (Type foreign = foreignType(op)) {
      std::string text;
      llvm::raw_string_ostream(text) << foreign;
      return "computes with " + text +
             "; the chip has float32, 8-bit integers and int32 sums";
    }
    if (!anyFloat(op) || isFloatFunction(op))
      return "";
    bool weighted = isWeighted(op);
    if (weighted && precision == "float")
      return "";
    std::string what =
        weighted ? "is a weighted sum in float, which the arrays compute "
                   "with --precision float only"
        : isa<nn::ConvOp, nn::MatMulOp>(op)
            ? "is a product of two activations in float, which has no form on "
              "the chip"
            : "has no float form on the vector unit";
    if (!everQuantized && precision != "float")
      return what + "; the model is float and its ranges are unknown: give "
                    "samples with --calibrate DIR";
    if (!everQuantized)
      return what;
    return what + missing(op);
  }

  static std::string missing(Operation *op) {
    if (isa<nn::BatchNormOp>(op))
      return "; it only compiles where it can be folded into a convolution "
             "(--nn-canonicalize)";
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
