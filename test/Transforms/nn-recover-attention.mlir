// RUN: cim-opt %s --nn-recover-attention --verify-diagnostics | FileCheck %s

// A mask that chooses: 0 where it keeps, else a number that absorbs scores.
// CHECK-LABEL: func.func @chosen
// CHECK-SAME: (%[[Q:.*]]: tensor<1x2x5x4xf32>, %[[K:.*]]: tensor<1x2x7x4xf32>, %[[V:.*]]: tensor<1x2x7x3xf32>, %[[M:.*]]: tensor<5x7xi1>)
// CHECK: %[[B:.*]] = nn.where %[[M]], {{.*}} -> tensor<5x7xf32>
// CHECK: nn.attention %[[Q]], %[[K]], %[[V]], %[[B]] {scale = 5.000000e-01 : f32
// CHECK-NEXT: return
func.func @chosen(%q: tensor<1x2x5x4xf32>, %k: tensor<1x2x7x4xf32>, %v: tensor<1x2x7x3xf32>, %m: tensor<5x7xi1>) -> tensor<1x2x5x3xf32> {
  %low = nn.constant dense<0xFF800000> : tensor<f32> : tensor<f32>
  %half = nn.constant dense<0.5> : tensor<f32> : tensor<f32>
  %0 = nn.matmul %q, %k {transpose_b} : (tensor<1x2x5x4xf32>, tensor<1x2x7x4xf32>) -> tensor<1x2x5x7xf32>
  %1 = nn.mul %0, %half : (tensor<1x2x5x7xf32>, tensor<f32>) -> tensor<1x2x5x7xf32>
  %2 = nn.where %m, %1, %low : (tensor<5x7xi1>, tensor<1x2x5x7xf32>, tensor<f32>) -> tensor<1x2x5x7xf32>
  %3 = nn.softmax %2 {axis = 3 : i64} : (tensor<1x2x5x7xf32>) -> tensor<1x2x5x7xf32>
  // expected-remark@+1 {{attention recovered}}
  %4 = nn.matmul %3, %v : (tensor<1x2x5x7xf32>, tensor<1x2x7x3xf32>) -> tensor<1x2x5x3xf32>
  return %4 : tensor<1x2x5x3xf32>
}

// One number low, but not so low that the score does not count; a softmax over
// queries; a constant matrix for the values.
// CHECK-LABEL: func.func @others
// CHECK-NOT: nn.attention
func.func @others(%q: tensor<5x4xf32>, %k: tensor<5x4xf32>, %v: tensor<5x3xf32>, %m: tensor<5x5xi1>)
    -> (tensor<5x3xf32>, tensor<5x3xf32>, tensor<5x3xf32>) {
  %low = nn.constant dense<-1.0e4> : tensor<f32> : tensor<f32>
  %w = nn.constant dense<1.0> : tensor<5x3xf32> : tensor<5x3xf32>
  %0 = nn.matmul %q, %k {transpose_b} : (tensor<5x4xf32>, tensor<5x4xf32>) -> tensor<5x5xf32>
  %1 = nn.where %m, %0, %low : (tensor<5x5xi1>, tensor<5x5xf32>, tensor<f32>) -> tensor<5x5xf32>
  %2 = nn.softmax %1 {axis = 1 : i64} : (tensor<5x5xf32>) -> tensor<5x5xf32>
  %3 = nn.matmul %2, %v : (tensor<5x5xf32>, tensor<5x3xf32>) -> tensor<5x3xf32>
  %4 = nn.softmax %0 {axis = 0 : i64} : (tensor<5x5xf32>) -> tensor<5x5xf32>
  %5 = nn.matmul %4, %v : (tensor<5x5xf32>, tensor<5x3xf32>) -> tensor<5x3xf32>
  %6 = nn.softmax %0 {axis = 1 : i64} : (tensor<5x5xf32>) -> tensor<5x5xf32>
  %7 = nn.matmul %6, %w : (tensor<5x5xf32>, tensor<5x3xf32>) -> tensor<5x3xf32>
  return %3, %5, %7 : tensor<5x3xf32>, tensor<5x3xf32>, tensor<5x3xf32>
}

