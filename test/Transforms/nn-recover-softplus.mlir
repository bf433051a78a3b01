// RUN: cim-opt %s --nn-recover-softplus --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @softplus
// CHECK-NEXT: nn.softplus
// CHECK-NEXT: return
func.func @softplus(%x: tensor<5xf32>) -> tensor<5xf32> {
  %one = nn.constant dense<1.0> : tensor<f32> : tensor<f32>
  %0 = nn.exp %x : (tensor<5xf32>) -> tensor<5xf32>
  %1 = nn.add %0, %one : (tensor<5xf32>, tensor<f32>) -> tensor<5xf32>
  // expected-remark@+1 {{softplus recovered}}
  %2 = nn.log %1 : (tensor<5xf32>) -> tensor<5xf32>
  return %2 : tensor<5xf32>
}

// CHECK-LABEL: func.func @mish
// CHECK-NEXT: nn.mish
// CHECK-NEXT: return
func.func @mish(%x: tensor<5xf32>) -> tensor<5xf32> {
  %0 = nn.softplus %x : (tensor<5xf32>) -> tensor<5xf32>
  %1 = nn.tanh %0 : (tensor<5xf32>) -> tensor<5xf32>
  // expected-remark@+1 {{mish recovered}}
  %2 = nn.mul %1, %x : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  return %2 : tensor<5xf32>
}

// CHECK-LABEL: func.func @others
// CHECK-NOT: nn.softplus
func.func @others(%x: tensor<5xf32>) -> tensor<5xf32> {
  %two = nn.constant dense<2.0> : tensor<f32> : tensor<f32>
  %0 = nn.exp %x : (tensor<5xf32>) -> tensor<5xf32>
  %1 = nn.add %0, %two : (tensor<5xf32>, tensor<f32>) -> tensor<5xf32>
  %2 = nn.log %1 : (tensor<5xf32>) -> tensor<5xf32>
  return %2 : tensor<5xf32>
}
