// RUN: cim-opt %s --nn-recover-rms-norm --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @scaled
// CHECK: %[[G:.*]] = nn.constant dense<2.0
// CHECK-NEXT: %[[Y:.*]] = nn.rms_norm %{{.*}}, %[[G]] {axis = 1 : i64, epsilon = 9.99999974E-6 : f32}
// CHECK-NEXT: return %[[Y]]
func.func @scaled(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %eps = nn.constant dense<1.0e-5> : tensor<1xf32> : tensor<1xf32>
  %g = nn.constant dense<2.0> : tensor<4xf32> : tensor<4xf32>
  %s = nn.mul %x, %x : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %v = nn.reduce_mean %s {axes = array<i64: 1>, keep_dims} : (tensor<3x4xf32>) -> tensor<3x1xf32>
  %a = nn.add %v, %eps : (tensor<3x1xf32>, tensor<1xf32>) -> tensor<3x1xf32>
  %r = nn.sqrt %a : (tensor<3x1xf32>) -> tensor<3x1xf32>
  %i = nn.reciprocal %r : (tensor<3x1xf32>) -> tensor<3x1xf32>
  %f = nn.mul %x, %i : (tensor<3x4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  // expected-remark@+1 {{rms_norm recovered}}
  %y = nn.mul %f, %g : (tensor<3x4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// Divided by the root, no scale.
// CHECK-LABEL: func.func @plain
// CHECK-NEXT: nn.rms_norm
// CHECK-NEXT: return
func.func @plain(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %two = nn.constant dense<2.0> : tensor<1xf32> : tensor<1xf32>
  %eps = nn.constant dense<1.0e-5> : tensor<1xf32> : tensor<1xf32>
  %s = nn.pow %x, %two : (tensor<3x4xf32>, tensor<1xf32>) -> tensor<3x4xf32>
  %v = nn.reduce_mean %s {axes = array<i64: 1>, keep_dims} : (tensor<3x4xf32>) -> tensor<3x1xf32>
  %a = nn.add %v, %eps : (tensor<3x1xf32>, tensor<1xf32>) -> tensor<3x1xf32>
  %r = nn.sqrt %a : (tensor<3x1xf32>) -> tensor<3x1xf32>
  // expected-remark@+1 {{rms_norm recovered}}
  %y = nn.div %x, %r : (tensor<3x4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// The importer's form of a mean over the third axis.
// CHECK-LABEL: func.func @pooled
// CHECK: nn.rms_norm {{.*}} {axis = 2 : i64
// CHECK-NEXT: return
func.func @pooled(%x: tensor<1x3x4xf32>) -> tensor<1x3x4xf32> {
  %s = nn.mul %x, %x : (tensor<1x3x4xf32>, tensor<1x3x4xf32>) -> tensor<1x3x4xf32>
  %v = nn.global_avg_pool %s : (tensor<1x3x4xf32>) -> tensor<1x3x1xf32>
  %r = nn.sqrt %v : (tensor<1x3x1xf32>) -> tensor<1x3x1xf32>
  // expected-remark@+1 {{rms_norm recovered}}
  %y = nn.div %x, %r : (tensor<1x3x4xf32>, tensor<1x3x1xf32>) -> tensor<1x3x4xf32>
  return %y : tensor<1x3x4xf32>
}

// The root of something else's squares.
// CHECK-LABEL: func.func @others
// CHECK-NOT: nn.rms_norm
func.func @others(%x: tensor<3x4xf32>, %z: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %s = nn.mul %z, %z : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %v = nn.reduce_mean %s {axes = array<i64: 1>, keep_dims} : (tensor<3x4xf32>) -> tensor<3x1xf32>
  %r = nn.sqrt %v : (tensor<3x1xf32>) -> tensor<3x1xf32>
  %y = nn.div %x, %r : (tensor<3x4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}
