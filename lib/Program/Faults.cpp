//===- Faults.cpp - cells that do not hold what was written ---------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Program/Faults.h"

#include "cimc/Program/FaultRandom.h"
#include "cimc/Target/CostModel.h"

#include <algorithm>

using namespace cimc;

namespace {
/// Streams of random numbers, by what falls.
enum Cause : uint64_t { StuckCells, StuckRows, StuckColumns, RawErrors };

int64_t wordsPerRow(const ChipSpec &chip) {
  int64_t word = chip.macro.secded_word_bits;
  return word ? (chip.macro.columns + word - 1) / word : 0;
}
} // namespace

int64_t cimc::physicalColumns(const ChipSpec &chip) {
  int64_t columns = chip.macro.columns + chip.macro.spare_columns;
  if (int64_t word = chip.macro.secded_word_bits)
    columns += wordsPerRow(chip) * secdedCheckBits(word);
  return columns;
}

MacroDefects cimc::macroDefects(const FaultModel &faults, const ChipSpec &chip,
                                uint32_t core, uint16_t macro) {
  int64_t rows = chip.macro.rows, width = physicalColumns(chip);
  std::vector<std::map<int64_t, bool>> cells(width);
  auto random = [&](Cause cause) {
    return FaultRandom{faults.seed, core, macro, cause};
  };
  double stuck = faults.stuck0 + faults.stuck1;
  FaultRandom cellRandom = random(StuckCells);
  cellRandom.hits(rows * width, stuck, [&](int64_t i) {
    bool one = cellRandom.uniform() * stuck <= faults.stuck1;
    cells[i % width].emplace(i / width, one);
  });
  // Broken lines win over cells, and what a test found over what was drawn.
  auto wholeRow = [&](int64_t row, bool value) {
    for (auto &column : cells)
      column[row] = value;
  };
  auto wholeColumn = [&](int64_t column, bool value) {
    for (int64_t row = 0; row < rows; ++row)
      cells[column][row] = value;
  };
  random(StuckRows).hits(rows, faults.row,
                         [&](int64_t row) { wholeRow(row, false); });
  random(StuckColumns).hits(width, faults.column, [&](int64_t column) {
    wholeColumn(column, false);
  });
  for (const Defect &d : faults.defects) {
    if (d.core != core || d.macro != macro || d.row >= rows ||
        d.column >= width)
      continue;
    if (d.column < 0)
      wholeRow(d.row, d.value);
    else if (d.row < 0)
      wholeColumn(d.column, d.value);
    else
      cells[d.column][d.row] = d.value;
  }
  MacroDefects defects;
  defects.columns.resize(width);
  for (int64_t c = 0; c < width; ++c) {
    for (auto [row, value] : cells[c])
      defects.columns[c].push_back({row, value});
    defects.count += static_cast<int64_t>(cells[c].size());
  }
  return defects;
}

std::map<uint16_t, MacroBits> cimc::macroBits(const CoreProgram &core,
                                              const ChipSpec &chip) {
  std::map<uint16_t, MacroBits> macros;
  eachProgrammed(core, [&](uint16_t macro, const CellBlock &block) {
    MacroBits &m = macros[macro];
    if (m.bits.empty()) {
      m.rows = chip.macro.rows;
      m.columns = chip.macro.columns;
      m.bits.resize(m.rows * m.columns);
      m.isUsed.resize(m.rows * m.columns);
      m.position.resize(m.columns);
    }
    for (int64_t r = 0; r < block.rows; ++r)
      for (int64_t c = 0; c < block.columns; ++c)
        for (int64_t b = 0; b < block.bits; ++b) {
          int64_t column = (block.column + c) * block.bits + b;
          int64_t at = (block.row + r) * m.columns + column;
          auto value =
              static_cast<uint8_t>(block.weights[r * block.columns + c]);
          m.bits[at] = (value >> b) & 1;
          m.isUsed[at] = 1;
          m.position[column] =
              std::max(m.position[column], static_cast<uint8_t>(b));
        }
  });
  return macros;
}

