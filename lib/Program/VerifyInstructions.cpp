//===- VerifyInstructions.cpp - operands of instructions ------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StreamVerifier.h"

#include "cimc/Program/PixelSpan.h"

#include "cimc/Support/Numerics.h"

#include <algorithm>

using namespace cimc;
using namespace cimc::verifier;

std::string verifier::typeNames(unsigned set) {
  std::string out;
  for (unsigned t = 0; t < 7; ++t)
    if (set >> t & 1)
      out += (out.empty() ? "" : ", ") + std::string(typeName(t));
  return out;
}

/// The most instructions a stream may execute for one sample; compiled programs
/// stay far below, and a file must not keep the chip model busy for ever.
static constexpr int64_t maxExecuted = INT64_C(1) << 32;

Interval StreamVerifier::range(const isa::Affine &a) const {
  Interval result{a.add, a.add};
  int32_t factors[] = {a.mul0, a.mul1};
  for (size_t i = 0; i < loops.size() && i < 2; ++i) {
    int64_t last = factors[i] * (loops[i] - 1);
    (last < 0 ? result.low : result.high) += last;
  }
  return result;
}

const isa::Channel *StreamVerifier::channel(uint32_t id) {
  auto it = tables.channels.find(id);
  if (it != tables.channels.end())
    return &tables.program->channels[it->second];
  fail(fmt::format("channel {} does not exist", id));
  return nullptr;
}

void StreamVerifier::consumer(uint32_t id, uint32_t party) {
  const isa::Channel *c = channel(id);
  if (!c)
    return;
  if (c->core != static_cast<int64_t>(core.core->id))
    fail(fmt::format("channel {} is consumed by core {}, not by this one", id,
                     c->core));
  if (party >= c->consumers)
    fail(fmt::format("channel {} has consumers 0 to {}", id, c->consumers - 1));
  use.consumes.insert(tables.channels.at(id));
}

void StreamVerifier::producer(uint32_t id, uint32_t party, bool inPlace) {
  const isa::Channel *c = channel(id);
  if (!c)
    return;
  if (inPlace && c->core != static_cast<int64_t>(core.core->id))
    fail(fmt::format(
        "channel {} lies in core {}; rows in another core are sent, "
        "not posted",
        id, c->core));
  if (party >= c->producers)
    fail(fmt::format("channel {} has producers 0 to {}", id, c->producers - 1));
  if (inPlace)
    use.produces.insert(tables.channels.at(id));
}

const isa::View &StreamVerifier::view(const char *field, uint16_t id,
                                      unsigned types) {
  static const isa::View none = [] {
    isa::View v;
    v.slots = v.rows = v.pixels = v.channels = 1;
    return v;
  }();
  auto it = core.views.find(id);
  if (it == core.views.end()) {
    fail(fmt::format("{}: view {} does not exist", field, id));
    return none;
  }
  const isa::View &v = *it->second;
  if (!(types >> v.type & 1))
    fail(fmt::format("{}: view {} holds {}, but this instruction takes {}",
                     field, id, typeName(v.type), typeNames(types)));
  // Within the core's memory, by verifyView.
  accesses.push_back({v.address, viewEnd(v), std::string_view(field) == "dst",
                      fmt::format("view {}", id)});
  return v;
}

void StreamVerifier::separate() {
  for (const Access &dst : accesses)
    for (const Access &src : accesses)
      if (dst.writes && !src.writes && dst.overlaps(src.begin, src.end))
        fail(fmt::format("its destination, {} (bytes {} to {}), overlaps its "
                         "source, {} (bytes {} to {})",
                         dst.name, dst.begin, dst.end - 1, src.name, src.begin,
                         src.end - 1));
}

const isa::Window &StreamVerifier::window(uint16_t id) {
  static const isa::Window none = [] {
    isa::Window w;
    w.kernel_rows = w.kernel_pixels = w.stride_rows = w.stride_pixels = 1;
    w.dilation_rows = w.dilation_pixels = 1;
    return w;
  }();
  auto it = core.windows.find(id);
  if (it != core.windows.end())
    return *it->second;
  fail(fmt::format("window {} does not exist", id));
  return none;
}

void StreamVerifier::row(const char *field, const isa::View &v,
                         const isa::Affine &index, bool broadcast) {
  // A view of one row has no other to name.
  if (broadcast && v.rows == 1)
    return;
  Interval r = range(index);
  if (r.low < 0 || r.high >= static_cast<int64_t>(v.rows))
    fail(fmt::format("{} goes from {} to {}, but view {} has rows 0 to {}",
                     field, r.low, r.high, v.id, v.rows - 1));
}

