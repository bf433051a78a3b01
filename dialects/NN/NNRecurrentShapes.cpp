//===- NNRecurrentShapes.cpp - shapes of recurrent layers -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NNShapes.h"

using namespace mlir;
using namespace cimc;
using namespace cimc::nn;
using namespace cimc::nn::shapes;

namespace {

/// What the three layers share; the shapes of sequence and state.
template <typename Adaptor>
LogicalResult inferLayer(std::optional<Location> loc, StringRef op,
                         Adaptor adaptor, int64_t gates, Shape &sequence,
                         Shape &state) {
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  ArrayRef<int64_t> weight = shapeOf(adaptor.getWeight());
  ArrayRef<int64_t> recurrence = shapeOf(adaptor.getRecurrence());
  if (input.size() != 3)
    return fail(loc, op, "the input ", text(input),
                " must be [steps, samples, inputs]");
  int64_t hidden = recurrence.size() == 2 ? recurrence[1] : 0;
  if (hidden < 1 || hidden > kMaxExtent || recurrence[0] != gates * hidden)
    return fail(loc, op, "the recurrence ", text(recurrence), " must be [",
                gates, " H, H]");
  if (weight != ArrayRef<int64_t>{gates * hidden, input[2]})
    return fail(loc, op, "the weight ", text(weight), " must be ",
                gates * hidden, "x", input[2], " for the input ", text(input),
                " and the recurrence ", text(recurrence));
  sequence = {input[0], input[1], hidden};
  state = {input[1], hidden};
  auto check = [&](Value value, ArrayRef<int64_t> shape, StringRef what) {
    if (!value || shapeOf(value) == shape)
      return success();
    return fail(loc, op, what, " ", text(shapeOf(value)), " must be ",
                text(shape), " for the input ", text(input),
                " and the recurrence ", text(recurrence));
  };
  if (failed(check(adaptor.getBias(), {gates * hidden}, "the bias")) ||
      failed(check(adaptor.getLengths(), {input[1]}, "the lengths")) ||
      failed(check(adaptor.getInitialH(), state, "the initial state")))
    return failure();
  if constexpr (std::is_same_v<Adaptor, LstmOp::Adaptor>) {
    if (failed(check(adaptor.getInitialC(), state, "the initial cell")) ||
        failed(check(adaptor.getPeephole(), {3 * hidden}, "the peepholes")))
      return failure();
  }
  if constexpr (std::is_same_v<Adaptor, GruOp::Adaptor>) {
    if (failed(check(adaptor.getRecurrentBias(), {gates * hidden},
                     "the recurrent bias")))
      return failure();
  }
  return success();
}

template <typename OpT> LogicalResult verifyLayer(OpT op, size_t functions) {
  if (op.getActivations().size() != functions)
    return op.emitOpError("has ") << op.getActivations().size()
                                  << " activations; it needs " << functions;
  static const StringRef known[] = {
      "sigmoid",          "tanh",        "relu",         "affine", "leaky_relu",
      "thresholded_relu", "scaled_tanh", "hard_sigmoid", "elu",    "softsign",
      "softplus"};
  for (auto name : op.getActivations().template getAsRange<StringAttr>())
    if (!llvm::is_contained(known, name.getValue()))
      return op.emitOpError("has the unknown activation '")
             << name.getValue() << "'";
  for (ArrayRef<float> values : {op.getAlpha(), op.getBeta()})
    if (!values.empty() && values.size() != functions)
      return op.emitOpError("has ")
             << values.size() << " values for " << functions << " activations";
  Type real = cast<RankedTensorType>(op.getInput().getType()).getElementType();
  for (Value value : op->getOperands()) {
    Type type = cast<RankedTensorType>(value.getType()).getElementType();
    if (auto quantized = dyn_cast<quant::QuantizedType>(type);
        quantized && real.isF32() &&
        (value == op.getWeight() || value == op.getRecurrence())) {
      auto perAxis = dyn_cast<quant::UniformQuantizedPerAxisType>(quantized);
      if (perAxis && perAxis.getQuantizedDimension() != 0)
        return op.emitOpError("has scales along axis ")
               << perAxis.getQuantizedDimension()
               << "; they must run along axis 0, the gates' states";
      continue;
    }
    if (value == op.getLengths() ? !type.isInteger(32) : type != real)
      return op.emitOpError("mixes element types: an operand is ")
             << value.getType()
             << "; lengths are i32 and all others of the input's type";
  }
  for (Type type : op->getResultTypes())
    if (cast<RankedTensorType>(type).getElementType() != real)
      return op.emitOpError("mixes element types: a result is ") << type;
  return success();
}

} // namespace

CIMC_INFER(LstmOp) {
  Shape sequence, state;
  if (failed(inferLayer(loc, getOperationName(), adaptor, 4, sequence, state)))
    return failure();
  (void)give(out, sequence);
  (void)give(out, state);
  return give(out, state);
}

LogicalResult LstmOp::verify() { return verifyLayer(*this, 3); }

CIMC_INFER(GruOp) {
  Shape sequence, state;
  if (failed(inferLayer(loc, getOperationName(), adaptor, 3, sequence, state)))
    return failure();
  (void)give(out, sequence);
  return give(out, state);
}

LogicalResult GruOp::verify() { return verifyLayer(*this, 2); }

CIMC_INFER(RnnOp) {
  Shape sequence, state;
  if (failed(inferLayer(loc, getOperationName(), adaptor, 1, sequence, state)))
    return failure();
  (void)give(out, sequence);
  return give(out, state);
}

LogicalResult RnnOp::verify() { return verifyLayer(*this, 1); }
