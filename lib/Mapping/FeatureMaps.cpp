//===- FeatureMaps.cpp - layouts of feature maps -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
#include "Lowering.h"

#include "cimc/Reference/Elements.h"
#include "cimc/Reference/Evaluator.h"
#include "cimc/Support/MachineTypes.h"
#include "cimc/Support/Permute.h"

#include "mlir/IR/Matchers.h"

#include <cstring>

using namespace mlir;

namespace cimc::mapping {

std::optional<Quant> getQuant(Type type) {
  auto quantized =
      dyn_cast<quant::UniformQuantizedType>(getElementTypeOrSelf(type));
  if (!quantized || !quantized.getExpressedType().isF32())
    return std::nullopt;
  Quant quant;
  quant.scale = static_cast<float>(quantized.getScale());
  quant.zero = static_cast<int32_t>(quantized.getZeroPoint());
  quant.isSigned = quantized.isSigned();
  quant.bits = quantized.getStorageTypeIntegralWidth();
  quant.range = {static_cast<int32_t>(quantized.getStorageTypeMin()),
                 static_cast<int32_t>(quantized.getStorageTypeMax())};
  return quant;
}

Type machineElement(Type element) {
  MLIRContext *context = element.getContext();
  if (std::optional<DType> type = reference::elementDType(element))
    return toElementType(machineType(*type), context);
  if (std::optional<Quant> quant = getQuant(element)) {
    if (quant->bits == 32)
      return IntegerType::get(context, 32);
    if (quant->bits == 8 || quant->bits == 16)
      return IntegerType::get(context, quant->bits,
                              quant->isSigned ? IntegerType::Signless
                                              : IntegerType::Unsigned);
  }
  return {};
}

Dims shapeOf(Value value) {
  return Dims(cast<RankedTensorType>(value.getType()).getShape());
}

Dims identityPerm(size_t rank) {
  Dims perm(rank);
  for (size_t i = 0; i < rank; ++i)
    perm[i] = static_cast<int64_t>(i);
  return perm;
}

bool isFloat(Value value) {
  return isa<FloatType>(getElementTypeOrSelf(value.getType()));
}

Dims channelsLast(size_t rank) {
  Dims perm = identityPerm(rank);
  if (rank > 2) {
    perm.erase(perm.begin() + 1);
    perm.push_back(1);
  }
  return perm;
}

Dims permuted(ArrayRef<int64_t> shape, ArrayRef<int64_t> perm) {
  Dims result;
  for (int64_t axis : perm)
    result.push_back(shape[axis]);
  return result;
}

Dims rowMajorStrides(ArrayRef<int64_t> shape) {
  Dims strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;)
    strides[i - 1] = strides[i] * shape[i];
  return strides;
}

int64_t product(ArrayRef<int64_t> sizes) {
  int64_t result = 1;
  for (int64_t size : sizes)
    result *= size;
  return result;
}

bool sameOrder(ArrayRef<int64_t> shape, ArrayRef<int64_t> a,
               ArrayRef<int64_t> b) {
  auto longAxes = [&](ArrayRef<int64_t> perm) {
    Dims axes;
    for (int64_t axis : perm)
      if (shape[axis] != 1)
        axes.push_back(axis);
    return axes;
  };
  return longAxes(a) == longAxes(b);
}

std::array<int64_t, 3> grouped(ArrayRef<int64_t> inOrder) {
  size_t rank = inOrder.size();
  if (rank == 0)
    return {1, 1, 1};
  bool hasPixels = rank >= 4;
  return {product(inOrder.drop_back(hasPixels ? 2 : 1)),
          hasPixels ? inOrder[rank - 2] : 1, inOrder[rank - 1]};
}

RankedTensorType Lowering::mapType(ArrayRef<int64_t> shape,
                                   ArrayRef<int64_t> perm, Type machine) {
  return RankedTensorType::get(grouped(permuted(shape, perm)), machine);
}

Value Lowering::regroup(Location loc, Value value, RankedTensorType type) {
  if (value.getType() == type)
    return value;
  // A copy writes its elements under any form.
  if (auto copy = value.getDefiningOp<cim::MoveOp>())
    return cim::MoveOp::create(
        builder, loc, type, copy.getInput(), copy.getCounts(),
        copy.getSrcStrides(), copy.getDstStrides(), copy.getSrcOffset(),
        copy.getDstOffset(), copy.getFill(), IntegerAttr());
  if (auto before = value.getDefiningOp<cim::ReshapeOp>())
    return regroup(loc, before.getInput(), type);
  return cim::ReshapeOp::create(builder, loc, type, value, IntegerAttr());
}

