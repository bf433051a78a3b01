// RUN: not cim-opt %s --convert-nn-to-cim="chip=%S/Inputs/tiny.json" --cim-place 2>&1 | FileCheck %s

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// 34 tiles of one macro; the tiny chip has 16 cores of 2.
// CHECK: error: the weights need 34 macros, chip 'tiny' has 32; the smallest preset that holds them is 'wearable'
func.func @too_large(%x: tensor<1x544x!x>) -> tensor<1x8x!x> {
  %w = nn.constant dense<1> : tensor<544x8xi8> : tensor<544x8x!w>
  %0 = nn.matmul %x, %w : (tensor<1x544x!x>, tensor<544x8x!w>) -> tensor<1x8x!x>
  return %0 : tensor<1x8x!x>
}
