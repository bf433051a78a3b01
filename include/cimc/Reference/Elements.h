//===- Elements.h - host types and elements attributes ----------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_REFERENCE_ELEMENTS_H
#define CIMC_REFERENCE_ELEMENTS_H

#include "cimc/Support/HostTensor.h"
#include "cimc/Support/Numerics.h"

#include "mlir/IR/BuiltinAttributeInterfaces.h"

#include <optional>
#include <string>

namespace cimc::reference {

/// The host type of an unquantized element type; nothing where there is none.
std::optional<DType> elementDType(mlir::Type type);

/// The host type that holds values of an element type: of a quantized one its
/// stored integers, where 4-bit integers take a byte.
std::optional<DType> hostDType(mlir::Type type);

/// What an integer type of the host holds.
numerics::Range rangeOf(DType type);

/// The elements of an attribute in row-major order, aligned, where they can be
/// read without a copy; else empty.
llvm::ArrayRef<char> elementBytes(mlir::ElementsAttr attr);

/// What is wrong with an attribute's bytes, which a file may have left out;
/// empty where nothing is.
std::string missingElements(mlir::ElementsAttr attr);

} // namespace cimc::reference

#endif // CIMC_REFERENCE_ELEMENTS_H
