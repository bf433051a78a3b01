//===- NNConvTranspose.cpp - nn.conv_transpose -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NNOperations.h"

#include "cimc/Support/Gemm.h"

#include <algorithm>
#include <array>

using namespace mlir;

namespace cimc::reference {

/// The products of every pixel with every tap, added where they fall.
Evaluated convTranspose(nn::ConvTransposeOp op, Operands in,
                        const TensorInfo &out) {
  for (const Operand &operand : in)
    if (!operand.info.isFloat())
      return failure(op, "is computed in float32 only");
  const TensorInfo &input = in[0].info, &weight = in[1].info;
  int spatial = static_cast<int>(input.rank()) - 2;
  // Three spatial axes, missing ones of extent 1 in front.
  std::array<int64_t, 3> from{1, 1, 1}, to{1, 1, 1}, kernel{1, 1, 1},
      stride{1, 1, 1}, dilation{1, 1, 1}, low{0, 0, 0};
  for (int i = 0; i < spatial; ++i) {
    int axis = 3 - spatial + i;
    from[axis] = input.shape[2 + i];
    to[axis] = out.shape[2 + i];
    kernel[axis] = weight.shape[2 + i];
    stride[axis] = op.getStrides()[i];
    dilation[axis] = op.getDilations()[i];
    low[axis] = op.getPads()[i];
  }
  int64_t group = static_cast<int64_t>(op.getGroup());
  int64_t channels = input.shape[1], depth = channels / group;
  int64_t share = weight.shape[1], outputs = share * group;
  int64_t pixels = from[0] * from[1] * from[2];
  int64_t taps = kernel[0] * kernel[1] * kernel[2];
  int64_t outPixels = to[0] * to[1] * to[2];
  HostTensor result(DType::F32, out.shape);
  std::vector<float> products(share * taps * pixels);
  for (int64_t n = 0; n < input.shape[0]; ++n)
    for (int64_t g = 0; g < group; ++g) {
      // [share * taps, depth] x [depth, pixels]
      gemm(share * taps, pixels, depth,
           MatrixRef<const float>{in[1].as<float>() + g * depth * share * taps,
                                  1, share * taps},
           MatrixRef<const float>{in[0].as<float>() +
                                      (n * channels + g * depth) * pixels,
                                  pixels, 1},
           MatrixRef<float>{products.data(), pixels, 1});
      for (int64_t m = 0; m < share; ++m) {
        float *map =
            result.as<float>() + (n * outputs + g * share + m) * outPixels;
        if (op.getBias())
          std::fill_n(map, outPixels, in[2].as<float>()[g * share + m]);
        const float *value = products.data() + m * taps * pixels;
        for (int64_t tap = 0; tap < taps; ++tap) {
          int64_t tz = tap / (kernel[1] * kernel[2]) * dilation[0] - low[0];
          int64_t ty = tap / kernel[2] % kernel[1] * dilation[1] - low[1];
          int64_t tx = tap % kernel[2] * dilation[2] - low[2];
          for (int64_t iz = 0; iz < from[0]; ++iz)
            for (int64_t iy = 0; iy < from[1]; ++iy)
              for (int64_t ix = 0; ix < from[2]; ++ix, ++value) {
                int64_t z = iz * stride[0] + tz, y = iy * stride[1] + ty,
                        x = ix * stride[2] + tx;
                if (z >= 0 && z < to[0] && y >= 0 && y < to[1] && x >= 0 &&
                    x < to[2])
                  map[(z * to[1] + y) * to[2] + x] += *value;
              }
        }
      }
    }
  return result;
}

} // namespace cimc::reference
