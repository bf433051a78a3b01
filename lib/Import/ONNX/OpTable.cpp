//===- OpTable.cpp - the table of operators -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphImporter.h"

using namespace cimc;
using namespace cimc::onnx_import;

llvm::ArrayRef<OpEntry> onnx_import::opTable() {
  static const OpEntry table[] = {
#define CIMC_ONNX_OP(DOMAIN, OP, SINCE, INPUTS, HANDLER, CONSTRAINTS)          \
  {DOMAIN, OP, SINCE, INPUTS, HANDLER, CONSTRAINTS},
#include "cimc/Import/ONNX/OpTable.def"
  };
  return table;
}

std::vector<SupportedOp> cimc::supportedOps() {
  std::vector<SupportedOp> result;
  for (const OpEntry &entry : opTable()) {
    SupportedOp op;
    op.domain = *entry.domain ? entry.domain : "ai.onnx";
    op.op = entry.op;
    op.versions = *entry.domain
                      ? fmt::format("{}", entry.since)
                      : fmt::format("{}-{}", entry.since, kNewestOpset);
    op.constraints = entry.constraints;
    result.push_back(std::move(op));
  }
  return result;
}
