//===- UnrollRecurrent.cpp - recurrent layers step by step ------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A layer with constant weights is mapped as a loop over rows, which stores
// them once. Where weights are computed there is nothing to store, and where
// samples end at different steps a step has to keep states; such a layer
// becomes operations for every step.
//
//===----------------------------------------------------------------------===//

#include "Decompose.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

namespace {

/// Longer layers stay whole: programs grow with the steps.
constexpr int64_t kMaxSteps = 64;

bool isConstant(Value value) {
  return !value || matchPattern(value, m_Constant());
}

/// Whether the samples have lengths that may differ from the number of steps.
bool hasLengths(Value lengths, int64_t steps) {
  if (!lengths)
    return false;
  auto constant = lengths.getDefiningOp<nn::ConstantOp>();
  if (!constant)
    return true;
  HostTensor tensor = toHostTensor(constant.getValue());
  return llvm::any_of(ArrayRef<int32_t>(tensor.as<int32_t>(), tensor.size()),
                      [&](int32_t length) { return length != steps; });
}

/// A recurrent operation of one of the three kinds, step by step. States and
/// gates are matrices with a row for each sample.
template <typename Op> class Unrolled {
public:
  Unrolled(Op op, int64_t gates)
      : b(op), op(op), steps(dimsOf(op.getInput())[0]),
        samples(dimsOf(op.getInput())[1]),
        hidden(dimsOf(op.getRecurrence())[1]), gates(gates) {}

  /// Whether it is one to be unrolled.
  bool applies(std::initializer_list<Value> weights) {
    varies = hasLengths(op.getLengths(), steps);
    return steps <= kMaxSteps && (varies || !llvm::all_of(weights, isConstant));
  }

  /// The results after step(sums of the input, states) for all steps, where a
  /// step gives new states, the first of which is the layer's result.
  template <typename Fn>
  SmallVector<Value> run(SmallVector<Value> states, Fn step) {
    Value input = op.getInput();
    bool reverse = op.getReverse();
    // Samples of different lengths begin at their own ends.
    if (reverse && varies)
      input = reversed(input);
    int64_t width = gates * hidden, inputs = dimsOf(input)[2];
    Value sums = b.matmul(b.reshape(input, {steps * samples, inputs}),
                          op.getWeight(), {steps * samples, width},
                          /*transposeB=*/true);
    if (op.getBias())
      sums = b.binary<nn::AddOp>(sums, op.getBias(), dimsOf(sums));
    SmallVector<Value> rows(steps);
    for (int64_t t = 0; t < steps; ++t) {
      int64_t row = reverse && !varies ? steps - 1 - t : t;
      SmallVector<Value> next =
          step(b.slice(sums, 0, row * samples, samples, 1), states);
      rows[row] = next.front();
      if (varies) {
        Value length = b.reshape(
            b.cast(op.getLengths(), b.builder.getI64Type()), {samples, 1});
        Value active =
            b.compare<nn::LessOp>(b.integers({}, {t}), length, {samples, 1});
        rows[row] = b.where(active, next.front(), b.scalar(0), form());
        for (auto [after, before] : llvm::zip(next, states))
          after = b.where(active, after, before, form());
      }
      states = next;
    }
    Value result = steps == 1 ? rows.front() : b.concat(rows, 0);
    result = b.reshape(result, {steps, samples, hidden});
    if (reverse && varies)
      result = reversed(result);
    SmallVector<Value> results = {result};
    results.append(states);
    return results;
  }

  /// Gates `first` to `first + count` of a row of gates.
  Value gate(Value all, int64_t first, int64_t count = 1) {
    return b.slice(all, 1, first * hidden, count * hidden, 1);
  }
  /// State times the recurrence of those gates.
  Value product(Value state, int64_t first, int64_t count) {
    Value weight = op.getRecurrence();
    if (count != gates)
      weight = b.slice(weight, 0, first * hidden, count * hidden, 1);
    return b.matmul(state, weight, {samples, count * hidden},
                    /*transposeB=*/true);
  }
  Value initial(Value given) {
    if (given)
      return given;
    auto type = b.type(form());
    return nn::ConstantOp::create(b.builder, b.loc, type,
                                  DenseElementsAttr::get(type, APFloat(0.0f)));
  }
  Value add(Value x, Value y) { return b.binary<nn::AddOp>(x, y, dimsOf(x)); }
  Value mul(Value x, Value y) { return b.binary<nn::MulOp>(x, y, dimsOf(x)); }
  Value complement(Value x) {
    return b.binary<nn::SubOp>(b.scalar(1), x, dimsOf(x));
  }

  /// A sum limited, then the activation.
  Value activate(size_t which, Value x, bool limited = true) {
    float clip = op.getClip().convertToFloat();
    if (clip > 0 && limited)
      x = b.clip(x, -clip, clip);
    auto parameter = [&](ArrayRef<float> all) {
      return which < all.size() ? all[which] : 0.0f;
    };
    float alpha = parameter(op.getAlpha()), beta = parameter(op.getBeta());
    StringRef name = cast<StringAttr>(op.getActivations()[which]).getValue();
    auto times = [&](Value value, float factor) {
      return b.binary<nn::MulOp>(value, b.scalar(factor), dimsOf(value));
    };
    auto one = [&](auto tag) {
      using Function = typename decltype(tag)::type;
      return Function::create(b.builder, b.loc, x.getType(), x, APFloat(alpha))
          .getResult();
    };
    if (name == "affine")
      return b.binary<nn::AddOp>(times(x, alpha), b.scalar(beta), dimsOf(x));
    if (name == "scaled_tanh")
      return times(b.unary<nn::TanhOp>(times(x, beta)), alpha);
    if (name == "hard_sigmoid")
      return nn::HardSigmoidOp::create(b.builder, b.loc, x.getType(), x,
                                       APFloat(alpha), APFloat(beta));
    if (name == "leaky_relu")
      return one(Tag<nn::LeakyReluOp>());
    if (name == "thresholded_relu")
      return one(Tag<nn::ThresholdedReluOp>());
    if (name == "elu")
      return one(Tag<nn::EluOp>());
    if (name == "sigmoid")
      return b.unary<nn::SigmoidOp>(x);
    if (name == "relu")
      return b.unary<nn::ReluOp>(x);
    if (name == "softsign")
      return b.unary<nn::SoftsignOp>(x);
    if (name == "softplus")
      return b.unary<nn::SoftplusOp>(x);
    return b.unary<nn::TanhOp>(x);
  }

  NNBuilder b;

private:
  template <typename T> struct Tag {
    using type = T;
  };

  Dims form() const { return {samples, hidden}; }

  Value reversed(Value sequence) {
    auto reverse = nn::ReverseSequenceOp::create(
        b.builder, b.loc, sequence.getType(), sequence, op.getLengths(),
        /*time_axis=*/0, /*batch_axis=*/1);
    Value value = decomposeSampling(reverse);
    reverse.erase();
    return value;
  }

  Op op;
  int64_t steps, samples, hidden, gates;
  bool varies = false;
};

} // namespace

