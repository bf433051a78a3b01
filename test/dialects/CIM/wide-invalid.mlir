// Operations on wide fixed-point numbers (rule R13).
// RUN: cim-opt %s --split-input-file --verify-diagnostics

#wide = #cim.window<kernel = [1, 2], stride = [1, 1], pad = [0, 0], dilation = [1, 1]>
func.func @pixels(%x: tensor<3x2x4xf32>) {
  // expected-error@+1 {{takes whole rows: the window's pixel entries must be 1, 1, 0 and 1}}
  %0 = cim.unit %x {window = #wide} : (tensor<3x2x4xf32>) -> tensor<3x1x1xf32>
  return
}

// -----

#one = #cim.window<kernel = [1, 1], stride = [1, 1], pad = [0, 0], dilation = [1, 1]>
func.func @unit(%x: tensor<3x2x4xf32>) {
  // expected-error@+1 {{units must be tensor<3x1x1xf32>, got 'tensor<3x1x2xf32>'}}
  %0 = cim.unit %x {window = #one} : (tensor<3x2x4xf32>) -> tensor<3x1x2xf32>
  return
}

// -----

#two = #cim.window<kernel = [2, 1], stride = [1, 1], pad = [0, 0], dilation = [1, 1]>
func.func @digits(%x: tensor<3x2x4xf32>, %u: tensor<2x1x1xf32>) {
  // expected-error@+1 {{digits of 'tensor<3x2x4xf32>' under a window of 2 rows are 2 x 24 a row, the result is 'tensor<2x2x12xi8>'}}
  %0 = cim.digits %x, %u {window = #two} : (tensor<3x2x4xf32>, tensor<2x1x1xf32>) -> tensor<2x2x12xi8>
  return
}

// -----

#one = #cim.window<kernel = [1, 1], stride = [1, 1], pad = [0, 0], dilation = [1, 1]>
func.func @types(%x: tensor<3x2x4xi8>) {
  // expected-error@+1 {{operand has element type 'i8', expected one of f32}}
  %0 = cim.unit %x {window = #one} : (tensor<3x2x4xi8>) -> tensor<3x1x1xf32>
  return
}

// -----

func.func @combine(%x: tensor<3x2x4xi32>, %u: tensor<3x1x1xf32>) {
  // expected-error@+1 {{needs 3 operand channels for each of the result, got 'tensor<3x2x4xi32>' and 'tensor<3x2x2xf32>'}}
  %0 = cim.combine %x, %u {weight_units = array<f32: 1.0>, bias = array<f32: 0.0>} : (tensor<3x2x4xi32>, tensor<3x1x1xf32>) -> tensor<3x2x2xf32>
  return
}

// -----

func.func @bias(%x: tensor<3x2x6xi32>, %u: tensor<3x1x1xf32>) {
  // expected-error@+1 {{bias has 3 entries, expected 1 or 2}}
  %0 = cim.combine %x, %u {weight_units = array<f32: 1.0>, bias = array<f32: 0.0, 1.0, 2.0>} : (tensor<3x2x6xi32>, tensor<3x1x1xf32>) -> tensor<3x2x2xf32>
  return
}

// -----

#one = #cim.window<kernel = [1, 1], stride = [1, 1], pad = [0, 0], dilation = [1, 1]>
func.func @depthwise(%x: tensor<3x2x2xf32>) {
  // expected-error@+1 {{weights must be tensor<1x1x2xf32>, got 'tensor<1x1x2xi8>'}}
  %0 = cim.depthwise %x {weights = dense<1> : tensor<1x1x2xi8>, window = #one, pad_value = 0} : (tensor<3x2x2xf32>) -> tensor<3x2x2xf32>
  return
}

// -----

#one = #cim.window<kernel = [1, 1], stride = [1, 1], pad = [0, 0], dilation = [1, 1]>
func.func @levels(%x: tensor<3x2x4xf32>) {
  // expected-error@+1 {{levels must be 0, 127 or 255, got 3}}
  %0 = cim.unit %x {window = #one, levels = 3 : i64} : (tensor<3x2x4xf32>) -> tensor<3x1x1xf32>
  return
}

// -----

func.func @count(%x: tensor<3x2x4xi32>, %u: tensor<3x1x1xf32>) {
  // expected-error@+1 {{digits must be 1 or 3, got 2}}
  %0 = cim.combine %x, %u {weight_units = array<f32: 1.0>, bias = array<f32: 0.0>, digits = 2 : i64} : (tensor<3x2x4xi32>, tensor<3x1x1xf32>) -> tensor<3x2x2xf32>
  return
}
