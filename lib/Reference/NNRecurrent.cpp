//===- NNRecurrent.cpp - nn.lstm, nn.gru and nn.rnn -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IntegerPlanes.h"
#include "NNOperations.h"

#include "cimc/Support/Gemm.h"

#include "llvm/ADT/StringSwitch.h"

#include <algorithm>

using namespace mlir;

namespace cimc::reference {

namespace {

/// The activation of a gate.
class Activation {
public:
  Activation(StringRef name, float alpha, float beta)
      : name(name), alpha(alpha), beta(beta) {}

  void apply(float *values, int64_t n) const {
    using numerics::Function;
    auto with = [&](Function function) {
      numerics::applyToAll(function, values, values, n, alpha, beta);
    };
    auto each = [&](auto fn) {
      std::transform(values, values + n, values, fn);
    };
    if (name == "affine")
      return each([&](float x) { return alpha * x + beta; });
    if (name == "scaled_tanh") {
      each([&](float x) { return beta * x; });
      with(Function::Tanh);
      return each([&](float x) { return alpha * x; });
    }
    with(llvm::StringSwitch<Function>(name)
             .Case("sigmoid", Function::Sigmoid)
             .Case("relu", Function::Relu)
             .Case("leaky_relu", Function::LeakyRelu)
             .Case("thresholded_relu", Function::ThresholdedRelu)
             .Case("hard_sigmoid", Function::HardSigmoid)
             .Case("elu", Function::Elu)
             .Case("softsign", Function::Softsign)
             .Case("softplus", Function::Softplus)
             .Default(Function::Tanh));
  }

private:
  StringRef name;
  float alpha, beta;
};

/// The matrix of all gates, [columns, k]: fp32, or integers (rule R14).
struct GateMatrix {
  const float *real = nullptr;
  std::vector<int16_t> integers;
  const Quantization *quantization = nullptr;

  /// to[rows][columns] = a[rows][k] * matrix[first .. first + columns][k]^T
  void multiply(const float *a, int64_t rows, int64_t first, int64_t columns,
                int64_t k, float *to) const {
    if (real) {
      gemm(rows, columns, k, MatrixRef<const float>{a, k, 1},
           MatrixRef<const float>{real + first * k, 1, k},
           MatrixRef<float>{to, columns, 1});
      return;
    }
    std::vector<int16_t> x(rows * k);
    std::vector<int32_t> sums(rows * columns);
    float step = quantizeSet(a, rows * k, numerics::kSignedLevels, x.data());
    gemm(rows, columns, k, MatrixRef<const int16_t>{x.data(), k, 1},
         MatrixRef<const int16_t>{integers.data() + first * k, 1, k},
         MatrixRef<int32_t>{sums.data(), columns, 1});
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        to[i * columns + j] = numerics::combineByStep(
            sums[i * columns + j], step, quantization->scale(first + j), 0.0f);
  }
};

/// One layer while it runs; the gates of all samples side by side.
struct Layer {
  int64_t steps, samples, inputs, hidden, gates;
  const float *x;
  GateMatrix weight, recurrence;
  const float *bias = nullptr;
  std::vector<int64_t> lengths;
  std::vector<Activation> activations;
  float clip = 0;
  bool reverse = false;
  /// samples x hidden.
  std::vector<float> h;
  HostTensor result;

  int64_t width() const { return gates * hidden; }

  /// Limits a sum before its activation.
  void activate(size_t which, float *values, int64_t n) const {
    if (clip > 0)
      for (int64_t i = 0; i < n; ++i)
        values[i] = std::clamp(values[i], -clip, clip);
    activations[which].apply(values, n);
  }

  /// Calls step(sample, row of x, gate sums of x and bias) for every step of
  /// the longest sequence. `sums` holds W x + b of all samples; a step returns
  /// the new state of a sample in `h`.
  template <typename Fn> void run(Fn step) {
    std::vector<float> sums(samples * width());
    std::vector<float> rows(samples * inputs);
    for (int64_t t = 0; t < steps; ++t) {
      // Samples of different lengths read different rows when reversed.
      for (int64_t s = 0; s < samples; ++s) {
        const float *from = x + (rowOf(s, t) * samples + s) * inputs;
        std::copy_n(from, inputs, rows.data() + s * inputs);
      }
      weight.multiply(rows.data(), samples, 0, width(), inputs, sums.data());
      if (bias)
        for (int64_t s = 0; s < samples; ++s)
          for (int64_t i = 0; i < width(); ++i)
            sums[s * width() + i] += bias[i];
      step(t, sums.data());
    }
  }

