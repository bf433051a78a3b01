// All operations without a lowering are reported at once, with places.
// RUN: not cim-opt %s --convert-nn-to-cim="chip=card" 2>&1 | FileCheck %s
// RUN: not cim-opt %s --convert-nn-to-cim 2>&1 | FileCheck %s --check-prefix=NOCHIP
// RUN: not cim-opt %s --convert-nn-to-cim="chip=no-such-chip" 2>&1 | FileCheck %s --check-prefix=BADCHIP

// NOCHIP: error: the module has no 'cim.chip' attribute; name the target chip
// BADCHIP: error: {{.*}}no-such-chip

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// CHECK: error: 3 operations have no form on the chip
// CHECK: note: nn.conv: needs constant weights, and one to three spatial axes
// CHECK: note: nn.conv: reads nothing but padding
// CHECK: note: nn.max_pool: is computed on floats and 8-bit integers only
func.func @many(%a: tensor<2x1x4x4x!x>, %b: tensor<1x1x4x1x1x!x>, %d: tensor<1x1x4x4xi32>, %w: tensor<1x1x1x1x!w>) -> (tensor<2x1x4x4x!x>, tensor<1x1x1x1x1x!x>, tensor<1x1x4x4xi32>, tensor<2x1x4x4x!x>) {
  %0 = nn.conv %a, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : (tensor<2x1x4x4x!x>, tensor<1x1x1x1x!w>) -> tensor<2x1x4x4x!x>
  %w1 = nn.constant dense<1> : tensor<1x1x1x1x1xi8> : tensor<1x1x1x1x1x!w>
  %1 = nn.conv %b, %w1 {strides = array<i64: 9, 1, 1>, pads = array<i64: 5, 0, 0, 0, 0, 0>, dilations = array<i64: 1, 1, 1>, group = 1 : i64} : (tensor<1x1x4x1x1x!x>, tensor<1x1x1x1x1x!w>) -> tensor<1x1x1x1x1x!x>
  %3 = nn.max_pool %d {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x1x4x4xi32>) -> tensor<1x1x4x4xi32>
  %4 = nn.relu %0 : (tensor<2x1x4x4x!x>) -> tensor<2x1x4x4x!x>
  return %0, %1, %3, %4 : tensor<2x1x4x4x!x>, tensor<1x1x1x1x1x!x>, tensor<1x1x4x4xi32>, tensor<2x1x4x4x!x>
}

// CHECK: error: 3 operations have no form on the chip
// CHECK: note: nn.exp: has no form on integers
// CHECK: note: a constant: element 0 is 9223372036854775807; the chip computes int64 in 32 bits
func.func @types(%x: tensor<2xi64>) -> (tensor<2xi64>, tensor<2xi64>) {
  %0 = nn.exp %x : (tensor<2xi64>) -> tensor<2xi64>
  %w = nn.constant dense<9223372036854775807> : tensor<2xi64> : tensor<2xi64>
  %1 = nn.add %x, %w : (tensor<2xi64>, tensor<2xi64>) -> tensor<2xi64>
  return %0, %1 : tensor<2xi64>, tensor<2xi64>
}
