// RUN: cim-opt %s --nn-recover-gelu --verify-diagnostics | FileCheck %s

// The half before, the sum last.
// CHECK-LABEL: func.func @erf
// CHECK-SAME: (%[[X:.*]]: tensor<2x5xf32>)
// CHECK-NEXT: %[[G:.*]] = nn.gelu %[[X]]
// CHECK-NEXT: return %[[G]]
func.func @erf(%x: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %root = nn.constant dense<1.41421354> : tensor<1xf32> : tensor<1xf32>
  %one = nn.constant dense<1.0> : tensor<f32> : tensor<f32>
  %half = nn.constant dense<0.5> : tensor<f32> : tensor<f32>
  %0 = nn.div %x, %root : (tensor<2x5xf32>, tensor<1xf32>) -> tensor<2x5xf32>
  %1 = nn.erf %0 : (tensor<2x5xf32>) -> tensor<2x5xf32>
  %2 = nn.add %1, %one : (tensor<2x5xf32>, tensor<f32>) -> tensor<2x5xf32>
  %3 = nn.mul %x, %2 : (tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<2x5xf32>
  // expected-remark@+1 {{gelu recovered}}
  %4 = nn.mul %3, %half : (tensor<2x5xf32>, tensor<f32>) -> tensor<2x5xf32>
  return %4 : tensor<2x5xf32>
}

// A gate of halves: x * (0.5 + 0.5 erf).
// CHECK-LABEL: func.func @gate
// CHECK-NEXT: nn.gelu
// CHECK-NEXT: return
func.func @gate(%x: tensor<5xf32>) -> tensor<5xf32> {
  %slope = nn.constant dense<0.707106769> : tensor<f32> : tensor<f32>
  %half = nn.constant dense<0.5> : tensor<f32> : tensor<f32>
  %0 = nn.mul %slope, %x : (tensor<f32>, tensor<5xf32>) -> tensor<5xf32>
  %1 = nn.erf %0 : (tensor<5xf32>) -> tensor<5xf32>
  %2 = nn.mul %1, %half : (tensor<5xf32>, tensor<f32>) -> tensor<5xf32>
  %3 = nn.add %half, %2 : (tensor<f32>, tensor<5xf32>) -> tensor<5xf32>
  // expected-remark@+1 {{gelu recovered}}
  %4 = nn.mul %3, %x : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  return %4 : tensor<5xf32>
}

// CHECK-LABEL: func.func @tanh_pow
// CHECK-NEXT: nn.gelu_tanh
// CHECK-NEXT: return
func.func @tanh_pow(%x: tensor<5xf32>) -> tensor<5xf32> {
  %three = nn.constant dense<3.0> : tensor<1xf32> : tensor<1xf32>
  %c = nn.constant dense<0.0447149985> : tensor<1xf32> : tensor<1xf32>
  %slope = nn.constant dense<0.797884583> : tensor<1xf32> : tensor<1xf32>
  %one = nn.constant dense<1.0> : tensor<1xf32> : tensor<1xf32>
  %half = nn.constant dense<0.5> : tensor<1xf32> : tensor<1xf32>
  %0 = nn.pow %x, %three : (tensor<5xf32>, tensor<1xf32>) -> tensor<5xf32>
  %1 = nn.mul %0, %c : (tensor<5xf32>, tensor<1xf32>) -> tensor<5xf32>
  %2 = nn.add %x, %1 : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  %3 = nn.mul %2, %slope : (tensor<5xf32>, tensor<1xf32>) -> tensor<5xf32>
  %4 = nn.tanh %3 : (tensor<5xf32>) -> tensor<5xf32>
  %5 = nn.add %4, %one : (tensor<5xf32>, tensor<1xf32>) -> tensor<5xf32>
  %6 = nn.mul %x, %half : (tensor<5xf32>, tensor<1xf32>) -> tensor<5xf32>
  // expected-remark@+1 {{gelu recovered}}
  %7 = nn.mul %6, %5 : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  return %7 : tensor<5xf32>
}

// sqrt(2/pi) x (1 + 0.044715 x x), as JAX and older transformers write it.
// CHECK-LABEL: func.func @tanh_horner
// CHECK-NEXT: nn.gelu_tanh
// CHECK-NEXT: return
func.func @tanh_horner(%x: tensor<5xf32>) -> tensor<5xf32> {
  %c = nn.constant dense<0.0447149985> : tensor<f32> : tensor<f32>
  %slope = nn.constant dense<0.797884583> : tensor<f32> : tensor<f32>
  %one = nn.constant dense<1.0> : tensor<f32> : tensor<f32>
  %half = nn.constant dense<0.5> : tensor<f32> : tensor<f32>
  %0 = nn.mul %x, %c : (tensor<5xf32>, tensor<f32>) -> tensor<5xf32>
  %1 = nn.mul %0, %x : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  %2 = nn.add %one, %1 : (tensor<f32>, tensor<5xf32>) -> tensor<5xf32>
  %3 = nn.mul %x, %slope : (tensor<5xf32>, tensor<f32>) -> tensor<5xf32>
  %4 = nn.mul %3, %2 : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  %5 = nn.tanh %4 : (tensor<5xf32>) -> tensor<5xf32>
  %6 = nn.add %one, %5 : (tensor<f32>, tensor<5xf32>) -> tensor<5xf32>
  %7 = nn.mul %half, %6 : (tensor<f32>, tensor<5xf32>) -> tensor<5xf32>
  // expected-remark@+1 {{gelu recovered}}
  %8 = nn.mul %7, %x : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  return %8 : tensor<5xf32>
}

// Another slope, another argument, another factor: not gelu.
// CHECK-LABEL: func.func @others
// CHECK-NOT: nn.gelu
func.func @others(%x: tensor<5xf32>, %y: tensor<5xf32>) -> (tensor<5xf32>, tensor<5xf32>, tensor<5xf32>) {
  %near = nn.constant dense<0.7072> : tensor<f32> : tensor<f32>
  %slope = nn.constant dense<0.707106769> : tensor<f32> : tensor<f32>
  %half = nn.constant dense<0.5> : tensor<f32> : tensor<f32>
  %0 = nn.mul %near, %x : (tensor<f32>, tensor<5xf32>) -> tensor<5xf32>
  %1 = nn.erf %0 : (tensor<5xf32>) -> tensor<5xf32>
  %2 = nn.mul %1, %half : (tensor<5xf32>, tensor<f32>) -> tensor<5xf32>
  %3 = nn.add %half, %2 : (tensor<f32>, tensor<5xf32>) -> tensor<5xf32>
  %4 = nn.mul %3, %x : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  %5 = nn.mul %slope, %x : (tensor<f32>, tensor<5xf32>) -> tensor<5xf32>
  %6 = nn.erf %5 : (tensor<5xf32>) -> tensor<5xf32>
  %7 = nn.mul %6, %half : (tensor<5xf32>, tensor<f32>) -> tensor<5xf32>
  %8 = nn.add %half, %7 : (tensor<f32>, tensor<5xf32>) -> tensor<5xf32>
  %9 = nn.mul %8, %y : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  %10 = nn.add %6, %half : (tensor<5xf32>, tensor<f32>) -> tensor<5xf32>
  %11 = nn.mul %10, %x : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  return %4, %9, %11 : tensor<5xf32>, tensor<5xf32>, tensor<5xf32>
}
