// Rows taken in turn: sums of even rows, a copy of odd ones, of which every
// other one again, joined. Every level gives the same numbers, and a second
// sample begins anew.
// REQUIRES: numpy
// RUN: rm -rf %t && mkdir -p %t/cim %t/sched %t/isa
// RUN: %python -c "import numpy as n; n.save('%t/x.npy', n.arange(20, dtype='float32').reshape(2, 5, 1, 2))"
// RUN: cimc run %s --level cim --input x=%t/x.npy --output %t/cim
// RUN: cimc run %s --level sched --input x=%t/x.npy --output %t/sched
// RUN: cimc run %s --level isa --input x=%t/x.npy --output %t/isa
// RUN: %python -c "import numpy as n; print([n.load('%t/%%s/y.npy' %% l).ravel().astype(int).tolist() for l in ('cim', 'sched', 'isa')])" | FileCheck %s
// RUN: %python -c "import numpy as n; print([n.load('%t/%%s/z.npy' %% l).ravel().astype(int).tolist() for l in ('cim', 'sched', 'isa')])" | FileCheck %s --check-prefix=AGAIN
// CHECK: {{\[\[}}[[Y:0, 2, 2, 3, 8, 10, 6, 7, 16, 18, 20, 22, 12, 13, 28, 30, 16, 17, 36, 38]]], {{\[}}[[Y]]], {{\[}}[[Y]]{{\]\]}}
// AGAIN: {{\[\[}}[[Z:6, 7, 16, 17]]], {{\[}}[[Z]]], {{\[}}[[Z]]{{\]\]}}
func.func @main(%x: tensor<5x1x2xf32> {nn.name = "x", cim.shape = array<i64: 5, 1, 2>, cim.perm = array<i64: 0, 1, 2>})
    -> (tensor<5x1x2xf32> {nn.name = "y", cim.shape = array<i64: 5, 1, 2>, cim.perm = array<i64: 0, 1, 2>},
        tensor<1x1x2xf32> {nn.name = "z", cim.shape = array<i64: 1, 1, 2>, cim.perm = array<i64: 0, 1, 2>}) {
  %even = cim.slice %x {begin = 0 : i64, row_step = 2 : i64} : (tensor<5x1x2xf32>) -> tensor<3x1x2xf32>
  %sum = cim.map %even, %even {function = "add"} : (tensor<3x1x2xf32>, tensor<3x1x2xf32>) -> tensor<3x1x2xf32>
  %odd = cim.slice %x {begin = 0 : i64, row_begin = 1 : i64, row_step = 2 : i64} : (tensor<5x1x2xf32>) -> tensor<2x1x2xf32>
  %y = cim.interleave %sum, %odd : (tensor<3x1x2xf32>, tensor<2x1x2xf32>) -> tensor<5x1x2xf32>
  %z = cim.slice %odd {begin = 0 : i64, row_begin = 1 : i64, row_step = 2 : i64} : (tensor<2x1x2xf32>) -> tensor<1x1x2xf32>
  return %y, %z : tensor<5x1x2xf32>, tensor<1x1x2xf32>
}
