// Sums of products with integer weights and a float input or result (rule R14).
// RUN: cim-opt %s --split-input-file --verify-diagnostics

!w = !quant.uniform<i8:f32, 0.5>
func.func @bias(%x: tensor<1x2xf32>, %w: tensor<2x3x!w>, %b: tensor<3xi32>) {
  // expected-error @+1 {{has an f32 input and a quantized weight, so its bias and result must be f32, not}}
  %y = nn.matmul %x, %w, %b : (tensor<1x2xf32>, tensor<2x3x!w>, tensor<3xi32>) -> tensor<1x3xf32>
  return
}

// -----

!w = !quant.uniform<i8:f32:0, {0.5, 0.25}>
func.func @axis(%x: tensor<1x2xf32>, %w: tensor<2x3x!w>) {
  // expected-error @+1 {{has weight scales along axis 0; they must run along the output channels, axis 1}}
  %y = nn.matmul %x, %w : (tensor<1x2xf32>, tensor<2x3x!w>) -> tensor<1x3xf32>
  return
}

// -----

!x = !quant.uniform<u8:f32, 0.5>
!w = !quant.uniform<i8:f32, 0.5>
func.func @result(%x: tensor<1x2x!x>, %w: tensor<2x3x!w>, %b: tensor<3xi32>) {
  // expected-error @+1 {{has an f32 result, so its bias must be f32, not}}
  %y = nn.matmul %x, %w, %b : (tensor<1x2x!x>, tensor<2x3x!w>, tensor<3xi32>) -> tensor<1x3xf32>
  return
}

// -----

!x = !quant.uniform<u8:f32, 0.5>
func.func @weights(%x: tensor<1x2x!x>, %w: tensor<2x3xf32>) {
  // expected-error @+1 {{so its weight 'tensor<2x3xf32>' must be quantized too}}
  %y = nn.matmul %x, %w : (tensor<1x2x!x>, tensor<2x3xf32>) -> tensor<1x3xf32>
  return
}

// -----

!w = !quant.uniform<i8:f32:1, {0.5}>
func.func @gates(%x: tensor<2x1x1xf32>, %w: tensor<2x1x!w>, %r: tensor<2x2xf32>) {
  // expected-error @+1 {{has scales along axis 1; they must run along axis 0, the gates' states}}
  %y, %h = nn.rnn %x, %w, %r {activations = ["tanh"], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0>}
    : (tensor<2x1x1xf32>, tensor<2x1x!w>, tensor<2x2xf32>) -> (tensor<2x1x2xf32>, tensor<1x2xf32>)
  return
}
