//===- Passes.td - passes on the nn level ------------------*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_TRANSFORMS_PASSES_TD
#define CIMC_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def NNCanonicalize : Pass<"nn-canonicalize", "::mlir::ModuleOp"> {
  let summary = "brings a float or QDQ graph into its canonical form";
  let description = [{
    One form for what models spell in many ways, so that later passes see few
    patterns:

    * operations on constants become constants; reshaped weights share their
      bytes. Dequantized weights stay quantized;
    * batch normalization and per-channel factors and summands behind a weighted
      sum go into its weight and bias; elsewhere batch normalization becomes a
      multiply and an add;
    * zero padding goes into the window of a following convolution or average;
    * an average over the whole map is `nn.global_avg_pool`, a clamp to
      [0, inf) is `nn.relu`;
    * transposes move towards the results until they meet their inverse, or
      become a flag of a matrix product; those that move no element are
      reshapes;
    * inverse pairs, repeated activations, neutral operands and operations that
      change nothing disappear; a square is a product.

    What stays has the same values as before: exact, except where factors are
    folded into weights (single-precision rounding).
  }];
  let dependentDialects = ["::cimc::nn::NNDialect"];
}

// Composites that exporters write out are made whole again. Each pass is about
// one, leaves a remark for each that it recovers, and preserves values up to
// rounding in single precision. Numbers in the formulas have to agree to 2e-6.
class RecoverPass<string composite> : Pass<"nn-recover-" # composite, "::mlir::ModuleOp"> {
  let dependentDialects = ["::cimc::nn::NNDialect"];
}

def NNRecoverGelu : RecoverPass<"gelu"> {
  let summary = "recovers gelu and gelu_tanh";
  let description = [{
    `x * (1 + erf(x / sqrt(2))) / 2` is `nn.gelu`, `x * (1 + tanh(sqrt(2 / pi) *
    (x + 0.044715 x^3))) / 2` is `nn.gelu_tanh`; powers written as products or
    `nn.pow`, and the scalars anywhere.
  }];
}

def NNRecoverSwish : RecoverPass<"swish"> {
  let summary = "recovers swish (SiLU, quick GELU) and hard_swish";
  let description = [{
    `x * sigmoid(alpha x)` is `nn.swish`; `x * clip(x + 3, 0, 6) / 6` and `x *
    hard_sigmoid(x)` with 1/6 and 1/2 are `nn.hard_swish`.
  }];
}

def NNRecoverSoftplus : RecoverPass<"softplus"> {
  let summary = "recovers softplus and mish";
  let description = [{
    `log(1 + exp(x))` is `nn.softplus`, `x * tanh(softplus(x))` is `nn.mish`.
  }];
}

def NNRecoverLayerNorm : RecoverPass<"layer-norm"> {
  let summary = "recovers layer_norm";
  let description = [{
    `(x - mean) / sqrt(mean((x - mean)^2) + epsilon) * scale + bias` over the
    last axes, with or without scale and bias, which are constants; also `x f +
    (bias - mean f)` with `f = scale / sqrt(...)`, as TensorFlow writes it.
  }];
}

def NNRecoverRmsNorm : RecoverPass<"rms-norm"> {
  let summary = "recovers rms_norm";
  let description = [{
    `x / sqrt(mean(x^2) + epsilon) * scale` over the last axes, with or without
    a constant scale.
  }];
}

def NNRecoverSoftmax : RecoverPass<"softmax"> {
  let summary = "recovers softmax";
  let description = [{
    `exp(x) / sum(exp(x))` along one axis, with or without its maximum
    subtracted first.
  }];
}

def NNRecoverRotaryEmbedding : RecoverPass<"rotary-embedding"> {
  let summary = "recovers rotary_embedding";
  let description = [{
    `x * cosine + concat(-x2, x1) * sine` with tables whose halves are equal, as
    Llama writes it; `concat(x1 c - x2 s, x1 s + x2 c)` of the halves of `x`, or
    of its even and odd channels (`interleaved`).
  }];
}

def NNRecoverAttention : RecoverPass<"attention"> {
  let summary = "recovers attention";
  let description = [{
    `softmax(scale q k^T + mask) v` over 2 to 4 axes; the scale on the scores,
    the query or the key; masks that are added, or choose a number so low that
    no score changes it, also where windows have an axis of their own for them;
    `softcap`; keys and values that are repeated for groups of heads are taken
    once.
  }];
}

def NNDecompose : Pass<"nn-decompose", "::mlir::ModuleOp"> {
  let summary = "makes composites of operations that a chip has";
  let description = [{
    What was kept whole for quantization and for the reader becomes what the
    vector unit and the arrays compute: normalizations are sums along axes and
    functions of elements, `nn.attention` two products around a softmax,
    `nn.rotary_embedding` products of halves, `nn.resize` a gather or a product
    with a constant matrix along each axis; `nn.grid_sample`, `nn.roi_align` and
    `nn.deform_conv` gather the neighbours of every place, and
    `nn.reverse_sequence` steps. Recurrent layers of at most 64 steps whose
    weights are computed, or whose samples have lengths of their own, become
    operations for every step. Zero points that are known only while the program
    runs leave products of integers as products of their own; two computed
    operands of integers are multiplied in fp32, in parts whose sums are exact.
    Says so in a remark for each. What cannot be taken apart stays.
  }];
  let dependentDialects = ["::cimc::nn::NNDialect"];
}

#endif // CIMC_TRANSFORMS_PASSES_TD
