// RUN: cim-opt %s --convert-nn-to-cim="chip=card" --canonicalize --cse --cim-verify-mapped | FileCheck %s

!x = !quant.uniform<i8:f32, 0.5:3>
!u = !quant.uniform<u8:f32, 0.5:131>
!y = !quant.uniform<i8:f32, 0.25:-5>
!w = !quant.uniform<i8:f32, 0.25>
!b = !quant.uniform<i32:f32, 0.125>

// Zero point 3 and 18 weights of 1: the bias loses 54. Padding reads 3.
// CHECK: cim.weights @weights dense<1> : tensor<18x3xi8>
// CHECK-LABEL: func.func @conv
// CHECK-SAME: %[[X:.*]]: tensor<4x5x2xi8> {cim.perm = array<i64: 0, 2, 3, 1>, cim.shape = array<i64: 1, 2, 4, 5>, nn.name = "x"}
// CHECK-SAME: -> (tensor<4x5x3xi8> {cim.perm = array<i64: 0, 2, 3, 1>, cim.shape = array<i64: 1, 3, 4, 5>, nn.name = "y"})
// CHECK: %[[S:.*]] = cim.mvm %[[X]] {k_begin = 0 : i64, k_size = 18 : i64, n_begin = 0 : i64, pad_value = 3 : i64, weights = @weights, window = #cim.window<kernel = [3, 3], stride = [1, 1], pad = [1, 1], dilation = [1, 1]>} : (tensor<4x5x2xi8>) -> tensor<4x5x3xi32>
// CHECK: cim.requantize %[[S]] {bias = array<i32: -53, -52, -51>, high = 127 : i64, low = -128 : i64, multiplier = array<f32: 5.000000e-01>, zero = -5 : i64}
func.func @conv(%x: tensor<1x2x4x5x!x> {nn.name = "x"}) -> (tensor<1x3x4x5x!y> {nn.name = "y"}) {
  %w = nn.constant dense<1> : tensor<3x2x3x3xi8> : tensor<3x2x3x3x!w>
  %b = nn.constant dense<[1, 2, 3]> : tensor<3xi32> : tensor<3x!b>
  %0 = nn.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 1 : i64} : (tensor<1x2x4x5x!x>, tensor<3x2x3x3x!w>, tensor<3x!b>) -> tensor<1x3x4x5x!y>
  return %0 : tensor<1x3x4x5x!y>
}

// One multiplier for each channel.
// CHECK-LABEL: func.func @depthwise
// CHECK: cim.depthwise %{{.*}} {pad_value = 3 : i64, weights = dense<{{.*}}> : tensor<2x1x4xi8>, window = #cim.window<kernel = [2, 1], stride = [2, 1], pad = [0, 0], dilation = [1, 1]>} : (tensor<4x5x2xi8>) -> tensor<2x5x4xi32>
// CHECK: cim.requantize {{.*}}bias = array<i32: -9, -9, -21, -21>, {{.*}}multiplier = array<f32: 5.000000e-01, 1.000000e+00, 2.000000e+00, 4.000000e+00>
func.func @depthwise(%x: tensor<1x2x4x5x!x>) -> tensor<1x4x2x5x!y> {
  %w = nn.constant dense<[[[[1], [2]]], [[[1], [2]]], [[[3], [4]]], [[[3], [4]]]]> : tensor<4x1x2x1xi8> : tensor<4x1x2x1x!quant.uniform<i8:f32:0, {0.25, 0.5, 1.0, 2.0}>>
  %0 = nn.conv %x, %w {strides = array<i64: 2, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64} : (tensor<1x2x4x5x!x>, tensor<4x1x2x1x!quant.uniform<i8:f32:0, {0.25, 0.5, 1.0, 2.0}>>) -> tensor<1x4x2x5x!y>
  return %0 : tensor<1x4x2x5x!y>
}

// A product of a flattened map is a window over the whole map: no copy.
// CHECK-LABEL: func.func @flatten
// CHECK-NOT: cim.move
// CHECK-NOT: cim.reshape
// CHECK: cim.mvm %{{.*}} {{.*}}k_size = 12 : i64{{.*}}window = #cim.window<kernel = [2, 3], stride = [1, 1], pad = [0, 0], dilation = [1, 1]>} : (tensor<2x3x2xi8>) -> tensor<1x1x5xi32>
func.func @flatten(%x: tensor<1x2x2x3x!x>) -> tensor<1x5x!y> {
  %p = nn.max_pool %x {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x2x2x3x!x>) -> tensor<1x2x2x3x!x>
  %r = nn.reshape %p : (tensor<1x2x2x3x!x>) -> tensor<1x12x!x>
  %w = nn.constant dense<1> : tensor<12x5xi8> : tensor<12x5x!w>
  %0 = nn.matmul %r, %w : (tensor<1x12x!x>, tensor<12x5x!w>) -> tensor<1x5x!y>
  return %0 : tensor<1x5x!y>
}

