//===- Import.cpp - the border of the importer -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Import/ONNX/Import.h"

#include "GraphImporter.h"
#include "ModelFile.h"
#include "Survey.h"
#include "cimc/Import/ONNX/TensorProto.h"

#include "mlir/IR/Verifier.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <cstring>

using namespace cimc;
using namespace cimc::onnx_import;

/// Runs `body` and turns everything thrown into an error.
template <typename Body>
static auto atBorder(const std::string &path, Body &&body)
    -> Result<decltype(body())> {
  try {
    return body();
  } catch (const Failure &failure) {
    return failure.error;
  } catch (const std::bad_alloc &) {
    return Error{ExitCode::ResourceLimit,
                 path + ": not enough memory to read the model"};
  } catch (const std::exception &exception) {
    return Error{ExitCode::InvalidInput,
                 path + ": cannot be read: " + exception.what()};
  }
}

/// The file, mapped where it is large.
static std::unique_ptr<llvm::MemoryBuffer> open(const std::string &path) {
  if (llvm::sys::fs::is_directory(path))
    failInvalid("{}: is a directory; a file was expected", path);
  // Devices and pipes may never end.
  if (llvm::sys::fs::exists(path) && !llvm::sys::fs::is_regular_file(path))
    failInvalid("{}: is not a regular file", path);
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                          /*RequiresNullTerminator=*/false);
  if (!file)
    failInvalid("{}: cannot be read: {}", path, file.getError().message());
  return std::move(*file);
}

static mlir::OwningOpRef<mlir::ModuleOp>
importBytes(std::string_view bytes, std::shared_ptr<llvm::MemoryBuffer> keep,
            const std::string &path, mlir::MLIRContext &context,
            const ImportOptions &options) {
  onnx::ModelProto model;
  parseModel(bytes, path, model);
  TensorSource source;
  source.folder = llvm::sys::path::parent_path(path).str();
  if (source.folder.empty())
    source.folder = ".";
  source.bytes = bytes;
  source.keep = std::move(keep);
  GraphImporter importer(context, model, source, options, path);
  mlir::OwningOpRef<mlir::ModuleOp> module = importer.run();
  std::string diagnostics;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &d) {
    diagnostics += d.str() + "\n";
    return mlir::success();
  });
  if (mlir::failed(mlir::verify(*module)))
    failInvalid("{}: the model is inconsistent:\n{}", path, diagnostics);
  return module;
}

Result<mlir::OwningOpRef<mlir::ModuleOp>>
cimc::importONNXBytes(std::string_view bytes, const std::string &path,
                      mlir::MLIRContext &context,
                      const ImportOptions &options) {
  return atBorder(path, [&] {
    return importBytes(bytes, nullptr, path, context, options);
  });
}

Result<mlir::OwningOpRef<mlir::ModuleOp>>
cimc::importONNX(const std::string &path, mlir::MLIRContext &context,
                 const ImportOptions &options) {
  return atBorder(path, [&] {
    std::unique_ptr<llvm::MemoryBuffer> file = open(path);
    llvm::StringRef bytes = file->getBuffer();
    return importBytes({bytes.data(), bytes.size()}, std::move(file), path,
                       context, options);
  });
}

Result<ModelSurvey> cimc::surveyONNX(const std::string &path,
                                     const ImportOptions &options) {
  return atBorder(path, [&] {
    std::unique_ptr<llvm::MemoryBuffer> file = open(path);
    llvm::StringRef text = file->getBuffer();
    std::string_view bytes(text.data(), text.size());
    onnx::ModelProto model;
    parseModel(bytes, path, model);
    ModelSurvey result = survey(model, path, options);
    result.form = sniffOnnxForm(bytes);
    return result;
  });
}

static HostTensor parseTensor(std::string_view bytes, const std::string &origin,
                              std::string *name) {
  onnx::TensorProto proto;
  if (bytes.empty())
    failInvalid("{}: the file is empty; an ONNX tensor was expected", origin);
  if (bytes.size() > static_cast<size_t>(INT32_MAX) ||
      !parseMessage(bytes, proto))
    failInvalid("{}: not an ONNX tensor, or a damaged one: its bytes are not "
                "a complete TensorProto message",
                origin);
  if (name)
    *name = proto.name();
  TensorSource source;
  Constant constant = decodeTensor(proto, source, origin + ": the tensor");
  HostTensor tensor(constant.type, constant.shape);
  if (!constant.bytes.empty())
    std::memcpy(tensor.data.data(), constant.bytes.data(),
                constant.bytes.size());
  return tensor;
}

Result<HostTensor> cimc::parseTensorProtoBytes(std::string_view bytes,
                                               const std::string &origin,
                                               std::string *name) {
  return atBorder(origin, [&] { return parseTensor(bytes, origin, name); });
}

Result<HostTensor> cimc::readTensorProto(const std::string &path) {
  return atBorder(path, [&] {
    std::unique_ptr<llvm::MemoryBuffer> file = open(path);
    llvm::StringRef bytes = file->getBuffer();
    return parseTensor({bytes.data(), bytes.size()}, path, nullptr);
  });
}
