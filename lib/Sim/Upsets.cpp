//===- Upsets.cpp - bits that flip while they are read --------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "cimc/Program/FaultRandom.h"

#include <map>

namespace cimc::sim {

namespace {
struct Upset {
  int64_t read, k, column, bit;
};
} // namespace

void executeUpsets(const Machine &machine, State &state,
                   const StreamInfo &stream, const isa::Mvm &record,
                   const MvmPlan &plan, const StreamState &at) {
  const CoreInfo &core = machine.cores[stream.core];
  const isa::View &src = core.views[record.src];
  const isa::View &dst = core.views[record.dst];
  uint8_t *memory = state.memory[stream.core].data();
  int64_t pixels = mvmPixels(record, at), reuse = record.reuse;
  int64_t reads = (pixels + reuse - 1) / reuse;
  auto columns = static_cast<int64_t>(plan.columns.size());
  int64_t bits = record.weight_bits;
  auto cellColumn = [&](const Upset &u) {
    return plan.columns[u.column].second * bits + u.bit;
  };

  // The same errors in whatever order streams run.
  auto index = static_cast<uint64_t>(&stream - machine.streams.data());
  FaultRandom random{machine.faults.seed, state.inputHash, index, at.pc,
                     at.iteration[0],     at.iteration[1]};
  std::vector<Upset> upsets;
  random.hits(reads * record.k_size * columns * bits, machine.faults.transient,
              [&](int64_t i) {
                upsets.push_back({i / bits / columns / record.k_size,
                                  i / bits / columns % record.k_size,
                                  i / bits % columns, i % bits});
              });
  // A word with one error in all is corrected.
  int64_t word = machine.program.chip.macro.secded_word_bits;
  using Word = std::array<int64_t, 4>; // read, macro, row, word
  auto wordOf = [&](const Upset &u) {
    return Word{u.read, plan.columns[u.column].first, record.cell_row + u.k,
                cellColumn(u) / word};
  };
  std::map<Word, int64_t> errors;
  if (word)
    for (const Upset &u : upsets)
      ++errors[wordOf(u)];
  auto isCorrected = [&](const Upset &u) {
    if (!word)
      return false;
    Word w = wordOf(u);
    auto weak = core.weakWords.find(static_cast<uint16_t>(w[1]));
    return errors[w] == 1 &&
           (weak == core.weakWords.end() || !weak->second.count({w[2], w[3]}));
  };

  uint8_t *row = memory + dst.address +
                 evaluate(record.dst_row, at) % dst.slots * dst.row_pitch;
  int shift = 32 - 8 * static_cast<int>(elementBytes(src.type));
  for (const Upset &u : upsets) {
    if (isCorrected(u))
      continue;
    uint16_t macro = plan.columns[u.column].first;
    bool stored = macro < core.macros.size() &&
                  core.macros[macro].bit(record.cell_row + u.k, cellColumn(u));
    // The highest plane counts negative; a one that reads zero is missing.
    bool adds = stored == (u.bit == bits - 1);
    for (int64_t p = u.read * reuse; p < std::min((u.read + 1) * reuse, pixels);
         ++p) {
      uint32_t x = mvmInput(core, memory, record, at, p, record.k_begin + u.k)
                   << shift;
      x = isSignedType(src.type)
              ? static_cast<uint32_t>(static_cast<int32_t>(x) >> shift)
              : x >> shift;
      auto *out = reinterpret_cast<UnalignedU32 *>(row + p * dst.pixel_pitch +
                                                   u.column * 4);
      *out += adds ? x << u.bit : 0u - (x << u.bit);
    }
  }
}

} // namespace cimc::sim