// Other users of the flattened map get a real copy, in the model's order.
// CHECK-LABEL: func.func @flatten_returned
// CHECK: cim.move %{{.*}} {counts = array<i64: 2, 6>, dst_strides = array<i64: 6, 1>, src_strides = array<i64: 1, 2>} : (tensor<2x3x2xi8>) -> tensor<1x1x12xi8>
func.func @flatten_returned(%x: tensor<1x2x2x3x!x>) -> tensor<1x12x!x> {
  %p = nn.max_pool %x {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x2x2x3x!x>) -> tensor<1x2x2x3x!x>
  %r = nn.reshape %p : (tensor<1x2x2x3x!x>) -> tensor<1x12x!x>
  return %r : tensor<1x12x!x>
}

// A transposition renames axes; the host delivers what the convolution wants.
// CHECK-LABEL: func.func @channels_last_model
// CHECK-SAME: tensor<4x5x2xi8> {cim.perm = array<i64: 0, 1, 2, 3>, cim.shape = array<i64: 1, 4, 5, 2>}
// CHECK-NEXT: cim.max_pool
// CHECK-NEXT: return
func.func @channels_last_model(%x: tensor<1x4x5x2x!x>) -> tensor<1x2x4x5x!x> {
  %t = nn.transpose %x {perm = array<i64: 0, 3, 1, 2>} : (tensor<1x4x5x2x!x>) -> tensor<1x2x4x5x!x>
  %p = nn.max_pool %t {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x2x4x5x!x>) -> tensor<1x2x4x5x!x>
  return %p : tensor<1x2x4x5x!x>
}

// Rule R5: where the first operand is one value to a span of the second, they
// change places, in the constants too.
// CHECK-LABEL: func.func @add
// CHECK-SAME: %[[A:.*]]: tensor<1x1x2xi8> {{.*}}, %[[X:.*]]: tensor<4x5x2xi8>
// CHECK: %[[S:.*]] = cim.add %[[X]], %[[A]] {{{.*}}ra = 2.000000e+00 : f32, rb = 1.000000e+00 : f32}
// CHECK-NEXT: return %[[S]], %[[S]]
func.func @add(%a: tensor<1x2x1x1x!y>, %x: tensor<1x2x4x5x!x>) -> (tensor<1x2x4x5x!y>, tensor<1x2x4x5x!y>) {
  %0 = nn.add %a, %x : (tensor<1x2x1x1x!y>, tensor<1x2x4x5x!x>) -> tensor<1x2x4x5x!y>
  %1 = nn.add %x, %a : (tensor<1x2x4x5x!x>, tensor<1x2x1x1x!y>) -> tensor<1x2x4x5x!y>
  return %0, %1 : tensor<1x2x4x5x!y>, tensor<1x2x4x5x!y>
}

// CHECK-LABEL: func.func @mul
// CHECK: %[[C:.*]] = cim.constant {value = dense<{{.*}}[3, 4]{{.*}}> : tensor<1x1x2xi8>}
// CHECK: cim.mul %{{.*}}, %[[C]] {high = 127 : i64, low = -128 : i64, r = 5.000000e-01 : f32, za = 3 : i64, zb = 0 : i64, zc = -5 : i64}
func.func @mul(%x: tensor<1x2x4x5x!x>) -> tensor<1x2x4x5x!y> {
  %c = nn.constant dense<[[[3]], [[4]]]> : tensor<2x1x1xi8> : tensor<2x1x1x!w>
  %0 = nn.mul %x, %c : (tensor<1x2x4x5x!x>, tensor<2x1x1x!w>) -> tensor<1x2x4x5x!y>
  return %0 : tensor<1x2x4x5x!y>
}

// No integer kernel: one fp32 operation between conversions.
// CHECK-LABEL: func.func @sub
// CHECK-COUNT-2: cim.dequantize
// CHECK: cim.map {{.*}}function = "sub"
// CHECK: cim.quantize
func.func @sub(%a: tensor<1x7x!x>, %b: tensor<1x7x!x>) -> tensor<1x7x!y> {
  %0 = nn.sub %a, %b : (tensor<1x7x!x>, tensor<1x7x!x>) -> tensor<1x7x!y>
  return %0 : tensor<1x7x!y>
}

