//===- SchedEvaluator.cpp - runs streams and channels -----------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SchedEvaluatorState.h"

#include "cimc/Reference/Elements.h"
#include "cimc/Reference/Evaluator.h"
#include "cimc/Support/MachineTypes.h"
#include "cimc/Support/Permute.h"

#include "llvm/ADT/STLExtras.h"

#include <cstring>

using namespace mlir;
using namespace cimc;
using namespace cimc::reference;

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

numerics::Range RowView::range() const { return rangeOf(type); }

template <typename T>
static void readRow(const RowView &view, int64_t row, int32_t *out) {
  for (int64_t p = 0; p < view.pixels; ++p) {
    const T *in = reinterpret_cast<const T *>(view.at(row, p));
    for (int64_t c = 0; c < view.channels; ++c)
      *out++ = static_cast<int32_t>(in[c]);
  }
}

std::vector<int32_t> RowView::integers(int64_t row) const {
  std::vector<int32_t> out(size(), static_cast<int32_t>(pad));
  if (row < 0 || row >= rows)
    return out;
  switch (type) {
  case DType::I8:
    readRow<int8_t>(*this, row, out.data());
    break;
  case DType::U8:
    readRow<uint8_t>(*this, row, out.data());
    break;
  case DType::I16:
    readRow<int16_t>(*this, row, out.data());
    break;
  case DType::U16:
    readRow<uint16_t>(*this, row, out.data());
    break;
  case DType::I64:
    readRow<int64_t>(*this, row, out.data());
    break;
  default:
    readRow<int32_t>(*this, row, out.data());
  }
  return out;
}

std::vector<float> RowView::floats(int64_t row) const {
  std::vector<float> out(size());
  for (int64_t p = 0; p < pixels; ++p)
    std::memcpy(out.data() + p * channels, at(row, p),
                channels * sizeof(float));
  return out;
}

template <typename T>
static void writeRow(const RowView &view, int64_t row, int64_t first,
                     int64_t count, const int32_t *values) {
  for (int64_t p = first; p < first + count; ++p) {
    T *out = reinterpret_cast<T *>(view.at(row, p));
    for (int64_t c = 0; c < view.channels; ++c)
      out[c] = static_cast<T>(*values++);
  }
}

void RowView::store(int64_t row, int64_t first, int64_t count,
                    const int32_t *values) const {
  count = std::min(count, pixels - first);
  switch (byteSize(type)) {
  case 1:
    return writeRow<int8_t>(*this, row, first, count, values);
  case 2:
    return writeRow<int16_t>(*this, row, first, count, values);
  case 8:
    return writeRow<int64_t>(*this, row, first, count, values);
  default:
    return writeRow<int32_t>(*this, row, first, count, values);
  }
}

void RowView::store(int64_t row, const std::vector<float> &values) const {
  for (int64_t p = 0; p < pixels; ++p)
    std::memcpy(at(row, p), values.data() + p * channels,
                channels * sizeof(float));
}

//===----------------------------------------------------------------------===//
// Streams
//===----------------------------------------------------------------------===//

namespace {
/// A stream's flat code; loops jump.
struct RunningStream {
  struct Code {
    Step step;
    int64_t loop = 0; ///< iterations of a loop that starts here
    bool next = false;
  };
  std::vector<Code> code;
  size_t at = 0;
  int depth = 0;
  size_t start[2] = {0, 0};
  int64_t iteration[2] = {0, 0};

  /// Runs until it ends or must wait; whether it did anything.
  bool advance() {
    bool moved = false;
    for (; at < code.size(); moved = true) {
      const Code &c = code[at];
      if (c.loop) {
        start[depth] = at;
        iteration[depth++] = 0;
        ++at;
      } else if (c.next) {
        int level = depth - 1;
        if (++iteration[level] < code[start[level]].loop) {
          at = start[level] + 1;
        } else {
          iteration[level] = 0;
          --depth;
          ++at;
        }
      } else {
        if (!c.step({iteration[0], iteration[1]}))
          return moved;
        ++at;
      }
    }
    return moved;
  }
};

class SchedEvaluator {
public:
  SchedEvaluator(ModuleOp module, sched::ProgramOp program, ChipSpec spec) {
    state.module = module;
    state.program = program;
    state.chip = std::move(spec);
  }

