//===- GraphImporter.cpp - a graph, node by node -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphImporter.h"

#include "QuantizedTypes.h"

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

GraphImporter::GraphImporter(MLIRContext &context, onnx::ModelProto &model,
                             TensorSource &source, const ImportOptions &options,
                             const std::string &path)
    : builder(&context), source(source), context(context), model(model),
      graph(*model.mutable_graph()), options(options), path(path) {
  context.loadDialect<func::FuncDialect, nn::NNDialect, quant::QuantDialect>();
}

OwningOpRef<ModuleOp> GraphImporter::run() {
  Location where = locationOf(graph.name().empty() ? path : graph.name());
  module = ModuleOp::create(where);
  builder.setInsertionPointToEnd(module->getBody());
  entry = func::FuncOp::create(builder, where, "main",
                               builder.getFunctionType({}, {}));
  builder.setInsertionPointToEnd(entry.addEntryBlock());
  readOpsets();
  indexNodes();
  readInitializers();
  // Before the inputs, whose quantized types may be stated by constants.
  importNodes(/*constants=*/true);
  readInputs();
  importNodes(/*constants=*/false);
  if (!rows.empty())
    reportUnsupported();
  finishOutputs();
  return std::move(module);
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

Location GraphImporter::locationOf(const std::string &name) {
  return NameLoc::get(StringAttr::get(&context, name));
}

std::string GraphImporter::nameOf(const onnx::NodeProto &proto,
                                  int index) const {
  if (!proto.name().empty())
    return proto.name();
  return fmt::format("{}_{}", proto.op_type(), index);
}

Tensor &GraphImporter::lookup(const std::string &name, const Node &node) {
  auto it = tensors.find(name);
  if (it != tensors.end())
    return it->second;
  auto producer = producers.find(name);
  if (producer != producers.end())
    failInvalid("input '{}' is made by a later node, '{}'; the nodes must be "
                "sorted and free of cycles",
                name, nameOf(graph.node(producer->second), producer->second));
  failInvalid("input '{}' is not defined: no graph input, initializer or node "
              "has that name",
              name);
}

void GraphImporter::define(const std::string &name, Tensor tensor) {
  if (!tensors.try_emplace(name, std::move(tensor)).second)
    failInvalid("the name '{}' is defined twice", name);
}

Value GraphImporter::materialize(const std::string &name, Tensor &tensor) {
  if (tensor.value)
    return tensor.value;
  const Constant &constant = *tensor.constant;
  if (constant.size() == 0)
    failUnsupported("'{}' has no elements (shape {})", name,
                    shapeString(constant.shape));
  Type element = elementTypeOf(&context, constant.type);
  tensor.value = nn::ConstantOp::create(
      builder, locationOf(name), RankedTensorType::get(constant.shape, element),
      toAttribute(constant, element, name));
  return tensor.value;
}

//===----------------------------------------------------------------------===//
// Operator sets, initializers, inputs
//===----------------------------------------------------------------------===//

static std::string domainOf(const std::string &domain) {
  return domain == "ai.onnx" ? "" : domain;
}

void GraphImporter::readOpsets() {
  for (const onnx::OperatorSetIdProto &opset : model.opset_import())
    opsets[domainOf(opset.domain())] = opset.version();
  auto standard = opsets.find("");
  if (standard == opsets.end()) {
    if (opsets.empty())
      failInvalid("{}: the model names no operator set (opset_import)", path);
    return;
  }
  if (standard->second < 1)
    failInvalid("{}: the model names operator set version {}", path,
                standard->second);
  if (standard->second < kOldestOpset || standard->second > kNewestOpset)
    failUnsupported("{}: the model uses operator set {}; versions {} to {} "
                    "are supported. Convert it with onnx.version_converter",
                    path, standard->second, kOldestOpset, kNewestOpset);
}

void GraphImporter::indexNodes() {
  for (int i = 0; i < graph.node_size(); ++i) {
    const onnx::NodeProto &node = graph.node(i);
    for (const std::string &output : node.output())
      if (!output.empty() && !producers.try_emplace(output, i).second)
        failInvalid("{}: the name '{}' is made twice, by nodes '{}' and '{}'",
                    path, output,
                    nameOf(graph.node(producers[output]), producers[output]),
                    nameOf(node, i));
    for (const std::string &input : node.input())
      if (!input.empty())
        consumers[input].push_back(i);
  }
}

void GraphImporter::readInitializers() {
  if (graph.sparse_initializer_size())
    failUnsupported("{}: sparse initializers are not supported", path);
  for (onnx::TensorProto &proto : *graph.mutable_initializer()) {
    std::string what = fmt::format("{}: initializer '{}'", path, proto.name());
    if (proto.name().empty())
      failInvalid("{}: an initializer has no name", path);
    Tensor tensor;
    try {
      tensor.constant = decodeTensor(proto, source, what);
    } catch (Failure &failure) {
      // Reported together with the nodes.
      if (failure.error.code != ExitCode::Unsupported)
        throw;
      rows.push_back({"", "(initializer)", proto.name(),
                      failure.error.message.substr(path.size() + 2), 1});
      tensor.missing = true;
    }
    if (!tensors.try_emplace(proto.name(), std::move(tensor)).second)
      failInvalid("{} is defined twice", what);
  }
}

/// A shape as the model declares it, open dimensions by name or as '?'.
static std::string declaredShape(const onnx::TensorShapeProto &shape) {
  std::string text;
  for (const auto &dim : shape.dim()) {
    text += text.empty() ? "" : "x";
    text += dim.has_dim_value() && dim.dim_value() > 0
                ? std::to_string(dim.dim_value())
            : dim.has_dim_param() && !dim.dim_param().empty() ? dim.dim_param()
                                                              : "?";
  }
  return text.empty() ? "scalar" : text;
}

Shape GraphImporter::inputShape(const onnx::ValueInfoProto &input) {
  const onnx::TypeProto_Tensor &type = input.type().tensor_type();
  for (const auto &[name, shape] : options.inputShapes) {
    if (name != input.name())
      continue;
    bool fits = !type.has_shape() ||
                type.shape().dim_size() == static_cast<int>(shape.size());
    for (size_t i = 0; fits && type.has_shape() && i < shape.size(); ++i) {
      const auto &dim = type.shape().dim(i);
      fits = !dim.has_dim_value() || dim.dim_value() <= 0 ||
             dim.dim_value() == shape[i];
    }
    if (!fits)
      failUsage("--input-shape {}={}: the model declares another shape for "
                "this input, {}",
                name, shapeString(shape), declaredShape(type.shape()));
    return shape;
  }
  if (!type.has_shape())
    failInvalid("{}: input '{}' has no shape; give it one with --input-shape "
                "{}=...",
                path, input.name(), input.name());
  // The declared shape and a suggestion that makes every open dimension 1.
  std::string declared, suggestion;
  Shape shape;
  const onnx::TensorShapeProto::Dimension *open = nullptr;
  int openAxis = 0;
  for (int i = 0; i < type.shape().dim_size(); ++i) {
    const auto &dim = type.shape().dim(i);
    int64_t value = dim.has_dim_value() ? dim.dim_value() : -1;
    if (dim.has_dim_param())
      for (const auto &[name, bound] : options.dims)
        if (name == dim.dim_param())
          value = bound;
    bool known = value >= 0 && (value > 0 || !dim.has_dim_value());
    if (!known && !open) {
      open = &dim;
      openAxis = i;
    }
    declared +=
        (i ? "x" : "") + (known ? std::to_string(value)
                          : dim.has_dim_param() && !dim.dim_param().empty()
                              ? dim.dim_param()
                              : std::string("?"));
    suggestion += (i ? "x" : "") + std::to_string(known ? value : 1);
    shape.push_back(value);
  }
  if (open && open->has_dim_param() && !open->dim_param().empty())
    failInvalid("{}: input '{}' ({}) leaves dimension '{}' (axis {}) open; "
                "bind it, for example with --dim {}=1 or --input-shape {}={}",
                path, input.name(), declared, open->dim_param(), openAxis,
                open->dim_param(), input.name(), suggestion);
  if (open)
    failInvalid("{}: input '{}' ({}) leaves axis {} open; give its shape, for "
                "example with --input-shape {}={}",
                path, input.name(), declared, openAxis, input.name(),
                suggestion);
  return shape;
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
    if (value < 1)
      failUsage("--dim {}={}: a dimension is at least 1", name, value);
  }
  for (const auto &[name, shape] : options.inputShapes)
    if (!inputNames.contains(name))
      failUsage("--input-shape {}={}: the model has no input of that name; it "
                "has {}",
                name, shapeString(shape), inputList);

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
    if (!input.type().has_tensor_type())
      failUnsupported("{} is not a tensor", what);
    DType type = fromOnnxType(input.type().tensor_type().elem_type(), what);
    Shape shape = inputShape(input);
    if (checkedElements(shape, what) == 0)
      failUnsupported("{} has no elements (shape {})", what,
                      shapeString(shape));
    Type element = quantizedInputType(input.name(), type);
    Location where = locationOf(input.name());
    Tensor tensor;
    tensor.value = entry.getBody().front().addArgument(
        RankedTensorType::get(shape, element), where);
    define(input.name(), std::move(tensor));
  }
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
// Nodes
//===----------------------------------------------------------------------===//