  bool active(int64_t sample, int64_t t) const { return t < lengths[sample]; }
  /// The row of the sequence that step t of a sample reads and writes.
  int64_t rowOf(int64_t sample, int64_t t) const {
    return reverse && active(sample, t) ? lengths[sample] - 1 - t : t;
  }
  /// Takes the new state of a sample.
  void store(int64_t sample, int64_t t, const float *state) {
    std::copy_n(state, hidden, h.data() + sample * hidden);
    std::copy_n(state, hidden,
                result.as<float>() +
                    (rowOf(sample, t) * samples + sample) * hidden);
  }
};

template <typename OpT>
Result<Layer> readLayer(OpT op, Operands in, ArrayRef<TensorInfo> out,
                        int64_t gates,
                        llvm::function_ref<const Operand *(Value)> operandOf) {
  for (const Operand &operand : in)
    if (!operand.info.isFloat() && operand.info.dtype != DType::I32 &&
        &operand != &in[1] && &operand != &in[2])
      return failure(op, "is computed in float32 only");
  Layer layer;
  layer.steps = in[0].info.shape[0];
  layer.samples = in[0].info.shape[1];
  layer.inputs = in[0].info.shape[2];
  layer.hidden = in[2].info.shape[1];
  layer.gates = gates;
  layer.x = in[0].as<float>();
  for (auto [matrix, operand] : {std::pair{&layer.weight, &in[1]},
                                 std::pair{&layer.recurrence, &in[2]}}) {
    if (operand->info.isFloat()) {
      matrix->real = operand->template as<float>();
      continue;
    }
    if (!operand->info.quant ||
        (operand->info.quant->perAxis() && operand->info.quant->axis != 0))
      return failure(op, "takes weights in f32, or integers with a scale for "
                         "the tensor or for each row");
    std::vector<IntegerPlane> planes = integerPlanes(*operand);
    if (planes.size() != 1)
      return failure(op, "takes integer weights of at most 15 bits");
    matrix->integers = std::move(planes.front().values);
    matrix->quantization = &*operand->info.quant;
  }
  if (const Operand *bias = operandOf(op.getBias()))
    layer.bias = bias->as<float>();
  layer.lengths.assign(layer.samples, layer.steps);
  if (const Operand *lengths = operandOf(op.getLengths()))
    for (int64_t s = 0; s < layer.samples; ++s) {
      layer.lengths[s] = lengths->as<int32_t>()[s];
      if (layer.lengths[s] < 0 || layer.lengths[s] > layer.steps)
        return failure(op,
                       "sample " + std::to_string(s) + " has the length " +
                           std::to_string(layer.lengths[s]) +
                           ", but there are " + std::to_string(layer.steps) +
                           " steps",
                       ExitCode::InvalidInput);
    }
  ArrayRef<float> alpha = op.getAlpha(), beta = op.getBeta();
  for (auto [i, name] :
       llvm::enumerate(op.getActivations().template getAsRange<StringAttr>()))
    layer.activations.emplace_back(name.getValue(),
                                   alpha.empty() ? 0.0f : alpha[i],
                                   beta.empty() ? 0.0f : beta[i]);
  layer.clip = op.getClip().convertToFloat();
  layer.reverse = op.getReverse();
  layer.h.assign(layer.samples * layer.hidden, 0.0f);
  if (const Operand *initial = operandOf(op.getInitialH()))
    std::copy_n(initial->as<float>(), layer.h.size(), layer.h.data());
  layer.result = HostTensor(DType::F32, out[0].shape);
  return layer;
}

/// Finds the operand that stands for a value of the operation.
auto operandFinder(Operation *op, Operands in) {
  return [op, in](Value value) -> const Operand * {
    for (auto [i, operand] : llvm::enumerate(op->getOperands()))
      if (value && operand == value)
        return &in[i];
    return nullptr;
  };
}

HostTensor stateTensor(const std::vector<float> &values,
                       const TensorInfo &info) {
  HostTensor tensor(DType::F32, info.shape);
  std::copy(values.begin(), values.end(), tensor.as<float>());
  return tensor;
}

} // namespace

/// The formulas of the operation, step by step, gates i, o, f, c.
static EvaluatedAll lstm(nn::LstmOp op, Operands in, ArrayRef<TensorInfo> out) {
  auto operandOf = operandFinder(op, in);
  Result<Layer> read = readLayer(op, in, out, 4, operandOf);
  if (!read)
    return read.takeError();
  Layer &layer = *read;
  int64_t n = layer.hidden;
  std::vector<float> c(layer.h.size(), 0.0f);
  if (const Operand *initial = operandOf(op.getInitialC()))
    std::copy_n(initial->as<float>(), c.size(), c.data());
  const Operand *peephole = operandOf(op.getPeephole());
  std::vector<float> fromState(layer.samples * layer.width()), state(n);
  layer.run([&](int64_t t, float *sums) {
    layer.recurrence.multiply(layer.h.data(), layer.samples, 0, layer.width(),
                              n, fromState.data());
    for (int64_t s = 0; s < layer.samples; ++s) {
      if (!layer.active(s, t))
        continue;
      float *gate = sums + s * layer.width(), *cell = c.data() + s * n;
      for (int64_t i = 0; i < layer.width(); ++i)
        gate[i] += fromState[s * layer.width() + i];
      float *input = gate, *output = gate + n, *forget = gate + 2 * n,
            *candidate = gate + 3 * n;
      auto peep = [&](float *to, int64_t which) {
        for (int64_t i = 0; peephole && i < n; ++i)
          to[i] += peephole->as<float>()[which * n + i] * cell[i];
      };
      peep(input, 0);
      peep(forget, 2);
      layer.activate(0, input, n);
      if (op.getInputForget())
        for (int64_t i = 0; i < n; ++i)
          forget[i] = 1 - input[i];
      else
        layer.activate(0, forget, n);
      layer.activate(1, candidate, n);
      for (int64_t i = 0; i < n; ++i)
        cell[i] = forget[i] * cell[i] + input[i] * candidate[i];
      peep(output, 1);
      layer.activate(0, output, n);
      std::copy_n(cell, n, state.data());
      layer.activations[2].apply(state.data(), n);
      for (int64_t i = 0; i < n; ++i)
        state[i] *= output[i];
      layer.store(s, t, state.data());
    }
  });
  std::vector<HostTensor> results;
  results.push_back(std::move(layer.result));
  results.push_back(stateTensor(layer.h, out[1]));
  results.push_back(stateTensor(c, out[2]));
  return results;
}

/// The formulas of the operation, step by step, gates z, r, n.
static EvaluatedAll gru(nn::GruOp op, Operands in, ArrayRef<TensorInfo> out) {
  auto operandOf = operandFinder(op, in);
  Result<Layer> read = readLayer(op, in, out, 3, operandOf);
  if (!read)
    return read.takeError();
  Layer &layer = *read;
  int64_t n = layer.hidden, width = layer.width(), samples = layer.samples;
  std::vector<float> offset(width, 0.0f);
  if (const Operand *bias = operandOf(op.getRecurrentBias()))
    std::copy_n(bias->as<float>(), width, offset.data());
  std::vector<float> fromState(samples * width), reset(samples * n),
      hidden(samples * n), state(n);
  layer.run([&](int64_t t, float *sums) {
    layer.recurrence.multiply(layer.h.data(), samples, 0, width, n,
                              fromState.data());
    for (int64_t s = 0; s < samples; ++s) {
      float *gate = sums + s * width, *own = fromState.data() + s * width;
      for (int64_t i = 0; i < width; ++i)
        own[i] += offset[i];
      for (int64_t i = 0; i < 2 * n; ++i)
        gate[i] += own[i];
      layer.activate(0, gate, 2 * n);
      for (int64_t i = 0; i < n; ++i)
        reset[s * n + i] = gate[n + i] * layer.h[s * n + i];
    }
    if (!op.getLinearBeforeReset())
      layer.recurrence.multiply(reset.data(), samples, 2 * n, n, n,
                                hidden.data());
    for (int64_t s = 0; s < samples; ++s) {
      if (!layer.active(s, t))
        continue;
      float *update = sums + s * width, *candidate = update + 2 * n;
      const float *own = fromState.data() + s * width;
      for (int64_t i = 0; i < n; ++i)
        candidate[i] += op.getLinearBeforeReset()
                            ? update[n + i] * own[2 * n + i]
                            : hidden[s * n + i] + offset[2 * n + i];
      layer.activate(1, candidate, n);
      for (int64_t i = 0; i < n; ++i)
        state[i] =
            (1 - update[i]) * candidate[i] + update[i] * layer.h[s * n + i];
      layer.store(s, t, state.data());
    }
  });
  std::vector<HostTensor> results;
  results.push_back(std::move(layer.result));
  results.push_back(stateTensor(layer.h, out[1]));
  return results;
}

/// The formula of the operation, step by step.
static EvaluatedAll rnn(nn::RnnOp op, Operands in, ArrayRef<TensorInfo> out) {
  auto operandOf = operandFinder(op, in);
  Result<Layer> read = readLayer(op, in, out, 1, operandOf);
  if (!read)
    return read.takeError();
  Layer &layer = *read;
  int64_t n = layer.hidden;
  std::vector<float> fromState(layer.samples * n);
  layer.run([&](int64_t t, float *sums) {
    layer.recurrence.multiply(layer.h.data(), layer.samples, 0, n, n,
                              fromState.data());
    for (int64_t s = 0; s < layer.samples; ++s) {
      if (!layer.active(s, t))
        continue;
      for (int64_t i = 0; i < n; ++i)
        sums[s * n + i] += fromState[s * n + i];
      layer.activate(0, sums + s * n, n);
      layer.store(s, t, sums + s * n);
    }
  });
  std::vector<HostTensor> results;
  results.push_back(std::move(layer.result));
  results.push_back(stateTensor(layer.h, out[1]));
  return results;
}

std::optional<EvaluatedAll> evaluateRecurrent(Operation *op, Operands in,
                                              Outputs out) {
  return Family{op, in, out}
      .add<nn::LstmOp>(lstm)
      .add<nn::GruOp>(gru)
      .add<nn::RnnOp>(rnn)
      .take();
}

} // namespace cimc::reference
