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
#include "cimc/Support/Numerics.h"

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

/// Sets the result types of `op` to the inferred shapes with these element
/// types, one for each result. What does not fit is reported at `op`.
mlir::LogicalResult setInferredResultTypes(mlir::Operation *op,
                                           mlir::TypeRange elementTypes);

/// Creates an operation with the inferred shapes; null after a diagnostic where
/// the operands do not fit together.
template <typename OpT>
OpT createInferred(mlir::OpBuilder &builder, mlir::Location loc,
                   mlir::TypeRange elementTypes, mlir::ValueRange operands,
                   mlir::ArrayRef<mlir::NamedAttribute> attributes = {}) {
  mlir::OperationState state(loc, OpT::getOperationName());
  state.addOperands(operands);
  state.addAttributes(attributes);
  for (mlir::Type type : elementTypes)
    state.addTypes(mlir::RankedTensorType::get({}, type));
  mlir::Operation *op = mlir::Operation::create(state);
  if (mlir::failed(setInferredResultTypes(op, elementTypes))) {
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

/// Traits for element types: all operands are quantized, or all have one type.
/// The result is like them, or i1.
mlir::LogicalResult verifySameElementType(mlir::Operation *op);
template <typename ConcreteType>
class VerifySameElementType
    : public mlir::OpTrait::TraitBase<ConcreteType, VerifySameElementType> {
public:
  static mlir::LogicalResult verifyTrait(mlir::Operation *op) {
    return verifySameElementType(op);
  }
};
mlir::LogicalResult verifyPredicateType(mlir::Operation *op);
template <typename ConcreteType>
class VerifyPredicateType
    : public mlir::OpTrait::TraitBase<ConcreteType, VerifyPredicateType> {
public:
  static mlir::LogicalResult verifyTrait(mlir::Operation *op) {
    return verifyPredicateType(op);
  }
};

/// The shape of a reduction's result.
mlir::LogicalResult
inferReduction(std::optional<mlir::Location> loc, mlir::StringRef op,
               mlir::Value input, mlir::ArrayRef<int64_t> axes, bool keepDims,
               mlir::SmallVectorImpl<mlir::ShapedTypeComponents> &out);

/// The shape of an elementwise result: the operands', broadcast.
mlir::LogicalResult
inferBroadcast(std::optional<mlir::Location> loc, mlir::StringRef op,
               mlir::ValueRange operands,
               mlir::SmallVectorImpl<mlir::ShapedTypeComponents> &out);

} // namespace cimc::nn

#include "NN/NNDialect.h.inc"
#include "NN/NNInterfaces.h.inc"
#define GET_OP_CLASSES
#include "NN/NNOps.h.inc"

#endif // CIMC_DIALECTS_NN_NN_H
