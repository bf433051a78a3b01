//===- OpChecks.h - what verifiers of cim share -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_CIM_OPCHECKS_H
#define CIMC_DIALECTS_CIM_OPCHECKS_H

#include "CIM/CIM.h"

namespace cimc::cim::checks {

/// Numbers of an operation stay below this, so that verifiers can multiply.
constexpr int64_t kLargest = (int64_t(1) << 31) - 1;

mlir::RankedTensorType mapType(mlir::Value value);
int64_t numElements(mlir::Value value);

enum MachineType : unsigned {
  I8 = 1,
  U8 = 2,
  I16 = 4,
  U16 = 8,
  I32 = 16,
  F32 = 32,
  Byte = I8 | U8,
  Half = I16 | U16,
  Any = Byte | Half | I32 | F32,
};

/// The bit of a machine type; 0 where it is none.
unsigned machineType(mlir::Type type);

mlir::LogicalResult checkType(mlir::Operation *op, mlir::Value value,
                              unsigned allowed, llvm::StringRef what);
mlir::LogicalResult checkSameShape(mlir::Operation *op, mlir::Value a,
                                   mlir::Value b);
/// Elementwise: types and equal shapes.
mlir::LogicalResult checkUnary(mlir::Operation *op, mlir::Value in,
                               unsigned inTypes, mlir::Value out,
                               unsigned outTypes);
/// Operands whose dimensions of 1 are broadcast to those of the result.
mlir::LogicalResult checkBroadcast(mlir::Operation *op,
                                   mlir::ValueRange operands, unsigned types,
                                   mlir::Value out, unsigned outTypes);
mlir::LogicalResult checkRange(mlir::Operation *op, mlir::Value result,
                               int64_t low, int64_t high);
/// A window slid over the operand: `rows` and `pixels` of the result are at
/// least 1 and each window lies at least partly where padding could put it.
mlir::LogicalResult checkWindow(mlir::Operation *op, WindowAttr window,
                                mlir::Value in, mlir::Value out,
                                bool checkPixels = true);

int64_t rowsOf(mlir::Value value);
/// How many of `rows` rows are row `first` and every `step`-th after it.
inline int64_t rowsFrom(int64_t rows, int64_t first, int64_t step) {
  return std::max<int64_t>((rows - first + step - 1) / step, 0);
}
/// All rows first.
RowDependence wholeOperand(mlir::Value operand);
/// One row for one row; a single row that serves many is kept.
RowDependence rowByRow(mlir::Value operand, mlir::Value result);
/// A row below the next window's first one is finished with. Where the stride
/// skips rows, those are waited for too, so that they can be freed.
RowDependence windowed(WindowAttr window);

/// Refuses anything but a list of layers under kCopiesAttrName.
mlir::LogicalResult checkCopies(mlir::Operation *op,
                                mlir::NamedAttribute attribute);

} // namespace cimc::cim::checks

#endif // CIMC_DIALECTS_CIM_OPCHECKS_H