void StreamVerifier::constants(const char *field, uint32_t address,
                               Wide bytes) {
  if (address + bytes > memory)
    fail(fmt::format(
        "{}: {} bytes at {} go beyond the core's {} bytes of memory", field,
        text(bytes), address, memory));
  else
    accesses.push_back({address, static_cast<int64_t>(address + bytes), false,
                        fmt::format("the constants at {}", address)});
}

void StreamVerifier::covers(const char *field, const isa::View &src,
                            const isa::View &dst, bool broadcast) {
  auto fits = [&](uint32_t have, uint32_t need) {
    return have >= need || (broadcast && have == 1);
  };
  if (!fits(src.pixels, dst.pixels) || !fits(src.channels, dst.channels))
    fail(fmt::format("{}: view {} has {} x {} pixels and channels, but {} x {} "
                     "are written",
                     field, src.id, src.pixels, src.channels, dst.pixels,
                     dst.channels));
}

void StreamVerifier::dram(const isa::View &v, const isa::Affine &line) {
  Interval lines = range(line);
  Wide bytes = Wide(v.pixels) * v.channels * elementBytes(v.type);
  Wide size = Wide(chip.dram.size_mb) << 20;
  if (lines.low < 0 || lines.high * Wide(isa::dramLineBytes) + bytes > size)
    return fail(fmt::format("{} bytes from line {} to {} on, but the chip has "
                            "{} MB of DRAM, lines 0 to {}",
                            text(bytes), lines.low, lines.high,
                            chip.dram.size_mb,
                            text(size / isa::dramLineBytes - 1)));
  auto end = static_cast<int64_t>(lines.high * isa::dramLineBytes + bytes);
  if (bytes > 0)
    use.dram.push_back({lines.low * isa::dramLineBytes, end});
}

//===----------------------------------------------------------------------===//
// Control
//===----------------------------------------------------------------------===//

void StreamVerifier::operator()(const isa::Loop &r) {
  require(r.count >= 1, "a loop runs at least once");
  require(loops.size() < 2, "loops are nested more than two deep");
  loops.push_back(std::max<int64_t>(r.count, 1));
}

void StreamVerifier::operator()(const isa::Next &) {
  if (loops.empty())
    fail("there is no loop that it ends");
  else
    loops.pop_back();
}

void StreamVerifier::operator()(const isa::Halt &) {
  require(loops.empty(), "it is inside a loop");
  halted = true;
}

void StreamVerifier::operator()(const isa::Send &r) {
  producer(r.channel, r.producer, false);
  const isa::View &src = view("src", r.src, Any);
  row("row", src, r.row);
  require(!r.joined || (message && message->row == r.row &&
                        spanOf(src, view("src", message->src, Any))),
          "it is joined, but the first send of its message does not send the "
          "same row with all of its pixels");
  const isa::Channel *c = channel(r.channel);
  if (!c)
    return;
  Wide end = Wide(src.pixels - 1) * r.pitch + r.offset +
             Wide(src.channels) * elementBytes(src.type);
  if (end > c->row_bytes)
    fail(fmt::format(
        "{} pixels of {} bytes every {} bytes from {} end at {}, but "
        "rows of channel {} have {} bytes",
        src.pixels, src.channels * elementBytes(src.type), r.pitch, r.offset,
        text(end), r.channel, c->row_bytes));
}

//===----------------------------------------------------------------------===//
// Arrays
//===----------------------------------------------------------------------===//

void StreamVerifier::cellsProgrammed(const isa::Mvm &r, uint32_t macro,
                                     int64_t columns) {
  // Blocks do not overlap, so areas add up.
  int64_t covered = 0, row = r.cell_row, column = r.column;
  auto it = core.cells.find(macro);
  if (it != core.cells.end())
    for (const CellBlock *block : it->second) {
      if (block->bits != r.weight_bits)
        continue;
      int64_t rows =
          std::min<int64_t>(row + r.k_size, block->row + block->rows) -
          std::max<int64_t>(row, block->row);
      int64_t across =
          std::min<int64_t>(column + columns, block->column + block->columns) -
          std::max<int64_t>(column, block->column);
      if (rows > 0 && across > 0)
        covered += rows * across;
    }
  if (covered != r.k_size * columns)
    fail(
        fmt::format("of the {} x {} weights of {} bits at row {}, column {} of "
                    "macro {}, {} are not programmed",
                    r.k_size, columns, r.weight_bits, row, column, macro,
                    r.k_size * columns - covered));
}

