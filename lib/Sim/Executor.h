//===- Executor.h - what instructions do to memory --------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_SIM_EXECUTOR_H
#define CIMC_LIB_SIM_EXECUTOR_H

#include "Machine.h"

#include "cimc/Support/Numerics.h"

#include <cstring>

namespace cimc::sim {

template <typename T> T load(const uint8_t *p) {
  T value;
  std::memcpy(&value, p, sizeof(T));
  return value;
}

template <typename T> void store(uint8_t *p, T value) {
  std::memcpy(p, &value, sizeof(T));
}

inline int64_t loadInteger(const uint8_t *p, uint8_t type) {
  switch (type) {
  case VI8:
    return load<int8_t>(p);
  case VU8:
    return *p;
  case VI16:
    return load<int16_t>(p);
  case VU16:
    return load<uint16_t>(p);
  case VI64:
    return load<int64_t>(p);
  default:
    return load<int32_t>(p);
  }
}

inline void storeInteger(uint8_t *p, uint8_t type, int64_t value) {
  std::memcpy(p, &value, elementBytes(type)); // little endian
}

inline numerics::Range rangeOf(uint8_t type) {
  switch (type) {
  case VI8:
    return {-128, 127};
  case VU8:
    return {0, 255};
  case VI16:
    return {-32768, 32767};
  case VU16:
    return {0, 65535};
  default:
    return {INT32_MIN, INT32_MAX};
  }
}

inline bool isByte(uint8_t type) { return type == VI8 || type == VU8; }

/// Integers that fp32 holds exactly, with their differences.
inline bool isSmall(int32_t v) { return v > -(1 << 22) && v < (1 << 22); }

/// One row of a view. Strides are 0 where a dimension of 1 is broadcast.
struct Row {
  uint8_t *data;
  int64_t pixels, channels;
  int64_t pixelStride, channelStride; ///< bytes
  uint8_t type;
  uint8_t *at(int64_t p, int64_t c) const {
    return data + p * pixelStride + c * channelStride;
  }
};

/// The effect of the vector unit's instructions.
class Executor {
public:
  Executor(const Machine &machine, State &state, const StreamInfo &stream,
           const Op &op, const StreamState &at)
      : machine(machine), state(state), stream(stream), op(op), at(at),
        core(machine.cores[stream.core]), k(*machine.kernels),
        memory(state.memory[stream.core].data()) {}

  void operator()(const isa::Loop &) {}
  void operator()(const isa::Next &) {}
  void operator()(const isa::Halt &) {}
  void operator()(const isa::Wait &) {}
  void operator()(const isa::Free &) {}
  void operator()(const isa::Acquire &) {}
  void operator()(const isa::Post &) {}
  void operator()(const isa::Send &r);
  void operator()(const isa::Load &r);
  void operator()(const isa::Store &r);
  void operator()(const isa::Mvm &r) {
    if (state.bitPlanes)
      executeMvmBitPlanes(machine, state, stream, r, *op.mvm, at);
    else
      executeMvm(machine, state, stream, r, *op.mvm, at);
    if (machine.faults.transient > 0)
      executeUpsets(machine, state, stream, r, *op.mvm, at);
  }
#define CIMC_DECLARE(type) void operator()(const isa::type &r);
  CIMC_VECTOR_RECORDS(CIMC_DECLARE)
#undef CIMC_DECLARE

private:
  Row row(const isa::View &v, const isa::Affine &index) const {
    int64_t r = v.rows == 1 ? 0 : evaluate(index, at);
    return {memory + v.address + r % v.slots * v.row_pitch,
            v.pixels,
            v.channels,
            v.pixel_pitch,
            elementBytes(v.type),
            v.type};
  }
  Row row(uint16_t view, const isa::Affine &index) const {
    return row(core.views[view], index);
  }
  /// A source broadcast to the pixels and channels of `dst`.
  Row source(uint16_t view, const isa::Affine &index, const Row &dst) const {
    Row r = row(view, index);
    if (r.pixels == 1 && dst.pixels != 1)
      r.pixelStride = 0;
    if (r.channels == 1 && dst.channels != 1)
      r.channelStride = 0;
    return r;
  }
  static bool isDense(const Row &r, int64_t channels) {
    return r.channelStride == elementBytes(r.type) &&
           r.pixelStride == channels * r.channelStride;
  }
  /// Calls fn(a pointer, b pointer, destination pointer, elements) over runs
  /// that are as long as the layout allows.
  template <typename Fn>
  void runs(const Row &a, const Row &b, const Row &dst, Fn fn) const {
    if (isDense(a, dst.channels) && isDense(b, dst.channels) &&
        isDense(dst, dst.channels)) {
      fn(a.data, b.data, dst.data, dst.pixels * dst.channels);
      return;
    }
    for (int64_t p = 0; p < dst.pixels; ++p)
      fn(a.at(p, 0), b.at(p, 0), dst.at(p, 0), dst.channels);
  }
  template <typename Fn> void runs(const Row &a, const Row &dst, Fn fn) const {
    runs(a, a, dst,
         [&](const uint8_t *x, const uint8_t *, uint8_t *y, int64_t n) {
           fn(x, y, n);
         });
  }
  /// Input taps of output pixel p, in row-major order; null where outside.
  void taps(const isa::View &v, const isa::Window &w, int64_t outRow,
            int64_t p);
  /// fp32 `depthwise`; the taps of output pixel p are in state.pointers.
  void depthwiseF32(const isa::Depthwise &r, const Row &dst, int64_t p,
                    int64_t multiplier);
  /// Calls body(i, row) for the rows inside the view under a window.
  template <typename Body>
  void windowRows(const isa::View &v, const isa::Window &w, int64_t outRow,
                  Body body) const {
    for (int64_t i = 0; i < w.kernel_rows; ++i) {
      int64_t r = outRow * w.stride_rows - w.pad_rows + i * w.dilation_rows;
      if (r >= 0 && r < v.rows)
        body(i, Row{memory + v.address + r % v.slots * v.row_pitch, v.pixels,
                    v.channels, v.pixel_pitch, elementBytes(v.type), v.type});
    }
  }
  /// All elements of a view held whole, as integers in row-major order.
  void gather(const isa::View &v, std::vector<int32_t> &out) const;
  /// The elements of a view held whole, side by side; and back.
  const uint8_t *held(const isa::View &v, std::vector<int32_t> &out);
  void hold(const isa::View &v, const uint8_t *from);
  template <typename Fn>
  void onPixels(uint16_t srcView, const isa::Affine &srcRow, uint16_t dstView,
                const isa::Affine &dstRow, Fn fn);
  /// The address of linear element e of a view held whole.
  static int64_t linear(const isa::View &v, int64_t e) {
    int64_t c = e % v.channels, p = e / v.channels % v.pixels;
    int64_t r = e / v.channels / v.pixels;
    return v.address + r % v.slots * v.row_pitch + p * v.pixel_pitch +
           c * elementBytes(v.type);
  }

  const Machine &machine;
  State &state;
  const StreamInfo &stream;
  const Op &op;
  const StreamState &at;
  const CoreInfo &core;
  const RowKernels &k;
  uint8_t *memory;
};

} // namespace cimc::sim

#endif // CIMC_LIB_SIM_EXECUTOR_H
