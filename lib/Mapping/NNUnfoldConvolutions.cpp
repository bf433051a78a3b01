//===- NNUnfoldConvolutions.cpp - convolutions with computed weights ------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NN/NN.h"
#include "cimc/Mapping/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"

namespace cimc {
#define GEN_PASS_DEF_NNUNFOLDCONVOLUTIONS
#include "cimc/Mapping/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc;

namespace {

using Dims = SmallVector<int64_t, 6>;

/// Emits operations of the nn level with results of their operand's element
/// type.
class Emitter {
public:
  Emitter(OpBuilder &builder, Location loc) : builder(builder), loc(loc) {}

  static Dims shapeOf(Value value) {
    return Dims(cast<RankedTensorType>(value.getType()).getShape());
  }
  static RankedTensorType type(ArrayRef<int64_t> shape, Value like) {
    return RankedTensorType::get(shape, getElementTypeOrSelf(like.getType()));
  }
  Value reshape(Value value, ArrayRef<int64_t> shape) {
    if (shapeOf(value) == Dims(shape))
      return value;
    return nn::ReshapeOp::create(builder, loc, type(shape, value), value);
  }
  Value transpose(Value value, ArrayRef<int64_t> perm) {
    Dims shape;
    for (int64_t axis : perm)
      shape.push_back(shapeOf(value)[axis]);
    return nn::TransposeOp::create(builder, loc, type(shape, value), value,
                                   perm);
  }
  Value slice(Value value, ArrayRef<int64_t> starts, ArrayRef<int64_t> sizes,
              ArrayRef<int64_t> steps) {
    return nn::SliceOp::create(builder, loc, type(sizes, value), value, starts,
                               sizes, steps);
  }
  /// Spatial axes extended (or, where negative, cut) at both ends.
  Value pad(Value value, ArrayRef<int64_t> begin, ArrayRef<int64_t> end) {
    Dims shape = shapeOf(value);
    Dims low(2, 0), high(2, 0), starts(2, 0),
        sizes(shape.begin(), shape.begin() + 2);
    for (size_t i = 0; i < begin.size(); ++i) {
      low.push_back(std::max<int64_t>(begin[i], 0));
      high.push_back(std::max<int64_t>(end[i], 0));
      starts.push_back(std::max<int64_t>(-begin[i], 0));
      sizes.push_back(shape[2 + i] + begin[i] + end[i]);
    }
    Dims padded;
    for (size_t i = 0; i < shape.size(); ++i)
      padded.push_back(shape[i] + low[i] + high[i]);
    if (padded != shape)
      value = nn::PadOp::create(builder, loc, type(padded, value), value, low,
                                high, APFloat(0.0f));
    if (sizes != padded)
      value = slice(value, starts, sizes, Dims(shape.size(), 1));
    return value;
  }

