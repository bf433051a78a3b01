// Copies share the pixels of a row, parts of nearly equal width, each with the
// columns and partial sums of the whole layer; and take rows in turn where there
// are no more pixels.
// RUN: cim-opt %s --split-input-file --convert-nn-to-cim="chip=%S/Inputs/tiny-fast-host.json" --cim-replicate --cim-verify-mapped --cim-place --convert-cim-to-sched --sched-size-rings --sched-allocate -o /dev/null 2>&1 | FileCheck %s --check-prefix=WHY
// RUN: cim-opt %s --split-input-file --convert-nn-to-cim="chip=%S/Inputs/tiny-fast-host.json" --cim-replicate 2>/dev/null | FileCheck %s
// RUN: cim-opt %s --split-input-file --convert-nn-to-cim="chip=%S/Inputs/tiny.json" --cim-replicate -o /dev/null 2>&1 | FileCheck %s --check-prefix=HOST
// RUN: cim-opt %s --split-input-file --convert-nn-to-cim="chip=%S/Inputs/tiny-fast-host.json" --cim-replicate="mode=none" 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not cim-opt %s --split-input-file --convert-nn-to-cim="chip=%S/Inputs/tiny-fast-host.json" --cim-replicate="mode=speed" 2>&1 | FileCheck %s --check-prefix=MODE
// NONE-NOT: cim.part
// NONE-NOT: remark
// MODE: error: cim-replicate: mode is 'speed'; it can be throughput, latency or none

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// Eighteen rows of the matrix are two tiles of one macro, so a copy takes two
// cores. Each reads the pixels of its windows only; padding is at the ends. Of
// two copies with the same pixels one makes rows 0, 2, ..., the other 1, 3, ...
// WHY: remark: 14 copies of its weights on 28 macros: each makes 1 of 7 pixels of a row, and one of 2 rows
// WHY: remark: this is the slowest part and the chip has no room for another copy{{.*}} a sample every 2.4 us at best, and no mapping of this network is below 0.99 us
// CHECK-LABEL: func.func @all_pixels
// CHECK: %[[IN:.*]] = cim.reshape %arg0 {cim.copy, cim.rings = {{.*}}} : (tensor<9x7x2xi8>) -> tensor<9x7x2xi8>
// CHECK: %[[S0:.*]] = cim.slice %[[IN]] {begin = 0 : i64} : (tensor<9x7x2xi8>) -> tensor<9x2x2xi8>
// CHECK: %[[A:.*]] = cim.mvm %[[S0]] {cim.part = array<i64: 0, 1, 7>, cim.rings = array<i64: 5>, k_begin = 0 : i64, k_size = 16 : i64, n_begin = 0 : i64, {{.*}}stride = [2, 1], pad = [1, 1]{{.*}}-> tensor<5x1x8xi32>
// CHECK: %[[B:.*]] = cim.mvm %[[S0]] {{{.*}}k_begin = 16 : i64, k_size = 2 : i64, n_begin = 0 : i64, {{.*}}-> tensor<5x1x8xi32>
// The sums of the second tile are sent by a stream of their own.
// CHECK: %[[C:.*]] = cim.reshape %[[B]] {cim.copy
// CHECK: %[[S:.*]] = cim.sum %[[A]], %[[C]]
// CHECK: %[[R0:.*]] = cim.requantize %[[S]] {{.*}}-> tensor<5x1x8xi8>
// CHECK: %[[S1:.*]] = cim.slice %[[IN]] {begin = 0 : i64} : (tensor<9x7x2xi8>) -> tensor<9x3x2xi8>
// CHECK: cim.mvm %[[S1]] {{.*}}pad = [1, 0]
// CHECK: cim.slice %[[IN]] {begin = 5 : i64} : (tensor<9x7x2xi8>) -> tensor<9x2x2xi8>
// CHECK: %[[R6:.*]] = cim.requantize
// CHECK: cim.mvm %[[S0]] {{.*}}stride = [2, 1], pad = [0, 1]{{.*}}-> tensor<4x1x8xi32>
// CHECK: %[[EVEN:.*]] = cim.concat %[[R0]], {{.*}}, %[[R6]] {axis = 1 : i64} : {{.*}} -> tensor<5x7x8xi8>
// CHECK: %[[ODD:.*]] = cim.concat {{.*}} -> tensor<4x7x8xi8>
// CHECK: cim.interleave %[[EVEN]], %[[ODD]] : {{.*}} -> tensor<9x7x8xi8>
func.func @all_pixels(%x: tensor<1x2x9x7x!x>) -> tensor<1x8x9x7x!x> {
  %w = nn.constant dense<1> : tensor<8x2x3x3xi8> : tensor<8x2x3x3x!w>
  %0 = nn.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 1 : i64} : (tensor<1x2x9x7x!x>, tensor<8x2x3x3x!w>) -> tensor<1x8x9x7x!x>
  return %0 : tensor<1x8x9x7x!x>
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// Matrices have one pixel a row: copies can only take rows in turn.
// WHY: remark: 5 copies of its weights on 5 macros: each makes 1 of 1 pixels of a row, and one of 5 rows
// WHY: remark: this is the slowest part and has no more pixels to share
// CHECK-LABEL: func.func @one_pixel
// CHECK-COUNT-5: cim.mvm %arg0 {{.*}}stride = [5, 1]
// CHECK: cim.interleave {{.*}} -> tensor<5x1x4xi8>
func.func @one_pixel(%x: tensor<5x4x!x>) -> tensor<5x4x!x> {
  %w = nn.constant dense<1> : tensor<4x4xi8> : tensor<4x4x!w>
  %0 = nn.matmul %x, %w : (tensor<5x4x!x>, tensor<4x4x!w>) -> tensor<5x4x!x>
  return %0 : tensor<5x4x!x>
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// Eight by eight kernel elements are four tiles of one macro; the chip has 32.
// WHY: remark: 6 copies of its weights on 24 macros: each makes 3 of 17 pixels of a row
// WHY: remark: this is the slowest part and the chip has no room for another copy
// CHECK-LABEL: func.func @no_room
// CHECK-COUNT-24: = cim.mvm
// CHECK-NOT: = cim.mvm
// CHECK: cim.concat {{.*}} -> tensor<8x17x1xi8>
func.func @no_room(%x: tensor<1x1x8x17x!x>) -> tensor<1x1x8x17x!x> {
  %w = nn.constant dense<1> : tensor<1x1x8x8xi8> : tensor<1x1x8x8x!w>
  %0 = nn.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 3, 3, 4, 4>, dilations = array<i64: 1, 1>, group = 1 : i64} : (tensor<1x1x8x17x!x>, tensor<1x1x8x8x!w>) -> tensor<1x1x8x17x!x>
  return %0 : tensor<1x1x8x17x!x>
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// Fifteen tiles read the input: one message for all of them, so the relay that
// sends it is not cut. A slow host is slower.
// WHY: cim-replicate.mlir:[[#@LINE+7]]:{{.*}} remark: this is the slowest part and
// HOST: remark: the host's link is the slowest part; a sample every 9.6 us at best, and no mapping of this network is below 9.6 us
// CHECK-LABEL: func.func @full
// CHECK: cim.reshape %arg0 {cim.copy, cim.rings = array<i64: 2>}
// CHECK-NOT: cim.copies
func.func @full(%x: tensor<1x240x2x2x!x>) -> tensor<1x8x2x2x!x> {
  %w = nn.constant dense<1> : tensor<8x240x1x1xi8> : tensor<8x240x1x1x!w>
  %0 = nn.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : (tensor<1x240x2x2x!x>, tensor<8x240x1x1x!w>) -> tensor<1x8x2x2x!x>
  return %0 : tensor<1x8x2x2x!x>
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// What is added comes from elsewhere: a copy reads the rows that it makes.
// CHECK-LABEL: func.func @residual
// CHECK: %[[ADDED:.*]] = cim.slice %{{.*}} {begin = 0 : i64, row_begin = 1 : i64, row_step = [[#]] : i64}
func.func @residual(%x: tensor<13x4x!x>) -> tensor<13x4x!x> {
  %w = nn.constant dense<1> : tensor<4x4xi8> : tensor<4x4x!w>
  %0 = nn.matmul %x, %w : (tensor<13x4x!x>, tensor<4x4x!w>) -> tensor<13x4x!x>
  %1 = nn.add %0, %x : (tensor<13x4x!x>, tensor<13x4x!x>) -> tensor<13x4x!x>
  return %1 : tensor<13x4x!x>
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// Pixels between windows are not sent.
// CHECK-LABEL: func.func @gaps
// CHECK: cim.slice %{{.*}} {begin = 0 : i64, step = 2 : i64} : (tensor<5x7x2xi8>) -> tensor<5x4x2xi8>
// CHECK: cim.mvm {{.*}}kernel = [1, 1], stride = [{{[0-9]+}}, 1]
func.func @gaps(%x: tensor<1x2x5x7x!x>) -> tensor<1x8x3x4x!x> {
  %w = nn.constant dense<1> : tensor<8x2x1x1xi8> : tensor<8x2x1x1x!w>
  %0 = nn.conv %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : (tensor<1x2x5x7x!x>, tensor<8x2x1x1x!w>) -> tensor<1x8x3x4x!x>
  return %0 : tensor<1x8x3x4x!x>
}
