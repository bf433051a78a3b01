//===- Chip.cpp - the chip that a pass maps onto ---------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Chip.h"

#include "CIM/CIM.h"

using namespace mlir;

FailureOr<cimc::ChipSpec> cimc::mapping::bindChip(ModuleOp module,
                                                  const std::string &chip) {
  if (!chip.empty() && !module->hasAttr(cim::kChipAttrName)) {
    Result<ChipSpec> loaded = loadChip(chip);
    if (!loaded)
      return module.emitError() << loaded.error().message, failure();
    module->setAttr(cim::kChipAttrName,
                    cim::getChipAttr(module.getContext(), *loaded));
  }
  return cim::getChipSpec(module);
}
