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
  case DType::F16: {
    llvm::APFloat half(llvm::APFloat::IEEEhalf(),
                       llvm::APInt(16, c.as<uint16_t>()[i]));
    bool loses;
    half.convert(llvm::APFloat::IEEEdouble(),
                 llvm::APFloat::rmNearestTiesToEven, &loses);
    return half.convertToDouble();
  }
  default:
    return static_cast<double>(integerAt(c, i));
  }
}

int64_t onnx_import::integerAt(const Constant &c, int64_t i) {
  switch (c.type) {
  case DType::I8:
    return c.as<int8_t>()[i];
  case DType::U8:
  case DType::Bool:
    return c.as<uint8_t>()[i];
  case DType::I16:
    return c.as<int16_t>()[i];
  case DType::U16:
    return c.as<uint16_t>()[i];
  case DType::I32:
    return c.as<int32_t>()[i];
  case DType::I64:
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
      "undefined",      "float32",      "uint8",          "int8",
      "uint16",         "int16",        "int32",          "int64",
      "string",         "bool",         "float16",        "float64",
      "uint32",         "uint64",       "complex64",      "complex128",
      "bfloat16",       "float8e4m3fn", "float8e4m3fnuz", "float8e5m2",
      "float8e5m2fnuz", "uint4",        "int4",           "float4e2m1"};
  if (type >= 0 && type < static_cast<int32_t>(std::size(names)))
    return names[type];
  return fmt::format("number {}", type);
}

DType onnx_import::fromOnnxType(int32_t type, const std::string &what) {
  switch (type) {
  case onnx::TensorProto::FLOAT:
    return DType::F32;
  case onnx::TensorProto::UINT8:
    return DType::U8;
  case onnx::TensorProto::INT8:
    return DType::I8;
  case onnx::TensorProto::UINT16:
    return DType::U16;
  case onnx::TensorProto::INT16:
    return DType::I16;
  case onnx::TensorProto::INT32:
    return DType::I32;
  case onnx::TensorProto::INT64:
    return DType::I64;
  case onnx::TensorProto::BOOL:
    return DType::Bool;
  case onnx::TensorProto::FLOAT16:
    return DType::F16;
  case onnx::TensorProto::DOUBLE:
    return DType::F64;
  case onnx::TensorProto::UNDEFINED:
    failInvalid("{} has no element type", what);
  default:
    failUnsupported("{} has the element type {}, which is not supported", what,
                    onnxTypeName(type));
  }
}

mlir::Type onnx_import::elementTypeOf(mlir::MLIRContext *context, DType type) {
  auto integer = [&](unsigned width, bool isUnsigned = false) {
    return mlir::IntegerType::get(context, width,
                                  isUnsigned ? mlir::IntegerType::Unsigned
                                             : mlir::IntegerType::Signless);
  };
  switch (type) {
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
  case DType::I64:
    return integer(64);
  case DType::Bool:
    return integer(1);
  case DType::F64:
    return mlir::Float64Type::get(context);
  case DType::F16:
    return mlir::Float16Type::get(context);
  case DType::F32:
    break;
  }
  return mlir::Float32Type::get(context);
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

Constant onnx_import::decodeTensor(const onnx::TensorProto &tensor,
                                   TensorSource &source,
                                   const std::string &what) {
  DType type = fromOnnxType(tensor.data_type(), what);
  if (tensor.has_segment())
    failUnsupported("{} is stored in segments, which is not supported", what);
  Shape shape(tensor.dims().begin(), tensor.dims().end());
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
  case DType::U16:
  case DType::F16:
    return fromField<uint16_t>(type, shape, tensor.int32_data(), count, what);
  case DType::I8:
    return fromField<int8_t>(type, shape, tensor.int32_data(), count, what);
  case DType::U8:
  case DType::Bool:
    return fromField<uint8_t>(type, shape, tensor.int32_data(), count, what);
  }
  failInvalid("{} has no data", what);
}
