//===- NNShapes.cpp - result shapes of nn operations -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per operation says which shape its result has; builders use it
// and the verifier compares with it. Sizes that a file chose reach this code,
// so every number is bounded before it is used in arithmetic.
//
//===----------------------------------------------------------------------===//

#include "NN/NN.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace cimc;
using namespace cimc::nn;

namespace {

using Shape = SmallVector<int64_t>;
using Components = SmallVectorImpl<ShapedTypeComponents>;

/// Largest extent, stride, padding or dilation that shape arithmetic accepts;
/// products of two stay inside int64.
constexpr int64_t kMaxExtent = (int64_t(1) << 31) - 1;

/// A shape as users write it: 1x3x8x8.
struct Print {
  ArrayRef<int64_t> shape;
};

template <typename Stream> Stream &operator<<(Stream &os, Print print) {
  if (print.shape.empty())
    os << "scalar";
  for (auto [i, dim] : llvm::enumerate(print.shape)) {
    if (i)
      os << "x";
    os << dim;
  }
  return os;
}

std::string text(ArrayRef<int64_t> shape) {
  std::string result;
  llvm::raw_string_ostream os(result);
  os << Print{shape};
  return result;
}

ArrayRef<int64_t> shapeOf(Value value) {
  return cast<ShapedType>(value.getType()).getShape();
}

template <typename... Args>
LogicalResult fail(std::optional<Location> loc, StringRef op, Args &&...args) {
  return emitOptionalError(loc, "'", op, "': ", std::forward<Args>(args)...);
}

LogicalResult give(Components &out, ArrayRef<int64_t> shape) {
  out.emplace_back(Shape(shape.begin(), shape.end()));
  return success();
}

LogicalResult giveInput(Components &out, Value input) {
  return give(out, shapeOf(input));
}

/// numpy broadcasting of two shapes aligned at the right.
std::optional<Shape> broadcast(ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
  Shape result(std::max(a.size(), b.size()));
  for (size_t i = 0; i < result.size(); ++i) {
    int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1)
      return std::nullopt;
    result[result.size() - 1 - i] = x == 1 ? y : x;
  }
  return result;
}

LogicalResult inferBinary(std::optional<Location> loc, StringRef op, Value lhs,
                          Value rhs, Components &out) {
  std::optional<Shape> shape = broadcast(shapeOf(lhs), shapeOf(rhs));
  if (!shape)
    return fail(loc, op, "shapes ", text(shapeOf(lhs)), " and ",
                text(shapeOf(rhs)), " cannot be broadcast together");
  return give(out, *shape);
}

/// The sliding window of a convolution or pooling.
struct Window {
  ArrayRef<int64_t> kernel, strides, pads, dilations;
  bool ceilMode = false;
};

/// Checks a window against `input` ([N, C, spatial...]) and appends the
/// spatial result extents to `result`.
LogicalResult inferWindow(std::optional<Location> loc, StringRef op,
                          ArrayRef<int64_t> input, const Window &w,
                          Shape &result) {
  if (input.size() < 3 || input.size() > 5)
    return fail(loc, op, "the input ", text(input),
                " must be [N, C, spatial...] with 1 to 3 spatial axes");
  size_t axes = input.size() - 2;
  auto check = [&](ArrayRef<int64_t> values, StringRef name, size_t count,
                   int64_t least) -> LogicalResult {
    if (values.size() != count)
      return fail(loc, op, name, " has ", values.size(), " entries; the input ",
                  text(input), " needs ", count);
    for (int64_t value : values)
      if (value < least || value > kMaxExtent)
        return fail(loc, op, name, " has the entry ", value,
                    "; it must be at least ", least);
    return success();
  };
  if (failed(check(w.kernel, "kernel", axes, 1)) ||
      failed(check(w.strides, "strides", axes, 1)) ||
      failed(check(w.pads, "pads", 2 * axes, 0)) ||
      failed(check(w.dilations, "dilations", axes, 1)))
    return failure();
  for (size_t i = 0; i < axes; ++i) {
    int64_t begin = w.pads[i], end = w.pads[axes + i];
    int64_t span = w.dilations[i] * (w.kernel[i] - 1) + 1;
    int64_t extent = input[2 + i];
    if (extent > kMaxExtent)
      return fail(loc, op, "the input ", text(input), " is too large");
    int64_t room = extent + begin + end - span;
    if (room < 0)
      return fail(loc, op, "the window spans ", span, " along axis ", 2 + i,
                  " but the padded input ", text(input), " has only ",
                  extent + begin + end);
    int64_t stride = w.strides[i];
    int64_t size = room / stride + 1;
    // A last window that would start behind the input and its begin padding
    // does not count.
    if (w.ceilMode && room % stride && size * stride < extent + begin)
      ++size;
    result.push_back(size);
  }
  return success();
}

