// Float sums of products become products of digits (rule R13).
// RUN: cim-opt %s --convert-nn-to-cim=chip=card --split-input-file | FileCheck %s

// The window's rows lie side by side in the digits' channels: 3 rows x 3
// digits x 2 channels; the products slide along pixels only.
// CHECK: cim.weights @weights {{.*}} : tensor<54x12xi8>
// CHECK-LABEL: func.func @conv
// CHECK: %[[U:.*]] = cim.unit %{{.*}} {window = #cim.window<kernel = [3, 1], stride = [1, 1], pad = [1, 0], dilation = [1, 1]>} : (tensor<5x4x2xf32>) -> tensor<5x1x1xf32>
// CHECK: %[[D:.*]] = cim.digits %{{.*}}, %[[U]] {window = #cim.window<kernel = [3, 1], stride = [1, 1], pad = [1, 0], dilation = [1, 1]>} : {{.*}} -> tensor<5x4x18xi8>
// CHECK: %[[S:.*]] = cim.mvm %[[D]] {{.*}} : (tensor<5x4x18xi8>) -> tensor<5x4x12xi32>
// CHECK: cim.combine %[[S]], %[[U]] {bias = array<f32: 0.000000e+00, {{.*}}>, weight_units = array<f32: {{.*}}>} : {{.*}} -> tensor<5x4x4xf32>
func.func @conv(%x: tensor<1x2x5x4xf32>) -> tensor<1x4x5x4xf32> {
  %w = nn.constant dense<0.5> : tensor<4x2x3x3xf32> : tensor<4x2x3x3xf32>
  %0 = nn.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
    : (tensor<1x2x5x4xf32>, tensor<4x2x3x3xf32>) -> tensor<1x4x5x4xf32>
  return %0 : tensor<1x4x5x4xf32>
}

// -----

// Depthwise: fp32 on the vector unit.
// CHECK-LABEL: func.func @depthwise
// CHECK: %[[S:.*]] = cim.depthwise {{.*}} (tensor<5x4x2xf32>) -> tensor<5x4x2xf32>
// CHECK: cim.map %[[S]], %{{.*}} {function = "add"}
func.func @depthwise(%x: tensor<1x2x5x4xf32>) -> tensor<1x2x5x4xf32> {
  %w = nn.constant dense<0.5> : tensor<2x1x3x3xf32> : tensor<2x1x3x3xf32>
  %b = nn.constant dense<1.0> : tensor<2xf32> : tensor<2xf32>
  %0 = nn.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 2 : i64}
    : (tensor<1x2x5x4xf32>, tensor<2x1x3x3xf32>, tensor<2xf32>) -> tensor<1x2x5x4xf32>
  return %0 : tensor<1x2x5x4xf32>
}

// -----

// Tiles that hold only the zeros between groups are left out.
// CHECK-LABEL: func.func @groups
// CHECK-COUNT-4: cim.mvm
// CHECK-NOT: cim.mvm
func.func @groups(%x: tensor<1x1024x1x1xf32>) -> tensor<1x84x1x1xf32> {
  %w = nn.constant dense<0.5> : tensor<84x512x1x1xf32> : tensor<84x512x1x1xf32>
  %0 = nn.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64}
    : (tensor<1x1024x1x1xf32>, tensor<84x512x1x1xf32>) -> tensor<1x84x1x1xf32>
  return %0 : tensor<1x84x1x1xf32>
}