Placement::Placement(const ChipSpec &chip, const MacroRepair *repair)
    : active(chip.macro.active_rows), physical(chip.macro.columns),
      rotations(chip.macro.rows / active), complement(chip.macro.columns) {
  for (int64_t c = 0; c < chip.macro.columns; ++c)
    physical[c] = c;
  if (!repair)
    return;
  for (const MacroRepair::Move &move : repair->moves)
    physical[move.column] = chip.macro.columns + move.spare;
  for (uint16_t column : repair->complemented)
    complement[column] = true;
  for (size_t g = 0; g < repair->rotations.size(); ++g)
    rotations[g] = repair->rotations[g];
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {

/// A Hamming code with a parity bit, on the errors of a word alone: the code is
/// linear, so what it corrects does not depend on the data. Data bits have the
/// numbers from 1 up that are no powers of two, check bit j has 2^j, the parity
/// bit 0.
class ErrorCode {
public:
  explicit ErrorCode(int64_t dataBits) : dataBits(dataBits) {
    for (uint32_t number = 3; static_cast<int64_t>(numbers.size()) < dataBits;
         ++number)
      if (number & (number - 1))
        numbers.push_back(number);
  }
  /// Bits in error, data from 0 and check bits from `dataBits`; corrects one.
  /// True if it did, rightly or not.
  bool correct(std::set<int64_t> &errors) const {
    uint32_t syndrome = 0;
    for (int64_t bit : errors)
      syndrome ^= numberOf(bit);
    if (errors.size() % 2 == 0)
      return false; // no error, or an even number, which is detected only
    for (int64_t bit = 0; bit < dataBits + secdedCheckBits(dataBits); ++bit)
      if (numberOf(bit) == syndrome) {
        if (!errors.erase(bit))
          errors.insert(bit);
        return true;
      }
    return false;
  }

private:
  uint32_t numberOf(int64_t bit) const {
    if (bit < dataBits)
      return numbers[bit];
    int64_t check = bit - dataBits;
    return check == secdedCheckBits(dataBits) - 1 ? 0 : 1u << check;
  }
  int64_t dataBits;
  std::vector<uint32_t> numbers;
};

} // namespace

ReadErrors cimc::readErrors(const Program &program, const FaultModel &faults,
                            uint32_t core, uint16_t macro,
                            const MacroBits &bits) {
  const ChipSpec &chip = program.chip;
  int64_t columns = chip.macro.columns, width = physicalColumns(chip);
  int64_t firstCheck = columns + chip.macro.spare_columns;
  const MacroRepair *repair = nullptr;
  for (const MacroRepair &r : program.repairs)
    if (r.core == core && r.macro == macro)
      repair = &r;
  Placement placement(chip, repair);
  std::vector<int64_t> logical(width, -1);
  for (int64_t c = 0; c < columns; ++c)
    logical[placement.column(c)] = c;

  // What is wrong in the cells: row and column of the weights, or the number of
  // a check bit after them.
  ReadErrors result;
  std::set<std::pair<int64_t, int64_t>> wrong;
  MacroDefects defects = macroDefects(faults, chip, core, macro);
  result.defects = defects.count;
  int64_t word = chip.macro.secded_word_bits;
  int64_t checkBits = word ? secdedCheckBits(word) : 0;
  FaultRandom checks{faults.seed, core, macro, RawErrors, 1};
  for (int64_t p = 0; p < width; ++p)
    for (const MacroDefects::Cell &cell : defects.columns[p]) {
      if (int64_t c = logical[p]; c >= 0) {
        int64_t row = placement.logicalRow(cell.row);
        bool stored = bits.at(row, c) ^ placement.isComplemented(c);
        if (stored != cell.value)
          wrong.insert({row, c});
      } else if (p >= firstCheck) {
        // Check bits are half ones; which, is drawn rather than computed.
        if (checks.next() & 1)
          wrong.insert({cell.row, columns + p - firstCheck});
      }
    }
  FaultRandom({faults.seed, core, macro, RawErrors})
      .hits(bits.rows * width, faults.raw, [&](int64_t i) {
        int64_t p = i % width, physicalRow = i / width, c = logical[p];
        const auto &stuck = defects.columns[p];
        if (std::binary_search(stuck.begin(), stuck.end(),
                               MacroDefects::Cell{physicalRow, false}))
          return;
        ++result.raw;
        if (c >= 0)
          wrong.insert({placement.logicalRow(physicalRow), c});
        else if (p >= firstCheck)
          wrong.insert({physicalRow, columns + p - firstCheck});
      });
  if (word == 0) {
    for (auto [row, column] : wrong)
      if (bits.used(row, column))
        result.wrong.push_back({row, column});
    return result;
  }
  std::map<std::pair<int64_t, int64_t>, std::set<int64_t>> byWord;
  for (auto [row, column] : wrong)
    if (column < columns)
      byWord[{row, column / word}].insert(column % word);
    else
      byWord[{row, (column - columns) / checkBits}].insert(
          word + (column - columns) % checkBits);
  ErrorCode code(word);
  for (auto &[where, errors] : byWord) {
    result.weakWords.insert(where);
    result.corrected += code.correct(errors);
    for (int64_t bit : errors) {
      int64_t column = where.second * word + bit;
      if (bit < word && column < columns && bits.used(where.first, column))
        result.wrong.push_back({where.first, column});
    }
  }
  return result;
}
