//===- RecurrentOps.cpp - LSTM, GRU and RNN -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Build.h"

#include "llvm/ADT/StringSwitch.h"

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

namespace {

/// Activation functions as operators name them, with the values that a missing
/// activation_alpha or activation_beta stands for.
struct KnownActivation {
  const char *onnx, *name;
  float alpha, beta;
};
constexpr KnownActivation kActivations[] = {
    {"Relu", "relu", 0, 0},
    {"Tanh", "tanh", 0, 0},
    {"Sigmoid", "sigmoid", 0, 0},
    {"Affine", "affine", 1, 0},
    {"LeakyRelu", "leaky_relu", 0.01f, 0},
    {"ThresholdedRelu", "thresholded_relu", 1, 0},
    {"ScaledTanh", "scaled_tanh", 1, 1},
    {"HardSigmoid", "hard_sigmoid", 0.2f, 0.5f},
    {"Elu", "elu", 1, 0},
    {"Softsign", "softsign", 0, 0},
    {"Softplus", "softplus", 0, 0},
};

/// A recurrent operator: what its directions share.
class Layer {
public:
  Layer(Node &node, int64_t gates, ArrayRef<const char *> defaults)
      : node(node), gates(gates) {
    // Says before version 7 whether the first output is wanted; its name does.
    if (node.opset < 7)
      node.ignore("output_sequence");
    Shape input = node.shape(0), recurrence = node.shape(2);
    if (input.size() != 3 || recurrence.size() != 3)
      failInvalid("the input {} and the recurrence {} must have 3 axes",
                  shapeString(input), shapeString(recurrence));
    directions = recurrence[0];
    hidden = recurrence[2];
    std::string direction = node.getString("direction", "forward");
    if (direction != "forward" && direction != "reverse" &&
        direction != "bidirectional")
      failInvalid("direction is '{}'; forward, reverse and bidirectional exist",
                  direction);
    if (directions != (direction == "bidirectional" ? 2 : 1))
      failInvalid("the recurrence {} has {} directions, but direction is {}",
                  shapeString(recurrence), directions, direction);
    reversed = direction == "reverse";
    if (int64_t stated = node.getInt("hidden_size", hidden); stated != hidden)
      failInvalid("hidden_size is {}, but the recurrence is {}", stated,
                  shapeString(recurrence));
    batchFirst = node.getInt("layout", 0);
    clip = node.getFloat("clip", 0);
    readActivations(defaults);
    Value x = node.real(0);
    sequence = batchFirst ? transpose(node, x, {1, 0, 2}) : x;
    if (node.hasInput(4)) {
      lengths = node.value(4);
      if (!elementType(lengths).isInteger(32))
        failInvalid("the sequence lengths '{}' must be int32",
                    node.inputName(4));
      // Lengths that change nothing are left out.
      if (const Constant *c = node.constant(4)) {
        bool full = true;
        for (int64_t i = 0; i < c->size(); ++i)
          full &= integerAt(*c, i) == shapeOf(sequence)[0];
        if (full)
          lengths = nullptr;
      }
    }
  }

  /// Part `d` of an operand with an axis for directions, without that axis;
  /// null where the node has no such operand.
  Value part(size_t i, int64_t d) {
    if (!node.hasInput(i))
      return nullptr;
    Shape shape = node.shape(i);
    if (shape.empty() || shape[0] != directions)
      failInvalid("'{}' of shape {} must have {} directions", node.inputName(i),
                  shapeString(shape), directions);
    Value value = slice(node, node.real(i), 0, d, 1);
    shape.erase(shape.begin());
    return node.reshape(value, shape);
  }

  /// An initial state: [directions, samples, H], samples first with layout 1.
  Value state(size_t i, int64_t d) {
    if (!node.hasInput(i))
      return nullptr;
    Shape shape = node.shape(i);
    int64_t axis = batchFirst ? 1 : 0;
    if (shape.size() != 3 || shape[axis] != directions)
      failInvalid("the state '{}' of shape {} must have 3 axes and {} "
                  "directions",
                  node.inputName(i), shapeString(shape), directions);
    Value value = slice(node, node.real(i), axis, d, 1);
    shape.erase(shape.begin() + axis);
    return node.reshape(value, shape);
  }

  /// The two halves of the bias of direction d.
  std::pair<Value, Value> biases(int64_t d) {
    Value both = part(3, d);
    if (!both)
      return {nullptr, nullptr};
    int64_t n = gates * hidden;
    if (shapeOf(both) != Shape{2 * n})
      failInvalid("the bias '{}' of shape {} must be {}x{}", node.inputName(3),
                  shapeString(node.shape(3)), directions, 2 * n);
    return {slice(node, both, 0, 0, n), slice(node, both, 0, n, n)};
  }
  Value sumOfBiases(int64_t d) {
    auto [first, second] = biases(d);
    return first ? add(node, first, second) : nullptr;
  }

  /// Emits direction d. Absent operands are null.
  template <typename OpT>
  void emit(int64_t d, ArrayRef<Value> operands,
            SmallVector<NamedAttribute> attributes, size_t results) {
    SmallVector<Value> given;
    SmallVector<int32_t> segments;
    for (Value operand : operands) {
      segments.push_back(operand ? 1 : 0);
      if (operand)
        given.push_back(operand);
    }
    OpBuilder &b = node.builder();
    size_t count = activations.size() / directions;
    auto own = [&](const auto &all) {
      return ArrayRef(all).slice(d * count, count);
    };
    attributes.push_back(b.getNamedAttr("operandSegmentSizes",
                                        b.getDenseI32ArrayAttr(segments)));
    attributes.push_back(
        b.getNamedAttr("activations", b.getStrArrayAttr(own(activations))));
    attributes.push_back(
        b.getNamedAttr("alpha", b.getDenseF32ArrayAttr(own(alpha))));
    attributes.push_back(
        b.getNamedAttr("beta", b.getDenseF32ArrayAttr(own(beta))));
    if (clip != 0)
      attributes.push_back(node.attr("clip", clip));
    if (reversed || d == 1)
      attributes.push_back(node.unit("reverse"));
    SmallVector<Type> types(results, node.f32());
    perDirection.push_back(node.emitAll<OpT>(types, given, attributes));
  }

