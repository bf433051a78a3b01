// RUN: cim-opt %s | cim-opt | FileCheck %s

// CHECK-LABEL: func.func @indexing
func.func @indexing(%table: tensor<512x64xf32>, %ids: tensor<1x11xi64>, %x: tensor<3x5xf32>, %i: tensor<3x2xi64>,
                    %u: tensor<3x2xf32>, %t: tensor<2x1xi32>, %r: tensor<2x5xf32>, %n: tensor<5xi32>) {
  // CHECK: nn.gather %{{.*}}, %{{.*}} {axis = 0 : i64}
  %0 = nn.gather %table, %ids {axis = 0 : i64} : (tensor<512x64xf32>, tensor<1x11xi64>) -> tensor<1x11x64xf32>
  // CHECK: nn.gather_elements
  %1 = nn.gather_elements %x, %i {axis = 1 : i64} : (tensor<3x5xf32>, tensor<3x2xi64>) -> tensor<3x2xf32>
  // CHECK: nn.gather_nd
  %2 = nn.gather_nd %x, %t : (tensor<3x5xf32>, tensor<2x1xi32>) -> tensor<2x5xf32>
  // CHECK: nn.scatter_elements {{.*}} reduction = "add"
  %3 = nn.scatter_elements %x, %i, %u {axis = 1 : i64, reduction = "add"}
    : (tensor<3x5xf32>, tensor<3x2xi64>, tensor<3x2xf32>) -> tensor<3x5xf32>
  // CHECK: nn.scatter_nd
  %4 = nn.scatter_nd %x, %t, %r : (tensor<3x5xf32>, tensor<2x1xi32>, tensor<2x5xf32>) -> tensor<3x5xf32>
  // CHECK: nn.reverse_sequence
  %5 = nn.reverse_sequence %x, %n {time_axis = 0 : i64, batch_axis = 1 : i64} : (tensor<3x5xf32>, tensor<5xi32>) -> tensor<3x5xf32>
  // CHECK: nn.topk {{.*}} -> (tensor<3x2xf32>, tensor<3x2xi64>)
  %6, %7 = nn.topk %x {k = 2 : i64, axis = 1 : i64, smallest} : (tensor<3x5xf32>) -> (tensor<3x2xf32>, tensor<3x2xi64>)
  // CHECK: nn.expand
  %8 = nn.expand %x {shape = array<i64: 2, 3, 5>} : (tensor<3x5xf32>) -> tensor<2x3x5xf32>
  return
}

// Quantized elements move.
// CHECK-LABEL: func.func @quantized
func.func @quantized(%x: tensor<4x3x!quant.uniform<i8:f32, 0.5:1>>, %i: tensor<2xi64>) {
  // CHECK: nn.gather
  %0 = nn.gather %x, %i {axis = 0 : i64} : (tensor<4x3x!quant.uniform<i8:f32, 0.5:1>>, tensor<2xi64>) -> tensor<2x3x!quant.uniform<i8:f32, 0.5:1>>
  return
}

// CHECK-LABEL: func.func @cache
func.func @cache(%c: tensor<1x4x128x8xf32>, %k: tensor<1x4x1x8xf32>, %p: tensor<1xi64>) {
  // CHECK: nn.cache_update {{.*}}circular
  %0 = nn.cache_update %c, %k, %p {axis = 2 : i64, circular}
    : (tensor<1x4x128x8xf32>, tensor<1x4x1x8xf32>, tensor<1xi64>) -> tensor<1x4x128x8xf32>
  return
}

