//===- CIMVerifyMapped.cpp - the boundary rule of the cim level -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CIM/CIM.h"
#include "cimc/Mapping/Passes.h"
#include "cimc/Support/Permute.h"

namespace cimc {
#define GEN_PASS_DEF_CIMVERIFYMAPPED
#include "cimc/Mapping/Passes.h.inc"
} // namespace cimc

using namespace mlir;

namespace {

/// The attributes by which the host finds a model's tensor in a feature map.
LogicalResult verifyBinding(func::FuncOp function, DictionaryAttr attrs,
                            Type type, const Twine &what) {
  auto map = dyn_cast<RankedTensorType>(type);
  if (!map || !map.hasStaticShape() || map.getRank() != 3)
    return function.emitError()
           << what << " of type " << type << " is no feature map";
  DenseI64ArrayAttr shape, perm;
  if (attrs) {
    shape = attrs.getAs<DenseI64ArrayAttr>("cim.shape");
    perm = attrs.getAs<DenseI64ArrayAttr>("cim.perm");
  }
  if (!shape || !perm)
    return function.emitError() << what << " lacks cim.shape or cim.perm";
  if (shape.size() != perm.size())
    return function.emitError()
           << what << " has " << shape.size() << " axes in cim.shape and "
           << perm.size() << " in cim.perm";
  if (!cimc::isPermutation(perm.asArrayRef().vec(), shape.size()))
    return function.emitError()
           << "cim.perm of " << what << " is no permutation";
  if (cimc::countElements(shape.asArrayRef().vec()) != map.getNumElements())
    return function.emitError()
           << "cim.shape of " << what << " does not have the "
           << map.getNumElements() << " elements of " << map;
  return success();
}

LogicalResult verifyTile(cimc::cim::MvmOp op, const cimc::ChipSpec &chip) {
  auto weights = SymbolTable::lookupNearestSymbolFrom<cimc::cim::WeightsOp>(
      op, op.getWeightsAttr());
  int64_t bits = weights ? static_cast<int64_t>(weights.getBits()) : 8;
  auto rows = static_cast<int64_t>(op.getKSize() + op.getMacroRow());
  int64_t columns =
      cast<RankedTensorType>(op.getResult().getType()).getDimSize(2);
  int64_t most = chip.weightColumns(bits) * chip.hierarchy.macros_per_core;
  if (rows > chip.macro.rows)
    return op.emitError() << "the tile ends at cell row " << rows
                          << ", macros of '" << chip.name << "' have "
                          << chip.macro.rows;
  if (columns > most)
    return op.emitError() << "the tile has " << columns
                          << " columns, the macros of a core of '" << chip.name
                          << "' hold " << most << " of " << bits << " bits";
  return success();
}

struct CIMVerifyMapped : cimc::impl::CIMVerifyMappedBase<CIMVerifyMapped> {
  LogicalResult verify(func::FuncOp function, const cimc::ChipSpec &chip) {
    bool ok = true;
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      ok &= succeeded(verifyBinding(function, function.getArgAttrDict(i),
                                    function.getArgumentTypes()[i],
                                    "argument " + Twine(i)));
    for (unsigned i = 0; i < function.getNumResults(); ++i)
      ok &= succeeded(verifyBinding(function, function.getResultAttrDict(i),
                                    function.getResultTypes()[i],
                                    "result " + Twine(i)));
    function.getBody().walk([&](Operation *op) {
      if (auto mvm = dyn_cast<cimc::cim::MvmOp>(op)) {
        ok &= succeeded(verifyTile(mvm, chip));
        return;
      }
      if (isa<func::ReturnOp, cimc::cim::DelayInputOp>(op) ||
          isa<cimc::cim::StreamOpInterface>(op))
        return;
      ok = false;
      op->emitError() << "'" << op->getName()
                      << "' does not belong to the cim level";
    });
    for (Block &block : function.getBody())
      ok &= succeeded(cimc::cim::findRowLoops(block));
    return success(ok);
  }

  void runOnOperation() override {
    FailureOr<cimc::ChipSpec> chip = cimc::cim::getChipSpec(getOperation());
    if (failed(chip))
      return signalPassFailure();
    for (Operation &op : *getOperation().getBody()) {
      if (auto function = dyn_cast<func::FuncOp>(op)) {
        if (failed(verify(function, *chip)))
          signalPassFailure();
      } else if (!isa<cimc::cim::WeightsOp>(op)) {
        op.emitError() << "'" << op.getName()
                       << "' does not belong to the cim level";
        signalPassFailure();
      }
    }
  }
};
} // namespace
