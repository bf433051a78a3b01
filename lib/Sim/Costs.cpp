//===- Costs.cpp - what instructions cost -----------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Timing.h"

#include "cimc/Support/VectorOps.h"

#include <algorithm>

namespace cimc::sim {

const char *componentName(int component) {
  constexpr const char *names[componentCount] = {
      "array_read", "array_mac", "array_sums", "sram", "vector",
      "noc",        "nop",       "host",       "dram"};
  return names[component];
}

template <typename Fn> static ChipSpec changed(const ChipSpec &chip, Fn fn) {
  ChipSpec copy = chip;
  fn(copy);
  return copy;
}

/// The chip with the energy of links of one kind, noc, nop, host or dram.
template <typename Links>
static ChipSpec onlyLinks(const ChipSpec &chip, Links ChipSpec::*kept) {
  ChipSpec copy = chip;
  copy.noc.pj_per_bit_hop = copy.nop.pj_per_bit_hop = 0;
  copy.host.pj_per_bit = copy.dram.pj_per_bit = 0;
  copy.*kept = chip.*kept;
  return copy;
}

Costs::Costs(const ChipSpec &spec)
    : chip(spec), onlyRead(changed(spec,
                                   [](ChipSpec &c) {
                                     c.macro.mac_fj = 0;
                                     c.macro.partial_sum_fj_per_mac = 0;
                                     c.core.sram_pj_per_byte = 0;
                                   })),
      onlyMac(changed(spec,
                      [](ChipSpec &c) {
                        c.macro.read_fj_per_bit = 0;
                        c.macro.partial_sum_fj_per_mac = 0;
                        c.core.sram_pj_per_byte = 0;
                      })),
      onlySums(changed(spec,
                       [](ChipSpec &c) {
                         c.macro.read_fj_per_bit = 0;
                         c.macro.mac_fj = 0;
                       })),
      onlyNoc(onlyLinks(spec, &ChipSpec::noc)),
      onlyNop(onlyLinks(spec, &ChipSpec::nop)),
      onlyHost(onlyLinks(spec, &ChipSpec::host)),
      onlyDram(onlyLinks(spec, &ChipSpec::dram)), model(chip),
      readModel(onlyRead), macModel(onlyMac), sumsModel(onlySums),
      nocModel(onlyNoc), nopModel(onlyNop), hostModel(onlyHost),
      dramModel(onlyDram) {}

Energy Costs::transfer(int64_t from, int64_t to, int64_t bytes) const {
  Energy e;
  e.nj[NetworkOnChip] = nocModel.transfer(from, to, bytes).nj;
  e.nj[NetworkOnPackage] = nopModel.transfer(from, to, bytes).nj;
  e.nj[HostLink] = hostModel.transfer(from, to, bytes).nj;
  e.nj[DramMemory] = dramModel.transfer(from, to, bytes).nj;
  return e;
}

namespace {

/// Lane operations and memory traffic of an instruction. A lane does one
/// multiplication, addition, comparison or table look-up at a time; functions
/// that are iterated (exp, division, ...) take four.
class Work {
public:
  Work(const Costs &costs, const Machine &machine, const StreamInfo &stream,
       const StreamState &at)
      : costs(costs), core(machine.cores[stream.core]), at(at),
        banks(costs.costModel().chip(), core.source->id) {}

  int64_t operations = 0;
  bool isFloat = false;
  double sramNj = 0;

  static constexpr int64_t iterated = 4;

