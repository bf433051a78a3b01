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
  Scan(model, path, problems).run();
  for (const onnx::FunctionProto &function : model.functions())
    functions[{domainOf(function.domain()), function.name()}] = &function;
  indexNodes();
  readInitializers();
  // Before the inputs, whose quantized types may be stated by constants.
  importNodes(/*constants=*/true);
  readInputs();
  importNodes(/*constants=*/false);
  if (problems.any())
    problems.fail(path);
  finishOutputs();
  compareDeclared();
  eraseUnused();
  return std::move(module);
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

Location GraphImporter::locationOf(const std::string &name) {
  return NameLoc::get(StringAttr::get(&context, name));
}

Tensor &GraphImporter::lookup(const std::string &name, const Node &node) {
  if (Tensor *tensor = find(name))
    return *tensor;
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
  if (!names().try_emplace(name, std::move(tensor)).second)
    failInvalid("the name '{}' is defined twice", name);
}

void GraphImporter::checkFolded(uint64_t bytes) const {
  uint64_t limit = (uint64_t(256) << 20) + 4 * source.bytes.size();
  for (const auto &[name, file] : source.files)
    limit += 4 * file->getBufferSize();
  if (bytes > limit || foldedBytes > limit - bytes)
    failUnsupported("the constants that the model computes take more than {} "
                    "bytes, the limit for its size",
                    limit);
}

void GraphImporter::addFolded(uint64_t bytes) {
  checkFolded(bytes);
  foldedBytes += bytes;
}

Value GraphImporter::materialize(const std::string &name, Tensor &tensor) {
  if (tensor.value)
    return tensor.value;
  const Constant &constant = *tensor.constant;
  Type element = elementTypeOf(&context, constant.type);
  tensor.value = nn::ConstantOp::create(
      builder, locationOf(name), RankedTensorType::get(constant.shape, element),
      toAttribute(constant, element, name));
  widen(tensor, constant.type);
  return tensor.value;
}

void GraphImporter::widen(Tensor &tensor, DType type) {
  if (type != DType::F16 && type != DType::BF16 && type != DType::F64)
    return;
  tensor.floatType = type;
  tensor.value = nn::createInferred<nn::CastOp>(
      builder, tensor.value.getLoc(), builder.getF32Type(), tensor.value);
}

//===----------------------------------------------------------------------===//
// Operator sets, initializers, inputs
//===----------------------------------------------------------------------===//

void GraphImporter::readOpsets() {
  opsets = opsetsOf(model);
  std::map<std::string, int64_t> seen;
  for (const onnx::OperatorSetIdProto &opset : model.opset_import())
    if (auto [it, isNew] =
            seen.try_emplace(domainOf(opset.domain()), opset.version());
        it->second != opset.version())
      failInvalid("{}: the operator set of domain '{}' is named twice, with "
                  "versions {} and {}",
                  path, clipped(opset.domain()), it->second, opset.version());
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
  collectRead(graph, read);
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
      UnsupportedOp row;
      row.op = "(initializer)";
      row.firstNode = proto.name();
      row.reason = failure.error.message.substr(path.size() + 2);
      row.count = 1;
      problems.addUnsupported(std::move(row));
      tensor.missing = true;
    }
    if (!tensors.try_emplace(proto.name(), std::move(tensor)).second)
      failInvalid("{} is defined twice", what);
  }
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

void GraphImporter::importNodes(bool constants) {
  for (int i = 0; i < graph.node_size(); ++i) {
    const onnx::NodeProto &proto = graph.node(i);
    bool isConstant =
        proto.op_type() == "Constant" && domainOf(proto.domain()).empty();
    if (isConstant == constants)
      importNode(graph.node(i), i);
  }
}

