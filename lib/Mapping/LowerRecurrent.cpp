//===- LowerRecurrent.cpp - recurrent layers, step by step -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Time steps are rows. The gates' products with the input are those of a matrix
// product over all steps; the state comes back through `cim.delay`, so that
// each weight is stored once and used at every step, and the steps of different
// operations overlap as rows do anywhere.
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
#include "Lowering.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace cimc::mapping {
namespace {

/// Builds the operations of one recurrent layer. Maps are T x B x channels.
class Recurrence {
public:
  Recurrence(OpBuilder &builder, Location loc, std::array<int64_t, 3> states)
      : builder(builder), loc(loc), steps(states[0]), batch(states[1]),
        size(states[2]) {}

  RankedTensorType rows(int64_t count, int64_t channels) const {
    return RankedTensorType::get({count, batch, channels},
                                 builder.getF32Type());
  }
  RankedTensorType states() const { return rows(steps, size); }

  Value map(numerics::Function function, Value a, Value b = {},
            float alpha = 0.0f, float beta = 0.0f) {
    return cim::MapOp::create(builder, loc, a.getType(), a, b,
                              numerics::mnemonic(function), APFloat(alpha),
                              APFloat(beta), IntegerAttr());
  }
  Value add(Value a, Value b) { return map(numerics::Function::Add, a, b); }
  Value mul(Value a, Value b) { return map(numerics::Function::Mul, a, b); }
  /// 1 - a.
  Value complement(Value a) {
    std::vector<float> one(static_cast<size_t>(batch * size), 1.0f);
    Value ones = constant(one, 1);
    return cim::MapOp::create(builder, loc, a.getType(), ones, a,
                              numerics::mnemonic(numerics::Function::Sub),
                              APFloat(0.0f), APFloat(0.0f), IntegerAttr());
  }
  Value constant(ArrayRef<float> values, int64_t count) {
    RankedTensorType type = rows(count, size);
    ArrayRef<char> bytes(reinterpret_cast<const char *>(values.data()),
                         values.size() * sizeof(float));
    return cim::ConstantOp::create(
        builder, loc, type, makeElements(type, bytes, "state"), IntegerAttr());
  }
  /// One number for each state, for all samples of a batch.
  Value perState(ArrayRef<float> values) {
    std::vector<float> all;
    for (int64_t b = 0; b < batch; ++b)
      all.insert(all.end(), values.begin(), values.end());
    return constant(all, 1);
  }
  Value delay(Value initial, int64_t number) {
    return cim::DelayOp::create(builder, loc, states(), initial, number,
                                IntegerAttr());
  }
  void feed(Value state, int64_t number) {
    cim::DelayInputOp::create(builder, loc, state, number);
  }

  OpBuilder &builder;
  Location loc;
  int64_t steps, batch, size;
};

/// The activations of an operation, by position.
struct Activations {
  ArrayAttr names;
  ArrayRef<float> alpha, beta;
  float clip = 0.0f;

  /// Empty, or why they cannot be computed.
  std::string check() const {
    for (Attribute name : names) {
      numerics::Function function;
      std::string text = cast<StringAttr>(name).getValue().str();
      if (!isScaled(text) &&
          (!numerics::parseFunction(text.c_str(), function) ||
           numerics::arity(function) != 1))
        return "the vector unit has no activation '" + text + "'";
    }
    return {};
  }
  Value apply(Recurrence &layer, size_t i, Value value) const {
    using numerics::Function;
    std::string name = cast<StringAttr>(names[i]).getValue().str();
    float a = i < alpha.size() ? alpha[i] : 0.0f;
    float b = i < beta.size() ? beta[i] : 0.0f;
    if (clip != 0.0f)
      value = layer.map(Function::Clip, value, {}, -clip, clip);
    auto constant = [&](float x) {
      return layer.constant(
          std::vector<float>(static_cast<size_t>(layer.batch * layer.size), x),
          1);
    };
    if (name == "affine")
      return layer.add(layer.mul(value, constant(a)), constant(b));
    if (name == "scaled_tanh")
      return layer.mul(layer.map(Function::Tanh, layer.mul(value, constant(b))),
                       constant(a));
    Function function = Function::Identity;
    numerics::parseFunction(name.c_str(), function);
    return layer.map(function, value, {}, a, b);
  }

private:
  static bool isScaled(StringRef name) {
    return name == "affine" || name == "scaled_tanh";
  }
};

} // namespace