// relu of an unsigned type: entry 0 is real -65.5, entry 255 is 62.
// CHECK-LABEL: func.func @table
// CHECK: cim.lookup %{{.*}} {table = array<i8: -125, -125,
// CHECK-SAME: -2, -1>} : (tensor<3x1x7xui8>) -> tensor<3x1x7xui8>
func.func @table(%x: tensor<3x7x!u>) -> tensor<3x7x!u> {
  %0 = nn.relu %x : (tensor<3x7x!u>) -> tensor<3x7x!u>
  return %0 : tensor<3x7x!u>
}

// Movement between different parameters goes through a table (rule R10).
// CHECK-LABEL: func.func @max_pool
// CHECK: cim.max_pool %{{.*}} {window = #cim.window<kernel = [3, 3], stride = [2, 2], pad = [1, 1], dilation = [1, 1]>} : (tensor<5x5x1xi8>) -> tensor<3x3x1xi8>
// CHECK: cim.lookup
func.func @max_pool(%x: tensor<1x1x5x5x!x>) -> tensor<1x1x3x3x!y> {
  %0 = nn.max_pool %x {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x1x5x5x!x>) -> tensor<1x1x3x3x!y>
  return %0 : tensor<1x1x3x3x!y>
}

// CHECK-LABEL: func.func @avg_pool
// CHECK: cim.avg_pool %{{.*}} {count_include_pad, scale_in = 5.000000e-01 : f32, scale_out = 2.500000e-01 : f32, window = {{.*}}, zero_in = 3 : i64, zero_out = -5 : i64}
func.func @avg_pool(%x: tensor<1x1x5x5x!x>) -> tensor<1x1x3x3x!y> {
  %0 = nn.avg_pool %x {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, count_include_pad} : (tensor<1x1x5x5x!x>) -> tensor<1x1x3x3x!y>
  return %0 : tensor<1x1x3x3x!y>
}

// A window as large as the map follows the global rule: -20 * 3 and 0.5 / (0.25 * 20).
// CHECK-LABEL: func.func @avg_pool_whole
// CHECK: cim.row_sum %{{.*}} : (tensor<4x5x7xi8>) -> tensor<1x1x7xi32>
// CHECK: cim.requantize {{.*}}bias = array<i32: -60>, {{.*}}multiplier = array<f32: 1.000000e-01>
func.func @avg_pool_whole(%x: tensor<1x7x4x5x!x>) -> tensor<1x7x1x1x!y> {
  %0 = nn.avg_pool %x {kernel = array<i64: 4, 5>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x7x4x5x!x>) -> tensor<1x7x1x1x!y>
  return %0 : tensor<1x7x1x1x!y>
}

// CHECK-LABEL: func.func @global_pool
// CHECK: cim.row_sum
// CHECK: cim.requantize {{.*}}bias = array<i32: -60>
func.func @global_pool(%x: tensor<1x7x4x5x!x>) -> tensor<1x7x1x1x!y> {
  %0 = nn.global_avg_pool %x : (tensor<1x7x4x5x!x>) -> tensor<1x7x1x1x!y>
  return %0 : tensor<1x7x1x1x!y>
}

// CHECK-LABEL: func.func @softmax
// CHECK: cim.softmax %{{.*}} {table = array<f32: {{.*}}>, y = 4.000000e+00 : f32, zero = -5 : i64} : (tensor<1x1x10xi8>) -> tensor<1x1x10xi8>
func.func @softmax(%x: tensor<1x10x!x>) -> tensor<1x10x!y> {
  %0 = nn.softmax %x {axis = 1 : i64} : (tensor<1x10x!x>) -> tensor<1x10x!y>
  return %0 : tensor<1x10x!y>
}

// CHECK-LABEL: func.func @concat
// CHECK: %[[B:.*]] = cim.lookup
// CHECK: cim.concat %{{.*}}, %[[B]] {axis = 2 : i64} : (tensor<4x5x2xi8>, tensor<4x5x1xi8>) -> tensor<4x5x3xi8>
func.func @concat(%a: tensor<1x2x4x5x!x>, %b: tensor<1x1x4x5x!y>) -> tensor<1x3x4x5x!x> {
  %0 = nn.concat %a, %b {axis = 1 : i64} : (tensor<1x2x4x5x!x>, tensor<1x1x4x5x!y>) -> tensor<1x3x4x5x!x>
  return %0 : tensor<1x3x4x5x!x>
}