template <typename Adaptor>
LogicalResult inferPool(std::optional<Location> loc, StringRef op, Adaptor a,
                        Components &out) {
  ArrayRef<int64_t> input = shapeOf(a.getInput());
  Window window{a.getKernel(), a.getStrides(), a.getPads(), a.getDilations(),
                a.getCeilMode()};
  Shape result(input.take_front(2));
  if (failed(inferWindow(loc, op, input, window, result)))
    return failure();
  size_t axes = input.size() - 2;
  for (size_t i = 0; i < 2 * axes; ++i)
    if (window.pads[i] >= window.kernel[i % axes])
      return fail(loc, op, "padding ", window.pads[i],
                  " must be smaller than the kernel ", window.kernel[i % axes]);
  return give(out, result);
}

/// A quantized type with scales along an axis must have as many as the axis is
/// long.
LogicalResult verifyPerAxis(Operation *op, Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return success();
  auto quantized =
      dyn_cast<quant::UniformQuantizedPerAxisType>(tensor.getElementType());
  if (!quantized)
    return success();
  int64_t axis = quantized.getQuantizedDimension();
  int64_t scales = quantized.getScales().size();
  if (axis < 0 || axis >= tensor.getRank())
    return op->emitOpError("has scales along axis ")
           << axis << " of " << Print{tensor.getShape()}
           << ", which has no such axis";
  if (tensor.getDimSize(axis) != scales)
    return op->emitOpError("has ") << scales << " scales along axis " << axis
                                   << " of " << Print{tensor.getShape()}
                                   << "; it needs " << tensor.getDimSize(axis);
  return success();
}

} // namespace

//===----------------------------------------------------------------------===//
// Verification and building
//===----------------------------------------------------------------------===//

static LogicalResult inferShape(Operation *op, Shape &shape) {
  auto shaped = dyn_cast<InferShapedTypeOpInterface>(op);
  if (!shaped)
    return op->emitOpError("does not infer its result shape");
  SmallVector<ShapedTypeComponents> components;
  if (failed(shaped.inferReturnTypeComponents(
          op->getContext(), op->getLoc(), op->getOperands(),
          op->getDiscardableAttrDictionary(), op->getPropertiesStorage(),
          op->getRegions(), components)))
    return failure();
  shape = Shape(components.front().getDims());
  return success();
}

LogicalResult nn::setInferredResultType(Operation *op, Type elementType) {
  Shape shape;
  if (failed(inferShape(op, shape)))
    return failure();
  op->getResult(0).setType(RankedTensorType::get(shape, elementType));
  return success();
}

