// RUN: cim-opt %s --nn-canonicalize | FileCheck %s

// CHECK-LABEL: func.func @expand
// CHECK-SAME: (%[[X:.*]]: tensor<4x1xf32>, %[[Y:.*]]: tensor<2x4x5xf32>)
// CHECK-NEXT: nn.add %[[Y]], %[[X]]
// CHECK-NEXT: return
func.func @expand(%x: tensor<4x1xf32>, %y: tensor<2x4x5xf32>) -> tensor<2x4x5xf32> {
  %0 = nn.expand %x {shape = array<i64: 2, 4, 5>} : (tensor<4x1xf32>) -> tensor<2x4x5xf32>
  %1 = nn.expand %0 {shape = array<i64: 2, 4, 5>} : (tensor<2x4x5xf32>) -> tensor<2x4x5xf32>
  %2 = nn.add %y, %1 : (tensor<2x4x5xf32>, tensor<2x4x5xf32>) -> tensor<2x4x5xf32>
  return %2 : tensor<2x4x5xf32>
}

// The expansion that gives the result its shape stays.
// CHECK-LABEL: func.func @needed
// CHECK: nn.expand
// CHECK: nn.add
func.func @needed(%x: tensor<4x1xf32>, %y: tensor<5xf32>) -> tensor<2x4x5xf32> {
  %0 = nn.expand %x {shape = array<i64: 2, 4, 5>} : (tensor<4x1xf32>) -> tensor<2x4x5xf32>
  %1 = nn.add %0, %y : (tensor<2x4x5xf32>, tensor<5xf32>) -> tensor<2x4x5xf32>
  return %1 : tensor<2x4x5xf32>
}

// CHECK-LABEL: func.func @rows
// CHECK-NEXT: nn.softmax %{{.*}} {axis = 1 : i64}
// CHECK-NEXT: return
func.func @rows(%x: tensor<9x7xf32>) -> tensor<9x7xf32> {
  %0 = nn.reshape %x : (tensor<9x7xf32>) -> tensor<1x3x3x7xf32>
  %1 = nn.softmax %0 {axis = 3 : i64} : (tensor<1x3x3x7xf32>) -> tensor<1x3x3x7xf32>
  %2 = nn.reshape %1 : (tensor<1x3x3x7xf32>) -> tensor<9x7xf32>
  return %2 : tensor<9x7xf32>
}

// Rows that the reshape cuts.
// CHECK-LABEL: func.func @cut
// CHECK: nn.reshape
// CHECK: nn.softmax
func.func @cut(%x: tensor<9x8xf32>) -> tensor<18x4xf32> {
  %0 = nn.reshape %x : (tensor<9x8xf32>) -> tensor<18x4xf32>
  %1 = nn.softmax %0 {axis = 1 : i64} : (tensor<18x4xf32>) -> tensor<18x4xf32>
  return %1 : tensor<18x4xf32>
}
