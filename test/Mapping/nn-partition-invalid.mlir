// DEFINE: %{fails} = not cim-opt %s --split-input-file
// RUN: %{fails} --nn-partition=chip=%S/Inputs/tiny.json 2>&1 | FileCheck %s
// RUN: %{fails} --nn-partition 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: %{fails} --nn-partition="chip=%S/Inputs/tiny.json goal=speed" 2>&1 | FileCheck %s --check-prefix=GOAL
// RUN: %{fails} --nn-partition="chip=%S/Inputs/tiny.json apart=1" 2>&1 | FileCheck %s --check-prefix=PAIRS
// RUN: %{fails} --nn-partition="chip=%S/Inputs/tiny.json apart=2,2" 2>&1 | FileCheck %s --check-prefix=RANGE
// RUN: %{fails} --nn-partition="chip=%S/Inputs/tiny.json apart=0,1" 2>&1 | FileCheck %s --check-prefix=APART

// CHIP: error: the module has no 'cim.chip' attribute; name the target chip
// GOAL: error: goal 'speed' is neither 'reprogram' nor 'cards'
// PAIRS: error: 'apart' holds pairs, a begin and an end each
// RANGE: error: 'apart': [2, 2) is no range of operations

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// No column fits the chip.
// CHECK: error: nn.matmul: its weights alone need 34 arrays, chip 'tiny' has 32, and they cannot be cut; take a larger chip or fewer bits
func.func @too_large(%x: tensor<1x544x!x>) -> tensor<1x8x!x> {
  %w = nn.constant dense<1> : tensor<544x8xi8> : tensor<544x8x!w>
  %0 = nn.matmul %x, %w : (tensor<1x544x!x>, tensor<544x8x!w>) -> tensor<1x8x!x>
  return %0 : tensor<1x8x!x>
}

// -----

// APART: error: no partition keeps apart what cannot be in one part
func.func @one(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = nn.relu %x : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// CHECK: error: the module has 2 functions with a body; name the network's function 'main'
func.func @a(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @b(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// -----

// CHECK: error: a network is a function of one block
func.func @blocks() {
  return
^unreached:
  return
}
