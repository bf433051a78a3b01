//===- Constants.h - reading and writing tensors of the IR -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_MAPPING_CONSTANTS_H
#define CIMC_LIB_MAPPING_CONSTANTS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace cimc::mapping {

/// The bytes of an elements attribute, splats expanded; nothing where the
/// attribute holds no plain numbers (a resource that is not there, say).
std::optional<std::vector<char>> readBytes(mlir::ElementsAttr attr);

/// Integers of 8, 16 or 32 bits, extended by the signedness given.
std::optional<std::vector<int32_t>> readIntegers(mlir::ElementsAttr attr,
                                                 bool isSigned);

/// The numbers of a constant fp32 value; nothing where it is none.
std::optional<std::vector<float>> readFloats(mlir::Value value);

/// An attribute over bytes: inline where small enough to read, else a
/// resource, whose bytes are not kept for ever by the context.
mlir::ElementsAttr makeElements(mlir::RankedTensorType type,
                                llvm::ArrayRef<char> bytes,
                                llvm::StringRef name);

} // namespace cimc::mapping

#endif // CIMC_LIB_MAPPING_CONSTANTS_H
