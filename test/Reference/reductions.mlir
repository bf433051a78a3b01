// Folds of floats, of integers, of nothing, and of quantized numbers.
// REQUIRES: numpy
// RUN: rm -rf %t && mkdir -p %t/in
// RUN: %python -c "import numpy as n; n.save('%t/in/x.npy', n.float32([[1, 5, 2], [4, 3, 4]])); n.save('%t/in/i.npy', n.int32([[7, 2**31 - 1, 1], [0, 1, 0]])); n.save('%t/in/e.npy', n.zeros((2, 0), 'f4'))"
// RUN: cimc run %s --level nn --input %t/in --output %t
// RUN: %python -c "import numpy as n; [print(k, n.load('%t/' + k + '.npy').tolist()) for k in ('sum', 'mean', 'prod', 'max', 'arg', 'last', 'cum', 'back', 'isum', 'none', 'least', 'q')]" | FileCheck %s
// CHECK: sum [5.0, 8.0, 6.0]
// CHECK: mean {{\[\[}}2.66666{{[0-9]*}}], [3.66666{{[0-9]*}}]]
// CHECK: prod 480.0
// CHECK: max [5.0, 4.0]
// CHECK: arg [1, 0]
// CHECK: last [1, 2]
// CHECK: cum {{\[\[}}0.0, 1.0, 6.0], [0.0, 4.0, 7.0]]
// CHECK: back {{\[\[}}8.0, 7.0, 2.0], [11.0, 7.0, 4.0]]
// CHECK: isum [7, -2147483648, 1]
// CHECK: none [0.0, 0.0]
// CHECK: least [-inf, -inf]
// CHECK: q [5.5, 7.5]
!q = !quant.uniform<i8:f32, 0.5>
func.func @main(%x: tensor<2x3xf32> {nn.name = "x"}, %i: tensor<2x3xi32> {nn.name = "i"}, %e: tensor<2x0xf32> {nn.name = "e"})
    -> (tensor<3xf32> {nn.name = "sum"}, tensor<2x1xf32> {nn.name = "mean"}, tensor<f32> {nn.name = "prod"},
        tensor<2xf32> {nn.name = "max"}, tensor<2xi64> {nn.name = "arg"}, tensor<2xi64> {nn.name = "last"},
        tensor<2x3xf32> {nn.name = "cum"}, tensor<2x3xf32> {nn.name = "back"}, tensor<3xi32> {nn.name = "isum"},
        tensor<2xf32> {nn.name = "none"}, tensor<2xf32> {nn.name = "least"}, tensor<2xf32> {nn.name = "q"}) {
  %sum = nn.reduce_sum %x {axes = array<i64: 0>} : (tensor<2x3xf32>) -> tensor<3xf32>
  %mean = nn.reduce_mean %x {axes = array<i64: 1>, keep_dims} : (tensor<2x3xf32>) -> tensor<2x1xf32>
  %prod = nn.reduce_prod %x {axes = array<i64: 0, 1>} : (tensor<2x3xf32>) -> tensor<f32>
  %max = nn.reduce_max %x {axes = array<i64: 1>} : (tensor<2x3xf32>) -> tensor<2xf32>
  %arg = nn.arg_max %x {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<2xi64>
  %last = nn.arg_max %x {axis = 1 : i64, last} : (tensor<2x3xf32>) -> tensor<2xi64>
  %cum = nn.cum_sum %x {axis = 1 : i64, exclusive} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %back = nn.cum_sum %x {axis = 1 : i64, reverse} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %isum = nn.reduce_sum %i {axes = array<i64: 0>} : (tensor<2x3xi32>) -> tensor<3xi32>
  %none = nn.reduce_sum %e {axes = array<i64: 1>} : (tensor<2x0xf32>) -> tensor<2xf32>
  %least = nn.reduce_max %e {axes = array<i64: 1>} : (tensor<2x0xf32>) -> tensor<2xf32>
  %0 = nn.quantize %x : (tensor<2x3xf32>) -> tensor<2x3x!q>
  %1 = nn.reduce_sum %0 {axes = array<i64: 1>} : (tensor<2x3x!q>) -> tensor<2x!quant.uniform<i8:f32, 0.5>>
  %2 = nn.reduce_mean %0 {axes = array<i64: 1>} : (tensor<2x3x!q>) -> tensor<2x!q>
  %3 = nn.sub %1, %2 : (tensor<2x!q>, tensor<2x!q>) -> tensor<2x!q>
  %q = nn.dequantize %3 : (tensor<2x!q>) -> tensor<2xf32>
  return %sum, %mean, %prod, %max, %arg, %last, %cum, %back, %isum, %none, %least, %q
    : tensor<3xf32>, tensor<2x1xf32>, tensor<f32>, tensor<2xf32>, tensor<2xi64>, tensor<2xi64>, tensor<2x3xf32>,
      tensor<2x3xf32>, tensor<3xi32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
}