void GraphImporter::unsupported(const onnx::NodeProto &proto, int index,
                                const std::string &reason) {
  for (Row &row : rows)
    if (row.domain == proto.domain() && row.op == proto.op_type() &&
        row.reason == reason) {
      ++row.count;
      return;
    }
  rows.push_back(
      {proto.domain(), proto.op_type(), nameOf(proto, index), reason, 1});
}

void GraphImporter::importNodes(bool constants) {
  for (int i = 0; i < graph.node_size(); ++i) {
    const onnx::NodeProto &proto = graph.node(i);
    bool isConstant =
        proto.op_type() == "Constant" && domainOf(proto.domain()).empty();
    if (isConstant == constants)
      importNode(i);
  }
}

void GraphImporter::importNode(int index) {
  const onnx::NodeProto &proto = graph.node(index);
  std::string domain = domainOf(proto.domain());
  auto abandon = [&] {
    for (const std::string &output : proto.output())
      if (!output.empty())
        tensors[output].missing = true;
  };
  // Names are checked first: a damaged file is not an unsupported one.
  std::string title =
      fmt::format("{}: node '{}' ({}{}{})", path, nameOf(proto, index), domain,
                  domain.empty() ? "" : ".", proto.op_type());
  bool missing = false;
  for (const std::string &input : proto.input()) {
    if (input.empty())
      continue;
    auto it = tensors.find(input);
    missing |= it != tensors.end() && it->second.missing;
  }
  auto opset = opsets.find(domain);
  int64_t version = opset == opsets.end() ? 0 : opset->second;
  if (!version && domain.empty())
    failInvalid("{}: the model names no version of the default operator set",
                title);
  const OpEntry *found = nullptr;
  for (const OpEntry &entry : opTable())
    if (domain == entry.domain && proto.op_type() == entry.op)
      found = &entry;
  if (!found) {
    unsupported(proto, index, "no such operator in cimc (see `cimc ops`)");
    return abandon();
  }
  if (version && version < found->since) {
    unsupported(proto, index,
                fmt::format("needs opset {} or later", found->since));
    return abandon();
  }
  if (missing)
    return abandon();

  Node node(*this, proto, version ? version : found->since,
            locationOf(nameOf(proto, index)));
  std::string diagnostics;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    diagnostics += (diagnostics.empty() ? "" : "; ") + diagnostic.str();
    return success();
  });
  try {
    found->handler(node);
    node.checkAttributes();
    for (const std::string &output : proto.output())
      if (!output.empty() && !tensors.contains(output))
        failUnsupported("output '{}' cannot be computed", output);
  } catch (Failure &failure) {
    std::string message =
        failure.error.message.empty() ? diagnostics : failure.error.message;
    if (failure.error.code == ExitCode::Unsupported) {
      unsupported(proto, index, message);
      return abandon();
    }
    std::string inputs;
    for (const std::string &name : proto.input()) {
      auto it = tensors.find(name);
      std::string text = "undefined";
      if (name.empty())
        text = "absent";
      else if (it != tensors.end() && it->second.constant)
        text = shapeString(it->second.constant->shape) + " constant";
      else if (it != tensors.end() && it->second.value)
        text = shapeString(Shape(tensorType(it->second.value).getShape()));
      inputs +=
          fmt::format("{}'{}' {}", inputs.empty() ? "" : ", ", name, text);
    }
    throw Failure{{failure.error.code,
                   fmt::format("{}: {}{}{}", title, message,
                               inputs.empty() ? "" : "\n  inputs: ", inputs)}};
  }
}