LogicalResult nn::verifyInferredShape(Operation *op) {
  // Traits are verified before the declared operand constraints of this
  // operation are known to hold for foreign types.
  for (Type type : op->getOperandTypes())
    if (!isa<RankedTensorType>(type))
      return op->emitOpError("needs ranked tensors, not ") << type;
  Shape shape;
  if (failed(inferShape(op, shape)))
    return failure();
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!type || type.getShape() != ArrayRef<int64_t>(shape)) {
    InFlightDiagnostic error = op->emitOpError("has the result ")
                               << op->getResult(0).getType()
                               << " but its operands make it " << Print{shape};
    return error;
  }
  for (Type operand : op->getOperandTypes())
    if (failed(verifyPerAxis(op, operand)))
      return failure();
  if (failed(verifyPerAxis(op, type)))
    return failure();
  if (isa<QuantizeOp, DequantizeOp, CastOp, ConvOp, MatMulOp>(op))
    return success();
  for (Type operand : op->getOperandTypes()) {
    Type element = cast<RankedTensorType>(operand).getElementType();
    bool fits = isQuantized(type) ? isQuantized(operand)
                                  : element == type.getElementType();
    if (!fits)
      return op->emitOpError("mixes element types: an operand is ")
             << operand << " and the result " << type
             << "; all are quantized or all of one type";
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Weighted sums
//===----------------------------------------------------------------------===//

#define INFER(OP)                                                              \
  LogicalResult OP::inferReturnTypeComponents(                                 \
      MLIRContext *, std::optional<Location> loc, Adaptor adaptor,             \
      SmallVectorImpl<ShapedTypeComponents> &out)

INFER(ConvOp) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  ArrayRef<int64_t> weight = shapeOf(adaptor.getWeight());
  if (input.size() < 3 || weight.size() != input.size())
    return fail(loc, op, "the input ", text(input), " and the weight ",
                text(weight), " must have the same number of axes, at least 3");
  int64_t group = adaptor.getGroup();
  int64_t channels = input[1], filters = weight[0];
  if (group < 1 || channels % group || filters % group)
    return fail(loc, op, "group ", group, " does not divide the ", channels,
                " input channels of ", text(input), " and the ", filters,
                " filters of ", text(weight));
  if (weight[1] != channels / group)
    return fail(loc, op, "the weight ", text(weight), " has ", weight[1],
                " input channels; the input ", text(input), " in ", group,
                " groups needs ", channels / group);
  if (Value bias = adaptor.getBias())
    if (shapeOf(bias) != ArrayRef<int64_t>{filters})
      return fail(loc, op, "the bias ", text(shapeOf(bias)), " must be ",
                  filters, ", one for each filter of ", text(weight));
  Window window{weight.drop_front(2), adaptor.getStrides(), adaptor.getPads(),
                adaptor.getDilations()};
  Shape result{input[0], filters};
  if (failed(inferWindow(loc, op, input, window, result)))
    return failure();
  return give(out, result);
}

INFER(MatMulOp) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> aShape = shapeOf(adaptor.getA());
  ArrayRef<int64_t> bShape = shapeOf(adaptor.getB());
  auto mismatch = [&](const Twine &what) {
    return fail(loc, op, "cannot multiply ", text(aShape),
                adaptor.getTransposeA() ? " transposed" : "", " by ",
                text(bShape), adaptor.getTransposeB() ? " transposed" : "",
                ": ", what.str());
  };
  if (aShape.empty() || bShape.empty())
    return mismatch("scalars have no axis to sum over");
  if ((aShape.size() == 1 && adaptor.getTransposeA()) ||
      (bShape.size() == 1 && adaptor.getTransposeB()))
    return mismatch("an operand with one axis cannot be transposed");
  Shape a(aShape), b(bShape);
  if (a.size() == 1)
    a.insert(a.begin(), 1);
  if (b.size() == 1)
    b.push_back(1);
  if (adaptor.getTransposeA())
    std::swap(a[a.size() - 1], a[a.size() - 2]);
  if (adaptor.getTransposeB())
    std::swap(b[b.size() - 1], b[b.size() - 2]);
  int64_t m = a[a.size() - 2], n = b.back();
  if (a.back() != b[b.size() - 2])
    return mismatch("inner sizes " + Twine(a.back()) + " and " +
                    Twine(b[b.size() - 2]) + " differ");
  std::optional<Shape> result = broadcast(ArrayRef<int64_t>(a).drop_back(2),
                                          ArrayRef<int64_t>(b).drop_back(2));
  if (!result)
    return mismatch("the batch axes cannot be broadcast together");
  if (aShape.size() > 1)
    result->push_back(m);
  if (bShape.size() > 1)
    result->push_back(n);
  if (Value bias = adaptor.getBias())
    if (shapeOf(bias) != ArrayRef<int64_t>{n})
      return fail(loc, op, "the bias ", text(shapeOf(bias)), " must be ", n,
                  ", one for each column of the result");
  return give(out, *result);
}