void GraphImporter::importNode(const onnx::NodeProto &proto, int index) {
  std::string domain = domainOf(proto.domain());
  auto abandon = [&] {
    for (const std::string &output : proto.output())
      if (!output.empty())
        names()[output].missing = true;
  };
  // Names are checked first: a damaged file is not an unsupported one.
  std::string title =
      fmt::format("{}: node '{}' ({}{}{})", path, fullName(proto, index),
                  domain, domain.empty() ? "" : ".", proto.op_type());
  bool missing = false;
  for (const std::string &input : proto.input()) {
    if (input.empty())
      continue;
    Tensor *tensor = find(input);
    missing |= tensor && tensor->missing;
  }
  const Opsets &versions = frames.empty() ? opsets : frames.back()->opsets;
  auto opset = versions.find(domain);
  int64_t version = opset == versions.end() ? 0 : opset->second;
  if (!version && domain.empty())
    failInvalid("{}: the model names no version of the default operator set",
                title);
  auto function = functions.find({domain, proto.op_type()});
  bool isCall = function != functions.end();
  const OpEntry *found = isCall ? nullptr : findOp(domain, proto.op_type());
  // What has no row is in the table of problems since the scan.
  if (missing || (!isCall && (!found || (version && version < found->since))))
    return abandon();

  Node node(*this, proto, version || isCall ? version : found->since,
            locationOf(fullName(proto, index)));
  std::string diagnostics;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    diagnostics += (diagnostics.empty() ? "" : "; ") + diagnostic.str();
    return success();
  });
  try {
    for (const std::string &input : proto.input())
      if (!input.empty())
        lookup(input, node);
    for (int i = found ? found->inputs : proto.input_size();
         i < proto.input_size(); ++i)
      if (!proto.input(i).empty())
        failInvalid("has {} inputs; {} has at most {}", proto.input_size(),
                    proto.op_type(), found->inputs);
    if (isCall)
      importCall(node, *function->second);
    else
      found->handler(node);
    node.checkAttributes();
    for (const std::string &output : proto.output())
      if (!output.empty() && !find(output))
        failUnsupported("output '{}' cannot be computed", output);
  } catch (Failure &failure) {
    std::string message =
        failure.error.message.empty() ? diagnostics : failure.error.message;
    if (failure.error.code == ExitCode::Unsupported) {
      problems.addUnsupported(
          {domain.empty() ? "ai.onnx" : domain, proto.op_type(), version, 1,
           fullName(proto, index), message, found ? found->constraints : ""});
      return abandon();
    }
    std::string inputs;
    for (const std::string &name : proto.input()) {
      const Tensor *tensor = find(name);
      std::string text = "undefined";
      if (name.empty())
        text = "absent";
      else if (tensor && tensor->constant)
        text = shapeString(tensor->constant->shape) + " constant";
      else if (tensor && tensor->value)
        text = shapeString(Shape(tensorType(tensor->value).getShape()));
      inputs +=
          fmt::format("{}'{}' {}", inputs.empty() ? "" : ", ", name, text);
    }
    // The others are looked at too; what uses this one's results is not.
    problems.addInvalid(
        fmt::format("{}: {}{}{}", title, message,
                    inputs.empty() ? "" : "\n  inputs: ", inputs));
    abandon();
  }
}

Value GraphImporter::asDeclared(const onnx::ValueInfoProto &output,
                                Value value) {
  if (!elementType(value).isF32())
    return value;
  DType type = tensors[output.name()].floatType;
  if (output.type().tensor_type().elem_type())
    type = fromOnnxType(output.type().tensor_type().elem_type(),
                        fmt::format("output '{}'", output.name()));
  if (type != DType::F16 && type != DType::BF16 && type != DType::F64)
    return value;
  return nn::createInferred<nn::CastOp>(builder, value.getLoc(),
                                        elementTypeOf(&context, type), value);
}

void GraphImporter::eraseUnused() {
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(entry.getBody().front())))
    if (isOpTriviallyDead(&op) && isa<nn::ConstantOp, nn::CastOp>(op))
      op.erase();
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
    results.push_back(
        asDeclared(output, materialize(output.name(), it->second)));
  }
  func::ReturnOp::create(builder, entry.getLoc(), results);
  SmallVector<Type> argumentTypes(entry.getBody().front().getArgumentTypes());
  SmallVector<Type> resultTypes(ValueRange(results).getTypes());
  entry.setFunctionType(builder.getFunctionType(argumentTypes, resultTypes));
  StringAttr key = builder.getStringAttr("nn.name");
  for (auto [i, name] : llvm::enumerate(arguments))
    entry.setArgAttr(i, key, builder.getStringAttr(name));
  for (auto [i, output] : llvm::enumerate(graph.output()))
    entry.setResultAttr(i, key, builder.getStringAttr(output.name()));
}