  /// Joins the directions: Y is [T, D, B, H] and states are [D, B, H], with
  /// layout 1 [B, T, D, H] and [B, D, H].
  void finish() {
    size_t results = perDirection.front().size();
    for (size_t r = 0; r < results; ++r) {
      if (!node.hasOutput(r))
        continue;
      SmallVector<Value> parts;
      int64_t axis = r == 0 ? (batchFirst ? 2 : 1) : (batchFirst ? 1 : 0);
      for (SmallVector<Value> &direction : perDirection) {
        Value value = direction[r];
        if (r == 0 && batchFirst)
          value = transpose(node, value, {1, 0, 2});
        Shape shape = shapeOf(value);
        shape.insert(shape.begin() + axis, 1);
        parts.push_back(node.reshape(value, shape));
      }
      node.setResult(concat(node, parts, axis), r);
    }
  }

  Node &node;
  int64_t gates, directions, hidden;
  Value sequence, lengths;

private:
  void readActivations(ArrayRef<const char *> defaults) {
    std::vector<std::string> names;
    for (int64_t d = 0; d < directions; ++d)
      names.insert(names.end(), defaults.begin(), defaults.end());
    if (const onnx::AttributeProto *given = node.getAttribute("activations")) {
      names.assign(given->strings().begin(), given->strings().end());
      if (names.size() != defaults.size() * directions)
        failInvalid("there are {} activations; {} directions need {}",
                    names.size(), directions, defaults.size() * directions);
    }
    // Given values belong to the activations that take one, in order.
    auto values = [&](const char *attribute) {
      const onnx::AttributeProto *a = node.getAttribute(attribute);
      return a ? std::vector<float>(a->floats().begin(), a->floats().end())
               : std::vector<float>();
    };
    std::vector<float> givenAlpha = values("activation_alpha");
    std::vector<float> givenBeta = values("activation_beta");
    size_t nextAlpha = 0, nextBeta = 0;
    for (const std::string &name : names) {
      const KnownActivation *known =
          llvm::find_if(kActivations, [&](const KnownActivation &candidate) {
            return StringRef(candidate.onnx).equals_insensitive(name);
          });
      if (known == std::end(kActivations))
        failInvalid("the activation '{}' does not exist", name);
      StringRef own = known->name;
      bool hasAlpha = own == "affine" || own == "leaky_relu" ||
                      own == "thresholded_relu" || own == "scaled_tanh" ||
                      own == "hard_sigmoid" || own == "elu";
      bool hasBeta =
          own == "affine" || own == "scaled_tanh" || own == "hard_sigmoid";
      activations.push_back(own);
      alpha.push_back(hasAlpha && nextAlpha < givenAlpha.size()
                          ? givenAlpha[nextAlpha++]
                          : known->alpha);
      beta.push_back(hasBeta && nextBeta < givenBeta.size()
                         ? givenBeta[nextBeta++]
                         : known->beta);
    }
  }

  bool reversed = false, batchFirst = false;
  float clip = 0;
  SmallVector<StringRef> activations;
  SmallVector<float> alpha, beta;
  SmallVector<SmallVector<Value>> perDirection;
};

} // namespace

void onnx_import::importLSTM(Node &node) {
  Layer layer(node, 4, {"Sigmoid", "Tanh", "Tanh"});
  SmallVector<NamedAttribute> attributes;
  if (node.getInt("input_forget", 0))
    attributes.push_back(node.unit("input_forget"));
  for (int64_t d = 0; d < layer.directions; ++d)
    layer.emit<nn::LstmOp>(d,
                           {layer.sequence, layer.part(1, d), layer.part(2, d),
                            layer.sumOfBiases(d), layer.lengths,
                            layer.state(5, d), layer.state(6, d),
                            layer.part(7, d)},
                           attributes, 3);
  layer.finish();
}

void onnx_import::importGRU(Node &node) {
  Layer layer(node, 3, {"Sigmoid", "Tanh"});
  SmallVector<NamedAttribute> attributes;
  if (node.getInt("linear_before_reset", 0))
    attributes.push_back(node.unit("linear_before_reset"));
  for (int64_t d = 0; d < layer.directions; ++d) {
    auto [bias, recurrentBias] = layer.biases(d);
    layer.emit<nn::GruOp>(d,
                          {layer.sequence, layer.part(1, d), layer.part(2, d),
                           bias, recurrentBias, layer.lengths,
                           layer.state(5, d)},
                          attributes, 2);
  }
  layer.finish();
}

void onnx_import::importRNN(Node &node) {
  Layer layer(node, 1, {"Tanh"});
  for (int64_t d = 0; d < layer.directions; ++d)
    layer.emit<nn::RnnOp>(d,
                          {layer.sequence, layer.part(1, d), layer.part(2, d),
                           layer.sumOfBiases(d), layer.lengths,
                           layer.state(5, d)},
                          {}, 2);
  layer.finish();
}
