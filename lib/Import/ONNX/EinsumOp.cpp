//===- EinsumOp.cpp - Einstein sums as matrix products -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Operands are joined from the left. Of two operands the axes are batch (in
// both and needed later), sum (in both and not needed later), rows (of the
// left) and columns (of the right): a transposition of each, a reshape and one
// matrix product.
//
//===----------------------------------------------------------------------===//

#include "Build.h"

#include <map>

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

namespace {

/// A value with a label for each axis.
struct Term {
  std::string labels;
  Value value;
};

/// Ellipsis axes are labelled from this character on, the last one highest.
constexpr char kEllipsis = '0';

int64_t extentOf(const Term &term, char label) {
  return shapeOf(term.value)[term.labels.find(label)];
}

Term permuted(Node &node, const Term &term, const std::string &labels) {
  Shape perm;
  for (char label : labels)
    perm.push_back(static_cast<int64_t>(term.labels.find(label)));
  return {labels, transpose(node, term.value, perm)};
}

/// Sums an axis: a product with ones.
Term summed(Node &node, const Term &term, char label) {
  std::string rest = term.labels;
  rest.erase(rest.find(label), 1);
  Term last = permuted(node, term, rest + label);
  int64_t extent = extentOf(term, label);
  Value ones = constantValue(
      node, makeConstant<float>(DType::F32, {extent},
                                std::vector<float>(extent, 1.0f)));
  // An operand with one axis loses it.
  return {rest, node.emit<nn::MatMulOp>(node.f32(), {last.value, ones})};
}

/// The diagonal of two axes with one label: every (n + 1)th element of both
/// axes joined.
Term withoutRepeats(Node &node, Term term) {
  for (size_t i = 0; i < term.labels.size();) {
    size_t again = term.labels.find(term.labels[i], i + 1);
    if (again == std::string::npos) {
      ++i;
      continue;
    }
    Shape shape = shapeOf(term.value), perm;
    int64_t n = shape[i];
    if (shape[again] != n)
      failInvalid("the label '{}' stands for {} and {}", term.labels[i], n,
                  shape[again]);
    for (size_t a = 0; a < shape.size(); ++a)
      if (a != i && a != again)
        perm.push_back(static_cast<int64_t>(a));
    std::string labels;
    Shape flat;
    for (int64_t a : perm) {
      labels += term.labels[a];
      flat.push_back(shape[a]);
    }
    perm.push_back(static_cast<int64_t>(i));
    perm.push_back(static_cast<int64_t>(again));
    labels += term.labels[i];
    flat.push_back(n * n);
    Value value = node.reshape(transpose(node, term.value, perm), flat);
    int64_t last = static_cast<int64_t>(flat.size()) - 1;
    term = {labels, slice(node, value, last, 0, n, n + 1)};
    i = 0;
  }
  return term;
}

/// One operand's labels, with one for each axis of an ellipsis.
std::string readLabels(StringRef text, size_t rank, size_t &ellipsis) {
  size_t dots = text.find("...");
  for (auto [i, c] : llvm::enumerate(text))
    if (!std::isalpha(static_cast<unsigned char>(c)) &&
        (dots == StringRef::npos || i < dots || i > dots + 2))
      failInvalid("'{}' is not a label", std::string(1, c));
  std::string labels;
  if (dots == StringRef::npos) {
    labels = text.str();
  } else {
    size_t named = text.size() - 3;
    if (named > rank)
      failInvalid("'{}' names more axes than the {} of its operand", text.str(),
                  rank);
    size_t hidden = rank - named;
    ellipsis = std::max(ellipsis, hidden);
    labels = text.take_front(dots).str();
    for (size_t i = 0; i < hidden; ++i)
      labels += static_cast<char>(kEllipsis + 9 - hidden + i);
    labels += text.drop_front(dots + 3).str();
  }
  if (labels.size() != rank)
    failInvalid("'{}' does not name the {} axes of its operand", text.str(),
                rank);
  return labels;
}

/// Joins two terms, keeping the labels that `needed` has.
Term joined(Node &node, Term left, Term right, const std::string &needed) {
  auto has = [](const std::string &labels, char label) {
    return labels.find(label) != std::string::npos;
  };
  // What only one operand has and nobody needs is summed first.
  auto reduce = [&](Term &term, const Term &other) {
    for (char label : std::string(term.labels))
      if (!has(other.labels, label) && !has(needed, label))
        term = summed(node, term, label);
  };
  reduce(left, right);
  reduce(right, left);
  std::string batch, sum, rows, columns;
  for (char label : left.labels)
    (!has(right.labels, label) ? rows
     : has(needed, label)      ? batch
                               : sum) += label;
  for (char label : right.labels)
    if (!has(left.labels, label))
      columns += label;
  auto product = [&](const Term &term, const std::string &labels) {
    int64_t n = 1;
    for (char label : labels)
      n *= extentOf(term, label);
    return n;
  };
  int64_t b = product(left, batch), k = product(left, sum),
          m = product(left, rows), n = product(right, columns);
  Shape result;
  for (char label : batch + rows)
    result.push_back(extentOf(left, label));
  for (char label : columns)
    result.push_back(extentOf(right, label));
  Value a = permuted(node, left, batch + rows + sum).value;
  Value c = permuted(node, right, batch + sum + columns).value;
  Value value = node.emit<nn::MatMulOp>(
      node.f32(), {node.reshape(a, {b, m, k}), node.reshape(c, {b, k, n})});
  return {batch + rows + columns, node.reshape(value, result)};
}

} // namespace

