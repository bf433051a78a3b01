//===- LayerVectors.cpp - what weights are multiplied with ----------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerVectors.h"

#include "cimc/Support/Gemm.h"
#include "cimc/Support/Parallel.h"

#include <algorithm>

using namespace mlir;

namespace cimc::quantization {

std::optional<Geometry> geometryOf(const WeightedLayer &layer) {
  ArrayRef<int64_t> shape = layer.shape();
  Geometry result;
  if (auto conv = dyn_cast<nn::ConvOp>(layer.operation())) {
    result.groups = conv.getGroup();
    result.outputs = shape[0] / result.groups;
    result.k = ShapedType::getNumElements(shape) / shape[0];
    result.outputStride = result.k;
    return result;
  }
  auto matmul = dyn_cast<nn::MatMulOp>(layer.operation());
  if (!matmul || shape.size() != 2 || layer.axis() < 0 ||
      matmul.getTransposeA())
    return std::nullopt;
  bool transposed = matmul.getTransposeB();
  result.outputs = shape[transposed ? 0 : 1];
  result.k = shape[transposed ? 1 : 0];
  result.outputStride = transposed ? result.k : 1;
  result.stride = transposed ? 1 : result.outputs;
  return result;
}

namespace {

/// The input vectors of one convolution, one for every output position.
class ConvVectors {
public:
  explicit ConvVectors(nn::ConvOp op)
      : strides(op.getStrides()), pads(op.getPads()),
        dilations(op.getDilations()),
        input(cast<ShapedType>(op.getInput().getType()).getShape()),
        output(cast<ShapedType>(op.getResult().getType()).getShape()),
        kernel(cast<ShapedType>(op.getWeight().getType()).getShape()) {
    for (size_t i = 2; i < output.size(); ++i)
      positions *= output[i];
  }
  int64_t count() const { return output[0] * positions; }

  /// Vector `index` of group `group`, in the order of the weights.
  void read(const float *data, int64_t group, int64_t index,
            float *vector) const {
    size_t axes = input.size() - 2;
    int64_t batch = index / positions, rest = index % positions;
    int64_t at[3] = {0, 0, 0};
    for (size_t i = axes; i-- > 0;) {
      at[i] = rest % output[i + 2];
      rest /= output[i + 2];
    }
    int64_t plane = 1, taps = 1;
    for (size_t i = 0; i < axes; ++i) {
      plane *= input[i + 2];
      taps *= kernel[i + 2];
    }
    for (int64_t c = 0; c < kernel[1]; ++c) {
      const float *channel =
          data + (batch * input[1] + group * kernel[1] + c) * plane;
      for (int64_t t = 0; t < taps; ++t) {
        int64_t offset = 0, tap = t, step = 1;
        bool inside = true;
        for (size_t i = axes; i-- > 0;) {
          int64_t x =
              at[i] * strides[i] - pads[i] + tap % kernel[i + 2] * dilations[i];
          tap /= kernel[i + 2];
          inside &= x >= 0 && x < input[i + 2];
          offset += x * step;
          step *= input[i + 2];
        }
        *vector++ = inside ? channel[offset] : 0.0f;
      }
    }
  }

private:
  ArrayRef<int64_t> strides, pads, dilations, input, output, kernel;
  int64_t positions = 1;
};

/// Input vectors that are used of one layer, at most; more say little new.
constexpr int64_t maxVectors = 32768;

} // namespace

Moments::Moments(const WeightedLayer &layer, const Geometry &geometry,
                 size_t samples)
    : layer(layer), geometry(geometry), vectors(samples), realVectors(samples) {
  int64_t k = geometry.k;
  sums.assign(geometry.groups, std::vector<double>(k * k, 0.0));
  crossSums = sums;
  perSample = std::max<int64_t>(1, maxVectors / int64_t(samples));
}

void Moments::read(const HostTensor &input, std::vector<float> &result) {
  const float *data = input.as<float>();
  int64_t k = geometry.k;
  if (auto op = dyn_cast<nn::ConvOp>(layer.operation())) {
    ConvVectors source(op);
    int64_t count = std::min(perSample, source.count());
    result.resize(geometry.groups * count * k);
    float *out = result.data();
    for (int64_t g = 0; g < geometry.groups; ++g)
      for (int64_t i = 0; i < count; ++i, out += k)
        source.read(data, g, i * source.count() / count, out);
    return;
  }
  int64_t total = k ? input.size() / k : 0;
  int64_t count = std::min(perSample, total);
  result.resize(count * k);
  for (int64_t i = 0; i < count; ++i)
    std::copy_n(data + i * total / count * k, k, &result[i * k]);
}

void Moments::addProducts(const Vectors &left, Sums &into, bool apart,
                          unsigned threads) {
  int64_t k = geometry.k;
  const int64_t strip = 64;
  int64_t strips = (k + strip - 1) / strip;
  parallelFor(geometry.groups * strips, threads, [&](int64_t index) {
    int64_t g = index / strips, first = index % strips * strip;
    int64_t rows = std::min(strip, k - first);
    std::vector<float> product(rows * k);
    for (size_t s = 0; s < vectors.size(); ++s) {
      if (isApart(s) != apart)
        continue;
      int64_t count = countOf(s);
      const float *l = left[s].data() + g * count * k;
      const float *x = vectors[s].data() + g * count * k;
      gemm(rows, k, count, {l + first, 1, k}, {x, k, 1},
           {product.data(), k, 1});
      double *sum = &into[g][first * k];
      for (int64_t i = 0; i < rows * k; ++i)
        sum[i] += product[i];
    }
  });
}

} // namespace cimc::quantization
