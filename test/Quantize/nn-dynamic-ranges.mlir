// RUN: cim-opt %s --nn-dynamic-ranges --split-input-file | FileCheck %s
// RUN: cim-opt %s --nn-dynamic-ranges=precision=w4a8 --split-input-file | FileCheck %s --check-prefix=W4
// RUN: cim-opt %s --nn-dynamic-ranges=precision=float --split-input-file | FileCheck %s --check-prefix=FLOAT
// RUN: cim-opt %s --nn-dynamic-ranges --split-input-file -o /dev/null 2>&1 | FileCheck %s --check-prefix=WIDE

// Float weights become the nearest integers, with a scale for each output.
// CHECK-LABEL: @conv
// CHECK: nn.constant dense<{{\[\[}}[127]], {{\[\[}}-127]]]> {{.*}}!quant.uniform<i8<-127:127>:f32:0, {5.000000e-01,2.500000e-01}>
// CHECK: nn.conv {{.*}}nonnegative{{.*}}: (tensor<1x1x3xf32>, tensor<2x1x1x!quant{{.*}}>, tensor<2xf32>) -> tensor<1x2x3xf32>
// W4-LABEL: @conv
// W4: !quant.uniform<i8<-7:7>:f32:0
// FLOAT-LABEL: @conv
// FLOAT: nn.conv {{.*}} : (tensor<1x1x3xf32>, tensor<2x1x1xf32>, tensor<2xf32>)
func.func @conv(%x: tensor<1x1x3xf32>) -> tensor<1x2x3xf32> {
  %w = nn.constant dense<[[[63.5]], [[-31.75]]]> : tensor<2x1x1xf32> : tensor<2x1x1xf32>
  %b = nn.constant dense<1.0> : tensor<2xf32> : tensor<2xf32>
  %r = nn.relu %x : (tensor<1x1x3xf32>) -> tensor<1x1x3xf32>
  %y = nn.conv %r, %w, %b {strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}
    : (tensor<1x1x3xf32>, tensor<2x1x1xf32>, tensor<2xf32>) -> tensor<1x2x3xf32>
  return %y : tensor<1x2x3xf32>
}

// -----

!a = !quant.uniform<u8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.5>

// Integers behind a dequantize are taken; a range that is known is used; what
// runs on the vector unit is float.
// CHECK-LABEL: @dequantized
// CHECK-SAME: %[[X:[^:]*]]: tensor<1x2xf32>, %[[Q:[^:]*]]: tensor<1x2x!quant
// CHECK: nn.matmul %[[X]], %{{.*}} : (tensor<1x2xf32>, tensor<2x2x!quant.uniform<i8:f32, 5.000000e-01>>) -> tensor<1x2xf32>
// CHECK: nn.matmul %[[Q]], %{{.*}} : (tensor<1x2x!quant.uniform<u8:f32, 5.000000e-01:3>>, tensor<2x2x!quant.uniform<i8:f32, 5.000000e-01>>) -> tensor<1x2xf32>
// FLOAT-LABEL: @dequantized
// FLOAT: nn.matmul {{.*}} : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
func.func @dequantized(%x: tensor<1x2xf32>, %xq: tensor<1x2x!a>) -> (tensor<1x2xf32>, tensor<1x2xf32>) {
  %w = nn.constant dense<1> : tensor<2x2xi8> : tensor<2x2x!w>
  %d = nn.dequantize %w : (tensor<2x2x!w>) -> tensor<2x2xf32>
  %xd = nn.dequantize %xq : (tensor<1x2x!a>) -> tensor<1x2xf32>
  %y = nn.matmul %x, %d : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %z = nn.matmul %xd, %d : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  return %y, %z : tensor<1x2xf32>, tensor<1x2xf32>
}

// -----

!h = !quant.uniform<i16:f32, 0.5>
!w = !quant.uniform<i8:f32, 0.5>

// Inputs of 16 bits are taken as they are.
// CHECK-LABEL: @half
// CHECK-SAME: %[[Q:[^:]*]]: tensor<1x2x!quant
// CHECK: nn.matmul %[[Q]], %{{.*}} : (tensor<1x2x!quant.uniform<i16:f32, 5.000000e-01>>, tensor<2x2x!quant.uniform<i8:f32, 5.000000e-01>>) -> tensor<1x2xf32>
func.func @half(%xq: tensor<1x2x!h>) -> tensor<1x2xf32> {
  %w = nn.constant dense<1> : tensor<2x2xi8> : tensor<2x2x!w>
  %d = nn.dequantize %w : (tensor<2x2x!w>) -> tensor<2x2xf32>
  %xd = nn.dequantize %xq : (tensor<1x2x!h>) -> tensor<1x2xf32>
  %z = nn.matmul %xd, %d : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  return %z : tensor<1x2xf32>
}

// -----

// Depthwise convolutions stay float.
// CHECK-LABEL: @depthwise
// CHECK: nn.conv {{.*}} : (tensor<1x2x3xf32>, tensor<2x1x1xf32>) -> tensor<1x2x3xf32>
func.func @depthwise(%x: tensor<1x2x3xf32>) -> tensor<1x2x3xf32> {
  %w = nn.constant dense<2.0> : tensor<2x1x1xf32> : tensor<2x1x1xf32>
  %y = nn.conv %x, %w {strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>, group = 2 : i64}
    : (tensor<1x2x3xf32>, tensor<2x1x1xf32>) -> tensor<1x2x3xf32>
  return %y : tensor<1x2x3xf32>
}

// -----

// The gates of recurrent layers, with a scale for each row.
// CHECK-LABEL: @rnn
// CHECK: nn.rnn {{.*}} : (tensor<2x1x1xf32>, tensor<2x1x!quant.uniform<i8<-127:127>:f32:0, {{.*}}>>, tensor<2x2x!quant.uniform<i8<-127:127>:f32:0, {{.*}}>>)
func.func @rnn(%x: tensor<2x1x1xf32>) -> tensor<2x1x2xf32> {
  %w = nn.constant dense<1.0> : tensor<2x1xf32> : tensor<2x1xf32>
  %r = nn.constant dense<0.5> : tensor<2x2xf32> : tensor<2x2xf32>
  %y, %h = nn.rnn %x, %w, %r {activations = ["tanh"], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0>}
    : (tensor<2x1x1xf32>, tensor<2x1xf32>, tensor<2x2xf32>) -> (tensor<2x1x2xf32>, tensor<1x2xf32>)
  return %y : tensor<2x1x2xf32>
}

// -----

// Arrays hold weights of up to 8 bits.
!x = !quant.uniform<i8:f32, 0.5>
!w16 = !quant.uniform<i16:f32, 0.001>
// WIDE: warning: {{.*}}'wide': its weights of 16 bits become the nearest of 8, which is what arrays hold, with a scale for each channel
// CHECK-LABEL: @wide
// CHECK: nn.constant dense<{{\[\[}}127, -127]]> {{.*}}!quant.uniform<i8<-127:127>:f32:1
func.func @wide(%x: tensor<1x1xf32>) -> tensor<1x2xf32> {
  %w = nn.constant dense<[[1270, -640]]> : tensor<1x2xi16> : tensor<1x2x!w16>
  %f = nn.dequantize %w : (tensor<1x2x!w16>) -> tensor<1x2xf32>
  %y = nn.matmul %x, %f : (tensor<1x1xf32>, tensor<1x2xf32>) -> tensor<1x2xf32> loc("wide")
  return %y : tensor<1x2xf32>
}
