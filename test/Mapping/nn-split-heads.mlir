// RUN: cim-opt %s --nn-split-heads | FileCheck %s
// RUN: cim-opt %s --nn-split-heads --nn-decompose | FileCheck %s --check-prefix=ROWS

// Two heads of two columns each; keys and values have one group a head.
// CHECK-LABEL: func.func @heads
// CHECK-DAG: %{{.*}} = nn.matmul %arg0, %{{.*}} -> tensor<1x3x2xf32>
// CHECK-NOT: nn.transpose
// CHECK: nn.attention {{.*}} -> tensor<1x1x3x2xf32>
// CHECK: nn.attention {{.*}} -> tensor<1x1x3x2xf32>
// CHECK: nn.concat {{.*}} {axis = 2 : i64} : (tensor<1x3x2xf32>, tensor<1x3x2xf32>) -> tensor<1x3x4xf32>
// CHECK-NOT: nn.transpose
// A head's matrices have two axes, so that they pass row by row.
// ROWS-LABEL: func.func @heads
// ROWS-COUNT-2: nn.softmax {{.*}} tensor<3x3xf32>
func.func @heads(%x: tensor<1x3x4xf32>) -> tensor<1x3x4xf32> {
  %w = nn.constant dense<1.0> : tensor<4x4xf32> : tensor<4x4xf32>
  %v = nn.constant dense<2.0> : tensor<4x4xf32> : tensor<4x4xf32>
  %k = nn.constant dense<3.0> : tensor<4x4xf32> : tensor<4x4xf32>
  %0 = nn.matmul %x, %w : (tensor<1x3x4xf32>, tensor<4x4xf32>) -> tensor<1x3x4xf32>
  %1 = nn.reshape %0 : (tensor<1x3x4xf32>) -> tensor<1x3x2x2xf32>
  %2 = nn.transpose %1 {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x3x2x2xf32>) -> tensor<1x2x3x2xf32>
  %3 = nn.matmul %x, %k : (tensor<1x3x4xf32>, tensor<4x4xf32>) -> tensor<1x3x4xf32>
  %4 = nn.reshape %3 : (tensor<1x3x4xf32>) -> tensor<1x3x2x2xf32>
  %5 = nn.transpose %4 {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x3x2x2xf32>) -> tensor<1x2x3x2xf32>
  %6 = nn.matmul %x, %v : (tensor<1x3x4xf32>, tensor<4x4xf32>) -> tensor<1x3x4xf32>
  %7 = nn.reshape %6 : (tensor<1x3x4xf32>) -> tensor<1x3x2x2xf32>
  %8 = nn.transpose %7 {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x3x2x2xf32>) -> tensor<1x2x3x2xf32>
  %9 = nn.attention %2, %5, %8 {scale = 1.0 : f32} : (tensor<1x2x3x2xf32>, tensor<1x2x3x2xf32>, tensor<1x2x3x2xf32>) -> tensor<1x2x3x2xf32>
  %10 = nn.transpose %9 {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x2x3x2xf32>) -> tensor<1x3x2x2xf32>
  %11 = nn.reshape %10 : (tensor<1x3x2x2xf32>) -> tensor<1x3x4xf32>
  return %11 : tensor<1x3x4xf32>
}

// Heads that are not columns of one matrix: left as it is.
// CHECK-LABEL: func.func @kept
// CHECK: nn.attention {{.*}} -> tensor<1x2x3x2xf32>
func.func @kept(%q: tensor<1x2x3x2xf32>, %k: tensor<1x2x3x2xf32>, %v: tensor<1x2x3x2xf32>) -> tensor<1x3x4xf32> {
  %0 = nn.attention %q, %k, %v {scale = 1.0 : f32} : (tensor<1x2x3x2xf32>, tensor<1x2x3x2xf32>, tensor<1x2x3x2xf32>) -> tensor<1x2x3x2xf32>
  %1 = nn.transpose %0 {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x2x3x2xf32>) -> tensor<1x3x2x2xf32>
  %2 = nn.reshape %1 : (tensor<1x3x2x2xf32>) -> tensor<1x3x4xf32>
  return %2 : tensor<1x3x4xf32>
}