  void operator()(const isa::Loop &) {}
  void operator()(const isa::Next &) {}
  void operator()(const isa::Halt &) {}
  void operator()(const isa::Wait &) {}
  void operator()(const isa::Free &) {}
  void operator()(const isa::Acquire &) {}
  void operator()(const isa::Post &) {}
  void operator()(const isa::Send &r) {
    const isa::View &v = view(r.src);
    access(v, rowBytes(v));
  }
  void operator()(const isa::Load &r) {
    access(view(r.dst), rowBytes(view(r.dst)));
  }
  void operator()(const isa::Store &r) {
    access(view(r.src), rowBytes(view(r.src)));
  }
  void operator()(const isa::Mvm &r) {
    // Each window's values are read once for all macros; sums are written.
    int64_t pixels = mvmPixels(r, at);
    const isa::View &src = view(r.src), &dst = view(r.dst);
    access(src, pixels * r.k_size * elementBytes(src.type));
    access(dst,
           pixels * r.columns * elementBytes(VI32) * (r.accumulate ? 2 : 1));
  }
  void operator()(const isa::Requantize &r) {
    const isa::View &dst = view(r.dst);
    int64_t pixels = std::min<int64_t>(r.count, int64_t{dst.pixels} -
                                                    evaluate(r.dst_pixel, at));
    int64_t n = std::max<int64_t>(pixels, 0) * dst.channels;
    operations = n;
    access(view(r.src), n * 4);
    access(r.constants, int64_t{dst.channels} * 8);
    access(dst, n * elementBytes(dst.type));
  }
  void operator()(const isa::Unit &r) {
    const isa::View &src = view(r.src);
    int64_t rows = core.windows[r.window].kernel_rows;
    operations = rows * src.pixels * src.channels;
    isFloat = true;
    access(src, rows * rowBytes(src));
    access(view(r.dst), rowBytes(view(r.dst)));
  }
  void operator()(const isa::Digits &r) {
    // Scaling and rounding; taking the digits apart is wiring.
    const isa::View &src = view(r.src);
    int64_t rows = core.windows[r.window].kernel_rows;
    operations = rows * src.pixels * src.channels;
    isFloat = true;
    access(src, rows * rowBytes(src));
    access(view(r.dst), rowBytes(view(r.dst)));
  }
  void operator()(const isa::Combine &r) {
    // Two wide additions, a conversion, the bias.
    const isa::View &dst = view(r.dst);
    int64_t pixels = std::min<int64_t>(r.count, int64_t{dst.pixels} -
                                                    evaluate(r.dst_pixel, at));
    int64_t n = std::max<int64_t>(pixels, 0) * dst.channels;
    operations = 4 * n;
    isFloat = true;
    access(view(r.src), n * r.digits * 4);
    access(r.constants, int64_t{dst.channels} * 8);
    access(dst, n * 4);
  }
  void operator()(const isa::AddQ &r) {
    operations = 2 * elements(r.dst);
    rows(r.a, r.b, r.dst);
  }
  void operator()(const isa::MulQ &r) {
    operations = 2 * elements(r.dst);
    rows(r.a, r.b, r.dst);
  }
  void operator()(const isa::Lookup &r) {
    operations = elements(r.dst);
    rows(r.src, r.dst);
    access(r.table, elements(r.dst));
  }
  void operator()(const isa::MaxPool &r) {
    operations = windowed(r.src, r.window, r.dst);
  }
  void operator()(const isa::AvgPool &r) {
    operations = windowed(r.src, r.window, r.dst) + elements(r.dst);
    isFloat = true;
  }
  void operator()(const isa::RowSum &r) {
    operations = elements(r.src);
    isFloat = view(r.src).type == VF32;
    rows(r.src, r.dst);
  }
  void operator()(const isa::Depthwise &r) {
    operations = windowed(r.src, r.window, r.dst);
    isFloat = view(r.dst).type == VF32;
    access(r.weights, taps(r.window) * view(r.dst).channels *
                          elementBytes(view(r.src).type));
  }
  void operator()(const isa::Move &r) {
    const isa::Pattern &p = core.patterns[r.pattern];
    int64_t n = int64_t{p.count0} * p.count1 * p.count2 * p.count3 * p.count4 *
                p.count5;
    operations = n;
    access(view(r.src), n * p.element_bytes);
    access(view(r.dst), n * p.element_bytes);
  }
  void operator()(const isa::Fill &r) {
    operations = elements(r.dst);
    access(view(r.dst), rowBytes(view(r.dst)));
  }
  void operator()(const isa::SoftmaxQ &r) {
    // Maximum; look-up and sum; scaling.
    operations = (2 + iterated) * elements(r.dst);
    rows(r.src, r.dst);
    access(r.table, elements(r.dst) * 4);
  }
  void operator()(const isa::Quantize &r) {
    operations = elements(r.dst);
    isFloat = true;
    rows(r.src, r.dst);
  }
  void operator()(const isa::Dequantize &r) {
    operations = elements(r.dst);
    isFloat = true;
    rows(r.src, r.dst);
  }
  void operator()(const isa::AddI &r) {
    operations = elements(r.dst);
    rows(r.src, r.dst, r.dst);
  }
  void operator()(const isa::Copy &r) {
    operations = elements(r.dst);
    rows(r.src, r.dst);
  }
  void operator()(const isa::Matmul &r) {
    operations = int64_t{r.batch} * r.m * r.k * r.n;
    for (uint16_t v : {r.a, r.b, r.dst})
      access(view(v), rowBytes(view(v)) * view(v).rows);
  }
  void operator()(const isa::Map &r) {
    int64_t each =
        numerics::isIterated(static_cast<numerics::Function>(r.function))
            ? iterated
            : 1;
    operations = each * elements(r.dst);
    isFloat = view(r.a).type == VF32;
    rows(r.a, r.dst);
    if (r.b != r.a)
      access(view(r.b), rowBytes(view(r.b)));
  }
  void operator()(const isa::Select &r) {
    operations = elements(r.dst);
    rows(r.c, r.a, r.b, r.dst);
  }
  void operator()(const isa::Convert &r) {
    operations = elements(r.dst);
    isFloat = true;
    rows(r.src, r.dst);
  }
  void operator()(const isa::Reduce &r) {
    operations = elements(r.src);
    isFloat = view(r.src).type == VF32;
    rows(r.src, r.dst);
  }
  void operator()(const isa::Scan &r) {
    operations = elements(r.src);
    isFloat = view(r.src).type == VF32;
    rows(r.src, r.dst);
  }
  void operator()(const isa::Topk &r) {
    // A pass over the channels for every one that is found.
    operations = elements(r.src) * view(r.dst).channels;
    isFloat = view(r.src).type == VF32;
    access(view(r.src), operations * elementBytes(view(r.src).type));
    access(view(r.dst), rowBytes(view(r.dst)));
  }
  void operator()(const isa::Gather &r) {
    operations = wholeElements(r.dst);
    access(view(r.a), operations * elementBytes(view(r.a).type));
    wholes(r.b, r.dst);
  }
  void operator()(const isa::Scatter &r) {
    operations = wholeElements(r.a);
    isFloat = view(r.a).type == VF32;
    access(view(r.dst), 2 * operations * elementBytes(view(r.a).type));
    wholes(r.a, r.b);
  }
  void operator()(const isa::MatmulF32 &r) {
    // A multiplication and an addition for each product.
    operations = 2 * elements(r.dst) * view(r.a).channels;
    isFloat = true;
    rows(r.a, r.dst);
    int64_t b = rowBytes(view(r.b)) * (r.shared ? view(r.b).rows : 1);
    access(view(r.b), b * view(r.dst).pixels);
  }
  void operator()(const isa::SumPool &r) {
    operations = windowed(r.src, r.window, r.dst);
    isFloat = true;
  }
  void operator()(const isa::SoftmaxF32 &r) {
    // Maximum, difference, exponential, sum, division.
    operations = (3 + 2 * iterated) * elements(r.dst);
    isFloat = true;
    rows(r.src, r.dst);
  }

private:
  const isa::View &view(uint16_t id) const { return core.views[id]; }
  int64_t elements(uint16_t id) const {
    return int64_t{view(id).pixels} * view(id).channels;
  }
  int64_t wholeElements(uint16_t id) const {
    return elements(id) * view(id).rows;
  }
  template <typename... Ids> void wholes(Ids... ids) {
    (access(view(ids), rowBytes(view(ids)) * view(ids).rows), ...);
  }
  int64_t taps(uint16_t window) const {
    const isa::Window &w = core.windows[window];
    return int64_t{w.kernel_rows} * w.kernel_pixels;
  }
  void access(int64_t address, int64_t bytes) {
    sramNj += costs.sram(address, bytes);
    banks.add(address, bytes);
  }
  /// `bytes` in all, of the pixels of a row. The row in slot 0 stands for all.
  void access(const isa::View &v, int64_t bytes) {
    sramNj += costs.sram(v.address, bytes);
    if (int64_t row = rowBytes(v))
      banks.add(v.address, v.pixel_pitch, row / v.pixels, v.pixels,
                static_cast<double>(bytes) / static_cast<double>(row));
  }
  template <typename... Ids> void rows(Ids... ids) {
    (access(view(ids), rowBytes(view(ids))), ...);
  }
  /// Every tap of the window is an operation and a read.
  int64_t windowed(uint16_t src, uint16_t window, uint16_t dst) {
    int64_t n = elements(dst) * taps(window);
    access(view(src), n * elementBytes(view(src).type));
    access(view(dst), rowBytes(view(dst)));
    return n;
  }

