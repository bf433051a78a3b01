// RUN: cim-opt %s --nn-canonicalize --split-input-file | FileCheck %s

// NHWC layers around NCHW convolutions, as tf2onnx writes them: the residual
// addition, the clamp and the per-channel sum go before the transposes, which
// cancel.
// CHECK-LABEL: func.func @residual
// CHECK-SAME: (%[[X:.*]]: tensor<1x3x5x7xf32>, %[[W:.*]]: tensor<3x3x1x1xf32>)
// CHECK-DAG: %[[B:.*]] = nn.constant {{.*}} : tensor<3xf32>
// CHECK: %[[C:.*]] = nn.conv %[[X]], %[[W]], %[[B]]
// CHECK-NEXT: %[[R:.*]] = nn.relu %[[C]]
// CHECK-NEXT: %[[S:.*]] = nn.add %[[R]], %[[X]]
// CHECK-NEXT: %[[Y:.*]] = nn.conv %[[S]], %[[W]]
// CHECK-NEXT: return %[[Y]]
func.func @residual(%x: tensor<1x3x5x7xf32>, %w: tensor<3x3x1x1xf32>) -> tensor<1x3x5x7xf32> {
  %b = nn.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32> : tensor<3xf32>
  %x1 = nn.transpose %x {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x3x5x7xf32>) -> tensor<1x5x7x3xf32>
  %0 = nn.transpose %x1 {perm = array<i64: 0, 3, 1, 2>} : (tensor<1x5x7x3xf32>) -> tensor<1x3x5x7xf32>
  %1 = nn.conv %0, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
    : (tensor<1x3x5x7xf32>, tensor<3x3x1x1xf32>) -> tensor<1x3x5x7xf32>
  %2 = nn.transpose %1 {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x3x5x7xf32>) -> tensor<1x5x7x3xf32>
  %3 = nn.add %2, %b : (tensor<1x5x7x3xf32>, tensor<3xf32>) -> tensor<1x5x7x3xf32>
  %4 = nn.relu %3 : (tensor<1x5x7x3xf32>) -> tensor<1x5x7x3xf32>
  %5 = nn.add %4, %x1 : (tensor<1x5x7x3xf32>, tensor<1x5x7x3xf32>) -> tensor<1x5x7x3xf32>
  %6 = nn.transpose %5 {perm = array<i64: 0, 3, 1, 2>} : (tensor<1x5x7x3xf32>) -> tensor<1x3x5x7xf32>
  %7 = nn.conv %6, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
    : (tensor<1x3x5x7xf32>, tensor<3x3x1x1xf32>) -> tensor<1x3x5x7xf32>
  return %7 : tensor<1x3x5x7xf32>
}

// -----

// Axes and lists of numbers follow.
// CHECK-LABEL: func.func @axes
// CHECK-SAME: (%[[X:.*]]: tensor<1x3x5x7xf32>
// CHECK: %[[P:.*]] = nn.pad %[[X]] {high = array<i64: 0, 0, 2, 4>, low = array<i64: 0, 0, 1, 3>, {{.*}} -> tensor<1x3x8x14xf32>
// CHECK: %[[S:.*]] = nn.slice %[[P]] {sizes = array<i64: 1, 3, 4, 5>, starts = array<i64: 0, 0, 2, 0>, steps = array<i64: 1, 1, 1, 2>} {{.*}} -> tensor<1x3x4x5xf32>
// CHECK: %[[C:.*]] = nn.concat %[[S]], %[[S]] {axis = 1 : i64} {{.*}} -> tensor<1x6x4x5xf32>
// CHECK: nn.softmax %[[C]] {axis = 1 : i64}
// CHECK-NOT: nn.transpose
// CHECK: return
func.func @axes(%x: tensor<1x3x5x7xf32>) -> tensor<1x6x4x5xf32> {
  %0 = nn.transpose %x {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x3x5x7xf32>) -> tensor<1x5x7x3xf32>
  %1 = nn.pad %0 {low = array<i64: 0, 1, 3, 0>, high = array<i64: 0, 2, 4, 0>, value = 0.0 : f32}
    : (tensor<1x5x7x3xf32>) -> tensor<1x8x14x3xf32>
  %2 = nn.slice %1 {starts = array<i64: 0, 2, 0, 0>, sizes = array<i64: 1, 4, 5, 3>, steps = array<i64: 1, 1, 2, 1>}
    : (tensor<1x8x14x3xf32>) -> tensor<1x4x5x3xf32>
  %3 = nn.concat %2, %2 {axis = 3 : i64} : (tensor<1x4x5x3xf32>, tensor<1x4x5x3xf32>) -> tensor<1x4x5x6xf32>
  %4 = nn.softmax %3 {axis = 3 : i64} : (tensor<1x4x5x6xf32>) -> tensor<1x4x5x6xf32>
  %5 = nn.transpose %4 {perm = array<i64: 0, 3, 1, 2>} : (tensor<1x4x5x6xf32>) -> tensor<1x6x4x5xf32>
  return %5 : tensor<1x6x4x5xf32>
}

