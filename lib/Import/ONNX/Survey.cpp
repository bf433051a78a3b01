//===- Survey.cpp - what a model says of itself -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Survey.h"

#include "GraphImporter.h"

#include <algorithm>

using namespace cimc;
using namespace cimc::onnx_import;

std::string onnx_import::declaredShape(const onnx::TensorShapeProto &shape) {
  std::string text;
  for (const auto &dim : shape.dim()) {
    text += text.empty() ? "" : "x";
    text += dim.has_dim_value() && dim.dim_value() >= 0
                ? std::to_string(dim.dim_value())
            : dim.has_dim_param() && !dim.dim_param().empty() ? dim.dim_param()
                                                              : "?";
  }
  return text.empty() ? "scalar" : text;
}

OpenDims onnx_import::openDims(const onnx::TensorShapeProto &shape,
                               const ImportOptions &options) {
  OpenDims result;
  for (int i = 0; i < shape.dim_size(); ++i) {
    const auto &dim = shape.dim(i);
    int64_t value = dim.has_dim_value() ? dim.dim_value() : -1;
    bool named = dim.has_dim_param() && !dim.dim_param().empty();
    if (named)
      for (const auto &[name, bound] : options.dims)
        if (name == dim.dim_param())
          value = bound;
    result.shape.push_back(value);
    result.suggestion.push_back(value < 0 ? 1 : value);
    if (value >= 0)
      continue;
    result.allNamed &= named;
    result.text += result.text.empty() ? "" : ", ";
    result.text +=
        named ? fmt::format("dimension '{}' (axis {})", dim.dim_param(), i)
              : fmt::format("axis {}", i);
    std::string flag = fmt::format("--dim {}=1", dim.dim_param());
    if (named && llvm::find(result.flags, flag) == result.flags.end())
      result.flags.push_back(flag);
  }
  return result;
}

static DeclaredValue declared(const onnx::ValueInfoProto &info,
                              const ImportOptions &options, bool bind) {
  DeclaredValue value;
  value.name = info.name();
  const onnx::TypeProto_Tensor &type = info.type().tensor_type();
  value.type = info.type().has_tensor_type() ? onnxTypeName(type.elem_type())
                                             : "no tensor";
  value.shape = type.has_shape() ? declaredShape(type.shape()) : "unknown";
  for (const auto &[name, shape] : options.inputShapes)
    if (bind && name == value.name) {
      value.shape = shapeString(shape);
      return value;
    }
  for (const auto &[name, tensor] : options.constantInputs)
    if (bind && name == value.name) {
      value.shape = shapeString(tensor.shape);
      return value;
    }
  if (!bind || !info.type().has_tensor_type())
    return value;
  if (!type.has_shape()) {
    value.flags = {fmt::format("--input-shape {}=...", value.name)};
    return value;
  }
  OpenDims open = openDims(type.shape(), options);
  if (open.text.empty())
    return value;
  if (open.allNamed)
    value.flags = open.flags;
  else
    value.flags = {fmt::format("--input-shape {}={}", value.name,
                               shapeString(open.suggestion))};
  return value;
}

static int64_t saturatingAdd(int64_t a, int64_t b) {
  int64_t result;
  return __builtin_add_overflow(a, b, &result) ? INT64_MAX : result;
}

ModelSurvey onnx_import::survey(const onnx::ModelProto &model,
                                const std::string &path,
                                const ImportOptions &options) {
  ModelSurvey result;
  result.producer = printable(clipped(model.producer_name()));
  for (const auto &[domain, version] : opsetsOf(model))
    result.opsets.emplace_back(domain.empty() ? "ai.onnx" : domain, version);
  Problems problems;
  Scan scan(model, path, problems);
  scan.run();
  for (const auto &[op, count] : scan.counts) {
    result.ops.push_back(
        {op.first.empty() ? "ai.onnx" : op.first, op.second, count});
    result.nodes += count;
  }
  std::stable_sort(
      result.ops.begin(), result.ops.end(),
      [](const auto &a, const auto &b) { return a.count > b.count; });
  result.functions = model.functions_size();
  result.unsupported = problems.unsupported();
  llvm::StringSet<> initialized;
  for (const onnx::TensorProto &tensor : model.graph().initializer()) {
    initialized.insert(tensor.name());
    std::string what = fmt::format("{}: initializer '{}'", path, tensor.name());
    int64_t count = checkedElements(
        Shape(tensor.dims().begin(), tensor.dims().end()), what);
    result.parameters = saturatingAdd(result.parameters, count);
    int64_t bytes = 0;
    try {
      bytes = count * byteSize(fromOnnxType(tensor.data_type(), what));
    } catch (Failure &) {
      // Types without a size are for the import to refuse.
    }
    result.parameterBytes = saturatingAdd(result.parameterBytes, bytes);
    result.externalData |=
        tensor.data_location() == onnx::TensorProto::EXTERNAL;
  }
  llvm::StringSet<> read;
  collectRead(model.graph(), read);
  for (const onnx::ValueInfoProto &input : model.graph().input())
    if (!initialized.contains(input.name())) {
      // Nothing has to bind the dimensions of what is not read.
      bool isRead = read.contains(input.name());
      result.inputs.push_back(declared(input, options, /*bind=*/isRead));
      result.inputs.back().isRead = isRead;
    }
  for (const onnx::ValueInfoProto &output : model.graph().output())
    result.outputs.push_back(declared(output, options, /*bind=*/false));
  return result;
}
