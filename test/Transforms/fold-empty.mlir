// Tensors without elements are constants, whoever makes them; what reads them folds.
// RUN: cim-opt %s --nn-canonicalize --split-input-file | FileCheck %s

// The half of a head that is not rotated.
// CHECK-LABEL: func.func @part
func.func @part(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %0 = nn.slice %x {starts = array<i64: 0, 8>, sizes = array<i64: 2, 0>, steps = array<i64: 1, 1>} : (tensor<2x8xf32>) -> tensor<2x0xf32>
  %1 = nn.relu %0 : (tensor<2x0xf32>) -> tensor<2x0xf32>
  // CHECK-NEXT: %[[R:.*]] = nn.relu %arg0
  %2 = nn.relu %x : (tensor<2x8xf32>) -> tensor<2x8xf32>
  %3 = nn.concat %2, %1 {axis = 1 : i64} : (tensor<2x8xf32>, tensor<2x0xf32>) -> tensor<2x8xf32>
  // CHECK-NEXT: return %[[R]]
  return %3 : tensor<2x8xf32>
}

// -----

// Nobody reads an argument without elements; sums over none are 0.
// CHECK-LABEL: func.func @argument
func.func @argument(%x: tensor<2x0x4xf32>) -> (tensor<2x1x4xf32>, tensor<2x4x0xf32>) {
  // CHECK-DAG: %[[ZERO:.*]] = nn.constant dense<0.000000e+00> : tensor<2x1x4xf32>
  // CHECK-DAG: %[[NONE:.*]] = nn.constant dense<> : tensor<2x4x0xf32>
  %0 = nn.reduce_sum %x {axes = array<i64: 1>, keep_dims} : (tensor<2x0x4xf32>) -> tensor<2x1x4xf32>
  %1 = nn.transpose %x {perm = array<i64: 0, 2, 1>} : (tensor<2x0x4xf32>) -> tensor<2x4x0xf32>
  // CHECK: return %[[ZERO]], %[[NONE]]
  return %0, %1 : tensor<2x1x4xf32>, tensor<2x4x0xf32>
}

// -----

// A product over no elements is 0; writing nothing changes nothing.
// CHECK-LABEL: func.func @nothing
func.func @nothing(%x: tensor<3x0xf32>, %y: tensor<4x5xf32>) -> (tensor<3x2xf32>, tensor<4x5xf32>) {
  // CHECK: %[[ZERO:.*]] = nn.constant dense<0.000000e+00> : tensor<3x2xf32>
  %w = nn.constant dense<> : tensor<0x2xf32> : tensor<0x2xf32>
  %0 = nn.matmul %x, %w : (tensor<3x0xf32>, tensor<0x2xf32>) -> tensor<3x2xf32>
  %i = nn.constant dense<> : tensor<0x1xi64> : tensor<0x1xi64>
  %u = nn.constant dense<> : tensor<0x5xf32> : tensor<0x5xf32>
  %1 = nn.scatter_nd %y, %i, %u {reduction = "none"}
     : (tensor<4x5xf32>, tensor<0x1xi64>, tensor<0x5xf32>) -> tensor<4x5xf32>
  // CHECK: return %[[ZERO]], %arg1
  return %0, %1 : tensor<3x2xf32>, tensor<4x5xf32>
}