/// Turns the bytes of a constant into those of its machine type; returns what
/// is wrong.
static std::string toMachineBytes(Type element, std::vector<char> &bytes) {
  std::optional<DType> from = reference::elementDType(element);
  if (!from || machineType(*from) == *from)
    return "";
  HostTensor tensor(*from,
                    {static_cast<int64_t>(bytes.size() / byteSize(*from))});
  std::memcpy(tensor.data.data(), bytes.data(), bytes.size());
  Result<HostTensor> values = toMachine(tensor, "a constant");
  if (!values)
    return values.error().message;
  bytes.resize(values->data.size());
  std::memcpy(bytes.data(), values->data.data(), bytes.size());
  return "";
}

Map Lowering::materializeConstant(Value value, ArrayRef<int64_t> shape,
                                  ArrayRef<int64_t> perm) {
  Location loc = value.getLoc();
  Type machine = machineElement(getElementTypeOrSelf(value.getType()));
  ElementsAttr attr;
  std::optional<std::vector<char>> bytes;
  if (matchPattern(value, m_Constant(&attr)))
    bytes = readBytes(attr);
  if (machine && bytes)
    if (std::string problem =
            toMachineBytes(getElementTypeOrSelf(attr.getType()), *bytes);
        !problem.empty())
      failures.emplace_back(loc, problem);
  size_t width = machine ? machine.getIntOrFloatBitWidth() / 8 : 0;
  if (!machine || !bytes ||
      bytes->size() != static_cast<size_t>(product(shape)) * width) {
    failures.emplace_back(loc, "the constant's numbers cannot be used");
    RankedTensorType type =
        mapType(shape, perm, machine ? machine : builder.getF32Type());
    return {UnrealizedConversionCastOp::create(builder, loc, TypeRange(type),
                                               ValueRange())
                .getResult(0),
            Dims(perm), Dims(shape)};
  }
  std::vector<char> result(bytes->size());
  permute({shape.begin(), shape.end()}, perm.vec(), width, bytes->data(),
          result.data());
  RankedTensorType type = mapType(shape, perm, machine);
  Value constant = cim::ConstantOp::create(
      builder, loc, type, makeElements(type, result, "constant"),
      IntegerAttr());
  return {constant, Dims(perm), Dims(shape)};
}

Map Lowering::use(Value value, ArrayRef<int64_t> constantPerm) {
  auto found = maps.find(value);
  Dims shape = shapeOf(value);
  if (found == maps.end()) {
    Dims perm =
        constantPerm.empty() ? identityPerm(shape.size()) : Dims(constantPerm);
    return materializeConstant(value, shape, perm);
  }
  Map map = found->second;
  if (ArrayRef<int64_t>(map.shape) == ArrayRef<int64_t>(shape))
    return map;
  // The pending reshape reads its elements in row-major order.
  Location loc = value.getLoc();
  map = relayout(loc, map, identityPerm(map.shape.size()));
  Dims perm = identityPerm(shape.size());
  Type machine = getElementTypeOrSelf(map.value.getType());
  map = {regroup(loc, map.value, mapType(shape, perm, machine)), perm, shape};
  maps[value] = map;
  return map;
}

Map Lowering::relayout(Location loc, Map map, ArrayRef<int64_t> perm) {
  Type machine = getElementTypeOrSelf(map.value.getType());
  RankedTensorType type = mapType(map.shape, perm, machine);
  if (sameOrder(map.shape, map.perm, perm))
    return {regroup(loc, map.value, type), Dims(perm), map.shape};
  Dims stored = rowMajorStrides(permuted(map.shape, map.perm));
  Dims strideOf(map.shape.size());
  for (size_t i = 0; i < map.perm.size(); ++i)
    strideOf[map.perm[i]] = stored[i];
  Dims counts = permuted(map.shape, perm);
  Value value = move(loc, map.value, type, counts, permuted(strideOf, perm),
                     rowMajorStrides(counts));
  return {value, Dims(perm), map.shape};
}

Map Lowering::inLayout(Value value, ArrayRef<int64_t> perm) {
  return relayout(value.getLoc(), use(value, perm), perm);
}

