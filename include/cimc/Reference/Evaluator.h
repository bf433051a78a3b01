//===- Evaluator.h - runs a module at one level of IR -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_REFERENCE_EVALUATOR_H
#define CIMC_REFERENCE_EVALUATOR_H

#include "cimc/Support/HostTensor.h"
#include "cimc/Support/Status.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include <functional>
#include <vector>

namespace cimc {

/// Called with every input and then every operation's result as it is computed,
/// constants excepted (calibration, debugging). Quantized values arrive as
/// their storage integers.
using ValueObserver =
    std::function<void(mlir::Value value, const HostTensor &tensor)>;

/// The function that is the network: the one named `main`, or the only one with
/// a body. InvalidInput where there is none.
Result<mlir::func::FuncOp> findEntry(mlir::ModuleOp module);

/// Evaluates the entry function at the `nn` level, float or quantized, on up to
/// `threads` threads (at least 1); several threads may evaluate the same
/// unchanging module. Inputs have the arguments' shapes and their storage
/// types; other ones are InvalidInput errors, operations without a meaning
/// Unsupported ones that name the operation. The same inputs give the same bits
/// on every processor and any number of threads.
Result<std::vector<HostTensor>>
evaluateNN(mlir::ModuleOp module, const std::vector<HostTensor> &inputs,
           const ValueObserver &observer = nullptr, unsigned threads = 1);

/// Evaluates one nn operation whose operands are given; used for constant
/// folding.
Result<std::vector<HostTensor>>
evaluateNNOp(mlir::Operation *op, const std::vector<HostTensor> &operands);

/// Evaluates a module at the `cim` level, tile by tile with partial sums.
/// Inputs and outputs are those of the model, before its feature-map layout.
Result<std::vector<HostTensor>>
evaluateCIM(mlir::ModuleOp module, const std::vector<HostTensor> &inputs);

/// Evaluates a module at the `sched` level: every stream in turn, rows through
/// bounded channels, until all have ended.
Result<std::vector<HostTensor>>
evaluateSched(mlir::ModuleOp module, const std::vector<HostTensor> &inputs);

/// An elements attribute as a tensor of its storage type, and back: as a
/// `dense_resource` named after `name`, or `dense` up to 8 elements. Integers
/// of less than 8 bits take a byte each.
HostTensor toHostTensor(mlir::ElementsAttr attr);
/// The element type of plain tensors of a host type, and back in Elements.h.
mlir::Type toElementType(DType type, mlir::MLIRContext *context);
mlir::ElementsAttr toElementsAttr(const HostTensor &tensor,
                                  mlir::MLIRContext *context,
                                  llvm::StringRef name);

} // namespace cimc

#endif // CIMC_REFERENCE_EVALUATOR_H
