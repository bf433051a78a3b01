//===- GraphInputs.cpp - what a graph is given and declares -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphImporter.h"
#include "QuantizedTypes.h"
#include "Survey.h"

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

std::optional<int64_t>
GraphImporter::boundDim(const onnx::TensorShapeProto::Dimension &dim) const {
  if (dim.has_dim_param())
    for (const auto &[name, value] : options.dims)
      if (name == dim.dim_param())
        return value;
  return std::nullopt;
}

std::optional<Shape>
GraphImporter::inputShape(const onnx::ValueInfoProto &input) {
  const onnx::TypeProto_Tensor &type = input.type().tensor_type();
  for (const auto &[name, shape] : options.inputShapes) {
    if (name != input.name())
      continue;
    bool fits = !type.has_shape() ||
                type.shape().dim_size() == static_cast<int>(shape.size());
    for (size_t i = 0; fits && type.has_shape() && i < shape.size(); ++i) {
      const auto &dim = type.shape().dim(i);
      fits = !dim.has_dim_value() || dim.dim_value() < 0 ||
             dim.dim_value() == shape[i];
    }
    if (!fits)
      failUsage("--input-shape {}={}: the model declares another shape for "
                "this input, {}",
                name, shapeString(shape), declaredShape(type.shape()));
    return shape;
  }
  bool isRead = read.contains(input.name());
  if (!type.has_shape() && !isRead)
    return Shape();
  if (!type.has_shape()) {
    problems.addOpen(fmt::format("{}: input '{}' has no shape; give it one "
                                 "with --input-shape {}=...",
                                 path, input.name(), input.name()));
    return std::nullopt;
  }
  OpenDims open = openDims(type.shape(), options);
  if (open.text.empty())
    return open.shape;
  // Whatever is given for an input that nobody reads, it is not used.
  if (!isRead)
    return open.suggestion;
  problems.addOpen(fmt::format(
      "{}: input '{}' ({}) leaves {} open; {}, for example with "
      "{}{}--input-shape {}={}",
      path, input.name(), declaredShape(type.shape()), open.text,
      open.allNamed ? "bind it" : "give its shape",
      open.allNamed ? fmt::format("{}", fmt::join(open.flags, " ")) : "",
      open.allNamed ? " or " : "", input.name(), shapeString(open.suggestion)));
  return std::nullopt;
}

void GraphImporter::readInputs() {
  llvm::StringSet<> dimNames, inputNames;
  std::string dimList, inputList;
  for (const onnx::ValueInfoProto &input : graph.input()) {
    if (inputNames.insert(input.name()).second)
      inputList += (inputList.empty() ? "" : ", ") + input.name();
    for (const auto &dim : input.type().tensor_type().shape().dim())
      if (dim.has_dim_param() && dimNames.insert(dim.dim_param()).second)
        dimList += (dimList.empty() ? "" : ", ") + dim.dim_param();
  }
  for (const auto &[name, value] : options.dims) {
    if (!dimNames.contains(name))
      failUsage("--dim {}={}: the model has no open dimension of that name{}{}",
                name, value, dimList.empty() ? "" : "; it has ", dimList);
    if (value < 0)
      failUsage("--dim {}={}: a dimension is at least 0", name, value);
  }
  for (const auto &[name, tensor] : options.constantInputs)
    if (!inputNames.contains(name))
      failUsage("--constant-input {}: the model has no input of that name; it "
                "has {}",
                name, inputList);
  for (const auto &[name, shape] : options.inputShapes)
    if (!inputNames.contains(name))
      failUsage("--input-shape {}={}: the model has no input of that name; it "
                "has {}",
                name, shapeString(shape), inputList);

  // Scales, which say the types of other inputs, come first.
  for (const onnx::ValueInfoProto &input : graph.input())
    if (inputNames.contains(input.name()) && input.type().has_tensor_type() &&
        !tensors.contains(input.name()) && bindConstant(input))
      inputNames.erase(input.name());
  for (const onnx::ValueInfoProto &input : graph.input()) {
    std::string what = fmt::format("{}: input '{}'", path, input.name());
    if (auto it = tensors.find(input.name()); it != tensors.end()) {
      if (it->second.value || producers.contains(input.name()))
        failInvalid("{} is defined twice", what);
      // An initializer is the default value of an input; it stays a constant.
      continue;
    }
    if (input.name().empty())
      failInvalid("{}: a graph input has no name", path);
    if (!input.type().has_tensor_type()) {
      problems.addUnsupported(
          {"", "(input)", 0, 1, input.name(), "is not a tensor", "a tensor"});
      tensors[input.name()].missing = true;
      continue;
    }
    DType type = fromOnnxType(input.type().tensor_type().elem_type(), what);
    if (int axes = input.type().tensor_type().shape().dim_size();
        axes > static_cast<int>(kMaxRank))
      failInvalid("{} has {} axes; at most {} are possible", what, axes,
                  kMaxRank);
    std::optional<Shape> shape = inputShape(input);
    if (!shape) {
      tensors[input.name()].missing = true;
      continue;
    }
    checkedElements(*shape, what);
    Type element = quantizedInputType(input.name(), type);
    Location where = locationOf(input.name());
    Tensor tensor;
    tensor.value = entry.getBody().front().addArgument(
        RankedTensorType::get(*shape, element), where);
    arguments.push_back(input.name());
    widen(tensor, type);
    define(input.name(), std::move(tensor));
  }
}