  OpBuilder &builder;
  Location loc;
};

/// A convolution in the terms of `nn.conv`.
struct Convolution {
  Value input, weight, bias;
  Dims strides, dilations;
  int64_t group = 1;
};

/// The windows of a padded input as the columns of a matrix, then its product
/// with the weights.
Value unfold(Emitter &emit, const Convolution &conv, Value result) {
  Dims resultShape = Emitter::shapeOf(result);
  Dims shape = Emitter::shapeOf(conv.input),
       weight = Emitter::shapeOf(conv.weight);
  ArrayRef<int64_t> kernel = ArrayRef<int64_t>(weight).drop_front(2);
  int64_t N = shape[0], G = conv.group, Cg = weight[1], M = weight[0];
  int64_t taps = ShapedType::getNumElements(kernel);
  int64_t pixels =
      ShapedType::getNumElements(ArrayRef<int64_t>(resultShape).drop_front(2));
  Dims sizes = {N, shape[1]}, steps = {1, 1};
  sizes.append(resultShape.begin() + 2, resultShape.end());
  steps.append(conv.strides.begin(), conv.strides.end());
  SmallVector<Value> columns;
  for (int64_t tap = 0; tap < taps; ++tap) {
    Dims starts(shape.size(), 0);
    for (int64_t i = int64_t(kernel.size()) - 1, rest = tap; i >= 0; --i) {
      starts[2 + i] = rest % kernel[i] * conv.dilations[i];
      rest /= kernel[i];
    }
    columns.push_back(emit.reshape(emit.slice(conv.input, starts, sizes, steps),
                                   {N, G, Cg, 1, pixels}));
  }
  Value matrix = columns.front();
  if (taps > 1)
    matrix = nn::ConcatOp::create(emit.builder, emit.loc,
                                  emit.type({N, G, Cg, taps, pixels}, matrix),
                                  columns, 3);
  // The samples side by side, so that there is one product for each group.
  matrix = emit.reshape(matrix, {N, G, Cg * taps, pixels});
  if (N > 1)
    matrix = emit.transpose(matrix, {1, 2, 0, 3});
  matrix = emit.reshape(matrix, {G, Cg * taps, N * pixels});
  Value product = nn::MatMulOp::create(
      emit.builder, emit.loc, emit.type({G, M / G, N * pixels}, result),
      emit.reshape(conv.weight, {G, M / G, Cg * taps}), matrix, Value(),
      /*transpose_a=*/false, /*transpose_b=*/false);
  if (N > 1)
    product = emit.transpose(emit.reshape(product, {M, N, pixels}), {1, 0, 2});
  product = emit.reshape(product, resultShape);
  if (!conv.bias)
    return product;
  Dims perChannel(resultShape.size(), 1);
  perChannel[1] = M;
  return nn::AddOp::create(emit.builder, emit.loc, product.getType(), product,
                           emit.reshape(conv.bias, perChannel));
}

Value unfoldConv(nn::ConvOp op, OpBuilder &builder) {
  Emitter emit(builder, op.getLoc());
  ArrayRef<int64_t> pads = op.getPads();
  size_t axes = pads.size() / 2;
  Convolution conv{
      emit.pad(op.getInput(), pads.take_front(axes), pads.drop_front(axes)),
      op.getWeight(),
      op.getBias(),
      Dims(op.getStrides()),
      Dims(op.getDilations()),
      int64_t(op.getGroup())};
  return unfold(emit, conv, op.getResult());
}

/// The input with zeros between its pixels, and the weights turned round, are
/// an ordinary convolution.
Value unfoldConvTranspose(nn::ConvTransposeOp op, OpBuilder &builder) {
  Emitter emit(builder, op.getLoc());
  Value input = op.getInput();
  Dims weight = Emitter::shapeOf(op.getWeight());
  int64_t axes = int64_t(weight.size()) - 2, G = op.getGroup();
  Dims begin, end;
  for (int64_t a = 0; a < axes; ++a) {
    Dims shape = Emitter::shapeOf(input);
    int64_t stride = op.getStrides()[a];
    if (stride > 1) {
      Dims apart = shape, low(shape.size() + 1, 0);
      apart.insert(apart.begin() + 3 + a, 1);
      Dims wide = apart, high = low;
      wide[3 + a] = stride;
      high[3 + a] = stride - 1;
      input = nn::PadOp::create(builder, emit.loc, emit.type(wide, input),
                                emit.reshape(input, apart), low, high,
                                APFloat(0.0f));
      shape[2 + a] *= stride;
      input = emit.reshape(input, shape);
    }
    int64_t reach = (weight[2 + a] - 1) * op.getDilations()[a];
    begin.push_back(reach - op.getPads()[a]);
    // There are zeros behind the last pixel too.
    end.push_back(reach - op.getPads()[axes + a] + op.getOutputPadding()[a] -
                  (stride - 1));
  }
  // [G, C/G, M/G, kernel] to [M, C/G, kernel], backwards.
  Dims starts(weight.size(), 0), steps(weight.size(), 1);
  for (int64_t a = 0; a < axes; ++a) {
    starts[2 + a] = weight[2 + a] - 1;
    steps[2 + a] = -1;
  }
  Value turned = emit.slice(op.getWeight(), starts, weight, steps);
  Dims grouped = {G, weight[0] / G, weight[1]}, perm = {0, 2, 1},
       merged = {G * weight[1], weight[0] / G};
  for (int64_t a = 0; a < axes; ++a) {
    grouped.push_back(weight[2 + a]);
    merged.push_back(weight[2 + a]);
    perm.push_back(3 + a);
  }
  turned =
      emit.reshape(emit.transpose(emit.reshape(turned, grouped), perm), merged);
  Convolution conv{
      emit.pad(input, begin, end), turned, op.getBias(), Dims(axes, 1),
      Dims(op.getDilations()),     G};
  return unfold(emit, conv, op.getResult());
}

/// Whether all operands are floats, or all plain integers.
bool isPlain(Operation *op) {
  auto all = [&](auto is) {
    return llvm::all_of(op->getOperandTypes(), [&](Type type) {
      return is(getElementTypeOrSelf(type));
    });
  };
  return all([](Type type) { return type.isF32(); }) ||
         all([](Type type) { return isa<IntegerType>(type); });
}

struct NNUnfoldConvolutions
    : cimc::impl::NNUnfoldConvolutionsBase<NNUnfoldConvolutions> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      auto weighted = dyn_cast<nn::WeightMatrixOpInterface>(op);
      if (weighted && isa<nn::ConvOp, nn::ConvTransposeOp>(op) && isPlain(op) &&
          !weighted.getWeightMatrix())
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      OpBuilder builder(op);
      auto conv = dyn_cast<nn::ConvOp>(op);
      op->getResult(0).replaceAllUsesWith(
          conv ? unfoldConv(conv, builder)
               : unfoldConvTranspose(cast<nn::ConvTransposeOp>(op), builder));
      op->erase();
    }
  }
};

} // namespace