// CHECK-LABEL: func.func @recurrent
func.func @recurrent(%x: tensor<28x2x28xf32>, %w: tensor<80x28xf32>, %r: tensor<80x20xf32>, %b: tensor<80xf32>,
                     %h: tensor<2x20xf32>, %gw: tensor<60x28xf32>, %gr: tensor<60x20xf32>, %n: tensor<2xi32>,
                     %rw: tensor<20x28xf32>, %rr: tensor<20x20xf32>) {
  // CHECK: nn.lstm
  %0, %1, %2 = nn.lstm %x, %w, %r, %b, %h {activations = ["sigmoid", "tanh", "tanh"],
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 0>}
    : (tensor<28x2x28xf32>, tensor<80x28xf32>, tensor<80x20xf32>, tensor<80xf32>, tensor<2x20xf32>)
    -> (tensor<28x2x20xf32>, tensor<2x20xf32>, tensor<2x20xf32>)
  // CHECK: nn.gru {{.*}}linear_before_reset
  %3, %4 = nn.gru %x, %gw, %gr, %n, %h {activations = ["sigmoid", "tanh"], linear_before_reset,
      operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 1, 1>}
    : (tensor<28x2x28xf32>, tensor<60x28xf32>, tensor<60x20xf32>, tensor<2xi32>, tensor<2x20xf32>)
    -> (tensor<28x2x20xf32>, tensor<2x20xf32>)
  // CHECK: nn.rnn {{.*}}reverse
  %5, %6 = nn.rnn %x, %rw, %rr {activations = ["affine"], alpha = array<f32: 0.5>, beta = array<f32: 1.0>, reverse,
      operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0>}
    : (tensor<28x2x28xf32>, tensor<20x28xf32>, tensor<20x20xf32>) -> (tensor<28x2x20xf32>, tensor<2x20xf32>)
  return
}

// CHECK-LABEL: func.func @attention
func.func @attention(%q: tensor<1x4x7x64xf32>, %k: tensor<1x2x9x64xf32>, %v: tensor<1x2x9x32xf32>, %m: tensor<7x9xf32>,
                     %c: tensor<7x16xf32>) {
  // CHECK: nn.attention
  %0 = nn.attention %q, %k, %v, %m {scale = 0.125 : f32, softcap = 5.0 : f32}
    : (tensor<1x4x7x64xf32>, tensor<1x2x9x64xf32>, tensor<1x2x9x32xf32>, tensor<7x9xf32>) -> tensor<1x4x7x32xf32>
  // CHECK: nn.rotary_embedding {{.*}}interleaved
  %1 = nn.rotary_embedding %q, %c, %c {interleaved} : (tensor<1x4x7x64xf32>, tensor<7x16xf32>, tensor<7x16xf32>) -> tensor<1x4x7x64xf32>
  return
}

// CHECK-LABEL: func.func @resampling
func.func @resampling(%x: tensor<1x3x8x8xf32>, %g: tensor<1x5x7x2xf32>, %r: tensor<3x4xf32>, %b: tensor<3xi64>,
                      %w: tensor<3x4x2x2xf32>, %dw: tensor<2x3x2x2xf32>, %o: tensor<1x8x7x7xf32>) {
  // CHECK: nn.resize
  %0 = nn.resize %x {sizes = array<i64: 1, 3, 16, 16>, scales = array<f32: 1.0, 1.0, 2.0, 2.0>, mode = "linear",
      coordinates = "half_pixel"} : (tensor<1x3x8x8xf32>) -> tensor<1x3x16x16xf32>
  // CHECK: nn.grid_sample
  %1 = nn.grid_sample %x, %g {mode = "cubic", padding = "border", align_corners}
    : (tensor<1x3x8x8xf32>, tensor<1x5x7x2xf32>) -> tensor<1x3x5x7xf32>
  // CHECK: nn.roi_align
  %2 = nn.roi_align %x, %r, %b {size = array<i64: 5, 6>, scale = 1.0 : f32, sampling = 0 : i64, mode = "max"}
    : (tensor<1x3x8x8xf32>, tensor<3x4xf32>, tensor<3xi64>) -> tensor<3x3x5x6xf32>
  // CHECK: nn.conv_transpose
  %3 = nn.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 1, 0, 0>, dilations = array<i64: 1, 1>,
      output_padding = array<i64: 1, 0>} : (tensor<1x3x8x8xf32>, tensor<3x4x2x2xf32>) -> tensor<1x4x17x15xf32>
  // CHECK: nn.deform_conv
  %4 = nn.deform_conv %x, %dw, %o {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>,
      operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>}
    : (tensor<1x3x8x8xf32>, tensor<2x3x2x2xf32>, tensor<1x8x7x7xf32>) -> tensor<1x2x7x7xf32>
  // CHECK: nn.max_pool_indices
  %5, %6 = nn.max_pool_indices %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>,
      dilations = array<i64: 1, 1>} : (tensor<1x3x8x8xf32>) -> (tensor<1x3x4x4xf32>, tensor<1x3x4x4xi64>)
  return
}
