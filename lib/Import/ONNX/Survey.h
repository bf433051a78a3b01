//===- Survey.h - what a model says of itself -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_IMPORT_ONNX_SURVEY_H
#define CIMC_LIB_IMPORT_ONNX_SURVEY_H

#include "cimc/Import/ONNX/Import.h"

#include "onnx/onnx_pb.h"

namespace cimc::onnx_import {

/// A shape as the model declares it, open dimensions by name or as '?'.
std::string declaredShape(const onnx::TensorShapeProto &shape);

/// The dimensions of a shape that neither the model nor an option sets.
struct OpenDims {
  /// -1 where open, and 1 instead.
  std::vector<int64_t> shape, suggestion;
  /// "dimension 'N' (axis 0), axis 2"; empty where nothing is open.
  std::string text;
  /// `--dim` flags that would bind those with names.
  std::vector<std::string> flags;
  bool allNamed = true;
};
OpenDims openDims(const onnx::TensorShapeProto &shape,
                  const ImportOptions &options);

ModelSurvey survey(const onnx::ModelProto &model, const std::string &path,
                   const ImportOptions &options);

} // namespace cimc::onnx_import

#endif // CIMC_LIB_IMPORT_ONNX_SURVEY_H
