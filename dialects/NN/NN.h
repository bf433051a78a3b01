//===- NN.h - the nn dialect -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_NN_NN_H
#define CIMC_DIALECTS_NN_NN_H

#include "NN/WeightMatrix.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <optional>

namespace cimc::nn {

/// The verifier part of shape inference: the result shape is what the
/// operation infers, and operands and result are all quantized or all of one
/// unquantized type (weighted sums and conversions say more themselves).
mlir::LogicalResult verifyInferredShape(mlir::Operation *op);

/// Sets the type of `op`'s only result to the shape that `op` infers, with
/// `elementType`. The operation must be one of NN_ShapedOp and its attributes
/// set; an error is emitted where they and the operands do not fit.
mlir::LogicalResult setInferredResultType(mlir::Operation *op,
                                          mlir::Type elementType);

/// Creates a shaped operation whose result shape is inferred; null, with an
/// error emitted at `loc`, where operands and attributes do not fit.
template <typename OpT>
OpT createInferred(mlir::OpBuilder &builder, mlir::Location loc,
                   mlir::Type elementType, mlir::ValueRange operands,
                   mlir::ArrayRef<mlir::NamedAttribute> attributes = {}) {
  mlir::OperationState state(loc, OpT::getOperationName());
  state.addOperands(operands);
  state.addAttributes(attributes);
  state.addTypes(mlir::RankedTensorType::get({}, elementType));
  mlir::Operation *op = mlir::Operation::create(state);
  if (mlir::failed(setInferredResultType(op, elementType))) {
    op->destroy();
    return nullptr;
  }
  return mlir::cast<OpT>(builder.insert(op));
}

/// Element types of values whose arithmetic is integer.
bool isQuantized(mlir::Type type);

/// The type of the integers that stand for values of a quantized element type:
/// signless for signed storage, `ui8` and the like for unsigned storage. Other
/// types are their own storage.
mlir::Type storageType(mlir::Type elementType);

template <typename ConcreteType>
class VerifyInferredShape
    : public mlir::OpTrait::TraitBase<ConcreteType, VerifyInferredShape> {
public:
  static mlir::LogicalResult verifyTrait(mlir::Operation *op) {
    return verifyInferredShape(op);
  }
};

} // namespace cimc::nn

#include "NN/NNDialect.h.inc"
#include "NN/NNInterfaces.h.inc"
#define GET_OP_CLASSES
#include "NN/NNOps.h.inc"

#endif // CIMC_DIALECTS_NN_NN_H
