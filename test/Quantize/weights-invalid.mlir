// Weights that no integer stands for.
// RUN: %python %test/Driver/exit.py 3 cimc compile %s --calibrate %test/models/digits_calibration.npy -o %t.cimx 2>&1 | FileCheck %s
// CHECK: cimc: error: node 'first': element 1 of its weights is inf, which cannot be quantized
func.func @main(%arg0: tensor<1x1x8x8xf32> {nn.name = "image"}) -> (tensor<1x2x8x8xf32> {nn.name = "y"}) {
  %0 = nn.constant dense<[[[[1.0]]], [[[0x7F800000]]]]> : tensor<2x1x1x1xf32> : tensor<2x1x1x1xf32>
  %1 = nn.conv %arg0, %0 {dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x1x8x8xf32>, tensor<2x1x1x1xf32>) -> tensor<1x2x8x8xf32> loc("first")
  return %1 : tensor<1x2x8x8xf32>
}