bool GraphImporter::bindConstant(const onnx::ValueInfoProto &input) {
  for (const auto &[name, tensor] : options.constantInputs) {
    if (name != input.name())
      continue;
    DType type = fromOnnxType(input.type().tensor_type().elem_type(),
                              fmt::format("{}: input '{}'", path, name));
    const onnx::TypeProto_Tensor &declared = input.type().tensor_type();
    bool fits =
        !declared.has_shape() ||
        declared.shape().dim_size() == static_cast<int>(tensor.shape.size());
    for (size_t i = 0; fits && declared.has_shape() && i < tensor.shape.size();
         ++i) {
      const auto &dim = declared.shape().dim(i);
      fits = !dim.has_dim_value() || dim.dim_value() == tensor.shape[i];
    }
    if (tensor.type != type || !fits)
      failUsage("--constant-input {}: the file holds {} of shape {}, but the "
                "model declares {} of shape {}",
                name, cimc::name(tensor.type), shapeString(tensor.shape),
                cimc::name(type), declaredShape(declared.shape()));
    Tensor bound;
    bound.constant = makeConstant(
        type, tensor.shape,
        std::string(reinterpret_cast<const char *>(tensor.data.data()),
                    tensor.data.size()));
    define(name, std::move(bound));
    return true;
  }
  return false;
}

/// An integer input takes the quantized type that its first user states, also
/// behind data movement; without one it stays an integer.
Type GraphImporter::quantizedInputType(const std::string &name, DType type) {
  Type plain = elementTypeOf(&context, type);
  if (type != DType::I8 && type != DType::U8 && type != DType::I16 &&
      type != DType::U16)
    return plain;
  static const llvm::StringSet<> moves = {"Reshape",   "Flatten",   "Squeeze",
                                          "Unsqueeze", "Transpose", "MaxPool",
                                          "Identity",  "Slice"};
  llvm::SmallVector<std::string> work{name};
  // Bounded: every step follows a node forward, and each node once.
  llvm::SmallVector<bool> seen(graph.node_size(), false);
  while (!work.empty()) {
    std::string current = work.pop_back_val();
    for (int index : consumers[current]) {
      if (seen[index])
        continue;
      seen[index] = true;
      const onnx::NodeProto &proto = graph.node(index);
      bool takesIntegers =
          proto.op_type() == "DequantizeLinear" ||
          llvm::StringRef(proto.op_type()).starts_with("QLinear") ||
          proto.op_type() == "QGemm";
      if (moves.contains(proto.op_type())) {
        for (const std::string &output : proto.output())
          work.push_back(output);
      } else if (takesIntegers) {
        Node node(*this, proto, 0, entry.getLoc());
        for (int i = 0; i < proto.input_size(); ++i)
          if (proto.input(i) == current)
            if (Type found = peekQuantizedType(node, i, type))
              return found;
      }
    }
  }
  return plain;
}

//===----------------------------------------------------------------------===//
// Declared shapes
//===----------------------------------------------------------------------===//

void GraphImporter::compareDeclared() {
  constexpr int kMost = 10;
  int differences = 0;
  auto compare = [&](const onnx::ValueInfoProto &info, const char *what) {
    auto it = tensors.find(info.name());
    const onnx::TypeProto_Tensor &type = info.type().tensor_type();
    if (it == tensors.end() || !info.type().has_tensor_type())
      return;
    const Tensor &tensor = it->second;
    Shape computed;
    if (tensor.constant)
      computed = tensor.constant->shape;
    else if (tensor.value)
      computed = Shape(tensorType(tensor.value).getShape());
    else
      return;
    bool same = !type.has_shape() ||
                type.shape().dim_size() == static_cast<int>(computed.size());
    for (size_t i = 0; same && type.has_shape() && i < computed.size(); ++i) {
      const auto &dim = type.shape().dim(i);
      int64_t declared =
          boundDim(dim).value_or(dim.has_dim_value() ? dim.dim_value() : -1);
      same = declared < 0 || declared == computed[i];
    }
    if (same || ++differences > kMost)
      return;
    emitWarning(locationOf(info.name()))
        << what << " '" << info.name() << "' is declared with the shape "
        << declaredShape(type.shape()) << ", but has the shape "
        << shapeString(computed) << "; the declaration is not used";
  };
  for (const onnx::ValueInfoProto &info : graph.output())
    compare(info, "output");
  for (const onnx::ValueInfoProto &info : graph.value_info())
    compare(info, "value");
  if (differences > kMost)
    emitWarning(entry.getLoc()) << differences - kMost
                                << " more declared shapes are not those "
                                   "computed";
}
