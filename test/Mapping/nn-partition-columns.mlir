// RUN: cim-opt %s --split-input-file --nn-partition=chip=%S/Inputs/tiny.json -mlir-print-local-scope | FileCheck %s

// The chip holds 64 row groups of 8 rows and 8 weights. The products need 96, 32
// for 8 columns, so each becomes three with 8, and their scales and biases.
!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>
!c = !quant.uniform<i8:f32:1, {0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.10, 0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17, 0.18, 0.19, 0.20, 0.21, 0.22, 0.23, 0.24}>

// CHECK: module @part0
// CHECK: nn.constant {{.*}} : tensor<256x8xi8> : tensor<256x8x!quant.uniform<i8:f32:1, {1.000000e-02,{{.*}},8.000000e-02}>>
// CHECK: nn.matmul {{.*}} -> tensor<1x8x!quant
// CHECK: module @part1
// CHECK: nn.constant {{.*}} : tensor<256x8x!quant.uniform<i8:f32:1, {{{.*}},1.600000e-01}>>
// CHECK: nn.constant dense<2> : tensor<8xi32> : tensor<8xi32>
// CHECK: nn.matmul {{.*}} -> tensor<1x8x!quant
// CHECK: nn.constant {{.*}} : tensor<256x8x!quant.uniform<i8:f32:1, {1.700000e-01,{{.*}},2.400000e-01}>>
// CHECK: nn.matmul {{.*}} -> tensor<1x8x!quant
// CHECK: nn.concat {{.*}} {axis = 1 : i64} : (tensor<1x8x{{.*}}, tensor<1x8x{{.*}}, tensor<1x8x{{.*}}) -> tensor<1x24x
func.func @columns(%x: tensor<1x256x!x>) -> tensor<1x24x!x> {
  %w = nn.constant dense<1> : tensor<256x24xi8> : tensor<256x24x!c>
  %b = nn.constant dense<2> : tensor<24xi32> : tensor<24xi32>
  %0 = nn.matmul %x, %w, %b : (tensor<1x256x!x>, tensor<256x24x!c>, tensor<24xi32>) -> tensor<1x24x!x>
  return %0 : tensor<1x24x!x>
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// Weights on the left make rows; a convolution's columns are channels.
// CHECK: nn.matmul {{.*}} -> tensor<8x5x
// CHECK: nn.matmul {{.*}} -> tensor<8x5x
// CHECK: nn.concat {{.*}} {axis = 0 : i64}
// CHECK: nn.conv {{.*}}tensor<8x64x2x2x{{.*}}tensor<8xi32>{{.*}} -> tensor<1x8x1x1x
// CHECK: nn.conv {{.*}}tensor<8x64x2x2x{{.*}} -> tensor<1x8x1x1x
// CHECK: nn.concat {{.*}} {axis = 1 : i64}
func.func @others(%x: tensor<256x5x!x>, %y: tensor<1x64x2x2x!x>) -> (tensor<24x5x!x>, tensor<1x24x1x1x!x>) {
  %w = nn.constant dense<1> : tensor<24x256xi8> : tensor<24x256x!w>
  %k = nn.constant dense<1> : tensor<24x64x2x2xi8> : tensor<24x64x2x2x!w>
  %b = nn.constant dense<7> : tensor<24xi32> : tensor<24xi32>
  %0 = nn.matmul %w, %x : (tensor<24x256x!w>, tensor<256x5x!x>) -> tensor<24x5x!x>
  %1 = nn.conv %y, %k, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : (tensor<1x64x2x2x!x>, tensor<24x64x2x2x!w>, tensor<24xi32>) -> tensor<1x24x1x1x!x>
  return %0, %1 : tensor<24x5x!x>, tensor<1x24x1x1x!x>
}
