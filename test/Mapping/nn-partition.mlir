// RUN: cim-opt %s --nn-partition=chip=%S/Inputs/tiny.json -mlir-print-local-scope | FileCheck %s
// RUN: cim-opt %s --nn-partition="chip=%S/Inputs/tiny.json goal=cards parts=4 name=card" -mlir-print-local-scope | FileCheck %s --check-prefix=CARDS
// RUN: cim-opt %s --nn-partition="chip=%S/Inputs/tiny.json apart=0,2" -mlir-print-local-scope | FileCheck %s --check-prefix=APART
// Parts are networks of their own.
// RUN: cim-opt %s --nn-partition=chip=%S/Inputs/tiny.json | cim-opt --pass-pipeline='builtin.module(builtin.module(convert-nn-to-cim,cim-place))' | FileCheck %s --check-prefix=PLACED

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>

// The chip has 32 macros of 16 rows and 8 weights a row. fc1 and fc2 take 16 of
// them each, fc3 half of one: two parts. fc2 reads what fc1 does, so that a cut
// between them would have 256 bytes more cross it than one behind both.
// The first part has the input that nothing reads, the second the output that
// is a constant.
// CHECK: module @part0 attributes {cim.chip = {{.*}}nn.operations = array<i64: 0, 4>}
// CHECK: func.func @main(%[[X:.*]]: tensor<1x256x{{.*}}> {nn.name = "image"}, %{{.*}}: tensor<3xf32> {nn.name = "input_1"}) -> (tensor<1x8x{{.*}}> {nn.name = "part:same"}, tensor<1x8x{{.*}}> {nn.name = "part:same.2"})
// CHECK: nn.matmul
// CHECK: %[[ONE:.*]] = nn.relu
// CHECK: %[[TWO:.*]] = nn.matmul
// CHECK: return %[[ONE]], %[[TWO]]
// CHECK: module @part1 attributes {cim.chip = {{.*}}nn.operations = array<i64: 4, 6>}
// CHECK: func.func @main(%[[ONE:.*]]: tensor<1x8x{{.*}}> {nn.name = "part:same"}, %[[TWO:.*]]: tensor<1x8x{{.*}}> {nn.name = "part:same.2"}) -> (tensor<1x8x{{.*}}> {nn.name = "scores"}, tensor<1x8x{{.*}}> {nn.name = "again"}, tensor<1x8x{{.*}}> {nn.name = "output_2"}, tensor<2xi8> {nn.name = "output_3"})
// CHECK-DAG: %[[C:.*]] = nn.constant {{.*}}tensor<2xi8>
// CHECK-DAG: %[[FOUR:.*]] = nn.matmul %[[ONE]]
// CHECK-DAG: %[[FIVE:.*]] = nn.relu %[[TWO]]
// CHECK: return %[[FIVE]], %[[FIVE]], %[[FOUR]], %[[C]]
// CHECK-NOT: module @

// A pipeline of as many as are asked for.
// CARDS: module @card0
// CARDS: module @card1
// CARDS: "card:same"
// CARDS: module @card2
// CARDS: module @card3
// CARDS-NOT: module @

// What does not fit together is cut apart.
// APART: module @part0 attributes {{.*}}nn.operations = array<i64: 0, 1>}
// APART: module @part1 attributes {{.*}}nn.operations = array<i64: 1, 4>}
// APART: module @part2 attributes {{.*}}nn.operations = array<i64: 4, 6>}
// APART-NOT: module @

// PLACED: module @part0
// PLACED: cim.mvm {{.*}}core = 
// PLACED: module @part1
// PLACED: cim.mvm {{.*}}core = 
func.func @main(%x: tensor<1x256x!x> {nn.name = "image"}, %u: tensor<3xf32>) -> (tensor<1x8x!x> {nn.name = "scores"}, tensor<1x8x!x> {nn.name = "again"}, tensor<1x8x!x>, tensor<2xi8>) {
  %w1 = nn.constant dense<1> : tensor<256x8xi8> : tensor<256x8x!w>
  %w3 = nn.constant dense<2> : tensor<8x8xi8> : tensor<8x8x!w>
  %c = nn.constant dense<[1, 2]> : tensor<2xi8> : tensor<2xi8>
  %0 = nn.relu %x : (tensor<1x256x!x>) -> tensor<1x256x!x> loc("first")
  %1 = nn.matmul %0, %w1 : (tensor<1x256x!x>, tensor<256x8x!w>) -> tensor<1x8x!x> loc("fc1")
  %2 = nn.relu %1 : (tensor<1x8x!x>) -> tensor<1x8x!x> loc("same")
  %3 = nn.matmul %0, %w1 : (tensor<1x256x!x>, tensor<256x8x!w>) -> tensor<1x8x!x> loc("same")
  %4 = nn.matmul %2, %w3 : (tensor<1x8x!x>, tensor<8x8x!w>) -> tensor<1x8x!x> loc("fc3")
  %5 = nn.relu %3 : (tensor<1x8x!x>) -> tensor<1x8x!x> loc("last")
  return %5, %5, %4, %c : tensor<1x8x!x>, tensor<1x8x!x>, tensor<1x8x!x>, tensor<2xi8>
}
