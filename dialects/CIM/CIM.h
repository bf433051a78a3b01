//===- CIM.h - the cim dialect -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_CIM_CIM_H
#define CIMC_DIALECTS_CIM_CIM_H

#include "cimc/Target/ChipSpec.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace cimc::cim {

/// How output row r of an operation depends on the rows of one operand: rows
/// [0, min(mul * r + need, rows)) must be there, rows [0, min(mul * r + done,
/// rows)) are not read after it.
struct RowDependence {
  int64_t mul = 0, need = 0, done = 0;
};

} // namespace cimc::cim

#include "CIM/CIMDialect.h.inc"
#define GET_ATTRDEF_CLASSES
#include "CIM/CIMAttributes.h.inc"
#include "CIM/CIMInterfaces.h.inc"
#define GET_OP_CLASSES
#include "CIM/CIMOps.h.inc"

namespace cimc::cim {

/// Name of the module attribute that holds the chip.
inline constexpr llvm::StringLiteral kChipAttrName = "cim.chip";
/// On a reshape whose rows are really copied, by a stream on its core.
inline constexpr llvm::StringLiteral kCopyAttrName = "cim.copy";
/// Which pixels of a row of a layer's result a part of it makes: first, end,
/// all (a DenseI64ArrayAttr; absent: all).
inline constexpr llvm::StringLiteral kPartAttrName = "cim.part";
/// Rows of each operand that its ring should hold so that the network can run
/// at the period it is mapped for (a DenseI64ArrayAttr; 0: as many as it
/// needs).
inline constexpr llvm::StringLiteral kRingsAttrName = "cim.rings";

/// On a function: how often each of its layers is cut, in the order of the
/// layers (see LayerCopies). What `cim-replicate` chose, or, before it, is told
/// to take.
inline constexpr llvm::StringLiteral kCopiesAttrName = "cim.copies";

/// How often the operations of a layer, which are cut alike, are copied: each
/// row of their results is cut into `copies` ranges of pixels, and `phases`
/// copies of each take rows in turn. Numbers are at least 1, but for `macros`.
struct LayerCopies {
  std::vector<std::string> nodes; ///< layerName of its operations, each once
  int64_t rows = 1, pixels = 1;
  int64_t macros = 0; ///< of one copy; 0: it has no weights
  bool canCut = false, canTakeTurns = false;
  int64_t copies = 1, phases = 1;

  int64_t all() const { return copies * phases; }
};
mlir::ArrayAttr getCopiesAttr(mlir::MLIRContext *context,
                              llvm::ArrayRef<LayerCopies> layers);
/// Back; the attribute has been verified.
std::vector<LayerCopies> getCopies(mlir::ArrayAttr attr);

/// What the streams of an operation are called: the model's node.
std::string layerName(mlir::Operation *op);

/// Which rows of a map an operand is: `begin` and every `step`-th after it, of
/// `rows`. All but a `cim.slice` are all of their own.
struct RowSelection {
  int64_t begin = 0, step = 1, rows = 0;
  /// What is needed of the map, where `need` says so of the operand.
  RowDependence of(RowDependence need) const {
    return {need.mul * step, (need.need - 1) * step + begin + 1,
            (need.done - 1) * step + begin + 1};
  }
};
RowSelection selectedRows(mlir::Value operand);

/// The chip as an attribute, and back. A chip attribute has been verified, so
/// reading it cannot fail.
ChipAttr getChipAttr(mlir::MLIRContext *context, const ChipSpec &spec);
ChipSpec getChipSpec(ChipAttr attr);

/// Operations between `cim.delay` and its input that depend on it, with other
/// such pairs that overlap.
struct RowLoop {
  mlir::Operation *first, *last;
  llvm::SmallVector<std::pair<DelayOp, DelayInputOp>> inputs;
  /// In order; delays and their inputs too.
  llvm::SmallVector<mlir::Operation *> body;
};
/// The loops of a block, in order; emits an error where a delay has not exactly
/// one input, or its rows come back other than row by row.
mlir::FailureOr<llvm::SmallVector<RowLoop>> findRowLoops(mlir::Block &block);

/// The module's chip; emits an error where it has none.
mlir::FailureOr<ChipSpec> getChipSpec(mlir::ModuleOp module);

} // namespace cimc::cim

#endif // CIMC_DIALECTS_CIM_CIM_H
