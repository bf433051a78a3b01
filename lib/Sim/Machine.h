//===- Machine.h - a program made ready to run ------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_SIM_MACHINE_H
#define CIMC_LIB_SIM_MACHINE_H

#include "Kernels.h"

#include "cimc/Program/Faults.h"
#include "cimc/Program/Program.h"
#include "cimc/Program/RowPhase.h"
#include "cimc/Sim/Simulator.h"

#include <map>
#include <memory>
#include <mutex>
#include <tuple>

namespace cimc::sim {

/// Element types of views, numbered as in the `type` field.
enum ViewType : uint8_t { VI8, VU8, VI16, VU16, VI32, VF32, VI64 };
inline int64_t elementBytes(uint8_t type) {
  constexpr int64_t bytes[] = {1, 1, 2, 2, 4, 4, 8};
  return type < 7 ? bytes[type] : 1;
}
inline bool isSignedType(uint8_t type) { return type != VU8 && type != VU16; }

/// The cells of one macro: rows of `columns` bits, low bit first in each byte.
struct CellArray {
  int64_t rowBytes = 0;
  std::vector<uint8_t> bits;
  /// The two's complement integer of `width` bits at weight column `column`.
  int32_t weight(int64_t row, int64_t column, int64_t width) const;
  bool bit(int64_t row, int64_t bitColumn) const {
    return (bits[row * rowBytes + bitColumn / 8] >> (bitColumn % 8)) & 1;
  }
};

/// A run of adjacent bytes of a window.
struct Segment {
  int64_t kernelRow;
  int64_t pixel;   ///< input pixels after the window's first
  int64_t channel; ///< first channel
  int64_t length;  ///< elements
};

/// What one mvm instruction needs, computed once.
struct MvmPlan {
  std::shared_ptr<const PackedTile> tile;
  std::vector<Segment> segments;
  int64_t pixelsRead = 0; ///< input pixels a window reaches, from its first
  /// Where the columns are: macro and weight column of each.
  std::vector<std::pair<uint16_t, uint16_t>> columns;
  /// Bit planes of the weights, for the mode that computes with them:
  /// [row group][column][weight bit] of `words` 64-bit words each.
  mutable std::once_flag planesOnce;
  mutable std::vector<uint64_t> planes;
  /// Bits of the weights that are 1, by row.
  mutable std::once_flag onesOnce;
  mutable std::vector<int64_t> ones;
};

enum class Kind : uint8_t {
  Loop,
  Next,
  Halt,
  Wait,
  Free,
  Acquire,
  Post,
  Send,
  Data
};

/// An instruction with what control needs of it.
struct Op {
  Kind kind = Kind::Halt;
  uint16_t port = 0;    ///< which producer or consumer
  uint32_t channel = 0; ///< index in Machine::channels
  uint32_t target = 0;  ///< `next`: first instruction of the loop's body
  uint32_t count = 0;   ///< `loop`: iterations
  isa::Affine rows;     ///< `wait` and `free`
  const isa::Instruction *record = nullptr;
  const MvmPlan *mvm = nullptr;
};

struct StreamInfo {
  uint32_t core = 0; ///< index in Machine::cores
  const Stream *source = nullptr;
  std::vector<Op> ops;
};

struct CoreInfo {
  const CoreProgram *source = nullptr;
  std::vector<isa::View> views;       ///< by id
  std::vector<isa::Window> windows;   ///< by id
  std::vector<isa::Pattern> patterns; ///< by id
  std::vector<CellArray> macros;
  /// By macro: words of a row that the error-correcting code cannot spare
  /// anything of any more.
  std::map<uint16_t, std::set<std::pair<int64_t, int64_t>>> weakWords;
  int64_t memoryBytes = 0; ///< as far as the program uses it
};

struct ChannelInfo {
  isa::Channel record;
  int64_t core = -1; ///< index in Machine::cores, -1 for the host
  /// Bytes of a row that the program writes; the host's for its channels.
  int64_t usedBytes = 0;
  std::vector<RowPhase> phases; ///< by producer
};

/// One end of a channel that the host serves.
struct HostPort {
  uint32_t io = 0; ///< index in Program::ios
  uint32_t channel = 0;
  int64_t rowBytes = 0;
};

/// Counters of a channel, of one sample.
struct ChannelState {
  /// The row that each producer writes next, the rows each consumer has freed.
  std::vector<uint32_t> produced, freed;
  std::vector<uint32_t> waiting; ///< blocked streams
  uint32_t arrived() const;
  uint32_t released() const;
};

struct StreamState {
  uint32_t pc = 0;
  uint32_t depth = 0; ///< running loops
  uint32_t iteration[2] = {0, 0};
  uint32_t remaining[2] = {0, 0};
  bool done = false;
};

/// Memory of one core.
struct Bytes {
  uint8_t *first = nullptr;
  size_t count = 0;
  uint8_t *data() const { return first; }
  size_t size() const { return count; }
  uint8_t *begin() const { return first; }
  uint8_t *end() const { return first + count; }
};

/// Everything that changes while a program runs; one for each running thread.
struct State {
  Arena arena;
  std::vector<Bytes> memory;                    ///< by core
  std::vector<AlignedVector<uint8_t>> hostRing; ///< by channel
  std::vector<ChannelState> channels;
  std::vector<StreamState> streams;
  /// DRAM as far as the program uses it; pages of it appear when touched.
  std::unique_ptr<uint8_t, void (*)(void *)> dram{nullptr, std::free};
  bool dramTouched = false;
  std::vector<std::vector<uint8_t>> hostData; ///< by io, transposed
  std::vector<uint32_t> portRow;              ///< by host port
  bool bitPlanes = false;
  bool activity = false;  ///< the timed run takes energy from the data
  uint64_t inputHash = 0; ///< tells samples apart, for errors of reading

