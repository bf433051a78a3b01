// What has no form on the chip, message by message.
// RUN: not cim-opt %s --convert-nn-to-cim=chip=card --split-input-file 2>&1 | FileCheck %s

!x = !quant.uniform<i8:f32, 0.5:3>
!y = !quant.uniform<i16:f32, 0.5>
!z = !quant.uniform<i16:f32, 0.25>
!s = !quant.uniform<i32:f32, 0.25>

// CHECK: nn.relu: has an operand or result without elements, tensor<0x3xf32>, for which there is no folding
// CHECK: nn.relu: is computed on plain numbers or on 8 bits only
// CHECK: nn.add: quantized operands and results have 8 bits, all alike
// CHECK: nn.quantize: activations are quantized per tensor, to 8 or 16 bits
// CHECK: nn.reduce_max: is computed on plain numbers only
// CHECK: nn.reshape: moves data and changes its element type where both are not of 8 bits
func.func @types(%none: tensor<0x3xf32>, %b: tensor<2x3x!y>, %f: tensor<2x3xf32>, %a: tensor<2x3x!x>)
    -> (tensor<0x3xf32>, tensor<2x3x!y>, tensor<2x3x!y>, tensor<2x3x!s>, tensor<2x1x!x>, tensor<6x!z>) {
  %0 = nn.relu %none : (tensor<0x3xf32>) -> tensor<0x3xf32>
  %1 = nn.relu %b : (tensor<2x3x!y>) -> tensor<2x3x!y>
  %2 = nn.add %b, %b : (tensor<2x3x!y>, tensor<2x3x!y>) -> tensor<2x3x!y>
  %3 = nn.quantize %f : (tensor<2x3xf32>) -> tensor<2x3x!s>
  %4 = nn.reduce_max %a {axes = array<i64: 1>, keep_dims} : (tensor<2x3x!x>) -> tensor<2x1x!x>
  %5 = nn.reshape %b : (tensor<2x3x!y>) -> tensor<6x!z>
  return %0, %1, %2, %3, %4, %5 : tensor<0x3xf32>, tensor<2x3x!y>, tensor<2x3x!y>, tensor<2x3x!s>, tensor<2x1x!x>, tensor<6x!z>
}

// -----

// CHECK: nn.lstm: needs constant float weights and biases where it has more than 64 steps
// CHECK: nn.gru: needs constant float weights and biases where it has more than 64 steps
// CHECK: nn.lstm: needs constant float peepholes where it has more than 64 steps
// CHECK: nn.rnn: samples of different lengths have no form on the chip where there are more than 64 steps; leave out sequence_lens
func.func @recurrent(%x: tensor<65x1x2xf32>, %a: tensor<12x2xf32>, %r: tensor<12x3xf32>, %g: tensor<9x2xf32>,
                     %h: tensor<9x3xf32>, %p: tensor<9xf32>, %n: tensor<1xi32>)
    -> (tensor<65x1x3xf32>, tensor<65x1x3xf32>, tensor<65x1x3xf32>, tensor<65x1x3xf32>) {
  %0:3 = nn.lstm %x, %a, %r {activations = ["sigmoid", "tanh", "tanh"],
      operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0>}
      : (tensor<65x1x2xf32>, tensor<12x2xf32>, tensor<12x3xf32>) -> (tensor<65x1x3xf32>, tensor<1x3xf32>, tensor<1x3xf32>)
  %1:2 = nn.gru %x, %g, %h {activations = ["sigmoid", "tanh"], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0>}
      : (tensor<65x1x2xf32>, tensor<9x2xf32>, tensor<9x3xf32>) -> (tensor<65x1x3xf32>, tensor<1x3xf32>)
  %w = nn.constant dense<1.0> : tensor<12x2xf32> : tensor<12x2xf32>
  %q = nn.constant dense<1.0> : tensor<12x3xf32> : tensor<12x3xf32>
  %2:3 = nn.lstm %x, %w, %q, %p {activations = ["sigmoid", "tanh", "tanh"],
      operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 1>}
      : (tensor<65x1x2xf32>, tensor<12x2xf32>, tensor<12x3xf32>, tensor<9xf32>)
      -> (tensor<65x1x3xf32>, tensor<1x3xf32>, tensor<1x3xf32>)
  %u = nn.constant dense<1.0> : tensor<3x2xf32> : tensor<3x2xf32>
  %v = nn.constant dense<1.0> : tensor<3x3xf32> : tensor<3x3xf32>
  %3:2 = nn.rnn %x, %u, %v, %n {activations = ["tanh"], operandSegmentSizes = array<i32: 1, 1, 1, 0, 1, 0>}
      : (tensor<65x1x2xf32>, tensor<3x2xf32>, tensor<3x3xf32>, tensor<1xi32>) -> (tensor<65x1x3xf32>, tensor<1x3xf32>)
  return %0#0, %1#0, %2#0, %3#0 : tensor<65x1x3xf32>, tensor<65x1x3xf32>, tensor<65x1x3xf32>, tensor<65x1x3xf32>
}

// -----

// CHECK: nn.matmul: needs a constant float bias of one entry or one for each of the 4 columns
func.func @bias(%x: tensor<2x3xf32>, %b: tensor<4xf32>) -> tensor<2x4xf32> {
  %w = nn.constant dense<1.0> : tensor<3x4xf32> : tensor<3x4xf32>
  %0 = nn.matmul %x, %w, %b : (tensor<2x3xf32>, tensor<3x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

// CHECK: error: a network is a function of one block
func.func @blocks() {
  return
^unreached:
  return
}

// -----

!h = !quant.uniform<i16:f32, 0.5>
!w = !quant.uniform<i8:f32, 0.5>

// CHECK: nn.matmul: column 0: the magnitudes of its weights add up to 127000, times inputs of up to 32768 more than int32 holds; give the input fewer bits, or a scale with which fewer are used
func.func @large(%x: tensor<1x1000x!h>) -> tensor<1x2xf32> {
  %w = nn.constant dense<127> : tensor<1000x2xi8> : tensor<1000x2x!w>
  %0 = nn.matmul %x, %w : (tensor<1x1000x!h>, tensor<1000x2x!w>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// -----

!h = !quant.uniform<i16:f32, 0.5>
!w = !quant.uniform<i8:f32, 0.5>
!y = !quant.uniform<i16:f32, 0.5>

// CHECK: nn.matmul: runs on the arrays with 8-bit input and a result of 8 bits or fp32, or 16-bit input and a result of fp32; quantize the model
func.func @half(%x: tensor<1x2x!h>) -> tensor<1x2x!y> {
  %w = nn.constant dense<1> : tensor<2x2xi8> : tensor<2x2x!w>
  %0 = nn.matmul %x, %w : (tensor<1x2x!h>, tensor<2x2x!w>) -> tensor<1x2x!y>
  return %0 : tensor<1x2x!y>
}
