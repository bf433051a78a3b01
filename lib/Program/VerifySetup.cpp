//===- VerifySetup.cpp - what happens before the first sample -------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Streams have no instruction that programs (isa::Instruction holds none), so
// what the setup writes once is what arrays hold for good.
//
//===----------------------------------------------------------------------===//

#include "Verifier.h"

using namespace cimc;
using namespace cimc::verifier;

namespace {

class SetupVerifier {
public:
  SetupVerifier(const ChipSpec &chip, CoreTables &tables)
      : chip(chip), tables(tables), core(*tables.core),
        loaded(core.data.size()), written(core.cells.size()) {}
  Status run();
  Status operator()(const isa::LoadData &r) {
    return take(r, loaded, "data", "loaded");
  }
  Status operator()(const isa::ProgramMacro &r);

private:
  /// Marks the blocks that an instruction names.
  template <typename Record>
  Status take(const Record &r, std::vector<bool> &used, const char *what,
              const char *done);
  Status verifyBlock(uint32_t macro, const CellBlock &block);

  const ChipSpec &chip;
  CoreTables &tables;
  const CoreProgram &core;
  std::vector<bool> loaded, written;
};

template <typename Record>
Status SetupVerifier::take(const Record &r, std::vector<bool> &used,
                           const char *what, const char *done) {
  if (r.blocks == 0 || Wide(r.block) + r.blocks > Wide(used.size()))
    return invalid(fmt::format("it names {} blocks of {} from block {} on, but "
                               "the core has {} in all",
                               r.blocks, what, r.block, used.size()));
  for (size_t b = r.block; b < size_t{r.block} + r.blocks; ++b) {
    if (used[b])
      return invalid(fmt::format("block {} of {} is {} twice", b, what, done));
    used[b] = true;
  }
  return {};
}

Status SetupVerifier::verifyBlock(uint32_t macro, const CellBlock &block) {
  auto fail = [&](const std::string &what) {
    return invalid(fmt::format("core {}: weights for macro {}, row {}, column "
                               "{}: {}",
                               core.id, macro, block.row, block.column, what));
  };
  if (block.bits < 1 || block.bits > 8)
    return fail(
        fmt::format("weights of {} bits; 1 to 8 are possible", block.bits));
  if (block.rows == 0 || block.columns == 0 ||
      block.weights.size() != static_cast<size_t>(block.rows) * block.columns)
    return fail(fmt::format("{} weights for {} x {} cells",
                            block.weights.size(), block.rows, block.columns));
  if (block.row + block.rows > chip.macro.rows ||
      (block.column + block.columns) * int64_t{block.bits} > chip.macro.columns)
    return fail(fmt::format("{} x {} weights of {} bits go beyond the {} x {} "
                            "cells of a macro",
                            block.rows, block.columns, block.bits,
                            chip.macro.rows, chip.macro.columns));
  int low = -(1 << (block.bits - 1)), high = -low - 1;
  for (int8_t weight : block.weights)
    if (weight < low || weight > high)
      return fail(
          fmt::format("weight {} does not fit {} bits", weight, block.bits));
  std::vector<const CellBlock *> &others = tables.cells[macro];
  for (const CellBlock *other : others) {
    bool rows = block.row < other->row + other->rows &&
                other->row < block.row + block.rows;
    bool columns = block.column * block.bits <
                       (other->column + other->columns) * other->bits &&
                   other->column * other->bits <
                       (block.column + block.columns) * block.bits;
    if (rows && columns)
      return fail(fmt::format("they overlap those at row {}, column {}",
                              other->row, other->column));
  }
  others.push_back(&block);
  return {};
}

Status SetupVerifier::operator()(const isa::ProgramMacro &r) {
  if (r.macro >= chip.hierarchy.macros_per_core)
    return invalid(fmt::format("macro {}, but a core has {} macros", r.macro,
                               chip.hierarchy.macros_per_core));
  if (tables.cells.count(r.macro))
    return invalid(fmt::format("macro {} is programmed twice", r.macro));
  return take(r, written, "weights", "written");
}

Status SetupVerifier::run() {
  for (size_t i = 0; i < core.setup.size(); ++i) {
    const isa::SetupInstruction &instruction = core.setup[i];
    const isa::RecordInfo &info = isa::infoOf(instruction);
    Status status = isa::checkFields(info, isa::addressOf(instruction));
    if (status)
      status = std::visit(*this, instruction);
    if (!status)
      return invalid(fmt::format("core {}, setup, instruction {} ({}): {}",
                                 core.id, i, info.mnemonic,
                                 status.error().message));
    const auto *program = std::get_if<isa::ProgramMacro>(&instruction);
    for (size_t b = 0; program && b < program->blocks; ++b)
      if (status = verifyBlock(program->macro, core.cells[program->block + b]);
          !status)
        return status;
  }
  for (size_t b = 0; b < loaded.size(); ++b)
    if (!loaded[b])
      return invalid(fmt::format("core {}: the data at {} are never loaded "
                                 "(load_data)",
                                 core.id, core.data[b].address));
  for (size_t b = 0; b < written.size(); ++b)
    if (!written[b])
      return invalid(
          fmt::format("core {}: block {} of weights is never written "
                      "(program_macro)",
                      core.id, b));
  return {};
}

} // namespace

Status verifier::verifySetup(const Tables &tables, CoreTables &core) {
  return SetupVerifier(tables.program->chip, core).run();
}