  // Scratch of the instructions.
  AlignedVector<uint8_t> rows, rows2;
  std::vector<const uint8_t *> pointers;
  std::vector<int32_t> integers, integers2, integers3;
  std::vector<float> floats;
};

/// A program made ready to run: weights packed, operands resolved. Const while
/// running.
class Machine {
public:
  /// Cells are wrong as `faults` say.
  /// Without weights a machine can be timed, not run.
  explicit Machine(const Program &program, const FaultModel &faults = {},
                   bool holdsWeights = true);

  const Program &program;
  const FaultModel faults;
  const bool holdsWeights;
  FaultReport faultReport;
  HostIsa host = bestHostIsa();
  GemmKernel gemm;
  const RowKernels *kernels;
  std::vector<CoreInfo> cores;
  std::vector<ChannelInfo> channels;
  std::vector<StreamInfo> streams;
  std::vector<HostPort> feeders, collectors;
  int64_t dramBytes = 0; ///< as far as the program uses it

  /// Uses the kernels of another instruction set; for tests.
  void setHost(HostIsa isa);

  /// A fresh state with constants in place.
  std::unique_ptr<State> makeState() const;
  /// The producer of a send or post is a row further.
  void produce(State &state, const Op &op) const;
  /// Counters back to the start of a sample.
  void restart(State &state) const;

  /// Transposes the inputs into the order of the channels' rows; checks their
  /// number, types and shapes (InvalidInput).
  Status loadInputs(State &state, const std::vector<HostTensor> &inputs) const;
  std::vector<HostTensor> takeOutputs(const State &state) const;

  /// The effect of a `Data` instruction or `send` on memory.
  void execute(State &state, const StreamInfo &stream, const Op &op,
               const StreamState &at) const;
  /// The same for the host's ends: moves row `row`.
  void feedRow(State &state, const HostPort &port, uint32_t row) const;
  void collectRow(State &state, const HostPort &port, uint32_t row) const;

  /// Runs one sample without time.
  Status runUntimed(State &state) const;

