// RUN: cim-opt %s --nn-unfold-convolutions | FileCheck %s

// Two taps of two groups: each tap is a slice of the padded input; samples lie
// side by side.
// CHECK-LABEL: func.func @dynamic
// CHECK: %[[P:.*]] = nn.pad %{{.*}} {high = array<i64: 0, 0, 0>, low = array<i64: 0, 0, 1>, value = 0.000000e+00 : f32}
// CHECK: nn.slice %[[P]] {sizes = array<i64: 3, 4, 3>, starts = array<i64: 0, 0, 0>, steps = array<i64: 1, 1, 2>}
// CHECK: nn.slice %[[P]] {sizes = array<i64: 3, 4, 3>, starts = array<i64: 0, 0, 1>, steps = array<i64: 1, 1, 2>}
// CHECK: nn.concat {{.*}} -> tensor<3x2x2x2x3xf32>
// CHECK: nn.matmul {{.*}} : (tensor<2x3x4xf32>, tensor<2x4x9xf32>) -> tensor<2x3x9xf32>
// CHECK: nn.add
// CHECK-NOT: nn.conv
func.func @dynamic(%x: tensor<3x4x5xf32>, %w: tensor<6x2x2xf32>, %b: tensor<6xf32>) -> tensor<3x6x3xf32> {
  %0 = nn.conv %x, %w, %b {strides = array<i64: 2>, pads = array<i64: 1, 0>, dilations = array<i64: 1>, group = 2 : i64}
    : (tensor<3x4x5xf32>, tensor<6x2x2xf32>, tensor<6xf32>) -> tensor<3x6x3xf32>
  return %0 : tensor<3x6x3xf32>
}

// Constant weights go to the arrays.
// CHECK-LABEL: func.func @constant
// CHECK: nn.conv
func.func @constant(%x: tensor<1x1x5xf32>) -> tensor<1x1x5xf32> {
  %w = nn.constant dense<2.0> : tensor<1x1x1xf32> : tensor<1x1x1xf32>
  %0 = nn.conv %x, %w {strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}
    : (tensor<1x1x5xf32>, tensor<1x1x1xf32>) -> tensor<1x1x5xf32>
  return %0 : tensor<1x1x5xf32>
}
