//===- GraphImporter.h - a graph, node by node -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_IMPORT_ONNX_GRAPHIMPORTER_H
#define CIMC_LIB_IMPORT_ONNX_GRAPHIMPORTER_H

#include "Node.h"
#include "Scan.h"

#include "cimc/Import/ONNX/Import.h"

#include <limits>

namespace cimc::onnx_import {

/// Newest version of the default operator set whose semantics the handlers
/// have been compared with.
inline constexpr int64_t kNewestOpset = 28;
inline constexpr int64_t kOldestOpset = 1;

/// Inputs of operators that take lists.
inline constexpr int kAnyInputs = std::numeric_limits<int>::max();

/// One row of OpTable.def.
struct OpEntry {
  const char *domain, *op;
  int64_t since;
  int inputs; ///< at most
  void (*handler)(Node &);
  const char *constraints;
};
llvm::ArrayRef<OpEntry> opTable();

/// Translates the graph of one model. Throws Failure.
class GraphImporter {
public:
  GraphImporter(mlir::MLIRContext &context, onnx::ModelProto &model,
                TensorSource &source, const ImportOptions &options,
                const std::string &path);

  mlir::OwningOpRef<mlir::ModuleOp> run();

  /// The tensor of that name; a failure says who asked.
  Tensor &lookup(const std::string &name, const Node &node);
  /// The value of a tensor, made from its constant where it is one.
  mlir::Value materialize(const std::string &name, Tensor &tensor);
  void define(const std::string &name, Tensor tensor);
  /// Refuses to make a constant of that size where all those made at import
  /// would take more than a few times the model: a few bytes of a file must
  /// not ask for gigabytes.
  void checkFolded(uint64_t bytes) const;
  /// Notes that a constant was made.
  void addFolded(uint64_t bytes);

  /// Writes a body out, here; it sees the names around it. What its nodes
  /// could not compute is `missing`. `name` begins its nodes' names.
  std::vector<Tensor> importBody(const onnx::GraphProto &body,
                                 std::vector<Tensor> inputs,
                                 const std::string &name);
  /// The attribute itself, or that of the call it refers to; null where the
  /// call has none.
  const onnx::AttributeProto *resolve(const onnx::AttributeProto &attribute);

  mlir::OpBuilder builder;
  TensorSource &source;

private:
  void readOpsets();
  void readInitializers();
  void readInputs();
  void indexNodes();
  /// All Constant nodes, or all others.
  void importNodes(bool constants);
  void importNode(const onnx::NodeProto &proto, int index);

  /// A body or function while it is written out.
  struct Frame {
    llvm::StringMap<Tensor> tensors;
    Opsets opsets;
    /// Of the names of its nodes.
    std::string prefix;
    /// A function sees only its own names, and the attributes of its call.
    bool isolated = false;
    llvm::StringMap<const onnx::AttributeProto *> attributes;
    std::vector<std::unique_ptr<onnx::AttributeProto>> defaults;
  };
  std::vector<Tensor>
  importFrame(std::unique_ptr<Frame> frame,
              const google::protobuf::RepeatedPtrField<onnx::NodeProto> &nodes,
              llvm::ArrayRef<std::string> outputs);
  void importCall(Node &node, const onnx::FunctionProto &function);
  /// The tensor that a name stands for where nodes are being imported, or null.
  Tensor *find(const std::string &name);
  /// Where nodes that are being imported define names.
  llvm::StringMap<Tensor> &names() {
    return frames.empty() ? tensors : frames.back()->tensors;
  }
  std::string fullName(const onnx::NodeProto &proto, int index) const;
  void finishOutputs();
  /// Floats that are computed in single precision get their f32 value.
  void widen(Tensor &tensor, DType type);
  /// An f32 result in the float type that the model declares.
  mlir::Value asDeclared(const onnx::ValueInfoProto &output, mlir::Value value);
  /// Constants whose users were folded or never needed them.
  void eraseUnused();
  /// Whether an option gives the input's value, which is then its constant.
  bool bindConstant(const onnx::ValueInfoProto &input);
  /// The shape of an input; nothing where it is open, which is noted.
  std::optional<Shape> inputShape(const onnx::ValueInfoProto &input);
  /// The value that an option gives to a symbolic dimension.
  std::optional<int64_t>
  boundDim(const onnx::TensorShapeProto::Dimension &dim) const;
  mlir::Type quantizedInputType(const std::string &name, DType type);
  /// Warns where a declared shape or type is not the one computed.
  void compareDeclared();
  mlir::Location locationOf(const std::string &name);

  mlir::MLIRContext &context;
  onnx::ModelProto &model;
  onnx::GraphProto &graph;
  const ImportOptions &options;
  std::string path;

  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp entry;
  llvm::StringMap<Tensor> tensors;
  /// The inputs that became arguments, in order.
  std::vector<std::string> arguments;
  /// First node that makes a name, for graphs that are not sorted.
  llvm::StringMap<int> producers;
  llvm::StringMap<llvm::SmallVector<int, 2>> consumers;
  /// Names that a node reads, here or in a subgraph, or that are outputs.
  llvm::StringSet<> read;
  Opsets opsets;
  uint64_t foldedBytes = 0;
  Problems problems;
  /// Model-local functions by domain and name.
  std::map<std::pair<std::string, std::string>, const onnx::FunctionProto *>
      functions;
  std::vector<std::unique_ptr<Frame>> frames;
  /// Nodes of all frames so far.
  int64_t writtenOut = 0;
};

} // namespace cimc::onnx_import

#endif // CIMC_LIB_IMPORT_ONNX_GRAPHIMPORTER_H
