//===- NNRecurrent.td - recurrent layers -*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_NN_RECURRENT_TD
#define CIMC_DIALECTS_NN_RECURRENT_TD

include "NNBase.td"

// One direction of one layer; a bidirectional layer is two operations. With T
// steps, B samples, I inputs and H states:
//
//   input              T x B x I
//   weight             G H x I      the gates' matrices for the input
//   recurrence         G H x H      the gates' matrices for the state
//   lengths            B            steps of each sample (i32); absent: T
//   initial_*          B x H        absent: zero
//   result             T x B x H    the state after every step
//   last_*             B x H        the state after the last step
//
// With `reverse` a sample's steps are taken from its last to its first. Steps
// past the length of a sample give 0 and leave its state as it is. Sums are
// limited to [-clip, clip] before an activation where `clip` is not 0.
// `activations` are those of the gates, in the order of the formulas, with
// Quantized `weight` and `recurrence`, with a scale for each row, multiply the
// values of a step with a range that is taken while running (rule R14).
// `alpha` and `beta` for each: sigmoid, tanh, relu, affine (alpha x + beta),
// leaky_relu, thresholded_relu, scaled_tanh (alpha tanh(beta x)),
// hard_sigmoid, elu, softsign and softplus.
class NN_RecurrentOp<string mnemonic>
    : NN_Op<mnemonic, [AttrSizedOperandSegments, InferShapedTypeOpAdaptor, NN_VerifyShape]> {
  let hasVerifier = 1;
}

def NN_LstmOp : NN_RecurrentOp<"lstm"> {
  let summary = "long short-term memory, one direction";
  let description = [{
    Gates in the order input, output, forget, cell; `bias` is [4 H] and the
    peepholes [3 H] in the order input, output, forget:

    ```
    i = f(W_i x + R_i h + P_i * c + b_i)
    o' = W_o x + R_o h + b_o
    f = f(W_f x + R_f h + P_f * c + b_f)     with input_forget: 1 - i
    c = f * c + i * g(W_c x + R_c h + b_c)
    h = f(o' + P_o * c) * h(c)
    ```

    ```mlir
    %y, %h, %c = nn.lstm %x, %w, %r, %b {activations = ["sigmoid", "tanh", "tanh"],
           operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0>}
       : (tensor<28x1x28xf32>, tensor<80x28xf32>, tensor<80x20xf32>, tensor<80xf32>)
       -> (tensor<28x1x20xf32>, tensor<1x20xf32>, tensor<1x20xf32>)
    ```
  }];
  let arguments = (ins NN_Tensor:$input, NN_Tensor:$weight, NN_Tensor:$recurrence,
                       Optional<NN_Tensor>:$bias, Optional<NN_Tensor>:$lengths,
                       Optional<NN_Tensor>:$initial_h, Optional<NN_Tensor>:$initial_c,
                       Optional<NN_Tensor>:$peephole, StrArrayAttr:$activations,
                       DefaultValuedAttr<DenseF32ArrayAttr, "{}">:$alpha,
                       DefaultValuedAttr<DenseF32ArrayAttr, "{}">:$beta,
                       DefaultValuedAttr<F32Attr, "0.0">:$clip, UnitAttr:$input_forget,
                       UnitAttr:$reverse);
  let results = (outs NN_Tensor:$result, NN_Tensor:$last_h, NN_Tensor:$last_c);
}

def NN_GruOp : NN_RecurrentOp<"gru"> {
  let summary = "gated recurrent unit, one direction";
  let description = [{
    Gates in the order update, reset, hidden; `bias` and `recurrent_bias` are
    [3 H]:

    ```
    z = f(W_z x + R_z h + b_z + c_z)
    r = f(W_r x + R_r h + b_r + c_r)
    n = g(W_n x + R_n (r * h) + b_n + c_n)          without linear_before_reset
    n = g(W_n x + b_n + r * (R_n h + c_n))          with it
    h = (1 - z) * n + z * h
    ```

    ```mlir
    %y, %h = nn.gru %x, %w, %r, %b, %c, %h0 {activations = ["sigmoid", "tanh"], linear_before_reset,
           operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 0, 1>}
       : (tensor<20x1x400xf32>, tensor<1200x400xf32>, tensor<1200x400xf32>, tensor<1200xf32>,
          tensor<1200xf32>, tensor<1x400xf32>) -> (tensor<20x1x400xf32>, tensor<1x400xf32>)
    ```
  }];
  let arguments = (ins NN_Tensor:$input, NN_Tensor:$weight, NN_Tensor:$recurrence,
                       Optional<NN_Tensor>:$bias, Optional<NN_Tensor>:$recurrent_bias,
                       Optional<NN_Tensor>:$lengths, Optional<NN_Tensor>:$initial_h,
                       StrArrayAttr:$activations,
                       DefaultValuedAttr<DenseF32ArrayAttr, "{}">:$alpha,
                       DefaultValuedAttr<DenseF32ArrayAttr, "{}">:$beta,
                       DefaultValuedAttr<F32Attr, "0.0">:$clip, UnitAttr:$linear_before_reset,
                       UnitAttr:$reverse);
  let results = (outs NN_Tensor:$result, NN_Tensor:$last_h);
}

def NN_RnnOp : NN_RecurrentOp<"rnn"> {
  let summary = "plain recurrent layer, one direction: h = f(W x + R h + b)";
  let description = [{
    ```mlir
    %y, %h = nn.rnn %x, %w, %r, %b {activations = ["tanh"],
           operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>}
       : (tensor<9x1x5xf32>, tensor<7x5xf32>, tensor<7x7xf32>, tensor<7xf32>)
       -> (tensor<9x1x7xf32>, tensor<1x7xf32>)
    ```
  }];
  let arguments = (ins NN_Tensor:$input, NN_Tensor:$weight, NN_Tensor:$recurrence,
                       Optional<NN_Tensor>:$bias, Optional<NN_Tensor>:$lengths,
                       Optional<NN_Tensor>:$initial_h, StrArrayAttr:$activations,
                       DefaultValuedAttr<DenseF32ArrayAttr, "{}">:$alpha,
                       DefaultValuedAttr<DenseF32ArrayAttr, "{}">:$beta,
                       DefaultValuedAttr<F32Attr, "0.0">:$clip, UnitAttr:$reverse);
  let results = (outs NN_Tensor:$result, NN_Tensor:$last_h);
}

#endif // CIMC_DIALECTS_NN_RECURRENT_TD
