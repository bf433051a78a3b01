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
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <optional>

namespace cimc::nn {

/// The verifier part of shape inference: the result shape is what the
/// operation infers.
mlir::LogicalResult verifyInferredShape(mlir::Operation *op);

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
