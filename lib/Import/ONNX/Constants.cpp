//===- Constants.cpp - tensors whose values the file holds -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
#include "WireFormat.h"

#include "cimc/Import/ONNX/TensorProto.h"
#include "cimc/Reference/Evaluator.h"
#include "cimc/Support/SmallFloat.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Support/Endian.h"

#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

using namespace cimc;
using namespace cimc::onnx_import;

static_assert(llvm::endianness::native == llvm::endianness::little,
              "ONNX raw data is little-endian");

int64_t onnx_import::checkedElements(llvm::ArrayRef<int64_t> shape,
                                     const std::string &what) {
  if (shape.size() > kMaxRank)
    failInvalid("{} has {} axes; at most {} are possible", what, shape.size(),
                kMaxRank);
  int64_t count = 1;
  for (int64_t dim : shape) {
    if (dim < 0)
      failInvalid("{} has the negative dimension {}", what, dim);
    if (dim && count > kMaxElements / dim)
      failInvalid("{} of shape {} is too large: at most {} elements are "
                  "possible",
                  what, shapeString(Shape(shape.begin(), shape.end())),
                  kMaxElements);
    count *= dim;
  }
  return count;
}

Constant onnx_import::makeConstant(DType type, Shape shape, std::string bytes) {
  auto owner = std::make_shared<std::string>(std::move(bytes));
  Constant result;
  result.type = type;
  result.shape = std::move(shape);
  result.bytes = llvm::ArrayRef<char>(owner->data(), owner->size());
  result.keep = std::move(owner);
  return result;
}

double onnx_import::realAt(const Constant &c, int64_t i) {
  switch (c.type) {
  case DType::F32:
    return c.as<float>()[i];
  case DType::F64:
    return c.as<double>()[i];
  default:
    if (!isSmallFloat(c.type))
      return static_cast<double>(integerAt(c, i));
    return fromSmallFloat(c.type, byteSize(c.type) == 2 ? c.as<uint16_t>()[i]
                                                        : c.as<uint8_t>()[i]);
  }
}

int64_t onnx_import::integerAt(const Constant &c, int64_t i) {
  switch (c.type) {
  case DType::I8:
  case DType::I4:
  case DType::I2:
    return c.as<int8_t>()[i];
  case DType::U8:
  case DType::U4:
  case DType::U2:
  case DType::Bool:
    return c.as<uint8_t>()[i];
  case DType::I16:
    return c.as<int16_t>()[i];
  case DType::U16:
    return c.as<uint16_t>()[i];
  case DType::I32:
    return c.as<int32_t>()[i];
  case DType::U32:
    return c.as<uint32_t>()[i];
  case DType::I64:
  case DType::U64:
    return c.as<int64_t>()[i];
  default: {
    double value = realAt(c, i);
    if (!(value > -9.2e18 && value < 9.2e18))
      failInvalid("the number {} does not fit an integer", value);
    return static_cast<int64_t>(value);
  }
  }
}

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

std::string onnx_import::onnxTypeName(int32_t type) {
  // Numbers behind BFLOAT16 are newer than the installed ONNX headers.
  static const char *const names[] = {
      "undefined",      "float32",    "uint8",
      "int8",           "uint16",     "int16",
      "int32",          "int64",      "string",
      "bool",           "float16",    "float64",
      "uint32",         "uint64",     "complex64",
      "complex128",     "bfloat16",   "float8e4m3fn",
      "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz",
      "uint4",          "int4",       "float4e2m1",
      "float8e8m0",     "uint2",      "int2"};
  if (type >= 0 && type < static_cast<int32_t>(std::size(names)))
    return names[type];
  return fmt::format("number {}", type);
}

DType onnx_import::fromOnnxType(int32_t type, const std::string &what) {
  // In the order of ONNX's numbers; the installed headers lack the newer names.
  static const std::optional<DType> types[] = {
      std::nullopt,      DType::F32,      DType::U8,         DType::I8,
      DType::U16,        DType::I16,      DType::I32,        DType::I64,
      std::nullopt,      DType::Bool,     DType::F16,        DType::F64,
      DType::U32,        DType::U64,      std::nullopt,      std::nullopt,
      DType::BF16,       DType::F8E4M3FN, DType::F8E4M3FNUZ, DType::F8E5M2,
      DType::F8E5M2FNUZ, DType::U4,       DType::I4,         DType::F4E2M1,
      DType::F8E8M0,     DType::U2,       DType::I2};
  if (type == onnx::TensorProto::UNDEFINED)
    failInvalid("{} has no element type", what);
  if (type < 0 || type >= static_cast<int32_t>(std::size(types)) ||
      !types[type])
    failUnsupported("{} has the element type {}, which is not supported", what,
                    onnxTypeName(type));
  return *types[type];
}