SmallVector<Value> transforms::unroll(nn::LstmOp op) {
  Unrolled<nn::LstmOp> layer(op, 4);
  if (!layer.applies(
          {op.getWeight(), op.getRecurrence(), op.getBias(), op.getPeephole()}))
    return {};
  NNBuilder &b = layer.b;
  // Input, output and forget gate, as the peepholes.
  auto peep = [&](Value sum, Value cell, int64_t which) {
    if (!op.getPeephole())
      return sum;
    int64_t hidden = dimsOf(cell)[1];
    Value part = b.slice(op.getPeephole(), 0, which * hidden, hidden, 1);
    return layer.add(sum, layer.mul(cell, part));
  };
  auto step = [&](Value sums, ArrayRef<Value> states) -> SmallVector<Value> {
    Value h = states[0], c = states[1];
    Value all = layer.add(sums, layer.product(h, 0, 4));
    Value input = layer.activate(0, peep(layer.gate(all, 0), c, 0));
    Value forget = op.getInputForget()
                       ? layer.complement(input)
                       : layer.activate(0, peep(layer.gate(all, 2), c, 2));
    Value candidate = layer.activate(1, layer.gate(all, 3));
    c = layer.add(layer.mul(forget, c), layer.mul(input, candidate));
    Value output = layer.activate(0, peep(layer.gate(all, 1), c, 1));
    h = layer.mul(layer.activate(2, c, /*limited=*/false), output);
    return {h, c};
  };
  return layer.run(
      {layer.initial(op.getInitialH()), layer.initial(op.getInitialC())}, step);
}

SmallVector<Value> transforms::unroll(nn::GruOp op) {
  Unrolled<nn::GruOp> layer(op, 3);
  if (!layer.applies({op.getWeight(), op.getRecurrence(), op.getBias(),
                      op.getRecurrentBias()}))
    return {};
  NNBuilder &b = layer.b;
  int64_t hidden = dimsOf(op.getRecurrence())[1];
  auto biased = [&](Value sum, int64_t first, int64_t count) {
    if (!op.getRecurrentBias())
      return sum;
    return layer.add(sum, b.slice(op.getRecurrentBias(), 0, first * hidden,
                                  count * hidden, 1));
  };
  auto step = [&](Value sums, ArrayRef<Value> states) -> SmallVector<Value> {
    Value h = states[0];
    // Update and reset gate.
    Value gates =
        layer.add(layer.gate(sums, 0, 2), biased(layer.product(h, 0, 2), 0, 2));
    gates = layer.activate(0, gates);
    Value update = layer.gate(gates, 0), reset = layer.gate(gates, 1), own;
    if (op.getLinearBeforeReset())
      own = layer.mul(reset, biased(layer.product(h, 2, 1), 2, 1));
    else
      own = biased(layer.product(layer.mul(reset, h), 2, 1), 2, 1);
    Value candidate = layer.activate(1, layer.add(layer.gate(sums, 2), own));
    return {layer.add(layer.mul(layer.complement(update), candidate),
                      layer.mul(update, h))};
  };
  return layer.run({layer.initial(op.getInitialH())}, step);
}

SmallVector<Value> transforms::unroll(nn::RnnOp op) {
  Unrolled<nn::RnnOp> layer(op, 1);
  if (!layer.applies({op.getWeight(), op.getRecurrence(), op.getBias()}))
    return {};
  auto step = [&](Value sums, ArrayRef<Value> states) -> SmallVector<Value> {
    return {layer.activate(0, layer.add(sums, layer.product(states[0], 0, 1)))};
  };
  return layer.run({layer.initial(op.getInitialH())}, step);
}