void StreamVerifier::operator()(const isa::Mvm &r) {
  const isa::View &src = view("src", r.src, UpTo16);
  const isa::View &dst = view("dst", r.dst, Int32);
  const isa::Window &w = window(r.window);
  row("dst_row", dst, r.dst_row, false);
  require(r.columns >= 1 && r.k_size >= 1, "columns and k_size are at least 1");
  require(r.reuse >= 1, "reuse is at least 1");
  require(r.weight_bits >= 1 && r.weight_bits <= 8, "weights have 1 to 8 bits");
  if (r.macros == 0 || r.macros >> chip.hierarchy.macros_per_core)
    fail(fmt::format("macros={:#x}, but a core has {}", r.macros,
                     chip.hierarchy.macros_per_core));
  if (int64_t(r.cell_row) + r.k_size > chip.macro.rows)
    fail(fmt::format("rows {} to {} of a macro of {}", r.cell_row,
                     r.cell_row + r.k_size - 1, chip.macro.rows));
  Wide window_ = Wide(w.kernel_rows) * w.kernel_pixels * src.channels;
  if (Wide(r.k_begin) + r.k_size > window_)
    fail(fmt::format("elements {} to {} of a window of {}", r.k_begin,
                     int64_t(r.k_begin) + r.k_size - 1, text(window_)));
  if (dst.channels < r.columns)
    fail(fmt::format("{} columns, but dst has {} channels", r.columns,
                     dst.channels));
  Interval pixel = range(r.pixel);
  require(pixel.low >= 0, "pixel can be negative");
  int64_t pixels = std::min<int64_t>(r.count, r.end - pixel.low);
  if (pixels > static_cast<int64_t>(dst.pixels))
    fail(fmt::format("{} output pixels, but dst has {}", pixels, dst.pixels));
  Wide reach = (Wide(std::max<int64_t>(pixels, 1)) * w.stride_pixels +
                Wide(w.kernel_pixels) * w.dilation_pixels) *
               src.channels * w.kernel_rows;
  if (reach > maxGathered)
    fail(fmt::format("its windows reach over {} input elements; at most {} are "
                     "possible at once",
                     text(reach), maxGathered));
  if (!error.empty())
    return;
  int64_t perMacro = chip.weightColumns(r.weight_bits) - r.column;
  int64_t left = r.columns;
  for (uint32_t m = 0; m < 8 && left > 0; ++m)
    if (r.macros >> m & 1 && perMacro > 0) {
      cellsProgrammed(r, m, std::min(perMacro, left));
      left -= perMacro;
    }
  if (left > 0)
    fail(fmt::format("{} columns do not fit the macros given, {} too many",
                     r.columns, left));
}

//===----------------------------------------------------------------------===//
// Vector unit
//===----------------------------------------------------------------------===//

void StreamVerifier::operator()(const isa::Requantize &r) {
  const isa::View &src = view("src", r.src, Int32);
  const isa::View &dst = view("dst", r.dst, UpTo16);
  row("src_row", src, r.src_row);
  row("dst_row", dst, r.dst_row);
  Interval first = range(r.dst_pixel);
  require(first.low >= 0, "dst_pixel can be negative");
  int64_t pixels = std::min<int64_t>(r.count, dst.pixels - first.low);
  if (pixels > static_cast<int64_t>(src.pixels) || src.channels < dst.channels)
    fail(fmt::format("src has {} x {} pixels and channels, but {} x {} are "
                     "written",
                     src.pixels, src.channels, pixels, dst.channels));
  require(r.low <= r.high, "low is above high");
  constants("constants", r.constants, Wide(dst.channels) * 8);
}

void StreamVerifier::units(uint16_t id, const isa::Affine &index) {
  const isa::View &v = view("units", id, Float);
  row("units_row", v, index);
}

void StreamVerifier::levels(uint8_t count) {
  require(count == 0 || count == numerics::kSignedLevels ||
              count == numerics::kUnsignedLevels,
          "levels are not 0, 127 or 255");
}

void StreamVerifier::operator()(const isa::Unit &r) {
  levels(r.levels);
  view("src", r.src, Float);
  row("dst_row", view("dst", r.dst, Float), r.dst_row);
  window(r.window);
}

