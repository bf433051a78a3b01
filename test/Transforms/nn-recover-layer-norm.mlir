// RUN: cim-opt %s --nn-recover-layer-norm --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @pytorch
// CHECK-SAME: (%[[X:.*]]: tensor<3x5x4xf32>)
// CHECK-DAG: %[[G:.*]] = nn.constant dense<2.0
// CHECK-DAG: %[[H:.*]] = nn.constant dense<3.0
// CHECK: %[[Y:.*]] = nn.layer_norm %[[X]] scale %[[G]] {{.*}} bias %[[H]] {{.*}} {axis = 2 : i64, epsilon = 9.99999974E-6 : f32}
// CHECK-NEXT: return %[[Y]]
func.func @pytorch(%x: tensor<3x5x4xf32>) -> tensor<3x5x4xf32> {
  %two = nn.constant dense<2.0> : tensor<f32> : tensor<f32>
  %eps = nn.constant dense<1.0e-5> : tensor<f32> : tensor<f32>
  %g = nn.constant dense<2.0> : tensor<4xf32> : tensor<4xf32>
  %h = nn.constant dense<3.0> : tensor<4xf32> : tensor<4xf32>
  %m = nn.reduce_mean %x {axes = array<i64: 2>, keep_dims} : (tensor<3x5x4xf32>) -> tensor<3x5x1xf32>
  %d = nn.sub %x, %m : (tensor<3x5x4xf32>, tensor<3x5x1xf32>) -> tensor<3x5x4xf32>
  %s = nn.pow %d, %two : (tensor<3x5x4xf32>, tensor<f32>) -> tensor<3x5x4xf32>
  %v = nn.reduce_mean %s {axes = array<i64: 2>, keep_dims} : (tensor<3x5x4xf32>) -> tensor<3x5x1xf32>
  %a = nn.add %v, %eps : (tensor<3x5x1xf32>, tensor<f32>) -> tensor<3x5x1xf32>
  %r = nn.sqrt %a : (tensor<3x5x1xf32>) -> tensor<3x5x1xf32>
  %q = nn.div %d, %r : (tensor<3x5x4xf32>, tensor<3x5x1xf32>) -> tensor<3x5x4xf32>
  %k = nn.mul %q, %g : (tensor<3x5x4xf32>, tensor<4xf32>) -> tensor<3x5x4xf32>
  // expected-remark@+1 {{layer_norm recovered}}
  %y = nn.add %k, %h : (tensor<3x5x4xf32>, tensor<4xf32>) -> tensor<3x5x4xf32>
  return %y : tensor<3x5x4xf32>
}

// Two axes; neither scale nor bias, and a sum with another value that is no
// parameter.
// CHECK-LABEL: func.func @plain
// CHECK: %[[N:.*]] = nn.layer_norm %{{[a-z0-9]+}} {axis = 1 : i64, epsilon = 1.000000e+00 : f32}
// CHECK-NEXT: nn.add %[[N]]
// CHECK-NEXT: return
func.func @plain(%x: tensor<3x5x4xf32>, %z: tensor<3x5x4xf32>) -> tensor<3x5x4xf32> {
  %eps = nn.constant dense<1.0> : tensor<f32> : tensor<f32>
  %m = nn.reduce_mean %x {axes = array<i64: 1, 2>, keep_dims} : (tensor<3x5x4xf32>) -> tensor<3x1x1xf32>
  %d = nn.sub %x, %m : (tensor<3x5x4xf32>, tensor<3x1x1xf32>) -> tensor<3x5x4xf32>
  %s = nn.mul %d, %d : (tensor<3x5x4xf32>, tensor<3x5x4xf32>) -> tensor<3x5x4xf32>
  %v = nn.reduce_mean %s {axes = array<i64: 1, 2>, keep_dims} : (tensor<3x5x4xf32>) -> tensor<3x1x1xf32>
  %a = nn.add %v, %eps : (tensor<3x1x1xf32>, tensor<f32>) -> tensor<3x1x1xf32>
  %r = nn.sqrt %a : (tensor<3x1x1xf32>) -> tensor<3x1x1xf32>
  // expected-remark@+1 {{layer_norm recovered}}
  %q = nn.div %d, %r : (tensor<3x5x4xf32>, tensor<3x1x1xf32>) -> tensor<3x5x4xf32>
  %y = nn.add %q, %z : (tensor<3x5x4xf32>, tensor<3x5x4xf32>) -> tensor<3x5x4xf32>
  return %y : tensor<3x5x4xf32>
}

// The mean over an inner axis, and a variance of something else.
// CHECK-LABEL: func.func @others
// CHECK-NOT: nn.layer_norm
func.func @others(%x: tensor<3x4x4xf32>) -> (tensor<3x4x4xf32>, tensor<3x4x4xf32>) {
  %eps = nn.constant dense<1.0> : tensor<f32> : tensor<f32>
  %m = nn.reduce_mean %x {axes = array<i64: 1>, keep_dims} : (tensor<3x4x4xf32>) -> tensor<3x1x4xf32>
  %d = nn.sub %x, %m : (tensor<3x4x4xf32>, tensor<3x1x4xf32>) -> tensor<3x4x4xf32>
  %s = nn.mul %d, %d : (tensor<3x4x4xf32>, tensor<3x4x4xf32>) -> tensor<3x4x4xf32>
  %v = nn.reduce_mean %s {axes = array<i64: 1>, keep_dims} : (tensor<3x4x4xf32>) -> tensor<3x1x4xf32>
  %a = nn.add %v, %eps : (tensor<3x1x4xf32>, tensor<f32>) -> tensor<3x1x4xf32>
  %r = nn.sqrt %a : (tensor<3x1x4xf32>) -> tensor<3x1x4xf32>
  %q = nn.div %d, %r : (tensor<3x4x4xf32>, tensor<3x1x4xf32>) -> tensor<3x4x4xf32>
  %w = nn.reduce_mean %s {axes = array<i64: 2>, keep_dims} : (tensor<3x4x4xf32>) -> tensor<3x4x1xf32>
  %b = nn.add %w, %eps : (tensor<3x4x1xf32>, tensor<f32>) -> tensor<3x4x1xf32>
  %t = nn.sqrt %b : (tensor<3x4x1xf32>) -> tensor<3x4x1xf32>
  %p = nn.div %d, %t : (tensor<3x4x4xf32>, tensor<3x4x1xf32>) -> tensor<3x4x4xf32>
  return %q, %p : tensor<3x4x4xf32>, tensor<3x4x4xf32>
}
