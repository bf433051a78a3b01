//===- CIM.cpp - the cim dialect -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CIM/CIM.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace cimc::cim;

#include "CIM/CIMDialect.cpp.inc"
#include "CIM/CIMInterfaces.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "CIM/CIMAttributes.cpp.inc"
#define GET_OP_CLASSES
#include "CIM/CIMOps.cpp.inc"

void CIMDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "CIM/CIMAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "CIM/CIMOps.cpp.inc"
      >();
}
