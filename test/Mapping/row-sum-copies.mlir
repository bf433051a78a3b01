// A sum over all pixels, as of a global average, is cut where it would be the
// slowest part: the parts are added. No level computes another number.
// REQUIRES: numpy
// RUN: cim-opt %s --convert-nn-to-cim="chip=%S/Inputs/tiny-slow-vector.json" --cim-replicate 2>&1 | FileCheck %s
// RUN: rm -rf %t && mkdir -p %t/nn %t/cim %t/sched %t/isa
// RUN: %python -c "import numpy as n; n.save('%t/x.npy', n.random.default_rng(1).integers(-128, 128, (3, 1, 37, 5, 7)).astype('int8'))"
// RUN: cimc run %s --level nn --input x=%t/x.npy --output %t/nn
// RUN: cimc run %s --chip %S/Inputs/tiny-slow-vector.json --level cim --input x=%t/x.npy --output %t/cim
// RUN: cimc run %s --chip %S/Inputs/tiny-slow-vector.json --level sched --input x=%t/x.npy --output %t/sched
// RUN: cimc run %s --chip %S/Inputs/tiny-slow-vector.json --level isa --input x=%t/x.npy --output %t/isa
// RUN: %python -c "import numpy as n; a = [n.load('%t/%%s/y.npy' %% l) for l in ('nn', 'cim', 'sched', 'isa')]; print(a[0].shape, len(n.unique(a[0])) > 20, [bool((b == a[0]).all()) for b in a])" | FileCheck %s --check-prefix=EQUAL
// EQUAL: (3, 1, 37, 1, 1) True [True, True, True, True]

!x = !quant.uniform<i8:f32, 0.5:3>
!y = !quant.uniform<i8:f32, 0.05:-7>

// CHECK: remark: 7 copies: each makes 1 of 7 pixels of a row
// CHECK-LABEL: func.func @main
// CHECK: %[[A:.*]] = cim.row_sum {{.*}}cim.part = array<i64: 0, 1, 7>{{.*}} : (tensor<5x1x37xi8>) -> tensor<1x1x37xi32>
// CHECK-COUNT-6: cim.row_sum {{.*}} : (tensor<5x1x37xi8>) -> tensor<1x1x37xi32>
// CHECK: %[[S:.*]] = cim.sum %[[A]],
// CHECK: cim.requantize %[[S]]
func.func @main(%x: tensor<1x37x5x7x!x> {nn.name = "x"}) -> (tensor<1x37x1x1x!y> {nn.name = "y"}) {
  %0 = nn.global_avg_pool %x : (tensor<1x37x5x7x!x>) -> tensor<1x37x1x1x!y>
  return %0 : tensor<1x37x1x1x!y>
}
