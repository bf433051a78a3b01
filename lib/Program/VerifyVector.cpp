//===- VerifyVector.cpp - operands of general vector instructions -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StreamVerifier.h"

#include "cimc/Support/VectorOps.h"

using namespace cimc;
using namespace cimc::verifier;
using numerics::Reduction;

/// What general vector instructions compute with.
static constexpr unsigned Machine = UpTo16 | Int32 | Float;

static unsigned bitOf(const isa::View &v) { return 1u << v.type; }

static int64_t functionCount() {
  int64_t count = 0;
#define CIMC_FUNCTION(NAME, MNEMONIC, ARITY, EXPRESSION) ++count;
#include "cimc/Support/Functions.def"
  return count;
}

void StreamVerifier::operator()(const isa::Map &r) {
  if (r.function >= functionCount())
    return fail(fmt::format("function {} of {}", r.function, functionCount()));
  auto function = static_cast<numerics::Function>(r.function);
  const isa::View &a = view("a", r.a, Machine);
  DType result;
  if (!numerics::mapResult(function, static_cast<DType>(a.type), result))
    return fail(fmt::format("function '{}' has no form on {}",
                            numerics::mnemonic(function), typeName(a.type)));
  const isa::View &b = view("b", r.b, bitOf(a));
  const isa::View &dst =
      view("dst", r.dst, 1u << static_cast<unsigned>(result));
  row("a_row", a, r.a_row);
  row("b_row", b, r.b_row);
  row("dst_row", dst, r.dst_row);
  covers("a", a, dst, true);
  covers("b", b, dst, true);
}

void StreamVerifier::operator()(const isa::SoftmaxF32 &r) {
  pair(r, Float, Float, false);
}

void StreamVerifier::operator()(const isa::Select &r) {
  const isa::View &dst = view("dst", r.dst, Machine);
  const isa::View &c = view("c", r.c, 1u << 1);
  const isa::View &a = view("a", r.a, bitOf(dst)),
                  &b = view("b", r.b, bitOf(dst));
  row("c_row", c, r.c_row);
  row("a_row", a, r.a_row);
  row("b_row", b, r.b_row);
  row("dst_row", dst, r.dst_row);
  covers("c", c, dst, true);
  covers("a", a, dst, true);
  covers("b", b, dst, true);
}

void StreamVerifier::operator()(const isa::Convert &r) {
  pair(r, Machine, Machine, false);
}

void StreamVerifier::operator()(const isa::Reduce &r) {
  const isa::View &src = view("src", r.src, Machine);
  if (r.function >= static_cast<unsigned>(Reduction::Set))
    return fail(fmt::format("function {} is none of a reduction", r.function));
  bool argument = numerics::isArgument(static_cast<Reduction>(r.function));
  const isa::View &dst =
      view("dst", r.dst, argument ? unsigned(Int32) : bitOf(src));
  row("src_row", src, r.src_row);
  row("dst_row", dst, r.dst_row);
  require(dst.channels == 1, "dst has more than one channel");
  require(src.channels >= 1, "src has no channels");
  require(src.pixels >= dst.pixels, "dst has more pixels than src");
}

void StreamVerifier::operator()(const isa::Scan &r) {
  auto [src, dst] = pair(r, Machine, Machine, false);
  require(src->type == dst->type, "src and dst have different types");
  require(src->channels == dst->channels,
          "src and dst have different numbers of channels");
  require(r.function <= static_cast<unsigned>(Reduction::Prod),
          "function is neither 0 nor 1");
}

void StreamVerifier::operator()(const isa::Topk &r) {
  const isa::View &src = view("src", r.src, Machine);
  const isa::View &dst =
      view("dst", r.dst, r.indices ? unsigned(Int32) : bitOf(src));
  row("src_row", src, r.src_row);
  row("dst_row", dst, r.dst_row);
  covers("src", src, dst, false);
}

Wide StreamVerifier::whole(const char *field, const isa::View &v) {
  Wide elements = Wide(v.rows) * v.pixels * v.channels;
  element(field, v, 0, elements - 1);
  if (elements > maxGathered)
    fail(fmt::format("view {} has more than {} elements", v.id, maxGathered));
  return elements;
}

void StreamVerifier::operator()(const isa::Gather &r) {
  const isa::View &a = view("a", r.a, Machine), &b = view("b", r.b, Int32);
  const isa::View &dst = view("dst", r.dst, bitOf(a));
  whole("a", a);
  Wide count = whole("b", b), size = whole("dst", dst);
  require(r.block >= 1, "a block has at least one element");
  if (count * r.block != size)
    fail(fmt::format("{} indices of blocks of {} for the {} elements of dst",
                     text(count), r.block, text(size)));
}

void StreamVerifier::operator()(const isa::Scatter &r) {
  const isa::View &a = view("a", r.a, Machine), &b = view("b", r.b, Int32);
  const isa::View &dst = view("dst", r.dst, bitOf(a));
  Wide size = whole("a", a), count = whole("b", b);
  whole("dst", dst);
  require(r.block >= 1, "a block has at least one element");
  require(r.function <= static_cast<unsigned>(Reduction::Min) ||
              r.function == static_cast<unsigned>(Reduction::Set),
          "function is none of 0 to 3 and 8");
  if (count * r.block != size)
    fail(fmt::format("{} indices of blocks of {} for the {} elements of a",
                     text(count), r.block, text(size)));
}

void StreamVerifier::operator()(const isa::MatmulF32 &r) {
  const isa::View &a = view("a", r.a, Float), &b = view("b", r.b, Float);
  const isa::View &dst = view("dst", r.dst, Float);
  row("a_row", a, r.a_row);
  if (r.shared)
    whole("b", b);
  else
    row("b_row", b, r.b_row);
  row("dst_row", dst, r.dst_row);
  Wide first = Wide(b.pixels) * (r.shared ? b.rows : 1), last = b.channels;
  Wide k = r.transpose_b ? last : first, n = r.transpose_b ? first : last;
  if (a.channels != k || dst.channels != n || dst.pixels != a.pixels)
    fail(fmt::format("a is {} x {}, a matrix of b {} x {}, dst {} x {}",
                     a.pixels, a.channels, text(k), text(n), dst.pixels,
                     dst.channels));
  for (const isa::View *v : {&a, &b, &dst})
    if (Wide(v->pixels) * v->channels > maxGathered)
      fail(fmt::format("a row of view {} has more than {} elements", v->id,
                       maxGathered));
}

void StreamVerifier::operator()(const isa::SumPool &r) {
  const isa::View &src = view("src", r.src, Float);
  const isa::View &dst = view("dst", r.dst, Float);
  row("dst_row", dst, r.dst_row);
  window(r.window);
  require(src.channels >= dst.channels, "dst has more channels than src");
}
