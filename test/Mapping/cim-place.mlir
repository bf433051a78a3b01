// 1 x 1 chiplets, 2 x 2 tiles of 4 cores: the second row of tiles is walked
// backwards. Eighteen tiles on sixteen cores share. Cores change places for the
// sake of the links.
// RUN: cim-opt %s --convert-nn-to-cim="chip=%S/Inputs/tiny.json" --cim-place | FileCheck %s

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// CHECK-LABEL: func.func @shared
// CHECK: cim.mvm {{.*}}core = [[A:[0-9]+]] : i64{{.*}}macros = array<i64: 0>
// CHECK: cim.mvm {{.*}}core = [[A]] : i64{{.*}}macros = array<i64: 1>
// CHECK: cim.mvm {{.*}}core = [[B:[0-9]+]] : i64{{.*}}macros = array<i64: 0>
// CHECK: cim.mvm {{.*}}core = [[B]] : i64{{.*}}macros = array<i64: 1>
func.func @shared(%x: tensor<1x288x!x>) -> tensor<1x8x!x> {
  %w = nn.constant dense<1> : tensor<288x8xi8> : tensor<288x8x!w>
  %0 = nn.matmul %x, %w : (tensor<1x288x!x>, tensor<288x8x!w>) -> tensor<1x8x!x>
  return %0 : tensor<1x8x!x>
}
