//===- Faults.h - cells that do not hold what was written -------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A macro has `macro.columns` columns of bits for weights, then
// `macro.spare_columns`, then the check bits of its words where
// `macro.secded_word_bits` asks for them. Physical columns are numbered in this
// order.
//
// Defects are known when a program is compiled for a die; `repair` chooses how
// the bits of each macro lie in its cells. Errors of programming and of reading
// come later and are only met by the error-correcting code.
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_PROGRAM_FAULTS_H
#define CIMC_PROGRAM_FAULTS_H

#include "cimc/Program/Program.h"

#include <map>
#include <set>

namespace cimc {

/// A defect that the test of a die found: a cell, a whole row or a whole column
/// that always reads `value`.
struct Defect {
  uint32_t core = 0;
  uint16_t macro = 0;
  int64_t row = -1;    ///< -1: the whole column
  int64_t column = -1; ///< physical; -1: the whole row
  bool value = false;
};

/// What is wrong with a chip. Every macro draws from a stream of its own, so
/// the same seed means the same die, whatever runs on it.
struct FaultModel {
  // Of cells, rows and columns of each macro; rows and columns read 0.
  double stuck0 = 0, stuck1 = 0, row = 0, column = 0;
  double raw = 0;       ///< cells that are wrong after programming
  double transient = 0; ///< bits that are wrong in one read
  uint64_t seed = 0;
  std::vector<Defect> defects;

  bool hasDefects() const {
    return stuck0 > 0 || stuck1 > 0 || row > 0 || column > 0 ||
           !defects.empty();
  }
};

/// Reads "stuck=1e-4,transient=1e-9,seed=3" (stuck0, stuck1, stuck for half of
/// each, row, column, raw, transient, seed; "chip" for the chip's
/// macro.raw_bit_error_rate), or a file that ends in .json with these keys and
/// "defects": [{"core", "macro", "row", "column", "stuck"}]. Errors are Usage
/// for rates, InvalidInput for a file.
Result<FaultModel> readFaults(const std::string &text, const ChipSpec &chip);

/// Physical columns of a macro.
int64_t physicalColumns(const ChipSpec &chip);

/// The defects of one macro, by physical column.
struct MacroDefects {
  struct Cell {
    int64_t row;
    bool value;
    bool operator<(const Cell &o) const { return row < o.row; }
  };
  std::vector<std::vector<Cell>> columns; ///< cells by row, each row once
  int64_t count = 0;
};
MacroDefects macroDefects(const FaultModel &faults, const ChipSpec &chip,
                          uint32_t core, uint16_t macro);

/// The bits that a program wants in a macro, row-major.
struct MacroBits {
  int64_t rows = 0, columns = 0;
  std::vector<uint8_t> bits;     ///< 0 or 1
  std::vector<uint8_t> isUsed;   ///< a weight's
  std::vector<uint8_t> position; ///< by column: bits of the weight below it
  uint8_t at(int64_t row, int64_t column) const {
    return bits[row * columns + column];
  }
  bool used(int64_t row, int64_t column) const {
    return isUsed[row * columns + column];
  }
};
/// By macro, of those that the program uses.
std::map<uint16_t, MacroBits> macroBits(const CoreProgram &core,
                                        const ChipSpec &chip);

/// Where the bits of a macro lie: which physical column holds a column, whether
/// complemented, and which row of its group holds a row.
class Placement {
public:
  Placement(const ChipSpec &chip, const MacroRepair *repair);
  int64_t column(int64_t logical) const { return physical[logical]; }
  bool isComplemented(int64_t logical) const { return complement[logical]; }
  int64_t row(int64_t logical) const {
    int64_t group = logical / active, first = group * active;
    return first + (logical - first + rotations[group]) % active;
  }
  /// The row that a physical one holds.
  int64_t logicalRow(int64_t row) const {
    int64_t group = row / active, first = group * active;
    return first + (row - first + active - rotations[group]) % active;
  }

private:
  int64_t active;
  std::vector<int64_t> physical, rotations;
  std::vector<char> complement;
};

/// What repairing came to.
struct RepairReport {
  int64_t macros = 0;          ///< that the program uses
  int64_t macrosDefective = 0; ///< with a defect among the cells it uses
  int64_t macrosRepaired = 0;  ///< of those, all weights read as written
  int64_t defects = 0;         ///< defective cells of the macros used
  int64_t columnsMoved = 0, columnsComplemented = 0, groupsRotated = 0;
  int64_t cellsWrong = 0; ///< weight bits that still read wrong
  /// Macros without wrong bits over all.
  double yield() const {
    return macros ? 1 - static_cast<double>(macrosDefective - macrosRepaired) /
                            static_cast<double>(macros)
                  : 1;
  }
};

/// Chooses, for every macro with defects, complemented columns, spare columns
/// for those that this does not help, and rotations of the rows within their
/// groups where spares run out. Replaces `program.repairs`.
RepairReport repair(Program &program, const FaultModel &faults);

/// Bits of a macro that read wrong, and what the error-correcting code did.
struct ReadErrors {
  struct Bit {
    int64_t row, column; ///< logical
  };
  std::vector<Bit> wrong;
  int64_t defects = 0, raw = 0; ///< cells
  int64_t corrected = 0;        ///< words
  /// Words with an error in a cell, whether corrected or not: row, word.
  std::set<std::pair<int64_t, int64_t>> weakWords;
};
/// After programming `bits` into the macro as `program.repairs` says.
ReadErrors readErrors(const Program &program, const FaultModel &faults,
                      uint32_t core, uint16_t macro, const MacroBits &bits);

} // namespace cimc

#endif // CIMC_PROGRAM_FAULTS_H
