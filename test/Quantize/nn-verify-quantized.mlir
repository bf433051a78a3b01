// RUN: cim-opt %s --nn-verify-quantized --split-input-file | FileCheck %s

!a = !quant.uniform<u8:f32, 0.5:3>

// Integers, conversions, movement, and float functions of the vector unit.
// CHECK-LABEL: @allowed
func.func @allowed(%x: tensor<1x4xf32>) -> tensor<4xf32> {
  %w = nn.constant dense<1> : tensor<4x4xi8> : tensor<4x4x!quant.uniform<i8:f32, 0.5>>
  %b = nn.constant dense<1> : tensor<4xi32> : tensor<4xi32>
  %q = nn.quantize %x : (tensor<1x4xf32>) -> tensor<1x4x!a>
  %y = nn.matmul %q, %w, %b : (tensor<1x4x!a>, tensor<4x4x!quant.uniform<i8:f32, 0.5>>, tensor<4xi32>) -> tensor<1x4x!a>
  %d = nn.dequantize %y : (tensor<1x4x!a>) -> tensor<1x4xf32>
  %e = nn.exp %d : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %s = nn.sub %e, %d : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>
  %f = nn.softmax %s {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %r = nn.reshape %f : (tensor<1x4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// What the vector unit computes: plain integers, products of two activations.
// CHECK-LABEL: @vector
func.func @vector(%k: tensor<2xi64>, %x: tensor<2x3xf32>, %y: tensor<3x2xf32>) -> (tensor<2xi64>, tensor<2x2xf32>) {
  %0 = nn.add %k, %k : (tensor<2xi64>, tensor<2xi64>) -> tensor<2xi64>
  %1 = nn.matmul %x, %y : (tensor<2x3xf32>, tensor<3x2xf32>) -> tensor<2x2xf32>
  return %0, %1 : tensor<2xi64>, tensor<2x2xf32>
}