/// The matrix of all gates: fp32, or integers (rule R14).
struct Lowering::GateWeights {
  Value operand;
  std::vector<float> real;
  WeightTensor integers;
};

/// What the three operations have in common.
struct Lowering::RecurrentLayer {
  Recurrence build;
  Activations activations;
  Operation *op;
  Map input; ///< T x B x I, in the order of processing
  int64_t inputs = 0;
  GateWeights weight, recurrence;
  std::vector<float> bias;
  bool reverse = false;
};

/// One gate's products with `input`.
FailureOr<Value> Lowering::gate(RecurrentLayer &layer, Value input,
                                const GateWeights &weights, int64_t number,
                                ArrayRef<float> bias) {
  int64_t size = layer.build.size;
  WeightedForm form;
  form.map.value = input;
  auto type = cast<RankedTensorType>(input.getType());
  form.channels = type.getDimSize(2);
  form.window = cim::WindowAttr::get(layer.op->getContext(), {1, 1}, {1, 1},
                                     {0, 0}, {1, 1});
  form.out = {type.getDimSize(0), type.getDimSize(1), size};
  form.keptRows = form.out[0];
  nn::WeightMatrix matrix;
  matrix.channels = form.channels;
  matrix.columns = size;
  matrix.channelStride = 1;
  matrix.columnStride = form.channels;
  matrix.offset = number * size * form.channels;
  std::vector<float> added(static_cast<size_t>(size), 0.0f);
  if (!bias.empty())
    added.assign(bias.begin() + number * size,
                 bias.begin() + (number + 1) * size);
  FailureOr<SmallVector<Value>> parts;
  if (!weights.real.empty()) {
    parts = wideProduct(layer.op, matrix, form, weights.real, added);
  } else {
    // Scales and zero points of this gate.
    WeightTensor own = weights.integers;
    if (own.scales.size() > 1) {
      own.scales.erase(own.scales.begin(), own.scales.begin() + number * size);
      own.zeros.erase(own.zeros.begin(), own.zeros.begin() + number * size);
    }
    parts = rangedProduct(layer.op, matrix, form, weights.operand, own, added,
                          numerics::kSignedLevels);
  }
  if (failed(parts))
    return failure();
  return joinChannels(layer.build.loc, form, *parts);
}

/// Both products of a gate.
FailureOr<Value> Lowering::gateSum(RecurrentLayer &layer, Value state,
                                   int64_t number) {
  FailureOr<Value> x =
      gate(layer, layer.input.value, layer.weight, number, layer.bias);
  FailureOr<Value> h = gate(layer, state, layer.recurrence, number, {});
  if (failed(x) || failed(h))
    return failure();
  return layer.build.add(*x, *h);
}

/// A B x H state before the first step.
Value Lowering::initialState(RecurrentLayer &layer, Value operand) {
  Recurrence &build = layer.build;
  if (!operand)
    return build.constant(
        std::vector<float>(static_cast<size_t>(build.batch * build.size), 0),
        1);
  return regroup(layer.build.loc, inLayout(operand, identityPerm(2)).value,
                 build.rows(1, build.size));
}

Value Lowering::reversed(Location loc, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  int64_t row = type.getDimSize(1) * type.getDimSize(2);
  int64_t count = type.getDimSize(0);
  if (count == 1)
    return value;
  return move(loc, value, type, {count, row}, {-row, 1}, {row, 1},
              (count - 1) * row);
}

void Lowering::defineStates(RecurrentLayer &layer, Value states, Value all,
                            Value last) {
  Recurrence &build = layer.build;
  int64_t row = build.batch * build.size;
  if (all && !all.use_empty())
    define(all, layer.reverse ? reversed(build.loc, states) : states,
           identityPerm(3));
  if (last && !last.use_empty())
    define(last,
           move(build.loc, states, build.rows(1, build.size), {row}, {1}, {1},
                (build.steps - 1) * row),
           identityPerm(2));
}