  Result<std::vector<HostTensor>> run(const std::vector<HostTensor> &inputs) {
    for (Operation &op : state.program.getBody().front())
      if (auto status = declare(&op); !status)
        return status.takeError();
    size_t used = 0;
    for (auto io : state.program.getBody().getOps<sched::IOOp>())
      if (auto status = bind(io, inputs, used); !status)
        return status.takeError();
    if (used != inputs.size())
      return Error{ExitCode::InvalidInput,
                   "the program has " + std::to_string(used) + " inputs, but " +
                       std::to_string(inputs.size()) + " were given"};
    for (auto stream : state.program.getBody().getOps<sched::StreamOp>()) {
      streams.emplace_back();
      if (auto status = compile(stream.getBody().front(), stream); !status)
        return status.takeError();
    }
    for (bool moved = true; moved;) {
      moved = false;
      for (RunningStream &stream : streams)
        moved |= stream.advance();
    }
    for (RunningStream &stream : streams)
      if (stream.at < stream.code.size())
        return Error{ExitCode::Internal,
                     "the schedule deadlocks: run --sched-size-rings before it "
                     "is evaluated"};
    return collect();
  }

private:
  Status declare(Operation *op) {
    if (auto channel = dyn_cast<sched::ChannelOp>(op)) {
      Ring ring;
      ring.rows = channel.getRows();
      ring.rowBytes = channel.getRowBytes();
      ring.slots = channel.getSlots();
      ring.posted.assign(channel.getProducers(), 0);
      ring.freed.assign(channel.getConsumers(), 0);
      ring.bytes = allocate(channel.getSymName(), ring.slots * ring.rowBytes);
      state.rings.insert({channel.getSymName(), ring});
    } else if (auto buffer = dyn_cast<sched::BufferOp>(op)) {
      allocate(buffer.getSymName(), buffer.getBytes());
    } else if (auto data = dyn_cast<sched::DataOp>(op)) {
      HostTensor tensor = toHostTensor(data.getValue());
      auto *bytes = allocate(data.getSymName(), tensor.data.size());
      std::memcpy(bytes->data(), tensor.data.data(), tensor.data.size());
    } else if (auto view = dyn_cast<sched::ViewOp>(op)) {
      std::optional<DType> type = elementDType(view.getType());
      auto memory = state.memory.find(view.getOf());
      if (!type || memory == state.memory.end())
        return Error{ExitCode::Internal, "view '" + view.getSymName().str() +
                                             "' comes before its memory"};
      auto ring = state.rings.find(view.getOf());
      bool isRing = ring != state.rings.end();
      state.views.insert(
          {view.getSymName(),
           RowView{memory->second.get(), int64_t(view.getOffset()),
                   view.getRowPitch() ? int64_t(*view.getRowPitch())
                   : isRing           ? ring->second.rowBytes
                                      : 0,
                   view.getSlots() ? int64_t(*view.getSlots())
                   : isRing        ? ring->second.slots
                                   : 1,
                   int64_t(view.getPixelPitch()), int64_t(view.getRows()),
                   int64_t(view.getPixels()), int64_t(view.getChannels()),
                   int64_t(view.getPad()), *type}});
    }
    return {};
  }

  std::vector<uint8_t> *allocate(StringRef name, int64_t bytes) {
    auto &memory = state.memory[name];
    memory = std::make_unique<std::vector<uint8_t>>(bytes);
    return memory.get();
  }

  /// Streams of the host: one for every channel it feeds or reads.
  Status bind(sched::IOOp io, const std::vector<HostTensor> &inputs,
              size_t &used) {
    std::optional<DType> type = elementDType(io.getType());
    std::vector<int64_t> shape = io.getShape().vec();
    std::string name = io.getName().str();
    if (!type)
      return Error{ExitCode::Internal, "'" + name + "' has no host type"};
    // Before memory is asked for: the shape may be anyone's.
    int64_t size = countElements(shape);
    if (size < 0 || __builtin_mul_overflow(
                        size, int64_t(byteSize(machineType(*type))), &size))
      size = -1;
    for (Attribute ref : io.getChannels()) {
      Ring &ring = state.ring(cast<FlatSymbolRefAttr>(ref).getValue());
      if (ring.rows * ring.rowBytes != size)
        return Error{ExitCode::InvalidInput,
                     "'" + name + "' of shape " + shapeString(shape) +
                         " does not have the " +
                         std::to_string(ring.rows * ring.rowBytes) +
                         " bytes that its channel passes"};
    }
    if (!io.getOutput()) {
      if (used == inputs.size() || inputs[used].type != *type ||
          inputs[used].shape != shape)
        return Error{ExitCode::InvalidInput, "input '" + name + "' must be " +
                                                 cimc::name(*type) + " " +
                                                 shapeString(shape)};
      Result<HostTensor> values =
          toMachine(inputs[used], "input '" + name + "'");
      if (!values)
        return values.takeError();
      host.push_back(
          std::make_unique<std::vector<uint8_t>>(values->data.size()));
      permute(shape, io.getPerm().vec(), byteSize(values->type),
              values->data.data(), host.back()->data());
      ++used;
    } else {
      HostTensor tensor(machineType(*type), shape);
      host.push_back(
          std::make_unique<std::vector<uint8_t>>(tensor.data.size()));
      outputs.push_back({io, host.back().get()});
    }
    for (Attribute ref : io.getChannels()) {
      Ring &ring = state.ring(cast<FlatSymbolRefAttr>(ref).getValue());
      auto *bytes = host.back().get();
      RunningStream stream;
      stream.code.push_back({nullptr, ring.rows, false});
      bool output = io.getOutput();
      stream.code.push_back({[&ring, bytes, output](Iteration i) {
        uint8_t *at = bytes->data() + i.i0 * ring.rowBytes;
        if (output) {
          if (!ring.arrived(i.i0 + 1))
            return false;
          std::memcpy(at, ring.row(i.i0), ring.rowBytes);
          ++ring.freed[0];
        } else {
          if (ring.isFull(0))
            return false;
          std::memcpy(ring.row(i.i0), at, ring.rowBytes);
          ++ring.posted[0];
        }
        return true;
      }});
      stream.code.push_back({nullptr, 0, true});
      streams.push_back(std::move(stream));
    }
    return {};
  }

