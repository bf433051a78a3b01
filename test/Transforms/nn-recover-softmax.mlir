// RUN: cim-opt %s --nn-recover-softmax --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @stable
// CHECK-SAME: (%[[X:.*]]: tensor<3x4x5xf32>)
// CHECK-NEXT: %[[Y:.*]] = nn.softmax %[[X]] {axis = 1 : i64}
// CHECK-NEXT: return %[[Y]]
func.func @stable(%x: tensor<3x4x5xf32>) -> tensor<3x4x5xf32> {
  %m = nn.reduce_max %x {axes = array<i64: 1>, keep_dims} : (tensor<3x4x5xf32>) -> tensor<3x1x5xf32>
  %d = nn.sub %x, %m : (tensor<3x4x5xf32>, tensor<3x1x5xf32>) -> tensor<3x4x5xf32>
  %e = nn.exp %d : (tensor<3x4x5xf32>) -> tensor<3x4x5xf32>
  %s = nn.reduce_sum %e {axes = array<i64: 1>, keep_dims} : (tensor<3x4x5xf32>) -> tensor<3x1x5xf32>
  // expected-remark@+1 {{softmax recovered}}
  %y = nn.div %e, %s : (tensor<3x4x5xf32>, tensor<3x1x5xf32>) -> tensor<3x4x5xf32>
  return %y : tensor<3x4x5xf32>
}

// CHECK-LABEL: func.func @product
// CHECK-NEXT: nn.softmax
// CHECK-NEXT: return
func.func @product(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = nn.exp %x : (tensor<4xf32>) -> tensor<4xf32>
  %s = nn.reduce_sum %e {axes = array<i64: 0>, keep_dims} : (tensor<4xf32>) -> tensor<1xf32>
  %r = nn.reciprocal %s : (tensor<1xf32>) -> tensor<1xf32>
  // expected-remark@+1 {{softmax recovered}}
  %y = nn.mul %r, %e : (tensor<1xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// The sum over two axes.
// CHECK-LABEL: func.func @others
// CHECK-NOT: nn.softmax
func.func @others(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %e = nn.exp %x : (tensor<3x4xf32>) -> tensor<3x4xf32>
  %s = nn.reduce_sum %e {axes = array<i64: 0, 1>, keep_dims} : (tensor<3x4xf32>) -> tensor<1x1xf32>
  %y = nn.div %e, %s : (tensor<3x4xf32>, tensor<1x1xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}