// 0.5 real is 1 step above zero point 3.
// CHECK-LABEL: func.func @pad_slice
// CHECK: cim.move %{{.*}} {counts = array<i64: 4, 10>, dst_offset = 14 : i64, dst_strides = array<i64: 14, 1>, fill = 4 : i64, src_strides = array<i64: 10, 1>} : (tensor<4x5x2xi8>) -> tensor<5x7x2xi8>
// CHECK: cim.move %{{.*}} {counts = array<i64: 2, 7, 2>, dst_strides = array<i64: 14, 2, 1>, src_offset = 12 : i64, src_strides = array<i64: 28, -2, 1>} : (tensor<5x7x2xi8>) -> tensor<2x7x2xi8>
func.func @pad_slice(%x: tensor<1x2x4x5x!x>) -> tensor<1x2x2x7x!x> {
  %0 = nn.pad %x {low = array<i64: 0, 0, 1, 0>, high = array<i64: 0, 0, 0, 2>, value = 0.5 : f32} : (tensor<1x2x4x5x!x>) -> tensor<1x2x5x7x!x>
  %1 = nn.slice %0 {starts = array<i64: 0, 0, 0, 6>, sizes = array<i64: 1, 2, 2, 7>, steps = array<i64: 1, 1, 2, -1>} : (tensor<1x2x5x7x!x>) -> tensor<1x2x2x7x!x>
  return %1 : tensor<1x2x2x7x!x>
}

// Floats at the ends, functions between.
// CHECK-LABEL: func.func @floats
// CHECK: cim.quantize
// CHECK: cim.dequantize
// CHECK: cim.map {{.*}}function = "sigmoid"
// CHECK: cim.softmax_f32
func.func @floats(%x: tensor<1x7xf32>) -> tensor<1x7xf32> {
  %0 = nn.quantize %x : (tensor<1x7xf32>) -> tensor<1x7x!x>
  %1 = nn.dequantize %0 : (tensor<1x7x!x>) -> tensor<1x7xf32>
  %2 = nn.sigmoid %1 : (tensor<1x7xf32>) -> tensor<1x7xf32>
  %3 = nn.softmax %2 {axis = 1 : i64} : (tensor<1x7xf32>) -> tensor<1x7xf32>
  return %3 : tensor<1x7xf32>
}

// 16 bits: fewer levels than the machine's are a clip before; arrays take the
// integers, and the sums become fp32.
// CHECK-LABEL: func.func @halves
// CHECK: %[[C:.*]] = cim.map %{{.*}} {alpha = -5.000000e+01 : f32, beta = 5.000000e+01 : f32, function = "clip"}
// CHECK: %[[Q:.*]] = cim.quantize %[[C]] {{.*}} -> tensor<1x1x7xi16>
// CHECK: %[[P:.*]] = cim.mvm %[[Q]]
// CHECK: cim.combine %[[P]], %{{.*}} digits = 1
// CHECK-NOT: cim.map
// CHECK: cim.quantize {{.*}} -> tensor<1x1x3xui16>
func.func @halves(%x: tensor<1x7xf32>) -> tensor<1x3x!quant.uniform<u16:f32, 0.5>> {
  %w = nn.constant dense<1> : tensor<7x3xi8> : tensor<7x3x!quant.uniform<i8:f32, 0.5>>
  %0 = nn.quantize %x : (tensor<1x7xf32>) -> tensor<1x7x!quant.uniform<i16<-100:100>:f32, 0.5>>
  %1 = nn.matmul %0, %w : (tensor<1x7x!quant.uniform<i16<-100:100>:f32, 0.5>>, tensor<7x3x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x3xf32>
  %2 = nn.quantize %1 : (tensor<1x3xf32>) -> tensor<1x3x!quant.uniform<u16:f32, 0.5>>
  return %2 : tensor<1x3x!quant.uniform<u16:f32, 0.5>>
}

// Two activations: the order of b is told, not changed.
// CHECK-LABEL: func.func @activations
// CHECK: cim.matmul %{{.*}}, %{{.*}} {batch = 1 : i64, k = 5 : i64, m = 3 : i64, n = 7 : i64, transpose_b, za = 3 : i64, zb = -5 : i64}
// CHECK: cim.requantize {{.*}}bias = array<i32: 0>
func.func @activations(%a: tensor<3x5x!x>, %b: tensor<7x5x!y>) -> tensor<3x7x!y> {
  %0 = nn.matmul %a, %b {transpose_b} : (tensor<3x5x!x>, tensor<7x5x!y>) -> tensor<3x7x!y>
  return %0 : tensor<3x7x!y>
}
