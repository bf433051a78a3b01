// RUN: cim-opt %s --split-input-file --verify-diagnostics

func.func @broadcast(%a: tensor<2x3xf32>, %b: tensor<2xf32>) {
  // expected-error @+1 {{'nn.add': shapes 2x3 and 2 cannot be broadcast together}}
  %0 = nn.add %a, %b : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @result(%a: tensor<2x3xf32>) {
  // expected-error @+1 {{has the result 'tensor<3x2xf32>' but its operands make it 2x3}}
  %0 = nn.relu %a : (tensor<2x3xf32>) -> tensor<3x2xf32>
  return
}

// -----

func.func @channels(%x: tensor<1x3x8x8xf32>, %w: tensor<4x2x3x3xf32>) {
  // expected-error @+1 {{'nn.conv': the weight 4x2x3x3 has 2 input channels; the input 1x3x8x8 in 1 groups needs 3}}
  %0 = nn.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64}
    : (tensor<1x3x8x8xf32>, tensor<4x2x3x3xf32>) -> tensor<1x4x6x6xf32>
  return
}

// -----

func.func @window(%x: tensor<1x1x4x4xf32>, %w: tensor<1x1x3x3xf32>) {
  // expected-error @+1 {{'nn.conv': the window spans 5 along axis 2 but the padded input 1x1x4x4 has only 4}}
  %0 = nn.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 2, 2>, group = 1 : i64}
    : (tensor<1x1x4x4xf32>, tensor<1x1x3x3xf32>) -> tensor<1x1x1x1xf32>
  return
}

// -----

func.func @stride(%x: tensor<1x1x4x4xf32>) {
  // expected-error @+1 {{'nn.max_pool': strides has the entry 0; it must be at least 1}}
  %0 = nn.max_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 0, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
    : (tensor<1x1x4x4xf32>) -> tensor<1x1x1x1xf32>
  return
}

// -----

func.func @inner(%a: tensor<2x3xf32>, %b: tensor<4x5xf32>) {
  // expected-error @+1 {{'nn.matmul': cannot multiply 2x3 by 4x5: inner sizes 3 and 4 differ}}
  %0 = nn.matmul %a, %b : (tensor<2x3xf32>, tensor<4x5xf32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @axis(%a: tensor<2x3xf32>) {
  // expected-error @+1 {{'nn.softmax': the input 2x3 has no axis 2}}
  %0 = nn.softmax %a {axis = 2 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @perm(%a: tensor<2x3xf32>) {
  // expected-error @+1 {{'nn.transpose': perm is not a permutation of the 2 axes of 2x3}}
  %0 = nn.transpose %a {perm = array<i64: 1, 1>} : (tensor<2x3xf32>) -> tensor<3x3xf32>
  return
}

// -----

func.func @slice(%a: tensor<5xf32>) {
  // expected-error @+1 {{'nn.slice': start 1, size 3, step 2 along axis 0 reads outside the input 5}}
  %0 = nn.slice %a {starts = array<i64: 1>, sizes = array<i64: 3>, steps = array<i64: 2>} : (tensor<5xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @reshape(%a: tensor<5xf32>) {
  // expected-error @+1 {{turns 'tensor<5xf32>' with 5 elements into 'tensor<2x3xf32>' with 6}}
  %0 = nn.reshape %a : (tensor<5xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @constant() {
  // expected-error @+1 {{holds elements of type 'i16' but its result 'tensor<2x!quant.uniform<i8:f32, 5.000000e-01>>' is stored as 'i8'}}
  %0 = nn.constant dense<1> : tensor<2xi16> : tensor<2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @mixed(%a: tensor<2xf32>, %b: tensor<2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{mixes element types}}
  %0 = nn.add %a, %b : (tensor<2xf32>, tensor<2x!quant.uniform<i8:f32, 0.5>>) -> tensor<2xf32>
  return
}

// -----

func.func @scales(%a: tensor<3xf32>) {
  // expected-error @+1 {{has 2 scales along axis 0 of 3; it needs 3}}
  %0 = nn.quantize %a : (tensor<3xf32>) -> tensor<3x!quant.uniform<i8:f32:0, {0.5, 0.25}>>
  return
}

// -----

func.func @bias(%x: tensor<1x1x4x4x!quant.uniform<i8:f32, 0.5>>, %w: tensor<1x1x1x1x!quant.uniform<i8:f32, 0.5>>, %b: tensor<1xf32>) {
  // expected-error @+1 {{its bias must be stored as i32}}
  %0 = nn.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64}
    : (tensor<1x1x4x4x!quant.uniform<i8:f32, 0.5>>, tensor<1x1x1x1x!quant.uniform<i8:f32, 0.5>>, tensor<1xf32>) -> tensor<1x1x4x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @not_quantized(%a: tensor<3xf32>) {
  // expected-error @+1 {{needs a quantized type on its integer side}}
  %0 = nn.quantize %a : (tensor<3xf32>) -> tensor<3xi8>
  return
}
