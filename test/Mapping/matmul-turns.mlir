// Products of computed matrices, whose rows are taken in turn: each turn has its own rows of both operands.
// REQUIRES: numpy
// RUN: rm -rf %t && mkdir -p %t/x
// RUN: %python -c "import numpy, sys; r = numpy.random.default_rng(1); numpy.save(sys.argv[1] + '/a.npy', r.standard_normal((8, 1, 48), dtype='f4')); numpy.save(sys.argv[1] + '/b.npy', r.standard_normal((8, 48, 40), dtype='f4'))" %t/x
// RUN: cimc run %s --level nn --input %t/x --output %t/nn > %t/nn.txt
// RUN: cimc compile %s --chip card --to placed -o - | FileCheck %s
// RUN: cimc run %s --chip card --level sched --input %t/x --output %t/sched > %t/sched.txt && cmp %t/nn/y.npy %t/sched/y.npy
// RUN: cimc run %s --chip card --input %t/x --output %t/isa > %t/isa.txt && cmp %t/nn/y.npy %t/isa/y.npy
// CHECK: cim.slice {{.*}}row_step = 2 : i64} : (tensor<8x48x40xf32>)
// CHECK: cim.matmul_f32 {{.*}}tensor<4x48x40xf32>) -> tensor<4x1x40xf32>
// CHECK: cim.interleave
func.func @main(%a: tensor<8x1x48xf32> {nn.name = "a"}, %b: tensor<8x48x40xf32> {nn.name = "b"}) -> (tensor<8x1x40xf32> {nn.name = "y"}) {
  %0 = nn.matmul %a, %b : (tensor<8x1x48xf32>, tensor<8x48x40xf32>) -> tensor<8x1x40xf32>
  return %0 : tensor<8x1x40xf32>
}
