//===- RecordModel.h - ISA_Record as the emitters see it --------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIM_TBLGEN_RECORDMODEL_H
#define CIM_TBLGEN_RECORDMODEL_H

#include "llvm/ADT/StringExtras.h"
#include "llvm/TableGen/Error.h"
#include "llvm/TableGen/Record.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace cimtblgen {

/// One field of a machine record.
struct FieldModel {
  std::string name, text;
  int64_t width = 0;
  bool isSigned = false, isAffine = false, isFloat = false;

  /// The enumerator of isa::FieldKind.
  const char *kind() const {
    return isAffine   ? "Affine"
           : isFloat  ? "Float"
           : isSigned ? "Signed"
                      : "Unsigned";
  }
  /// The smallest C++ type that holds it.
  std::string cppType() const {
    if (isAffine)
      return "Affine";
    if (isFloat)
      return "float";
    if (width == 1 && !isSigned)
      return "bool";
    int64_t bits = width <= 8 ? 8 : width <= 16 ? 16 : width <= 32 ? 32 : 64;
    return (isSigned ? "int" : "uint") + std::to_string(bits) + "_t";
  }
};

/// Records from this opcode on are work of a vector unit.
constexpr int64_t firstVectorOpcode = 0x30;

/// Records below this opcode are descriptors, those from there to
/// `firstStreamOpcode` instructions of the setup.
constexpr int64_t firstSetupOpcode = 0x08;
/// Records from this opcode on are instructions of streams.
constexpr int64_t firstStreamOpcode = 0x10;

/// One machine record.
struct RecordModel {
  std::string mnemonic, structName, summary, description;
  int64_t opcode = 0;
  std::vector<FieldModel> fields;

  bool isDescriptor() const { return opcode < firstSetupOpcode; }
  bool isStream() const { return opcode >= firstStreamOpcode; }
  bool isSetup() const { return !isDescriptor() && !isStream(); }
  /// The enumerator of isa::RecordUse.
  const char *use() const {
    return isDescriptor() ? "Descriptor" : isSetup() ? "Setup" : "Stream";
  }
  /// Bytes of the encoding, padding included.
  int64_t bytes() const {
    int64_t bits = 8;
    for (const FieldModel &field : fields)
      bits += field.width;
    return (bits + 7) / 8;
  }
};

/// All records by opcode; ends the tool where ISA.td is wrong.
inline std::vector<RecordModel> collect(const llvm::RecordKeeper &keeper) {
  std::vector<RecordModel> records;
  std::map<int64_t, std::string> byOpcode;
  for (const llvm::Record *def :
       keeper.getAllDerivedDefinitions("ISA_Record")) {
    RecordModel record;
    record.mnemonic = def->getValueAsString("opName").str();
    record.structName = llvm::convertToCamelFromSnakeCase(
        record.mnemonic, /*capitalizeFirst=*/true);
    record.opcode = def->getValueAsInt("opcode");
    record.summary = def->getValueAsString("summary").trim().str();
    record.description = def->getValueAsString("description").trim().str();
    if (record.opcode < 0 || record.opcode > 255)
      llvm::PrintFatalError(def->getLoc(), "an opcode has 8 bits");
    auto [it, isNew] = byOpcode.emplace(record.opcode, record.mnemonic);
    if (!isNew)
      llvm::PrintFatalError(def->getLoc(),
                            "opcode is also that of '" + it->second + "'");
    for (const llvm::Record *f : def->getValueAsListOfDefs("fields")) {
      FieldModel field;
      field.name = f->getValueAsString("name").str();
      field.text = f->getValueAsString("desc").str();
      field.width = f->getValueAsInt("width");
      field.isSigned = f->getValueAsBit("isSigned");
      field.isAffine = f->getValueAsBit("isAffine");
      field.isFloat = f->getValueAsBit("isFloat");
      if (field.width < 1 || (!field.isAffine && field.width > 63))
        llvm::PrintFatalError(def->getLoc(),
                              "field '" + field.name + "' needs 1 to 63 bits");
      record.fields.push_back(std::move(field));
    }
    records.push_back(std::move(record));
  }
  std::sort(records.begin(), records.end(),
            [](const RecordModel &a, const RecordModel &b) {
              return a.opcode < b.opcode;
            });
  return records;
}

} // namespace cimtblgen

#endif // CIM_TBLGEN_RECORDMODEL_H