int64_t onnx_import::packedInByte(DType type) {
  switch (type) {
  case DType::I4:
  case DType::U4:
  case DType::F4E2M1:
    return 2;
  case DType::I2:
  case DType::U2:
    return 4;
  default:
    return 1;
  }
}

Constant onnx_import::unpacked(DType type, Shape shape,
                               llvm::ArrayRef<char> bytes) {
  int64_t each = packedInByte(type), bits = 8 / each, count = 1;
  for (int64_t extent : shape)
    count *= extent;
  std::string values(count, '\0');
  bool isSigned = type == DType::I4 || type == DType::I2;
  for (int64_t i = 0; i < count; ++i) {
    int value = static_cast<uint8_t>(bytes[i / each]) >> (i % each * bits);
    value &= (1 << bits) - 1;
    if (isSigned && value >> (bits - 1))
      value -= 1 << bits;
    values[i] = static_cast<char>(value);
  }
  return makeConstant(type, std::move(shape), std::move(values));
}

mlir::Type onnx_import::elementTypeOf(mlir::MLIRContext *context, DType type) {
  return toElementType(type, context);
}

mlir::ElementsAttr onnx_import::toAttribute(const Constant &constant,
                                            mlir::Type element,
                                            llvm::StringRef name) {
  auto type = mlir::RankedTensorType::get(constant.shape, element);
  // Uniqued attributes copy their bytes; short ones read better inline.
  constexpr int64_t kInline = 16;
  if (constant.type == DType::Bool) {
    llvm::SmallVector<bool> values;
    for (uint8_t value : constant.as<uint8_t>())
      values.push_back(value != 0);
    return mlir::DenseElementsAttr::get(type, values);
  }
  if (constant.size() <= kInline)
    return mlir::DenseElementsAttr::getFromRawBuffer(type, constant.bytes);
  mlir::AsmResourceBlob blob(
      constant.bytes, byteSize(constant.type),
      [keep = constant.keep](void *, size_t, size_t) mutable { keep.reset(); },
      /*dataIsMutable=*/false);
  return mlir::DenseResourceElementsAttr::get(
      type, name.empty() ? "constant" : name, std::move(blob));
}

//===----------------------------------------------------------------------===//
// TensorProto
//===----------------------------------------------------------------------===//

namespace {

/// Narrows the elements of a typed field, for example int32_data that holds
/// int8 values.
template <typename T, typename Field>
Constant fromField(DType type, const Shape &shape, const Field &field,
                   int64_t count, const std::string &what) {
  if (field.size() != count)
    failInvalid("{} of shape {} holds {} elements; it needs {}", what,
                shapeString(shape), field.size(), count);
  std::string bytes(count * sizeof(T), '\0');
  for (int64_t i = 0; i < count; ++i) {
    T value = static_cast<T>(field.Get(i));
    std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
  return makeConstant(type, shape, std::move(bytes));
}

} // namespace

Constant
onnx_import::constantInFile(DType type, Shape shape, const char *data,
                            size_t size,
                            const std::shared_ptr<llvm::MemoryBuffer> &keep) {
  if (keep && reinterpret_cast<uintptr_t>(data) % byteSize(type) == 0) {
    Constant result;
    result.type = type;
    result.shape = std::move(shape);
    result.bytes = llvm::ArrayRef<char>(data, size);
    result.keep = keep;
    return result;
  }
  Constant result =
      makeConstant(type, std::move(shape), std::string(data, size));
  if (keep && keep->getBufferKind() == llvm::MemoryBuffer::MemoryBuffer_MMap) {
    uintptr_t page = sysconf(_SC_PAGESIZE);
    uintptr_t begin = llvm::alignTo(reinterpret_cast<uintptr_t>(data), page);
    uintptr_t end = (reinterpret_cast<uintptr_t>(data) + size) / page * page;
    if (begin < end)
      madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED);
  }
  return result;
}