// -----

// A gate with one number for each channel is only reshaped; a value that
// would have to be transposed back keeps the transpose where it is.
// CHECK-LABEL: func.func @operands
// CHECK-SAME: (%[[X:.*]]: tensor<1x3x5x7xf32>, %[[G:.*]]: tensor<1x1x1x3xf32>, %[[Y:.*]]: tensor<1x5x7x3xf32>)
// CHECK: %[[R:.*]] = nn.reshape %[[G]] {{.*}} -> tensor<1x3x1x1xf32>
// CHECK: %[[M:.*]] = nn.mul %[[X]], %[[R]]
// CHECK: %[[T:.*]] = nn.transpose %[[X]]
// CHECK: nn.add %[[T]], %[[Y]]
// CHECK: return %[[M]]
func.func @operands(%x: tensor<1x3x5x7xf32>, %g: tensor<1x1x1x3xf32>, %y: tensor<1x5x7x3xf32>)
    -> (tensor<1x3x5x7xf32>, tensor<1x5x7x3xf32>) {
  %0 = nn.transpose %x {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x3x5x7xf32>) -> tensor<1x5x7x3xf32>
  %1 = nn.mul %0, %g : (tensor<1x5x7x3xf32>, tensor<1x1x1x3xf32>) -> tensor<1x5x7x3xf32>
  %2 = nn.transpose %1 {perm = array<i64: 0, 3, 1, 2>} : (tensor<1x5x7x3xf32>) -> tensor<1x3x5x7xf32>
  %3 = nn.transpose %x {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x3x5x7xf32>) -> tensor<1x5x7x3xf32>
  %4 = nn.add %3, %y : (tensor<1x5x7x3xf32>, tensor<1x5x7x3xf32>) -> tensor<1x5x7x3xf32>
  return %2, %4 : tensor<1x3x5x7xf32>, tensor<1x5x7x3xf32>
}

// -----

// The key of an attention, transposed for the product and split into heads.
// CHECK-LABEL: func.func @product
// CHECK-SAME: (%[[Q:.*]]: tensor<1x2x5x4xf32>, %[[K:.*]]: tensor<1x5x2x4xf32>, %[[L:.*]]: tensor<5x4xf32>)
// CHECK: %[[T:.*]] = nn.transpose %[[K]] {perm = array<i64: 0, 2, 1, 3>}
// CHECK: nn.matmul %[[Q]], %[[T]] {transpose_b}
// CHECK: nn.matmul %{{.*}}, %[[L]] {transpose_b}
func.func @product(%q: tensor<1x2x5x4xf32>, %k: tensor<1x5x2x4xf32>, %l: tensor<5x4xf32>) -> (tensor<1x2x5x5xf32>, tensor<10x5xf32>) {
  %0 = nn.transpose %k {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x5x2x4xf32>) -> tensor<1x2x4x5xf32>
  %1 = nn.matmul %q, %0 : (tensor<1x2x5x4xf32>, tensor<1x2x4x5xf32>) -> tensor<1x2x5x5xf32>
  %2 = nn.reshape %q : (tensor<1x2x5x4xf32>) -> tensor<10x4xf32>
  %3 = nn.reshape %l : (tensor<5x4xf32>) -> tensor<1x1x5x4xf32>
  %4 = nn.transpose %3 {perm = array<i64: 0, 1, 3, 2>} : (tensor<1x1x5x4xf32>) -> tensor<1x1x4x5xf32>
  %5 = nn.reshape %4 : (tensor<1x1x4x5xf32>) -> tensor<4x5xf32>
  %6 = nn.matmul %2, %5 : (tensor<10x4xf32>, tensor<4x5xf32>) -> tensor<10x5xf32>
  return %1, %6 : tensor<1x2x5x5xf32>, tensor<10x5xf32>
}