  const Costs &costs;
  const CoreInfo &core;
  const StreamState &at;

public:
  BankLoad banks;
};

} // namespace

int64_t Costs::pixels(const Machine &machine, const StreamInfo &stream,
                      const Op &op, const StreamState &at) {
  if (const auto *mvm = std::get_if<isa::Mvm>(op.record))
    return mvmPixels(*mvm, at);
  if (const auto *r = std::get_if<isa::Requantize>(op.record)) {
    const isa::View &dst = machine.cores[stream.core].views[r->dst];
    return std::min<int64_t>(r->count,
                             int64_t{dst.pixels} - evaluate(r->dst_pixel, at));
  }
  if (const auto *r = std::get_if<isa::Combine>(op.record)) {
    const isa::View &dst = machine.cores[stream.core].views[r->dst];
    return std::min<int64_t>(r->count,
                             int64_t{dst.pixels} - evaluate(r->dst_pixel, at));
  }
  return 0;
}

bool Costs::hasVaryingPixels(const Op &op) {
  const isa::Affine *first = nullptr;
  if (const auto *mvm = std::get_if<isa::Mvm>(op.record))
    first = &mvm->pixel;
  else if (const auto *r = std::get_if<isa::Requantize>(op.record))
    first = &r->dst_pixel;
  else if (const auto *r = std::get_if<isa::Combine>(op.record))
    first = &r->dst_pixel;
  return first && (first->mul0 != 0 || first->mul1 != 0);
}

OpCost Costs::instruction(const Machine &machine, const StreamInfo &stream,
                          const Op &op, const StreamState &at) const {
  OpCost cost;
  cost.pixels = pixels(machine, stream, op, at);
  Work work(*this, machine, stream, at);
  std::visit(work, *op.record);
  cost.energy.nj[Sram] = work.sramNj;
  cost.bankNs = work.banks.ns();
  if (const auto *r = std::get_if<isa::Send>(op.record))
    if (const ChannelInfo &to = machine.channels[op.channel]; to.core >= 0) {
      const isa::View &v = machine.cores[stream.core].views[r->src];
      BankLoad banks(chip, machine.cores[to.core].source->id);
      banks.add(int64_t{to.record.address} + r->offset, r->pitch,
                v.channels * elementBytes(v.type), v.pixels, 1);
      cost.targetBankNs = banks.ns();
    }
  if (const auto *r = std::get_if<isa::Mvm>(op.record)) {
    const CoreInfo &core = machine.cores[stream.core];
    int64_t macros = __builtin_popcount(r->macros);
    int64_t bits = elementBytes(core.views[r->src].type) * 8;
    int64_t vectors = cost.pixels, reuse = std::max<int64_t>(r->reuse, 1);
    if (vectors == 0)
      return cost;
    auto ask = [&](const CostModel &m) {
      return m.mvm(vectors, r->k_size, r->columns, macros, r->weight_bits, bits,
                   reuse);
    };
    cost.ns = ask(model).ns;
    cost.energy.nj[ArrayRead] = ask(readModel).nj;
    cost.energy.nj[ArrayMac] = ask(macModel).nj;
    cost.energy.nj[ArraySums] = ask(sumsModel).nj;
    cost.macs = vectors * r->k_size * r->columns;
    cost.macros = r->macros;
    return cost;
  }
  if (op.kind == Kind::Data && work.operations > 0) {
    Cost all = model.vector(work.operations, work.isFloat);
    cost.ns = all.ns;
    cost.energy.nj[VectorUnit] = all.nj;
  }
  return cost;
}

} // namespace cimc::sim
