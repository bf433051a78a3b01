// A loop through `cim.delay`: running sums, and a sum of a sum. Every level
// gives the same numbers, and a second sample begins anew.
// REQUIRES: numpy
// RUN: rm -rf %t && mkdir -p %t/cim %t/sched %t/isa
// RUN: %python -c "import numpy as n; n.save('%t/x.npy', n.float32([[[[1, 2]], [[3, 4]], [[5, 6]]], [[[1, 0]], [[1, 0]], [[1, 0]]]]))"
// RUN: cimc run %s --level cim --input x=%t/x.npy --output %t/cim
// RUN: cimc run %s --level sched --input x=%t/x.npy --output %t/sched
// RUN: cimc run %s --level isa --input x=%t/x.npy --output %t/isa
// RUN: %python -c "import numpy as n; print([n.load('%t/%%s/y.npy' %% l).ravel().tolist() for l in ('cim', 'sched', 'isa')])" | FileCheck %s
// CHECK: {{\[\[}}1.0, 2.0, 5.0, 8.0, 14.0, 20.0, 1.0, 0.0, 3.0, 0.0, 6.0, 0.0], [1.0, 2.0, 5.0, 8.0, 14.0, 20.0, 1.0, 0.0, 3.0, 0.0, 6.0, 0.0], [1.0, 2.0, 5.0, 8.0, 14.0, 20.0, 1.0, 0.0, 3.0, 0.0, 6.0, 0.0{{\]\]}}
func.func @main(%x: tensor<3x1x2xf32> {nn.name = "x", cim.shape = array<i64: 3, 1, 2>, cim.perm = array<i64: 0, 1, 2>})
    -> (tensor<3x1x2xf32> {nn.name = "y", cim.shape = array<i64: 3, 1, 2>, cim.perm = array<i64: 0, 1, 2>}) {
  %zero = cim.constant {value = dense<0.0> : tensor<1x1x2xf32>} : () -> tensor<1x1x2xf32>
  %a = cim.delay %zero {number = 0 : i64} : (tensor<1x1x2xf32>) -> tensor<3x1x2xf32>
  %b = cim.delay %zero {number = 1 : i64} : (tensor<1x1x2xf32>) -> tensor<3x1x2xf32>
  %0 = cim.map %a, %x {function = "add"} : (tensor<3x1x2xf32>, tensor<3x1x2xf32>) -> tensor<3x1x2xf32>
  %1 = cim.map %b, %0 {function = "add"} : (tensor<3x1x2xf32>, tensor<3x1x2xf32>) -> tensor<3x1x2xf32>
  cim.delay_input %0 {number = 0 : i64} : tensor<3x1x2xf32>
  cim.delay_input %1 {number = 1 : i64} : tensor<3x1x2xf32>
  return %1 : tensor<3x1x2xf32>
}