/// A value that was left in the file (WireFormat.h).
static Constant readLongValue(const LongValue &value, TensorSource &source,
                              DType type, Shape shape,
                              const std::string &what) {
  bool fits = value.field == onnx::TensorProto::kRawDataFieldNumber ||
              (value.field == onnx::TensorProto::kFloatDataFieldNumber &&
               type == DType::F32) ||
              (value.field == onnx::TensorProto::kDoubleDataFieldNumber &&
               type == DType::F64);
  size_t expected = checkedElements(shape, what) * byteSize(type);
  if (!fits || value.size != expected)
    failInvalid("{} of shape {} and type {} needs {} bytes, but the file "
                "holds {}{}",
                what, shapeString(shape), name(type), expected, value.size,
                fits ? "" : " of another type");
  if (value.offset > source.bytes.size() ||
      value.size > source.bytes.size() - value.offset)
    failInvalid("{}: its bytes are not in the file", what);
  return constantInFile(type, std::move(shape),
                        source.bytes.data() + value.offset, value.size,
                        source.keep);
}

static Constant decodeAs(const onnx::TensorProto &tensor, TensorSource &source,
                         DType type, Shape shape, const std::string &what);

Constant onnx_import::decodeTensor(const onnx::TensorProto &tensor,
                                   TensorSource &source,
                                   const std::string &what) {
  DType type = fromOnnxType(tensor.data_type(), what);
  if (tensor.has_segment())
    failUnsupported("{} is stored in segments, which is not supported", what);
  Shape shape(tensor.dims().begin(), tensor.dims().end());
  int64_t count = checkedElements(shape, what);
  if (int64_t each = packedInByte(type); each > 1) {
    Shape packed{(count + each - 1) / each};
    Constant bytes = decodeAs(tensor, source, DType::U8, packed, what);
    return unpacked(type, std::move(shape), bytes.bytes);
  }
  return decodeAs(tensor, source, type, std::move(shape), what);
}

static Constant decodeAs(const onnx::TensorProto &tensor, TensorSource &source,
                         DType type, Shape shape, const std::string &what) {
  int64_t count = checkedElements(shape, what);
  bool isExternal = tensor.data_location() == onnx::TensorProto::EXTERNAL;
  std::optional<LongValue> inFile = longValue(tensor);
  int values = isExternal + inFile.has_value() + tensor.has_raw_data() +
               !tensor.float_data().empty() + !tensor.double_data().empty() +
               !tensor.int32_data().empty() + !tensor.int64_data().empty() +
               !tensor.uint64_data().empty();
  if (values > 1)
    failInvalid("{} has both one value and another: only one of external data, "
                "raw_data and the typed fields can hold it",
                what);
  if (isExternal)
    return mapExternal(tensor, source, type, std::move(shape), what);
  if (inFile)
    return readLongValue(*inFile, source, type, std::move(shape), what);
  if (tensor.has_raw_data()) {
    size_t expected = count * byteSize(type);
    if (tensor.raw_data().size() != expected)
      failInvalid("{} of shape {} and type {} needs {} bytes, but the file "
                  "holds {}",
                  what, shapeString(shape), name(type), expected,
                  tensor.raw_data().size());
    return makeConstant(type, std::move(shape), tensor.raw_data());
  }
  switch (type) {
  case DType::F32:
    return fromField<float>(type, shape, tensor.float_data(), count, what);
  case DType::F64:
    return fromField<double>(type, shape, tensor.double_data(), count, what);
  case DType::I64:
    return fromField<int64_t>(type, shape, tensor.int64_data(), count, what);
  case DType::I32:
    return fromField<int32_t>(type, shape, tensor.int32_data(), count, what);
  case DType::I16:
    return fromField<int16_t>(type, shape, tensor.int32_data(), count, what);
  case DType::U32:
    return fromField<uint32_t>(type, shape, tensor.uint64_data(), count, what);
  case DType::U64:
    return fromField<uint64_t>(type, shape, tensor.uint64_data(), count, what);
  case DType::U16:
  case DType::F16:
  case DType::BF16:
    return fromField<uint16_t>(type, shape, tensor.int32_data(), count, what);
  case DType::I8:
    return fromField<int8_t>(type, shape, tensor.int32_data(), count, what);
  default: // types of one byte
    return fromField<uint8_t>(type, shape, tensor.int32_data(), count, what);
  }
}
