//===- Elements.cpp - attributes as tensors and back -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Reference/Elements.h"

#include "cimc/Reference/Evaluator.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include <cstring>

using namespace mlir;

namespace cimc {

Type toElementType(DType type, MLIRContext *context) {
  auto integer = [&](unsigned width, bool isUnsigned = false) -> Type {
    return IntegerType::get(context, width,
                            isUnsigned ? IntegerType::Unsigned
                                       : IntegerType::Signless);
  };
  switch (type) {
  case DType::I2:
    return integer(2);
  case DType::U2:
    return integer(2, true);
  case DType::I4:
    return integer(4);
  case DType::U4:
    return integer(4, true);
  case DType::I8:
    return integer(8);
  case DType::U8:
    return integer(8, true);
  case DType::I16:
    return integer(16);
  case DType::U16:
    return integer(16, true);
  case DType::I32:
    return integer(32);
  case DType::U32:
    return integer(32, true);
  case DType::I64:
    return integer(64);
  case DType::U64:
    return integer(64, true);
  case DType::Bool:
    return integer(1);
  case DType::F16:
    return Float16Type::get(context);
  case DType::BF16:
    return BFloat16Type::get(context);
  case DType::F8E4M3FN:
    return Float8E4M3FNType::get(context);
  case DType::F8E4M3FNUZ:
    return Float8E4M3FNUZType::get(context);
  case DType::F8E5M2:
    return Float8E5M2Type::get(context);
  case DType::F8E5M2FNUZ:
    return Float8E5M2FNUZType::get(context);
  case DType::F8E8M0:
    return Float8E8M0FNUType::get(context);
  case DType::F4E2M1:
    return Float4E2M1FNType::get(context);
  case DType::F64:
    return Float64Type::get(context);
  case DType::F32:
    break;
  }
  return Float32Type::get(context);
}

std::optional<DType> reference::elementDType(Type type) {
  if (type.isIndex())
    return DType::I64;
  for (int i = 0; i <= static_cast<int>(kLastDType); ++i)
    if (type == toElementType(static_cast<DType>(i), type.getContext()))
      return static_cast<DType>(i);
  return std::nullopt;
}

std::optional<DType> reference::hostDType(Type type) {
  auto quantized = dyn_cast<quant::QuantizedType>(type);
  if (!quantized)
    return elementDType(type);
  bool isSigned = quantized.isSigned();
  unsigned width = quantized.getStorageTypeIntegralWidth();
  if (width <= 8)
    return isSigned ? DType::I8 : DType::U8;
  if (width == 16)
    return isSigned ? DType::I16 : DType::U16;
  if (width == 32 && isSigned)
    return DType::I32;
  return std::nullopt;
}

numerics::Range reference::rangeOf(DType type) {
  switch (type) {
  case DType::I8:
    return {-128, 127};
  case DType::U8:
    return {0, 255};
  case DType::I16:
    return {-32768, 32767};
  case DType::U16:
    return {0, 65535};
  default:
    return {INT32_MIN, INT32_MAX};
  }
}

ArrayRef<char> reference::elementBytes(ElementsAttr attr) {
  std::optional<DType> type = elementDType(attr.getElementType());
  // Booleans may be stored as bits.
  if (!type || *type == DType::Bool)
    return {};
  ArrayRef<char> bytes;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr)) {
    if (AsmResourceBlob *blob = resource.getRawHandle().getBlob())
      bytes = blob->getData();
  } else if (auto dense = dyn_cast<DenseElementsAttr>(attr)) {
    // Its bytes are not extended to the sign where an element has fewer bits.
    bool isNarrow = attr.getElementType().isInteger() &&
                    attr.getElementType().getIntOrFloatBitWidth() < 8;
    if (!dense.isSplat() && !isNarrow)
      bytes = dense.getRawData();
  }
  size_t width = byteSize(*type);
  if (bytes.size() != static_cast<size_t>(attr.getNumElements()) * width ||
      reinterpret_cast<uintptr_t>(bytes.data()) % width != 0)
    return {};
  return bytes;
}

std::string reference::missingElements(ElementsAttr attr) {
  auto resource = dyn_cast<DenseResourceElementsAttr>(attr);
  if (!resource)
    return "";
  std::string name = resource.getRawHandle().getKey().str();
  AsmResourceBlob *blob = resource.getRawHandle().getBlob();
  if (!blob)
    return "the file has no data for the resource '" + name + "'";
  std::optional<DType> type = elementDType(attr.getElementType());
  size_t need =
      static_cast<size_t>(attr.getNumElements()) * (type ? byteSize(*type) : 1);
  if (blob->getData().size() == need)
    return "";
  return "the resource '" + name + "' has " +
         std::to_string(blob->getData().size()) +
         " bytes, but its type needs " + std::to_string(need);
}

HostTensor toHostTensor(ElementsAttr attr) {
  std::vector<int64_t> shape(attr.getShapedType().getShape().vec());
  Type element = attr.getElementType();
  std::optional<DType> type = reference::elementDType(element);
  if (!type) // Other integers are widened, other floats taken as f32.
    type = isa<FloatType>(element)                ? DType::F32
           : element.getIntOrFloatBitWidth() <= 8 ? DType::I8
                                                  : DType::I64;
  HostTensor tensor(*type, shape);
  size_t width = byteSize(*type);
  ArrayRef<char> bytes = reference::elementBytes(attr);
  if (!bytes.empty()) {
    std::memcpy(tensor.data.data(), bytes.data(), bytes.size());
    return tensor;
  }
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr)) {
    // Bytes that are not aligned, or booleans, one a byte.
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (blob && blob->getData().size() == tensor.data.size() &&
        !tensor.data.empty())
      std::memcpy(tensor.data.data(), blob->getData().data(),
                  tensor.data.size());
    return tensor;
  }
  auto store = [&](int64_t i, const void *value) {
    std::memcpy(tensor.data.data() + i * width, value, width);
  };
  int64_t i = 0;
  if (isa<FloatType>(element)) {
    if (auto values = attr.tryGetValues<APFloat>()) {
      for (APFloat value : *values) {
        bool inexact;
        if (*type == DType::F32)
          value.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven,
                        &inexact);
        uint64_t bits = value.bitcastToAPInt().getZExtValue();
        store(i++, &bits);
      }
    }
  } else if (auto values = attr.tryGetValues<APInt>()) {
    bool isUnsigned = element.isUnsignedInteger() || *type == DType::Bool;
    for (const APInt &value : *values) {
      uint64_t bits =
          isUnsigned
              ? value.zextOrTrunc(64).getZExtValue()
              : static_cast<uint64_t>(value.sextOrTrunc(64).getSExtValue());
      store(i++, &bits);
    }
  }
  return tensor;
}

ElementsAttr toElementsAttr(const HostTensor &tensor, MLIRContext *context,
                            StringRef name) {
  auto type =
      RankedTensorType::get(tensor.shape, toElementType(tensor.type, context));
  ArrayRef<char> bytes(reinterpret_cast<const char *>(tensor.data.data()),
                       tensor.data.size());
  // Small tensors read better in place, and blobs live as long as the context.
  if (tensor.type == DType::Bool) {
    ArrayRef<bool> values(reinterpret_cast<const bool *>(bytes.data()),
                          bytes.size());
    return DenseElementsAttr::get(type, values);
  }
  if (tensor.size() <= 8)
    return DenseElementsAttr::getFromRawBuffer(type, bytes);
  return DenseResourceElementsAttr::get(
      type, name, HeapAsmResourceBlob::allocateAndCopyWithAlign(bytes, 64));
}

} // namespace cimc