LogicalResult Lowering::lowerRecurrent(Operation *op) {
  Location loc = op->getLoc();
  auto lstm = dyn_cast<nn::LstmOp>(op);
  auto gru = dyn_cast<nn::GruOp>(op);
  auto rnn = dyn_cast<nn::RnnOp>(op);
  auto get = [&](auto lstmValue, auto gruValue, auto rnnValue) {
    return lstm ? lstmValue(lstm) : gru ? gruValue(gru) : rnnValue(rnn);
  };
#define CIMC_COMMON(NAME)                                                      \
  get([](nn::LstmOp o) { return o.NAME(); },                                   \
      [](nn::GruOp o) { return o.NAME(); },                                    \
      [](nn::RnnOp o) { return o.NAME(); })
  Value input = CIMC_COMMON(getInput), result = op->getResult(0);
  if (!isFloat(input) || !isFloat(result))
    return fail(op, "is computed in float only");
  Dims shape = shapeOf(input), states = shapeOf(result);
  if (Value lengths = CIMC_COMMON(getLengths)) {
    ElementsAttr attr;
    std::optional<std::vector<int32_t>> values;
    if (matchPattern(lengths, m_Constant(&attr)))
      values = readIntegers(attr, true);
    if (!values || llvm::any_of(*values, [&](int32_t length) {
          return length != shape[0];
        }))
      return fail(op, "samples of different lengths have no form on the chip "
                      "where there are more than 64 steps; "
                      "leave out sequence_lens");
  }
  if (shape.size() != 3 || states.size() != 3)
    return fail(op, "needs an input of steps x samples x channels");
  Activations activations{CIMC_COMMON(getActivations), CIMC_COMMON(getAlpha),
                          CIMC_COMMON(getBeta),
                          CIMC_COMMON(getClip).convertToFloat()};
  if (std::string problem = activations.check(); !problem.empty())
    return fail(op, problem);
  RecurrentLayer layer{
      Recurrence(builder, loc, {states[0], states[1], states[2]}),
      activations,
      op,
      {},
      shape[2],
      {CIMC_COMMON(getWeight), {}, {}},
      {CIMC_COMMON(getRecurrence), {}, {}},
      {},
      CIMC_COMMON(getReverse)};
  int64_t gates = lstm ? 4 : gru ? 3 : 1, H = states[2];
  Value bias = CIMC_COMMON(getBias);
  struct Constant {
    Value operand;
    std::vector<float> &to;
    int64_t size;
    WeightTensor *integers;
  } constants[] = {{layer.weight.operand, layer.weight.real,
                    gates * H * layer.inputs, &layer.weight.integers},
                   {layer.recurrence.operand, layer.recurrence.real,
                    gates * H * H, &layer.recurrence.integers},
                   {bias, layer.bias, gates * H, nullptr}};
  for (Constant &constant : constants) {
    if (!constant.operand)
      continue;
    if (constant.integers && !isFloat(constant.operand)) {
      std::string problem =
          readWeights(constant.operand, 0, *constant.integers);
      if (!problem.empty())
        return fail(op, problem);
      continue;
    }
    std::optional<std::vector<float>> values = readFloats(constant.operand);
    if (!values || int64_t(values->size()) != constant.size)
      return fail(op, "needs constant float weights and biases where it has "
                      "more than 64 steps");
    constant.to = std::move(*values);
  }
  Value x = regroup(loc, inLayout(input, identityPerm(3)).value,
                    layer.build.rows(layer.build.steps, layer.inputs));
  layer.input.value = layer.reverse ? reversed(loc, x) : x;
  if (lstm)
    return lowerLstm(lstm, layer);
  if (gru)
    return lowerGru(gru, layer);

  Recurrence &build = layer.build;
  int64_t number = delays++;
  Value before = build.delay(initialState(layer, rnn.getInitialH()), number);
  FailureOr<Value> sum = gateSum(layer, before, 0);
  if (failed(sum))
    return failure();
  Value h = layer.activations.apply(build, 0, *sum);
  build.feed(h, number);
  defineStates(layer, h, rnn.getResult(), rnn.getLastH());
  return success();
#undef CIMC_COMMON
}

