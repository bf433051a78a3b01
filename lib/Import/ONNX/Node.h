//===- Node.h - what the translation of one operator sees -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_IMPORT_ONNX_NODE_H
#define CIMC_LIB_IMPORT_ONNX_NODE_H

#include "Constants.h"
#include "NN/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include <optional>

namespace cimc::onnx_import {

class GraphImporter;

/// What an ONNX name stands for: a value of the function, a tensor known at
/// import, or both once the constant has been used as an operand.
struct Tensor {
  mlir::Value value;
  std::optional<Constant> constant;
  /// The float type that the model says where the value is f32: float16,
  /// bfloat16 and float64 are computed in single precision.
  DType floatType = DType::F32;
  /// The node that makes it could not be translated; neither can its users.
  bool missing = false;
};

/// One node, with checked access to its attributes and inputs. Handlers read
/// inputs, emit operations and set every output; they leave by throwing
/// Failure.
class Node {
public:
  Node(GraphImporter &graph, const onnx::NodeProto &proto, int64_t opset,
       mlir::Location loc)
      : graph(graph), proto(proto), opset(opset), loc(loc) {}

  GraphImporter &graph;
  const onnx::NodeProto &proto;
  /// Version of the operator set of the node's domain.
  const int64_t opset;
  const mlir::Location loc;

  mlir::OpBuilder &builder();
  mlir::MLIRContext *context() { return loc.getContext(); }
  mlir::Type f32() { return mlir::Float32Type::get(context()); }

  //===--- Attributes. Names asked for are known; checkAttributes reports all
  // others. A wrong attribute type is an error.
  int64_t getInt(const char *name, int64_t otherwise);
  float getFloat(const char *name, float otherwise);
  std::string getString(const char *name, const std::string &otherwise);
  std::optional<Shape> getInts(const char *name);
  /// The raw attribute, null where the node has none.
  const onnx::AttributeProto *getAttribute(const char *name);
  void ignore(const char *name) { known.insert(name); }
  void checkAttributes();

  //===--- Inputs.
  size_t inputCount() const { return proto.input_size(); }
  bool hasInput(size_t i) const {
    return i < inputCount() && !proto.input(i).empty();
  }
  /// The operand, materialized where it is a constant; floats are f32.
  mlir::Value value(size_t i);
  /// An operand with plain numbers: f32, integers or truth values.
  mlir::Value number(size_t i);
  /// An operand that must be float32.
  mlir::Value real(size_t i);
  Shape shape(size_t i);
  /// The element type of a tensor that is not quantized.
  DType dtype(size_t i);
  /// Null where the input is not known at import.
  const Constant *constant(size_t i);
  /// An input that must be known at import.
  const Constant &requireConstant(size_t i, const char *what);
  /// A constant list of integers (shapes, axes, bounds).
  Shape integers(size_t i, const char *what);
  /// The value of a tensor attribute.
  Constant decode(const onnx::TensorProto &tensor, const std::string &what);
  const std::string &inputName(size_t i) const { return proto.input(i); }

  /// A possibly negative axis of a tensor with `rank` axes.
  int64_t axis(int64_t value, int64_t rank);

  //===--- Results.
  /// To be asked before a constant of that shape is made.
  void checkFolded(llvm::ArrayRef<int64_t> shape, DType type);
  /// A result has the model's float type of the first float input, unless
  /// resultFloat says another.
  void setResult(mlir::Value value, size_t i = 0);
  std::optional<DType> resultFloat;
  void setResult(Constant constant, size_t i = 0);
  void setResult(Tensor tensor, size_t i = 0);
  /// Whether output i is used by name.
  bool hasOutput(size_t i) const {
    return i < static_cast<size_t>(proto.output_size()) &&
           !proto.output(i).empty();
  }

  /// Creates an operation whose result shape is inferred; what does not fit is
  /// reported with the node.
  template <typename OpT>
  mlir::Value emit(mlir::Type elementType, mlir::ValueRange operands,
                   llvm::ArrayRef<mlir::NamedAttribute> attributes = {}) {
    return checked(nn::createInferred<OpT>(builder(), loc, elementType,
                                           operands, attributes))
        .front();
  }
  /// The same for an operation of several results.
  template <typename OpT>
  llvm::SmallVector<mlir::Value>
  emitAll(mlir::TypeRange elementTypes, mlir::ValueRange operands,
          llvm::ArrayRef<mlir::NamedAttribute> attributes = {}) {
    return checked(nn::createInferred<OpT>(builder(), loc, elementTypes,
                                           operands, attributes));
  }
  /// The same with the element type of the first operand.
  template <typename OpT>
  mlir::Value like(mlir::ValueRange operands,
                   llvm::ArrayRef<mlir::NamedAttribute> attributes = {}) {
    return emit<OpT>(mlir::getElementTypeOrSelf(operands.front()), operands,
                     attributes);
  }
  /// Another plain element type, where it is another.
  mlir::Value cast(mlir::Value value, mlir::Type elementType,
                   bool saturate = true);
  /// A scalar of the element type of `like`, a plain one.
  mlir::Value scalar(double value, mlir::Type elementType);
  /// Whole numbers along one axis of a tensor with `rank` axes: 0, 1, ...
  mlir::Value iota(int64_t length, int64_t axis, int64_t rank);
  mlir::Value reshape(mlir::Value value, llvm::ArrayRef<int64_t> shape);
  mlir::Value emitConstant(const Constant &constant, mlir::Type elementType,
                           llvm::StringRef name);

  mlir::NamedAttribute attr(llvm::StringRef name, llvm::ArrayRef<int64_t> v) {
    return builder().getNamedAttr(name, builder().getDenseI64ArrayAttr(v));
  }
  mlir::NamedAttribute attr(llvm::StringRef name, int64_t v) {
    return builder().getNamedAttr(name, builder().getI64IntegerAttr(v));
  }
  mlir::NamedAttribute attr(llvm::StringRef name, float v) {
    return builder().getNamedAttr(name, builder().getF32FloatAttr(v));
  }
  mlir::NamedAttribute unit(llvm::StringRef name) {
    return builder().getNamedAttr(name, builder().getUnitAttr());
  }

private:
  llvm::SmallVector<mlir::Value> checked(mlir::Operation *op);
  /// The values of an operation on small constants, as constants.
  llvm::SmallVector<mlir::Value> folded(mlir::Operation *op);

  llvm::StringSet<> known;
};

/// Shape and element type of a value.
inline mlir::RankedTensorType tensorType(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType());
}
inline mlir::Type elementType(mlir::Value value) {
  return tensorType(value).getElementType();
}

/// The window attributes that convolutions and pooling share.
struct WindowAttributes {
  Shape kernel, strides, pads, dilations;
};
/// Reads them for an input with `input` shape, resolving `auto_pad`. `kernel`
/// is the kernel where the operator has it from elsewhere, else empty.
WindowAttributes readWindow(Node &node, llvm::ArrayRef<int64_t> input,
                            Shape kernel);
/// The window attributes of a pooling operator, as nn operations have them.
llvm::SmallVector<mlir::NamedAttribute> poolAttributes(Node &node,
                                                       mlir::Value input);

/// The results of Conv and Gemm, which fused operators go on with.
mlir::Value emitConv(Node &node);
mlir::Value emitGemm(Node &node);

#define CIMC_ONNX_OP(DOMAIN, OP, SINCE, INPUTS, HANDLER, CONSTRAINTS)          \
  void HANDLER(Node &node);
#include "cimc/Import/ONNX/OpTable.def"

} // namespace cimc::onnx_import

#endif // CIMC_LIB_IMPORT_ONNX_NODE_H
