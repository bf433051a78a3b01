//===- Scan.h - a model before it is translated -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_IMPORT_ONNX_SCAN_H
#define CIMC_LIB_IMPORT_ONNX_SCAN_H

#include "Problems.h"
#include "WireFormat.h"

#include "onnx/onnx_pb.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include <map>

namespace cimc::onnx_import {

struct OpEntry;

/// Functions that may call one another in turn.
inline constexpr int kMaxCalls = 100;

/// "" for the default domain, whichever way the file spells it.
std::string domainOf(const std::string &domain);
/// Versions by domain.
using Opsets = std::map<std::string, int64_t>;
template <typename Proto> Opsets opsetsOf(const Proto &proto) {
  Opsets result;
  for (const onnx::OperatorSetIdProto &opset : proto.opset_import())
    result[domainOf(opset.domain())] = opset.version();
  return result;
}
/// A node's name, or one made of its operator and its place.
std::string nameOf(const onnx::NodeProto &node, int index);
/// The names that a graph and its subgraphs read, or that are outputs.
void collectRead(const onnx::GraphProto &graph, llvm::StringSet<> &names);
/// The operator's row in OpTable.def, or null.
const OpEntry *findOp(const std::string &domain, const std::string &op);

/// Counts the operators of a model, those of functions as often as they are
/// called, and notes every node that OpTable.def has no row for. Calls that
/// lead back to themselves and models that grow without bound end here.
class Scan {
public:
  Scan(const onnx::ModelProto &model, const std::string &path,
       Problems &problems);
  void run();

  /// By domain and operator.
  using Counts = std::map<std::pair<std::string, std::string>, int64_t>;
  Counts counts;

private:
  template <typename Nodes>
  void visit(const Nodes &nodes, const Opsets &opsets, Counts &counts);
  void visitNode(const onnx::NodeProto &node, int index, const Opsets &opsets,
                 Counts &counts);
  const Counts &visitFunction(const std::string &key);
  void check(const onnx::NodeProto &node, int index, const Opsets &opsets);
  void checkName(const std::string &name) const;

  const onnx::ModelProto &model;
  const std::string &path;
  Problems &problems;
  llvm::StringMap<const onnx::FunctionProto *> functions;
  llvm::StringMap<Counts> visited;
  std::vector<std::string> calls;
};

} // namespace cimc::onnx_import

#endif // CIMC_LIB_IMPORT_ONNX_SCAN_H
