//===- Machine.cpp - makes a program ready to run ---------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "cimc/Support/MachineTypes.h"
#include "cimc/Support/Permute.h"

#include <algorithm>
#include <cstring>

namespace cimc::sim {

// Kernels read a little past the end of a segment.
constexpr int64_t slackBytes = 64;

int32_t CellArray::weight(int64_t row, int64_t column, int64_t width) const {
  uint32_t value = 0;
  for (int64_t b = 0; b < width; ++b)
    value |= static_cast<uint32_t>(bit(row, column * width + b)) << b;
  // Sign extension: the highest plane counts negative.
  uint32_t sign = 1u << (width - 1);
  return static_cast<int32_t>((value ^ sign) - sign);
}

uint32_t ChannelState::arrived() const {
  uint32_t n = UINT32_MAX;
  for (uint32_t p : produced)
    n = std::min(n, p);
  return n;
}

uint32_t ChannelState::released() const {
  uint32_t n = UINT32_MAX;
  for (uint32_t f : freed)
    n = std::min(n, f);
  return n;
}

template <typename T>
static std::vector<T> byId(const std::vector<T> &records) {
  std::vector<T> result;
  for (const T &record : records) {
    if (result.size() <= record.id)
      result.resize(record.id + 1u);
    result[record.id] = record;
  }
  return result;
}

static CellArray makeCells(const ChipSpec &chip) {
  CellArray cells;
  cells.rowBytes = (chip.macro.columns + 7) / 8;
  cells.bits.resize(chip.macro.rows * cells.rowBytes);
  return cells;
}

static void writeCells(CellArray &cells, const CellBlock &block) {
  for (int64_t r = 0; r < block.rows; ++r)
    for (int64_t c = 0; c < block.columns; ++c) {
      auto value = static_cast<uint8_t>(block.weights[r * block.columns + c]);
      uint8_t *row = &cells.bits[(block.row + r) * cells.rowBytes];
      int64_t first = (block.column + c) * block.bits;
      if (block.bits == 8) {
        row[first / 8] = value;
        continue;
      }
      for (int64_t b = 0; b < block.bits; ++b) {
        auto mask = static_cast<uint8_t>(1u << ((first + b) % 8));
        uint8_t &byte = row[(first + b) / 8];
        byte =
            static_cast<uint8_t>((value >> b) & 1 ? byte | mask : byte & ~mask);
      }
    }
}

namespace {
/// The end of the constants that an instruction reads; they need not lie in
/// any view.
struct ConstantsEnd {
  const CoreInfo &core;
  int64_t operator()(const isa::Requantize &r) const {
    return int64_t{r.constants} + int64_t{core.views[r.dst].channels} * 8;
  }
  int64_t operator()(const isa::Lookup &r) const {
    return int64_t{r.table} + 256;
  }
  int64_t operator()(const isa::SoftmaxQ &r) const {
    return r.table + int64_t{256} * 4;
  }
  int64_t operator()(const isa::Depthwise &r) const {
    const isa::Window &w = core.windows[r.window];
    return r.weights + int64_t{w.kernel_rows} * w.kernel_pixels *
                           core.views[r.dst].channels;
  }
  template <typename T> int64_t operator()(const T &) const { return 0; }
};
} // namespace

void Machine::buildCore(const CoreProgram &source) {
  CoreInfo core;
  core.source = &source;
  core.views = byId(source.views);
  core.windows = byId(source.windows);
  core.patterns = byId(source.patterns);
  int64_t end = 0;
  for (const DataBlock &block : source.data)
    end =
        std::max(end, block.address + static_cast<int64_t>(block.bytes.size()));
  for (const isa::View &v : source.views)
    if (v.slots && v.pixels)
      end = std::max(end, v.address + int64_t{v.row_pitch} * (v.slots - 1) +
                              int64_t{v.pixel_pitch} * (v.pixels - 1) +
                              v.channels * elementBytes(v.type));
  for (const ChannelInfo &channel : channels)
    if (channel.record.core == static_cast<int64_t>(source.id))
      end = std::max(end, channel.record.address +
                              int64_t{channel.record.row_bytes} *
                                  channel.record.slots);
  for (const Stream &stream : source.streams)
    for (const isa::Instruction &instruction : stream.instructions)
      end = std::max(end, std::visit(ConstantsEnd{core}, instruction));
  core.memoryBytes = end;
  if (holdsWeights) {
    eachProgrammed(source, [&](uint16_t macro, const CellBlock &block) {
      while (core.macros.size() <= macro)
        core.macros.push_back(makeCells(program.chip));
      writeCells(core.macros[macro], block);
    });
    breakCells(core);
  }
  cores.push_back(std::move(core));
}

void Machine::breakCells(CoreInfo &core) {
  bool any = faults.hasDefects() || faults.raw > 0;
  if (!any)
    return;
  for (const auto &[number, bits] : macroBits(*core.source, program.chip)) {
    ReadErrors errors =
        readErrors(program, faults, core.source->id, number, bits);
    CellArray &cells = core.macros[number];
    for (const ReadErrors::Bit &bit : errors.wrong)
      cells.bits[bit.row * cells.rowBytes + bit.column / 8] ^=
          static_cast<uint8_t>(1u << (bit.column % 8));
    core.weakWords[number] = std::move(errors.weakWords);
    ++faultReport.macros;
    faultReport.macrosWrong += !errors.wrong.empty();
    faultReport.defects += errors.defects;
    faultReport.rawErrors += errors.raw;
    faultReport.wordsCorrected += errors.corrected;
    faultReport.bitsWrong += static_cast<int64_t>(errors.wrong.size());
  }
}

static std::vector<Segment> segmentsOf(const isa::View &src,
                                       const isa::Window &window, int64_t begin,
                                       int64_t size) {
  // With adjacent kernel pixels a whole kernel row is one run of bytes.
  bool adjacent = window.dilation_pixels == 1 || window.kernel_pixels == 1;
  int64_t run = adjacent ? int64_t{window.kernel_pixels} * src.channels
                         : int64_t{src.channels};
  std::vector<Segment> segments;
  for (int64_t k = begin; k < begin + size;) {
    int64_t length = std::min(run - k % run, begin + size - k);
    int64_t tap = k / src.channels;
    int64_t kernelPixel = tap % window.kernel_pixels;
    segments.push_back({tap / window.kernel_pixels,
                        kernelPixel * window.dilation_pixels, k % src.channels,
                        length});
    k += length;
  }
  return segments;
}

const MvmPlan *Machine::plan(uint32_t core, const isa::Mvm &r) {
  const CoreInfo &info = cores[core];
  auto &slot = plans[{core,
                      {r.macros, r.columns, r.cell_row, r.column, r.weight_bits,
                       r.src, r.window, r.k_begin, r.k_size}}];
  if (slot)
    return slot.get();
  slot = std::make_unique<MvmPlan>();
  int64_t perMacro = program.chip.macro.columns / r.weight_bits - r.column;
  for (uint16_t m = 0; m < 8; ++m)
    if (r.macros >> m & 1)
      for (int64_t c = 0; c < perMacro && slot->columns.size() < r.columns; ++c)
        slot->columns.push_back({m, static_cast<uint16_t>(r.column + c)});
  const isa::View &src = info.views[r.src];
  const isa::Window &window = info.windows[r.window];
  slot->segments = segmentsOf(src, window, r.k_begin, r.k_size);
  std::vector<int64_t> lengths;
  for (const Segment &s : slot->segments) {
    lengths.push_back(s.length);
    slot->pixelsRead = std::max(
        slot->pixelsRead,
        s.pixel + (s.channel + s.length + src.channels - 1) / src.channels);
  }
  if (!holdsWeights)
    return slot.get();
  auto columns = static_cast<int64_t>(slot->columns.size());
  std::vector<int8_t> weights(r.k_size * columns);
  for (int64_t c = 0; c < columns; ++c) {
    auto [macro, column] = slot->columns[c];
    if (macro >= info.macros.size())
      continue; // never written: reads zero
    const CellArray &cells = info.macros[macro];
    if (r.weight_bits == 8)
      for (int64_t k = 0; k < r.k_size; ++k)
        weights[k * columns + c] = static_cast<int8_t>(
            cells.bits[(r.cell_row + k) * cells.rowBytes + column]);
    else
      for (int64_t k = 0; k < r.k_size; ++k)
        weights[k * columns + c] = static_cast<int8_t>(
            cells.weight(r.cell_row + k, column, r.weight_bits));
  }
  slot->tile = tiles.keep(packTile(weights.data(), columns, lengths));
  return slot.get();
}

namespace {
/// Fills in what control needs of an instruction.
struct Lowering {
  const std::map<uint32_t, uint32_t> &channels;
  Op &op;
  uint32_t channel(uint32_t id) const {
    auto it = channels.find(id);
    return it == channels.end() ? 0 : it->second;
  }
  void operator()(const isa::Loop &r) {
    op.kind = Kind::Loop;
    op.count = r.count;
  }
  void operator()(const isa::Next &) { op.kind = Kind::Next; }
  void operator()(const isa::Halt &) { op.kind = Kind::Halt; }
  void operator()(const isa::Wait &r) {
    op.kind = Kind::Wait;
    op.channel = channel(r.channel);
    op.port = r.consumer;
    op.rows = r.rows;
  }
  void operator()(const isa::Free &r) {
    op.kind = Kind::Free;
    op.channel = channel(r.channel);
    op.port = r.consumer;
    op.rows = r.rows;
  }
  void operator()(const isa::Acquire &r) {
    op.kind = Kind::Acquire;
    op.channel = channel(r.channel);
    op.port = r.producer;
  }
  void operator()(const isa::Post &r) {
    op.kind = Kind::Post;
    op.channel = channel(r.channel);
    op.port = r.producer;
  }
  void operator()(const isa::Send &r) {
    op.kind = Kind::Send;
    op.channel = channel(r.channel);
    op.port = r.producer;
  }
  template <typename T> void operator()(const T &) { op.kind = Kind::Data; }
};
} // namespace

int64_t Machine::dramEnd(const CoreInfo &core,
                         const isa::Instruction &instruction,
                         const std::vector<int64_t> &loops) {
  const auto *load = std::get_if<isa::Load>(&instruction);
  const auto *store = std::get_if<isa::Store>(&instruction);
  if (!load && !store)
    return 0;
  const isa::Affine &line = load ? load->line : store->line;
  int64_t last = line.add;
  int32_t factors[] = {line.mul0, line.mul1};
  for (size_t i = 0; i < loops.size() && i < 2; ++i)
    last += std::max<int64_t>(factors[i], 0) * (loops[i] - 1);
  return last * isa::dramLineBytes +
         rowBytes(core.views[load ? load->dst : store->src]);
}

void Machine::buildStream(uint32_t core, const Stream &source) {
  StreamInfo stream;
  stream.core = core;
  stream.source = &source;
  std::vector<uint32_t> loops;
  std::vector<int64_t> counts;
  for (const isa::Instruction &record : source.instructions) {
    Op op;
    op.record = &record;
    std::visit(Lowering{channelIndex, op}, record);
    if (op.kind == Kind::Loop) {
      loops.push_back(static_cast<uint32_t>(stream.ops.size()) + 1);
      counts.push_back(op.count);
    }
    if (op.kind == Kind::Next && !loops.empty()) {
      op.target = loops.back();
      loops.pop_back();
      counts.pop_back();
    }
    dramBytes = std::max(dramBytes, dramEnd(cores[core], record, counts));
    if (const auto *mvm = std::get_if<isa::Mvm>(&record))
      op.mvm = plan(core, *mvm);
    if (const auto *send = std::get_if<isa::Send>(&record))
      channels[op.channel].phases[op.port] = {send->first, send->skipped + 1};
    stream.ops.push_back(op);
  }
  Op halt;
  if (stream.ops.empty() || stream.ops.back().kind != Kind::Halt)
    stream.ops.push_back(halt);
  streams.push_back(std::move(stream));
}

/// Bytes that travel on the channels.
static int64_t byteCount(const IOBinding &io) {
  auto n = static_cast<int64_t>(byteSize(machineType(io.type)));
  for (int64_t d : io.shape)
    n *= d;
  return n;
}

Machine::Machine(const Program &program, const FaultModel &faults,
                 bool holdsWeights)
    : program(program), faults(faults), holdsWeights(holdsWeights) {
  setHost(bestHostIsa());
  for (const CoreProgram &core : program.cores)
    coreIndex.emplace(core.id, static_cast<uint32_t>(coreIndex.size()));
  for (const isa::Channel &record : program.channels) {
    channelIndex.emplace(record.id, static_cast<uint32_t>(channels.size()));
    auto core = coreIndex.find(record.core);
    channels.push_back(
        {record, core == coreIndex.end() ? -1 : int64_t{core->second},
         record.row_bytes, std::vector<RowPhase>(record.producers)});
  }
  for (const CoreProgram &core : program.cores)
    buildCore(core);
  for (uint32_t c = 0; c < program.cores.size(); ++c)
    for (const Stream &stream : program.cores[c].streams)
      buildStream(c, stream);
  for (uint32_t i = 0; i < program.ios.size(); ++i) {
    const IOBinding &io = program.ios[i];
    for (uint32_t id : io.channels) {
      auto it = channelIndex.find(id);
      if (it == channelIndex.end())
        continue;
      ChannelInfo &channel = channels[it->second];
      int64_t rows = std::max<int64_t>(channel.record.rows, 1);
      HostPort port{i, it->second, byteCount(io) / rows};
      channel.usedBytes = port.rowBytes;
      (io.isOutput ? collectors : feeders).push_back(port);
    }
  }
}

void Machine::setHost(HostIsa isa) {
  host = isa;
  gemm = gemmKernel(isa);
  kernels = &rowKernels(isa);
}

std::unique_ptr<State> Machine::makeState() const {
  auto state = std::make_unique<State>();
  for (const CoreInfo &core : cores) {
    auto bytes = static_cast<size_t>(core.memoryBytes + slackBytes);
    state->memory.push_back({state->arena.allocate(bytes), bytes});
    eachLoaded(*core.source, [&](const DataBlock &block) {
      if (!block.bytes.empty())
        std::memcpy(state->memory.back().data() + block.address,
                    block.bytes.data(), block.bytes.size());
    });
  }
  state->hostRing.resize(channels.size());
  for (size_t c = 0; c < channels.size(); ++c)
    if (channels[c].core < 0)
      state->hostRing[c].resize(int64_t{channels[c].record.row_bytes} *
                                    channels[c].record.slots +
                                slackBytes);
  state->channels.resize(channels.size());
  for (const IOBinding &io : program.ios)
    state->hostData.emplace_back(byteCount(io));
  restart(*state);
  return state;
}

void Machine::produce(State &state, const Op &op) const {
  state.channels[op.channel].produced[op.port] +=
      static_cast<uint32_t>(channels[op.channel].phases[op.port].step);
}

void Machine::restart(State &state) const {
  for (size_t c = 0; c < channels.size(); ++c) {
    state.channels[c].produced.clear();
    for (const RowPhase &phase : channels[c].phases)
      state.channels[c].produced.push_back(phase.first);
    state.channels[c].freed.assign(channels[c].record.consumers, 0);
    state.channels[c].waiting.clear();
  }
  if (dramBytes > 0 && (!state.dram || state.dramTouched)) {
    state.dram.reset(
        static_cast<uint8_t *>(std::calloc(static_cast<size_t>(dramBytes), 1)));
    if (!state.dram)
      throw std::bad_alloc();
    state.dramTouched = false;
  }
  state.streams.assign(streams.size(), StreamState());
  state.portRow.assign(feeders.size() + collectors.size(), 0);
}

//===----------------------------------------------------------------------===//
// The host's side
//===----------------------------------------------------------------------===//

Status Machine::loadInputs(State &state,
                           const std::vector<HostTensor> &inputs) const {
  size_t next = 0;
  for (size_t i = 0; i < program.ios.size(); ++i) {
    const IOBinding &io = program.ios[i];
    if (io.isOutput)
      continue;
    if (next >= inputs.size())
      return Error{ExitCode::InvalidInput,
                   "the program has more inputs than the " +
                       std::to_string(inputs.size()) +
                       " given: there is no tensor for input '" + io.name +
                       "'"};
    const HostTensor &tensor = inputs[next++];
    if (tensor.type != io.type || tensor.shape != io.shape ||
        static_cast<int64_t>(tensor.data.size()) !=
            tensor.size() * static_cast<int64_t>(byteSize(io.type)))
      return Error{ExitCode::InvalidInput,
                   "input '" + io.name + "' is " + shapeString(io.shape) +
                       " of " + name(io.type) + ", but the tensor given is " +
                       shapeString(tensor.shape) + " of " + name(tensor.type)};
    Result<HostTensor> values = toMachine(tensor, "input '" + io.name + "'");
    if (!values)
      return values.takeError();
    permute(io.shape, io.perm, byteSize(values->type), values->data.data(),
            state.hostData[i].data());
  }
  if (faults.transient > 0) {
    // FNV-1a: a sample meets the same errors on whichever thread it runs.
    state.inputHash = 0xcbf29ce484222325;
    for (size_t i = 0; i < program.ios.size(); ++i)
      if (!program.ios[i].isOutput)
        for (uint8_t byte : state.hostData[i])
          state.inputHash = (state.inputHash ^ byte) * 0x100000001b3;
  }
  if (next != inputs.size())
    return Error{ExitCode::InvalidInput,
                 std::to_string(inputs.size()) +
                     " tensors were given, but the program has " +
                     std::to_string(next) + " inputs"};
  return {};
}

std::vector<HostTensor> Machine::takeOutputs(const State &state) const {
  std::vector<HostTensor> outputs;
  for (size_t i = 0; i < program.ios.size(); ++i) {
    const IOBinding &io = program.ios[i];
    if (!io.isOutput)
      continue;
    HostTensor tensor(machineType(io.type), io.shape);
    unpermute(io.shape, io.perm, byteSize(tensor.type),
              state.hostData[i].data(), tensor.data.data());
    outputs.push_back(fromMachine(tensor, io.type));
  }
  return outputs;
}

void Machine::feedRow(State &state, const HostPort &port, uint32_t row) const {
  const ChannelInfo &channel = channels[port.channel];
  int64_t slot = row % channel.record.slots;
  uint8_t *ring = channel.core < 0 ? state.hostRing[port.channel].data()
                                   : state.memory[channel.core].data() +
                                         channel.record.address;
  std::memcpy(ring + slot * channel.record.row_bytes,
              state.hostData[port.io].data() + row * port.rowBytes,
              port.rowBytes);
}

void Machine::collectRow(State &state, const HostPort &port,
                         uint32_t row) const {
  const ChannelInfo &channel = channels[port.channel];
  int64_t slot = row % channel.record.slots;
  std::memcpy(state.hostData[port.io].data() + row * port.rowBytes,
              state.hostRing[port.channel].data() +
                  slot * channel.record.row_bytes,
              port.rowBytes);
}

} // namespace cimc::sim