  /// The message of a run in which nothing can go on.
  Error deadlock(const State &state) const;

private:
  void buildCore(const CoreProgram &source);
  void breakCells(CoreInfo &core);
  void buildStream(uint32_t core, const Stream &source);
  const MvmPlan *plan(uint32_t core, const isa::Mvm &record);
  /// The end of what an instruction touches in DRAM, within `loops` of so many
  /// iterations.
  static int64_t dramEnd(const CoreInfo &core,
                         const isa::Instruction &instruction,
                         const std::vector<int64_t> &loops);

  std::map<std::tuple<uint32_t, std::vector<int64_t>>, std::unique_ptr<MvmPlan>>
      plans;
  TileStore tiles;
  std::map<int64_t, uint32_t> coreIndex;
  std::map<uint32_t, uint32_t> channelIndex;
};

/// The value of an affine field within the loops of `at`.
inline int64_t evaluate(const isa::Affine &a, const StreamState &at) {
  return a.add + static_cast<int64_t>(a.mul0) * at.iteration[0] +
         static_cast<int64_t>(a.mul1) * at.iteration[1];
}

/// Bytes of a row whose pixels are adjacent.
inline int64_t rowBytes(const isa::View &v) {
  return int64_t{v.pixels} * v.channels * elementBytes(v.type);
}

/// Rows of a wait or free, clamped.
inline uint32_t clampRows(const isa::Affine &a, const StreamState &at,
                          uint32_t rows) {
  int64_t n = evaluate(a, at);
  return n < 0 ? 0 : n > rows ? rows : static_cast<uint32_t>(n);
}

/// Does loop, next and the like; false for instructions that are not control.
inline bool stepControl(const Op &op, StreamState &at) {
  switch (op.kind) {
  case Kind::Loop:
    if (at.depth < 2) {
      at.iteration[at.depth] = 0;
      at.remaining[at.depth] = op.count;
    }
    ++at.depth;
    ++at.pc;
    return true;
  case Kind::Next: {
    uint32_t level = at.depth - 1;
    if (level < 2 && --at.remaining[level] > 0) {
      ++at.iteration[level];
      at.pc = op.target;
      return true;
    }
    if (level < 2)
      at.iteration[level] = 0;
    at.depth = level;
    ++at.pc;
    return true;
  }
  case Kind::Halt:
    at.done = true;
    return true;
  default:
    return false;
  }
}

/// The mvm instruction: fast, and bit plane by bit plane.
void executeMvm(const Machine &machine, State &state, const StreamInfo &stream,
                const isa::Mvm &record, const MvmPlan &plan,
                const StreamState &at);
void executeMvmBitPlanes(const Machine &machine, State &state,
                         const StreamInfo &stream, const isa::Mvm &record,
                         const MvmPlan &plan, const StreamState &at);
/// Of the AND gates between inputs and weights of an mvm, the share that
/// switches in a cycle, 0 to 1: inputs come bit by bit, low bit first, vector
/// by vector while a row group is latched, from 0 at the start, and a gate
/// follows its input where its weight is 1.
double switchedGates(const Machine &machine, const State &state,
                     const StreamInfo &stream, const isa::Mvm &record,
                     const MvmPlan &plan, const StreamState &at);
/// Adds what bits that flip while they are read (FaultModel::transient) change
/// in the sums of an mvm that was executed.
void executeUpsets(const Machine &machine, State &state,
                   const StreamInfo &stream, const isa::Mvm &record,
                   const MvmPlan &plan, const StreamState &at);
/// The raw element k of the window of output pixel `pixel`.
uint32_t mvmInput(const CoreInfo &core, const uint8_t *memory,
                  const isa::Mvm &record, const StreamState &at, int64_t pixel,
                  int64_t k);
/// Output pixels of an mvm after its count was cut.
inline int64_t mvmPixels(const isa::Mvm &record, const StreamState &at) {
  int64_t left = static_cast<int64_t>(record.end) - evaluate(record.pixel, at);
  int64_t n = record.count < left ? record.count : left;
  return n > 0 ? n : 0;
}

} // namespace cimc::sim

#endif // CIMC_LIB_SIM_MACHINE_H
