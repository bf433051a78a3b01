//===- Import.h - ONNX models as nn modules -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_IMPORT_ONNX_IMPORT_H
#define CIMC_IMPORT_ONNX_IMPORT_H

#include "cimc/Support/HostTensor.h"
#include "cimc/Support/Status.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cimc {

/// What a model leaves open.
struct ImportOptions {
  /// Values of symbolic dimensions: `--dim N=1`.
  std::vector<std::pair<std::string, int64_t>> dims;
  /// Whole shapes of inputs: `--input-shape data=1x3x224x224`.
  std::vector<std::pair<std::string, std::vector<int64_t>>> inputShapes;
  /// Values of inputs that become constants: `--constant-input axes=axes.npy`.
  std::vector<std::pair<std::string, HostTensor>> constantInputs;
};

/// How a file spells an ONNX model.
enum class OnnxForm { Binary, Text };

/// Told from the content: the text form starts with `<`, which no serialized
/// model does.
OnnxForm sniffOnnxForm(std::string_view beginning);

/// Reads a model (serialized, or the text form of onnx.parser) into a module
/// whose entry `@main` holds nn operations. Arguments and results carry the
/// ONNX names as `nn.name`; every operation's location names its node.
///
/// Errors: Usage where an option names nothing in the model, Unsupported with
/// a table of every node that has no translation, InvalidInput for everything
/// that is wrong with the file.
Result<mlir::OwningOpRef<mlir::ModuleOp>>
importONNX(const std::string &path, mlir::MLIRContext &context,
           const ImportOptions &options = {});

/// The same from memory; `path` is for messages and for external data, which
/// is looked up in its folder.
Result<mlir::OwningOpRef<mlir::ModuleOp>>
importONNXBytes(std::string_view bytes, const std::string &path,
                mlir::MLIRContext &context, const ImportOptions &options = {});

/// An operator of a model, or an initializer or input, that cannot be
/// translated.
struct UnsupportedOp {
  std::string domain, op;
  int64_t opset = 0; ///< version the model names for the domain; 0 for none
  int64_t count = 0; ///< nodes with the same reason
  std::string firstNode, reason;
  std::string nearest; ///< the nearest form that is supported; may be empty
};

/// A graph input or output as the model declares it.
struct DeclaredValue {
  std::string name, type;
  std::string shape;              ///< "Nx3x?"; "unknown" where there is none
  std::vector<std::string> flags; ///< what would bind its open dimensions to 1
  bool isRead = true; ///< whether a node or an output takes the input
};

/// What a model says of itself, before anything is translated.
struct ModelSurvey {
  OnnxForm form = OnnxForm::Binary;
  std::string producer;
  std::vector<std::pair<std::string, int64_t>> opsets; ///< domain, version
  struct OpCount {
    std::string domain, op;
    int64_t count;
  };
  std::vector<OpCount> ops; ///< by falling count; functions written out
  int64_t nodes = 0, functions = 0;
  std::vector<UnsupportedOp> unsupported; ///< known without translating
  std::vector<DeclaredValue> inputs, outputs;
  int64_t parameters = 0;     ///< elements of all initializers
  int64_t parameterBytes = 0; ///< in the files
  bool externalData = false;
};

/// Surveys a model; errors are those of importONNX that concern the file.
Result<ModelSurvey> surveyONNX(const std::string &path,
                               const ImportOptions &options = {});

/// One row of `cimc ops`.
struct SupportedOp {
  std::string domain, op;
  /// Opset versions, for example "7-27".
  std::string versions;
  std::string constraints;
};

/// Every operator that can be imported, in the order of OpTable.def.
std::vector<SupportedOp> supportedOps();

} // namespace cimc

#endif // CIMC_IMPORT_ONNX_IMPORT_H
