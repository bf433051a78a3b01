//===- Scan.cpp - a model before it is translated -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Scan.h"

#include "GraphImporter.h"

using namespace cimc;
using namespace cimc::onnx_import;

std::string onnx_import::domainOf(const std::string &domain) {
  return domain == "ai.onnx" ? "" : domain;
}

std::string onnx_import::nameOf(const onnx::NodeProto &node, int index) {
  if (!node.name().empty())
    return node.name();
  return fmt::format("{}_{}", node.op_type(), index);
}

void onnx_import::collectRead(const onnx::GraphProto &graph,
                              llvm::StringSet<> &names) {
  for (const onnx::NodeProto &node : graph.node()) {
    for (const std::string &input : node.input())
      names.insert(input);
    for (const onnx::AttributeProto &attribute : node.attribute())
      if (attribute.has_g())
        collectRead(attribute.g(), names);
  }
  for (const onnx::ValueInfoProto &output : graph.output())
    names.insert(output.name());
}

static std::string keyOf(const std::string &domain, const std::string &op) {
  return domainOf(domain) + "." + op;
}

const OpEntry *onnx_import::findOp(const std::string &domain,
                                   const std::string &op) {
  static const auto table = [] {
    llvm::StringMap<const OpEntry *> result;
    for (const OpEntry &entry : opTable())
      result[keyOf(entry.domain, entry.op)] = &entry;
    return result;
  }();
  return table.lookup(keyOf(domain, op));
}

/// What the user could have meant, or change the model to.
static std::string nearestOp(const std::string &domain, const std::string &op) {
  const OpEntry *best = nullptr;
  unsigned bestDistance = op.size() / 3 + 1;
  // Names longer than any operator's are not compared.
  if (op.size() > 60)
    return "";
  for (const OpEntry &entry : opTable()) {
    unsigned distance = llvm::StringRef(entry.op).edit_distance(
        op, /*AllowReplacements=*/true, bestDistance);
    if (distance == 0)
      best = &entry;
    if (distance < bestDistance) {
      bestDistance = distance;
      best = &entry;
    }
    if (distance == 0)
      break;
  }
  if (!best)
    return "";
  return fmt::format("{}{}{}", best->domain, *best->domain ? "." : "",
                     best->op);
}

Scan::Scan(const onnx::ModelProto &model, const std::string &path,
           Problems &problems)
    : model(model), path(path), problems(problems) {}

void Scan::run() {
  for (const onnx::FunctionProto &function : model.functions()) {
    std::string key = keyOf(function.domain(), function.name());
    if (!functions.try_emplace(key, &function).second)
      failInvalid("{}: the function '{}' is defined twice", path, clipped(key));
  }
  for (const onnx::TensorProto &tensor : model.graph().initializer())
    checkName(tensor.name());
  for (const onnx::ValueInfoProto &input : model.graph().input())
    checkName(input.name());
  Opsets opsets = opsetsOf(model);
  visit(model.graph().node(), opsets, counts);
  // Those that nobody calls, too: a cycle among them is a damaged file.
  for (const onnx::FunctionProto &function : model.functions())
    visitFunction(keyOf(function.domain(), function.name()));
}

/// Names go to terminals, file names and lines of reports.
void Scan::checkName(const std::string &name) const {
  for (char c : name)
    if (static_cast<unsigned char>(c) < 32 || c == 127)
      failInvalid("{}: the name '{}' holds the control character {}", path,
                  clipped(printable(name)), static_cast<int>(c));
}

/// Adds, but not beyond what anyone asks for.
static void addSaturated(int64_t &to, int64_t count) {
  to = std::min(to + count, kMaxNodes + 1);
}

template <typename Nodes>
void Scan::visit(const Nodes &nodes, const Opsets &opsets, Counts &counts) {
  int index = 0;
  for (const onnx::NodeProto &node : nodes)
    visitNode(node, index++, opsets, counts);
  int64_t total = 0;
  for (const auto &[op, count] : counts)
    addSaturated(total, count);
  if (total > kMaxNodes)
    failUnsupported("{}: the model has more than {} nodes{}", path, kMaxNodes,
                    functions.empty() ? ""
                                      : " once its functions are written "
                                        "out where they are called");
}

void Scan::visitNode(const onnx::NodeProto &node, int index,
                     const Opsets &opsets, Counts &counts) {
  for (const std::string *name :
       {&node.name(), &node.op_type(), &node.domain()})
    checkName(*name);
  for (const std::string &name : node.output())
    checkName(name);
  std::string key = keyOf(node.domain(), node.op_type());
  if (functions.contains(key)) {
    for (const auto &[op, count] : visitFunction(key))
      addSaturated(counts[op], count);
    return;
  }
  addSaturated(counts[{domainOf(node.domain()), node.op_type()}], 1);
  check(node, index, opsets);
  // Protobuf's limit on nesting bounds the recursion.
  for (const onnx::AttributeProto &attribute : node.attribute()) {
    if (attribute.has_g())
      visit(attribute.g().node(), opsets, counts);
    for (const onnx::GraphProto &graph : attribute.graphs())
      visit(graph.node(), opsets, counts);
  }
}

const Scan::Counts &Scan::visitFunction(const std::string &key) {
  auto [it, isNew] = visited.try_emplace(key);
  auto open = std::find(calls.begin(), calls.end(), key);
  if (open != calls.end()) {
    std::string chain;
    for (; open != calls.end(); ++open)
      chain += *open + " -> ";
    failInvalid("{}: the function '{}' calls itself: {}", path, clipped(key),
                clipped(chain + key, 400));
  }
  if (!isNew)
    return it->second;
  if (calls.size() >= kMaxCalls)
    failInvalid("{}: functions call functions more than {} deep, at '{}'", path,
                kMaxCalls, clipped(key));
  calls.push_back(key);
  const onnx::FunctionProto &function = *functions.lookup(key);
  Opsets opsets = opsetsOf(function);
  // Files that name none mean the model's.
  for (const auto &[domain, version] : opsetsOf(model))
    opsets.try_emplace(domain, version);
  Counts counts;
  visit(function.node(), opsets, counts);
  calls.pop_back();
  return visited[key] = std::move(counts);
}

void Scan::check(const onnx::NodeProto &node, int index, const Opsets &opsets) {
  std::string domain = domainOf(node.domain());
  auto version = opsets.find(domain);
  UnsupportedOp row;
  row.domain = domain.empty() ? "ai.onnx" : domain;
  row.op = node.op_type();
  row.opset = version == opsets.end() ? 0 : version->second;
  row.count = 1;
  const OpEntry *entry = findOp(domain, node.op_type());
  if (!entry) {
    row.reason = "cimc has no such operator (see `cimc ops`)";
    row.nearest = nearestOp(domain, node.op_type());
  } else if (row.opset && row.opset < entry->since) {
    row.reason = fmt::format("needs opset {} or later", entry->since);
    row.nearest = fmt::format("{} of opset {} (onnx.version_converter)",
                              entry->op, entry->since);
  } else {
    return;
  }
  row.firstNode = nameOf(node, index);
  problems.addUnsupported(std::move(row));
}
