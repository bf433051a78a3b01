//===- Programs.cpp - a small program to test with -----------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Programs.h"

using namespace cimc;

static isa::Channel channel(uint32_t id, int32_t core, uint32_t address,
                            uint32_t rowBytes, uint32_t slots) {
  isa::Channel c;
  c.id = id;
  c.core = core;
  c.address = address;
  c.row_bytes = rowBytes;
  c.slots = slots;
  c.rows = 4;
  c.producers = c.consumers = 1;
  return c;
}

static isa::View view(uint16_t id, uint32_t address, uint32_t slots,
                      uint32_t channels, uint8_t type) {
  isa::View v;
  v.id = id;
  v.address = address;
  v.slots = slots;
  v.rows = v.pixels = 4;
  v.channels = channels;
  v.pixel_pitch = channels * (type == 4 ? 4 : 1);
  v.row_pitch = 4 * v.pixel_pitch;
  v.type = type;
  return v;
}

template <typename T> static T onChannel(uint32_t id) {
  T record;
  record.channel = id;
  return record;
}

template <typename T> static T onRows(uint32_t id, int32_t add, int32_t mul0) {
  T record = onChannel<T>(id);
  record.rows = {add, mul0, 0};
  return record;
}

static CoreProgram convolutionCore() {
  CoreProgram core;
  core.id = 0;
  // Ring of the input, 32-bit sums of one row, result of one row.
  core.views = {view(1, 0, 3, 2, 1), view(2, 64, 1, 5, 4),
                view(7, 160, 1, 5, 1)};
  isa::Window window;
  window.id = 3;
  window.kernel_rows = window.kernel_pixels = 3;
  window.stride_rows = window.stride_pixels = 1;
  window.pad_rows = window.pad_pixels = 1;
  window.dilation_rows = window.dilation_pixels = 1;
  core.windows = {window};
  DataBlock constants;
  constants.address = 256;
  for (int i = 0; i < 40; ++i)
    constants.bytes.push_back(static_cast<uint8_t>(i * 37));
  core.data = {constants};
  CellBlock cells;
  cells.row = 64;
  cells.column = 3;
  cells.rows = 18;
  cells.columns = 5;
  for (int i = 0; i < 90; ++i)
    cells.weights.push_back(static_cast<int8_t>(i * 11 - 128));
  core.cells = {cells};
  isa::LoadData load;
  load.blocks = 1;
  isa::ProgramMacro program;
  program.macro = 1;
  program.blocks = 1;
  core.setup = {load, program};

  isa::Mvm mvm;
  mvm.macros = 2;
  mvm.columns = 5;
  mvm.cell_row = 64;
  mvm.column = 3;
  mvm.weight_bits = 8;
  mvm.src = 1;
  mvm.window = 3;
  mvm.k_size = 18;
  mvm.dst = 2;
  mvm.row = {0, 1, 0};
  mvm.count = mvm.end = 4;
  mvm.reuse = 4;
  mvm.dst_row = {0, 1, 0};
  isa::Requantize requantize;
  requantize.src = 2;
  requantize.dst = 7;
  requantize.src_row = requantize.dst_row = {0, 1, 0};
  requantize.count = 4;
  requantize.constants = 256;
  requantize.high = 255;
  isa::Send send = onChannel<isa::Send>(20);
  send.src = 7;
  send.row = {0, 1, 0};
  send.pitch = 5;
  isa::Loop loop;
  loop.count = 4;
  Stream stream;
  stream.layer = "conv";
  stream.instructions = {loop,        onRows<isa::Wait>(10, 2, 1), mvm,
                         requantize,  onRows<isa::Free>(10, 0, 1), send,
                         isa::Next(), onRows<isa::Free>(10, 4, 0), isa::Halt()};
  core.streams = {stream};
  return core;
}

static CoreProgram passingCore() {
  CoreProgram core;
  core.id = 70;
  core.views = {view(0, 0, 2, 5, 1), view(1, 64, 1, 5, 1)};
  isa::Loop loop;
  loop.count = 4;
  isa::Copy copy;
  copy.src = 0;
  copy.dst = 1;
  copy.src_row = copy.dst_row = {0, 1, 0};
  Stream pass;
  pass.layer = "pass \"on\"";
  pass.instructions = {
      loop,       onRows<isa::Wait>(20, 1, 1), onChannel<isa::Acquire>(30),
      copy,       onChannel<isa::Post>(30),    onRows<isa::Free>(20, 1, 1),
      isa::Next()};
  isa::Send send = onChannel<isa::Send>(40);
  send.src = 1;
  send.row = {0, 1, 0};
  send.pitch = 5;
  Stream out;
  out.layer = "conv";
  out.instructions = {loop, onRows<isa::Wait>(30, 1, 1), send,
                      onRows<isa::Free>(30, 1, 1), isa::Next()};
  core.streams = {pass, out};
  return core;
}

Program cimc::test::smallProgram() {
  Program program;
  program.model = "small";
  program.channels = {channel(10, 0, 0, 8, 3), channel(20, 70, 0, 20, 2),
                      channel(30, 70, 64, 20, 1), channel(40, -1, 0, 20, 2)};
  program.cores = {convolutionCore(), passingCore()};
  IOBinding in, out;
  in.name = "x";
  in.type = DType::U8;
  in.shape = {1, 2, 4, 4};
  in.perm = {0, 2, 3, 1};
  in.channels = {10};
  out = in;
  out.name = "y";
  out.isOutput = true;
  out.shape = {1, 5, 4, 4};
  out.channels = {40};
  program.ios = {in, out};
  return program;
}

Program cimc::test::richProgram() {
  Program program = smallProgram();
  CoreProgram &core = program.cores[1];
  uint32_t address = 4096;
  uint16_t id = 2;
  static constexpr uint32_t sizes[] = {1, 1, 2, 2, 4, 4, 8};
  for (uint8_t type = 0; type < 7; ++type)
    for (uint32_t channels : {4u, 1u}) {
      isa::View v;
      v.id = id++;
      v.address = address;
      v.slots = v.rows = 2;
      v.pixels = 3;
      v.channels = channels;
      v.pixel_pitch = channels * sizes[type];
      v.row_pitch = v.pixel_pitch * v.pixels;
      v.type = type;
      core.views.push_back(v);
      address += v.row_pitch * v.slots;
    }
  isa::Window window;
  window.id = 0;
  window.kernel_rows = window.kernel_pixels = 1;
  window.stride_rows = window.stride_pixels = 1;
  window.dilation_rows = window.dilation_pixels = 1;
  core.windows.push_back(window);
  isa::Pattern pattern;
  pattern.id = 0;
  pattern.element_bytes = 1;
  pattern.count0 = pattern.count1 = pattern.count2 = pattern.count3 = 1;
  pattern.count4 = 2;
  pattern.count5 = 3;
  pattern.src4 = pattern.dst4 = 3;
  pattern.src5 = pattern.dst5 = 1;
  core.patterns.push_back(pattern);
  return program;
}
