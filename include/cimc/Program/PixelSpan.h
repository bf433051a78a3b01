//===- PixelSpan.h - which pixels of a message a send takes -----*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_PROGRAM_PIXELSPAN_H
#define CIMC_PROGRAM_PIXELSPAN_H

#include "cimc/Program/Records.h"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace cimc {

/// Every `step`-th pixel of a row from `begin` on, before `end`.
struct PixelSpan {
  uint32_t begin = 0, end = 0, step = 1;
  bool holds(const PixelSpan &other) const {
    return begin <= other.begin && other.end <= end &&
           (other.begin - begin) % step == 0 && other.step % step == 0;
  }
};

/// Which of the pixels of `all`'s rows are `part`'s; nothing where `part` is
/// not made of pixels of the same rows.
inline std::optional<PixelSpan> spanOf(const isa::View &part,
                                       const isa::View &all) {
  if (part.type != all.type || part.channels != all.channels ||
      part.rows != all.rows || part.slots != all.slots ||
      part.row_pitch != all.row_pitch || part.address < all.address ||
      part.pixels == 0)
    return std::nullopt;
  uint64_t offset = part.address - all.address, begin = 0, step = 1;
  if (uint64_t pitch = all.pixel_pitch) {
    begin = offset / pitch;
    step = part.pixel_pitch / pitch;
    if (offset % pitch || part.pixel_pitch % pitch ||
        (step == 0 && part.pixels > 1))
      return std::nullopt;
    step = std::max<uint64_t>(step, 1);
  } else if (offset || part.pixel_pitch) {
    return std::nullopt;
  }
  uint64_t end = begin + (part.pixels - 1) * step + 1;
  if (end > all.pixels)
    return std::nullopt;
  return PixelSpan{static_cast<uint32_t>(begin), static_cast<uint32_t>(end),
                   static_cast<uint32_t>(step)};
}

} // namespace cimc

#endif // CIMC_PROGRAM_PIXELSPAN_H
