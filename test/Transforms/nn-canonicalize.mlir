// RUN: cim-opt %s --nn-canonicalize --split-input-file | FileCheck %s

// scale / sqrt(3 + 1) = 1 and 2; the bias is (b - mean) * factor + bias.
// CHECK-LABEL: func.func @batch_norm_into_conv
// CHECK-DAG: nn.constant dense<{{\[\[\[\[}}2.000000e+00]]], {{\[\[\[}}6.000000e+00]]]]> : tensor<2x1x1x1xf32>
// CHECK-DAG: nn.constant dense<[1.050000e+01, 2.000000e+01]> : tensor<2xf32>
// CHECK: nn.conv
// CHECK-NOT: nn.batch_norm
// CHECK: return
func.func @batch_norm_into_conv(%x: tensor<1x1x3x3xf32>) -> tensor<1x2x3x3xf32> {
  %w = nn.constant dense<[[[[2.0]]], [[[3.0]]]]> : tensor<2x1x1x1xf32> : tensor<2x1x1x1xf32>
  %b = nn.constant dense<[1.0, 0.5]> : tensor<2xf32> : tensor<2xf32>
  %scale = nn.constant dense<[2.0, 4.0]> : tensor<2xf32> : tensor<2xf32>
  %bias = nn.constant dense<[10.0, 20.0]> : tensor<2xf32> : tensor<2xf32>
  %mean = nn.constant dense<[0.5, 0.5]> : tensor<2xf32> : tensor<2xf32>
  %var = nn.constant dense<3.0> : tensor<2xf32> : tensor<2xf32>
  %0 = nn.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
    : (tensor<1x1x3x3xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x3x3xf32>
  %1 = nn.batch_norm %0, %scale, %bias, %mean, %var {epsilon = 1.0 : f32}
    : (tensor<1x2x3x3xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x3x3xf32>
  return %1 : tensor<1x2x3x3xf32>
}

// -----

// CHECK-LABEL: func.func @batch_norm_alone
// CHECK-DAG: %[[F:.*]] = nn.constant {{.*}} tensor<2x1x1xf32>
// CHECK: %[[M:.*]] = nn.mul %{{.*}}, %[[F]]
// CHECK: nn.add %[[M]]
func.func @batch_norm_alone(%x: tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32> {
  %s = nn.constant dense<[2.0, 4.0]> : tensor<2xf32> : tensor<2xf32>
  %0 = nn.batch_norm %x, %s, %s, %s, %s {epsilon = 0.0 : f32}
    : (tensor<1x2x3x3xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x3x3xf32>
  return %0 : tensor<1x2x3x3xf32>
}

// -----

// A second user of the sum keeps it as it is.
// CHECK-LABEL: func.func @two_users
// CHECK: nn.matmul
// CHECK: nn.add
func.func @two_users(%x: tensor<1x3xf32>, %w: tensor<3x2xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>) {
  %b = nn.constant dense<[1.0, 0.5]> : tensor<2xf32> : tensor<2xf32>
  %0 = nn.matmul %x, %w : (tensor<1x3xf32>, tensor<3x2xf32>) -> tensor<1x2xf32>
  %1 = nn.add %0, %b : (tensor<1x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  return %0, %1 : tensor<1x2xf32>, tensor<1x2xf32>
}

// -----

// A summand becomes the bias, whatever the weight is.
// CHECK-LABEL: func.func @bias
// CHECK: %[[B:.*]] = nn.constant dense<[1.000000e+00, 5.000000e-01]>
// CHECK: nn.matmul %{{.*}}, %{{.*}}, %[[B]]
// CHECK-NOT: nn.add
// CHECK: return
func.func @bias(%x: tensor<1x3xf32>, %w: tensor<3x2xf32>) -> tensor<1x2xf32> {
  %b = nn.constant dense<[1.0, 0.5]> : tensor<2xf32> : tensor<2xf32>
  %0 = nn.matmul %x, %w : (tensor<1x3xf32>, tensor<3x2xf32>) -> tensor<1x2xf32>
  %1 = nn.add %b, %0 : (tensor<2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  return %1 : tensor<1x2xf32>
}

// -----

// CHECK-LABEL: func.func @padding
// CHECK-NOT: nn.pad
// CHECK: nn.conv {{.*}} pads = array<i64: 1, 0, 1, 2>
// CHECK: nn.avg_pool {{.*}}count_include_pad{{.*}} pads = array<i64: 1, 0, 0, 0>
func.func @padding(%x: tensor<1x1x4x4xf32>, %w: tensor<1x1x3x3xf32>) -> (tensor<1x1x4x4xf32>, tensor<1x1x4x3xf32>) {
  %p = nn.pad %x {low = array<i64: 0, 0, 1, 0>, high = array<i64: 0, 0, 1, 1>, value = 0.0 : f32}
    : (tensor<1x1x4x4xf32>) -> tensor<1x1x6x5xf32>
  %0 = nn.conv %p, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 1>, dilations = array<i64: 1, 1>}
    : (tensor<1x1x6x5xf32>, tensor<1x1x3x3xf32>) -> tensor<1x1x4x4xf32>
  %q = nn.pad %x {low = array<i64: 0, 0, 1, 0>, high = array<i64: 0, 0, 0, 0>, value = 0.0 : f32}
    : (tensor<1x1x4x4xf32>) -> tensor<1x1x5x4xf32>
  %1 = nn.avg_pool %q {kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
    : (tensor<1x1x5x4xf32>) -> tensor<1x1x4x3xf32>
  return %0, %1 : tensor<1x1x4x4xf32>, tensor<1x1x4x3xf32>
}

// -----

// CHECK-LABEL: func.func @movement
// CHECK-SAME: (%[[X:.*]]: tensor<1x3x1x5xf32>
// CHECK-NEXT: %[[R:.*]] = nn.reshape %[[X]] {{.*}} -> tensor<15xf32>
// CHECK-NEXT: return %[[X]], %[[R]]
func.func @movement(%x: tensor<1x3x1x5xf32>) -> (tensor<1x3x1x5xf32>, tensor<15xf32>) {
  %0 = nn.transpose %x {perm = array<i64: 0, 3, 1, 2>} : (tensor<1x3x1x5xf32>) -> tensor<1x5x3x1xf32>
  %1 = nn.transpose %0 {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x5x3x1xf32>) -> tensor<1x3x1x5xf32>
  %2 = nn.transpose %x {perm = array<i64: 2, 1, 0, 3>} : (tensor<1x3x1x5xf32>) -> tensor<1x3x1x5xf32>
  %3 = nn.reshape %2 : (tensor<1x3x1x5xf32>) -> tensor<3x5xf32>
  %4 = nn.reshape %3 : (tensor<3x5xf32>) -> tensor<15xf32>
  return %1, %4 : tensor<1x3x1x5xf32>, tensor<15xf32>
}

// -----

// CHECK-LABEL: func.func @clamps
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>
// CHECK: %[[R:.*]] = nn.relu %[[X]]
// CHECK: %[[C:.*]] = nn.clip %[[X]] {max = 6.000000e+00 : f32, min = 0.000000e+00 : f32}
// CHECK: return %[[R]], %[[C]]
func.func @clamps(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = nn.clip %x {min = 0.0 : f32, max = 3.40282347E+38 : f32} : (tensor<4xf32>) -> tensor<4xf32>
  %1 = nn.relu %0 : (tensor<4xf32>) -> tensor<4xf32>
  %2 = nn.relu %x : (tensor<4xf32>) -> tensor<4xf32>
  %3 = nn.clip %2 {min = -1.0 : f32, max = 6.0 : f32} : (tensor<4xf32>) -> tensor<4xf32>
  return %1, %3 : tensor<4xf32>, tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @whole_map
// CHECK: nn.global_avg_pool
func.func @whole_map(%x: tensor<1x2x3x5xf32>) -> tensor<1x2x1x1xf32> {
  %0 = nn.avg_pool %x {kernel = array<i64: 3, 5>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
    : (tensor<1x2x3x5xf32>) -> tensor<1x2x1x1xf32>
  return %0 : tensor<1x2x1x1xf32>
}

// -----

// Constants fold; dequantized weights stay integers and take transposes.
// CHECK-LABEL: func.func @constants
// CHECK-DAG: nn.constant dense<[3.000000e+00, 5.000000e+00]>
// CHECK-DAG: %[[Q:.*]] = nn.constant dense<{{\[\[}}1, 3, 5], [2, 4, 6]]> : tensor<2x3xi8> : tensor<2x3x!quant.uniform<i8:f32:0, {5.000000e-01,2.500000e-01}>>
// CHECK-DAG: nn.dequantize %[[Q]]
// CHECK-NOT: nn.transpose
// CHECK: return
func.func @constants() -> (tensor<2xf32>, tensor<2x3xf32>) {
  %a = nn.constant dense<[1.0, 2.0]> : tensor<2xf32> : tensor<2xf32>
  %b = nn.constant dense<[2.0, 3.0]> : tensor<2xf32> : tensor<2xf32>
  %0 = nn.add %a, %b : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %w = nn.constant dense<[[1, 2], [3, 4], [5, 6]]> : tensor<3x2xi8> : tensor<3x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>
  %1 = nn.dequantize %w : (tensor<3x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) -> tensor<3x2xf32>
  %2 = nn.transpose %1 {perm = array<i64: 1, 0>} : (tensor<3x2xf32>) -> tensor<2x3xf32>
  return %0, %2 : tensor<2xf32>, tensor<2x3xf32>
}
