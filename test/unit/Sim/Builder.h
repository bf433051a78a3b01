//===- Builder.h - programs by hand -----------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_TEST_UNIT_SIM_BUILDER_H
#define CIMC_TEST_UNIT_SIM_BUILDER_H

#include "cimc/Program/Program.h"

#include <cstring>
#include <random>

namespace cimc::test {

/// Types of views.
enum : uint8_t { I8, U8, I16, U16, I32, F32, I64 };

inline isa::Affine constant(int32_t add) {
  isa::Affine a;
  a.add = add;
  return a;
}
inline isa::Affine affine(int32_t add, int32_t mul0, int32_t mul1 = 0) {
  isa::Affine a = constant(add);
  a.mul0 = mul0;
  a.mul1 = mul1;
  return a;
}

struct Shape {
  int64_t rows, pixels, channels;
};

/// Builds one core with dense views, addresses given out in order.
class CoreBuilder {
public:
  CoreProgram core;
  uint32_t nextAddress = 0;

  explicit CoreBuilder(uint32_t id) { core.id = id; }

  uint32_t allocate(int64_t bytes) {
    uint32_t address = nextAddress;
    nextAddress += static_cast<uint32_t>((bytes + 15) / 16 * 16);
    return address;
  }

  /// A view of `slots` rows at `address`, dense.
  uint16_t view(uint32_t address, Shape s, uint8_t type, int64_t slots,
                int32_t pad = 0) {
    constexpr uint32_t bytes[] = {1, 1, 2, 2, 4, 4, 8};
    isa::View v;
    v.id = static_cast<uint16_t>(core.views.size());
    v.address = address;
    v.pixel_pitch = static_cast<uint32_t>(s.channels) * bytes[type];
    v.row_pitch = v.pixel_pitch * static_cast<uint32_t>(s.pixels);
    v.slots = static_cast<uint32_t>(slots);
    v.rows = static_cast<uint32_t>(s.rows);
    v.pixels = static_cast<uint32_t>(s.pixels);
    v.channels = static_cast<uint32_t>(s.channels);
    v.type = type;
    v.pad = pad;
    core.views.push_back(v);
    return v.id;
  }
  /// A view with memory of its own.
  uint16_t buffer(Shape s, uint8_t type, int64_t slots, int32_t pad = 0) {
    uint16_t id = view(nextAddress, s, type, slots, pad);
    allocate(int64_t{core.views[id].row_pitch} * slots);
    return id;
  }
  uint16_t window(int kernelRows, int kernelPixels, int stride, int pad,
                  int dilation = 1) {
    isa::Window w;
    w.id = static_cast<uint16_t>(core.windows.size());
    w.kernel_rows = static_cast<uint16_t>(kernelRows);
    w.kernel_pixels = static_cast<uint16_t>(kernelPixels);
    w.stride_rows = w.stride_pixels = static_cast<uint16_t>(stride);
    w.pad_rows = w.pad_pixels = static_cast<int16_t>(pad);
    w.dilation_rows = w.dilation_pixels = static_cast<uint16_t>(dilation);
    core.windows.push_back(w);
    return w.id;
  }
  uint32_t data(const void *bytes, size_t size) {
    DataBlock block;
    block.address = allocate(static_cast<int64_t>(size));
    block.bytes.resize(size);
    std::memcpy(block.bytes.data(), bytes, size);
    isa::LoadData load;
    load.block = static_cast<uint32_t>(core.data.size());
    load.blocks = 1;
    core.setup.push_back(load);
    core.data.push_back(block);
    return block.address;
  }
  /// Blocks of one macro follow one another.
  void cells(int macro, int row, int column, int rows, int columns, int bits,
             const std::vector<int8_t> &weights) {
    CellBlock block;
    block.row = static_cast<uint16_t>(row);
    block.column = static_cast<uint16_t>(column);
    block.rows = static_cast<uint16_t>(rows);
    block.columns = static_cast<uint16_t>(columns);
    block.bits = static_cast<uint8_t>(bits);
    block.weights = weights;
    auto *last = core.setup.empty()
                     ? nullptr
                     : std::get_if<isa::ProgramMacro>(&core.setup.back());
    if (!last || last->macro != macro) {
      isa::ProgramMacro program;
      program.macro = static_cast<uint8_t>(macro);
      program.block = static_cast<uint32_t>(core.cells.size());
      core.setup.push_back(program);
      last = std::get_if<isa::ProgramMacro>(&core.setup.back());
    }
    ++last->blocks;
    core.cells.push_back(block);
  }
  Stream &stream(const char *layer) {
    core.streams.push_back({layer, {}});
    return core.streams.back();
  }
};

inline void emitLoop(Stream &s, uint32_t count) {
  isa::Loop loop;
  loop.count = count;
  s.instructions.push_back(loop);
}
inline void emitNext(Stream &s) { s.instructions.push_back(isa::Next()); }
inline void emitHalt(Stream &s) { s.instructions.push_back(isa::Halt()); }
inline void emitWait(Stream &s, uint32_t channel, isa::Affine rows,
                     uint16_t consumer = 0) {
  isa::Wait wait;
  wait.channel = channel;
  wait.consumer = consumer;
  wait.rows = rows;
  s.instructions.push_back(wait);
}
inline void emitFree(Stream &s, uint32_t channel, isa::Affine rows,
                     uint16_t consumer = 0) {
  isa::Free free;
  free.channel = channel;
  free.consumer = consumer;
  free.rows = rows;
  s.instructions.push_back(free);
}
inline void emitSend(Stream &s, uint32_t channel, uint16_t view,
                     isa::Affine row, uint32_t pitch, uint32_t offset = 0,
                     uint16_t producer = 0) {
  isa::Send send;
  send.channel = channel;
  send.producer = producer;
  send.src = view;
  send.row = row;
  send.offset = offset;
  send.pitch = pitch;
  s.instructions.push_back(send);
}
inline void emitAcquire(Stream &s, uint32_t channel, uint16_t producer = 0) {
  isa::Acquire r;
  r.channel = channel;
  r.producer = producer;
  s.instructions.push_back(r);
}
inline void emitPost(Stream &s, uint32_t channel, uint16_t producer = 0) {
  isa::Post r;
  r.channel = channel;
  r.producer = producer;
  s.instructions.push_back(r);
}

/// Adds a channel; its id is its index.
inline uint32_t addChannel(Program &p, int32_t core, uint32_t address,
                           int64_t rowBytes, int64_t slots, int64_t rows,
                           int producers = 1, int consumers = 1) {
  isa::Channel c;
  c.id = static_cast<uint32_t>(p.channels.size());
  c.core = core;
  c.address = address;
  c.row_bytes = static_cast<uint32_t>(rowBytes);
  c.slots = static_cast<uint32_t>(slots);
  c.rows = static_cast<uint32_t>(rows);
  c.producers = static_cast<uint16_t>(producers);
  c.consumers = static_cast<uint16_t>(consumers);
  p.channels.push_back(c);
  return c.id;
}

inline void addIO(Program &p, const char *name, bool isOutput, DType type,
                  std::vector<int64_t> shape, std::vector<int64_t> perm,
                  std::vector<uint32_t> channels) {
  IOBinding io;
  io.name = name;
  io.isOutput = isOutput;
  io.type = type;
  io.shape = std::move(shape);
  io.perm = std::move(perm);
  io.channels = std::move(channels);
  p.ios.push_back(io);
}

inline HostTensor randomTensor(std::mt19937 &random, DType type,
                               std::vector<int64_t> shape) {
  HostTensor t(type, std::move(shape));
  for (std::byte &b : t.data)
    b = static_cast<std::byte>(random() & 0xff);
  return t;
}

inline std::vector<int8_t> randomWeights(std::mt19937 &random, int64_t n,
                                         int bits) {
  std::vector<int8_t> w(n);
  for (int8_t &v : w)
    v = static_cast<int8_t>(static_cast<int8_t>(random() << (8 - bits)) >>
                            (8 - bits));
  return w;
}

} // namespace cimc::test

#endif // CIMC_TEST_UNIT_SIM_BUILDER_H
