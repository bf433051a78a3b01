// RUN: cim-opt %s --nn-dynamic-ranges --split-input-file --verify-diagnostics

func.func @infinite(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = nn.constant dense<0x7F800000> : tensor<2x2xf32> : tensor<2x2xf32>
  // expected-error @below {{element 0 of its weights is INF, which cannot be quantized}}
  %y = nn.matmul %x, %w : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

func.func @wide(%x: tensor<1x2x3xf32>) -> tensor<1x2x5xf32> {
  %w = nn.constant dense<1.0> : tensor<2x2x3xf32> : tensor<2x2x3xf32>
  // expected-remark @below {{'nn.conv_transpose' has no form with integer weights and a float input: its products are wide fixed point, in nine times the cells}}
  %y = nn.conv_transpose %x, %w {strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>, output_padding = array<i64: 0>, group = 1 : i64}
    : (tensor<1x2x3xf32>, tensor<2x2x3xf32>) -> tensor<1x2x5xf32>
  return %y : tensor<1x2x5xf32>
}
