// RUN: cim-opt %s --nn-recover-swish --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @silu
// CHECK-NEXT: nn.swish %{{.*}} {alpha = 1.000000e+00 : f32}
// CHECK-NEXT: return
func.func @silu(%x: tensor<5xf32>) -> tensor<5xf32> {
  %0 = nn.sigmoid %x : (tensor<5xf32>) -> tensor<5xf32>
  // expected-remark@+1 {{swish recovered}}
  %1 = nn.mul %0, %x : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  return %1 : tensor<5xf32>
}

// CHECK-LABEL: func.func @quick_gelu
// CHECK-NEXT: nn.swish %{{.*}} {alpha = 1.702000e+00 : f32}
// CHECK-NEXT: return
func.func @quick_gelu(%x: tensor<5xf32>) -> tensor<5xf32> {
  %a = nn.constant dense<1.702> : tensor<f32> : tensor<f32>
  %0 = nn.mul %x, %a : (tensor<5xf32>, tensor<f32>) -> tensor<5xf32>
  %1 = nn.sigmoid %0 : (tensor<5xf32>) -> tensor<5xf32>
  // expected-remark@+1 {{swish recovered}}
  %2 = nn.mul %x, %1 : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  return %2 : tensor<5xf32>
}

// x * clip(x + 3, 0, 6) / 6, and the clamp already divided.
// CHECK-LABEL: func.func @hard_swish
// CHECK-NEXT: %[[A:.*]] = nn.hard_swish
// CHECK-NEXT: %[[B:.*]] = nn.hard_swish
// CHECK-NEXT: return %[[A]], %[[B]]
func.func @hard_swish(%x: tensor<5xf32>) -> (tensor<5xf32>, tensor<5xf32>) {
  %three = nn.constant dense<3.0> : tensor<f32> : tensor<f32>
  %six = nn.constant dense<6.0> : tensor<f32> : tensor<f32>
  %0 = nn.add %x, %three : (tensor<5xf32>, tensor<f32>) -> tensor<5xf32>
  %1 = nn.clip %0 {min = 0.0 : f32, max = 6.0 : f32} : (tensor<5xf32>) -> tensor<5xf32>
  %2 = nn.mul %x, %1 : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  // expected-remark@+1 {{swish recovered}}
  %3 = nn.div %2, %six : (tensor<5xf32>, tensor<f32>) -> tensor<5xf32>
  %4 = nn.hard_sigmoid %x {alpha = 0.166666672 : f32, beta = 0.5 : f32} : (tensor<5xf32>) -> tensor<5xf32>
  // expected-remark@+1 {{swish recovered}}
  %5 = nn.mul %4, %x : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  return %3, %5 : tensor<5xf32>, tensor<5xf32>
}

// A gate of something else, and a ramp of another slope.
// CHECK-LABEL: func.func @others
// CHECK-NOT: swish
func.func @others(%x: tensor<5xf32>, %y: tensor<5xf32>) -> (tensor<5xf32>, tensor<5xf32>) {
  %0 = nn.sigmoid %y : (tensor<5xf32>) -> tensor<5xf32>
  %1 = nn.mul %0, %x : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  %2 = nn.hard_sigmoid %x {alpha = 0.2 : f32, beta = 0.5 : f32} : (tensor<5xf32>) -> tensor<5xf32>
  %3 = nn.mul %2, %x : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  return %1, %3 : tensor<5xf32>, tensor<5xf32>
}
