//===- StreamGraph.cpp - streams, and the bytes between them ----*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StreamGraph.h"
#include "Pacing.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>

using namespace mlir;

namespace cimc::mapping {

StreamGraph::StreamGraph(func::FuncOp function, const LoadModel &model)
    : function(function), model(model) {
  for (Operation &op : function.getBody().front()) {
    bool returns = isa<func::ReturnOp>(op);
    SmallVector<int64_t> held = heldRows(&op);
    if (!returns && (!isa<cim::StreamOpInterface>(op) || isGlue(&op)))
      continue;
    int64_t at = returns ? -1 : static_cast<int64_t>(items.size());
    size_t firstEdge = edges.size();
    for (Value operand : op.getOperands())
      connect(operand, {0, Extents(operand).pixels}, at);
    if (returns)
      continue;
    Item item;
    item.load = model.of(&op, Extents(op.getResult(0)).pixels, held);
    if (!item.load.macros)
      for (size_t e = firstEdge; e < edges.size() && item.near < 0; ++e)
        item.near = edges[e].from;
    index[&op] = at;
    ops.push_back(&op);
    items.push_back(item);
  }
  sortByPixels();
  groupIntoMessages();
  for (const std::vector<Edge> &message : messages) {
    bool isSent = false;
    for (const Edge &edge : message) {
      if (edge.from < 0)
        continue;
      if (edge.to >= 0 && items[edge.to].near == edge.from &&
          isBeside(ops[edge.to]->getOpOperand(0))) {
        items[edge.to].besideNs = model.sendNs(edge.bytes);
      } else if (!isSent) {
        items[edge.from].load.outNs += model.sendNs(edge.bytes, edge.messages);
        isSent = true;
      }
    }
  }
}

void StreamGraph::groupIntoMessages() {
  std::vector<Edge> widestFirst(edges);
  llvm::stable_sort(widestFirst, [](const Edge &a, const Edge &b) {
    return std::tie(a.from, a.value, b.bytes) <
           std::tie(b.from, b.value, a.bytes);
  });
  size_t first = 0; // of the messages of the same value
  for (const Edge &edge : widestFirst) {
    if (!messages.empty() && (messages.back().front().from != edge.from ||
                              messages.back().front().value != edge.value))
      first = messages.size();
    auto found = std::find_if(
        messages.begin() + static_cast<ptrdiff_t>(first), messages.end(),
        [&](const auto &message) { return message.front().covers(edge); });
    if (found == messages.end())
      messages.push_back({edge});
    else
      found->push_back(edge);
  }
}

/// Puts the parts of layers that make the same pixels next to each other:
/// among layers whose rows are as wide, from the left to the right. So most
/// rows have a short way. Streams that have to be near others follow them.
void StreamGraph::sortByPixels() {
  struct Key {
    int64_t width; ///< of the rows, by first appearance
    double middle; ///< of the part, of 1
  };
  std::vector<Key> keys(ops.size());
  std::map<int64_t, int64_t> widths;
  for (size_t i = 0; i < ops.size(); ++i) {
    if (items[i].near >= 0) {
      keys[i] = keys[items[i].near];
      continue;
    }
    int64_t pixels = Extents(ops[i]->getResult(0)).pixels;
    double middle = 0.5;
    if (auto part =
            ops[i]->getAttrOfType<DenseI64ArrayAttr>(cim::kPartAttrName)) {
      pixels = part[2];
      middle = static_cast<double>(part[0] + part[1]) /
               (2 * static_cast<double>(pixels));
    }
    auto found = widths.try_emplace(pixels, widths.size()).first;
    keys[i] = {found->second, middle};
  }
  std::vector<int64_t> order(ops.size());
  std::iota(order.begin(), order.end(), 0);
  llvm::stable_sort(order, [&](int64_t a, int64_t b) {
    return std::tie(keys[a].width, keys[a].middle) <
           std::tie(keys[b].width, keys[b].middle);
  });
  std::vector<int64_t> place(ops.size());
  for (size_t i = 0; i < order.size(); ++i)
    place[order[i]] = static_cast<int64_t>(i);
  std::vector<Operation *> newOps(ops.size());
  std::vector<Item> newItems(ops.size());
  for (size_t i = 0; i < ops.size(); ++i) {
    newOps[place[i]] = ops[i];
    newItems[place[i]] = items[i];
    if (items[i].near >= 0)
      newItems[place[i]].near = place[items[i].near];
    index[ops[i]] = place[i];
  }
  ops = std::move(newOps);
  items = std::move(newItems);
  for (Edge &edge : edges) {
    edge.from = edge.from < 0 ? edge.from : place[edge.from];
    edge.to = edge.to < 0 ? edge.to : place[edge.to];
  }
}

SmallVector<int64_t> StreamGraph::heldRows(Operation *op) {
  auto stream = dyn_cast<cim::StreamOpInterface>(op);
  if (!stream)
    return {};
  // When the result could begin, as far as each operand is concerned.
  SmallVector<double> ready;
  for (OpOperand &operand : op->getOpOperands()) {
    Extents map(operand.get());
    cim::RowDependence need =
        stream.getRowDependence(operand.getOperandNumber());
    int64_t rows = std::clamp<int64_t>(need.need, 1, map.rows) - 1;
    ready.push_back(begins.lookup(operand.get()) +
                    (isGlue(op) ? 0
                                : static_cast<double>(rows) /
                                      static_cast<double>(map.rows)));
  }
  double begin =
      ready.empty() ? 0 : *std::max_element(ready.begin(), ready.end());
  begins[op->getResult(0)] = begin;
  SmallVector<int64_t> held;
  for (auto [operand, own] : llvm::zip(op->getOperands(), ready))
    held.push_back(
        std::llround(std::ceil(std::min(begin - own, 1.0) *
                                   static_cast<double>(Extents(operand).rows) -
                               1e-6)));
  return held;
}

/// Adds an edge from everyone who makes some of pixels `range` of `value`.
void StreamGraph::connect(Value value, PixelRange range, int64_t to,
                          double share) {
  Operation *op = value.getDefiningOp();
  if (!op || !isGlue(op)) {
    Extents map(value);
    edges.push_back(
        {op ? index.lookup(op) : -1, to,
         op ? 0 : cast<BlockArgument>(value).getArgNumber(),
         share * static_cast<double>(map.rows * (range.end - range.begin) *
                                     map.channels * map.bytes),
         static_cast<double>(map.rows), range, share});
    return;
  }
  if (auto slice = dyn_cast<cim::SliceOp>(op)) {
    auto begin = static_cast<int64_t>(slice.getBegin());
    auto step = static_cast<int64_t>(slice.getStep());
    return connect(
        slice.getInput(),
        {begin + range.begin * step, begin + (range.end - 1) * step + 1}, to,
        share / static_cast<double>(step));
  }
  if (auto interleave = dyn_cast<cim::InterleaveOp>(op)) {
    for (Value input : interleave.getInputs())
      connect(input, range, to, share);
    return;
  }
  if (auto concat = dyn_cast<cim::ConcatOp>(op)) {
    for (Value input : concat.getInputs()) {
      if (concat.getAxis() != 1) {
        connect(input, range, to, share);
        continue;
      }
      int64_t width = Extents(input).pixels;
      PixelRange part = {std::max<int64_t>(range.begin, 0),
                         std::min(range.end, width)};
      if (part.begin < part.end)
        connect(input, part, to, share);
      range = {range.begin - width, range.end - width};
    }
    return;
  }
  if (op->getNumOperands()) // a reshape; constants send nothing
    connect(op->getOperand(0), {0, Extents(op->getOperand(0)).pixels}, to,
            share);
}

void planRings(func::FuncOp function, const LoadModel &model, double slack) {
  StreamGraph graph(function, model);
  llvm::DenseMap<Operation *, double> rowNs; // looked up only
  double period = 0;
  for (auto [op, item] : llvm::zip(graph.ops, graph.items)) {
    period = std::max(period, item.load.periodNs());
    rowNs[op] = item.load.streamNs() /
                static_cast<double>(Extents(op->getResult(0)).rows);
  }
  planRings(function, model, slack, period,
            [&](Operation *op) { return rowNs.lookup(op); });
}

Traffic StreamGraph::traffic(const std::vector<Place> &places) const {
  std::vector<Message> list;
  for (const std::vector<Edge> &edges : messages) {
    auto core = [&](int64_t item) { return item < 0 ? -1 : places[item].core; };
    Message message{core(edges.front().from), {}};
    for (const Edge &edge : edges)
      if (core(edge.to) != message.from)
        message.to.push_back({core(edge.to), edge.range, edge.bytes});
    if (!message.to.empty())
      list.push_back(std::move(message));
  }
  std::vector<double> issueNs(model.spec().cores(), 0);
  for (auto [item, place] : llvm::zip(items, places))
    issueNs[place.core] += item.load.issueNs;
  return Traffic(model.costModel(), std::move(list), std::move(issueNs));
}

double StreamGraph::latencyNs() const {
  func::FuncOp body = function;
  struct Span {
    double start = 0, row = 0, finish = 0;
  };
  llvm::DenseMap<Value, Span> spans;
  double latency = 0;
  for (BlockArgument argument : body.getArguments()) {
    Extents map(argument);
    double row = static_cast<double>(map.pixels * map.channels * map.bytes) /
                 model.spec().host.gb_per_s;
    spans[argument] = {0, row, row * static_cast<double>(map.rows)};
  }
  for (Operation &op : body.getBody().front()) {
    auto stream = dyn_cast<cim::StreamOpInterface>(op);
    if (!stream)
      continue;
    Span span;
    auto rows = static_cast<double>(Extents(op.getResult(0)).rows);
    bool glue = isGlue(&op);
    double busy = glue ? 0 : items[index.lookup(&op)].load.streamNs();
    span.row = busy / rows;
    for (OpOperand &operand : op.getOpOperands()) {
      Span in = spans.lookup(operand.get());
      cim::RowDependence need =
          stream.getRowDependence(operand.getOperandNumber());
      int64_t first =
          glue ? 0
               : std::clamp<int64_t>(need.need, 1, Extents(operand.get()).rows);
      if (glue)
        span.row = std::max(span.row, in.row);
      span.start =
          std::max(span.start, in.start + in.row * static_cast<double>(first));
      span.finish = std::max(span.finish, in.finish + (glue ? 0 : span.row));
    }
    span.finish = std::max(span.finish, span.start + busy);
    latency = std::max(latency, span.finish);
    spans[op.getResult(0)] = span;
  }
  return latency;
}

} // namespace cimc::mapping