void StreamVerifier::operator()(const isa::Digits &r) {
  const isa::View &src = view("src", r.src, Float);
  levels(r.levels);
  const isa::View &dst =
      view("dst", r.dst, r.levels == numerics::kUnsignedLevels ? UInt8 : Int8);
  row("dst_row", dst, r.dst_row);
  units(r.units, r.units_row);
  Wide channels = Wide(window(r.window).kernel_rows) *
                  (r.levels ? 1 : numerics::kWideDigits) * src.channels;
  if (dst.pixels < src.pixels || dst.channels < channels)
    fail(fmt::format("digits of {} pixels take {} channels a pixel, but dst "
                     "has {} x {} pixels and channels",
                     src.pixels, text(channels), dst.pixels, dst.channels));
}

void StreamVerifier::operator()(const isa::Combine &r) {
  const isa::View &src = view("src", r.src, Int32);
  const isa::View &dst = view("dst", r.dst, Float);
  row("src_row", src, r.src_row);
  row("dst_row", dst, r.dst_row);
  units(r.units, r.units_row);
  require(r.digits == 1 || r.digits == numerics::kWideDigits,
          "digits are not 1 or 3");
  Interval first = range(r.dst_pixel);
  require(first.low >= 0, "dst_pixel can be negative");
  int64_t pixels = std::min<int64_t>(r.count, dst.pixels - first.low);
  if (pixels > static_cast<int64_t>(src.pixels) ||
      src.channels < Wide(dst.channels) * r.digits)
    fail(fmt::format("src has {} x {} pixels and channels, but {} x {} are "
                     "written, each from {} channels",
                     src.pixels, src.channels, pixels, dst.channels, r.digits));
  constants("constants", r.constants, Wide(dst.channels) * 8);
}

void StreamVerifier::operator()(const isa::AddQ &r) {
  triple(r, UpTo16);
  require(r.low <= r.high, "low is above high");
}

void StreamVerifier::operator()(const isa::MulQ &r) {
  triple(r, UpTo16);
  require(r.low <= r.high, "low is above high");
}

void StreamVerifier::operator()(const isa::Lookup &r) {
  pair(r, Bytes, Bytes, true);
  constants("table", r.table, 256);
}

void StreamVerifier::operator()(const isa::MaxPool &r) {
  const isa::View &src = view("src", r.src, Any);
  const isa::View &dst = view("dst", r.dst, 1u << src.type);
  row("dst_row", dst, r.dst_row);
  window(r.window);
  require(src.channels >= dst.channels, "dst has more channels than src");
}

void StreamVerifier::operator()(const isa::AvgPool &r) {
  const isa::View &src = view("src", r.src, UpTo16);
  const isa::View &dst = view("dst", r.dst, UpTo16);
  row("dst_row", dst, r.dst_row);
  window(r.window);
  require(src.channels >= dst.channels, "dst has more channels than src");
}

void StreamVerifier::operator()(const isa::RowSum &r) {
  const isa::View &src = view("src", r.src, UpTo16 | Int32 | Float);
  const isa::View &dst =
      view("dst", r.dst, Float >> src.type & 1 ? Float : Int32);
  row("src_row", src, r.src_row);
  row("dst_row", dst, r.dst_row);
  require(src.channels >= dst.channels, "dst has more channels than src");
}

void StreamVerifier::operator()(const isa::Depthwise &r) {
  const isa::View &src = view("src", r.src, UpTo16 | Float);
  bool isFloat = Float >> src.type & 1;
  const isa::View &dst = view("dst", r.dst, isFloat ? Float : Int32);
  row("dst_row", dst, r.dst_row);
  const isa::Window &w = window(r.window);
  if (dst.channels % src.channels != 0)
    fail(fmt::format("{} output channels are no multiple of {} input channels",
                     dst.channels, src.channels));
  constants("weights", r.weights,
            Wide(w.kernel_rows) * w.kernel_pixels * dst.channels *
                (isFloat ? 4 : 1));
}

void StreamVerifier::element(const char *field, const isa::View &v, Wide low,
                             Wide high) {
  Wide size = Wide(v.rows) * v.pixels * v.channels;
  if (low < 0 || high >= size)
    fail(fmt::format("{}: elements {} to {} of view {}, which has {}", field,
                     text(low), text(high), v.id, text(size)));
  if (v.slots < v.rows)
    fail(
        fmt::format("{}: view {} holds {} of its {} rows, but this instruction "
                    "needs all",
                    field, v.id, v.slots, v.rows));
}

