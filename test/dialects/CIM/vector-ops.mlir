// RUN: cim-opt %s | cim-opt | FileCheck %s

// CHECK-LABEL: @vector
// CHECK: cim.map {{.*}} {function = "less"} : (tensor<2x3x4xi32>, tensor<1x1x1xi32>) -> tensor<2x3x4xui8>
// CHECK: cim.select {{.*}} : (tensor<2x3x4xui8>, tensor<2x3x4xf32>, tensor<1x3x1xf32>) -> tensor<2x3x4xf32>
// CHECK: cim.convert {{.*}} : (tensor<2x3x4xf32>) -> tensor<2x3x4xi32>
// CHECK: cim.reduce {{.*}} {function = "arg_max"} : (tensor<2x3x4xf32>) -> tensor<2x3x1xi32>
// CHECK: cim.scan {{.*}} {exclusive, function = "sum", reverse}
// CHECK: cim.topk {{.*}} {indices, smallest} : (tensor<2x3x4xf32>) -> tensor<2x3x2xi32>
// CHECK: cim.gather {{.*}} {block = 4 : i64} : (tensor<2x3x4xf32>, tensor<1x1x5xi32>) -> tensor<5x1x4xf32>
// CHECK: cim.scatter {{.*}} {block = 4 : i64, function = "max"}
// CHECK: cim.matmul_f32 {{.*}} {shared, transpose_b} : (tensor<2x3x4xf32>, tensor<5x1x4xf32>) -> tensor<2x3x5xf32>
// CHECK: cim.sum_pool
// CHECK: cim.row_sum {{.*}} : (tensor<2x3x4xf32>) -> tensor<1x1x4xf32>
#w = #cim.window<kernel = [2, 1], stride = [1, 1], pad = [0, 0], dilation = [1, 1]>
func.func @vector(%x: tensor<2x3x4xf32>, %k: tensor<2x3x4xi32>, %s: tensor<1x1x1xi32>, %y: tensor<1x3x1xf32>,
                  %i: tensor<1x1x5xi32>) {
  %0 = cim.map %k, %s {function = "less"} : (tensor<2x3x4xi32>, tensor<1x1x1xi32>) -> tensor<2x3x4xui8>
  %1 = cim.select %0, %x, %y : (tensor<2x3x4xui8>, tensor<2x3x4xf32>, tensor<1x3x1xf32>) -> tensor<2x3x4xf32>
  %2 = cim.convert %1 : (tensor<2x3x4xf32>) -> tensor<2x3x4xi32>
  %3 = cim.reduce %x {function = "arg_max"} : (tensor<2x3x4xf32>) -> tensor<2x3x1xi32>
  %4 = cim.scan %x {function = "sum", exclusive, reverse} : (tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  %5 = cim.topk %x {smallest, indices} : (tensor<2x3x4xf32>) -> tensor<2x3x2xi32>
  %6 = cim.gather %x, %i {block = 4 : i64} : (tensor<2x3x4xf32>, tensor<1x1x5xi32>) -> tensor<5x1x4xf32>
  %7 = cim.scatter %x, %i, %6 {block = 4 : i64, function = "max"}
    : (tensor<2x3x4xf32>, tensor<1x1x5xi32>, tensor<5x1x4xf32>) -> tensor<2x3x4xf32>
  %8 = cim.matmul_f32 %x, %6 {shared, transpose_b} : (tensor<2x3x4xf32>, tensor<5x1x4xf32>) -> tensor<2x3x5xf32>
  %9 = cim.sum_pool %x {window = #w} : (tensor<2x3x4xf32>) -> tensor<1x3x4xf32>
  %10 = cim.row_sum %x : (tensor<2x3x4xf32>) -> tensor<1x1x4xf32>
  return
}
