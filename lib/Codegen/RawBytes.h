//===- RawBytes.h - the bytes of constants ----------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_CODEGEN_RAWBYTES_H
#define CIMC_LIB_CODEGEN_RAWBYTES_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include <cstdint>
#include <vector>

namespace cimc::codegen {

/// The elements in row-major order as they lie in memory, splats expanded.
inline std::vector<uint8_t> rawBytes(mlir::ElementsAttr attr) {
  if (auto resource = llvm::dyn_cast<mlir::DenseResourceElementsAttr>(attr)) {
    mlir::AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      return {};
    llvm::ArrayRef<char> data = blob->getData();
    return std::vector<uint8_t>(data.begin(), data.end());
  }
  auto dense = llvm::dyn_cast<mlir::DenseElementsAttr>(attr);
  if (!dense)
    return {};
  llvm::ArrayRef<char> data = dense.getRawData();
  std::vector<uint8_t> bytes(data.begin(), data.end());
  if (dense.isSplat()) {
    std::vector<uint8_t> all;
    for (int64_t i = 0; i < dense.getNumElements(); ++i)
      all.insert(all.end(), bytes.begin(), bytes.end());
    return all;
  }
  return bytes;
}

} // namespace cimc::codegen

#endif // CIMC_LIB_CODEGEN_RAWBYTES_H
