//===- Constants.h - tensors whose values the file holds -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_IMPORT_ONNX_CONSTANTS_H
#define CIMC_LIB_IMPORT_ONNX_CONSTANTS_H

#include "Failure.h"
#include "ModelFile.h"

#include "cimc/Support/HostTensor.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "onnx/onnx_pb.h"
#include "llvm/ADT/ArrayRef.h"

#include <memory>

namespace cimc::onnx_import {

using Shape = std::vector<int64_t>;

/// Elements that one tensor may have.
inline constexpr int64_t kMaxElements = int64_t(1) << 33;
/// Axes that one tensor may have.
inline constexpr size_t kMaxRank = 8;

/// A tensor known at import. Copies share the bytes, which are aligned for the
/// element type and never change.
struct Constant {
  DType type = DType::F32;
  Shape shape;
  llvm::ArrayRef<char> bytes;
  std::shared_ptr<const void> keep;

  int64_t size() const { return bytes.size() / byteSize(type); }
  template <typename T> llvm::ArrayRef<T> as() const {
    return {reinterpret_cast<const T *>(bytes.data()),
            bytes.size() / sizeof(T)};
  }
  bool isInteger() const { return !isFloat(type); }
};

/// The number of elements of a shape from a file: no negative dimension, no
/// overflow, at most kMaxElements, at most kMaxRank axes. `what` begins the
/// message.
int64_t checkedElements(llvm::ArrayRef<int64_t> shape, const std::string &what);

/// A constant that owns `bytes`.
Constant makeConstant(DType type, Shape shape, std::string bytes);
template <typename T>
Constant makeConstant(DType type, Shape shape, llvm::ArrayRef<T> values) {
  return makeConstant(type, std::move(shape),
                      std::string(reinterpret_cast<const char *>(values.data()),
                                  values.size() * sizeof(T)));
}

/// Any element as an integer or a double; floats are truncated to integers.
int64_t integerAt(const Constant &constant, int64_t index);
double realAt(const Constant &constant, int64_t index);

/// ONNX's number for an element type; Unsupported with `what` before it.
DType fromOnnxType(int32_t type, const std::string &what);
/// ONNX's name for an element type.
std::string onnxTypeName(int32_t type);

/// Elements of ONNX's types of 4 and 2 bits, which share bytes in files: how
/// many are in one byte.
int64_t packedInByte(DType type);
/// All elements of a shape, one a byte.
Constant unpacked(DType type, Shape shape, llvm::ArrayRef<char> bytes);

/// The value of a TensorProto. Values that stand in a file at an address that
/// suits their type are not copied. Handlers call Node::decode.
Constant decodeTensor(const onnx::TensorProto &tensor, TensorSource &source,
                      const std::string &what);

/// Bytes of an external data file inside the model's folder.
Constant mapExternal(const onnx::TensorProto &tensor, TensorSource &source,
                     DType type, Shape shape, const std::string &what);

/// `size` bytes of a file: shared where they lie aligned for the type and
/// `keep` is given, else copied. Pages of a mapped file that were only copied
/// from are given back.
Constant constantInFile(DType type, Shape shape, const char *data, size_t size,
                        const std::shared_ptr<llvm::MemoryBuffer> &keep);

/// The bytes as an attribute of element type `element` (same width): small
/// ones inline, large ones as `dense_resource` named `name`, without a copy.
mlir::ElementsAttr toAttribute(const Constant &constant, mlir::Type element,
                               llvm::StringRef name);

/// The element type an unquantized tensor of `type` has in the IR.
mlir::Type elementTypeOf(mlir::MLIRContext *context, DType type);

} // namespace cimc::onnx_import

#endif // CIMC_LIB_IMPORT_ONNX_CONSTANTS_H
