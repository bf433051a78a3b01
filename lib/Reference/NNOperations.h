//===- NNOperations.h - the operations of the nn level, evaluated -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// One function per operation, in the file of its family. Each takes the
// operation for its attributes, its operands, and what the result must be, and
// returns the result or an error that names the operation. Where all operands
// and the result are quantized an operation follows docs/numerics.md; where
// none is, it computes in single precision.
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_REFERENCE_NNOPERATIONS_H
#define CIMC_LIB_REFERENCE_NNOPERATIONS_H

#include "NN/NN.h"
#include "cimc/Support/HostTensor.h"
#include "cimc/Support/Numerics.h"
#include "cimc/Support/Status.h"

#include <optional>

namespace cimc::reference {

/// The parameters of a quantized tensor type.
struct Quantization {
  numerics::Range range;
  /// -1: per tensor, and `scales` and `zeros` have one element.
  int axis = -1;
  std::vector<float> scales;
  std::vector<int32_t> zeros;

  bool perAxis() const { return axis >= 0; }
  /// Of a channel along `axis`.
  float scale(int64_t channel = 0) const {
    return scales[perAxis() ? channel : 0];
  }
  int32_t zero(int64_t channel = 0) const {
    return zeros[perAxis() ? channel : 0];
  }
  /// Whether integers mean the same real numbers (the axis may differ: it moves
  /// in a transposition).
  bool sameParameters(const Quantization &other) const {
    return range.min == other.range.min && range.max == other.range.max &&
           scales == other.scales && zeros == other.zeros;
  }
};

/// What a tensor type says.
struct TensorInfo {
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  std::optional<Quantization> quant;

  int64_t size() const;
  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
  bool isFloat() const { return !quant && dtype == DType::F32; }
  /// 8-bit storage with one scale: what tables serve.
  bool isByteTensor() const {
    return quant && !quant->perAxis() &&
           (dtype == DType::I8 || dtype == DType::U8);
  }
  /// Channel of a flat element index along the quantization axis.
  int64_t channel(int64_t element) const {
    if (!quant || !quant->perAxis())
      return 0;
    int64_t inner = 1;
    for (int64_t i = quant->axis + 1; i < rank(); ++i)
      inner *= shape[i];
    return element / inner % shape[quant->axis];
  }
};

/// A tensor that is read; its bytes belong to someone else.
struct Operand {
  TensorInfo info;
  const std::byte *data = nullptr;
  /// Its storage, where nothing reads the tensor after this operation.
  HostTensor *spare = nullptr;

  template <typename T> const T *as() const {
    return reinterpret_cast<const T *>(data);
  }
};
using Operands = llvm::ArrayRef<Operand>;

/// Storage for the result of a function of single elements: that of an operand
/// of the result's size and type that nothing reads again, else new. Element i
/// may then be written once element i of every operand has been read.
HostTensor resultIn(Operands in, const TensorInfo &out);

/// Describes a tensor type; nothing for types that no rule covers.
std::optional<TensorInfo> describe(mlir::Type type);

/// An error about an operation: "LOCATION: 'nn.conv': WHAT".
Error failure(mlir::Operation *op, const std::string &what,
              ExitCode code = ExitCode::Unsupported);

/// Calls `fn` with a value of the C++ type that stores an integer type.
/// Returns false for floats.
template <typename Fn> bool visitInteger(DType type, Fn &&fn) {
  switch (type) {
  case DType::I8:
  case DType::I4:
  case DType::I2:
    return fn(int8_t()), true;
  case DType::U8:
  case DType::U4:
  case DType::U2:
  case DType::Bool:
    return fn(uint8_t()), true;
  case DType::I16:
    return fn(int16_t()), true;
  case DType::U16:
    return fn(uint16_t()), true;
  case DType::I32:
    return fn(int32_t()), true;
  case DType::I64:
    return fn(int64_t()), true;
  case DType::U32:
    return fn(uint32_t()), true;
  case DType::U64:
    return fn(uint64_t()), true;
  default:
    return false;
  }
}

inline bool isInteger(DType type) {
  return visitInteger(type, [](auto) {});
}

/// R4: real values of an f32 or quantized operand.
std::vector<float> toReal(const Operand &operand);
/// R4: real values as the result type wants them, f32 or quantized.
HostTensor fromReal(const std::vector<float> &values, const TensorInfo &out);
/// Raw integers of a quantized operand.
std::vector<int32_t> toIntegers(const Operand &operand);
/// Raw integers stored in the result type.
HostTensor fromIntegers(const std::vector<int32_t> &values,
                        const TensorInfo &out);
/// R10: the same real values under other parameters; the shape is `out`'s.
/// Where the parameters agree the bytes are taken as they are. Fails for types
/// that differ in being quantized, or in unquantized element type.
Result<HostTensor> requantized(mlir::Operation *op, HostTensor tensor,
                               const TensorInfo &in, const TensorInfo &out);

using Evaluated = Result<HostTensor>;
using EvaluatedAll = Result<std::vector<HostTensor>>;
using Outputs = llvm::ArrayRef<TensorInfo>;

/// Finds the function of an operation among those of a family:
/// `Family(op, in, out).add<nn::SoftmaxOp>(softmax).result`. A function takes
/// the operation, its operands and what the result must be, or all of the
/// results, and gives as many.
struct Family {
  mlir::Operation *op;
  Operands in;
  Outputs out;
  /// Nothing where the operation is of another family.
  std::optional<EvaluatedAll> result = std::nullopt;

