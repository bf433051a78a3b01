//===- CIM.cpp - the cim dialect -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CIM/CIM.h"
#include "OpChecks.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

#include <optional>

using namespace mlir;
using namespace cimc::cim;

#include "CIM/CIMDialect.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "CIM/CIMAttributes.cpp.inc"

namespace {
/// Refuses anything but a chip under the chip's attribute name.
LogicalResult verifyChipAttribute(Operation *op, NamedAttribute attribute) {
  if (!isa<ModuleOp>(op))
    return op->emitOpError()
           << "'" << kChipAttrName << "' belongs on the module";
  if (!isa<ChipAttr>(attribute.getValue()))
    return op->emitOpError()
           << "'" << kChipAttrName << "' must be a #cim.chip attribute";
  return success();
}

std::string keyName(const cimc::ChipKey &key) {
  return std::string(key.group) + "." + key.name;
}

/// The number an attribute holds, if it has the form of the key.
std::optional<double> keyValue(const cimc::ChipKey &key, Attribute value) {
  if (key.isInteger) {
    auto integer = dyn_cast<IntegerAttr>(value);
    if (!integer || !integer.getType().isInteger(64))
      return std::nullopt;
    return static_cast<double>(integer.getInt());
  }
  auto real = dyn_cast<FloatAttr>(value);
  if (!real || !real.getType().isF64())
    return std::nullopt;
  return real.getValueAsDouble();
}

cimc::ChipSpec makeSpec(StringAttr name, DictionaryAttr values) {
  cimc::ChipSpec spec;
  spec.name = name.getValue().str();
  for (const cimc::ChipKey &key : cimc::chipKeys())
    if (Attribute value = values.get(keyName(key)))
      if (std::optional<double> number = keyValue(key, value))
        key.set(spec, *number);
  return spec;
}
} // namespace

void CIMDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "CIM/CIMAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "CIM/CIMOps.cpp.inc"
      >();
}

LogicalResult CIMDialect::verifyOperationAttribute(Operation *op,
                                                   NamedAttribute attribute) {
  if (attribute.getName() == kChipAttrName)
    return verifyChipAttribute(op, attribute);
  if (attribute.getName() == kCopiesAttrName)
    return checks::checkCopies(op, attribute);
  return success();
}

Operation *CIMDialect::materializeConstant(OpBuilder &builder, Attribute value,
                                           Type type, Location loc) {
  auto elements = dyn_cast<ElementsAttr>(value);
  auto map = dyn_cast<RankedTensorType>(type);
  if (!elements || !map || map.getRank() != 3)
    return nullptr;
  return ConstantOp::create(builder, loc, map, elements, IntegerAttr());
}

LogicalResult ChipAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               StringAttr name, DictionaryAttr values) {
  size_t known = 0;
  for (const cimc::ChipKey &key : cimc::chipKeys()) {
    std::string id = keyName(key);
    Attribute value = values.get(id);
    // As in a chip file, what is not stated is the card's.
    if (!value)
      continue;
    ++known;
    std::optional<double> number = keyValue(key, value);
    if (!number)
      return emitError() << "chip key '" << id << "' must be "
                         << (key.isInteger ? "an i64" : "an f64")
                         << " number, got " << value;
    if (!(*number >= key.min && *number <= key.max))
      return emitError() << "chip key '" << id << "' is " << value
                         << ", must be within [" << key.min << ", " << key.max
                         << "]";
  }
  if (known != values.size())
    for (NamedAttribute entry : values)
      if (llvm::none_of(cimc::chipKeys(), [&](const cimc::ChipKey &key) {
            return entry.getName() == keyName(key);
          }))
        return emitError() << "chip '" << name.getValue()
                           << "' has unknown key '" << entry.getName() << "'";
  if (cimc::Status status = cimc::checkChip(makeSpec(name, values)); !status)
    return emitError() << status.error().message;
  return success();
}

ChipAttr cimc::cim::getChipAttr(MLIRContext *context, const ChipSpec &spec) {
  Builder builder(context);
  SmallVector<NamedAttribute> values;
  for (const ChipKey &key : chipKeys()) {
    double number = key.get(spec);
    values.push_back(builder.getNamedAttr(
        keyName(key),
        key.isInteger
            ? Attribute(builder.getI64IntegerAttr(static_cast<int64_t>(number)))
            : Attribute(builder.getF64FloatAttr(number))));
  }
  return ChipAttr::get(context, builder.getStringAttr(spec.name),
                       builder.getDictionaryAttr(values));
}

cimc::ChipSpec cimc::cim::getChipSpec(ChipAttr attr) {
  return makeSpec(attr.getName(), attr.getValues());
}

FailureOr<cimc::ChipSpec> cimc::cim::getChipSpec(ModuleOp module) {
  auto attr = module->getAttrOfType<ChipAttr>(kChipAttrName);
  if (!attr) {
    module.emitError() << "the module has no '" << kChipAttrName
                       << "' attribute; name the target chip";
    return failure();
  }
  return getChipSpec(attr);
}
