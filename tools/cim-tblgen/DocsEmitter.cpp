//===- DocsEmitter.cpp - the instruction set manual -----------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RecordModel.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TableGen/TableGenBackend.h"

using namespace cimtblgen;
using llvm::raw_ostream;

/// Lines of a TableGen code block without their common indentation.
static std::string dedent(llvm::StringRef text) {
  std::string out;
  llvm::SmallVector<llvm::StringRef> lines;
  text.split(lines, '\n');
  for (llvm::StringRef line : lines)
    out += line.trim().str() + "\n";
  return out;
}

static void emitRecord(const RecordModel &record, raw_ostream &os) {
  os << "### `" << record.mnemonic << "` ("
     << llvm::format_hex(record.opcode, 4) << ", " << record.bytes()
     << (record.bytes() == 1 ? " byte" : " bytes") << ")\n\n";
  std::string summary = record.summary;
  if (!summary.empty())
    summary[0] = llvm::toUpper(summary[0]);
  os << summary << ".\n";
  if (!record.description.empty())
    os << "\n" << dedent(record.description);
  if (!record.fields.empty()) {
    os << "\n| bits | field | kind | meaning |\n| --- | --- | --- | --- |\n";
    int64_t bit = 8;
    for (const FieldModel &field : record.fields) {
      std::string kind = llvm::StringRef(field.kind()).lower();
      std::string text = field.text;
      for (size_t at = 0; (at = text.find('|', at)) != std::string::npos;
           at += 2)
        text.insert(at, "\\");
      os << "| " << bit << ".." << bit + field.width - 1 << " | `" << field.name
         << "` | " << kind << " | " << text << " |\n";
      bit += field.width;
    }
  }
  os << "\n";
}

static void emitDocs(const llvm::RecordKeeper &keeper, raw_ostream &os) {
  const llvm::Record *dialect = keeper.getDef("ISA_Dialect");
  os << "<!-- Made by cim-tblgen -gen-docs from dialects/ISA/ISA.td; do not "
        "edit. "
        "-->\n# The instruction set\n\n";
  if (dialect)
    os << dedent(dialect->getValueAsString("description").trim()) << "\n";
  os << R"(## Encoding

A record is an 8-bit opcode followed by its fields, packed low bit first in the
order below, and padded with zero bits to whole bytes. Bit numbers below count
from the opcode's lowest bit; bit b is bit b mod 8 of byte b / 8.

| kind | encoding |
| --- | --- |
| unsigned | binary |
| signed | two's complement |
| float | the bits of an IEEE single |
| affine | `add`, `mul0`, `mul1`: two's complement numbers of 32, 24 and 24 bits; the value is add + mul0 i0 + mul1 i1, where i0 is the iteration of the outermost running loop and i1 that of the next (0 where not running) |

In assembly text a record is its mnemonic and `name=value` for each field; an
affine value is written `add+mul0*i0+mul1*i1` without the terms that are zero.

## Descriptors

)";
  std::vector<RecordModel> records = collect(keeper);
  for (const RecordModel &record : records)
    if (record.isDescriptor())
      emitRecord(record, os);
  os << "## Instructions of the setup\n\n";
  for (const RecordModel &record : records)
    if (record.isSetup())
      emitRecord(record, os);
  os << "## Instructions of streams\n\n";
  for (const RecordModel &record : records)
    if (record.isStream())
      emitRecord(record, os);
}

static llvm::TableGen::Emitter::Opt docs("gen-docs", emitDocs,
                                         "The instruction set manual");
