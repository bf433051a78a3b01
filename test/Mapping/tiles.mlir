// Macros of 16 rows x 8 weight columns, two in a core: 17 rows are two tiles of
// whole row groups, 17 columns are two tiles of at most 16.
// RUN: cim-opt %s --split-input-file --convert-nn-to-cim="chip=%S/Inputs/tiny.json" --cim-verify-mapped --cim-place | FileCheck %s

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// CHECK-LABEL: func.func @taller_and_wider
// CHECK: %[[A0:.*]] = cim.mvm {{.*}}core = 0 : i64, k_begin = 0 : i64, k_size = 16 : i64, macros = array<i64: 0, 1>, n_begin = 0 : i64{{.*}} -> tensor<3x1x16xi32>
// CHECK: %[[A1:.*]] = cim.mvm {{.*}}core = 1 : i64, k_begin = 16 : i64, k_size = 1 : i64, macros = array<i64: 0, 1>, n_begin = 0 : i64
// CHECK: %[[AS:.*]] = cim.sum %[[A0]], %[[A1]] {{{.*}}core = 0 : i64}
// CHECK: %[[AR:.*]] = cim.requantize %[[AS]] {{{.*}}core = 0 : i64
// CHECK: %[[B0:.*]] = cim.mvm {{.*}}core = 2 : i64, {{.*}}macros = array<i64: 0>, n_begin = 16 : i64{{.*}} -> tensor<3x1x1xi32>
// CHECK: %[[B1:.*]] = cim.mvm {{.*}}core = 3 : i64
// CHECK: %[[BS:.*]] = cim.sum %[[B0]], %[[B1]] {{{.*}}core = 2 : i64}
// CHECK: %[[BR:.*]] = cim.requantize %[[BS]] {{{.*}}core = 2 : i64
// CHECK: cim.concat %[[AR]], %[[BR]] {axis = 2 : i64} : (tensor<3x1x16xi8>, tensor<3x1x1xi8>) -> tensor<3x1x17xi8>
func.func @taller_and_wider(%x: tensor<3x17x!x>) -> tensor<3x17x!x> {
  %w = nn.constant dense<1> : tensor<17x17xi8> : tensor<17x17x!w>
  %0 = nn.matmul %x, %w : (tensor<3x17x!x>, tensor<17x17x!w>) -> tensor<3x17x!x>
  return %0 : tensor<3x17x!x>
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// Eighteen partial sums are more than one operation adds.
// CHECK-LABEL: func.func @tree
// CHECK: %[[S0:.*]] = cim.sum {{.*}}core = {{.*}}-> tensor<1x1x8xi32>
// CHECK: %[[S1:.*]] = cim.sum %{{[0-9]+}}, %{{[0-9]+}} {{{.*}}core
// CHECK: cim.sum %[[S0]], %[[S1]] {{{.*}}core
func.func @tree(%x: tensor<1x288x!x>) -> tensor<1x8x!x> {
  %w = nn.constant dense<1> : tensor<288x8xi8> : tensor<288x8x!w>
  %0 = nn.matmul %x, %w : (tensor<1x288x!x>, tensor<288x8x!w>) -> tensor<1x8x!x>
  return %0 : tensor<1x8x!x>
}