Value Lowering::move(Location loc, Value input, RankedTensorType result,
                     Dims counts, Dims src, Dims dst, int64_t srcOffset,
                     int64_t dstOffset, int64_t fill) {
  Dims mergedCounts, mergedSrc, mergedDst;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 1)
      continue;
    if (!mergedCounts.empty() && mergedSrc.back() == src[i] * counts[i] &&
        mergedDst.back() == dst[i] * counts[i]) {
      mergedCounts.back() *= counts[i];
      mergedSrc.back() = src[i];
      mergedDst.back() = dst[i];
      continue;
    }
    mergedCounts.push_back(counts[i]);
    mergedSrc.push_back(src[i]);
    mergedDst.push_back(dst[i]);
  }
  int64_t total = result.getNumElements();
  bool whole =
      cast<RankedTensorType>(input.getType()).getNumElements() == total;
  if (whole && srcOffset == 0 && dstOffset == 0 &&
      (mergedCounts.empty() ||
       (mergedCounts.size() == 1 && mergedCounts[0] == total &&
        mergedSrc[0] == 1 && mergedDst[0] == 1)))
    return regroup(loc, input, result);
  if (mergedCounts.size() > 6)
    failures.emplace_back(loc, "a copy with more than six strides");
  return cim::MoveOp::create(builder, loc, result, input, mergedCounts,
                             mergedSrc, mergedDst, srcOffset, dstOffset, fill,
                             IntegerAttr());
}

Value Lowering::broadcastOperand(Location loc, Value operand,
                                 ArrayRef<int64_t> shape,
                                 ArrayRef<int64_t> perm) {
  size_t missing = shape.size() - shapeOf(operand).size();
  Dims padded(missing, 1);
  padded.append(shapeOf(operand));
  // Where a rank is lower, the leading axes are added in front.
  auto lift = [&](ArrayRef<int64_t> low) {
    Dims high = identityPerm(missing);
    for (int64_t axis : low)
      high.push_back(axis + static_cast<int64_t>(missing));
    return high;
  };
  Map map;
  if (maps.count(operand)) {
    map = use(operand);
    map = {map.value, lift(map.perm), padded};
    map = relayout(loc, map, perm);
  } else {
    map = materializeConstant(operand, padded, perm);
  }
  Dims have = permuted(padded, perm), want = permuted(shape, perm);
  std::array<int64_t, 3> haveGroups = grouped(have), wantGroups = grouped(want);
  bool plain = true;
  for (int i = 0; i < 3; ++i)
    plain &= haveGroups[i] == 1 || haveGroups[i] == wantGroups[i];
  if (plain)
    return map.value;
  // A broadcast of part of the axes that make up the rows.
  Dims strides = rowMajorStrides(have);
  for (size_t i = 0; i < have.size(); ++i)
    if (have[i] == 1)
      strides[i] = 0;
  return move(loc, map.value,
              mapType(shape, perm, getElementTypeOrSelf(map.value.getType())),
              want, strides, rowMajorStrides(want));
}

void Lowering::define(Value result, Value value, ArrayRef<int64_t> perm) {
  Dims shape = shapeOf(result);
  RankedTensorType type =
      mapType(shape, perm, getElementTypeOrSelf(value.getType()));
  maps[result] = {regroup(result.getLoc(), value, type), Dims(perm), shape};
}

Value Lowering::requantized(Location loc, Value value, const Quant &from,
                            const Quant &to) {
  if (from == to)
    return value;
  std::array<int8_t, 256> table = numerics::makeTable(
      numerics::Function::Identity, 0.0f, 0.0f, from.scale, from.zero,
      from.isSigned, to.scale, to.zero, to.isSigned);
  auto type = cast<RankedTensorType>(value.getType())
                  .clone(IntegerType::get(builder.getContext(), 8,
                                          to.isSigned ? IntegerType::Signless
                                                      : IntegerType::Unsigned));
  return cim::LookupOp::create(builder, loc, type, value, table, IntegerAttr());
}

FailureOr<Value> Lowering::moved(Operation *op, Value value, Type from,
                                 Type to) {
  Type fromElement = getElementTypeOrSelf(from);
  Type toElement = getElementTypeOrSelf(to);
  if (fromElement == toElement)
    return value;
  std::optional<Quant> fromQuant = getQuant(from), toQuant = getQuant(to);
  if (!fromQuant || !toQuant || fromQuant->bits != 8 || toQuant->bits != 8)
    return fail(op, "moves data and changes its element type where both are "
                    "not of 8 bits");
  return requantized(op->getLoc(), value, *fromQuant, *toQuant);
}

} // namespace cimc::mapping