LogicalResult Lowering::lowerLstm(nn::LstmOp op, RecurrentLayer &layer) {
  Recurrence &build = layer.build;
  int64_t H = build.size;
  std::vector<float> peephole;
  if (op.getPeephole()) {
    std::optional<std::vector<float>> values = readFloats(op.getPeephole());
    if (!values || int64_t(values->size()) != 3 * H)
      return fail(op, "needs constant float peepholes where it has more than "
                      "64 steps");
    peephole = std::move(*values);
  }
  int64_t numberH = delays++, numberC = delays++;
  Value h = build.delay(initialState(layer, op.getInitialH()), numberH);
  Value c = build.delay(initialState(layer, op.getInitialC()), numberC);
  // Gates: input, output, forget, cell.
  SmallVector<Value> sums;
  for (int64_t g = 0; g < 4; ++g) {
    if (g == 2 && op.getInputForget()) {
      sums.push_back({});
      continue;
    }
    FailureOr<Value> sum = gateSum(layer, h, g);
    if (failed(sum))
      return failure();
    sums.push_back(*sum);
  }
  auto seen = [&](Value sum, Value cell, int64_t g) {
    if (peephole.empty())
      return sum;
    Value p = build.perState(ArrayRef<float>(peephole).slice(g * H, H));
    return build.add(sum, build.mul(cell, p));
  };
  const Activations &f = layer.activations;
  Value in = f.apply(build, 0, seen(sums[0], c, 0));
  Value forget = op.getInputForget() ? build.complement(in)
                                     : f.apply(build, 0, seen(sums[2], c, 2));
  Value cell = f.apply(build, 1, sums[3]);
  Value state = build.add(build.mul(forget, c), build.mul(in, cell));
  Value out = f.apply(build, 0, seen(sums[1], state, 1));
  Activations last = f;
  last.clip = 0.0f;
  Value hidden = build.mul(out, last.apply(build, 2, state));
  build.feed(hidden, numberH);
  build.feed(state, numberC);
  defineStates(layer, hidden, op.getResult(), op.getLastH());
  defineStates(layer, state, {}, op.getLastC());
  return success();
}

LogicalResult Lowering::lowerGru(nn::GruOp op, RecurrentLayer &layer) {
  Recurrence &build = layer.build;
  int64_t H = build.size;
  std::vector<float> recurrentBias;
  if (op.getRecurrentBias()) {
    std::optional<std::vector<float>> values =
        readFloats(op.getRecurrentBias());
    if (!values || int64_t(values->size()) != 3 * H)
      return fail(op, "needs constant float weights and biases where it has "
                      "more than 64 steps");
    recurrentBias = std::move(*values);
  }
  int64_t number = delays++;
  Value h = build.delay(initialState(layer, op.getInitialH()), number);
  // Gates: update, reset, hidden.
  auto sum = [&](Value state, int64_t g) -> FailureOr<Value> {
    FailureOr<Value> x =
        gate(layer, layer.input.value, layer.weight, g, layer.bias);
    FailureOr<Value> s = gate(layer, state, layer.recurrence, g, recurrentBias);
    if (failed(x) || failed(s))
      return failure();
    return build.add(*x, *s);
  };
  FailureOr<Value> update = sum(h, 0), reset = sum(h, 1);
  if (failed(update) || failed(reset))
    return failure();
  Value z = layer.activations.apply(build, 0, *update);
  Value r = layer.activations.apply(build, 0, *reset);
  FailureOr<Value> hidden;
  if (op.getLinearBeforeReset()) {
    FailureOr<Value> x =
        gate(layer, layer.input.value, layer.weight, 2, layer.bias);
    FailureOr<Value> s = gate(layer, h, layer.recurrence, 2, recurrentBias);
    if (failed(x) || failed(s))
      return failure();
    hidden = build.add(*x, build.mul(r, *s));
  } else {
    hidden = sum(build.mul(r, h), 2);
    if (failed(hidden))
      return failure();
  }
  Value n = layer.activations.apply(build, 1, *hidden);
  Value state = build.add(build.mul(build.complement(z), n), build.mul(z, h));
  build.feed(state, number);
  defineStates(layer, state, op.getResult(), op.getLastH());
  return success();
}

} // namespace cimc::mapping
