//===- Diagnostics.cpp - what the passes say, for people ------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Diagnostics.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace cimc;

std::string cimc::describeLocation(mlir::Location location) {
  return llvm::TypeSwitch<mlir::LocationAttr, std::string>(location)
      .Case([](mlir::NameLoc name) { return name.getName().str(); })
      .Case([](mlir::FileLineColRange file) {
        return (file.getFilename().getValue() + ":" +
                llvm::Twine(file.getStartLine()) + ":" +
                llvm::Twine(file.getStartColumn()))
            .str();
      })
      .Case([](mlir::CallSiteLoc call) {
        return describeLocation(call.getCallee());
      })
      .Case([](mlir::FusedLoc fused) {
        for (mlir::Location part : fused.getLocations())
          if (std::string text = describeLocation(part); !text.empty())
            return text;
        return std::string();
      })
      .Default([](mlir::LocationAttr) { return std::string(); });
}

DiagnosticCollector::DiagnosticCollector(mlir::MLIRContext *context) {
  auto keep = [this](mlir::Diagnostic &diagnostic) {
    Message message;
    switch (diagnostic.getSeverity()) {
    case mlir::DiagnosticSeverity::Error:
      message.severity = "error";
      break;
    case mlir::DiagnosticSeverity::Warning:
      message.severity = "warning";
      break;
    default:
      message.severity = "remark";
      break;
    }
    message.location = describeLocation(diagnostic.getLocation());
    message.text = diagnostic.str();
    for (mlir::Diagnostic &note : diagnostic.getNotes()) {
      std::string at = describeLocation(note.getLocation());
      std::string prefix =
          at.empty() || at == message.location ? "" : at + ": ";
      message.notes.push_back(prefix + note.str());
    }
    std::lock_guard<std::mutex> lock(mutex);
    messages.push_back(std::move(message));
    return mlir::success();
  };
  handler = std::make_unique<mlir::ScopedDiagnosticHandler>(context, keep);
}

bool DiagnosticCollector::hasErrors() const {
  std::lock_guard<std::mutex> lock(mutex);
  for (const Message &message : messages)
    if (message.severity == "error")
      return true;
  return false;
}

std::vector<Message> DiagnosticCollector::take() {
  std::lock_guard<std::mutex> lock(mutex);
  std::vector<Message> taken;
  taken.swap(messages);
  return taken;
}

std::string cimc::format(const Message &message) {
  std::string text = message.location.empty() ? "" : message.location + ": ";
  text += message.text;
  for (const std::string &note : message.notes)
    text += "\n  note: " + note;
  return text;
}