  Status compile(Block &block, sched::StreamOp stream) {
    for (Operation &op : block) {
      if (auto loop = dyn_cast<sched::LoopOp>(op)) {
        streams.back().code.push_back(
            {nullptr, int64_t(loop.getCount()), false});
        if (auto status = compile(loop.getBody().front(), stream); !status)
          return status;
        streams.back().code.push_back({nullptr, 0, true});
        continue;
      }
      Step step = control(&op);
      if (!step)
        step = compileInstruction(state, &op, stream.getCore());
      if (!step)
        return Error{ExitCode::Internal,
                     "'" + op.getName().getStringRef().str() + "' of '" +
                         stream.getLayer().str() + "' cannot be evaluated"};
      streams.back().code.push_back({step, 0, false});
    }
    return {};
  }

  Step control(Operation *op) {
    if (auto wait = dyn_cast<sched::WaitOp>(op)) {
      Ring &ring = state.ring(wait.getChannel());
      return [&ring, rows = wait.getRows()](Iteration i) {
        return ring.arrived(
            std::clamp<int64_t>(evaluate(rows, i), 0, ring.rows));
      };
    }
    if (auto free = dyn_cast<sched::FreeOp>(op)) {
      Ring &ring = state.ring(free.getChannel());
      return [&ring, rows = free.getRows(),
              consumer = free.getConsumer()](Iteration i) {
        int64_t n = std::clamp<int64_t>(evaluate(rows, i), 0, ring.rows);
        ring.freed[consumer] = std::max(ring.freed[consumer], n);
        return true;
      };
    }
    if (auto acquire = dyn_cast<sched::AcquireOp>(op)) {
      Ring &ring = state.ring(acquire.getChannel());
      return [&ring, producer = acquire.getProducer()](Iteration) {
        return !ring.isFull(producer);
      };
    }
    if (auto post = dyn_cast<sched::PostOp>(op)) {
      Ring &ring = state.ring(post.getChannel());
      return [&ring, producer = post.getProducer()](Iteration) {
        ++ring.posted[producer];
        return true;
      };
    }
    if (auto send = dyn_cast<sched::SendOp>(op)) {
      Ring &ring = state.ring(send.getChannel());
      ring.posted[send.getProducer()] = int64_t(send.getFirst());
      RowView src = state.view(send.getSrc());
      return
          [&ring, src, producer = send.getProducer(), row = send.getRow(),
           offset = int64_t(send.getOffset()), pitch = int64_t(send.getPitch()),
           step = int64_t(send.getSkipped()) + 1](Iteration i) {
            if (ring.isFull(producer))
              return false;
            uint8_t *to = ring.row(ring.posted[producer]) + offset;
            int64_t bytes = src.channels * byteSize(src.type);
            for (int64_t p = 0; p < src.pixels; ++p)
              std::memcpy(to + p * pitch, src.at(evaluate(row, i), p), bytes);
            ring.posted[producer] += step;
            return true;
          };
    }
    return nullptr;
  }

  std::vector<HostTensor> collect() {
    std::vector<HostTensor> results;
    for (auto &[io, bytes] : outputs) {
      std::vector<int64_t> shape = io.getShape().vec();
      DType type = *elementDType(io.getType());
      HostTensor tensor(machineType(type), shape);
      unpermute(shape, io.getPerm().vec(), byteSize(tensor.type), bytes->data(),
                tensor.data.data());
      results.push_back(fromMachine(tensor, type));
    }
    return results;
  }

  SchedState state;
  std::vector<RunningStream> streams;
  std::vector<std::unique_ptr<std::vector<uint8_t>>> host;
  std::vector<std::pair<sched::IOOp, std::vector<uint8_t> *>> outputs;
};
} // namespace

Result<std::vector<HostTensor>>
cimc::evaluateSched(ModuleOp module, const std::vector<HostTensor> &inputs) {
  auto programs = module.getOps<sched::ProgramOp>();
  auto chip = module->getAttrOfType<cim::ChipAttr>(cim::kChipAttrName);
  if (programs.empty() || !chip)
    return Error{ExitCode::InvalidInput,
                 "the module is not at the sched level of a chip"};
  return SchedEvaluator(module, *programs.begin(), cim::getChipSpec(chip))
      .run(inputs);
}
