// How often layers were cut is noted on the function; what a function says
// before is taken.
// RUN: cim-opt %s --split-input-file --verify-diagnostics=only-expected --convert-nn-to-cim="chip=%S/Inputs/tiny-fast-host.json" --cim-replicate | FileCheck %s

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// CHECK-LABEL: func.func @chosen
// CHECK-SAME: cim.copies = [{can_cut, can_take_turns, copies = 1 : i64, macros = 1 : i64, nodes = ["mvm", "requantize"], phases = 5 : i64, pixels = 1 : i64, rows = 5 : i64}]
// CHECK-COUNT-5: cim.mvm
// CHECK-NOT: cim.mvm
func.func @chosen(%x: tensor<5x4x!x>) -> tensor<5x4x!x> {
  %w = nn.constant dense<1> : tensor<4x4xi8> : tensor<4x4x!w>
  %0 = nn.matmul %x, %w : (tensor<5x4x!x>, tensor<4x4x!w>) -> tensor<5x4x!x>
  return %0 : tensor<5x4x!x>
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// CHECK-LABEL: func.func @given
// CHECK-SAME: cim.copies = [{can_cut, can_take_turns, copies = 1 : i64, {{.*}}phases = 2 : i64, pixels = 1 : i64, rows = 5 : i64}]
// CHECK-COUNT-2: cim.mvm {{.*}}stride = [2, 1]
// CHECK-NOT: cim.mvm
func.func @given(%x: tensor<5x4x!x>) -> tensor<5x4x!x> attributes {cim.copies = [{copies = 1 : i64, macros = 1 : i64, nodes = ["fc"], phases = 2 : i64, pixels = 1 : i64, rows = 5 : i64}]} {
  %w = nn.constant dense<1> : tensor<4x4xi8> : tensor<4x4x!w>
  %0 = nn.matmul %x, %w : (tensor<5x4x!x>, tensor<4x4x!w>) -> tensor<5x4x!x>
  return %0 : tensor<5x4x!x>
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// expected-error@+1 {{'cim.copies' is of 2 layers, the network has 1; take the attribute away and they are chosen anew}}
func.func @of_another_network(%x: tensor<5x4x!x>) -> tensor<5x4x!x> attributes {cim.copies = [{copies = 1 : i64, macros = 1 : i64, nodes = ["fc"], phases = 1 : i64, pixels = 1 : i64, rows = 5 : i64}, {copies = 1 : i64, macros = 1 : i64, nodes = ["fc"], phases = 1 : i64, pixels = 1 : i64, rows = 5 : i64}]} {
  %w = nn.constant dense<1> : tensor<4x4xi8> : tensor<4x4x!w>
  %0 = nn.matmul %x, %w : (tensor<5x4x!x>, tensor<4x4x!w>) -> tensor<5x4x!x>
  return %0 : tensor<5x4x!x>
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

func.func @too_many(%x: tensor<5x4x!x>) -> tensor<5x4x!x> attributes {cim.copies = [{copies = 2 : i64, macros = 1 : i64, nodes = ["fc"], phases = 1 : i64, pixels = 2 : i64, rows = 5 : i64}]} {
  %w = nn.constant dense<1> : tensor<4x4xi8> : tensor<4x4x!w>
  // expected-error@+1 {{'cim.copies' wants 2 copies for the 1 pixels of a row and 1 that take the 5 rows in turn; this layer has no room for them}}
  %0 = nn.matmul %x, %w : (tensor<5x4x!x>, tensor<4x4x!w>) -> tensor<5x4x!x>
  return %0 : tensor<5x4x!x>
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// expected-error@+1 {{'cim.copies' must be an array, on a function}}
func.func @no_list(%x: tensor<5x4x!x>) -> tensor<5x4x!x> attributes {cim.copies = unit} {
  %w = nn.constant dense<1> : tensor<4x4xi8> : tensor<4x4x!w>
  %0 = nn.matmul %x, %w : (tensor<5x4x!x>, tensor<4x4x!w>) -> tensor<5x4x!x>
  return %0 : tensor<5x4x!x>
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// expected-error@+1 {{'cim.copies': layer 0 must have a list of names 'nodes' and 64-bit numbers 'rows', 'pixels', 'macros' (of at least 0), 'copies' (from 1 to the pixels) and 'phases' (from 1 to the rows)}}
func.func @out_of_range(%x: tensor<5x4x!x>) -> tensor<5x4x!x> attributes {cim.copies = [{copies = 1 : i64, macros = 1 : i64, nodes = ["fc"], phases = 6 : i64, pixels = 1 : i64, rows = 5 : i64}]} {
  %w = nn.constant dense<1> : tensor<4x4xi8> : tensor<4x4x!w>
  %0 = nn.matmul %x, %w : (tensor<5x4x!x>, tensor<4x4x!w>) -> tensor<5x4x!x>
  return %0 : tensor<5x4x!x>
}
