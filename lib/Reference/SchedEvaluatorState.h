//===- SchedEvaluatorState.h - memory and streams while they run ----------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_REFERENCE_SCHEDEVALUATORSTATE_H
#define CIMC_LIB_REFERENCE_SCHEDEVALUATORSTATE_H

#include "Sched/Sched.h"
#include "cimc/Support/HostTensor.h"
#include "cimc/Support/Numerics.h"

#include "llvm/ADT/StringMap.h"

#include <functional>
#include <memory>
#include <vector>

namespace cimc::reference {

/// A channel's ring and counters.
struct Ring {
  int64_t rows, rowBytes, slots;
  std::vector<int64_t> posted, freed; ///< by producer, by consumer
  std::vector<uint8_t> *bytes;

  bool arrived(int64_t count) const {
    for (int64_t n : posted)
      if (n < count)
        return false;
    return true;
  }
  bool isFull(int64_t producer) const {
    for (int64_t n : freed)
      if (posted[producer] - n >= slots)
        return true;
    return false;
  }
  uint8_t *row(int64_t r) const { return bytes->data() + r % slots * rowBytes; }
};

/// A view with its memory.
struct RowView {
  std::vector<uint8_t> *bytes;
  int64_t offset, rowPitch, slots, pixelPitch, rows, pixels, channels, pad;
  DType type;

  uint8_t *at(int64_t row, int64_t pixel) const {
    return bytes->data() + offset + row % slots * rowPitch + pixel * pixelPitch;
  }
  int64_t size() const { return pixels * channels; }
  numerics::Range range() const;
  /// Row `row` as integers, pixels x channels; outside the map it is `pad`.
  std::vector<int32_t> integers(int64_t row) const;
  std::vector<float> floats(int64_t row) const;
  /// Writes `count` pixels from pixel `first` on.
  void store(int64_t row, int64_t first, int64_t count,
             const int32_t *values) const;
  void store(int64_t row, const std::vector<float> &values) const;
};

/// Loop counters of a stream.
struct Iteration {
  int64_t i0 = 0, i1 = 0;
};
inline int64_t evaluate(llvm::ArrayRef<int64_t> affine, Iteration i) {
  return affine[0] + affine[1] * i.i0 + affine[2] * i.i1;
}

/// An instruction, compiled: false if it has to wait.
using Step = std::function<bool(Iteration)>;

/// Everything named in a program.
struct SchedState {
  mlir::ModuleOp module;
  sched::ProgramOp program;
  ChipSpec chip;
  llvm::StringMap<std::unique_ptr<std::vector<uint8_t>>> memory;
  llvm::StringMap<Ring> rings;
  llvm::StringMap<RowView> views;

  const RowView &view(llvm::StringRef name) { return views.find(name)->second; }
  Ring &ring(llvm::StringRef name) { return rings.find(name)->second; }
  template <typename T> const T *data(llvm::StringRef name) {
    return reinterpret_cast<const T *>(memory[name]->data());
  }
};

/// Compiles a general vector instruction; empty where it is none.
Step compileVector(SchedState &state, mlir::Operation *op);
/// Sums or maxima of a window over fp32.
Step windowF32(const RowView &src, const RowView &dst, cim::WindowAttr window,
               llvm::ArrayRef<int64_t> place, llvm::ArrayRef<int64_t> dstRow,
               bool sum);

/// Compiles an instruction that computes; empty where there is no such.
Step compileInstruction(SchedState &state, mlir::Operation *op, int64_t core);
/// Those of rule R13 and fp32 depthwise sums.
Step compileWideInstruction(SchedState &state, mlir::Operation *op);

} // namespace cimc::reference

#endif // CIMC_LIB_REFERENCE_SCHEDEVALUATORSTATE_H
