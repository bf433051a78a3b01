//===- Constants.h - quantized types and constants --------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_QUANTIZE_CONSTANTS_H
#define CIMC_LIB_QUANTIZE_CONSTANTS_H

#include "NN/NN.h"
#include "cimc/Support/HostTensor.h"
#include "cimc/Support/Numerics.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

#include "llvm/ADT/DenseMap.h"

#include <optional>
#include <string>
#include <vector>

namespace cimc::quantization {

/// The element type of a tensor value.
mlir::Type elementType(mlir::Value value);

/// The per-tensor 8-bit type of an activation; null for anything else.
mlir::quant::UniformQuantizedType activationType(mlir::Type elementType);

/// True for a type of numbers that arrays multiply with weights: per tensor, 8
/// or 16 bits.
bool isInputType(mlir::Type elementType);

/// Scale and zero point of one axis position of a per-tensor or per-axis type.
struct Scales {
  std::vector<float> scale;
  std::vector<int32_t> zero;
  /// -1 per tensor; then there is one entry.
  int64_t axis = -1;
  float scaleAt(size_t i) const { return scale[axis < 0 ? 0 : i]; }
  int32_t zeroAt(size_t i) const { return zero[axis < 0 ? 0 : i]; }
};
/// Nothing for types that are not quantized, or in blocks.
std::optional<Scales> scalesOf(mlir::Type elementType);

/// A signed symmetric type of `bits` stored as `storageBits`, per tensor where
/// `scales.axis` is -1.
mlir::Type signedType(mlir::MLIRContext *context, unsigned storageBits,
                      int64_t minimum, int64_t maximum, const Scales &scales);
/// The unsigned 8-bit type of an activation.
mlir::quant::UniformQuantizedType unsignedType(mlir::MLIRContext *context,
                                               float scale, int32_t zero);

/// Limits of the storage of a quantized type.
numerics::Range storageRange(mlir::quant::QuantizedType type);

/// The constant operation that defines a value; null where there is none.
nn::ConstantOp constantOf(mlir::Value value);

/// The integers of a constant of a quantized or integer type of up to 32 bits.
std::vector<int32_t> readIntegers(nn::ConstantOp op);
/// The numbers of an f32 constant; empty for other types.
std::vector<float> readFloats(nn::ConstantOp op);
/// The real numbers of a float or quantized constant.
std::vector<float> readReals(nn::ConstantOp op);

/// Constants of the given tensor type, whose storage is 8 or 32 bits wide. The
/// name appears in the printed form.
mlir::Value makeIntegers(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::RankedTensorType type,
                         const std::vector<int32_t> &values,
                         llvm::StringRef name);

/// A float constant that is one number everywhere, in 8 bits: scale |c|,
/// integer 1, exactly. Null for anything else.
mlir::Value quantizeSplat(mlir::OpBuilder &builder, mlir::Value value,
                          bool isSigned);

/// For each element of a row-major tensor, calls `f(element, position on
/// axis)`; position 0 where axis is negative.
template <typename F>
void forEachOnAxis(llvm::ArrayRef<int64_t> shape, int64_t axis, F f) {
  int64_t inner = 1, total = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    total *= shape[i];
    if (axis >= 0 && static_cast<int64_t>(i) > axis)
      inner *= shape[i];
  }
  int64_t extent = axis < 0 ? 1 : shape[axis];
  for (int64_t i = 0; i < total; ++i)
    f(i, axis < 0 ? 0 : i / inner % extent);
}

/// The ONNX node's name where the location has one, else the operation's.
std::string nodeName(mlir::Operation *op);

/// A name of its own for each operation of a network but constants: the node's
/// name, of several of one name the second with "#2" behind it, and so on.
class NodeNames {
public:
  explicit NodeNames(mlir::func::FuncOp entry);
  std::string of(mlir::Operation *op) const { return names.lookup(op); }
  /// An argument's name, or that of the operation, with ":K" behind it for its
  /// result K > 0.
  std::string of(mlir::Value value) const;

private:
  mutable mlir::func::FuncOp entry;
  llvm::DenseMap<mlir::Operation *, std::string> names; // looked up only
};

} // namespace cimc::quantization

#endif // CIMC_LIB_QUANTIZE_CONSTANTS_H
