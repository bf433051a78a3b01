//===- Problems.cpp - all that stands in the way -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Problems.h"

#include <algorithm>

using namespace cimc;
using namespace cimc::onnx_import;

/// What one screen holds.
static constexpr size_t kShownRows = 40, kShownMessages = 20;

std::string onnx_import::printable(const std::string &text) {
  std::string result = text;
  std::replace_if(
      result.begin(), result.end(),
      [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; },
      '?');
  return result;
}

std::string onnx_import::clipped(const std::string &text, size_t most) {
  return text.size() <= most ? text : text.substr(0, most - 3) + "...";
}

void Problems::addUnsupported(UnsupportedOp row) {
  std::string key =
      fmt::format("{}|{}|{}|{}", row.domain, row.op, row.opset, row.reason);
  auto [it, isNew] = rowOf.try_emplace(key, rows.size());
  if (!isNew)
    rows[it->second].count += row.count;
  else
    rows.push_back(std::move(row));
}

void Problems::addInvalid(std::string message) {
  if (invalidCount++ < kShownMessages)
    invalid += (invalid.empty() ? "" : "\n") + message;
}

void Problems::addOpen(std::string message) {
  if (openCount++ < kShownMessages)
    open += (open.empty() ? "" : "\n") + message;
}

std::string Problems::table(const std::string &path) const {
  int64_t count = 0;
  for (const UnsupportedOp &row : rows)
    count += row.count;
  // One column after the other; the last is not padded.
  std::vector<std::vector<std::string>> cells = {
      {"operator", "domain", "opset", "count", "first node", "reason",
       "nearest supported form"}};
  for (size_t i = 0; i < std::min(rows.size(), kShownRows); ++i) {
    const UnsupportedOp &row = rows[i];
    cells.push_back({clipped(row.op), clipped(row.domain),
                     row.opset ? std::to_string(row.opset) : "",
                     std::to_string(row.count), clipped(row.firstNode),
                     clipped(row.reason, 400), clipped(row.nearest, 200)});
  }
  std::vector<size_t> width(cells[0].size());
  for (const auto &line : cells)
    for (size_t c = 0; c < line.size(); ++c)
      width[c] = std::max(width[c], line[c].size());
  std::string text =
      fmt::format("{}: {} node{} or initializer{} cannot be translated:", path,
                  count, count == 1 ? "" : "s", count == 1 ? "" : "s");
  for (const auto &line : cells) {
    std::string row = "\n";
    for (size_t c = 0; c < line.size(); ++c)
      row += fmt::format("  {:{}}", line[c], width[c]);
    text += row.substr(0, row.find_last_not_of(' ') + 1);
  }
  if (rows.size() > kShownRows)
    text += fmt::format("\n  ... and {} more rows", rows.size() - kShownRows);
  return text;
}

void Problems::fail(const std::string &path) const {
  std::string text = rows.empty() ? "" : table(path);
  if (invalidCount)
    text += (text.empty() ? "" : "\n") + invalid;
  if (invalidCount > kShownMessages)
    text += fmt::format("\n{}: ... and {} more errors", path,
                        invalidCount - kShownMessages);
  if (!open.empty())
    text += (text.empty() ? "" : "\n") + open;
  bool unsupported = !rows.empty() && !invalidCount;
  throw Failure{
      {unsupported ? ExitCode::Unsupported : ExitCode::InvalidInput, text}};
}
