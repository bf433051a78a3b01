//===- RandomNetwork.cpp - small quantized networks as text -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RandomNetwork.h"

#include <algorithm>
#include <cstdio>

namespace cimc::test {
namespace {

std::string list(const std::vector<int64_t> &values) {
  std::string text = "array<i64";
  for (size_t i = 0; i < values.size(); ++i)
    text += (i ? ", " : ": ") + std::to_string(values[i]);
  return text + ">";
}

std::string dims(const std::vector<int64_t> &shape) {
  std::string text;
  for (int64_t size : shape)
    text += std::to_string(size) + "x";
  return text;
}

} // namespace

std::string Tensor::type() const {
  return "tensor<" + dims(shape) + element + ">";
}

std::string RandomNetwork::scale() {
  // Powers of two make ties; others do not.
  static const char *const kScales[] = {"0.5",  "0.25",  "0.125",
                                        "0.03", "0.071", "0.0117"};
  return kScales[pick(0, 5)];
}

std::string RandomNetwork::weightScale() {
  // Small, so that sums of many products do not all saturate.
  static const char *const kScales[] = {"0.001953125", "0.0009765625", "0.0013",
                                        "0.00071"};
  return kScales[pick(0, 3)];
}

std::string RandomNetwork::quantized() {
  bool isUnsigned = pick(0, 2) == 0;
  int64_t zero = isUnsigned ? pick(0, 255) : pick(-128, 127);
  return std::string("!quant.uniform<") + (isUnsigned ? "u8" : "i8") +
         ":f32, " + scale() + ":" + std::to_string(zero) + ">";
}

std::string RandomNetwork::dense(std::vector<int64_t> shape, int64_t low,
                                 int64_t high, const std::string &element) {
  int64_t size = 1;
  for (int64_t extent : shape)
    size *= extent;
  // A hexadecimal string is the shortest form of many bytes.
  std::string text = "dense<\"0x";
  int64_t width = element == "i32" ? 4 : 1;
  for (int64_t i = 0; i < size; ++i) {
    auto value = static_cast<uint32_t>(pick(low, high));
    for (int64_t b = 0; b < width; ++b) {
      char digits[3];
      std::snprintf(digits, sizeof(digits), "%02X", (value >> (8 * b)) & 255);
      text += digits;
    }
  }
  return text + "\"> : tensor<" + dims(shape) + element + ">";
}

Tensor RandomNetwork::add(const std::string &op,
                          const std::vector<Tensor> &operands,
                          const std::string &attributes,
                          std::vector<int64_t> shape,
                          const std::string &element) {
  Tensor result{"%v" + std::to_string(count++), std::move(shape),
                element.empty() ? quantized() : element};
  std::string names, types;
  for (const Tensor &operand : operands) {
    names += (names.empty() ? "" : ", ") + operand.name;
    types += (types.empty() ? "" : ", ") + operand.type();
  }
  body += "  " + result.name + " = nn." + op + " " + names + " {" + attributes +
          "} : (" + types + ") -> " + result.type() + "\n";
  return result;
}

Tensor RandomNetwork::argument(std::vector<int64_t> shape) {
  args.push_back(
      {"%a" + std::to_string(args.size()), std::move(shape), quantized()});
  return args.back();
}

Tensor RandomNetwork::constant(std::vector<int64_t> shape) {
  Tensor result{"%v" + std::to_string(count++), shape, quantized()};
  body += "  " + result.name + " = nn.constant " + dense(shape, 0, 255, "i8") +
          " : " + result.type() + "\n";
  return result;
}

Tensor RandomNetwork::conv(const Tensor &x, int64_t outputs, int64_t group) {
  size_t spatial = x.shape.size() - 2;
  std::vector<int64_t> weightShape = {outputs, x.shape[1] / group};
  std::vector<int64_t> strides, dilations, pads(2 * spatial),
      shape = {x.shape[0], outputs};
  for (size_t i = 0; i < spatial; ++i) {
    int64_t size = x.shape[2 + i];
    int64_t kernel = std::min<int64_t>(pick(1, 3), size);
    int64_t dilation = (kernel - 1) * 2 + 1 <= size ? pick(1, 2) : 1;
    int64_t extent = (kernel - 1) * dilation + 1;
    weightShape.push_back(kernel);
    strides.push_back(pick(1, 3));
    dilations.push_back(dilation);
    pads[i] = pick(0, extent - 1);
    pads[spatial + i] = pick(0, extent - 1);
    shape.push_back(
        (size + pads[i] + pads[spatial + i] - extent) / strides.back() + 1);
  }
  bool perChannel = pick(0, 1);
  Tensor w{"%v" + std::to_string(count++), weightShape,
           "!quant.uniform<i8:f32"};
  if (perChannel) {
    w.element += ":0, {";
    for (int64_t n = 0; n < outputs; ++n)
      w.element += (n ? ", " : "") + weightScale();
    w.element += "}>";
  } else {
    w.element += ", " + weightScale() + ">";
  }
  body += "  " + w.name + " = nn.constant " +
          dense(weightShape, -128, 127, "i8") + " : " + w.type() + "\n";
  std::vector<Tensor> operands = {x, w};
  if (pick(0, 1)) {
    Tensor b{"%v" + std::to_string(count++),
             {outputs},
             "!quant.uniform<i32:f32, 0.001>"};
    body += "  " + b.name + " = nn.constant " +
            dense({outputs}, -20000, 20000, "i32") + " : " + b.type() + "\n";
    operands.push_back(b);
  }
  return add("conv", operands,
             "strides = " + list(strides) + ", pads = " + list(pads) +
                 ", dilations = " + list(dilations) +
                 ", group = " + std::to_string(group) + " : i64",
             shape);
}

Tensor RandomNetwork::matmul(const Tensor &x, int64_t columns) {
  bool transposed = pick(0, 1);
  int64_t k = x.shape.back();
  std::vector<int64_t> shape = x.shape, weightShape = {k, columns};
  shape.back() = columns;
  if (transposed)
    std::swap(weightShape[0], weightShape[1]);
  Tensor w{"%v" + std::to_string(count++), weightShape,
           "!quant.uniform<i8:f32, " + weightScale() + ">"};
  body += "  " + w.name + " = nn.constant " +
          dense(weightShape, -128, 127, "i8") + " : " + w.type() + "\n";
  return add("matmul", {x, w}, transposed ? "transpose_b" : "", shape);
}

Tensor RandomNetwork::unsignedMatmul(const Tensor &x, int64_t columns) {
  int64_t k = x.shape.back();
  std::vector<int64_t> shape = x.shape, weightShape = {k, columns};
  shape.back() = columns;
  // Without their zero points the weights go from -255 to 255.
  Tensor w{"%v" + std::to_string(count++), weightShape,
           "!quant.uniform<u8:f32:1, {"};
  for (int64_t n = 0; n < columns; ++n)
    w.element += (n ? ", " : "") + weightScale() + ":" +
                 std::to_string(n == 0   ? 0
                                : n == 1 ? 255
                                         : pick(0, 255));
  w.element += "}>";
  body += "  " + w.name + " = nn.constant " + dense(weightShape, 0, 255, "i8") +
          " : " + w.type() + "\n";
  return add("matmul", {x, w}, "", shape);
}

Tensor RandomNetwork::leftMatmul(const Tensor &x, int64_t columns) {
  size_t rank = x.shape.size();
  std::vector<int64_t> shape = x.shape;
  shape[rank - 2] = columns;
  Tensor w{"%v" + std::to_string(count++),
           {columns, x.shape[rank - 2]},
           "!quant.uniform<i8:f32, " + weightScale() + ">"};
  body += "  " + w.name + " = nn.constant " + dense(w.shape, -128, 127, "i8") +
          " : " + w.type() + "\n";
  return add("matmul", {w, x}, "", shape);
}

Tensor RandomNetwork::matmul(const Tensor &a, const Tensor &b, bool transposeB,
                             std::vector<int64_t> shape) {
  return add("matmul", {a, b}, transposeB ? "transpose_b" : "", shape);
}

Tensor RandomNetwork::binary(const std::string &op, const Tensor &a,
                             const Tensor &b) {
  size_t rank = std::max(a.shape.size(), b.shape.size());
  std::vector<int64_t> shape(rank, 1);
  for (const Tensor *t : {&a, &b})
    for (size_t i = 0; i < t->shape.size(); ++i) {
      int64_t &size = shape[rank - t->shape.size() + i];
      size = std::max(size, t->shape[i]);
    }
  return add(op, {a, b}, "", shape);
}

Tensor RandomNetwork::unary(const std::string &op, const Tensor &x) {
  std::string attributes;
  if (op == "leaky_relu")
    attributes = "alpha = 0.1 : f32";
  if (op == "clip")
    attributes = "min = -1.0 : f32, max = 1.5 : f32";
  return add(op, {x}, attributes, x.shape);
}

Tensor RandomNetwork::pool(const std::string &op, const Tensor &x) {
  size_t spatial = x.shape.size() - 2;
  std::vector<int64_t> kernel, strides, pads(2 * spatial),
      shape = {1, x.shape[1]};
  for (size_t i = 0; i < spatial; ++i) {
    int64_t size = x.shape[2 + i];
    kernel.push_back(std::min<int64_t>(pick(1, 3), size));
    strides.push_back(pick(1, 2));
    pads[i] = pick(0, kernel.back() - 1);
    pads[spatial + i] = pick(0, kernel.back() - 1);
    shape.push_back((size + pads[i] + pads[spatial + i] - kernel.back()) /
                        strides.back() +
                    1);
  }
  std::string attributes =
      "kernel = " + list(kernel) + ", strides = " + list(strides) +
      ", pads = " + list(pads) +
      ", dilations = " + list(std::vector<int64_t>(spatial, 1));
  if (op == "avg_pool" && pick(0, 1))
    attributes += ", count_include_pad";
  return add(op, {x}, attributes, shape,
             op == "max_pool" && pick(0, 1) ? x.element : "");
}

Tensor RandomNetwork::globalPool(const Tensor &x) {
  std::vector<int64_t> shape(x.shape.size(), 1);
  shape[1] = x.shape[1];
  return add("global_avg_pool", {x}, "", shape);
}

Tensor RandomNetwork::softmax(const Tensor &x, int64_t axis) {
  return add("softmax", {x}, "axis = " + std::to_string(axis) + " : i64",
             x.shape);
}

Tensor RandomNetwork::reshape(const Tensor &x, std::vector<int64_t> shape) {
  return add("reshape", {x}, "", std::move(shape), x.element);
}

Tensor RandomNetwork::transpose(const Tensor &x, std::vector<int64_t> perm) {
  std::vector<int64_t> shape;
  for (int64_t axis : perm)
    shape.push_back(x.shape[axis]);
  return add("transpose", {x}, "perm = " + list(perm), shape, x.element);
}

Tensor RandomNetwork::concat(const Tensor &a, const Tensor &b, int64_t axis) {
  std::vector<int64_t> shape = a.shape;
  shape[axis] += b.shape[axis];
  return add("concat", {a, b}, "axis = " + std::to_string(axis) + " : i64",
             shape);
}

Tensor RandomNetwork::pad(const Tensor &x) {
  std::vector<int64_t> low(x.shape.size(), 0), high(x.shape.size(), 0);
  std::vector<int64_t> shape = x.shape;
  for (size_t i = 1; i < shape.size(); ++i) {
    low[i] = pick(0, 2);
    high[i] = pick(0, 2);
    shape[i] += low[i] + high[i];
  }
  return add("pad", {x},
             "low = " + list(low) + ", high = " + list(high) +
                 ", value = 0.5 : f32",
             shape, x.element);
}

Tensor RandomNetwork::slice(const Tensor &x) {
  std::vector<int64_t> starts, sizes, steps;
  for (int64_t size : x.shape) {
    if (pick(0, 3) == 0) {
      starts.push_back(size - 1);
      sizes.push_back(size);
      steps.push_back(-1);
      continue;
    }
    int64_t start = pick(0, size - 1), step = pick(1, 2);
    starts.push_back(start);
    steps.push_back(step);
    sizes.push_back((size - 1 - start) / step + 1);
  }
  return add("slice", {x},
             "starts = " + list(starts) + ", sizes = " + list(sizes) +
                 ", steps = " + list(steps),
             sizes, x.element);
}

Tensor RandomNetwork::step(const Tensor &x) {
  int64_t channels = x.shape[1];
  static const char *const kUnary[] = {"relu",       "sigmoid", "tanh",
                                       "leaky_relu", "clip",    "hard_swish"};
  static const char *const kBinary[] = {"add", "mul", "sub", "max", "min"};
  switch (pick(0, 14)) {
  case 0:
  case 1:
  case 2:
    return conv(x, pick(1, 19), 1);
  case 3:
    return conv(x, channels * pick(1, 2), channels);
  case 4:
    return channels % 2 ? conv(x, 5, 1) : conv(x, 6, 2);
  case 5:
    return unary(kUnary[pick(0, 5)], x);
  case 6:
    return binary(kBinary[pick(0, 4)], x, constant({1, channels, 1, 1}));
  case 7:
    return binary(kBinary[pick(0, 4)], constant({x.shape[3]}), x);
  case 8:
    return binary(kBinary[pick(0, 4)], x, unary("relu", x));
  case 9:
    return pool("max_pool", x);
  case 10:
    return pool("avg_pool", x);
  case 11:
    return concat(x, unary("sigmoid", x), pick(1, 3));
  case 12:
    return pad(x);
  case 13:
    return binary("mul", x, unary("sigmoid", globalPool(x)));
  default:
    return slice(x);
  }
}

std::string RandomNetwork::text(const std::vector<Tensor> &results) const {
  std::string text = "func.func @main(";
  for (size_t i = 0; i < args.size(); ++i)
    text += (i ? ", " : "") + args[i].name + ": " + args[i].type();
  text += ") -> (";
  std::string names, types;
  for (size_t i = 0; i < results.size(); ++i) {
    names += (i ? ", " : "") + results[i].name;
    types += (i ? ", " : "") + results[i].type();
  }
  return text + types + ") {\n" + body + "  return " + names + " : " + types +
         "\n}\n";
}

} // namespace cimc::test
