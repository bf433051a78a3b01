//===- RecordsEmitter.cpp - structs and field tables of records -----------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is generic over records (packing bits, reading text) is written once
// in lib/Program over the field tables made here.
//
//===----------------------------------------------------------------------===//

#include "RecordModel.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TableGen/TableGenBackend.h"

using namespace cimtblgen;
using llvm::raw_ostream;

static std::string quoted(const std::string &text) {
  std::string out;
  llvm::raw_string_ostream os(out);
  os << '"';
  os.write_escaped(text);
  os << '"';
  return out;
}

static void emitStruct(const RecordModel &record, raw_ostream &os) {
  os << "/// " << record.summary << ".\n";
  os << "struct " << record.structName << " {\n";
  for (const FieldModel &field : record.fields) {
    os << "  " << field.cppType() << " " << field.name;
    os << (field.isAffine              ? ""
           : field.cppType() == "bool" ? " = false"
                                       : " = 0");
    os << ";";
    if (!field.text.empty())
      os << " ///< " << field.text;
    os << "\n";
  }
  os << "};\n\n";
}

/// A variant of the records that `isPart` picks.
static void emitVariant(const std::vector<RecordModel> &records,
                        const char *name, bool (RecordModel::*isPart)() const,
                        raw_ostream &os) {
  os << "using " << name << " = std::variant<";
  bool first = true;
  for (const RecordModel &record : records)
    if ((record.*isPart)()) {
      os << (first ? "\n    " : ",\n    ") << record.structName;
      first = false;
    }
  os << ">;\n\n";
}

static void emitDecls(const llvm::RecordKeeper &keeper, raw_ostream &os) {
  std::vector<RecordModel> records = collect(keeper);
  os << R"(// Made by cim-tblgen from ISA.td; do not edit.
#ifndef CIMC_PROGRAM_RECORDS_H
#define CIMC_PROGRAM_RECORDS_H

#include "cimc/Program/RecordInfo.h"

#include <cstdint>
#include <variant>

namespace cimc::isa {

enum class Opcode : uint8_t {
)";
  for (const RecordModel &record : records)
    os << "  " << record.structName << " = "
       << llvm::format_hex(record.opcode, 4) << ",\n";
  os << "};\n\n";
  for (const RecordModel &record : records)
    emitStruct(record, os);
  os << "/// Any record that a stream executes.\n";
  emitVariant(records, "Instruction", &RecordModel::isStream, os);
  os << "/// Any record that a core executes once, before the first sample.\n";
  emitVariant(records, "SetupInstruction", &RecordModel::isSetup, os);
  os << "/// RECORD(type) of every record that a vector unit executes.\n"
        "#define CIMC_VECTOR_RECORDS(RECORD)";
  for (const RecordModel &record : records)
    if (record.opcode >= firstVectorOpcode)
      os << " \\\n  RECORD(" << record.structName << ")";
  os << "\n\n";
  for (const RecordModel &record : records)
    os << "template <> const RecordInfo &infoOf<" << record.structName
       << ">();\n";
  os << R"(
/// The table entry of the record that `instruction` holds.
template <typename... Records>
const RecordInfo &infoOf(const std::variant<Records...> &instruction) {
  return std::visit(
      [](const auto &record) -> const RecordInfo & {
        return infoOf<std::decay_t<decltype(record)>>();
      },
      instruction);
}
/// The held record, for the accessors of its fields.
template <typename... Records>
void *addressOf(std::variant<Records...> &instruction) {
  return std::visit([](auto &record) -> void * { return &record; },
                    instruction);
}
template <typename... Records>
const void *addressOf(const std::variant<Records...> &instruction) {
  return std::visit([](const auto &record) -> const void * { return &record; },
                    instruction);
}
/// Makes `instruction` a zero record of `info`; false where it is not one that
/// a stream, or the setup, executes.
bool makeInstruction(const RecordInfo &info, Instruction &instruction);
bool makeInstruction(const RecordInfo &info, SetupInstruction &instruction);

} // namespace cimc::isa

#endif // CIMC_PROGRAM_RECORDS_H
)";
}

static void emitTable(const RecordModel &record, raw_ostream &os) {
  const std::string &type = record.structName;
  if (!record.fields.empty()) {
    os << "const FieldInfo fieldsOf" << type << "[] = {\n";
    for (const FieldModel &field : record.fields) {
      const char *member = field.isAffine  ? "affine"
                           : field.isFloat ? "real"
                                           : "integer";
      os << "    {" << quoted(field.name) << ", " << quoted(field.text)
         << ", FieldKind::" << field.kind() << ", " << field.width << ",\n"
         << "     [](const void *r) { FieldValue v; v." << member
         << " = static_cast<const " << type << " *>(r)->" << field.name
         << "; return v; },\n"
         << "     [](void *r, const FieldValue &v) { static_cast<" << type
         << " *>(r)->" << field.name << " = static_cast<" << field.cppType()
         << ">(v." << member << "); }},\n";
    }
    os << "};\n";
  }
  os << "const RecordInfo infoOf" << type << " = {" << quoted(record.mnemonic)
     << ", " << quoted(record.summary) << ", " << record.opcode << ", "
     << "RecordUse::" << record.use() << ", ";
  if (record.fields.empty())
    os << "nullptr, 0, ";
  else
    os << "fieldsOf" << type << ", " << record.fields.size() << ", ";
  os << record.bytes() << "};\n";
}

static void emitMake(const std::vector<RecordModel> &records, const char *type,
                     bool (RecordModel::*isPart)() const, raw_ostream &os) {
  os << "\nbool makeInstruction(const RecordInfo &info, " << type
     << " &instruction) {\n  switch (info.opcode) {\n";
  for (const RecordModel &record : records)
    if ((record.*isPart)())
      os << "  case " << record.opcode
         << ": instruction = " << record.structName << "(); return true;\n";
  os << "  }\n  return false;\n}\n";
}

static void emitDefs(const llvm::RecordKeeper &keeper, raw_ostream &os) {
  std::vector<RecordModel> records = collect(keeper);
  os << "// Made by cim-tblgen from ISA.td; do not edit.\n"
        "namespace cimc::isa {\nnamespace {\n";
  for (const RecordModel &record : records)
    emitTable(record, os);
  os << "} // namespace\n\n";
  for (const RecordModel &record : records)
    os << "template <> const RecordInfo &infoOf<" << record.structName
       << ">() { return infoOf" << record.structName << "; }\n";
  os << "\nconst std::vector<const RecordInfo *> &allRecords() {\n"
        "  static const std::vector<const RecordInfo *> all = {\n";
  for (const RecordModel &record : records)
    os << "    &infoOf" << record.structName << ",\n";
  os << "  };\n  return all;\n}\n";
  emitMake(records, "Instruction", &RecordModel::isStream, os);
  emitMake(records, "SetupInstruction", &RecordModel::isSetup, os);
  os << "\n} // namespace cimc::isa\n";
}

static llvm::TableGen::Emitter::Opt decls("gen-record-decls", emitDecls,
                                          "Structs of machine records");
static llvm::TableGen::Emitter::Opt defs("gen-record-defs", emitDefs,
                                         "Field tables of machine records");