void StreamVerifier::operator()(const isa::Move &r) {
  const isa::View &src = view("src", r.src, Any),
                  &dst = view("dst", r.dst, Any);
  auto it = core.patterns.find(r.pattern);
  if (it == core.patterns.end())
    return fail(fmt::format("pattern {} does not exist", r.pattern));
  const isa::Pattern &p = *it->second;
  for (const isa::View *v : {&src, &dst})
    if (elementBytes(v->type) != p.element_bytes)
      fail(fmt::format(
          "pattern {} copies {} bytes an element, but view {} holds "
          "{}",
          p.id, p.element_bytes, v->id, typeName(v->type)));
  Wide low[2] = {p.src_offset, p.dst_offset};
  Wide high[2] = {p.src_offset, p.dst_offset};
  const uint32_t counts[] = {p.count0, p.count1, p.count2,
                             p.count3, p.count4, p.count5};
  const int32_t strides[2][6] = {
      {p.src0, p.src1, p.src2, p.src3, p.src4, p.src5},
      {p.dst0, p.dst1, p.dst2, p.dst3, p.dst4, p.dst5}};
  for (int side = 0; side < 2; ++side)
    for (int i = 0; i < 6; ++i) {
      Wide last = Wide(strides[side][i]) * (Wide(counts[i]) - 1);
      (last < 0 ? low[side] : high[side]) += last;
    }
  element("src", src, low[0], high[0]);
  element("dst", dst, low[1], high[1]);
}

void StreamVerifier::operator()(const isa::Fill &r) {
  row("dst_row", view("dst", r.dst, Any), r.dst_row);
}

void StreamVerifier::operator()(const isa::SoftmaxQ &r) {
  auto [src, dst] = pair(r, Bytes, Bytes, false);
  require(src->type == dst->type, "src and dst have different types");
  constants("table", r.table, 1024);
}

void StreamVerifier::operator()(const isa::Quantize &r) {
  pair(r, Float, UpTo16, true);
}

void StreamVerifier::operator()(const isa::Dequantize &r) {
  pair(r, UpTo16 | Int32, Float, true);
}

void StreamVerifier::operator()(const isa::AddI &r) {
  pair(r, Int32, Int32, true);
}

void StreamVerifier::operator()(const isa::Copy &r) {
  auto [src, dst] = pair(r, Any, Any, true);
  require(src->type == dst->type, "src and dst have different types");
}

void StreamVerifier::operator()(const isa::Matmul &r) {
  const isa::View &a = view("a", r.a, UpTo16 | Int32);
  const isa::View &b = view("b", r.b, UpTo16 | Int32);
  const isa::View &dst = view("dst", r.dst, Int32);
  require(r.batch >= 1 && r.m >= 1 && r.k >= 1 && r.n >= 1,
          "batch, m, k and n are at least 1");
  // Three factors of 32 bits fit; the checks of elements do the rest.
  element("a", a, 0, Wide(r.batch) * r.m * r.k - 1);
  element("b", b, 0, Wide(r.batch) * r.k * r.n - 1);
  element("dst", dst, 0, Wide(r.batch) * r.m * r.n - 1);
  for (const isa::View *v : {&a, &b})
    if (Wide(v->rows) * v->pixels * v->channels > maxGathered)
      fail(
          fmt::format("view {} has more than {} elements", v->id, maxGathered));
}

Status StreamVerifier::run() {
  const Stream &source = core.core->streams[stream];
  size_t index = 0;
  Wide executed = 0;
  auto where = [&](const char *mnemonic) {
    return fmt::format("core {}, stream {} ('{}'), instruction {} ({}): ",
                       core.core->id, stream, source.layer, index, mnemonic);
  };
  for (; index < source.instructions.size(); ++index) {
    const isa::Instruction &instruction = source.instructions[index];
    const isa::RecordInfo &info = isa::infoOf(instruction);
    if (halted)
      return invalid(where(info.mnemonic) + "it follows 'halt'");
    if (Status status = isa::checkFields(info, isa::addressOf(instruction));
        !status)
      return invalid(where(info.mnemonic) + status.error().message);
    accesses.clear();
    std::visit(*this, instruction);
    separate();
    if (!error.empty())
      return invalid(where(info.mnemonic) + error);
    use.accesses.insert(accesses.begin(), accesses.end());
    const auto *send = std::get_if<isa::Send>(&instruction);
    if (!send || !send->joined)
      message = send;
    Wide times = 1;
    for (int64_t count : loops)
      times *= count;
    executed += times;
    if (executed > maxExecuted)
      return invalid(
          where(info.mnemonic) +
          fmt::format("the stream executes more than {} instructions "
                      "a sample",
                      maxExecuted));
  }
  if (!loops.empty())
    return invalid(where("end") + "a loop is not ended");
  return {};
}

Status verifier::verifyStream(const Tables &tables, const CoreTables &core,
                              uint32_t streamIndex, StreamUse &use) {
  return StreamVerifier(tables, core, streamIndex, use).run();
}
