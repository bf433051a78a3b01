// All operations without a lowering are reported at once, with places.
// RUN: not cim-opt %s --convert-nn-to-cim="chip=card" 2>&1 | FileCheck %s
// RUN: not cim-opt %s --convert-nn-to-cim 2>&1 | FileCheck %s --check-prefix=NOCHIP
// RUN: not cim-opt %s --convert-nn-to-cim="chip=no-such-chip" 2>&1 | FileCheck %s --check-prefix=BADCHIP

// NOCHIP: error: the module has no 'cim.chip' attribute; name the target chip
// BADCHIP: error: {{.*}}no-such-chip

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>
!z = !quant.uniform<u8:f32, 0.25:100>

// CHECK: error: 4 operations have no form on the chip
// CHECK: note: nn.conv: only batches of one sample, one or two spatial axes and constant weights are supported
// CHECK: note: nn.matmul: has the weight 155 after subtracting its zero point, which 8 bits do not hold
// CHECK: note: nn.matmul: runs on the arrays with 8-bit input and result only; quantize the model, its outputs too
// CHECK: note: nn.max_pool: is computed on 8 bits only; quantize the model
func.func @many(%a: tensor<2x1x4x4x!x>, %b: tensor<1x3x!x>, %c: tensor<1x3xf32>, %d: tensor<1x1x4x4xf32>) -> (tensor<2x1x4x4x!x>, tensor<1x2x!x>, tensor<1x2xf32>, tensor<1x1x4x4xf32>, tensor<1x2x!x>) {
  %w0 = nn.constant dense<1> : tensor<1x1x1x1xi8> : tensor<1x1x1x1x!w>
  %0 = nn.conv %a, %w0 {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : (tensor<2x1x4x4x!x>, tensor<1x1x1x1x!w>) -> tensor<2x1x4x4x!x>
  %w1 = nn.constant dense<255> : tensor<3x2xui8> : tensor<3x2x!z>
  %1 = nn.matmul %b, %w1 : (tensor<1x3x!x>, tensor<3x2x!z>) -> tensor<1x2x!x>
  %w2 = nn.constant dense<1.0> : tensor<3x2xf32> : tensor<3x2xf32>
  %2 = nn.matmul %c, %w2 : (tensor<1x3xf32>, tensor<3x2xf32>) -> tensor<1x2xf32>
  %3 = nn.max_pool %d {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x1x4x4xf32>) -> tensor<1x1x4x4xf32>
  %4 = nn.relu %1 : (tensor<1x2x!x>) -> tensor<1x2x!x>
  return %0, %1, %2, %3, %4 : tensor<2x1x4x4x!x>, tensor<1x2x!x>, tensor<1x2xf32>, tensor<1x1x4x4xf32>, tensor<1x2x!x>
}
