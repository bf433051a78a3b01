//===- Copies.cpp - how often layers are copied, as an attribute ----------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpChecks.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace cimc::cim;

/// The numbers of a layer, by name.
static constexpr std::pair<const char *, int64_t LayerCopies::*> kNumbers[] = {
    {"rows", &LayerCopies::rows},
    {"pixels", &LayerCopies::pixels},
    {"macros", &LayerCopies::macros},
    {"copies", &LayerCopies::copies},
    {"phases", &LayerCopies::phases}};

/// A layer, or nothing where an entry is missing or out of range.
static std::optional<LayerCopies> parse(Attribute attribute) {
  auto entries = dyn_cast<DictionaryAttr>(attribute);
  if (!entries)
    return std::nullopt;
  LayerCopies layer;
  auto nodes = entries.getAs<ArrayAttr>("nodes");
  if (!nodes)
    return std::nullopt;
  for (Attribute node : nodes) {
    auto name = dyn_cast<StringAttr>(node);
    if (!name)
      return std::nullopt;
    layer.nodes.push_back(name.getValue().str());
  }
  for (auto [key, member] : kNumbers) {
    auto number = entries.getAs<IntegerAttr>(key);
    if (!number || !number.getType().isInteger(64) ||
        number.getInt() < (member == &LayerCopies::macros ? 0 : 1))
      return std::nullopt;
    layer.*member = number.getInt();
  }
  layer.canCut = entries.contains("can_cut");
  layer.canTakeTurns = entries.contains("can_take_turns");
  if (layer.copies > layer.pixels || layer.phases > layer.rows)
    return std::nullopt;
  return layer;
}

LogicalResult checks::checkCopies(Operation *op, NamedAttribute attribute) {
  auto layers = dyn_cast<ArrayAttr>(attribute.getValue());
  if (!isa<func::FuncOp>(op) || !layers)
    return op->emitOpError()
           << "'" << kCopiesAttrName << "' must be an array, on a function";
  for (auto [i, layer] : llvm::enumerate(layers))
    if (!parse(layer))
      return op->emitOpError()
             << "'" << kCopiesAttrName << "': layer " << i
             << " must have a list of names 'nodes' and 64-bit numbers 'rows', "
                "'pixels', 'macros' (of at least 0), 'copies' (from 1 to the "
                "pixels) and 'phases' (from 1 to the rows)";
  return success();
}

ArrayAttr cimc::cim::getCopiesAttr(MLIRContext *context,
                                   ArrayRef<LayerCopies> layers) {
  Builder builder(context);
  SmallVector<Attribute> list;
  for (const LayerCopies &layer : layers) {
    NamedAttrList entries;
    SmallVector<StringRef> nodes(layer.nodes.begin(), layer.nodes.end());
    entries.append("nodes", builder.getStrArrayAttr(nodes));
    for (auto [key, member] : kNumbers)
      entries.append(key, builder.getI64IntegerAttr(layer.*member));
    if (layer.canCut)
      entries.append("can_cut", builder.getUnitAttr());
    if (layer.canTakeTurns)
      entries.append("can_take_turns", builder.getUnitAttr());
    list.push_back(entries.getDictionary(context));
  }
  return builder.getArrayAttr(list);
}

std::vector<LayerCopies> cimc::cim::getCopies(ArrayAttr attr) {
  std::vector<LayerCopies> layers;
  for (Attribute layer : attr)
    layers.push_back(parse(layer).value_or(LayerCopies()));
  return layers;
}

std::string cimc::cim::layerName(Operation *op) {
  SmallVector<Location> list{op->getLoc()};
  for (size_t i = 0; i < list.size(); ++i) {
    if (auto name = dyn_cast<NameLoc>(list[i]))
      return name.getName().str();
    if (auto fused = dyn_cast<FusedLoc>(list[i]))
      list.append(fused.getLocations().begin(), fused.getLocations().end());
  }
  return op->getName().stripDialect().str();
}
