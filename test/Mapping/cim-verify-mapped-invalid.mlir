// A valid module with one thing changed.
// RUN: cim-opt %s --convert-nn-to-cim="chip=card" --cim-verify-mapped -o %t.mlir
// RUN: sed 's/cim.perm = array<i64: 0, 1>/cim.perm = array<i64: 0, 0>/' %t.mlir | not cim-opt --cim-verify-mapped 2>&1 | FileCheck %s --check-prefix=PERM
// RUN: sed 's/cim.shape = array<i64: 3, 17>/cim.shape = array<i64: 3, 16>/' %t.mlir | not cim-opt --cim-verify-mapped 2>&1 | FileCheck %s --check-prefix=SHAPE
// RUN: sed 's/cim.perm = array<i64: 0, 1>, //' %t.mlir | not cim-opt --cim-verify-mapped 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: sed 's/columns = 512 : i64/columns = 64 : i64/' %t.mlir | not cim-opt --cim-verify-mapped 2>&1 | FileCheck %s --check-prefix=TILE

// PERM: error: cim.perm of argument 0 is no permutation
// SHAPE: error: cim.shape of argument 0 does not have the 51 elements of 'tensor<3x1x17xi8>'
// MISSING: error: argument 0 lacks cim.shape or cim.perm
// TILE: error: the tile has 17 columns, the macros of a core of 'card' hold 16 of 8 bits

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

func.func @main(%x: tensor<3x17x!x>) -> tensor<3x17x!x> {
  %w = nn.constant dense<1> : tensor<17x17xi8> : tensor<17x17x!w>
  %0 = nn.matmul %x, %w : (tensor<3x17x!x>, tensor<17x17x!w>) -> tensor<3x17x!x>
  return %0 : tensor<3x17x!x>
}
