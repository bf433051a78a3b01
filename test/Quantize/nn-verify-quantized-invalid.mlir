// RUN: cim-opt %s --nn-verify-quantized --split-input-file --verify-diagnostics

// All operations are reported at once, and a model without any ranges gets the
// advice to calibrate.
func.func @float(%x: tensor<1x1x3xf32>) -> tensor<1x1x1xf32> {
  %w = nn.constant dense<1.0> : tensor<1x1x1xf32> : tensor<1x1x1xf32>
  // expected-error @below {{'nn.conv' is a weighted sum in float, which the arrays compute with --precision float only; the model is float and its ranges are unknown: give samples with --calibrate DIR}}
  %y = nn.conv %x, %w {strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}
    : (tensor<1x1x3xf32>, tensor<1x1x1xf32>) -> tensor<1x1x3xf32>
  %z = nn.global_avg_pool %y : (tensor<1x1x3xf32>) -> tensor<1x1x1xf32>
  return %z : tensor<1x1x1xf32>
}

// -----

!a = !quant.uniform<u8:f32, 0.5:3>
!k = !quant.uniform<i8:f32:0, {0.5, 0.25}>

func.func @missing(%x: tensor<1x2xf32>, %xq: tensor<1x2x!a>) -> (tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>) {
  %w = nn.constant dense<1> : tensor<2x2xi8> : tensor<2x2x!quant.uniform<i8:f32, 0.5>>
  %v = nn.constant dense<1> : tensor<2x2xi8> : tensor<2x2x!k>
  %d = nn.dequantize %w : (tensor<2x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x2xf32>
  %e = nn.dequantize %v : (tensor<2x2x!k>) -> tensor<2x2xf32>
  %xd = nn.dequantize %xq : (tensor<1x2x!a>) -> tensor<1x2xf32>
  // expected-error @below {{its input is not quantized: there is no QuantizeLinear, DequantizeLinear pair on it}}
  %y = nn.matmul %x, %d : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  // expected-error @below {{its weight has scales along axis 0, they must run along the output channels, axis 1}}
  %z = nn.matmul %xd, %e : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  // expected-error @below {{its result is not quantized: there is no QuantizeLinear behind it}}
  %u = nn.matmul %xd, %d : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  return %y, %z, %u : tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>
}