//===----------------------------------------------------------------------===//
// Operations that keep their input's shape, and broadcasting ones
//===----------------------------------------------------------------------===//

#define INFER_SAME(OP)                                                         \
  INFER(OP) { return giveInput(out, adaptor.getInput()); }
INFER_SAME(QuantizeOp)
INFER_SAME(DequantizeOp)
INFER_SAME(CastOp)
INFER_SAME(ReluOp)
INFER_SAME(SigmoidOp)
INFER_SAME(TanhOp)
INFER_SAME(ExpOp)
INFER_SAME(LogOp)
INFER_SAME(SqrtOp)
INFER_SAME(ReciprocalOp)
INFER_SAME(NegOp)
INFER_SAME(AbsOp)
INFER_SAME(ErfOp)
INFER_SAME(HardSwishOp)
INFER_SAME(LeakyReluOp)
INFER_SAME(HardSigmoidOp)
INFER_SAME(ClipOp)
#undef INFER_SAME

#define INFER_BINARY(OP)                                                       \
  INFER(OP) {                                                                  \
    return inferBinary(loc, getOperationName(), adaptor.getLhs(),              \
                       adaptor.getRhs(), out);                                 \
  }
INFER_BINARY(AddOp)
INFER_BINARY(SubOp)
INFER_BINARY(MulOp)
INFER_BINARY(DivOp)
INFER_BINARY(PowOp)
INFER_BINARY(MaxOp)
INFER_BINARY(MinOp)
#undef INFER_BINARY

//===----------------------------------------------------------------------===//
// Normalization and pooling
//===----------------------------------------------------------------------===//

INFER(SoftmaxOp) {
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  int64_t axis = adaptor.getAxis();
  if (axis < 0 || axis >= static_cast<int64_t>(input.size()))
    return fail(loc, getOperationName(), "the input ", text(input),
                " has no axis ", axis);
  return give(out, input);
}

INFER(BatchNormOp) {
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  if (input.size() < 2)
    return fail(loc, getOperationName(), "the input ", text(input),
                " has no channel axis");
  for (Value value : {adaptor.getScale(), adaptor.getBias(), adaptor.getMean(),
                      adaptor.getVariance()})
    if (shapeOf(value) != input.slice(1, 1))
      return fail(loc, getOperationName(), "a parameter of shape ",
                  text(shapeOf(value)), " must have one entry for each of the ",
                  input[1], " channels of ", text(input));
  return give(out, input);
}

INFER(MaxPoolOp) { return inferPool(loc, getOperationName(), adaptor, out); }
INFER(AvgPoolOp) { return inferPool(loc, getOperationName(), adaptor, out); }

INFER(GlobalAvgPoolOp) {
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  if (input.size() < 3)
    return fail(loc, getOperationName(), "the input ", text(input),
                " must be [N, C, spatial...]");
  Shape result(input.size(), 1);
  result[0] = input[0];
  result[1] = input[1];
  return give(out, result);
}

//===----------------------------------------------------------------------===//
// Data movement
//===----------------------------------------------------------------------===//