// Windows with masks of their own, as in Swin: 3 pictures of 4 windows.
// CHECK-LABEL: func.func @windows
// CHECK-SAME: (%[[Q:.*]]: tensor<12x2x5x4xf32>, %[[K:.*]]: tensor<12x2x7x4xf32>, %[[V:.*]]: tensor<12x2x7x3xf32>, %[[P:.*]]: tensor<1x2x5x7xf32>, %[[M:.*]]: tensor<1x4x1x5x7xf32>)
// CHECK: %[[E:.*]] = nn.expand %[[M]] {{.*}} -> tensor<3x4x1x5x7xf32>
// CHECK: %[[R:.*]] = nn.reshape %[[E]] {{.*}} -> tensor<12x1x5x7xf32>
// CHECK: %[[B:.*]] = nn.add %[[R]], %[[P]] {{.*}} -> tensor<12x2x5x7xf32>
// CHECK: nn.attention %[[Q]], %[[K]], %[[V]], %[[B]] {scale = 1.000000e+00 : f32
// CHECK-NEXT: return
func.func @windows(%q: tensor<12x2x5x4xf32>, %k: tensor<12x2x7x4xf32>, %v: tensor<12x2x7x3xf32>,
                   %p: tensor<1x2x5x7xf32>, %m: tensor<1x4x1x5x7xf32>) -> tensor<12x2x5x3xf32> {
  %0 = nn.matmul %q, %k {transpose_b} : (tensor<12x2x5x4xf32>, tensor<12x2x7x4xf32>) -> tensor<12x2x5x7xf32>
  %1 = nn.add %0, %p : (tensor<12x2x5x7xf32>, tensor<1x2x5x7xf32>) -> tensor<12x2x5x7xf32>
  %2 = nn.reshape %1 : (tensor<12x2x5x7xf32>) -> tensor<3x4x2x5x7xf32>
  %3 = nn.add %2, %m : (tensor<3x4x2x5x7xf32>, tensor<1x4x1x5x7xf32>) -> tensor<3x4x2x5x7xf32>
  %4 = nn.softmax %3 {axis = 4 : i64} : (tensor<3x4x2x5x7xf32>) -> tensor<3x4x2x5x7xf32>
  %5 = nn.reshape %4 : (tensor<3x4x2x5x7xf32>) -> tensor<12x2x5x7xf32>
  // expected-remark@+1 {{attention recovered}}
  %6 = nn.matmul %5, %v : (tensor<12x2x5x7xf32>, tensor<12x2x7x3xf32>) -> tensor<12x2x5x3xf32>
  return %6 : tensor<12x2x5x3xf32>
}

// A mask for all rows alike is the bias of the product, unless that is scaled.
// CHECK-LABEL: func.func @bias
// CHECK-SAME: (%[[Q:.*]]: tensor<1x2x1x4xf32>, %[[K:.*]]: tensor<1x2x7x4xf32>, %[[V:.*]]: tensor<1x2x7x3xf32>, %[[M:.*]]: tensor<7xf32>)
// CHECK: nn.attention %[[Q]], %[[K]], %[[V]], %[[M]] {scale = 1.000000e+00 : f32
// CHECK: nn.softmax
func.func @bias(%q: tensor<1x2x1x4xf32>, %k: tensor<1x2x7x4xf32>, %v: tensor<1x2x7x3xf32>, %m: tensor<7xf32>)
    -> (tensor<1x2x1x3xf32>, tensor<1x2x1x3xf32>) {
  %half = nn.constant dense<0.5> : tensor<f32> : tensor<f32>
  %0 = nn.matmul %q, %k, %m {transpose_b} : (tensor<1x2x1x4xf32>, tensor<1x2x7x4xf32>, tensor<7xf32>) -> tensor<1x2x1x7xf32>
  %1 = nn.softmax %0 {axis = 3 : i64} : (tensor<1x2x1x7xf32>) -> tensor<1x2x1x7xf32>
  // expected-remark@+1 {{attention recovered}}
  %2 = nn.matmul %1, %v : (tensor<1x2x1x7xf32>, tensor<1x2x7x3xf32>) -> tensor<1x2x1x3xf32>
  %3 = nn.mul %0, %half : (tensor<1x2x1x7xf32>, tensor<f32>) -> tensor<1x2x1x7xf32>
  %4 = nn.softmax %3 {axis = 3 : i64} : (tensor<1x2x1x7xf32>) -> tensor<1x2x1x7xf32>
  %5 = nn.matmul %4, %v : (tensor<1x2x1x7xf32>, tensor<1x2x7x3xf32>) -> tensor<1x2x1x3xf32>
  return %2, %5 : tensor<1x2x1x3xf32>, tensor<1x2x1x3xf32>
}
