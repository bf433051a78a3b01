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

std::optional<DType> reference::elementDType(Type type) {
  if (type.isF32())
    return DType::F32;
  if (type.isF64())
    return DType::F64;
  if (type.isF16())
    return DType::F16;
  if (type.isIndex())
    return DType::I64;
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer)
    return std::nullopt;
  bool isUnsigned = integer.isUnsigned();
  switch (integer.getWidth()) {
  case 1:
    return DType::Bool;
  case 8:
    return isUnsigned ? DType::U8 : DType::I8;
  case 16:
    return isUnsigned ? DType::U16 : DType::I16;
  case 32:
    return isUnsigned ? std::nullopt : std::optional(DType::I32);
  case 64:
    return isUnsigned ? std::nullopt : std::optional(DType::I64);
  default:
    return std::nullopt;
  }
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
    if (!dense.isSplat())
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

static Type toElementType(DType type, MLIRContext *context) {
  switch (type) {
  case DType::I8:
    return IntegerType::get(context, 8);
  case DType::U8:
    return IntegerType::get(context, 8, IntegerType::Unsigned);
  case DType::I16:
    return IntegerType::get(context, 16);
  case DType::U16:
    return IntegerType::get(context, 16, IntegerType::Unsigned);
  case DType::I32:
    return IntegerType::get(context, 32);
  case DType::I64:
    return IntegerType::get(context, 64);
  case DType::Bool:
    return IntegerType::get(context, 1);
  case DType::F16:
    return Float16Type::get(context);
  case DType::F32:
    return Float32Type::get(context);
  case DType::F64:
    return Float64Type::get(context);
  }
  return Float32Type::get(context);
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
