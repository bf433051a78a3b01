// RUN: cim-opt %s --nn-fuse-qdq --split-input-file | FileCheck %s

!a = !quant.uniform<u8:f32, 0.5:3>
!b = !quant.uniform<u8:f32, 0.25:0>
!w = !quant.uniform<i8:f32:0, {0.5, 0.25}>
!bias = !quant.uniform<i32:f32:0, {0.25, 0.125}>

// A convolution with per-channel weights and an int32 bias; the relu is implied
// by the zero point 0 of the result.
// CHECK-LABEL: @conv_relu
// CHECK-SAME: (%[[X:.*]]: tensor<1x1x3x3xf32>)
// CHECK-DAG: %[[W:.*]] = nn.constant {{.*}} : tensor<2x1x1x1x!quant.uniform<i8:f32:0, {5.000000e-01,2.500000e-01}>>
// CHECK-DAG: %[[B:.*]] = nn.constant {{.*}} : tensor<2xi32>
// CHECK: %[[Q:.*]] = nn.quantize %[[X]]
// CHECK: %[[Y:.*]] = nn.conv %[[Q]], %[[W]], %[[B]]
// CHECK-SAME: -> tensor<1x2x3x3x!quant.uniform<u8:f32, 2.500000e-01>>
// CHECK-NOT: nn.relu
// CHECK: %[[D:.*]] = nn.dequantize %[[Y]]
// CHECK: return %[[D]]
func.func @conv_relu(%x: tensor<1x1x3x3xf32>) -> tensor<1x2x3x3xf32> {
  %wq = nn.constant dense<[[[[1]]], [[[-2]]]]> : tensor<2x1x1x1xi8> : tensor<2x1x1x1x!w>
  %bq = nn.constant dense<[7, -8]> : tensor<2xi32> : tensor<2x!bias>
  %q = nn.quantize %x : (tensor<1x1x3x3xf32>) -> tensor<1x1x3x3x!a>
  %d = nn.dequantize %q : (tensor<1x1x3x3x!a>) -> tensor<1x1x3x3xf32>
  %w = nn.dequantize %wq : (tensor<2x1x1x1x!w>) -> tensor<2x1x1x1xf32>
  %b = nn.dequantize %bq : (tensor<2x!bias>) -> tensor<2xf32>
  %y = nn.conv %d, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
    : (tensor<1x1x3x3xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x3x3xf32>
  %r = nn.relu %y : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  %yq = nn.quantize %r : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3x!b>
  %yd = nn.dequantize %yq : (tensor<1x2x3x3x!b>) -> tensor<1x2x3x3xf32>
  return %yd : tensor<1x2x3x3xf32>
}

// -----

!a = !quant.uniform<u8:f32, 0.5:3>
!w = !quant.uniform<u8:f32, 0.5:128>

// A zero point that is no end of the range: the relu becomes a clamp of
// integers. Unsigned weights move to zero point 0. A float bias is quantized
// with scale 0.25.
// CHECK-LABEL: @conv_clamp
// CHECK-DAG: nn.constant dense<{{.*}}> {{.*}}!quant.uniform<i8:f32, 5.000000e-01>>
// CHECK-DAG: %[[B:.*]] = nn.constant {{.*}} : tensor<1xi32>
// CHECK: %[[Y:.*]] = nn.conv {{.*}} -> tensor<1x1x3x!quant.uniform<u8:f32, 5.000000e-01:3>>
// CHECK: nn.relu %[[Y]] : (tensor<1x1x3x!quant.uniform{{.*}}) -> tensor<1x1x3x!quant
func.func @conv_clamp(%x: tensor<1x1x3x!a>) -> tensor<1x1x3x!a> {
  %wq = nn.constant dense<[[[129]]]> : tensor<1x1x1xui8> : tensor<1x1x1x!w>
  %b = nn.constant dense<[1.0]> : tensor<1xf32> : tensor<1xf32>
  %d = nn.dequantize %x : (tensor<1x1x3x!a>) -> tensor<1x1x3xf32>
  %w = nn.dequantize %wq : (tensor<1x1x1x!w>) -> tensor<1x1x1xf32>
  %y = nn.conv %d, %w, %b {strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}
    : (tensor<1x1x3xf32>, tensor<1x1x1xf32>, tensor<1xf32>) -> tensor<1x1x3xf32>
  %r = nn.relu %y : (tensor<1x1x3xf32>) -> tensor<1x1x3xf32>
  %q = nn.quantize %r : (tensor<1x1x3xf32>) -> tensor<1x1x3x!a>
  return %q : tensor<1x1x3x!a>
}

// -----

!a = !quant.uniform<u8:f32, 0.5:3>
!s = !quant.uniform<i8:f32, 0.5:-3>

// Weights that do not fit int8 without their zero point keep it; uint8 inputs
// with int8 results are fine.
// CHECK-LABEL: @mixed_types
// CHECK: nn.constant {{.*}}!quant.uniform<u8:f32, 5.000000e-01:3>>
// CHECK: nn.matmul {{.*}} -> tensor<1x2x!quant.uniform<i8:f32, 5.000000e-01:-3>>
func.func @mixed_types(%x: tensor<1x2x!a>) -> tensor<1x2x!s> {
  %wq = nn.constant dense<[[1, 255], [0, 3]]> : tensor<2x2xui8> : tensor<2x2x!a>
  %d = nn.dequantize %x : (tensor<1x2x!a>) -> tensor<1x2xf32>
  %w = nn.dequantize %wq : (tensor<2x2x!a>) -> tensor<2x2xf32>
  %y = nn.matmul %d, %w : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %q = nn.quantize %y : (tensor<1x2xf32>) -> tensor<1x2x!s>
  return %q : tensor<1x2x!s>
}

// -----

!a = !quant.uniform<u8:f32, 0.5:3>

// Float weights behind a quantized input: int8, asymmetric, per tensor. With
// the range [-1, 1.55] the scale is 0.01 and the zero point -28.
// CHECK-LABEL: @float_weight
// CHECK: nn.constant {{.*}}!quant.uniform<i8:f32, 0.0099999{{[0-9]*}}:-28>>
// CHECK: nn.matmul {{.*}} -> tensor<1x2x!quant
func.func @float_weight(%x: tensor<1x1x!a>) -> tensor<1x2x!a> {
  %w = nn.constant dense<[[-1.0, 1.55]]> : tensor<1x2xf32> : tensor<1x2xf32>
  %d = nn.dequantize %x : (tensor<1x1x!a>) -> tensor<1x1xf32>
  %y = nn.matmul %d, %w : (tensor<1x1xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %q = nn.quantize %y : (tensor<1x2xf32>) -> tensor<1x2x!a>
  return %q : tensor<1x2x!a>
}

// -----

!a = !quant.uniform<u8:f32, 0.5:3>
!w = !quant.uniform<i8:f32:0, {0.5, 0.25, 1.0}>

// Weights behind a transpose: the constant is transposed, with its axis. The
// addition of one row is the bias.
// CHECK-LABEL: @transposed_weight
// CHECK-DAG: %[[W:.*]] = nn.constant {{.*}} : tensor<2x3x!quant.uniform<i8:f32:1, {5.000000e-01,2.500000e-01,1.000000e+00}>>
// CHECK-DAG: %[[B:.*]] = nn.constant {{.*}} : tensor<3xi32>
// CHECK-NOT: nn.add
// CHECK: nn.matmul %{{.*}}, %[[W]], %[[B]]
func.func @transposed_weight(%x: tensor<1x2x!a>) -> tensor<1x3x!a> {
  %wq = nn.constant dense<[[1, 2], [3, 4], [5, 6]]> : tensor<3x2xi8> : tensor<3x2x!w>
  %b = nn.constant dense<[[1.0, 2.0, 3.0]]> : tensor<1x3xf32> : tensor<1x3xf32>
  %d = nn.dequantize %x : (tensor<1x2x!a>) -> tensor<1x2xf32>
  %w = nn.dequantize %wq : (tensor<3x2x!w>) -> tensor<3x2xf32>
  %t = nn.transpose %w {perm = array<i64: 1, 0>} : (tensor<3x2xf32>) -> tensor<2x3xf32>
  %y = nn.matmul %d, %t : (tensor<1x2xf32>, tensor<2x3xf32>) -> tensor<1x3xf32>
  %z = nn.add %y, %b : (tensor<1x3xf32>, tensor<1x3xf32>) -> tensor<1x3xf32>
  %q = nn.quantize %z : (tensor<1x3xf32>) -> tensor<1x3x!a>
  return %q : tensor<1x3x!a>
}

// -----

!a = !quant.uniform<u8:f32, 0.5:3>

// dequantize comes down and quantize up past movement and maximum pooling.
// CHECK-LABEL: @movement
// CHECK-SAME: (%[[X:.*]]: tensor<1x4x5x5x!quant
// CHECK-NOT: nn.dequantize
// CHECK: %[[T:.*]] = nn.transpose %[[X]]
// CHECK: %[[G:.*]] = nn.global_avg_pool %[[T]]
// CHECK: %[[R:.*]] = nn.reshape %[[G]]
// CHECK: return %[[R]]
func.func @movement(%x: tensor<1x4x5x5x!a>) -> tensor<5x!a> {
  %d = nn.dequantize %x : (tensor<1x4x5x5x!a>) -> tensor<1x4x5x5xf32>
  %t = nn.transpose %d {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x4x5x5xf32>) -> tensor<1x5x5x4xf32>
  %g = nn.global_avg_pool %t : (tensor<1x5x5x4xf32>) -> tensor<1x5x1x1xf32>
  %r = nn.reshape %g : (tensor<1x5x1x1xf32>) -> tensor<5xf32>
  %q = nn.quantize %r : (tensor<5xf32>) -> tensor<5x!a>
  return %q : tensor<5x!a>
}

// -----

!a = !quant.uniform<u8:f32, 0.5:3>

// CHECK-LABEL: @max_pool_pad_slice
// CHECK-NOT: nn.dequantize
// CHECK: nn.pad %{{.*}} : (tensor<1x1x7x!quant
// CHECK: nn.max_pool %{{.*}} : (tensor<1x1x9x!quant
// CHECK: nn.slice %{{.*}} : (tensor<1x1x7x!quant
// CHECK-NOT: nn.quantize
// CHECK: return
func.func @max_pool_pad_slice(%x: tensor<1x1x7x!a>) -> tensor<1x1x3x!a> {
  %d = nn.dequantize %x : (tensor<1x1x7x!a>) -> tensor<1x1x7xf32>
  %p = nn.pad %d {low = array<i64: 0, 0, 1>, high = array<i64: 0, 0, 1>, value = 0.0 : f32} : (tensor<1x1x7xf32>) -> tensor<1x1x9xf32>
  %m = nn.max_pool %p {kernel = array<i64: 3>, strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>} : (tensor<1x1x9xf32>) -> tensor<1x1x7xf32>
  %s = nn.slice %m {starts = array<i64: 0, 0, 1>, sizes = array<i64: 1, 1, 3>, steps = array<i64: 1, 1, 2>} : (tensor<1x1x7xf32>) -> tensor<1x1x3xf32>
  %q = nn.quantize %s : (tensor<1x1x3xf32>) -> tensor<1x1x3x!a>
  return %q : tensor<1x1x3x!a>
}

// -----

!a = !quant.uniform<u8:f32, 0.5:3>
!b = !quant.uniform<u8:f32, 0.25:0>

// Inputs of a concatenation take its parameters, by a table where they differ.
// CHECK-LABEL: @concat
// CHECK-SAME: (%[[X:[^:]*]]: {{.*}}, %[[Y:[^:]*]]: tensor
// CHECK: %[[T:.*]] = nn.reshape %[[X]] : (tensor<1x3x!quant.uniform<u8:f32, 5.000000e-01:3>>) -> tensor<1x3x!quant.uniform<u8:f32, 2.500000e-01>>
// CHECK: nn.concat %[[T]], %[[Y]]
func.func @concat(%x: tensor<1x3x!a>, %y: tensor<1x2x!b>) -> tensor<1x5x!b> {
  %d = nn.dequantize %x : (tensor<1x3x!a>) -> tensor<1x3xf32>
  %e = nn.dequantize %y : (tensor<1x2x!b>) -> tensor<1x2xf32>
  %c = nn.concat %d, %e {axis = 1 : i64} : (tensor<1x3xf32>, tensor<1x2xf32>) -> tensor<1x5xf32>
  %q = nn.quantize %c : (tensor<1x5xf32>) -> tensor<1x5x!b>
  return %q : tensor<1x5x!b>
}

// -----

!a = !quant.uniform<u8:f32, 0.5:3>
!b = !quant.uniform<i8:f32, 0.25:-5>

// Functions of one number become tables; add and multiply take one number as a
// constant of scale |c|.
// CHECK-LABEL: @elementwise
// CHECK: %[[C:.*]] = nn.constant dense<0> : tensor<i8> : tensor<!quant.uniform<u8:f32, 2.500000e+00:1>>
// CHECK: %[[S:.*]] = nn.sigmoid %{{.*}} -> tensor<7x!quant.uniform<i8:f32, 2.500000e-01:-5>>
// CHECK: %[[A:.*]] = nn.add %{{.*}}, %[[S]]
// CHECK: nn.mul %[[A]], %[[C]]
// CHECK-SAME: -> tensor<7x!quant.uniform<u8:f32, 5.000000e-01:3>>
func.func @elementwise(%x: tensor<7x!a>) -> tensor<7x!a> {
  %c = nn.constant dense<-2.5> : tensor<f32> : tensor<f32>
  %d = nn.dequantize %x : (tensor<7x!a>) -> tensor<7xf32>
  %s = nn.sigmoid %d : (tensor<7xf32>) -> tensor<7xf32>
  %sq = nn.quantize %s : (tensor<7xf32>) -> tensor<7x!b>
  %sd = nn.dequantize %sq : (tensor<7x!b>) -> tensor<7xf32>
  %a = nn.add %d, %sd : (tensor<7xf32>, tensor<7xf32>) -> tensor<7xf32>
  %aq = nn.quantize %a : (tensor<7xf32>) -> tensor<7x!a>
  %ad = nn.dequantize %aq : (tensor<7x!a>) -> tensor<7xf32>
  %m = nn.mul %ad, %c : (tensor<7xf32>, tensor<f32>) -> tensor<7xf32>
  %q = nn.quantize %m : (tensor<7xf32>) -> tensor<7x!a>
  return %q : tensor<7x!a>
}

// -----

!a = !quant.uniform<u8:f32, 0.5:3>
!s = !quant.uniform<i8:f32, 0.5:-3>

// No integer rule: subtraction, softmax between different types, an addition of
// several numbers.
// CHECK-LABEL: @stays_float
// CHECK: nn.sub %{{.*}} : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
// CHECK: nn.softmax %{{.*}} -> tensor<1x2xf32>
// CHECK: nn.add %{{.*}} -> tensor<1x2xf32>
func.func @stays_float(%x: tensor<1x2x!a>) -> (tensor<1x2x!a>, tensor<1x2x!s>, tensor<1x2x!a>) {
  %c = nn.constant dense<[[1.0, 2.0]]> : tensor<1x2xf32> : tensor<1x2xf32>
  %d = nn.dequantize %x : (tensor<1x2x!a>) -> tensor<1x2xf32>
  %e = nn.sub %d, %d : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %f = nn.softmax %d {axis = 1 : i64} : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %g = nn.add %d, %c : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %p = nn.quantize %e : (tensor<1x2xf32>) -> tensor<1x2x!a>
  %q = nn.quantize %f : (tensor<1x2xf32>) -> tensor<1x2x!s>
  %r = nn.quantize %g : (tensor<1x2xf32>) -> tensor<1x2x!a>
  return %p, %q, %r : tensor<1x2x!a>, tensor<1x2x!s>, tensor<1x2x!a>
}

// -----

!a = !quant.uniform<u8:f32, 0.5:3>
!b = !quant.uniform<u8:f32, 0.25:0>
!w = !quant.uniform<i8:f32, 0.5>

// A sum with several users is computed once, in integers; the others read it.
// CHECK-LABEL: @fan_out
// CHECK: %[[Y:.*]] = nn.matmul
// CHECK-SAME: -> tensor<1x2x!quant.uniform<u8:f32, 5.000000e-01:3>>
// CHECK-NOT: nn.matmul
// CHECK-DAG: %[[R:.*]] = nn.reshape %[[Y]]
// CHECK-DAG: %[[D:.*]] = nn.dequantize %[[Y]]
// CHECK-DAG: %[[E:.*]] = nn.exp %[[D]]
// CHECK: return %[[Y]], %[[R]], %[[E]]
func.func @fan_out(%x: tensor<1x1x!a>) -> (tensor<1x2x!a>, tensor<1x2x!b>, tensor<1x2xf32>) {
  %wq = nn.constant dense<[[1, 2]]> : tensor<1x2xi8> : tensor<1x2x!w>
  %d = nn.dequantize %x : (tensor<1x1x!a>) -> tensor<1x1xf32>
  %w = nn.dequantize %wq : (tensor<1x2x!w>) -> tensor<1x2xf32>
  %y = nn.matmul %d, %w : (tensor<1x1xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %p = nn.quantize %y : (tensor<1x2xf32>) -> tensor<1x2x!a>
  %q = nn.quantize %y : (tensor<1x2xf32>) -> tensor<1x2x!b>
  %e = nn.exp %y : (tensor<1x2xf32>) -> tensor<1x2xf32>
  return %p, %q, %e : tensor<1x2x!a>, tensor<1x2x!b>, tensor<1x2xf32>
}

// -----

!a = !quant.uniform<u8:f32, 0.5:3>

// A window that is the whole image averages like global_avg_pool.
// CHECK-LABEL: @whole_image
// CHECK: nn.global_avg_pool %{{.*}} : (tensor<1x2x3x5x!quant
func.func @whole_image(%x: tensor<1x2x3x5x!a>) -> tensor<1x2x1x1x!a> {
  %d = nn.dequantize %x : (tensor<1x2x3x5x!a>) -> tensor<1x2x3x5xf32>
  %y = nn.avg_pool %d {kernel = array<i64: 3, 5>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x2x3x5xf32>) -> tensor<1x2x1x1xf32>
  %q = nn.quantize %y : (tensor<1x2x1x1xf32>) -> tensor<1x2x1x1x!a>
  return %q : tensor<1x2x1x1x!a>
}

// -----

!a = !quant.uniform<u8:f32, 0.5:3>
!six = !quant.uniform<u8:f32, 0.015625:0>

// Clip ranges beyond the quantized range go, others become clamps.
// CHECK-LABEL: @clips
// CHECK: %[[P:.*]] = nn.global_avg_pool {{.*}} -> tensor<1x1x1x!quant.uniform<u8:f32, 1.562500e-02>>
// CHECK: %[[Q:.*]] = nn.global_avg_pool {{.*}} -> tensor<1x1x1x!quant.uniform<u8:f32, 5.000000e-01:3>>
// CHECK: %[[C:.*]] = nn.clip %[[Q]]
// CHECK: return %[[P]], %[[C]]
func.func @clips(%x: tensor<1x1x3x!a>) -> (tensor<1x1x1x!six>, tensor<1x1x1x!a>) {
  %d = nn.dequantize %x : (tensor<1x1x3x!a>) -> tensor<1x1x3xf32>
  %g = nn.global_avg_pool %d : (tensor<1x1x3xf32>) -> tensor<1x1x1xf32>
  %h = nn.global_avg_pool %d : (tensor<1x1x3xf32>) -> tensor<1x1x1xf32>
  %c = nn.clip %g {min = 0.0 : f32, max = 6.0 : f32} : (tensor<1x1x1xf32>) -> tensor<1x1x1xf32>
  %e = nn.clip %h {min = 0.0 : f32, max = 6.0 : f32} : (tensor<1x1x1xf32>) -> tensor<1x1x1xf32>
  %p = nn.quantize %c : (tensor<1x1x1xf32>) -> tensor<1x1x1x!six>
  %q = nn.quantize %e : (tensor<1x1x1xf32>) -> tensor<1x1x1x!a>
  return %p, %q : tensor<1x1x1x!six>, tensor<1x1x1x!a>
}
