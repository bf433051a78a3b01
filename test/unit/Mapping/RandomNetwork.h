//===- RandomNetwork.h - small quantized networks as text -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_TEST_UNIT_MAPPING_RANDOMNETWORK_H
#define CIMC_TEST_UNIT_MAPPING_RANDOMNETWORK_H

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace cimc::test {

/// A quantized tensor of a network being written.
struct Tensor {
  std::string name;
  std::vector<int64_t> shape;
  std::string element; ///< quantized type
  std::string type() const;
};

/// Writes a function of nn operations with random shapes, scales and odd zero
/// points. Every method adds one operation to a value and returns the result.
class RandomNetwork {
public:
  explicit RandomNetwork(uint32_t seed) : random(seed) {}

  int64_t pick(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  }
  Tensor argument(std::vector<int64_t> shape);
  Tensor constant(std::vector<int64_t> shape);
  Tensor conv(const Tensor &x, int64_t outputs, int64_t group);
  /// Weights of 8 bits without a sign, a zero point for each column.
  Tensor unsignedMatmul(const Tensor &x, int64_t columns);
  /// Weights on the left.
  Tensor leftMatmul(const Tensor &x, int64_t columns);
  Tensor matmul(const Tensor &x, int64_t columns);
  Tensor matmul(const Tensor &a, const Tensor &b, bool transposeB,
                std::vector<int64_t> shape);
  Tensor binary(const std::string &op, const Tensor &a, const Tensor &b);
  Tensor unary(const std::string &op, const Tensor &x);
  Tensor pool(const std::string &op, const Tensor &x);
  Tensor globalPool(const Tensor &x);
  Tensor softmax(const Tensor &x, int64_t axis);
  Tensor reshape(const Tensor &x, std::vector<int64_t> shape);
  Tensor transpose(const Tensor &x, std::vector<int64_t> perm);
  Tensor concat(const Tensor &a, const Tensor &b, int64_t axis);
  Tensor pad(const Tensor &x);
  Tensor slice(const Tensor &x);
  /// Some operation that keeps four axes, chosen at random.
  Tensor step(const Tensor &x);

  /// The module; `results` are what the function returns.
  std::string text(const std::vector<Tensor> &results) const;
  const std::vector<Tensor> &arguments() const { return args; }

private:
  std::string quantized();
  std::string scale();
  std::string weightScale();
  std::string dense(std::vector<int64_t> shape, int64_t low, int64_t high,
                    const std::string &element);
  Tensor add(const std::string &op, const std::vector<Tensor> &operands,
             const std::string &attributes, std::vector<int64_t> shape,
             const std::string &element = "");

  std::mt19937 random;
  std::vector<Tensor> args;
  std::string body;
  int64_t count = 0;
};

} // namespace cimc::test

#endif // CIMC_TEST_UNIT_MAPPING_RANDOMNETWORK_H
