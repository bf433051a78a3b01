//===- Constants.cpp - reading and writing tensors of the IR -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Constants.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

#include <cstring>

using namespace mlir;

namespace cimc::mapping {

std::optional<std::vector<char>> readBytes(ElementsAttr attr) {
  Type element = attr.getShapedType().getElementType();
  // Truth values take a byte each.
  if (auto dense = dyn_cast<DenseElementsAttr>(attr);
      dense && element.isInteger(1)) {
    auto values = dense.getValues<bool>();
    return std::vector<char>(values.begin(), values.end());
  }
  // So do integers and floats of less than 8 bits.
  if (!element.isIntOrFloat())
    return std::nullopt;
  size_t width = (element.getIntOrFloatBitWidth() + 7) / 8;
  size_t size = static_cast<size_t>(attr.getNumElements()) * width;
  ArrayRef<char> raw;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      return std::nullopt;
    raw = blob->getData();
  } else if (auto dense = dyn_cast<DenseElementsAttr>(attr)) {
    raw = dense.getRawData();
    if (dense.isSplat() && raw.size() == width) {
      std::vector<char> bytes(size);
      for (size_t i = 0; i < size; i += width)
        std::memcpy(bytes.data() + i, raw.data(), width);
      return bytes;
    }
  }
  if (raw.size() != size)
    return std::nullopt;
  return std::vector<char>(raw.begin(), raw.end());
}

namespace {
template <typename T> std::vector<int32_t> extend(ArrayRef<char> bytes) {
  std::vector<int32_t> values(bytes.size() / sizeof(T));
  for (size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<int32_t>(value);
  }
  return values;
}
} // namespace

std::optional<std::vector<int32_t>> readIntegers(ElementsAttr attr,
                                                 bool isSigned) {
  Type element = attr.getShapedType().getElementType();
  std::optional<std::vector<char>> bytes = readBytes(attr);
  if (!bytes || !isa<IntegerType>(element))
    return std::nullopt;
  switch (element.getIntOrFloatBitWidth()) {
  case 8:
    return isSigned ? extend<int8_t>(*bytes) : extend<uint8_t>(*bytes);
  case 16:
    return isSigned ? extend<int16_t>(*bytes) : extend<uint16_t>(*bytes);
  case 32:
    return extend<int32_t>(*bytes);
  default:
    return std::nullopt;
  }
}

std::optional<std::vector<float>> readFloats(Value value) {
  ElementsAttr attr;
  if (!getElementTypeOrSelf(value.getType()).isF32() ||
      !matchPattern(value, m_Constant(&attr)))
    return std::nullopt;
  std::optional<std::vector<char>> bytes = readBytes(attr);
  if (!bytes)
    return std::nullopt;
  std::vector<float> values(bytes->size() / sizeof(float));
  std::memcpy(values.data(), bytes->data(), values.size() * sizeof(float));
  return values;
}

ElementsAttr makeElements(RankedTensorType type, ArrayRef<char> bytes,
                          StringRef name) {
  constexpr size_t kInline = 1024;
  if (bytes.size() <= kInline)
    return DenseElementsAttr::getFromRawBuffer(type, bytes);
  return DenseResourceElementsAttr::get(
      type, name, HeapAsmResourceBlob::allocateAndCopyWithAlign(bytes, 64));
}

} // namespace cimc::mapping