void GraphImporter::reportUnsupported() {
  int count = 0;
  size_t opWidth = 8, domainWidth = 6, nodeWidth = 10;
  for (Row &row : rows) {
    if (domainOf(row.domain).empty())
      row.domain = "ai.onnx";
    count += row.count;
    opWidth = std::max(opWidth, row.op.size());
    domainWidth = std::max(domainWidth, row.domain.size());
    nodeWidth = std::max(nodeWidth, row.first.size());
  }
  std::string text = fmt::format(
      "{}: {} node{} or initializer{} cannot be translated:\n"
      "  {:{}}  {:{}}  opset  count  {:{}}  reason",
      path, count, count == 1 ? "" : "s", count == 1 ? "" : "s", "operator",
      opWidth, "domain", domainWidth, "first node", nodeWidth);
  for (const Row &row : rows)
    text += fmt::format("\n  {:{}}  {:{}}  {:>5}  {:>5}  {:{}}  {}", row.op,
                        opWidth, row.domain, domainWidth,
                        opsets[domainOf(row.domain)], row.count, row.first,
                        nodeWidth, row.reason);
  throw Failure{{ExitCode::Unsupported, text}};
}

void GraphImporter::finishOutputs() {
  if (!graph.output_size())
    failInvalid("{}: the graph has no outputs", path);
  SmallVector<Value> results;
  for (const onnx::ValueInfoProto &output : graph.output()) {
    auto it = tensors.find(output.name());
    if (it == tensors.end())
      failInvalid("{}: output '{}' is not defined: no graph input, "
                  "initializer or node has that name",
                  path, output.name());
    results.push_back(materialize(output.name(), it->second));
  }
  func::ReturnOp::create(builder, entry.getLoc(), results);
  SmallVector<Type> argumentTypes(entry.getBody().front().getArgumentTypes());
  SmallVector<Type> resultTypes(ValueRange(results).getTypes());
  entry.setFunctionType(builder.getFunctionType(argumentTypes, resultTypes));
  StringAttr key = builder.getStringAttr("nn.name");
  unsigned argument = 0;
  for (const onnx::ValueInfoProto &input : graph.input()) {
    const Tensor &tensor = tensors[input.name()];
    auto value = dyn_cast_or_null<BlockArgument>(tensor.value);
    if (!tensor.constant && value && value.getArgNumber() == argument)
      entry.setArgAttr(argument++, key, builder.getStringAttr(input.name()));
  }
  for (auto [i, output] : llvm::enumerate(graph.output()))
    entry.setResultAttr(i, key, builder.getStringAttr(output.name()));
}
