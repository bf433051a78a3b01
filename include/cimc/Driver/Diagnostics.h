//===- Diagnostics.h - what the passes say, for people --------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DRIVER_DIAGNOSTICS_H
#define CIMC_DRIVER_DIAGNOSTICS_H

#include "cimc/Support/Status.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace cimc {

/// One diagnostic: "error", "warning" or "remark", the place in the model (the
/// ONNX node's name or FILE:LINE:COLUMN, "" where unknown) and the text.
struct Message {
  std::string severity, location, text;
  std::vector<std::string> notes;
};

/// The name of a place in the model: of named locations the name, of files the
/// line, of fused and call-site locations the first of these.
std::string describeLocation(mlir::Location location);

/// Keeps what is emitted while it lives.
class DiagnosticCollector {
public:
  explicit DiagnosticCollector(mlir::MLIRContext *context);

  bool hasErrors() const;
  /// All since construction, in order of emission.
  std::vector<Message> take();

private:
  mutable std::mutex mutex;
  std::vector<Message> messages;
  std::unique_ptr<mlir::ScopedDiagnosticHandler> handler;
};

/// "node 'conv1': text" with its notes on lines of their own.
std::string format(const Message &message);

} // namespace cimc

#endif // CIMC_DRIVER_DIAGNOSTICS_H