  template <typename OpT, typename Fn> Family &add(Fn fn) {
    auto concrete = llvm::dyn_cast<OpT>(op);
    if (!concrete)
      return *this;
    if constexpr (std::is_invocable_v<Fn, OpT, Operands, Outputs>) {
      result = fn(concrete, in, out);
    } else {
      Evaluated one = fn(concrete, in, out.front());
      if (one) {
        result.emplace(std::vector<HostTensor>());
        (*result)->push_back(std::move(*one));
      } else {
        result.emplace(one.takeError());
      }
    }
    return *this;
  }
  std::optional<EvaluatedAll> take() { return std::move(result); }
};

// One for each NN*.cpp.
std::optional<EvaluatedAll> evaluateAttention(mlir::Operation *op, Operands in,
                                              Outputs out);
std::optional<EvaluatedAll> evaluateIndexing(mlir::Operation *op, Operands in,
                                             Outputs out);
std::optional<EvaluatedAll> evaluateRecurrent(mlir::Operation *op, Operands in,
                                              Outputs out);
std::optional<EvaluatedAll> evaluateResampling(mlir::Operation *op, Operands in,
                                               Outputs out);
std::optional<EvaluatedAll> evaluateConversion(mlir::Operation *op, Operands in,
                                               Outputs out);
std::optional<EvaluatedAll> evaluateElementwise(mlir::Operation *op,
                                                Operands in, Outputs out);
std::optional<EvaluatedAll> evaluateMovement(mlir::Operation *op, Operands in,
                                             Outputs out);
std::optional<EvaluatedAll> evaluateNormalization(mlir::Operation *op,
                                                  Operands in, Outputs out);
std::optional<EvaluatedAll> evaluatePooling(mlir::Operation *op, Operands in,
                                            Outputs out);
std::optional<EvaluatedAll> evaluateReduction(mlir::Operation *op, Operands in,
                                              Outputs out);
std::optional<EvaluatedAll> evaluateWeighted(mlir::Operation *op, Operands in,
                                             Outputs out);

// NNConvolution.cpp, NNConvTranspose.cpp, NNMatMul.cpp, NNResize.cpp
/// With `function`, one of one variable that is applied to every result; all
/// tensors are f32 then.
Evaluated convolution(nn::ConvOp op, Operands in, const TensorInfo &out,
                      nn::ElementwiseOpInterface function = nullptr);
Evaluated convTranspose(nn::ConvTransposeOp op, Operands in,
                        const TensorInfo &out);
Evaluated matMul(nn::MatMulOp op, Operands in, const TensorInfo &out);
Evaluated resize(nn::ResizeOp op, Operands in, const TensorInfo &out);

} // namespace cimc::reference

#endif // CIMC_LIB_REFERENCE_NNOPERATIONS_H
