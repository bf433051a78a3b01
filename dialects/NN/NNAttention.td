//===- NNAttention.td - attention and its position encoding -*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_NN_ATTENTION_TD
#define CIMC_DIALECTS_NN_ATTENTION_TD

include "NNBase.td"

def NN_AttentionOp : NN_UniformOp<"attention"> {
  let summary = "scaled dot-product attention of several heads";
  let description = [{
    `query` is [B, H, S, E], `key` [B, G, T, E], `value` [B, G, T, F], the
    result [B, H, S, F]. G divides H; query head h uses key head `h G / H`.
    `bias` broadcasts to [B, H, S, T] and is where masks are: minus infinity
    forbids a key.

    ```
    scores = scale * query . key^T
    scores = softcap * tanh(scores / softcap)      where softcap is not 0
    result = softmax(scores + bias) . value
    ```

    A row whose every key is forbidden gives 0.

    ```mlir
    %y = nn.attention %q, %k, %v, %mask {scale = 0.125 : f32}
       : (tensor<1x4x7x64xf32>, tensor<1x2x9x64xf32>, tensor<1x2x9x64xf32>, tensor<7x9xf32>)
       -> tensor<1x4x7x64xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$query, NN_Tensor:$key, NN_Tensor:$value,
                       Optional<NN_Tensor>:$bias, F32Attr:$scale,
                       DefaultValuedAttr<F32Attr, "0.0">:$softcap);
}

def NN_RotaryEmbeddingOp : NN_UniformOp<"rotary_embedding"> {
  let summary = "pairs of channels rotated by an angle that depends on the position";
  let description = [{
    `input` is [B, H, S, E]; `cosine` and `sine` have R/2 columns and broadcast
    to [B, H, S, R/2]. Channels a and b of the first R channels become

    ```
    a' = cosine * a - sine * b
    b' = sine * a + cosine * b
    ```

    Pair i is the channels i and i + R/2, with `interleaved` 2i and 2i + 1;
    channels from R on stay.

    ```mlir
    %y = nn.rotary_embedding %x, %c, %s
       : (tensor<1x8x64x8xf32>, tensor<64x4xf32>, tensor<64x4xf32>) -> tensor<1x8x64x8xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input, NN_Tensor:$cosine, NN_Tensor:$sine,
                       UnitAttr:$interleaved);
}

#endif // CIMC_DIALECTS_NN_ATTENTION_TD
