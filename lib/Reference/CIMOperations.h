//===- CIMOperations.h - one cim operation on whole feature maps -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_REFERENCE_CIMOPERATIONS_H
#define CIMC_LIB_REFERENCE_CIMOPERATIONS_H

#include "CIM/CIM.h"
#include "cimc/Support/HostTensor.h"
#include "cimc/Support/Status.h"

#include <vector>

namespace cimc::reference {

/// A zero-filled tensor of a feature map's shape and machine type.
Result<HostTensor> emptyMap(mlir::Operation *op, mlir::Type type);

/// Evaluates one operation; its operands are feature maps R x P x C of the
/// types the verifier allows.
/// `rows`: of the result, where it is not to be the whole of it.
Result<HostTensor> evaluateCIMOp(mlir::Operation *op,
                                 const std::vector<const HostTensor *> &in,
                                 int64_t rows = -1);

/// Evaluates a loop row by row. `values` holds the operands from outside, and
/// then the results.
using LoopValues = llvm::DenseMap<mlir::Value, HostTensor>;
Status evaluateRowLoop(const cim::RowLoop &loop, LoopValues &values);

/// The products of weight tiles, in CIMEvaluatorWindows.cpp like all
/// operations that slide a window.
Result<HostTensor> evaluateWindowOp(mlir::Operation *op, const HostTensor &in,
                                    HostTensor result);

/// Rule R13, for every row under the window of a row of the result.
HostTensor evaluateDigits(cim::DigitsOp op, const HostTensor &in,
                          const HostTensor &units, HostTensor result);

/// The general vector operations, in CIMEvaluatorVector.cpp.
Result<HostTensor> evaluateVectorOp(mlir::Operation *op,
                                    const std::vector<const HostTensor *> &in,
                                    HostTensor result);

/// Calls `fn` with a pointer to the elements, by the type of an 8-bit tensor.
template <typename Tensor, typename Fn> auto withBytes(Tensor &tensor, Fn fn) {
  if (tensor.type == DType::U8)
    return fn(tensor.template as<uint8_t>());
  return fn(tensor.template as<int8_t>());
}

/// Likewise for integers of 16 bits.
template <typename Tensor, typename Fn>
auto withIntegers(Tensor &tensor, Fn fn) {
  if (tensor.type == DType::U16)
    return fn(tensor.template as<uint16_t>());
  if (tensor.type == DType::I16)
    return fn(tensor.template as<int16_t>());
  return withBytes(tensor, fn);
}

} // namespace cimc::reference

#endif // CIMC_LIB_REFERENCE_CIMOPERATIONS_H
