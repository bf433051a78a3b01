// RUN: cim-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: func.func @weighted
func.func @weighted(%x: tensor<1x3x7x5xf32>, %w: tensor<4x3x3x2xf32>, %b: tensor<4xf32>,
                    %m: tensor<2x1x3x4xf32>, %n: tensor<5x7x4xf32>) {
  // CHECK: nn.conv {{.*}} -> tensor<1x4x4x4xf32>
  %0 = nn.conv %x, %w, %b {strides = array<i64: 2, 1>, pads = array<i64: 1, 0, 1, 1>, dilations = array<i64: 1, 2>, group = 1 : i64}
    : (tensor<1x3x7x5xf32>, tensor<4x3x3x2xf32>, tensor<4xf32>) -> tensor<1x4x4x4xf32>
  // Batch axes are broadcast.
  // CHECK: nn.matmul {{.*}} {transpose_b} {{.*}} -> tensor<2x5x3x7xf32>
  %1 = nn.matmul %m, %n {transpose_b} : (tensor<2x1x3x4xf32>, tensor<5x7x4xf32>) -> tensor<2x5x3x7xf32>
  return
}

// One axis behaves like numpy's.
// CHECK-LABEL: func.func @vectors
func.func @vectors(%a: tensor<4xf32>, %b: tensor<4x3xf32>, %c: tensor<2x5x4xf32>) {
  // CHECK: nn.matmul {{.*}} -> tensor<3xf32>
  %0 = nn.matmul %a, %b : (tensor<4xf32>, tensor<4x3xf32>) -> tensor<3xf32>
  // CHECK: nn.matmul {{.*}} -> tensor<2x5xf32>
  %1 = nn.matmul %c, %a : (tensor<2x5x4xf32>, tensor<4xf32>) -> tensor<2x5xf32>
  // CHECK: nn.matmul {{.*}} -> tensor<f32>
  %2 = nn.matmul %a, %a : (tensor<4xf32>, tensor<4xf32>) -> tensor<f32>
  // CHECK: nn.add {{.*}} -> tensor<2x5x4xf32>
  %3 = nn.add %c, %a : (tensor<2x5x4xf32>, tensor<4xf32>) -> tensor<2x5x4xf32>
  return
}

// Windows: floor and ceil of (6 + 1 - 3) / 3, and a last window that would
// start in the end padding.
// CHECK-LABEL: func.func @pools
func.func @pools(%x: tensor<1x2x6xf32>, %y: tensor<1x2x5xf32>) {
  // CHECK: nn.max_pool {{.*}} -> tensor<1x2x2xf32>
  %0 = nn.max_pool %x {kernel = array<i64: 3>, strides = array<i64: 3>, pads = array<i64: 0, 1>, dilations = array<i64: 1>}
    : (tensor<1x2x6xf32>) -> tensor<1x2x2xf32>
  // CHECK: nn.avg_pool {{.*}}ceil_mode{{.*}} -> tensor<1x2x3xf32>
  %1 = nn.avg_pool %x {ceil_mode, kernel = array<i64: 3>, strides = array<i64: 2>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}
    : (tensor<1x2x6xf32>) -> tensor<1x2x3xf32>
  // CHECK: nn.max_pool {{.*}}ceil_mode{{.*}} -> tensor<1x2x2xf32>
  %2 = nn.max_pool %y {ceil_mode, kernel = array<i64: 2>, strides = array<i64: 3>, pads = array<i64: 0, 1>, dilations = array<i64: 1>}
    : (tensor<1x2x5xf32>) -> tensor<1x2x2xf32>
  return
}

// Scales are exact single-precision numbers after printing and parsing.
// CHECK-LABEL: func.func @quantized
func.func @quantized(%x: tensor<2x3xf32>) {
  // CHECK: nn.quantize {{.*}} -> tensor<2x3x!quant.uniform<u8:f32, 0.033333335071802139:128>>
  %0 = nn.quantize %x : (tensor<2x3xf32>) -> tensor<2x3x!quant.uniform<u8:f32, 0.033333335071802139:128>>
  // CHECK: nn.constant dense<{{.*}}> : tensor<2x2xui8> : tensor<2x2x!quant.uniform<u8:f32, 5.000000e-01:3>>
  %1 = nn.constant dense<[[0, 255], [1, 2]]> : tensor<2x2xui8> : tensor<2x2x!quant.uniform<u8:f32, 0.5:3>>
  // CHECK: nn.constant {{.*}} : tensor<2x!quant.uniform<i8:f32:0, {2.500000e-01,5.000000e-01:1}>>
  %2 = nn.constant dense<[1, -2]> : tensor<2xi8> : tensor<2x!quant.uniform<i8:f32:0, {0.25, 0.5:1}>>
  return
}