INFER(TransposeOp) {
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  ArrayRef<int64_t> perm = adaptor.getPerm();
  Shape result;
  SmallVector<bool> seen(input.size(), false);
  for (int64_t axis : perm) {
    if (axis < 0 || axis >= static_cast<int64_t>(input.size()) || seen[axis])
      return fail(loc, getOperationName(), "perm is not a permutation of the ",
                  input.size(), " axes of ", text(input));
    seen[axis] = true;
    result.push_back(input[axis]);
  }
  if (result.size() != input.size())
    return fail(loc, getOperationName(), "perm has ", perm.size(),
                " entries; the input ", text(input), " needs ", input.size());
  return give(out, result);
}

INFER(ConcatOp) {
  StringRef op = getOperationName();
  if (adaptor.getInputs().empty())
    return fail(loc, op, "needs at least one input");
  Shape result(shapeOf(adaptor.getInputs().front()));
  int64_t axis = adaptor.getAxis();
  if (axis < 0 || axis >= static_cast<int64_t>(result.size()))
    return fail(loc, op, "the input ", text(result), " has no axis ", axis);
  for (Value input : adaptor.getInputs().drop_front()) {
    ArrayRef<int64_t> shape = shapeOf(input);
    bool fits = shape.size() == result.size();
    for (size_t i = 0; fits && i < shape.size(); ++i)
      fits = static_cast<int64_t>(i) == axis || shape[i] == result[i];
    if (!fits || shape[axis] > INT64_MAX - result[axis])
      return fail(loc, op, "inputs ",
                  text(shapeOf(adaptor.getInputs().front())), " and ",
                  text(shape), " cannot be joined along axis ", axis);
    result[axis] += shape[axis];
  }
  return give(out, result);
}

INFER(PadOp) {
  StringRef op = getOperationName();
  Shape result(shapeOf(adaptor.getInput()));
  ArrayRef<int64_t> low = adaptor.getLow(), high = adaptor.getHigh();
  if (low.size() != result.size() || high.size() != result.size())
    return fail(loc, op, "low and high have ", low.size(), " and ", high.size(),
                " entries; the input ", text(result), " needs ", result.size());
  for (size_t i = 0; i < result.size(); ++i) {
    if (low[i] < 0 || high[i] < 0 || low[i] > kMaxExtent ||
        high[i] > kMaxExtent || result[i] > kMaxExtent)
      return fail(loc, op, "axis ", i, " of ",
                  text(shapeOf(adaptor.getInput())), " is padded by ", low[i],
                  " and ", high[i], "; padding is not negative");
    result[i] += low[i] + high[i];
  }
  return give(out, result);
}

INFER(SliceOp) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  ArrayRef<int64_t> starts = adaptor.getStarts(), sizes = adaptor.getSizes(),
                    steps = adaptor.getSteps();
  if (starts.size() != input.size() || sizes.size() != input.size() ||
      steps.size() != input.size())
    return fail(loc, op, "starts, sizes and steps have ", starts.size(), ", ",
                sizes.size(), " and ", steps.size(), " entries; the input ",
                text(input), " needs ", input.size());
  for (size_t i = 0; i < input.size(); ++i) {
    auto small = [](int64_t v) { return v >= -kMaxExtent && v <= kMaxExtent; };
    bool bounded = small(input[i]) && small(starts[i]) && small(sizes[i]) &&
                   small(steps[i]);
    int64_t last = bounded ? starts[i] + (sizes[i] - 1) * steps[i] : -1;
    bool inside = sizes[i] == 0 || (starts[i] >= 0 && starts[i] < input[i] &&
                                    last >= 0 && last < input[i]);
    if (!bounded || sizes[i] < 0 || steps[i] == 0 || !inside)
      return fail(loc, op, "start ", starts[i], ", size ", sizes[i], ", step ",
                  steps[i], " along axis ", i, " reads outside the input ",
                  text(input));
  }
  return give(out, sizes);
}

#undef INFER