void onnx_import::importEinsum(Node &node) {
  std::string equation = node.getString("equation", "");
  llvm::erase(equation, ' ');
  auto [left, right] = StringRef(equation).split("->");
  bool explicitOutput = StringRef(equation).contains("->");
  SmallVector<StringRef> parts;
  left.split(parts, ',');
  if (parts.size() != node.inputCount())
    failInvalid("the equation '{}' has {} operands, the node {}", equation,
                parts.size(), node.inputCount());
  std::vector<Term> terms;
  std::map<char, int64_t> extents;
  size_t ellipsis = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    Value value = node.real(i);
    Shape shape = shapeOf(value);
    terms.push_back({readLabels(parts[i], shape.size(), ellipsis), value});
    for (auto [label, extent] : llvm::zip(terms.back().labels, shape)) {
      int64_t &known = extents.try_emplace(label, extent).first->second;
      if (known == 1)
        known = extent;
      if (extent != 1 && extent != known)
        failInvalid("the label '{}' of '{}' stands for {} and {}",
                    std::string(1, label), equation, known, extent);
    }
  }
  std::string output;
  if (explicitOutput) {
    size_t hidden = ellipsis;
    output = right.contains("...")
                 ? readLabels(right, right.size() - 3 + hidden, hidden)
                 : right.str();
  } else {
    // Labels that stand once, in alphabetical order, behind the ellipsis.
    std::map<char, int> counts;
    for (const Term &term : terms)
      for (char label : term.labels)
        ++counts[label];
    for (auto [label, count] : counts)
      if (count == 1 || (label >= '0' && label <= '9'))
        output += label;
  }
  for (size_t i = 0; i < output.size(); ++i)
    if (!extents.count(output[i]) ||
        output.find(output[i], i + 1) != std::string::npos)
      failInvalid("the result of '{}' has the label '{}' twice or no operand "
                  "has it",
                  equation, std::string(1, output[i]));
  for (Term &term : terms) {
    // Axes of extent 1 repeat.
    Shape shape = shapeOf(term.value);
    for (size_t a = 0; a < shape.size(); ++a)
      shape[a] = extents[term.labels[a]];
    checkedElements(shape, "an operand");
    term.value = expand(node, term.value, shape);
    term = withoutRepeats(node, term);
  }
  Term result = terms.front();
  for (size_t i = 1; i < terms.size(); ++i) {
    std::string needed = output;
    for (size_t later = i + 1; later < terms.size(); ++later)
      needed += terms[later].labels;
    result = joined(node, result, terms[i], needed);
  }
  for (char label : std::string(result.labels))
    if (output.find(label) == std::string::npos)
      result = summed(node, result, label);
  node.setResult(permuted(node, result, output).value);
}
