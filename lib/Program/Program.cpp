//===- Program.cpp - counts and text of programs --------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Program/Program.h"

#include <fmt/format.h>

#include <set>

using namespace cimc;

int64_t Program::instructionCount() const {
  int64_t count = 0;
  for (const CoreProgram &core : cores)
    for (const Stream &stream : core.streams)
      count += static_cast<int64_t>(stream.instructions.size());
  return count;
}

int64_t Program::macrosUsed() const {
  int64_t count = 0;
  for (const CoreProgram &core : cores) {
    std::set<uint16_t> macros;
    for (const CellBlock &block : core.cells)
      macros.insert(block.macro);
    count += static_cast<int64_t>(macros.size());
  }
  return count;
}

/// A string that any line of the text can hold.
static std::string quoted(const std::string &text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out + '"';
}

template <typename Record>
static void printRecords(std::string &out, const std::vector<Record> &records,
                         const char *indent) {
  for (const Record &record : records)
    out += indent + isa::formatRecord(isa::infoOf<Record>(), &record) + "\n";
}

static std::string listed(const std::vector<int64_t> &values) {
  return fmt::format("[{}]", fmt::join(values, ", "));
}

std::string cimc::disassemble(const Program &program) {
  std::string out = fmt::format("program {} chip={}\n", quoted(program.model),
                                quoted(program.chip.name));
  for (const IOBinding &io : program.ios)
    out += fmt::format("{} {} type={} shape={} perm={} channels=[{}]\n",
                       io.isOutput ? "output" : "input", quoted(io.name),
                       name(io.type), listed(io.shape), listed(io.perm),
                       fmt::join(io.channels, ", "));
  printRecords(out, program.channels, "");
  for (const CoreProgram &core : program.cores) {
    out += fmt::format("\ncore {}\n", core.id);
    printRecords(out, core.views, "  ");
    printRecords(out, core.windows, "  ");
    printRecords(out, core.patterns, "  ");
    for (const DataBlock &block : core.data)
      out += fmt::format("  data address={} bytes={}\n", block.address,
                         block.bytes.size());
    for (const CellBlock &block : core.cells)
      out += fmt::format(
          "  cells macro={} row={} column={} rows={} columns={} bits={}\n",
          block.macro, block.row, block.column, block.rows, block.columns,
          block.bits);
    for (size_t s = 0; s < core.streams.size(); ++s) {
      const Stream &stream = core.streams[s];
      out += fmt::format("  stream {} {}\n", s, quoted(stream.layer));
      size_t depth = 0;
      for (const isa::Instruction &instruction : stream.instructions) {
        if (std::holds_alternative<isa::Next>(instruction) && depth > 0)
          --depth;
        out += std::string(4 + 2 * depth, ' ') +
               isa::formatRecord(isa::infoOf(instruction),
                                 isa::addressOf(instruction)) +
               "\n";
        if (std::holds_alternative<isa::Loop>(instruction))
          ++depth;
      }
    }
  }
  return out;
}
