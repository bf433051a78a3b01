//===- ModelIO.cpp - inputs and outputs of networks -----------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Compiler.h"
#include "cimc/Reference/Elements.h"
#include "cimc/Reference/Evaluator.h"

#include "mlir/IR/TypeUtilities.h"

#include <fmt/format.h>

#include <sys/resource.h>

#include <cstdlib>
#include <fstream>
#include <string>

using namespace cimc;

static Result<ModelIO> describeValue(mlir::Type type, mlir::Attribute name,
                                     mlir::Attribute shape,
                                     mlir::Attribute modelType,
                                     std::string fallback) {
  ModelIO io;
  auto text = mlir::dyn_cast_or_null<mlir::StringAttr>(name);
  io.name = text ? text.str() : std::move(fallback);
  auto shaped = mlir::dyn_cast<mlir::ShapedType>(type);
  // A feature map says what shape and type the model's tensor had.
  auto model = mlir::dyn_cast_or_null<mlir::TypeAttr>(modelType);
  std::optional<DType> element =
      shaped && shaped.hasStaticShape()
          ? reference::hostDType(model ? model.getValue()
                                       : shaped.getElementType())
          : std::nullopt;
  if (!element)
    return Error{
        ExitCode::Unsupported,
        fmt::format("'{}' is no tensor of static shape and numbers", io.name)};
  io.type = *element;
  llvm::ArrayRef<int64_t> dims = shaped.getShape();
  if (auto original = mlir::dyn_cast_or_null<mlir::DenseI64ArrayAttr>(shape))
    dims = original.asArrayRef();
  io.shape.assign(dims.begin(), dims.end());
  return io;
}

Result<std::pair<std::vector<ModelIO>, std::vector<ModelIO>>>
cimc::networkIO(mlir::ModuleOp module) {
  Result<mlir::func::FuncOp> entry = findEntry(module);
  if (!entry)
    return entry.takeError();
  mlir::func::FuncOp func = *entry;
  std::pair<std::vector<ModelIO>, std::vector<ModelIO>> result;
  for (unsigned i = 0; i < func.getNumArguments(); ++i) {
    Result<ModelIO> io = describeValue(
        func.getArgument(i).getType(), func.getArgAttr(i, "nn.name"),
        func.getArgAttr(i, "cim.shape"), func.getArgAttr(i, "cim.type"),
        fmt::format("input_{}", i));
    if (!io)
      return io.takeError();
    io->isRead = !func.getArgument(i).use_empty();
    result.first.push_back(std::move(*io));
  }
  for (unsigned i = 0; i < func.getNumResults(); ++i) {
    Result<ModelIO> io = describeValue(
        func.getResultTypes()[i], func.getResultAttr(i, "nn.name"),
        func.getResultAttr(i, "cim.shape"), func.getResultAttr(i, "cim.type"),
        fmt::format("output_{}", i));
    if (!io)
      return io.takeError();
    result.second.push_back(std::move(*io));
  }
  return result;
}

std::vector<ModelIO> cimc::programIO(const Program &program, bool outputs) {
  std::vector<ModelIO> result;
  for (const IOBinding &io : program.ios)
    if (io.isOutput == outputs)
      result.push_back(
          {io.name, io.type, io.shape, io.isOutput || !io.channels.empty()});
  return result;
}

std::vector<ModelIO> cimc::programIO(const SplitProgram &program,
                                     bool outputs) {
  std::vector<ModelIO> result;
  for (const std::string &name : outputs ? program.outputs : program.inputs) {
    const IOBinding *io = findIO(program, name, outputs);
    bool isRead = outputs;
    for (const Program &part : program.parts)
      for (const IOBinding &other : part.ios)
        isRead |=
            !other.isOutput && other.name == name && !other.channels.empty();
    result.push_back({name, io->type, io->shape, isRead});
  }
  return result;
}

double cimc::peakMemoryMB() {
  // getrusage would count the process that started this one, too: what it
  // used before it became another program.
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0)
      return std::strtod(line.c_str() + 6, nullptr) * 1024 / 1e6;
  rusage usage;
  // Linux counts in KiB.
  return getrusage(RUSAGE_SELF, &usage) == 0
             ? double(usage.ru_maxrss) * 1024 / 1e6
             : 0;
}
