// RUN: cim-opt %s --nn-recover-rotary-embedding --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @halves
// CHECK-DAG: %[[C:.*]] = nn.constant dense<{{\[\[}}1.000000e+00, 2.000000e+00]]> : tensor<1x2xf32>
// CHECK-DAG: %[[S:.*]] = nn.constant dense<{{\[\[}}3.000000e+00, 4.000000e+00]]> : tensor<1x2xf32>
// CHECK: nn.rotary_embedding %{{.*}}, %[[C]], %[[S]]
// CHECK-NEXT: return
func.func @halves(%x: tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32> {
  %c = nn.constant dense<[[1.0, 2.0, 1.0, 2.0]]> : tensor<1x4xf32> : tensor<1x4xf32>
  %s = nn.constant dense<[[3.0, 4.0, 3.0, 4.0]]> : tensor<1x4xf32> : tensor<1x4xf32>
  %0 = nn.mul %x, %c : (tensor<1x2x3x4xf32>, tensor<1x4xf32>) -> tensor<1x2x3x4xf32>
  %1 = nn.slice %x {starts = array<i64: 0, 0, 0, 0>, sizes = array<i64: 1, 2, 3, 2>, steps = array<i64: 1, 1, 1, 1>}
    : (tensor<1x2x3x4xf32>) -> tensor<1x2x3x2xf32>
  %2 = nn.slice %x {starts = array<i64: 0, 0, 0, 2>, sizes = array<i64: 1, 2, 3, 2>, steps = array<i64: 1, 1, 1, 1>}
    : (tensor<1x2x3x4xf32>) -> tensor<1x2x3x2xf32>
  %3 = nn.neg %2 : (tensor<1x2x3x2xf32>) -> tensor<1x2x3x2xf32>
  %4 = nn.concat %3, %1 {axis = 3 : i64} : (tensor<1x2x3x2xf32>, tensor<1x2x3x2xf32>) -> tensor<1x2x3x4xf32>
  %5 = nn.mul %s, %4 : (tensor<1x4xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  // expected-remark@+1 {{rotary_embedding recovered}}
  %6 = nn.add %0, %5 : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  return %6 : tensor<1x2x3x4xf32>
}

// A table whose halves differ.
// CHECK-LABEL: func.func @others
// CHECK-NOT: nn.rotary_embedding
func.func @others(%x: tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32> {
  %c = nn.constant dense<[[1.0, 2.0, 1.0, 5.0]]> : tensor<1x4xf32> : tensor<1x4xf32>
  %s = nn.constant dense<[[3.0, 4.0, 3.0, 4.0]]> : tensor<1x4xf32> : tensor<1x4xf32>
  %0 = nn.mul %x, %c : (tensor<1x2x3x4xf32>, tensor<1x4xf32>) -> tensor<1x2x3x4xf32>
  %1 = nn.slice %x {starts = array<i64: 0, 0, 0, 0>, sizes = array<i64: 1, 2, 3, 2>, steps = array<i64: 1, 1, 1, 1>}
    : (tensor<1x2x3x4xf32>) -> tensor<1x2x3x2xf32>
  %2 = nn.slice %x {starts = array<i64: 0, 0, 0, 2>, sizes = array<i64: 1, 2, 3, 2>, steps = array<i64: 1, 1, 1, 1>}
    : (tensor<1x2x3x4xf32>) -> tensor<1x2x3x2xf32>
  %3 = nn.neg %2 : (tensor<1x2x3x2xf32>) -> tensor<1x2x3x2xf32>
  %4 = nn.concat %3, %1 {axis = 3 : i64} : (tensor<1x2x3x2xf32>, tensor<1x2x3x2xf32>) -> tensor<1x2x3x4xf32>
  %5 = nn.mul %s, %4 : (tensor<1x4xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  %6 = nn.add %0, %5 : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  return %6 : tensor<1x2x3x4xf32>
}
